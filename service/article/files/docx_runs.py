"""What stands in a paragraph of WordprocessingML (ISO/IEC 29500-1): words in their formatting, and
what is not words.

Word cuts a sentence into runs wherever it likes; pieces of the same formatting are one here.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any

from docx.oxml.ns import nsmap, qn
from lxml import etree

W_R, W_T = qn("w:r"), qn("w:t")
_NOISE = frozenset(map(qn, ("w:lang", "w:noProof", "w:rPrChange")))
"""Properties of a run that a reader does not see."""
_THROUGH = frozenset(map(qn, ("w:ins", "w:moveTo", "w:smartTag", "w:customXml")))
_DROPPED = frozenset(
    map(qn, ("w:pPr", "w:rPr", "w:proofErr", "w:lastRenderedPageBreak", "w:softHyphen"))
)
_BREAKS = frozenset(map(qn, ("w:tab", "w:br", "w:cr", "w:ptab")))
_TEXTS = {qn("w:noBreakHyphen"): "-"}


class PieceKind(Enum):
    """What a piece of a paragraph is."""

    TEXT = auto()
    """Words."""
    BREAK = auto()
    """A tab or a line break."""
    ATOM = auto()
    """An image, a field, a formula, a footnote mark, …"""
    START = auto()
    """Where a bookmark or a comment begins."""
    END = auto()
    """Where it ends."""


@dataclass(eq=False, frozen=True)
class Wrapper:
    """What stands around words: a link or a content control.

    Attributes:
        shell: the element around them; ``None`` for a field.
        slot: the element in the shell that holds them.
        opening: of a field, what stands before its words.
        closing: of a field, what stands after them.
        instruction: what a field does (``HYPERLINK "https://…"``).
    """

    shell: Any = None
    slot: Any = None
    opening: tuple["Piece", ...] = ()
    closing: tuple["Piece", ...] = ()
    instruction: str = ""


@dataclass(eq=False)
class Piece:
    """Words, or one thing between them.

    Attributes:
        kind: what it is.
        content: its elements; some stand in a run, some in the paragraph itself.
        text: its words.
        properties: the formatting of its run (``w:rPr``), less what a reader does not see.
        wrapper: what stands around it.
    """

    kind: PieceKind
    content: list[Any]
    text: str = ""
    properties: Any = None
    wrapper: Wrapper | None = None

    @property
    def look(self) -> bytes:
        """Equal for pieces of the same formatting."""
        return b"" if self.properties is None else etree.tostring(self.properties, method="c14n")

    def elements(self) -> list[Any]:
        """The content as children of a paragraph; it is moved, not copied."""
        return [
            element if element.getparent() is None or element.getparent().tag != W_R
            else run_of(element, self.properties)
            for element in self.content
        ]  # fmt: skip


def run_of(content: Any, properties: Any) -> Any:
    """A new run (``w:r``) around an element."""
    run = etree.Element(W_R, nsmap={"w": nsmap["w"]})
    if properties is not None:
        run.append(deepcopy(properties))
    run.append(content)
    return run


def text_run(text: str, properties: Any) -> Any:
    """A new run of words."""
    element = etree.Element(W_T, nsmap={"w": nsmap["w"]})
    element.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
    element.text = text
    return run_of(element, properties)


def pieces_of(paragraph: Any) -> list[Piece]:
    """The pieces of a paragraph (``w:p``) in order; nothing in it is changed.

    Neighbours of the same formatting are one piece. A field is an atom, but a link's words are
    words in a wrapper.
    """
    return _merged(_fields(list(_flat(paragraph, None))))


def _flat(container: Any, wrapper: Wrapper | None) -> Iterator[Piece]:
    for child in container:
        tag = child.tag
        name = etree.QName(child).localname
        if tag in _DROPPED:
            continue
        if tag == W_R:
            yield from _run_pieces(child, wrapper)
        elif tag in _THROUGH:
            yield from _flat(child, wrapper)
        elif tag == qn("w:hyperlink") and wrapper is None:
            yield from _wrapped(child, child)
        elif tag == qn("w:sdt") and wrapper is None and child.find(qn("w:sdtContent")) is not None:
            yield from _wrapped(child, child.find(qn("w:sdtContent")))
        elif name.endswith("Start"):
            yield Piece(PieceKind.START, [child])
        elif name.endswith("End"):
            yield Piece(PieceKind.END, [child])
        else:
            yield Piece(PieceKind.ATOM, [child], wrapper=wrapper)


def _wrapped(shell: Any, slot: Any) -> Iterator[Piece]:
    pieces = list(_flat(slot, Wrapper(shell, slot)))
    if any(has_words(piece.text) for piece in pieces):
        yield from pieces
    else:
        yield Piece(PieceKind.ATOM, [shell])


def _run_pieces(run: Any, wrapper: Wrapper | None) -> Iterator[Piece]:
    properties = _visible(run.find(qn("w:rPr")))
    for child in run:
        if child.tag in _DROPPED:
            continue
        kind = PieceKind.ATOM
        text = ""
        if child.tag == W_T or child.tag in _TEXTS:
            kind, text = PieceKind.TEXT, _TEXTS.get(child.tag) or child.text or ""
        elif child.tag in _BREAKS:
            kind = PieceKind.BREAK
        elif child.tag == qn("w:commentReference"):
            kind = PieceKind.END
        yield Piece(kind, [child], text, properties, wrapper)


def _visible(properties: Any) -> Any:
    if properties is None:
        return None
    properties = deepcopy(properties)
    for element in list(properties):
        if element.tag in _NOISE:
            properties.remove(element)
    return properties if len(properties) else None


def has_words(text: str) -> bool:
    """Whether there is anything to translate in it."""
    return any(map(str.isalpha, text))


def _fields(pieces: list[Piece]) -> list[Piece]:
    """Make one piece of each field that begins and ends here; of a link, words in a wrapper."""
    done: list[Piece] = []
    starts: list[int] = []  # in ``done``, of the fields that are open
    for piece in pieces:
        done.append(piece)
        mark = piece.content[0]
        kind = mark.get(qn("w:fldCharType")) if mark.tag == qn("w:fldChar") else None
        if kind == "begin":
            starts.append(len(done) - 1)
        elif kind == "end" and starts:
            start = starts.pop()
            done[start:] = _field(done[start:])
    return done


def _field(pieces: list[Piece]) -> list[Piece]:
    separators = [
        i for i, piece in enumerate(pieces)
        if piece.content[0].get(qn("w:fldCharType")) == "separate"
    ]  # fmt: skip
    middle = separators[0] + 1 if separators else len(pieces) - 1
    instruction = "".join(
        element.text or "" for piece in pieces[:middle] for element in piece.content
        if element.tag == qn("w:instrText")
    ).strip()  # fmt: skip
    words = pieces[middle:-1]
    if (
        instruction.upper().startswith("HYPERLINK")
        and any(has_words(piece.text) for piece in words)
        and all(piece.wrapper is None for piece in words)
    ):
        wrapper = Wrapper(
            opening=tuple(pieces[:middle]), closing=(pieces[-1],), instruction=instruction
        )
        return [replace(piece, wrapper=wrapper) for piece in words]
    content = [element for piece in pieces for element in piece.content]
    return [replace(pieces[0], content=content)]


def _merged(pieces: list[Piece]) -> list[Piece]:
    merged: list[Piece] = []
    for piece in pieces:
        last = merged[-1] if merged else None
        if (
            last is not None
            and piece.kind is last.kind is PieceKind.TEXT
            and piece.wrapper is last.wrapper
            # White space in another formatting is no formatting.
            and (piece.look == last.look or not piece.text.strip())
        ):
            last.text += piece.text
            last.content += piece.content
        else:
            merged.append(replace(piece, content=list(piece.content)))
    return merged
