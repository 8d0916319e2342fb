"""An .epub file (EPUB 2 and 3) as Markdown."""

import posixpath
import re
import zipfile
from html import unescape
from typing import Any
from urllib.parse import unquote

from lxml import etree
from lxml.html import HTMLParser, document_fromstring

from service.article.files.archive import open_archive, read_xml
from service.article.files.markdown import to_markdown
from service.errors import InvalidRequest

_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)[A-Za-z][A-Za-z0-9]{1,31};")
_TYPE = "{http://www.idpf.org/2007/ops}type"


def read_markdown(data: bytes) -> str:
    """The chapters of an .epub file in reading order, without the table of contents.

    Raises:
        InvalidRequest: its chapters are encrypted, or it is too large when unpacked.
        Exception: what zipfile and lxml raise on damaged files.
    """
    with open_archive(data) as archive:
        names = _chapters(archive)
        if "META-INF/encryption.xml" in archive.namelist():
            encrypted = read_xml(archive.read("META-INF/encryption.xml"))
            locked = {unquote(e.get("URI", "")) for e in encrypted.iter("{*}CipherReference")}
            if locked & set(names):
                raise InvalidRequest("it is encrypted")
        book = etree.Element("body")
        notes: dict[str, str] = {}
        for name in names:
            chapter = _parse(archive.read(name))
            _simplify(chapter, name, notes)
            book.append(chapter)
    return to_markdown(book)


def _chapters(archive: zipfile.ZipFile) -> list[str]:
    """Names of the files with text, in reading order."""
    container = read_xml(archive.read("META-INF/container.xml"))
    package_name = next(container.iter("{*}rootfile")).get("full-path")
    package = read_xml(archive.read(package_name))
    items = {item.get("id"): item for item in package.iter("{*}item")}
    folder = posixpath.dirname(package_name)
    names = []
    for reference in package.iter("{*}itemref"):
        item = items.get(reference.get("idref"))
        if item is None or "nav" in item.get("properties", "").split():
            continue
        if item.get("media-type") in ("application/xhtml+xml", "text/html"):
            names.append(posixpath.normpath(posixpath.join(folder, unquote(item.get("href")))))
    return names


def _parse(data: bytes) -> Any:
    """A chapter's root element, with the names of HTML."""
    try:
        # The names of HTML's entities are not those of XML.
        text = _ENTITY.sub(lambda entity: unescape(entity[0]), data.decode("utf-8-sig"))
        root = read_xml(re.sub(r"^\s*<\?xml[^>]*>", "", text).encode())
    except (etree.XMLSyntaxError, UnicodeDecodeError):
        root = document_fromstring(data, HTMLParser(no_network=True, remove_comments=True))
    for element in root.iter("*"):
        element.tag = etree.QName(element).localname.lower()
    return root


def _simplify(chapter: Any, name: str, notes: dict[str, str]) -> None:
    """Number notes through the book, and drop links and images that lead into the file."""
    for element in chapter.iter("*"):
        kind = element.get(_TYPE, "")
        href = element.get("href", "")
        if element.tag == "a" and kind == "noteref" and "#" in href:
            path, _, anchor = href.partition("#")
            target = posixpath.join(posixpath.dirname(name), path) if path else name
            key = f"{posixpath.normpath(target)}#{anchor}"
            element.set("data-note", notes.setdefault(key, str(len(notes) + 1)))
        elif kind in ("footnote", "endnote", "rearnote"):
            key = f"{name}#{element.get('id', '')}"
            element.tag = "div"
            element.set("data-note", notes.setdefault(key, str(len(notes) + 1)))
        elif element.tag == "a" and not re.match(r"(?:https?|mailto):", href, re.IGNORECASE):
            element.attrib.pop("href", None)
        elif element.tag == "img" and not element.get("alt"):
            element.attrib.pop("src", None)
