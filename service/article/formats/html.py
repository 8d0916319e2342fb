"""From HTML to a document, and from words to HTML.

The submitted HTML is never parsed into a tree and written again: it is cut into tokens, and all of
it but the sentences stays as it is, character for character.
"""

import html as standard_html
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, groupby

from service.article.document import Block, BlockKind, Document, Format
from service.article.formats.html_tokenizer import Token, TokenKind, tokenize
from service.article.formats.lines import nothing_to_translate
from service.article.markup import Draft, Inline, InlineKind, sentences_in
from service.article.normalization import is_blank

_KINDS = (
    dict.fromkeys("h1 h2 h3 h4 h5 h6 title".split(), BlockKind.HEADING)
    | dict.fromkeys("li dt dd".split(), BlockKind.LIST_ITEM)
    | dict.fromkeys("td th".split(), BlockKind.TABLE_CELL)
    | dict.fromkeys("caption figcaption".split(), BlockKind.CAPTION)
    | {"blockquote": BlockKind.QUOTE}
)
"""What the words in an element are, and those in the paragraphs in it."""

_BLOCKS = _KINDS.keys() | frozenset(
    """
    address article aside body button center col colgroup details dialog dir div dl fieldset figure
    footer form frame frameset head header hgroup hr html label legend listing main menu nav ol
    optgroup option p plaintext pre search section select summary table tbody tfoot thead tr ul xmp
    """.split()
)
"""Elements that no sentence goes into or out of."""

_PARAGRAPH_ENDS = _BLOCKS - frozenset(
    """
    body button caption col colgroup frame frameset head html label legend optgroup option select
    table tbody td tfoot th thead title tr
    """.split()
) | {"table"}
"""Elements whose start tag ends an open paragraph."""

_IMPLIED_ENDS = (
    dict.fromkeys(_PARAGRAPH_ENDS, (("p",), ("button", "caption", "object", "td", "th")))
    | {"li": (("li", "p"), ("ul", "ol", "menu", "dir"))}
    | dict.fromkeys(("dt", "dd"), (("dt", "dd", "p"), ("dl",)))
    | dict.fromkeys(("td", "th"), (("td", "th"), ("table",)))
    | dict.fromkeys(("tr", "tbody", "tfoot", "thead"), (("tr", "td", "th"), ("table",)))
    | dict.fromkeys(("option", "optgroup"), (("option",), ("select",)))
)
"""For a start tag: the elements that it ends, unless they lie outside one of the others."""

_VOID = frozenset(
    "area base br col embed frame hr img input link meta param source track wbr".split()
)
"""Elements without content and end tag."""

_VERBATIM = frozenset("code kbd samp tt var".split())
"""Inline elements whose words come out as they went in."""

_INVISIBLE = frozenset("noscript script style template".split())
_OPAQUE = _INVISIBLE | frozenset(
    """
    audio canvas iframe listing math noembed noframes object plaintext pre svg textarea video xmp
    """.split()
)
"""Elements whose content is no words to translate."""

_PARTING = (_OPAQUE - _INVISIBLE) | {"embed", "img", "input"}
"""Inline elements with something to see, so that the words around them are two words."""

_FOOTNOTE = re.compile(r"[\s\d*†‡§,()[\]]*+")
_FOOTNOTE_PIECES = 16
"""Tags and stretches of text in a footnote mark, at most."""
_BEFORE_FOOTNOTE = re.compile(r"(?:[^\W\d_]{4}|[.!?…,;:)\"'”’])\Z")


def escape_html(text: str) -> str:
    """``text`` as the content of an HTML element."""
    return standard_html.escape(text, quote=False)


def parse_html(html: str) -> Document:
    """Find the blocks and sentences of HTML, a fragment or a whole page.

    * Block elements bound blocks: headings and the title, paragraphs, list items, table cells,
      captions, quotes, buttons, … So does ``<br>``, but a single one before a word in small letters
      is inline. So does an inline element that has block elements in it.
    * Other elements are inline. Links and emphasis become :class:`document.Markup`; so do images,
      comments and scripts in the middle of a sentence, and footnote marks.
    * ``code``, ``kbd``, ``samp``, ``tt``, ``var``, ``translate="no"``, ``class="notranslate"`` and
      ``lang="en"`` (but not on the whole page, where it is often wrong) keep their words.
      ``translate="yes"`` within ends that.
    * What is in ``pre``, ``script``, ``style``, ``svg``, ``textarea``, … is in no sentence.
    * A block of figures, addresses and words to keep only is verbatim: one sentence.

    Args:
        html: any string; where it is not well formed, the HTML standard's rules are followed as far
            as they bear on where sentences are.

    Returns:
        The document. Takes linear time.
    """
    numbers = count(1)
    blocks = tuple(
        Block(kind, tuple(draft.numbered(next(numbers)) for draft in drafts))
        for kind, drafts in html_blocks(html)
    )
    return Document(html, blocks, Format.HTML)


def html_blocks(html: str) -> Iterator[tuple[BlockKind, Sequence[Draft]]]:
    """The kind and the sentences of every block of HTML, by the rules of :func:`parse_html`."""
    return _Reader(html).blocks()


@dataclass(frozen=True, slots=True)
class _Element:
    """An open element.

    Attributes:
        name: its name.
        kind: what the words in it are.
        kept: why they are left as they are: ``translate``, ``lang``, or empty if they are not.
        block: number of the block that it began in.
        place: number of its start tag in the block's content; -1 of a block element.
        depth: how many elements are open outside the innermost block element that it is, or is in.
    """

    name: str
    kind: BlockKind
    kept: str
    block: int
    place: int
    depth: int


class _Reader:
    """Goes through the tokens of HTML once and collects the inline content of each block."""

    def __init__(self, html: str) -> None:
        self._html = html
        self._open = [_Element("", BlockKind.PARAGRAPH, "", 0, -1, 0)]
        self._places: defaultdict[str, list[int]] = defaultdict(list)  # by name, in ``_open``
        self._content: list[Inline] = []
        self._kind = BlockKind.PARAGRAPH
        self._block = 0
        self._line_breaks: list[int] = []  # places in ``_content``, since the last words
        self._cut_off: dict[str, int] = {}  # inline elements that ended without a tag: the block

    def blocks(self) -> Iterator[tuple[BlockKind, Sequence[Draft]]]:
        """The kind and the sentences of every block."""
        tokens = list(tokenize(self._html))
        ends = _ends_of_opaque(tokens)
        number = 0
        while number < len(tokens):
            token = tokens[number]
            if token.kind is TokenKind.TEXT:
                self._read_text(token)
            elif token.text == "br":
                self._line_breaks.append(len(self._content))
                self._add(InlineKind.ATOM, token.start, token.end, "\n")
            elif token.kind is TokenKind.START:
                if token.text in _BLOCKS:
                    self._end_implied(token.text)
                    yield from self._end_block()
                number = ends.get(number, number)
                self._read_start_tag(token, tokens[number].end)
            elif token.kind is TokenKind.END:
                yield from self._read_end_tag(token)
            else:
                self._add(InlineKind.ATOM, token.start, token.end)
            number += 1
        if len(self._open) > 1:
            self._close(1)
        yield from self._end_block()

    def _add(self, kind: InlineKind, start: int, end: int, text: str = "") -> None:
        self._content.append(Inline(kind, start, end, text))

    def _read_text(self, token: Token) -> None:
        element = self._open[-1]
        words = token.text.lstrip()
        if words:
            self._kind = element.kind
            goes_on = words[0].islower() and not nothing_to_translate(words.split(None, 1)[0])
            if goes_on and len(self._line_breaks) == 1:
                place = self._line_breaks[0]
                self._content[place] = replace(self._content[place], text=" ")
            self._line_breaks.clear()
        kind = InlineKind.VERBATIM if element.kept else InlineKind.TEXT
        self._add(kind, token.start, token.end, token.text)

    def _read_start_tag(self, token: Token, end: int) -> None:
        """Open an element, or add the whole of one that has no words to translate."""
        name = token.text
        is_block = name in _BLOCKS
        if name in _VOID or name in _OPAQUE:
            if not is_block:
                self._add(InlineKind.ATOM, token.start, end, " " if name in _PARTING else "")
            return
        outer = self._open[-1]
        kind = _KINDS.get(name, outer.kind)
        if name == "p" and kind is BlockKind.HEADING:
            kind = BlockKind.PARAGRAPH
        depth = len(self._open) if is_block else outer.depth
        place = -1 if is_block else len(self._content)
        self._places[name].append(len(self._open))
        kept = _kept(token, outer.kept)
        self._open.append(_Element(name, kind, kept, self._block, place, depth))
        if not is_block:
            self._add(InlineKind.OPEN, token.start, token.end, name)

    def _end_implied(self, name: str) -> None:
        """Close the open elements that a start tag ends."""
        inner, outer = _IMPLIED_ENDS.get(name, ((), ()))
        barrier = max((self._places[n][-1] for n in outer if self._places[n]), default=0)
        places = [self._places[n][-1] for n in inner if self._places[n]]
        places = [place for place in places if place > barrier]
        if places:
            self._close(min(places))

    def _close(self, place: int) -> _Element:
        """Close the open elements from ``place`` on; returns the outermost of them."""
        while True:
            element = self._open.pop()
            self._places[element.name].pop()
            if len(self._open) == place:
                return element
            if element.place >= 0:
                self._cut_off[element.name] = element.block

    def _read_end_tag(self, token: Token) -> Iterator[tuple[BlockKind, Sequence[Draft]]]:
        name = token.text
        if name in _BLOCKS:
            if self._places[name]:
                self._close(self._places[name][-1])
            yield from self._end_block()
            return
        element = None
        if self._places[name] and self._open[-1].depth <= self._places[name][-1]:
            element = self._close(self._places[name][-1])
        # The tag ends what began in another block, so it must stay: between two blocks.
        if element:
            block = element.block
        elif self._places[name]:
            block = -1
        else:
            block = self._cut_off.pop(name, self._block)
        if block != self._block:
            yield from self._end_block()
            return
        self._add(InlineKind.CLOSE, token.start, token.end, name)
        if element and element.kept and not self._open[-1].kept:
            self._merge(element.place, InlineKind.VERBATIM)
        elif element and name == "sup" and self._is_footnote(element.place):
            self._merge(element.place, InlineKind.ATOM)

    def _merge(self, place: int, kind: InlineKind) -> None:
        """Make one piece of the content from ``place`` on."""
        merged = self._content[place:]
        del self._content[place:]
        text = _words(merged) if kind is InlineKind.VERBATIM else ""
        self._add(kind, merged[0].start, merged[-1].end, text)
        self._line_breaks.clear()

    def _is_footnote(self, place: int) -> bool:
        """Whether the ``sup`` from ``place`` on refers to a note: ``<sup><a href="#1">1</a>``."""
        content = self._content[place : place + _FOOTNOTE_PIECES + 1]
        if len(content) > _FOOTNOTE_PIECES or not _FOOTNOTE.fullmatch(_words(content)):
            return False
        if any(piece.kind is InlineKind.OPEN and piece.text == "a" for piece in content):
            return True
        if not place:
            return False
        before = self._content[place - 1]
        if before.kind is InlineKind.OPEN:
            return before.text == "a"
        return before.kind is InlineKind.TEXT and bool(_BEFORE_FOOTNOTE.search(before.text[-4:]))

    def _end_block(self) -> Iterator[tuple[BlockKind, Sequence[Draft]]]:
        """The blocks in the content so far, which ends here.

        Inline elements that are still open go on in other blocks; their tags bound blocks.
        """
        places = []
        for element in reversed(self._open):
            if element.block != self._block or element.place < 0:
                break
            places.append(element.place)
        content, self._content = self._content, []
        self._block += 1
        self._line_breaks.clear()
        start = 0
        for end in [*reversed(places), len(content)]:
            yield from _lines(self._html, self._kind, content[start:end])
            start = end + 1


def _ends_of_opaque(tokens: Sequence[Token]) -> dict[int, int]:
    """The number of the end tag of each element whose content is no words to translate."""
    ends: dict[int, int] = {}
    openings: defaultdict[str, list[int]] = defaultdict(list)
    for number, token in enumerate(tokens):
        if token.text not in _OPAQUE:
            continue
        if token.kind is TokenKind.START and not (
            token.self_closing and token.text in ("math", "svg")
        ):
            openings[token.text].append(number)
        elif token.kind is TokenKind.END and openings[token.text]:
            ends[openings[token.text].pop()] = number
    return ends


def _kept(token: Token, kept_outside: str) -> str:
    """Why the words in an element are left as they are; empty if they are not."""
    attributes = token.attributes or {}
    translate = attributes.get("translate", "").strip().lower()
    if translate == "no" or "notranslate" in attributes.get("class", "").split():
        return "translate"
    if translate == "yes":
        return ""
    if token.text in _VERBATIM:
        return "translate"
    language = attributes.get("lang", "").strip().lower()
    if language and kept_outside != "translate" and token.text not in ("html", "body"):
        return "lang" if re.split("[-_]", language)[0] == "en" else ""
    return kept_outside


def _words(content: Iterable[Inline]) -> str:
    """What a reader reads of inline content."""
    tags = (InlineKind.OPEN, InlineKind.CLOSE)
    return "".join(piece.text for piece in content if piece.kind not in tags)


def _lines(
    html: str, kind: BlockKind, content: Sequence[Inline]
) -> Iterator[tuple[BlockKind, Sequence[Draft]]]:
    """The blocks that the line breaks in the content of a block make of it."""
    if is_blank(_words(content)):
        return
    words = "".join(piece.text for piece in content if piece.kind is InlineKind.TEXT)
    if nothing_to_translate(words):
        yield BlockKind.VERBATIM, sentences_in(html, content, whole=True)
        return
    breaks = [
        piece.start for piece in content if piece.kind is InlineKind.ATOM and piece.text == "\n"
    ]
    drafts = sentences_in(html, content)
    for _, group in groupby(drafts, key=lambda draft: bisect_right(breaks, draft.start)):
        line = list(group)
        plain = nothing_to_translate(" ".join(draft.text for draft in line))
        yield BlockKind.VERBATIM if plain else kind, line
