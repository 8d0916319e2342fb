"""What is done of an archive: part files, and a manifest with a line for each finished shard."""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from service.bulk.files import file_errors, sole_writer
from service.cluster.shards import SHARD_ARTICLES, SHARD_BYTES, Shard
from service.errors import StartupError

MANIFEST = "manifest.jsonl"
LOCK = ".lock"
_FIRST_BYTES = b'{"models":['
"""Of every manifest."""


class Head(BaseModel):
    """The first line: what the rows of all parts were made with.

    Attributes:
        models: their cards' names.
        fingerprint: SHA-256 of Kortom's version, the models' files and all settings that change an
            answer.
        shard_articles: most articles of a shard.
        shard_bytes: most JSON of a shard, about.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    models: tuple[str, ...]
    fingerprint: str
    shard_articles: int = SHARD_ARTICLES
    shard_bytes: int = SHARD_BYTES


class Entry(BaseModel):
    """A finished shard.

    Attributes:
        shard: its index.
        part: name of the file of its rows.
        articles: rows in it.
        errors: how many of them are errors.
        bytes: size of the part.
        sha256: of the part.
        input_sha256: of the articles, see ``Shard.digest``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    shard: int
    part: str
    articles: int
    errors: int
    bytes: int
    sha256: str
    input_sha256: str


class Parts:
    """A folder of parts that only grows.

    Args:
        directory: of the parts and their manifest.
        head: of this run.

    Attributes:
        entries: the finished shards, in order.

    Raises:
        StartupError: the folder's rows were made with something else, or it can't be used.
    """

    def __init__(self, directory: Path, head: Head) -> None:
        self._directory = directory
        self._manifest = directory / MANIFEST
        self.entries: list[Entry] = []
        with file_errors(self._manifest):
            data = self._manifest.read_bytes() if self._manifest.exists() else b""
            *lines, piece = data.split(b"\n")  # a kill leaves a piece of a line behind them
            try:
                there = Head.model_validate_json(lines[0]) if lines else head
                self.entries = [Entry.model_validate_json(line) for line in lines[1:]]
            except ValidationError:
                raise self._foreign() from None
            if not lines and not _FIRST_BYTES.startswith(piece[: len(_FIRST_BYTES)]):
                raise self._foreign()
            if not lines and any(directory.glob("part-*.jsonl")):
                raise StartupError(f"{directory}: parts without a manifest: take another folder")
            if there != head:
                raise StartupError(
                    f"{directory}: its rows were made with other models or settings "
                    f"({', '.join(there.models)}): take another folder"
                )
            if piece:
                os.truncate(self._manifest, len(data) - len(piece))
            if not lines:
                self._append(head)

    def skip_finished(self, shards: Iterator[Shard]) -> int:
        """Pass over what earlier runs have done.

        Args:
            shards: of the archive, from the first; those that are not done are left in it.

        Returns:
            How much of the input is done, in bytes.

        Raises:
            StartupError: a finished shard is not in the archive any more, or its part is gone.
        """
        end = 0
        for entry in self.entries:
            shard = next(shards, None)
            if shard is None or entry.input_sha256 != shard.digest():
                raise StartupError(f"{self._directory}: {entry.part} is of another input")
            part = self._directory / entry.part
            with file_errors(part):
                if part.stat().st_size != entry.bytes:
                    raise StartupError(f"{part}: not what the manifest says")
            end = shard.end
        return end

    def finish(self, shard: Shard, rows: Sequence[bytes], errors: int) -> None:
        """Write a shard's rows; they are there whole and on the disk, or not at all.

        Args:
            shard: the next one that is not done.
            rows: of its articles, in order, each with its line feed.
            errors: how many of them are errors.

        Raises:
            StartupError: the disk is full or broken.
        """
        name = f"part-{shard.index:05d}.jsonl"
        part = self._directory / name
        unfinished = part.with_suffix(".tmp")
        digest = hashlib.sha256()
        size = 0
        with file_errors(part):
            with unfinished.open("wb") as file:
                for row in rows:
                    file.write(row)
                    digest.update(row)
                    size += len(row)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(part)
            entry = Entry(
                shard=shard.index,
                part=name,
                articles=len(rows),
                errors=errors,
                bytes=size,
                sha256=digest.hexdigest(),
                input_sha256=shard.digest(),
            )
            self._append(entry)
        self.entries.append(entry)

    def _append(self, line: Head | Entry) -> None:
        with self._manifest.open("ab") as file:
            file.write(line.model_dump_json().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        descriptor = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)  # the names of the part and of the manifest
        finally:
            os.close(descriptor)

    def _foreign(self) -> StartupError:
        return StartupError(f"{self._manifest}: this is no manifest of kortom")


@contextmanager
def open_parts(directory: Path, head: Head) -> Iterator[Parts]:
    """The folder, made where missing, for this process alone; an empty file ``.lock`` stays in it.

    Raises:
        StartupError: see :class:`Parts`; or another process writes there.
    """
    with file_errors(directory):
        directory.mkdir(exist_ok=True)
    with sole_writer(directory, directory / LOCK):
        yield Parts(directory, head)


def fingerprint(**parts: Any) -> str:
    """SHA-256 over named things, as JSON with sorted keys, hexadecimal."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
