"""The body of ``POST /v1/jobs``: kept in a file while it comes, then read one article at a time."""

import asyncio
import codecs
import hashlib
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from starlette.requests import ClientDisconnect, Request

from service.api.articles import article_id, article_request, content
from service.api.body import DECODER, DISCARD_BODIES, media_type, parse_json
from service.api.problems import problem
from service.api.protocol import MIN_READ_BYTES
from service.errors import (
    ContentTooLarge,
    InvalidRequest,
    MalformedBody,
    RequestError,
    RequestTimeout,
    ServiceError,
    StorageFull,
    UnsupportedMediaType,
)
from service.jobs.records import NewArticle
from service.settings import Settings

JSON = "application/json"
NDJSON = "application/x-ndjson"
MEMORY_BYTES = 1_000_000
"""Larger bodies are kept on the disk, in the directory for temporary files."""
_CHUNK_CHARACTERS = 65_536
_SPACE = re.compile(r"[ \t\r\n]+")
_BLANK = b" \t\r\n"

Found = tuple[str, Any, str]
"""An article of a body: where it stands, what it says, and the same as JSON."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A body that has come in whole.

    Attributes:
        file: holds it.
        is_array: whether it is one JSON array, else NDJSON.
        fingerprint: of its bytes.
        settings: limits.
    """

    file: IO[bytes]
    is_array: bool
    fingerprint: str
    settings: Settings

    def articles(self) -> Iterator[NewArticle]:
        """Its articles in their order; one that ``POST /v1/articles`` would refuse has its error.

        Raises:
            MalformedBody: it is not JSON, or empty.
            ContentTooLarge: it has more than ``Settings.max_job_articles``, or one that is larger
                than ``Settings.max_body_bytes``.
            InvalidRequest: it holds no article, something that is no object, or an article without
                an id of its own. All of them say where.
        """
        return (article for article, _ in self._read())

    def characters(self) -> int:
        """Of the texts and titles of all articles that are not refused.

        Raises:
            RequestError: see :meth:`articles`.
        """
        return sum(characters for _, characters in self._read())

    def _read(self) -> Iterator[tuple[NewArticle, int]]:
        self.file.seek(0)
        most, largest = self.settings.max_job_articles, self.settings.max_body_bytes
        found = _elements(self.file, largest) if self.is_array else _lines(self.file, largest)
        ids: set[str] = set()
        for place, document, text in found:
            try:
                name = article_id(document)
            except InvalidRequest as error:
                raise _at(place, error) from None
            if name in ids:
                detail = f"{place}: id: an earlier article has the same"
                raise InvalidRequest(detail, code="duplicate_id")
            if len(ids) == most:
                raise ContentTooLarge(
                    f"{place}: at most {most} articles are taken", code="too_many_articles"
                )
            ids.add(name)
            try:
                article = article_request(document)
            except ServiceError as error:
                yield NewArticle(name, None, json.dumps(problem(error))), 0
            else:
                yield NewArticle(name, text), len(content(article)[1]) + len(article.title or "")
        if not ids:
            raise InvalidRequest("the array holds no article", code="too_few_articles")


@asynccontextmanager
async def received(request: Request) -> AsyncIterator[Submission]:
    """The body of a request, kept until the block ends.

    It may take long on a slow line, but :data:`MIN_READ_BYTES` of it, or the rest, must come in
    every ``Settings.body_seconds``.

    Raises:
        UnsupportedMediaType: neither JSON nor NDJSON, not UTF-8, or encoded.
        ContentTooLarge: over ``Settings.max_job_bytes``.
        RequestTimeout: slower than that.
        MalformedBody: the connection closed before its end.
        StorageFull: there is no room for it.
    """
    kind = media_type(request).get_content_type()
    if kind not in (JSON, NDJSON):
        raise UnsupportedMediaType(
            f"the body must be {JSON} or {NDJSON}", headers={"Accept": f"{JSON}, {NDJSON}"}
        )
    settings: Settings = request.app.state.settings
    file = SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115 - closed below
    try:
        try:
            fingerprint = await _receive(request, file, settings)
            file.flush()
        except TimeoutError:
            raise RequestTimeout(
                f"less than {MIN_READ_BYTES} bytes of the body came in {settings.body_seconds:g} s",
                headers={"Connection": "close"},
            ) from None
        except ClientDisconnect:
            raise MalformedBody("the connection closed before the body was complete") from None
        except OSError:
            raise StorageFull("no room for the body in the directory of temporary files") from None
        yield Submission(file, kind == JSON, fingerprint, settings)
    finally:
        with suppress(OSError):  # it writes what a full disk did not take
            file.close()


async def _receive(request: Request, file: IO[bytes], settings: Settings) -> str:
    """Write the body to the file; what is over the limit is dropped as it comes."""
    digest = hashlib.sha256()
    size = noted = 0
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(settings.body_seconds) as patience:
        async for chunk in request.stream():
            size += len(chunk)
            if size <= settings.max_job_bytes:
                file.write(chunk)
                digest.update(chunk)
            elif size > DISCARD_BODIES * settings.max_job_bytes:
                break
            if size - noted >= MIN_READ_BYTES:
                noted = size
                patience.reschedule(loop.time() + settings.body_seconds)
    if size > settings.max_job_bytes:
        raise ContentTooLarge(
            f"the body is over {settings.max_job_bytes} bytes", headers={"Connection": "close"}
        )
    return digest.hexdigest()


def _lines(file: IO[bytes], max_bytes: int) -> Iterator[Found]:
    """The documents of NDJSON, one on every line that is not blank."""
    number = 0
    is_empty = True
    while line := file.readline(max_bytes + 2):
        number += 1
        place = f"line {number}"
        if len(line.rstrip(b"\r\n")) > max_bytes:
            raise ContentTooLarge(f"{place}: over {max_bytes} bytes")
        line = line.removeprefix(codecs.BOM_UTF8 if number == 1 else b"").strip(_BLANK)
        if line:
            is_empty = False
            try:
                yield place, parse_json(line), line.decode("utf-8-sig")
            except MalformedBody as error:
                raise _at(place, error) from None
    if is_empty:
        raise MalformedBody("the body is empty", code="empty_body")


def _elements(file: IO[bytes], max_characters: int) -> Iterator[Found]:
    """The elements of one JSON array."""
    reader = _Reader(file, max_characters)
    if reader.next() != "[":
        file.seek(0)
        parse_json(file.read(max_characters))  # may say more
        raise InvalidRequest("the body must be a JSON array of articles")
    reader.take()
    index = 0
    while not (index == 0 and reader.next() == "]"):
        yield reader.document(f"index {index}")
        index += 1
        follower = reader.next()
        if follower == "]":
            break
        if follower != ",":
            raise MalformedBody(f"index {index - 1}: the body is not valid JSON behind it")
        reader.take()
    reader.take()
    if reader.next():
        raise MalformedBody("the body goes on after its array")


class _Reader:
    """Reads the parts of a JSON array from a file, of which it holds little more than an element.

    Args:
        file: UTF-8.
        max_characters: longest element.

    Every method raises MalformedBody where the file is not UTF-8.
    """

    def __init__(self, file: IO[bytes], max_characters: int) -> None:
        self._file = file
        self._max_characters = max_characters
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._buffer = ""
        self._place = 0

    def next(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            if space := _SPACE.match(self._buffer, self._place):
                self._place = space.end()
            if self._place < len(self._buffer):
                return self._buffer[self._place]
            if not self._fill():
                return ""

    def take(self) -> None:
        """Go on behind that character."""
        self._place += 1

    def document(self, place: str) -> Found:
        """The element that begins with the next character.

        Raises:
            ContentTooLarge: it is too long.
            MalformedBody: it is not JSON.
        """
        self.next()
        while True:
            try:
                document, end = DECODER.raw_decode(self._buffer, self._place)
            except MalformedBody as error:
                raise _at(place, error) from None
            except RecursionError:
                detail = f"{place}: nested too deeply"
                raise MalformedBody(detail, code="too_deep") from None
            except ValueError:  # wrong, or not all of it is in the buffer
                end = len(self._buffer)
                if end - self._place <= self._max_characters:
                    if self._fill():
                        continue
                    raise MalformedBody(f"{place}: not valid JSON") from None
            if end - self._place > self._max_characters:
                raise ContentTooLarge(f"{place}: over {self._max_characters} characters")
            text = self._buffer[self._place : end]
            self._place = end
            return place, document, text

    def _fill(self) -> bool:
        """Read on, each time as much as there is, so that long elements are not read often."""
        left = self._buffer[self._place :]
        chunk = self._file.read(max(_CHUNK_CHARACTERS, len(left)))
        try:
            self._buffer = left + self._decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError:
            raise MalformedBody("the body is not UTF-8") from None
        self._place = 0
        return bool(chunk)


def _at(place: str, error: RequestError) -> RequestError:
    """The same error with its place."""
    return type(error)(f"{place}: {error.detail}", code=error.code)
