"""From a submitted plain text to a document."""

import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import count
from typing import NamedTuple

from service.article.document import Block, BlockKind, Document, Sentence
from service.article.formats.lines import (
    ends_with_credit,
    furniture_kind,
    headline_parts,
    is_rule,
    is_time,
    list_marker,
    live_time,
    nothing_to_translate,
    quote_marker,
)
from service.article.formats.tables import Span, cells, split_tables
from service.article.normalization import is_blank
from service.article.segmentation import (
    CLOSING_MARKS,
    EMOJI,
    EMOJI_JOINERS,
    OPENING_MARKS,
    split_sentences,
)

_HEADING_CHARACTERS = 80
_HEADLINE_CHARACTERS = 160

_DATE_STAMP = re.compile(r"\s*(?P<stamp>date [0-9]{4}-[0-9]{2}(?:-[0-9]{2})?)(?!\S)")
_LINE = re.compile(r"[^\r\n]*+(?:\r\n|\r|\n|\Z)")
_FINAL = ".!?…"
_UNFINISHED = ":;,"
_AFTER_MARK = re.compile(rf"[{re.escape(CLOSING_MARKS)}{EMOJI}{EMOJI_JOINERS}\s]*+")
_LONGEST_AFTER_MARK = 80


def parse_text(text: str) -> Document:
    """Find the blocks and sentences of a plain text.

    * Blank lines separate chunks; a line of invisible characters only stands on its own.
    * A chunk is one paragraph, whatever its line breaks, except for what follows.
    * A list marker at the start of a line (``- ``, ``• ``, ``1. ``, ``1) ``, ``a. ``, ``a) ``, …)
      opens a list item, which lasts until the next marker.
    * A heading is one line of fewer than 80 characters without punctuation at its end. It is a
      chunk of its own, or stands before the first list marker, or it begins a chunk or follows a
      finished sentence, is at most half as long as the longest line (the wrap width), and the next
      line begins with a capital. A line that is a byline (``Door Jan de Vries``) or a time is a
      heading too.
    * The sides of a headline's separators (``Live | …``, ``Video - …``) are sentences of their own;
      with a separator a line is a heading even if it ends with a mark.
    * Rows (results, an address) are list items: lines of fewer than 80 characters of which none
      begins with a small letter or has punctuation at its end, three or more, or two with digits
      in both; a line that ends with a colon may stand above them. Lines all in capitals are a
      headline.
    * A line that begins with a time (``14:32 - …``, ``20.45 uur – …``) opens a paragraph, unless
      it goes on with the sentence of the line before.
    * A credit (``Foto: ANP``) is a caption, and so is a chunk of one line that ends with one.
    * A chunk whose lines all begin with ``> `` is a quotation; no sentence goes on over a line.
    * Each cell of a table (``| a | b |``, tabs) is a block.
    * What has no words (numbers with their units, web and e-mail addresses, handles) is verbatim:
      one sentence. So is a line that only separates (``***``, ``|---|``).
    * ``date 2020-01`` or ``date 2020-01-31`` at the very start is metadata: one sentence.

    Args:
        text: any string.

    Returns:
        The document. Of the characters outside its sentences only these are not white space: list
        markers, ``>`` of quotations, ``|`` between cells and in headlines, a dash after a kicker,
        and the time of a live-blog entry with its separator (``14:32 - ``; not ``20.45 uur – ``,
        which has a word in it).
    """
    numbers = count(1)
    blocks = tuple(
        Block(kind, tuple(Sentence(f"s{next(numbers)}", a, b, text[a:b]) for a, b in spans))
        for kind, spans in _blocks(text)
    )
    return Document(text, blocks)


def _blocks(text: str) -> Iterator[tuple[BlockKind, Iterable[Span]]]:
    """The kind and the sentence spans of every block."""
    position = 0
    if stamp := _DATE_STAMP.match(text):
        yield BlockKind.METADATA, [stamp.span("stamp")]
        position = stamp.end()
    letter = ""  # of the last list marker that is one
    for lines in _chunks(text, position):
        start, end = lines[0][0], lines[-1][1]
        if nothing_to_translate(text[start:end]):
            yield BlockKind.VERBATIM, [(start, end)]
        elif all(quote_marker(text[a:b]) for a, b in lines):
            yield from _quotations(text, lines)
        else:
            for is_table, run in split_tables(text, lines):
                if is_table:
                    yield from _table(text, run)
                else:
                    letter = yield from _prose(text, run, letter)


def _chunks(text: str, position: int) -> Iterator[list[Span]]:
    """The runs of lines between blank lines, from ``position``; each line without outer spaces."""
    chunk: list[Span] = []
    for match in _LINE.finditer(text, position):
        line = match[0]
        content = line.strip()
        start = match.start() + len(line) - len(line.lstrip())
        span = start, start + len(content)
        if not is_blank(content):
            chunk.append(span)
            continue
        if chunk:
            yield chunk
            chunk = []
        if content:  # only invisible characters
            yield [span]
    if chunk:
        yield chunk


def _quotations(text: str, lines: Sequence[Span]) -> Iterator[tuple[BlockKind, list[Span]]]:
    """The paragraphs of an e-mail quotation, which lie between lines without words."""
    sentences: list[Span] = []
    for start, end in lines:
        start += quote_marker(text[start:end])
        if start < end:
            sentences += _sentences(text, (start, end))
        elif sentences:
            yield BlockKind.QUOTE, sentences
            sentences = []
    if sentences:
        yield BlockKind.QUOTE, sentences


def _table(text: str, rows: Sequence[Span]) -> Iterator[tuple[BlockKind, list[Span]]]:
    """A block for every cell, and one for every rule."""
    for row in rows:
        if is_rule(text[slice(*row)]):
            yield BlockKind.VERBATIM, [row]
        else:
            for cell in cells(text, row):
                yield _with_sentences(text, BlockKind.TABLE_CELL, [cell])


def _prose(
    text: str, lines: Sequence[Span], letter: str
) -> Generator[tuple[BlockKind, list[Span]], None, str]:
    """The headings, paragraphs, list items, … of lines that follow each other.

    Takes the letter of the last list marker before them, and returns that of the last one in them.
    """
    openings = list(_openings(text, lines, letter))
    next_numbers = [opening.line for opening in openings[1:]] + [len(lines)]
    for (kind, number, start, _), next_number in zip(openings, next_numbers, strict=True):
        end = lines[next_number - 1][1]
        parts = [(start, end)]
        if next_number == number + 1:
            content = text[start:end]
            if kind is not BlockKind.LIST_ITEM and len(content) < _HEADLINE_CHARACTERS:
                parts = [(start + a, start + b) for a, b in headline_parts(content)] or parts
            # Behind a time stands the text of an entry, however short.
            if kind is BlockKind.PARAGRAPH and live_time(text[slice(*lines[number])]) is None:
                if len(lines) == 1 and ends_with_credit(content):
                    kind = BlockKind.CAPTION
                elif _is_heading(content) or (len(lines) == 1 and len(parts) > 1):
                    kind = BlockKind.HEADING
        yield _with_sentences(text, kind, parts)
    return openings[-1].letter


def _with_sentences(
    text: str, kind: BlockKind, parts: Sequence[Span]
) -> tuple[BlockKind, list[Span]]:
    """A block of these parts: its kind, verbatim if it has no words, and its sentences."""
    start, end = parts[0][0], parts[-1][1]
    if kind is BlockKind.VERBATIM or nothing_to_translate(text[start:end]):
        return BlockKind.VERBATIM, [(start, end)]
    return kind, [sentence for part in parts for sentence in _sentences(text, part)]


def _sentences(text: str, span: Span) -> Iterator[Span]:
    start, end = span
    return ((start + a, start + b) for a, b in split_sentences(text[start:end]))


class _Opening(NamedTuple):
    """Where a block of prose begins, and the letter of the last list marker up to there."""

    kind: BlockKind
    line: int
    start: int
    letter: str


def _openings(text: str, lines: Sequence[Span], letter: str) -> Iterator[_Opening]:
    """Where blocks begin in lines that follow each other; the first line always begins one."""
    wrap_width = max(end - start for start, end in lines)
    kind: BlockKind | None = None  # of the block that the line before belongs to, if it may go on
    mark = "."  # at the end of the line before
    in_live_blog = False
    contents = [text[start:end] for start, end in lines]
    first_row = int(_last_mark(contents[0]) == ":")  # "Uitslagen:"
    are_rows = _are_rows(contents[first_row:])
    for number, (line, (line_start, _)) in enumerate(zip(contents, lines, strict=True)):
        opens = kind in (None, BlockKind.HEADING)
        at_sentence = opens or mark in _FINAL
        in_paragraph = kind is BlockKind.PARAGRAPH
        in_sentence = in_paragraph and mark not in _FINAL + _UNFINISHED
        mark = _last_mark(line)
        may_be_entry = at_sentence or in_live_blog
        time_alone = may_be_entry and is_time(line)
        in_live_blog |= time_alone
        if alone := BlockKind.HEADING if time_alone else _kind_alone(line, in_sentence=in_sentence):
            yield _Opening(alone, number, line_start, letter)
            kind = None
            continue
        time = live_time(line) if may_be_entry else None
        following = "".join(contents[number + 1 : number + 2])
        length = list_marker(
            line, following, in_paragraph=in_paragraph, in_sentence=in_sentence, letter=letter
        )
        if time is not None:
            kind, opens, in_live_blog = BlockKind.PARAGRAPH, True, True
            line_start += time
        elif length:
            kind, opens = BlockKind.LIST_ITEM, True
            letter = line[0] if line[0].isalpha() else letter
            line_start += length
        elif are_rows and number >= first_row:
            kind, opens = BlockKind.LIST_ITEM, True
        elif (
            at_sentence
            and 2 * len(line) <= wrap_width
            and _is_heading(line)
            and _has_capital(following)
        ):
            kind, opens = BlockKind.HEADING, True
        elif opens:
            kind = BlockKind.PARAGRAPH
        if opens and kind:
            yield _Opening(kind, number, line_start, letter)


def _kind_alone(line: str, *, in_sentence: bool) -> BlockKind | None:
    """The kind of a line that is a block by itself whatever follows it, else ``None``."""
    if is_rule(line):
        return BlockKind.VERBATIM
    if not (in_sentence and line[0].islower()) and (kind := furniture_kind(line)):
        return kind
    if in_sentence or not any(map(str.isalpha, line)):  # "2021." may end a wrapped sentence
        return None
    return BlockKind.VERBATIM if nothing_to_translate(line) else None


def _are_rows(lines: Sequence[str]) -> bool:
    """Whether lines that follow each other are no text with line breaks in it, nor marked items."""
    if len(lines) < 2 or (len(lines) == 2 and not all(any(map(str.isdigit, x)) for x in lines)):
        return False
    return not all(map(str.isupper, lines)) and all(
        _is_heading(line)
        and not _first(line).islower()
        and not is_time(line)
        and not list_marker(line, "", in_paragraph=False, in_sentence=False)
        for line in lines
    )


def _is_heading(line: str) -> bool:
    return len(line) < _HEADING_CHARACTERS and _last_mark(line) not in _FINAL + _UNFINISHED


def _last_mark(line: str) -> str:
    """The last character before closing quotes, brackets and emoji; a space if there is none."""
    backwards = line[-_LONGEST_AFTER_MARK:][::-1]
    after = _AFTER_MARK.match(backwards)
    return backwards[after.end() if after else 0 :][:1] or " "


def _has_capital(line: str) -> bool:
    """Whether the first letter after any opening quotes is a capital."""
    return _first(line).isupper()


def _first(line: str) -> str:
    """The first character after any opening quotes, or nothing."""
    return line[:8].lstrip(OPENING_MARKS)[:1]
