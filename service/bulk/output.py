"""Where rows go: a file that only grows, and that a run can go on with."""

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from service.bulk.files import file_errors, read_lines, sole_writer
from service.errors import StartupError

SYNC_SECONDS = 1.0
"""Longest time that a row stays out of the reach of a power cut, and shortest between two calls of
fsync."""
_HEAD_BYTES = 65_536
"""How much of a row is read again: an id of 4096 bytes, the longest path on Linux, is at most 24 kB
of JSON."""
_HEAD = re.compile(
    rb'\{"id":("(?:[ !#-\[\]-~]|\\["\\bfnrt]|\\u[0-9a-f]{4})*"),"article":(?:(null)|\{)'
)
"""How a row begins; its id is ASCII."""
_HEADS = (b'{"id":"u0000","article":{', b'{"id":"u0000","article":null')
"""Behind a piece of a head the rest of one of these makes it whole, also within an escape."""


class Written(NamedTuple):
    """A row that an earlier run wrote.

    Attributes:
        id: of its article.
        is_error: whether it is an error.
    """

    id: str
    is_error: bool


class Output:
    """A file of rows, written by this process alone.

    Rows are on their way to the disk as soon as they are appended, so that a process that is killed
    loses at most the end of one row.

    Args:
        file: opened to read and to append, unbuffered.
        path: its name, for errors.
    """

    def __init__(self, file: FileIO, path: Path) -> None:
        self._file, self._path = file, path
        self._synced = time.monotonic()
        self._is_synced = True

    def written(self) -> Iterator[Written]:
        """The rows that are there; what is behind the last whole one is cut off.

        Raises:
            StartupError: there is something else than rows.
        """
        end = 0
        with file_errors(self._path), self._path.open("rb") as file:
            for number, line in enumerate(read_lines(file, _HEAD_BYTES), start=1):
                # Behind a row, whatever it is. Without one, it may be somebody's only line.
                if not line.is_ended and (end or _is_piece(line.data)):
                    break
                head = _HEAD.match(line.data)
                if head is None:
                    raise StartupError(f"{self._path}: line {number} is no row of kortom bulk")
                yield Written(json.loads(head[1]), head[2] is not None)
                end = line.end
            self._file.truncate(end)

    def append(self, row: bytes) -> None:
        """Write a row.

        Args:
            row: with its line feed.

        Raises:
            StartupError: the disk is full or broken.
        """
        with file_errors(self._path):
            rest = memoryview(row)
            while rest:
                rest = rest[self._file.write(rest) :]
        self._is_synced = False

    def sync(self, *, now: bool = False) -> None:
        """See to it that the rows outlast a power cut, unless that was done a moment ago.

        Args:
            now: also then.

        Raises:
            StartupError: the disk is full or broken.
        """
        if self._is_synced or not (now or time.monotonic() - self._synced >= SYNC_SECONDS):
            return
        with file_errors(self._path):
            os.fsync(self._file.fileno())
        self._synced = time.monotonic()
        self._is_synced = True


def _is_piece(data: bytes) -> bool:
    """Whether a row may begin so, however little of it is there."""
    return any(_HEAD.match(data + head[at:]) for head in _HEADS for at in range(len(head) + 1))


@contextmanager
def open_output(path: Path, *, resume: bool) -> Iterator[Output]:
    """Open a file for rows, for this process alone; an empty file ``.NAME.lock`` beside it stays.

    Args:
        path: the file.
        resume: whether rows may be there.

    Raises:
        StartupError: rows are there and should not be, another process writes it, or it can't be
            written.
    """
    with ExitStack() as opened:
        with file_errors(path):
            path = Path(os.path.realpath(path))  # Path.resolve() knows no words for a loop
            if not path.parent.is_dir():  # the lock would make it
                raise StartupError(f"{path.parent}: no such directory")
            if path.exists() and not path.is_file():
                raise StartupError(f"{path}: this is no file")
            opened.enter_context(sole_writer(path, path.with_name(f".{path.name}.lock")))
            file = opened.enter_context(path.open("ab", buffering=0))
            if not resume and os.fstat(file.fileno()).st_size:
                raise StartupError(f"{path} is there: go on with it by --resume, or take another")
        yield Output(file, path)
