"""Documents from files: text, Markdown, HTML, .docx, .odt, .epub and .pdf.

Readers turn what they find into elements of HTML, and one writer turns these into Markdown. The
libraries come with the extra ``kortom[documents]`` and are imported when a document needs them.
"""

import codecs
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import PurePath
from typing import TYPE_CHECKING

from service.article.document import Format
from service.article.normalization import is_blank
from service.errors import InvalidRequest, ServiceError, StartupError

if TYPE_CHECKING:
    from service.article.files.docx_translation import DocxDocument

AVAILABLE = all(map(find_spec, ("docx", "lxml", "pypdf")))
"""Whether the extra ``kortom[documents]`` is installed."""

_TEXT_FORMATS = {
    ".txt": Format.TEXT,
    ".md": Format.MARKDOWN,
    ".markdown": Format.MARKDOWN,
    ".html": Format.HTML,
    ".htm": Format.HTML,
    ".xhtml": Format.HTML,
}
TEXT_SUFFIXES = frozenset(_TEXT_FORMATS)
"""Of files that come out as they are."""
_READERS = {".docx": "docx", ".epub": "epub", ".odt": "odt", ".pdf": "pdf"}
"""Modules of this room, each with ``read_markdown(data: bytes) -> str``."""
DOCUMENT_SUFFIXES = frozenset(_READERS)
"""Of files that come out as Markdown."""

_SIGNATURES = {
    b"%PDF-": (".pdf", "a PDF file"),
    b"PK\x03\x04": (".docx .odt .epub", "a zip file, as .docx, .odt and .epub are"),
    b"\xd0\xcf\x11\xe0": ("", "an old Office file (.doc) or an encrypted one"),
    b"{\\rtf": ("", "a Rich Text file"),
}
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_DECLARED_CHARSET = re.compile(
    rb"""<(?:meta\b[^>]{0,200}?charset|\?xml\b[^>]{0,200}?encoding)\s*=\s*["']?\s*([\w.:-]+)""",
    re.IGNORECASE,
)


def read_document(name: str | PurePath, data: bytes) -> tuple[str, Format]:
    """Read a file by the suffix of its name; an unknown suffix is plain text.

    Args:
        name: the file's name, for its suffix and for the errors.
        data: what it holds.

    Returns:
        The text and its format. ``.docx``, ``.odt``, ``.epub`` and ``.pdf`` come out as Markdown.
        Text without a byte order mark is UTF-8, or else Windows-1252; HTML may name its encoding.

    Raises:
        InvalidRequest: the file is damaged, encrypted, too large when unpacked, something else
            than its suffix says, or without text (a scanned PDF).
        StartupError: the extra ``kortom[documents]`` is missing.
    """
    suffix = PurePath(name).suffix.lower()
    _check_signature(name, suffix, data)
    check_libraries(suffix)
    if suffix in _READERS:
        reader = import_module(f"{__name__}.{_READERS[suffix]}")
        with _border(name, suffix):
            text = reader.read_markdown(data)
        return _visible(name, text), Format.MARKDOWN
    format_ = _TEXT_FORMATS.get(suffix, Format.TEXT)
    text = _decode(data, format_)
    if "\0" in text:
        raise InvalidRequest(f"{name}: this is no text")
    return _visible(name, text), format_


def open_docx(name: str | PurePath, data: bytes) -> "DocxDocument":
    """Take a .docx file apart, to write it again in other words.

    Args:
        name: the file's name, for the errors.
        data: what it holds.

    Raises:
        InvalidRequest: as :func:`read_document`.
        StartupError: the extra ``kortom[documents]`` is missing.
    """
    _check_signature(name, ".docx", data)
    check_libraries(".docx")
    module = import_module(f"{__name__}.docx_translation")
    with _border(name, ".docx"):
        document: DocxDocument = module.DocxDocument(data)
    return document


def check_libraries(suffix: str) -> None:
    """See to it that files of a kind can be read here.

    Args:
        suffix: of such files, in small letters.

    Raises:
        StartupError: they need the extra ``kortom[documents]``, and it is missing.
    """
    if suffix in DOCUMENT_SUFFIXES and not AVAILABLE:
        raise StartupError(f"{suffix} files need more libraries: install kortom[documents]")


def _check_signature(name: str | PurePath, suffix: str, data: bytes) -> None:
    for signature, (suffixes, kind) in _SIGNATURES.items():
        if data.startswith(signature) and suffix not in suffixes.split():
            raise InvalidRequest(f"{name}: this is {kind}")


@contextmanager
def _border(name: str | PurePath, suffix: str) -> Iterator[None]:
    """Turn what a library raises into one line about the file."""
    try:
        yield
    except InvalidRequest as error:
        raise InvalidRequest(f"{name}: {error.detail}", code=error.code) from None
    except ServiceError:
        raise
    # On damaged files the libraries fail in ways of their own: KeyError, AttributeError,
    # RecursionError, XMLSyntaxError, BadZipFile, …
    except Exception as error:
        raise InvalidRequest(f"{name}: damaged, or no {suffix} file") from error


def _visible(name: str | PurePath, text: str) -> str:
    if is_blank(text):
        raise InvalidRequest(f"{name}: holds no visible text", code="text_empty")
    return text


def _decode(data: bytes, format_: Format) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    encodings = ["utf-8"]
    if format_ is Format.HTML and (declared := _DECLARED_CHARSET.search(data[:1024])):
        name = declared[1].decode("ascii").lower()
        # As browsers do: who says Latin-1 means Windows-1252, and what could be read so far is
        # no UTF-16.
        encodings.append(
            {"iso-8859-1": "cp1252", "latin1": "cp1252", "us-ascii": "cp1252"}.get(name, name)
        )
    for encoding in encodings:
        with suppress(LookupError, UnicodeError, ValueError):
            return data.decode(encoding)
    return data.decode("cp1252", "replace")
