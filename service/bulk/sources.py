"""Where articles come from: the lines of a file, or the files of a folder."""

import json
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path, PurePath
from typing import BinaryIO, Protocol

from service.article.files import AVAILABLE, DOCUMENT_SUFFIXES, TEXT_SUFFIXES, read_document
from service.bulk.files import file_errors, read_lines
from service.bulk.rows import Record, read_record, refused
from service.errors import ContentTooLarge, InvalidRequest, ServiceError

SUFFIXES = TEXT_SUFFIXES | (DOCUMENT_SUFFIXES if AVAILABLE else frozenset())
"""Of the files of a folder that are articles, in small letters."""


class Source(Protocol):
    """Articles in an order that does not change.

    Attributes:
        total: how much there is, in bytes of a file or in files of a folder; ``None`` when nobody
            knows.
        skipped: files passed over because they are no articles.
    """

    total: int | None
    skipped: int

    def records(self) -> Iterator[tuple[Record, int]]:
        """The articles, each with how much of the source ends with it, in the unit of ``total``.

        Raises:
            StartupError: the source can't be read (any more).
        """

    def would_read(self, path: Path) -> bool:
        """Whether a file of that name, which need not be there, is a part of the source."""


class JSONLines:
    """A file with an article a line, as JSON; blank lines count, and are no articles.

    Args:
        file: the file, from its beginning.
        path: its name, for errors.
        max_bytes: longest line that is taken for an article.
    """

    skipped = 0

    def __init__(self, file: BinaryIO, path: Path, max_bytes: int) -> None:
        status = os.fstat(file.fileno())
        self.total = status.st_size if stat.S_ISREG(status.st_mode) else None
        self._file, self._path, self._max_bytes = file, path, max_bytes

    def records(self) -> Iterator[tuple[Record, int]]:
        """See :class:`Source`."""
        with file_errors(self._path):
            for number, line in enumerate(read_lines(self._file, self._max_bytes), start=1):
                if not line.is_whole:
                    error = ContentTooLarge(f"the line is over {self._max_bytes} bytes")
                    yield refused(str(number), error), line.end
                elif line.data.strip():
                    yield read_record(line.data, number), line.end

    def would_read(self, path: Path) -> bool:
        """See :class:`Source`."""
        try:
            return os.path.samestat(path.stat(), os.fstat(self._file.fileno()))
        except OSError:
            return False  # it is not there


class Folder:
    """The articles in a folder and in the folders below it, each folder's names in order.

    A link to a folder is not followed, so that no loop is walked. What has the name of an article
    and can't be read is an article that can't be translated, and so is a folder.

    Args:
        root: the folder; walked once for the count, and once for the articles.
        max_bytes: largest file that is taken for an article.
    """

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

    def would_read(self, path: Path) -> bool:
        """See :class:`Source`."""
        root = os.path.realpath(self._root)
        # A link to a file is read under its own name, and the file under its own.
        names = (Path(os.path.realpath(path.parent), path.name), Path(os.path.realpath(path)))
        return any(name.suffix.lower() in SUFFIXES and name.is_relative_to(root) for name in names)

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
    with ExitStack() as opened:
        with file_errors(path):
            source: Source = (
                Folder(path, max_bytes)
                if path.is_dir()
                else JSONLines(opened.enter_context(path.open("rb")), path, max_bytes)
            )
        yield source
