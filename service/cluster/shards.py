"""An archive in shards: articles in the order of the input, so many in a shard, never more than fit
in memory."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow.parquet

from service.bulk.files import Line, file_errors, read_lines
from service.errors import StartupError

SUFFIXES = {".jsonl", ".ndjson", ".parquet"}
"""Of the files of a folder that hold articles."""
SHARD_ARTICLES = 10_000
"""Most articles of a shard: the loss of a run that is killed, and minutes of work for many
machines."""
SHARD_BYTES = 64_000_000
"""Of the JSON of a shard, about, so that long articles make shorter shards."""
_PARQUET_ROWS = 256
"""Rows that are held at a time, beside a row group as it is stored."""


@dataclass(slots=True)
class Shard:
    """Articles that are done together.

    Attributes:
        index: of the shard, from 0.
        lines: each with its number in the whole input, from 1.
        input_bytes: of the lines.
        end: how much of the input ends with it, in bytes.
    """

    index: int
    lines: list[tuple[int, Line]] = field(default_factory=list)
    input_bytes: int = 0
    end: int = 0

    def digest(self) -> str:
        """SHA-256 of the lines, hexadecimal."""
        digest = hashlib.sha256()
        for number, line in self.lines:
            digest.update(b"%d %d %d\n" % (number, line.is_whole, len(line.data)))
            digest.update(line.data)
        return digest.hexdigest()


class Archive:
    """The articles of a file, or of the files of a folder in the order of their names.

    Lines are articles as ``POST /v1/articles`` takes them; a row of a Parquet file is one, too: its
    columns are the fields, and those without a value are left out.

    Args:
        path: a .jsonl file, or a folder of .jsonl and .parquet files.
        max_bytes: longest line that is taken for an article.

    Attributes:
        total: size of the files in bytes.
        skipped: other files of the folder.

    Raises:
        StartupError: there is no such thing, or no article in it.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        with file_errors(path):
            files = sorted(path.iterdir()) if path.is_dir() else [path]
            self._files = [
                file for file in files if file.suffix.lower() in SUFFIXES or file == path
            ]
            self.total = sum(file.stat().st_size for file in self._files)
        if not self._files:
            raise StartupError(f"{path}: no .jsonl and no .parquet file")
        self.skipped = len(files) - len(self._files)

    def lies_in(self, directory: Path) -> bool:
        """Whether a file of it lies in the folder itself, which need not be there."""
        return directory.exists() and any(file.parent.samefile(directory) for file in self._files)

    def shards(self) -> Iterator[Shard]:
        """All articles; the same shards every time that the files are the same.

        Raises:
            StartupError: a file can't be read (any more).
        """
        shard = Shard(0)
        number = 0
        for end, line in self._lines():
            number += 1
            if not line.data.strip():
                continue
            shard.lines.append((number, line))
            shard.input_bytes += len(line.data)
            shard.end = end
            if len(shard.lines) >= SHARD_ARTICLES or shard.input_bytes >= SHARD_BYTES:
                yield shard
                shard = Shard(shard.index + 1)
        if shard.lines:
            yield shard

    def _lines(self) -> Iterator[tuple[int, Line]]:
        """Lines, each with how much of the input ends with it."""
        before = 0
        for file in self._files:
            read = _parquet_lines if file.suffix.lower() == ".parquet" else read_lines
            try:
                with file_errors(file), file.open("rb") as opened:
                    for line in read(opened, self._max_bytes):
                        yield before + line.end, line
                    before += os.fstat(opened.fileno()).st_size
            except (pyarrow.ArrowException, ValueError, OverflowError):
                # Their messages may quote a value: text that is no UTF-8, or a date beyond all.
                raise StartupError(f"{file}: no Parquet file that can be read") from None


def _parquet_lines(file: BinaryIO, max_bytes: int) -> Iterator[Line]:
    """The rows of a Parquet file as lines of JSON, each with its share of the file's bytes."""
    size = os.fstat(file.fileno()).st_size
    with pyarrow.parquet.ParquetFile(file) as table:
        done = 0
        for batch in table.iter_batches(_PARQUET_ROWS):
            for row in _as_bytes(batch).to_pylist():
                done += 1
                data = _json(row)
                end = size * done // table.metadata.num_rows
                yield Line(data[: max_bytes + 1], len(data) <= max_bytes, True, end)


def _as_bytes(batch: pyarrow.RecordBatch) -> pyarrow.RecordBatch:
    """The same with texts as bytes, so that one that is no UTF-8 costs its own row only."""

    texts = (pyarrow.string(), pyarrow.large_string())
    fields = [
        field.with_type(pyarrow.large_binary() if field.type in texts else field.type)
        for field in batch.schema
    ]
    return batch.cast(pyarrow.schema(fields))


def _json(row: dict[str, Any]) -> bytes:
    """A row as a line; bytes that are no UTF-8 stay what they are, and make it no JSON."""

    def plain(value: Any) -> str:
        # Many writers leave out that a column of bytes is text.
        return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)

    fields = {name: value for name, value in row.items() if value is not None}
    line = json.dumps(fields, ensure_ascii=False, default=plain)
    return line.encode("utf-8", "surrogateescape")
