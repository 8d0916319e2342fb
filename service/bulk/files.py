"""What reading articles and writing rows share: lines of any length, one writer, and errors of the
system in one line."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import filelock

from service.errors import StartupError, one_line

_SKIP_BYTES = 1 << 20
"""How much of a line that is too long is read, and thrown away, at once."""


class Line(NamedTuple):
    """A line of a file.

    Attributes:
        data: its bytes without the line feed, cut off where it is too long.
        is_whole: whether that is all of it.
        is_ended: whether a line feed follows.
        end: offset behind it, in bytes.
    """

    data: bytes
    is_whole: bool
    is_ended: bool
    end: int


def read_lines(file: BinaryIO, max_bytes: int) -> Iterator[Line]:
    """The lines of a file, however long they are, in the memory of one of ``max_bytes``.

    Args:
        file: read from where it stands; offsets count from there.
        max_bytes: longest line that is given whole.
    """
    end = 0
    while part := file.readline(max_bytes + 1):
        end += len(part)
        data = part.removesuffix(b"\n")
        while part and not part.endswith(b"\n"):
            part = file.readline(_SKIP_BYTES)
            end += len(part)
        yield Line(data, len(data) <= max_bytes, part.endswith(b"\n"), end)


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Around the use of a file or folder.

    Args:
        path: its name, for errors.

    Raises:
        StartupError: for every error of the system: the name and what is wrong.
    """
    try:
        yield
    except OSError as error:
        raise StartupError(f"{path}: {error.strerror or one_line(error)}") from None


@contextmanager
def sole_writer(path: Path, lock: Path) -> Iterator[None]:
    """Keep other processes from writing the same.

    Args:
        path: what is written, for errors.
        lock: an empty file that is made where missing, and stays.

    Raises:
        StartupError: another process writes it, or the lock can't be made.
    """
    with ExitStack() as held:
        with file_errors(path):
            try:
                held.enter_context(filelock.FileLock(lock, timeout=0))
            except filelock.Timeout:
                raise StartupError(f"{path}: another process writes it") from None
        yield
