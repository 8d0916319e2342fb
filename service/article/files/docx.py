"""A .docx file (WordprocessingML) as Markdown."""

import re
from collections import Counter
from io import BytesIO
from typing import Any

import docx
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.part import Part
from docx.oxml.ns import qn
from lxml import etree

from service.article.files.archive import open_archive, read_xml
from service.article.files.docx_runs import W_T, Piece, PieceKind, pieces_of
from service.article.files.markdown import append_text, to_markdown

_HEADING = re.compile(r"heading ([1-9])", re.IGNORECASE)
_LEVEL_NAME = re.compile(r"list (?:bullet|number) ([2-5])")
_QUOTES = frozenset(("quote", "intense quote", "block text"))
_LINK = re.compile(r'HYPERLINK\s+"([^"]+)"', re.IGNORECASE)
_OFF = frozenset(("0", "false", "off", "none"))
_CONTAINERS = frozenset(map(qn, ("w:sdt", "w:sdtContent", "w:customXml", "w:ins", "w:moveTo")))
_MATH = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_FORMULAS = (f"{_MATH}oMath", f"{_MATH}oMathPara")
_MAX_LEVEL = 8


def read_markdown(data: bytes) -> str:
    """The body of a .docx file: headings, paragraphs, lists, quotes, tables, links, emphasis, notes
    and the letters of formulas. Headers, footers, comments and deleted text are left out.

    Raises:
        InvalidRequest: it is encrypted, or too large when unpacked.
        Exception: what python-docx, zipfile and lxml raise on damaged files.
    """
    open_archive(data).close()
    reader = _Reader(docx.Document(BytesIO(data)))
    return to_markdown(reader.read())


class _Reader:
    """Turns the body into elements of HTML."""

    def __init__(self, document: Any) -> None:
        self._part = document.part
        self._styles = {style.style_id: style for style in document.styles}
        self._levels = _list_levels(document.part)
        self._counts: Counter[tuple[str, int]] = Counter()  # items of each list and level so far
        self._notes: list[tuple[str, str]] = []  # kind and id, in the order of their marks
        self._body = document.element.body

    def read(self) -> Any:
        root = etree.Element("body")
        self._blocks(self._body, root)
        roots = {kind: self._notes_root(kind) for kind in ("footnote", "endnote")}
        # A note may hold marks of further notes, which the loop then meets.
        for number, (kind, note_id) in enumerate(self._notes, 1):
            notes = roots[kind]
            for note in [] if notes is None else notes.iter(qn(f"w:{kind}")):
                if note.get(qn("w:id")) == note_id:
                    element = etree.SubElement(root, "div", {"data-note": str(number)})
                    self._blocks(note, element)
        return root

    def _notes_root(self, kind: str) -> Any:
        wanted = RELATIONSHIP_TYPE.FOOTNOTES if kind == "footnote" else RELATIONSHIP_TYPE.ENDNOTES
        for relation in self._part.rels.values():
            if relation.reltype == wanted and not relation.is_external:
                return read_xml(relation.target_part.blob)
        return None

    def _blocks(self, container: Any, parent: Any) -> None:
        lists: list[tuple[str, Any]] = []  # the open lists, by level, with their ids
        for child in container:
            if child.tag == qn("w:p"):
                lists = self._paragraph(child, parent, lists)
            elif child.tag == qn("w:tbl"):
                lists = []
                self._table(child, parent)
            elif child.tag in _CONTAINERS:
                lists = []
                self._blocks(child, parent)

    def _paragraph(
        self, paragraph: Any, parent: Any, lists: list[tuple[str, Any]]
    ) -> list[tuple[str, Any]]:
        styles = self._style_chain(paragraph)
        names = [style.name.lower() for style in styles if style.name]
        properties = [paragraph.find(qn("w:pPr"))]
        properties += [style.element.find(qn("w:pPr")) for style in styles]
        level = _heading_level(names, properties)
        item = None if level else self._list_item(names, properties)
        if level:
            lists = []
            element = etree.SubElement(parent, f"h{min(level, 6)}")
        elif item:
            element = self._item(item, parent, lists)
        else:
            lists = []
            if any(name in _QUOTES for name in names):
                # Paragraphs that follow each other are one quote.
                last = parent[-1] if len(parent) else None
                quoted = last is not None and last.tag == "blockquote"
                parent = last if quoted else etree.SubElement(parent, "blockquote")
            element = etree.SubElement(parent, "p")
        self._words(pieces_of(paragraph), element)
        for box in paragraph.iter(qn("w:txbxContent")):
            # Each box stands there twice: for new and for old versions of Word.
            old = next(box.iterancestors("{*}Fallback"), None) is not None
            if not old and next(box.iterancestors(qn("w:p"))) is paragraph:
                lists = []
                self._blocks(box, parent)
        return lists

    def _style_chain(self, paragraph: Any) -> list[Any]:
        found = paragraph.find(f"{qn('w:pPr')}/{qn('w:pStyle')}")
        style = self._styles.get(found.get(qn("w:val"))) if found is not None else None
        chain: list[Any] = []
        while style is not None and style not in chain:
            chain.append(style)
            style = style.base_style
        return chain

    def _list_item(self, names: list[str], properties: list[Any]) -> tuple[str, int, bool] | None:
        """The list's id, the level and whether it is numbered."""
        number = level = None
        for element in properties:
            for found in [] if element is None else element.iter(qn("w:numPr")):
                if number is None:
                    number = _value(found.find(qn("w:numId")))
                if level is None:
                    level = _value(found.find(qn("w:ilvl")))
        if number in (None, "0"):
            return None
        depth = min(int(level), _MAX_LEVEL) if level and level.isdecimal() else 0
        form = self._levels.get((number, depth), "bullet")
        if found := next(filter(None, map(_LEVEL_NAME.fullmatch, names)), None):
            depth = depth or int(found[1]) - 1
        return number, depth, form not in ("bullet", "none")

    def _item(self, item: tuple[str, int, bool], parent: Any, lists: list[tuple[str, Any]]) -> Any:
        number, level, ordered = item
        tag = "ol" if ordered else "ul"
        del lists[level + 1 :]
        if len(lists) == level + 1 and (lists[-1][0] != number or lists[-1][1].tag != tag):
            del lists[level:]
        self._counts[number, level] += 1
        for deeper in range(level + 1, _MAX_LEVEL + 1):
            self._counts[number, deeper] = 0
        while len(lists) <= level:
            inside = parent if not lists else lists[-1][1]
            if lists:
                inside = inside[-1] if len(inside) else etree.SubElement(inside, "li")
            made = etree.SubElement(inside, tag if len(lists) == level else "ul")
            if made.tag == "ol":
                made.set("start", str(self._counts[number, level]))
            lists.append((number, made))
        return etree.SubElement(lists[-1][1], "li")

    def _words(self, pieces: list[Piece], parent: Any) -> None:
        for piece in pieces:
            if piece.kind is PieceKind.TEXT:
                self._text(piece, parent)
            elif piece.kind is PieceKind.BREAK:
                if piece.content[0].tag == qn("w:tab"):
                    append_text(parent, " ")
                else:
                    etree.SubElement(parent, "br")
            elif piece.kind is PieceKind.ATOM:
                for element in piece.content:
                    self._atom(element, parent)

    def _text(self, piece: Piece, parent: Any) -> None:
        href = self._href(piece)
        if href:
            last = parent[-1] if len(parent) else None
            same = last is not None and last.get("href") == href and not last.tail
            parent = last if same else etree.SubElement(parent, "a", href=href)
        if _is_on(piece.properties, "w:b") or _has_style(piece.properties, "Strong"):
            parent = etree.SubElement(parent, "strong")
        if _is_on(piece.properties, "w:i") or _has_style(piece.properties, "Emphasis"):
            parent = etree.SubElement(parent, "em")
        append_text(parent, piece.text)

    def _href(self, piece: Piece) -> str:
        wrapper = piece.wrapper
        if wrapper is None:
            return ""
        if wrapper.shell is None:
            found = _LINK.match(wrapper.instruction)
            return found[1] if found else ""
        return self._target(wrapper.shell.get(qn("r:id")))

    def _target(self, relation_id: str | None) -> str:
        relation = self._part.rels.get(relation_id or "")
        return relation.target_ref if relation is not None and relation.is_external else ""

    def _atom(self, element: Any, parent: Any) -> None:
        if element.tag in (qn("w:footnoteReference"), qn("w:endnoteReference")):
            kind = "footnote" if element.tag == qn("w:footnoteReference") else "endnote"
            self._notes.append((kind, element.get(qn("w:id"), "")))
            etree.SubElement(parent, "sup", {"data-note": str(len(self._notes))})
        elif element.tag == W_T:  # of a field: what it shows
            append_text(parent, element.text or "")
        elif element.tag in _FORMULAS:
            letters = "".join(text.text or "" for text in element.iter(f"{_MATH}t"))
            etree.SubElement(parent, "code").text = letters
        else:
            for picture in element.iter(qn("wp:docPr")):
                described = picture.get("descr", "")
                blip = next(picture.getparent().iter(qn("a:blip")), None)
                if described and blip is not None:
                    part = self._part.related_parts.get(blip.get(qn("r:embed")))
                    source = str(part.partname).lstrip("/") if isinstance(part, Part) else ""
                    etree.SubElement(parent, "img", alt=described, src=source)

    def _table(self, table: Any, parent: Any) -> None:
        made = etree.SubElement(parent, "table")
        for row in table.iterchildren(qn("w:tr")):
            line = etree.SubElement(made, "tr")
            for cell in row.iter(qn("w:tc")):
                if next(cell.iterancestors(qn("w:tr"))) is not row:
                    continue  # of a table in a cell
                properties = cell.find(qn("w:tcPr"))
                span = merged = None
                if properties is not None:
                    span = _value(properties.find(qn("w:gridSpan")))
                    merged = properties.find(qn("w:vMerge"))
                box = etree.SubElement(line, "td", colspan=span or "1")
                if merged is None or merged.get(qn("w:val")) == "restart":
                    self._blocks(cell, box)


def _value(element: Any) -> str | None:
    return None if element is None else element.get(qn("w:val"))


def _heading_level(names: list[str], properties: list[Any]) -> int:
    """From 1; 0 for what is no heading."""
    for name in names:
        if name == "title":
            return 1
        if found := _HEADING.fullmatch(name):
            return int(found[1])
    for element in properties:
        level = None if element is None else _value(element.find(qn("w:outlineLvl")))
        if level and level.isdecimal() and int(level) < 9:
            return int(level) + 1
    return 0


def _is_on(properties: Any, name: str) -> bool:
    found = None if properties is None else properties.find(qn(name))
    return found is not None and _value(found) not in _OFF


def _has_style(properties: Any, style: str) -> bool:
    return properties is not None and _value(properties.find(qn("w:rStyle"))) == style


def _list_levels(part: Any) -> dict[tuple[str, int], str]:
    """The form of the numbers (``bullet``, ``decimal``, …) of each list and level."""
    try:
        numbering = part.part_related_by(RELATIONSHIP_TYPE.NUMBERING).element
    except KeyError:
        return {}
    abstract = {
        (definition.get(qn("w:abstractNumId")), level.get(qn("w:ilvl"))): _value(
            level.find(qn("w:numFmt"))
        )
        for definition in numbering.iterchildren(qn("w:abstractNum"))
        for level in definition.iterchildren(qn("w:lvl"))
    }
    return {
        (number.get(qn("w:numId")), int(level)): form or "decimal"
        for number in numbering.iterchildren(qn("w:num"))
        for (name, level), form in abstract.items()
        if name == _value(number.find(qn("w:abstractNumId")))
    }
