"""A .docx file in other words: styles, numbering, tables, images and fields stay where they are."""

import re
from collections import Counter
from dataclasses import dataclass
from html import escape
from io import BytesIO
from itertools import groupby
from typing import Any

import docx
from docx.opc.part import Part, XmlPart
from docx.oxml.ns import qn
from lxml import etree, html

from service.article.files.archive import open_archive, read_xml
from service.article.files.docx_runs import (
    Piece,
    PieceKind,
    Wrapper,
    has_words,
    pieces_of,
    text_run,
)

_PARTS = frozenset(("header", "footer", "footnotes", "endnotes", "comments"))
"""Kinds of parts with paragraphs beside the body: ``…wordprocessingml.footnotes+xml``."""
_WORDPROCESSING = re.compile(r"application/vnd\.openxmlformats[\w-]*\.wordprocessingml\.(\w+)\+xml")


_TABS = frozenset(map(qn, ("w:tab", "w:ptab")))
"""They stand between cells of a table without lines, as a rule (``<hr>``) does between blocks; a
line break may stand in a sentence, as ``<br>`` may."""
_NOT_IN_XML = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]+")
"""Control characters, line breaks included, and what is no character."""
_MAX_TITLE = 255  # of a file's properties, by python-docx


class DocxDocument:
    """A .docx file, taken apart into paragraphs.

    Args:
        data: the file.

    Raises:
        InvalidRequest: it is encrypted, or too large when unpacked.
        Exception: what python-docx, zipfile and lxml raise on damaged files.

    Attributes:
        html: the paragraphs with words, a line each, from the body with its tables and text boxes,
            headers, footers, notes and comments; the title in the file's properties last.
            ``data-run`` marks formatting that is not the paragraph's most usual one, links, line
            breaks and what has no words.
    """

    def __init__(self, data: bytes) -> None:
        open_archive(data).close()
        self._document = docx.Document(BytesIO(data))
        self._roots: list[tuple[Part, Any]] = [(self._document.part, self._document.element)]
        for part in self._document.part.package.iter_parts():
            kind = _WORDPROCESSING.fullmatch(part.content_type)
            if kind and kind[1] in _PARTS:
                root = part.element if isinstance(part, XmlPart) else read_xml(part.blob)
                self._roots.append((part, root))
        headings = {
            style.style_id
            for style in self._document.styles
            if (style.name or "").lower().startswith(("heading ", "title"))
        }
        paragraphs = [p for _, root in self._roots for p in root.iter(qn("w:p"))]
        drafts = [_Paragraph(p, headings) for p in paragraphs]
        self._paragraphs = [draft for draft in drafts if draft.html]
        lines = [
            f'<{draft.tag} data-paragraph="{i}">{draft.html}</{draft.tag}>'
            for i, draft in enumerate(self._paragraphs)
        ]
        title = self._document.core_properties.title
        if has_words(title):
            number = len(self._paragraphs)
            lines.append(f'<h1 data-paragraph="{number}">{escape(title, quote=False)}</h1>')
        self.html = "\n".join(lines)

    def render(self, target: str) -> bytes:
        """The file with other words.

        Args:
            target: ``html`` with other words. Where ``data-run`` is missing, words get the
                paragraph's most usual formatting; what has no words is never lost. A paragraph that
                is missing stays as it was.
        """
        for element in html.fragment_fromstring(_NOT_IN_XML.sub(" ", target), create_parent="div"):
            number = int(element.get("data-paragraph", "-1"))
            if 0 <= number < len(self._paragraphs):
                self._paragraphs[number].write(element)
            elif number == len(self._paragraphs):
                title = " ".join(element.text_content().split())
                self._document.core_properties.title = title[:_MAX_TITLE]
        for part, root in self._roots:
            _speak_english(root)
            if not isinstance(part, XmlPart):
                part._blob = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
        _speak_english(self._document.styles.element)
        out = BytesIO()
        self._document.save(out)
        return out.getvalue()


def _speak_english(root: Any) -> None:
    """Have the words checked against an English dictionary."""
    for language in root.iter(qn("w:lang")):
        language.set(qn("w:val"), "en-US")


@dataclass(frozen=True)
class _Link:
    """A wrapper, and the most usual formatting of the words in it."""

    wrapper: Wrapper
    properties: Any


@dataclass(frozen=True)
class _Look:
    """A formatting of words."""

    properties: Any


class _Paragraph:
    """A paragraph as inline HTML (empty if it has no words), and back."""

    def __init__(self, element: Any, headings: set[str]) -> None:
        self._element = element
        style = element.find(f"{qn('w:pPr')}/{qn('w:pStyle')}")
        self.tag = "h2" if style is not None and style.get(qn("w:val")) in headings else "p"
        self._marked: list[Piece | _Link | _Look] = []  # by its number in data-run
        self._looks: dict[bytes, int] = {}
        pieces = pieces_of(element)
        self._starts = [piece for piece in pieces if piece.kind is PieceKind.START]
        self._ends = [piece for piece in pieces if piece.kind is PieceKind.END]
        inner = [p for p in pieces if p.kind not in (PieceKind.START, PieceKind.END)]
        self.html = ""
        if not any(has_words(piece.text) for piece in inner):
            return
        # What stands before the first word and after the last stays there.
        first = next(i for i, piece in enumerate(inner) if _is_inside(piece))
        last = next(i for i in reversed(range(len(inner))) if _is_inside(inner[i]))
        self._leading, self._trailing = inner[:first], inner[last + 1 :]
        inner = inner[first : last + 1]
        usual = _usual([piece for piece in inner if piece.wrapper is None])
        self._properties = usual.properties
        body = ""
        for wrapper, group in groupby(inner, key=lambda piece: piece.wrapper):
            wrapped = list(group)
            if wrapper is None:
                body += "".join(self._markup(piece, usual.look) for piece in wrapped)
            else:
                inside = _usual(wrapped)
                number = self._number(_Link(wrapper, inside.properties))
                words = "".join(self._markup(piece, inside.look) for piece in wrapped)
                body += f'<a data-run="{number}">{words}</a>'
        self.html = body

    def _number(self, entry: "Piece | _Link | _Look") -> int:
        self._marked.append(entry)
        return len(self._marked) - 1

    def _markup(self, piece: Piece, usual: bytes) -> str:
        if piece.kind is PieceKind.BREAK and piece.content[0].tag in _TABS:
            self.tag = "div"  # a heading or a paragraph would end at the rule
            return f'<hr data-run="{self._number(piece)}">'
        if piece.kind is PieceKind.BREAK:
            return f'<br data-run="{self._number(piece)}">'
        if piece.kind is PieceKind.ATOM:
            return f'<img data-run="{self._number(piece)}">'
        words = escape(piece.text, quote=False)
        if piece.look == usual:
            return words
        if piece.look not in self._looks:
            self._looks[piece.look] = self._number(_Look(piece.properties))
        return f'<span data-run="{self._looks[piece.look]}">{words}</span>'

    def write(self, target: Any) -> None:
        """Put the words of the element ``target`` in the place of the paragraph's."""
        words: list[Any] = []
        left = set(range(len(self._marked)))
        self._write(target, self._properties, words, left)
        for number in sorted(left):
            entry = self._marked[number]
            if isinstance(entry, Piece) and entry.kind is PieceKind.ATOM:
                words += entry.elements()
        for child in list(self._element):
            if child.tag != qn("w:pPr"):
                self._element.remove(child)
        for piece in self._starts + self._leading:
            self._element.extend(piece.elements())
        self._element.extend(words)
        for piece in self._trailing + self._ends:
            self._element.extend(piece.elements())

    def _write(self, node: Any, properties: Any, words: list[Any], left: set[int]) -> None:
        """Append what stands in ``node`` to ``words``; ``left`` loses what was used."""
        _append(words, node.text, properties)
        for child in node:
            number = child.get("data-run", "")
            entry = None
            if number.isdecimal() and int(number) < len(self._marked):
                entry = self._marked[int(number)]
            if isinstance(entry, _Look):
                self._write(child, entry.properties, words, left)
            elif entry is None or int(number) not in left:
                self._write(child, properties, words, left)
            elif isinstance(entry, Piece):
                words += entry.elements()
            else:
                inside: list[Any] = []
                self._write(child, entry.properties, inside, left)
                words += _rewrapped(entry.wrapper, inside)
            if entry is not None:
                left.discard(int(number))
            _append(words, child.tail, properties)


def _is_inside(piece: Piece) -> bool:
    return piece.kind is PieceKind.TEXT or piece.wrapper is not None


def _usual(pieces: list[Piece]) -> Piece:
    """The piece whose formatting has the most letters; formatting without letters is none."""
    sizes: Counter[bytes] = Counter()
    for piece in pieces:
        sizes[piece.look] += sum(map(str.isalpha, piece.text))
    if not any(sizes.values()):
        return Piece(PieceKind.TEXT, [])
    look = max(sizes, key=sizes.__getitem__)
    return next(piece for piece in pieces if piece.look == look)


def _append(words: list[Any], text: str | None, properties: Any) -> None:
    if text:
        words.append(text_run(text, properties))


def _rewrapped(wrapper: Wrapper, words: list[Any]) -> list[Any]:
    if wrapper.shell is None:
        opening = [element for piece in wrapper.opening for element in piece.elements()]
        closing = [element for piece in wrapper.closing for element in piece.elements()]
        return opening + words + closing
    wrapper.slot[:] = words
    return [wrapper.shell]
