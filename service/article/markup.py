"""Inline markup: from what stands in a block of HTML or Markdown to sentences, and back.

A format reads the inline content of a block as a list of :class:`Inline`; the rest is the same for
all formats: finding sentences in the words, and putting markup back around the words of their
translation.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from service.article.document import Markup, Sentence
from service.article.normalization import is_blank
from service.article.segmentation import split_sentences


class InlineKind(StrEnum):
    """What a piece of inline content is."""

    TEXT = "text"
    """Words to translate."""
    OPEN = "open"
    """Where markup around words begins: ``<a href="…">``, ``**``, ``[``."""
    CLOSE = "close"
    """Where it ends: ``</a>``, ``**``, ``](https://…)``."""
    ATOM = "atom"
    """Something without words: an image, a comment, a footnote mark."""
    VERBATIM = "verbatim"
    """Words that come out as they went in: code, ``translate="no"``."""


@dataclass(frozen=True, slots=True)
class Inline:
    """A piece of the inline content of a block.

    Attributes:
        kind: what it is.
        start: its first code point in the document's text.
        end: one past its last.
        text: of ``TEXT`` and ``VERBATIM`` what a reader reads (``&amp;`` reads ``&``); of ``OPEN``
            and ``CLOSE`` the name by which they are partners (``a``, ``strong``); of an ``ATOM``
            that parts the words around it (an image) a space, of one that ends sentences (a line
            break) a line feed, else empty.
    """

    kind: InlineKind
    start: int
    end: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """A sentence that has no id yet; the attributes are those of ``document.Sentence``."""

    start: int
    end: int
    text: str
    markup: tuple[Markup, ...] = ()
    stray: tuple[str, ...] = ()

    def numbered(self, number: int) -> Sentence:
        """The sentence with its id, which is made of its number in the document, from 1."""
        return Sentence(f"s{number}", self.start, self.end, self.text, self.markup, self.stray)


def sentences_in(raw: str, pieces: Sequence[Inline], *, whole: bool = False) -> list[Draft]:
    """Find the sentences in the inline content of one block.

    A tag goes into a sentence only together with its partner, so markup around whole sentences
    stays between them. Markup that begins in one sentence and ends in another can be kept in
    neither: its tags are stray in the sentences they stand in, or next to which they stand. So is a
    tag without a partner among the words of a sentence. Nothing inside a ``VERBATIM`` piece, or
    inside a ``TEXT`` piece that stands for other characters (an entity), ends a sentence.

    An ``ATOM`` without words where other markup ends could be inside that or after it. It is in the
    ``closing`` of its own markup if it is inside, else in the ``opening``.

    Args:
        raw: the document's text.
        pieces: the content in document order; pieces may not overlap. What lies between two pieces
            of a sentence is left out of its translation.
        whole: make one sentence of all words.

    Returns:
        The sentences in document order, none of them blank. Takes linear time.
    """
    pieces = _merge_wordless(pieces)
    content = _Content(pieces)
    words = content.text
    if whole:
        spans = [(len(words) - len(words.lstrip()), len(words.rstrip()))]
    else:
        spans = [
            (start + begin, start + end)
            for start, stop in zip([0, *content.breaks], content.breaks, strict=False)
            for begin, end in split_sentences(content.unsplittable[start:stop])
        ]
    spans = [(start, end) for start, end in spans if not is_blank(words[start:end])]
    partners = _partners(pieces)
    extents = _extents(content, partners, spans)
    return [
        _draft(raw, content, partners, span, extent)
        for span, extent in zip(spans, extents, strict=True)
    ]


def _merge_wordless(pieces: Sequence[Inline]) -> list[Inline]:
    """``pieces`` with an ``ATOM`` in place of each pair of tags, and of code, without words."""
    merged: list[Inline] = []
    openings: list[int] = []  # places in ``merged`` of the tags that only blanks have followed
    for piece in pieces:
        if piece.kind is InlineKind.VERBATIM and is_blank(piece.text):
            piece = Inline(InlineKind.ATOM, piece.start, piece.end, " " if piece.text else "")
        if piece.kind is InlineKind.OPEN:
            openings.append(len(merged))
        elif piece.kind is InlineKind.CLOSE:
            if openings and merged[openings[-1]].text == piece.text:
                opening = openings.pop()
                piece = Inline(
                    InlineKind.ATOM, merged[opening].start, piece.end, _blank(merged[opening + 1 :])
                )
                del merged[opening:]
            else:
                openings.clear()
        elif piece.kind is not InlineKind.ATOM and not is_blank(piece.text):
            openings.clear()
        merged.append(piece)
    return merged


def _blank(pieces: Sequence[Inline]) -> str:
    """What pieces without words read: a line feed, a space or nothing."""
    if any(piece.kind is InlineKind.ATOM and piece.text == "\n" for piece in pieces):
        return "\n"
    return " " if any(map(str.isspace, "".join(piece.text for piece in pieces))) else ""


class _Content:
    """The pieces of a block and their words joined.

    Attributes:
        pieces: the pieces.
        text: their words.
        unsplittable: the same with other characters for the white space that ends no sentence.
        breaks: places in ``text`` that no sentence goes on past, and the length of ``text``.
        places: where the words of each piece begin in ``text``, and the length of ``text``.
    """

    def __init__(self, pieces: Sequence[Inline]) -> None:
        self.pieces = pieces
        self.places = [0]
        self.breaks: list[int] = []
        followed_by_space = [True] * len(pieces)
        space = True
        for number in range(len(pieces) - 1, -1, -1):
            followed_by_space[number] = space
            piece = pieces[number]
            if piece.kind in (InlineKind.TEXT, InlineKind.VERBATIM) and piece.text:
                space = piece.text[0].isspace()
        words: list[str] = []
        unsplittable: list[str] = []
        length = 0
        space = True
        for piece, spaced in zip(pieces, followed_by_space, strict=True):
            text = piece.text
            if piece.kind is InlineKind.ATOM and text == "\n":
                self.breaks.append(length)
            if piece.kind in (InlineKind.OPEN, InlineKind.CLOSE) or (
                piece.kind is InlineKind.ATOM and (space or spaced)
            ):
                text = ""
            if text:
                words.append(text)
                is_unit = not _is_literal(piece) and not text.isspace()
                unsplittable.append(
                    "".join("x" if c.isspace() else c for c in text) if is_unit else text
                )
                length += len(text)
                space = text[-1].isspace()
            self.places.append(length)
        self.breaks.append(length)
        self.text = "".join(words)
        self.unsplittable = "".join(unsplittable)

    def piece_at(self, place: int) -> int:
        """Number of the piece that the character at ``place`` of ``text`` belongs to."""
        return bisect_right(self.places, place) - 1

    def raw_start(self, place: int) -> int:
        """Where the character at ``place`` begins in the document."""
        number = self.piece_at(place)
        piece = self.pieces[number]
        return piece.start + (place - self.places[number] if _is_literal(piece) else 0)

    def raw_end(self, place: int) -> int:
        """Where the character before ``place`` ends in the document."""
        number = self.piece_at(place - 1)
        piece = self.pieces[number]
        return piece.start + place - self.places[number] if _is_literal(piece) else piece.end


def _is_literal(piece: Inline) -> bool:
    """Whether each character of the piece's text is a character of the document."""
    return piece.kind is InlineKind.TEXT and len(piece.text) == piece.end - piece.start


def _partners(pieces: Sequence[Inline]) -> dict[int, int]:
    """The number of each tag's partner, properly nested; tags without a partner are left out."""
    partners: dict[int, int] = {}
    openings: list[int] = []
    names: Counter[str] = Counter()  # in ``openings``
    for number, piece in enumerate(pieces):
        if piece.kind is InlineKind.OPEN:
            openings.append(number)
            names[piece.text] += 1
        elif piece.kind is InlineKind.CLOSE and names[piece.text]:
            while True:
                opening = openings.pop()
                names[pieces[opening].text] -= 1
                if pieces[opening].text == piece.text:
                    break
            partners[opening], partners[number] = number, opening
    return partners


def _extents(
    content: _Content, partners: dict[int, int], spans: list[tuple[int, int]]
) -> list[tuple[int, int]]:
    """The first and last piece of each sentence, with the tags beside it that belong in it.

    From the pieces that hold its words, a sentence grows to the partner of a tag in it where only
    space and tags lie between. If a sentence does, the tag is stray, and so must be its partner,
    wherever that is.
    """
    firsts = [content.piece_at(start) for start, _ in spans]
    lows = list(firsts)
    highs = [content.piece_at(end - 1) for _, end in spans]
    owners: dict[int, int] = {}  # of pieces: the sentence
    for number, (low, high) in enumerate(zip(lows, highs, strict=True)):
        owners.update(dict.fromkeys(range(low, high + 1), number))
    waiting = [tag for tag in partners if tag in owners]
    while waiting:
        tag = waiting.pop()
        partner = partners.get(tag)
        if partner is None or partner in owners:
            continue
        after = bisect_right(firsts, partner)
        before = after - 1
        if owners[tag] in (before, after):
            owner = owners[tag]
        elif before < 0:
            owner = after
        elif after == len(spans):
            owner = before
        else:  # a space between the tag and the sentence before stays between the sentences
            owner = after if content.places[partner] > spans[before][1] else before
        taken = (
            range(lows[owner] - 1, partner - 1, -1)
            if owner == after
            else range(highs[owner] + 1, partner + 1)
        )
        for number in taken:
            owners[number] = owner
            waiting.append(number)
        lows[owner] = min(lows[owner], partner)
        highs[owner] = max(highs[owner], partner)
    return list(zip(lows, highs, strict=True))


def _draft(
    raw: str,
    content: _Content,
    partners: dict[int, int],
    span: tuple[int, int],
    extent: tuple[int, int],
) -> Draft:
    """The sentence whose words are ``span`` of the content's text, in the pieces of ``extent``."""
    low, high = extent
    first, last = content.piece_at(span[0]), content.piece_at(span[1] - 1)
    start, end = content.raw_start(span[0]), content.raw_end(span[1])
    text = content.text[span[0] : span[1]]
    origin = span[0] + len(text) - len(text.lstrip())  # white space can be at the edge of code
    text = text.strip()
    markup: list[Markup] = []
    open_markup: dict[int, int] = {}  # number of the opening tag -> place in ``markup``
    stray: list[str] = []
    space = ""  # what stands between the words and the next tag after them
    for number in range(low, high + 1):
        piece = content.pieces[number]
        here = raw[piece.start : piece.end]
        place = min(max(content.places[number] - origin, 0), len(text))
        next_place = min(max(content.places[number + 1] - origin, 0), len(text))
        if piece.kind is InlineKind.TEXT:
            if number <= first and markup:
                edge = raw[piece.start : start if number == first else piece.end]
                markup[-1] = replace(markup[-1], opening=markup[-1].opening + edge)
            if number >= last:
                space += raw[end if number == last else piece.start : piece.end]
        elif piece.kind is InlineKind.VERBATIM:
            markup.append(Markup(place, next_place, "", verbatim=here))
        elif piece.kind is InlineKind.ATOM:
            markup.append(Markup(place, next_place, space + here))
            space = ""
        elif not low <= partners.get(number, -1) <= high:
            stray.append(here)
        elif piece.kind is InlineKind.OPEN:
            open_markup[number] = len(markup)
            markup.append(Markup(place, place, here))
        else:
            opened = open_markup[partners[number]]
            markup[opened] = replace(markup[opened], end=place, closing=space + here)
            space = ""
            for inner in range(len(markup) - 1, opened, -1):
                atom = markup[inner]
                if not (atom.start == atom.end == place and atom.opening):
                    break
                markup[inner] = Markup(place, place, "", atom.opening)
    if low < first:
        start = content.pieces[low].start
    if high > last:
        end = content.pieces[high].end
    return Draft(start, end, text, tuple(markup), tuple(stray))
