"""The protocol without its transport: requests to send, answers to read, when to try again."""

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Generic, Literal, TypedDict, TypeVar

import httpx
from pydantic import TypeAdapter
from pydantic_core import from_json

from service import __version__
from service.client.results import Article, Summarized, Translations

Answer = TypeVar("Answer")

JSON = "application/json"
EVENT_STREAM = "text/event-stream"

CONNECT_SECONDS = 10.0
"""Longest wait for a connection, where ``timeout_seconds`` allows for more."""
FIRST_BACKOFF_SECONDS = 0.5
"""Before the first retry; each later one waits up to twice as long."""
MAX_WAIT_SECONDS = 60.0
"""All waits between the tries of one call together; one that would exceed it fails at once."""
ANSWERED_STATUSES = (200, 202)
RETRIED_STATUSES = (429, 503)

_KEY = re.compile(r"[\x21-\x7e]+")
_random = random.SystemRandom()


class KortomError(Exception):
    """A call that brought no answer.

    Attributes:
        status: the HTTP status; ``None`` when no answer came, or not all of it.
        code: the server's stable code. Without one from the server: ``connection_failed``,
            ``timeout``, ``incomplete_answer`` (the connection broke in the middle of it),
            ``invalid_answer`` (not what a Kortom answers) or ``http_error`` (an error of something
            in between).
        detail: one sentence for people.
        request_id: under which the server's log has more; ``None`` when not known.
        retry_after_seconds: when to come back, where the server said so.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        status: int | None = None,
        request_id: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(code, detail)  # what pickle makes it of again, as between processes
        self.code = code
        self.detail = detail
        self.status = status
        self.request_id = request_id
        self.retry_after_seconds = retry_after_seconds

    def __str__(self) -> str:
        status = f"{self.status} " if self.status else ""
        request = f" (request {self.request_id})" if self.request_id else ""
        return f"{status}{self.code}: {self.detail}{request}"


class SummaryOptions(TypedDict, total=False):
    """What summary is wanted; what is left out is the server's default."""

    bullets: int
    method: Literal["auto", "abstractive", "extractive"]
    max_words: int | None
    headline: bool


class ArticleOptions(SummaryOptions, total=False):
    """An article: exactly one of ``text``, ``html`` and ``markdown``; no ``bullets`` with 0."""

    text: str | None
    html: str | None
    markdown: str | None
    main_text: bool
    title: str | None
    source_language: Literal["nl", "auto"]
    glossary: Mapping[str, str]
    alignment: bool
    deadline_ms: int | None


class TranslateOptions(TypedDict, total=False):
    """How texts are translated."""

    format: Literal["text", "html", "markdown"]
    glossary: Mapping[str, str]
    deadline_ms: int | None


class SummarizeOptions(SummaryOptions, total=False):
    """How a text is summed up."""

    source_language: Literal["auto", "en", "nl"]
    deadline_ms: int | None


@dataclass(frozen=True, slots=True)
class Call(Generic[Answer]):
    """One request: where it goes, what it says, and what comes back."""

    path: str
    answer: type[Answer]
    method: str = "POST"
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def request(
        self, client: httpx.Client | httpx.AsyncClient, accept: str = JSON
    ) -> httpx.Request:
        """The request to send, through a client made with :func:`client_options`."""
        headers = {"Accept": accept, **self.headers}
        return client.build_request(self.method, self.path, content=self.content, headers=headers)

    def parse(self, body: bytes) -> Answer:
        """The answer in the body of a 200 or 202.

        Raises:
            KortomError: ``invalid_answer``.
        """
        with understood():
            return TypeAdapter(self.answer).validate_json(body)


def encoded(document: Mapping[str, Any]) -> bytes:
    """JSON in ASCII: a lone surrogate reaches the server, which says where it is."""
    return json.dumps(document, allow_nan=False).encode("ascii")


def _post(path: str, body: Mapping[str, Any], answer: type[Answer]) -> Call[Answer]:
    return Call(path, answer, content=encoded(body), headers={"Content-Type": JSON})


def article_body(options: ArticleOptions) -> dict[str, Any]:
    """An article as the server takes it."""
    body: dict[str, Any] = dict(options)
    wanted = {name: body.pop(name) for name in SummaryOptions.__annotations__ if name in options}
    if wanted:
        body["summary"] = wanted if wanted.get("bullets") != 0 else None
    return body


def article_call(options: ArticleOptions) -> Call[Article]:
    """``POST /v1/articles``."""
    return _post("v1/articles", article_body(options), Article)


def translate_call(texts: Sequence[str], options: TranslateOptions) -> Call[Translations]:
    """``POST /v1/translate``.

    Raises:
        TypeError: one string, which would be taken for its characters.
    """
    if isinstance(texts, str):
        raise TypeError("texts must be a list of strings, not one string")
    return _post("v1/translate", {"texts": list(texts), **options}, Translations)


def summarize_call(text: str, options: SummarizeOptions) -> Call[Summarized]:
    """``POST /v1/summarize``."""
    return _post("v1/summarize", {"text": text, **options}, Summarized)


def client_options(url: str, key: str | None, timeout_seconds: float) -> dict[str, Any]:
    """What ``httpx.Client`` and ``httpx.AsyncClient`` are made with.

    Raises:
        ValueError: not an address, or not a key that can stand in a header.
    """
    try:
        host = httpx.URL(url).host
    except httpx.InvalidURL:
        host = ""
    if not url.startswith(("http://", "https://")) or not host:
        raise ValueError("url must begin with http:// or https:// and name a host")
    headers = {"User-Agent": f"kortom/{__version__}"}
    if key is not None:
        if not _KEY.fullmatch(key):
            raise ValueError("key must be printable ASCII without spaces")
        headers["Authorization"] = f"Bearer {key}"
    timeout = httpx.Timeout(timeout_seconds, connect=min(timeout_seconds, CONNECT_SECONDS))
    return {"base_url": url, "headers": headers, "timeout": timeout}


def may_pass(failure: KortomError) -> bool:
    """Whether the same request may succeed later: an overload, or no connection."""
    return failure.status in RETRIED_STATUSES or failure.code == "connection_failed"


class Attempts:
    """When one call is tried again.

    Args:
        retries: tries after the first, at least 0.
    """

    def __init__(self, retries: int) -> None:
        self._left = retries
        self._backoff_seconds = FIRST_BACKOFF_SECONDS
        self._left_seconds = MAX_WAIT_SECONDS

    def wait_seconds(self, failure: KortomError) -> float:
        """How long to wait before the next try.

        At least what the server asked for, and a random part of a time that doubles, so that
        callers who were refused together don't come back together.

        Raises:
            KortomError: ``failure`` itself: trying again does not help, or not in time.
        """
        if not may_pass(failure):
            raise failure
        jitter = _random.uniform(0.5, 1)
        wait = (failure.retry_after_seconds or 0) + self._backoff_seconds * jitter
        if not self._left or wait > self._left_seconds:
            raise failure
        self._left -= 1
        self._left_seconds -= wait
        self._backoff_seconds *= 2
        return wait


@contextmanager
def reported(code: str) -> Iterator[None]:
    """What breaks in the transport, as a :class:`KortomError` with ``code`` or ``timeout``."""
    try:
        yield
    except httpx.ConnectTimeout as error:
        raise KortomError("connection_failed", "no connection in time") from error
    except httpx.TimeoutException as error:
        raise KortomError("timeout", "the server was silent for too long") from error
    except httpx.HTTPError as error:
        raise KortomError(code, f"{type(error).__name__}: {error}") from error


@contextmanager
def understood() -> Iterator[None]:
    """An answer that is not what a Kortom answers, as a :class:`KortomError`."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        # Not the message: it may quote the article.
        detail = f"the answer is not that of a Kortom server: {type(error).__name__}"
        raise KortomError("invalid_answer", detail) from None


@dataclass(frozen=True, slots=True)
class _Problem:
    status: int
    code: str
    detail: str
    instance: str | None = None


_PROBLEM = TypeAdapter(_Problem)


def problem(document: Any) -> KortomError:
    """The error that a problem+json document (RFC 9457) tells of.

    Raises:
        ValueError: it is no such document.
    """
    told = _PROBLEM.validate_python(document)
    return KortomError(told.code, told.detail, status=told.status, request_id=told.instance)


def refusal(response: httpx.Response) -> KortomError:
    """The error in an answer other than 200 and 202, whose body has been read."""
    try:
        error = problem(from_json(response.content))
    except ValueError:
        error = KortomError("http_error", f"the server answered {response.reason_phrase or '?'}")
    error.status = response.status_code
    error.request_id = response.headers.get("x-request-id", error.request_id)
    error.retry_after_seconds = _retry_after_seconds(response.headers.get("retry-after", ""))
    return error


def _retry_after_seconds(value: str) -> float | None:
    """``Retry-After`` as seconds from now (RFC 9110, 10.2.3); ``None`` if it can't be read."""
    if re.fullmatch(r"[0-9]{1,9}", value):
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # no date; a number in it that no integer of C holds
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())
