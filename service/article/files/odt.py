"""An .odt file (OpenDocument text, ISO/IEC 26300) as Markdown."""

import zipfile
from collections import Counter
from typing import Any

from lxml import etree

from service.article.files.archive import open_archive, read_xml
from service.article.files.markdown import append_text, to_markdown
from service.errors import InvalidRequest

_NS = {
    "draw": "urn:oasis:names:tc:opendocument:xmlns:drawing:1.0",
    "fo": "urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0",
    "office": "urn:oasis:names:tc:opendocument:xmlns:office:1.0",
    "style": "urn:oasis:names:tc:opendocument:xmlns:style:1.0",
    "svg": "urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0",
    "table": "urn:oasis:names:tc:opendocument:xmlns:table:1.0",
    "text": "urn:oasis:names:tc:opendocument:xmlns:text:1.0",
    "xlink": "http://www.w3.org/1999/xlink",
}


def _q(name: str) -> str:
    prefix, local = name.split(":")
    return f"{{{_NS[prefix]}}}{local}"


_SKIPPED = frozenset(
    map(_q, ("office:annotation", "office:forms", "text:sequence-decls", "text:tracked-changes",
             "text:variable-decls", "text:user-field-decls"))
)  # fmt: skip
_MAX_REPEATED_CELLS = 50


def read_markdown(data: bytes) -> str:
    """The text of an .odt file: headings, paragraphs, lists, quotes, tables, links, emphasis and
    notes. Headers, footers, comments and deleted text are left out.

    Raises:
        InvalidRequest: it is encrypted, or too large when unpacked.
        Exception: what zipfile and lxml raise on damaged files.
    """
    with open_archive(data) as archive:
        if b"encryption-data" in archive.read("META-INF/manifest.xml"):
            raise InvalidRequest("it is encrypted")
        content = read_xml(archive.read("content.xml"))
        styles = [content, *_more_styles(archive)]
    root = etree.Element("body")
    _Reader(styles).blocks(content.find(f"{_q('office:body')}/{_q('office:text')}"), root)
    return to_markdown(root)


def _more_styles(archive: zipfile.ZipFile) -> list[Any]:
    return [read_xml(archive.read("styles.xml"))] if "styles.xml" in archive.namelist() else []


class _Reader:
    """Turns the text into elements of HTML."""

    def __init__(self, styles: list[Any]) -> None:
        self._styles = {
            (style.get(_q("style:family")), style.get(_q("style:name"))): style
            for root in reversed(styles)
            for style in root.iter(_q("style:style"))
        }
        self._lists = {
            style.get(_q("style:name")): style
            for root in reversed(styles)
            for style in root.iter(_q("text:list-style"))
        }
        self._counts: Counter[str] = Counter()  # items of each numbered style so far
        self._notes: list[Any] = []

    def blocks(self, container: Any, parent: Any) -> None:
        """Append the blocks in ``container``, and its notes, to ``parent``."""
        self._blocks(container, parent)
        for number, note in enumerate(self._notes, 1):  # which may grow meanwhile
            body = note.find(_q("text:note-body"))
            if body is not None:
                self._blocks(body, etree.SubElement(parent, "div", {"data-note": str(number)}))

    def _blocks(self, container: Any, parent: Any) -> None:
        for child in container:
            if child.tag == _q("text:h"):
                level = child.get(_q("text:outline-level"), "1")
                number = min(max(int(level), 1), 6) if level.isdecimal() else 1
                self._words(child, etree.SubElement(parent, f"h{number}"), parent)
            elif child.tag == _q("text:p"):
                self._paragraph(child, parent)
            elif child.tag == _q("text:list"):
                self._list(child, parent, "", 1)
            elif child.tag == _q("table:table"):
                self._table(child, parent)
            elif child.tag not in _SKIPPED:
                self._blocks(child, parent)

    def _paragraph(self, paragraph: Any, parent: Any) -> None:
        names = self._style_names("paragraph", paragraph.get(_q("text:style-name")))
        if "Title" in names:
            self._words(paragraph, etree.SubElement(parent, "h1"), parent)
            return
        if "Quotations" in names:
            # Paragraphs that follow each other are one quote.
            last = parent[-1] if len(parent) else None
            quoted = last is not None and last.tag == "blockquote"
            parent = last if quoted else etree.SubElement(parent, "blockquote")
        self._words(paragraph, etree.SubElement(parent, "p"), parent)

    def _style_names(self, family: str, name: str | None) -> list[str]:
        names: list[str] = []
        while name and name not in names:
            names.append(name)
            style = self._styles.get((family, name))
            name = None if style is None else style.get(_q("style:parent-style-name"))
        return names

    def _words(self, element: Any, made: Any, blocks: Any) -> None:
        """Append a paragraph's words to ``made`` and what its frames hold to ``blocks``."""
        append_text(made, element.text or "")
        for child in element:
            tag = child.tag
            if tag == _q("text:span"):
                self._words(child, self._formatted(child, made), blocks)
            elif tag == _q("text:a"):
                href = child.get(_q("xlink:href"), "")
                target = made if href.startswith("#") else etree.SubElement(made, "a", href=href)
                self._words(child, target, blocks)
            elif tag == _q("text:line-break"):
                etree.SubElement(made, "br")
            elif tag in (_q("text:s"), _q("text:tab")):
                append_text(made, " ")
            elif tag == _q("text:note"):
                self._notes.append(child)
                etree.SubElement(made, "sup", {"data-note": str(len(self._notes))})
            elif tag == _q("draw:frame"):
                self._frame(child, made, blocks)
            elif tag not in _SKIPPED:
                self._words(child, made, blocks)
            append_text(made, child.tail or "")

    def _formatted(self, span: Any, made: Any) -> Any:
        """The element for the words of a span: ``made``, or emphasis in it."""
        weight = slope = ""
        for name in self._style_names("text", span.get(_q("text:style-name"))):
            style = self._styles.get(("text", name))
            for properties in [] if style is None else style.iter(_q("style:text-properties")):
                weight = weight or properties.get(_q("fo:font-weight"), "")
                slope = slope or properties.get(_q("fo:font-style"), "")
        if weight in ("bold", "600", "700", "800", "900"):
            made = etree.SubElement(made, "strong")
        if slope in ("italic", "oblique"):
            made = etree.SubElement(made, "em")
        return made

    def _frame(self, frame: Any, made: Any, blocks: Any) -> None:
        image = frame.find(_q("draw:image"))
        described = frame.findtext(_q("svg:desc")) or frame.findtext(_q("svg:title"))
        if image is not None and described:
            source = image.get(_q("xlink:href"), "")
            etree.SubElement(made, "img", alt=described, src=source)
        for box in frame.iterchildren(_q("draw:text-box")):
            self._blocks(box, blocks)

    def _list(self, element: Any, parent: Any, style_name: str, level: int) -> None:
        style_name = element.get(_q("text:style-name")) or style_name
        style = self._lists.get(style_name)
        ordered = style is not None and any(
            form.get(_q("text:level")) == str(level)
            for form in style.iterchildren(_q("text:list-level-style-number"))
        )
        made = etree.SubElement(parent, "ol" if ordered else "ul")
        if ordered and level == 1:
            if element.get(_q("text:continue-numbering")) != "true":
                self._counts[style_name] = 0
            made.set("start", str(self._counts[style_name] + 1))
        for item in element:
            if item.tag not in (_q("text:list-item"), _q("text:list-header")):
                continue
            if level == 1:
                self._counts[style_name] += 1
            entry = etree.SubElement(made, "li")
            for child in item:
                if child.tag == _q("text:list"):
                    self._list(child, entry, style_name, level + 1)
                else:
                    self._blocks([child], entry)

    def _table(self, table: Any, parent: Any) -> None:
        made = etree.SubElement(parent, "table")
        for row in table.iter(_q("table:table-row")):
            if next(row.iterancestors(_q("table:table"))) is not table:
                continue  # of a table in a cell
            line = etree.SubElement(made, "tr")
            for cell in row:
                if cell.tag in (_q("table:table-cell"), _q("table:covered-table-cell")):
                    repeated = cell.get(_q("table:number-columns-repeated"), "1")
                    times = int(repeated) if repeated.isdecimal() else 1
                    for _ in range(min(times, _MAX_REPEATED_CELLS)):
                        self._blocks(cell, etree.SubElement(line, "td"))
