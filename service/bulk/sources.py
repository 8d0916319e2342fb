"""Where articles come from: the lines of a file, or the files of a folder."""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePath
from typing import BinaryIO, Literal, NamedTuple, Protocol

from service.article.files import AVAILABLE, DOCUMENT_SUFFIXES, TEXT_SUFFIXES, read_document
from service.bulk.rows import Record, read_record, refused
from service.errors import ContentTooLarge, InvalidRequest, ServiceError, StartupError

_SKIP_BYTES = 1 << 20
"""How much of a line that is too long is read, and thrown away, at once."""

SUFFIXES = TEXT_SUFFIXES | (DOCUMENT_SUFFIXES if AVAILABLE else frozenset())
"""Of the files of a folder that are articles, in small letters."""


class Source(Protocol):
    """Articles in an order that does not change.

    Attributes:
        unit: what the input is measured in.
        total: how much there is; ``None`` when nobody knows.
        skipped: files passed over because they are no articles.
    """

    unit: Literal["byte", "file"]
    total: int | None
    skipped: int

    def records(self) -> Iterator[tuple[Record, int]]:
        """The articles, each with how much of the source ends with it, in ``unit``.

        Raises:
            StartupError: the source can't be read (any more).
        """


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


class JSONLines:
    """A file with an article a line, as JSON; blank lines count, and are no articles.

    Args:
        file: the file, from its beginning.
        name: what it is called in errors.
        max_bytes: longest line that is taken for an article.
    """

    unit: Literal["byte", "file"] = "byte"
    skipped = 0

    def __init__(self, file: BinaryIO, name: str, max_bytes: int) -> None:
        status = os.fstat(file.fileno())
        self.total = status.st_size if stat.S_ISREG(status.st_mode) else None
        self._file, self._name, self._max_bytes = file, name, max_bytes

    def records(self) -> Iterator[tuple[Record, int]]:
        """See :class:`Source`."""
        try:
            for number, line in enumerate(read_lines(self._file, self._max_bytes), start=1):
                if not line.is_whole:
                    error = ContentTooLarge(f"the line is over {self._max_bytes} bytes")
                    yield refused(str(number), error), line.end
                elif line.data.strip():
                    yield read_record(line.data, number), line.end
        except OSError as error:
            raise StartupError(f"{self._name}: {error.strerror}") from None


class Folder:
    """The articles in a folder and in the folders below it, each folder's names in order.

    A link to a folder is not followed, so that no loop is walked. What has the name of an article
    and can't be read is an article that can't be translated, and so is a folder.

    Args:
        root: the folder; walked once for the count, and once for the articles.
        max_bytes: largest file that is taken for an article.
    """

    unit: Literal["byte", "file"] = "file"

    def __init__(self, root: Path, max_bytes: int) -> None:
        self.skipped = 0
        self._root, self._max_bytes = root, max_bytes
        os.scandir(root).close()  # raises where the folder itself can't be read
        self.total: int | None = sum(1 for _ in self._walk(count_skipped=True))

    def records(self) -> Iterator[tuple[Record, int]]:
        """See :class:`Source`; an id is the path below the folder, with ``/``."""
        for number, (path, error) in enumerate(self._walk(), start=1):
            # Names are bytes: those that are no UTF-8 are written as \xNN.
            name = os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")
            if error:
                yield refused(name, error), number
            else:
                yield Record(name, partial(self._read, path, name)), number

    def _walk(
        self, *, count_skipped: bool = False
    ) -> Iterator[tuple[PurePath, ServiceError | None]]:
        """Paths of articles, and of folders that can't be read with the reason."""
        folders = [(PurePath(), iter([("", True)]))]
        while folders:
            folder, names = folders[-1]
            name, is_folder = next(names, (None, False))
            if name is None:
                folders.pop()
            elif not is_folder:
                yield folder / name, None
            else:
                try:
                    below, skipped = self._list(folder / name)
                except OSError as error:
                    yield folder / name, _unreadable(error)
                    continue
                self.skipped += skipped if count_skipped else 0
                folders.append((folder / name, iter(below)))

    def _list(self, folder: PurePath) -> tuple[list[tuple[str, bool]], int]:
        """What there is to walk in a folder, whether each is a folder, and how much there is
        besides."""
        names: list[tuple[str, bool]] = []
        skipped = 0
        with os.scandir(self._root / folder) as entries:
            for entry in entries:
                is_folder = entry.is_dir(follow_symlinks=False)
                if is_folder or PurePath(entry.name).suffix.lower() in SUFFIXES:
                    names.append((entry.name, is_folder))
                else:
                    skipped += 1
        # As bytes: the order of the bytes on the disk depends on no locale.
        return sorted(names, key=lambda name: os.fsencode(name[0])), skipped

    def _read(self, path: PurePath, name: str) -> str:
        try:
            file = self._root / path
            # Looked at before it is opened: a pipe would wait for somebody who writes.
            if not file.is_file() and file.exists():
                raise InvalidRequest("this is no file", code="unreadable")
            with file.open("rb") as opened:
                data = opened.read(self._max_bytes + 1)
        except OSError as error:
            raise _unreadable(error) from None
        if len(data) > self._max_bytes:
            raise ContentTooLarge(f"the file is over {self._max_bytes} bytes")
        text, format_ = read_document(name, data)
        return json.dumps({format_.value: text})


def _unreadable(error: OSError) -> InvalidRequest:
    return InvalidRequest(f"can't be read: {error.strerror}", code="unreadable")


@contextmanager
def open_source(path: Path, max_bytes: int) -> Iterator[Source]:
    """The articles of a folder, or of a file with one a line.

    Args:
        path: the folder or the file.
        max_bytes: largest file of the folder, or longest line, that is taken for an article.

    Raises:
        StartupError: there is no such thing, or it can't be read.
    """
    try:
        if path.is_dir():
            source: Source = Folder(path, max_bytes)
            file = None
        else:
            file = path.open("rb")
    except OSError as error:
        raise StartupError(f"{path}: {error.strerror}") from None
    if file is None:
        yield source
    else:
        with file:
            yield JSONLines(file, str(path), max_bytes)
