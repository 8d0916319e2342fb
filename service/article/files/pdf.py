"""The text of a .pdf file as Markdown paragraphs.

A PDF says where letters stand, not what a paragraph is: lines are joined by their lengths and
their ends. Columns, tables and headings are not recognised.
"""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from io import BytesIO

from lxml import etree
from pypdf import PdfReader
from pypdf.errors import DependencyError

from service.article.files.markdown import to_markdown
from service.article.normalization import is_blank, unhyphenated
from service.errors import InvalidRequest

_EDGE_LINES = 2
"""Lines at the top and at the bottom of a page that may be its header and footer."""
_DIGITS = re.compile(r"\d+")
_SHORT_LINE = 0.75
"""Of the usual width: a line shorter than that ends its paragraph."""
_BULLET = re.compile(r"[•●▪■◦‣–—-]\s+(?=\S)")
_FINAL = re.compile(r"""[.!?…:]["'”’»)\]]*$""")
_HYPHEN = re.compile(r"(?<=\w)[-\u00ad\u2010]$")


def read_markdown(data: bytes) -> str:
    """The text of a .pdf file: paragraphs and simple list items.

    Headers and footers that stand on most pages are left out, words hyphenated at the end of a line
    are whole again.

    Raises:
        InvalidRequest: it is encrypted, or has no text because it was scanned.
        Exception: what pypdf raises on damaged files.
    """
    # It logs every oddity of a file.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = PdfReader(BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise InvalidRequest("it is encrypted")
        pages = [page.extract_text().splitlines() for page in reader.pages]
    except DependencyError:
        raise InvalidRequest("it is encrypted") from None
    pages = [[" ".join(line.split()) for line in page] for page in pages]
    if all(is_blank(line) for page in pages for line in page):
        raise InvalidRequest("no text in it, only pictures of pages", code="text_empty")
    body = etree.Element("body")
    bullets = None
    for paragraph in _paragraphs(_without_furniture(pages)):
        marker = _BULLET.match(paragraph)
        if marker is None:
            bullets = None
            etree.SubElement(body, "p").text = paragraph
        else:
            bullets = etree.SubElement(body, "ul") if bullets is None else bullets
            etree.SubElement(bullets, "li").text = paragraph[marker.end() :]
    return to_markdown(body)


def _without_furniture(pages: list[list[str]]) -> list[str]:
    """All lines, less headers and footers: what stands at the same edge of most pages."""
    pages = [page for page in ([line for line in page if line] for page in pages) if page]
    places: Counter[tuple[bool, str]] = Counter()
    for page in pages:
        places.update({(True, _pattern(line)) for line in page[:_EDGE_LINES]})
        places.update({(False, _pattern(line)) for line in page[-_EDGE_LINES:]})
    furniture = {place for place, count in places.items() if count > max(1, len(pages) / 2)}
    lines = []
    for page in pages:
        last = len(page) - _EDGE_LINES
        lines += [
            line
            for i, line in enumerate(page)
            if not (i < _EDGE_LINES and (True, _pattern(line)) in furniture)
            and not (i >= last and (False, _pattern(line)) in furniture)
        ]
    return lines


def _pattern(line: str) -> str:
    return _DIGITS.sub("0", line)


def _paragraphs(lines: list[str]) -> Iterator[str]:
    widths = sorted(map(len, lines))
    width = widths[len(widths) * 9 // 10] if widths else 0
    paragraph: list[str] = []
    for i, line in enumerate(lines):
        paragraph.append(line)
        following = lines[i + 1] if i + 1 < len(lines) else ""
        continues = following[:1].islower() or bool(_HYPHEN.search(line) and following)
        # A full line before a short one, as a heading is, ends with its sentence.
        short = min(len(line), len(following) if _FINAL.search(line) else width)
        ends = short < _SHORT_LINE * width or _BULLET.match(following)
        if not following or (ends and not continues):
            yield " ".join(unhyphenated("\n".join(paragraph)).split())
            paragraph = []
