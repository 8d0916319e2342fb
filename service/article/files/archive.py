"""The zip files and the XML that documents are made of, read with bounds."""

import zipfile
from io import BytesIO
from typing import Any

from lxml import etree

from service.errors import InvalidRequest

MAX_EXPANSION_BYTES = 100_000_000
"""How much larger than the file its unpacked parts may be: 50 novels, and no zip bomb."""


def open_archive(data: bytes) -> zipfile.ZipFile:
    """A zip file in memory.

    Raises:
        InvalidRequest: it would grow by more than 100 MB, or is encrypted.
        zipfile.BadZipFile: it is damaged.
    """
    archive = zipfile.ZipFile(BytesIO(data))
    parts = archive.infolist()
    if sum(part.file_size for part in parts) - len(data) > MAX_EXPANSION_BYTES:
        raise InvalidRequest("it unpacks to more than 100 MB of text")
    if any(part.flag_bits & 1 for part in parts):
        raise InvalidRequest("it is encrypted")
    return archive


def read_xml(data: bytes) -> Any:
    """The root element of an XML document, without comments; no entity is looked up or expanded.

    Raises:
        lxml.etree.XMLSyntaxError: it is not well formed, or nested 256 deep.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True
    )
    return etree.fromstring(data, parser)
