"""From a submitted text to a document. Plain text is the only format so far."""

import re
from collections.abc import Iterable, Iterator

from service.article.document import Block, BlockKind, Document, Sentence
from service.article.normalization import is_blank
from service.article.segmentation import CLOSING_MARKS, OPENING_MARKS, split_sentences

_Span = tuple[int, int]

_HEADING_CHARACTERS = 80

_DATE_STAMP = re.compile(r"\s*(?P<stamp>date [0-9]{4}-[0-9]{2}(?:-[0-9]{2})?)(?!\S)")
_LINE = re.compile(r"[^\r\n]*+(?:\r\n|\r|\n|\Z)")
_LIST_MARKER = re.compile(r"(?:[-*•]|(?P<number>[0-9]{1,3})[.)])[^\S\r\n]++(?=\S)")
_ADDRESS = re.compile(r"<?(?:(?:https?://|www\.)\S+|[^\s@]++@[^\s@]++)", re.IGNORECASE)
_FINAL = ".!?…"
_UNFINISHED = ":;,"


def parse_text(text: str) -> Document:
    """Find the blocks and sentences of a plain text.

    * Blank lines separate chunks; a line of invisible characters only stands on its own.
    * A chunk is one paragraph, whatever its line breaks, except for the list items and headings in
      it.
    * A list marker at the start of a line (``- ``, ``* ``, ``• ``, ``1. ``, ``1) ``) opens a list
      item, which lasts until the next marker; the marker belongs to no sentence. After a line of a
      paragraph no number but 1 is a marker, for ``20.`` can also be the end of a sentence.
    * A heading is one line of fewer than 80 characters without punctuation at its end. It is a
      chunk of its own, or stands before the first list marker, or it begins a chunk or follows a
      finished sentence, is at most half as long as the longest line (the wrap width), and the next
      line begins with a capital.
    * What has no letter, or is only a URL or an e-mail address, is verbatim: one sentence.
    * ``date 2020-01`` or ``date 2020-01-31`` at the very start is metadata: one sentence.

    Args:
        text: any string.

    Returns:
        The document. Of the characters outside its sentences only list markers are not white space.
    """
    blocks: list[Block] = []
    count = 0
    for kind, spans in _blocks(text):
        sentences = []
        for start, end in spans:
            count += 1
            sentences.append(Sentence(f"s{count}", start, end, text[start:end]))
        blocks.append(Block(kind, tuple(sentences)))
    return Document(text, tuple(blocks))


def _blocks(text: str) -> Iterator[tuple[BlockKind, Iterable[_Span]]]:
    """The kind and the sentence spans of every block."""
    position = 0
    if stamp := _DATE_STAMP.match(text):
        yield BlockKind.METADATA, [stamp.span("stamp")]
        position = stamp.end()
    for lines in _chunks(text, position):
        start, end = lines[0][0], lines[-1][1]
        if not _has_letter(text[start:end]):
            yield BlockKind.VERBATIM, [(start, end)]
            continue
        for kind, (start, end) in _split_chunk(text, lines):
            content = text[start:end]
            if not _has_letter(content) or _ADDRESS.fullmatch(content):
                yield BlockKind.VERBATIM, [(start, end)]
            else:
                yield kind, [(start + a, start + b) for a, b in split_sentences(content)]


def _chunks(text: str, position: int) -> Iterator[list[_Span]]:
    """The runs of lines between blank lines, from ``position``; each line without outer spaces."""
    chunk: list[_Span] = []
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


def _split_chunk(text: str, lines: list[_Span]) -> Iterator[tuple[BlockKind, _Span]]:
    """The headings, paragraphs and list items of one chunk, list markers left out."""
    wrap_width = max(end - start for start, end in lines)
    openings: list[tuple[BlockKind, int, int]] = []  # kind, number of its first line, start
    kind: BlockKind | None = None  # of the block that the line before belongs to
    after_sentence = True
    for number, (line_start, line_end) in enumerate(lines):
        line = text[line_start:line_end]
        start = line_start
        opens = kind in (None, BlockKind.HEADING)
        marker = _LIST_MARKER.match(line)
        if marker and (kind is not BlockKind.PARAGRAPH or marker["number"] in (None, "1")):
            kind, opens, start = BlockKind.LIST_ITEM, True, line_start + marker.end()
        elif (
            (opens or after_sentence)
            and 2 * len(line) <= wrap_width
            and _is_heading(line)
            and number + 1 < len(lines)
            and _has_capital(text, lines[number + 1][0])
        ):
            kind, opens = BlockKind.HEADING, True
        elif opens:
            kind = BlockKind.PARAGRAPH
        if opens and kind:
            openings.append((kind, number, start))
        after_sentence = _last_mark(line) in _FINAL
    next_numbers = [number for _, number, _ in openings[1:]] + [len(lines)]
    for (kind, number, start), next_number in zip(openings, next_numbers, strict=True):
        end = lines[next_number - 1][1]
        one_line = next_number == number + 1
        is_heading = kind is BlockKind.PARAGRAPH and one_line and _is_heading(text[start:end])
        yield BlockKind.HEADING if is_heading else kind, (start, end)


def _is_heading(line: str) -> bool:
    return len(line) < _HEADING_CHARACTERS and _last_mark(line) not in _FINAL + _UNFINISHED


def _last_mark(line: str) -> str:
    """The last character before closing quotes and brackets; a space if there is none."""
    return line.rstrip(CLOSING_MARKS)[-1:] or " "


def _has_capital(text: str, position: int) -> bool:
    """Whether the first letter after any opening quotes is a capital."""
    word = text[position : position + 8].lstrip(OPENING_MARKS)
    return word[:1].isupper()


def _has_letter(text: str) -> bool:
    return any(map(str.isalpha, text))
