"""From Markdown to a document, and from plain text to Markdown.

Nothing is written anew: what is not a sentence (list markers, fences, table pipes, link targets,
indentation, blank lines) stays where it is, because it lies between the sentences or in their
markup.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import Literal

from markdown_it.common.html_blocks import block_names
from markdown_it.common.utils import MD_TRIM_CHARS
from markdown_it.rules_block import StateBlock
from markdown_it.token import Token
from markdown_it.utils import EnvType

from service.article.document import Block, BlockKind, Document, Format
from service.article.formats.html import html_blocks
from service.article.formats.lines import nothing_to_translate
from service.article.formats.markdown_inline import LINE_BREAK, PARSER, SEPARATOR, InlineReader
from service.article.markup import Draft, Inline, InlineKind, sentences_in
from service.article.segmentation import OPENING_MARKS

_Span = tuple[int, int]


def parse_markdown(text: str) -> Document:
    """Find the blocks and sentences of a Markdown text.

    * Headings, paragraphs and table cells are blocks. A paragraph in a list item or a block quote
      is of that kind, the innermost one.
    * HTML blocks are read as HTML, unless they stand in a block quote.
    * Code blocks, link definitions, front matter, rules and images stay as they are,
      in no sentence.
    * What has no words to translate (figures, code, a URL), or has a tag of an HTML block
      inside a line, is verbatim: one sentence.
    * Code in a line and web addresses are words of their sentence, to come out as they went in.
    * A hard line break (two spaces or a backslash at the end of a line, ``<br>``) ends a sentence,
      unless the next word begins with a small letter or markup around a part of the sentence goes
      on. Only ``<br>`` is kept there: a line end put elsewhere could end a heading or a list.
    * A pipe between white space (``Live | Ajax wint``) stands between sentences.
    * HTML tags in a line are markup where they have a partner and hold no code.

    Args:
        text: any string.

    Returns:
        The document; the text of each sentence is on one line. Takes linear time.
    """
    line_feeds = [m.start() - number for number, m in enumerate(re.finditer("\r\n", text))]
    reader = _BlockReader(re.sub("\r\n?", "\n", text))
    blocks: list[Block] = []
    numbers = count(1)
    for kind, spans, joint in reader.contents:
        raw_spans = [
            (start + bisect_left(line_feeds, start), end + bisect_left(line_feeds, end))
            for start, end in spans
        ]
        if joint == _HTML:
            found = _html_blocks(text, *raw_spans[0])
        else:
            found = [_block(text, kind, _Content(text, raw_spans, joint), reader.env)]
        for block_kind, drafts in found:
            if drafts:
                sentences = tuple(draft.numbered(next(numbers)) for draft in drafts)
                format_ = Format.HTML if joint == _HTML else None
                blocks.append(Block(block_kind, sentences, format_))
    return Document(text, tuple(blocks), Format.MARKDOWN)


def _block(
    raw: str, kind: BlockKind, content: "_Content", env: EnvType
) -> tuple[BlockKind, list[Draft]]:
    """The kind and the sentences of a block with inline content."""
    pieces = content.pieces(InlineReader(content.text, env).marks)
    verbatim = _has_nothing_to_translate(pieces) or any(
        _BLOCK_TAG.match(raw, piece.start) for piece in pieces
    )
    groups = [list(map(_without_break, pieces))] if verbatim else _split_at_breaks(pieces)
    drafts = [draft for group in groups for draft in sentences_in(raw, group, whole=verbatim)]
    return BlockKind.VERBATIM if verbatim else kind, drafts


def _html_blocks(raw: str, start: int, end: int) -> list[tuple[BlockKind, list[Draft]]]:
    """The blocks in the HTML that stands in these places of the document."""
    found = [
        (kind, [replace(d, start=d.start + start, end=d.end + start) for d in drafts])
        for kind, drafts in html_blocks(raw[start:end])
    ]
    # Without the tag that it begins with, which a sentence may lose, it would be a paragraph.
    return [] if found and found[0][1][0].start == start else found


_CONTAINERS = {
    "blockquote": BlockKind.QUOTE,
    "alert": BlockKind.QUOTE,
    "list_item": BlockKind.LIST_ITEM,
}
_BLOCK_TAG = re.compile(rf"</?(?:{'|'.join(block_names)})\b", re.IGNORECASE)
"""What begins an HTML block if it comes to stand where a line begins."""
_PIPE = re.compile(r"\\?\|")
_HTML = "<"
"""Stands for what joins the spans of an HTML block, which has only one."""


class _BlockReader(StateBlock):
    """Finds the blocks of a text and where their inline content stands in it.

    Attributes:
        contents: of each block its kind, the spans of its content in ``src``, and what joins them:
            a line feed, or in a table cell the pipe of which the span before leaves the backslash
            out.
    """

    def __init__(self, src: str) -> None:
        super().__init__(src, PARSER, {}, [])
        self.contents: list[tuple[BlockKind, list[_Span], str]] = []
        self._kinds = [BlockKind.PARAGRAPH]
        self._cells: Iterator[list[_Span]] = iter(())
        self._html: list[tuple[Token, list[_Span]]] = []
        PARSER.block.tokenize(self, 0, self.lineMax)
        for token, spans in self._html:
            first, end = token.map or (0, 0)
            spans.append((src.index("<", self.bMarks[first]), self.eMarks[end - 1]))

    def push(self, ttype: str, tag: str, nesting: Literal[-1, 0, 1]) -> Token:
        """Add a token, as the rules do when they have found a block."""
        if ttype == "inline":
            self._read_content(self.tokens[-1])
        kind = _CONTAINERS.get(ttype.rpartition("_")[0])
        if kind and nesting > 0:
            self._kinds.append(kind)
        elif kind and nesting < 0:
            self._kinds.pop()
        token = super().push(ttype, tag, nesting)
        if ttype == "html_block" and BlockKind.QUOTE not in self._kinds:
            spans: list[_Span] = []  # known when all has been read
            self.contents.append((BlockKind.PARAGRAPH, spans, _HTML))
            self._html.append((token, spans))
        return token

    def _read_content(self, opening: Token) -> None:
        """Note where the content of the block stands that ``opening`` opens."""
        if opening.type in ("th_open", "td_open"):
            row = self.tokens[-2]
            if row.type == "tr_open" and row.map:
                self._cells = self._cells_of(row.map[0])
            if cell := next(self._cells, None):
                self.contents.append((BlockKind.TABLE_CELL, cell, "|"))
            return
        first, end = opening.map or (0, 0)
        kind = self._kinds[-1]
        if opening.type == "heading_open":
            kind = BlockKind.HEADING
            end -= opening.markup in ("=", "-")  # the underline
        spans = [(self.bMarks[n] + self.tShift[n], self.eMarks[n]) for n in range(first, end)]
        if opening.markup.startswith("#"):
            spans = [self._without_heading_marks(*spans[0])]
        self.contents.append((kind, spans, "\n"))

    def _without_heading_marks(self, start: int, end: int) -> _Span:
        line = self.src[start:end]
        words = line.lstrip("#")
        start += len(line) - len(words)
        words = words.rstrip(" \t")
        before_marks = words.rstrip("#")
        if before_marks.endswith((" ", "\t")):
            words = before_marks
        return start, start + len(words)

    def _cells_of(self, line: int) -> Iterator[list[_Span]]:
        """The content of each cell of a table row."""
        start, end = self.bMarks[line] + self.tShift[line], self.eMarks[line]
        row = self.src[start:end]
        end = start + len(row.rstrip(MD_TRIM_CHARS))
        start += len(row) - len(row.lstrip(MD_TRIM_CHARS))
        cells: list[list[_Span]] = [[]]
        for pipe in _PIPE.finditer(self.src, start, end):
            cells[-1].append((start, pipe.start()))
            start = pipe.end()
            if pipe[0] == "|":
                cells.append([])
        cells[-1].append((start, end))
        if len(cells) > 1 and cells[0] == [(cells[0][0][0],) * 2]:
            del cells[0]
        return iter(cells)


class _Content:
    """The inline content of a block and where each character of it stands in the document.

    Attributes:
        text: the spans of the document joined.
    """

    def __init__(self, raw: str, spans: Sequence[_Span], joint: str) -> None:
        self.text = joint.join(raw[start:end] for start, end in spans)
        self._spans = spans
        self._places = [0]  # where each span begins in ``text``
        for start, end in spans[:-1]:
            self._places.append(self._places[-1] + end - start + 1)

    def pieces(self, marks: Iterable[Inline]) -> list[Inline]:
        """``marks``, found in ``text``, and the text between them, by place in the document."""
        pieces: list[Inline] = []
        position = 0
        for mark in marks:
            pieces += self._text(position, mark.start)
            pieces.append(replace(mark, start=self._raw(mark.start), end=self._raw(mark.end)))
            position = mark.end
        pieces += self._text(position, len(self.text))
        return pieces

    def _raw(self, place: int) -> int:
        number = bisect_right(self._places, place) - 1
        return self._spans[number][0] + place - self._places[number]

    def _text(self, start: int, end: int) -> Iterator[Inline]:
        """A part of ``text``, cut so that each escaped pipe is a piece of its own."""
        cuts = [start]
        for place in self._places[
            bisect_right(self._places, start) : bisect_left(self._places, end + 1)
        ]:
            cuts += [cut for cut in (place - 1, place) if start < cut < end]
        for a, b in zip(cuts, [*cuts[1:], end], strict=True):
            if a < b:
                yield Inline(InlineKind.TEXT, self._raw(a), self._raw(b), self.text[a:b])


def _has_nothing_to_translate(pieces: Iterable[Inline]) -> bool:
    """Whether a block has no words but figures, code and addresses."""
    words = "".join(piece.text for piece in pieces if piece.kind is InlineKind.TEXT)
    return nothing_to_translate(words)


_BREAKS = {LINE_BREAK: " ", SEPARATOR: "|"}
"""What may end a sentence, and what a reader reads where it does not."""


def _split_at_breaks(pieces: Sequence[Inline]) -> list[list[Inline]]:
    """Cut a block at the breaks that end a sentence.

    A break inside markup is such an end only if the markup begins where a sentence does and ends
    where one does.
    """
    # Of a break: the next word begins small. Of an opening: words follow its end before a break.
    joined = [False] * len(pieces)
    partners: list[bool] = []
    word, followed = "", False
    for number in reversed(range(len(pieces))):
        piece = pieces[number]
        if _is_break(piece):
            joined[number] = piece.text == LINE_BREAK and word[:1].islower()
            followed = followed and joined[number]
        elif piece.kind is InlineKind.CLOSE:
            partners.append(followed)
        elif piece.kind is InlineKind.OPEN:
            joined[number] = partners.pop()
        elif _has_words(piece):
            word, followed = piece.text.lstrip().lstrip(OPENING_MARKS), True
    groups: list[list[Inline]] = [[]]
    open_markup: list[bool] = []  # whether it is around a part of a sentence
    parts, preceded = 0, False
    for piece, is_joined in zip(pieces, joined, strict=True):
        if _is_break(piece):
            if not parts and not is_joined:
                groups.append([])
                preceded = False
                continue
            piece = _without_break(piece)
        elif piece.kind is InlineKind.OPEN:
            open_markup.append(preceded or is_joined)
            parts += open_markup[-1]
        elif piece.kind is InlineKind.CLOSE:
            parts -= open_markup.pop()
        elif _has_words(piece):
            preceded = True
        groups[-1].append(piece)
    return groups


def _is_break(piece: Inline) -> bool:
    return piece.text in _BREAKS


def _without_break(piece: Inline) -> Inline:
    return replace(piece, text=_BREAKS.get(piece.text, piece.text))


def _has_words(piece: Inline) -> bool:
    return piece.kind in (InlineKind.TEXT, InlineKind.VERBATIM) and not piece.text.isspace()


_TASKS = frozenset({"[ ]", "[x]", "[X]", "[]"})
_WHITE_SPACE = re.compile(r"[ \t\r\n\f\v]++")
_MARKUP = re.compile(
    r"""
    (?P<harmless>(?<=\ )(?:\*++|_++|~++)(?=\ ) | (?<=[^\W_])_++(?=[^\W_]))
    | (?P<bracket>[\[\]])
    | (?P<last>\\\Z)
    | \\(?=[!-/:-@\[-`{-~])
    | (?P<pipe>\|)
    | [`*_~]
    | <(?=\S|\Z)
    | &(?=\#?[0-9A-Za-z]{1,32};)
    | (?<![^ ])\#(?=\#*+\ ?\Z)      # would close a heading
    """,
    re.VERBOSE,
)
_OPENING = re.compile(
    r"""
    [0-9]{1,9}(?=[.)](?:\ |\Z))
    | (?= [-+](?:\ |\Z) | \#{1,6}(?:\ |\Z) | > | =+\ ?\Z | [-:][-:\ ]*\Z | _[_\ ]*\Z )
    """,
    re.VERBOSE,
)


def escape_markdown(text: str, opens_block: bool) -> str:
    """Write plain text so that Markdown reads it as it is.

    Args:
        text: words; white space in a row becomes one space.
        opens_block: whether the words may stand first on a line, where list markers, heading marks
            and underlines would be markup; not if they begin with white space.

    Returns:
        The text with a backslash before what would be markup, and before no more than that.
        Brackets in pairs stay: alone they are a link only where the document defines one by that
        name.
    """
    text = _WHITE_SPACE.sub(" ", text)
    pairs = _bracket_pairs(text)

    def escape(match: re.Match[str]) -> str:
        if match["last"]:  # a backslash would escape the pipe after a table cell
            return "&#92;"
        if match["pipe"]:  # with a backslash, a heading over a line of dashes would be a table
            return "&#124;"
        is_harmless = match["harmless"] or match.start() in pairs
        return match[0] if is_harmless else f"\\{match[0]}"

    escaped = _MARKUP.sub(escape, text)
    if opens_block and (opening := _OPENING.match(escaped)):
        return f"{escaped[: opening.end()]}\\{escaped[opening.end() :]}"
    return escaped


def _bracket_pairs(text: str) -> set[int]:
    """Where the brackets stand that are no markup on their own: in pairs, as in ``[red.]``."""
    pairs: set[int] = set()
    openings: list[int] = []
    for bracket in re.finditer(r"[\[\]]", text):
        if bracket[0] == "[":
            openings.append(bracket.start())
        elif openings:
            start, end = openings.pop(), bracket.end()
            is_footnote_or_task = text[start + 1] in "^!" or text[start:end] in _TASKS
            if not is_footnote_or_task and text[end : end + 1] not in tuple("([:"):
                pairs |= {start, end - 1}
    return pairs
