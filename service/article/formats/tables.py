"""Tables in plain text: rows of cells between ``|`` or tabs."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

Span = tuple[int, int]
"""Where something starts in a text, and one past its end."""

_PIPE_CELL = re.compile(r"[^|\s][^|]*+")
_TAB_CELL = re.compile(r"[^\t\s][^\t]*+")


def split_tables(text: str, lines: Sequence[Span]) -> Iterator[tuple[bool, list[Span]]]:
    """Tell the rows of tables from other lines.

    A row begins and ends with ``|``; or it is one of several lines after each other with as many
    ``|``, or with tabs; or it has two tabs. A single ``|`` or tab in a line is not a table.

    Args:
        text: the text.
        lines: lines of it that follow each other, without outer white space.

    Yields:
        Whether these lines are rows, and the lines; all lines in order.
    """
    for kind, group in groupby(lines, lambda line: _row_kind(text[slice(*line)])):
        run = list(group)
        several = len(run) > 1 or (kind == "tabs" and text.count("\t", *run[0]) > 1)
        yield kind == "framed" or bool(kind and several), run


def cells(text: str, line: Span) -> Iterator[Span]:
    """The cells of a row that hold anything, without the white space around them."""
    start, end = line
    cell = _PIPE_CELL if "|" in text[start:end] else _TAB_CELL
    for match in cell.finditer(text, start, end):
        yield match.start(), match.start() + len(match[0].rstrip())


def _row_kind(line: str) -> str:
    """What kind of row a line could be; rows of one table are of one kind. Empty if of none."""
    if len(line) > 2 and line[0] == line[-1] == "|":
        return "framed"
    if pipes := line.count("|"):
        return f"{pipes} pipes"
    return "tabs" if "\t" in line else ""
