"""Jobs without their transport: requests to send, rows to read, when to ask again."""

import random
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pydantic import TypeAdapter
from pydantic_core import from_json

from service.client.protocol import (
    ArticleOptions,
    Call,
    KortomError,
    article_body,
    encoded,
    may_pass,
    problem,
    understood,
)
from service.client.results import Article, Job

NDJSON = "application/x-ndjson"

WAIT_SECONDS = 86_400.0
"""How long ``wait`` waits unless told otherwise: a day."""
FIRST_PAUSE_SECONDS = 0.25
"""Between the first two questions after a job; each later pause is half as long again."""
MAX_PAUSE_SECONDS = 10.0
MAX_TROUBLE_SECONDS = 300.0
"""How long ``wait`` bears a server that does not answer, as while it starts again."""

_random = random.SystemRandom()


class JobArticle(ArticleOptions):
    """An article of a job, with an id that no other article of the job has.

    Ids are 1 to 200 letters, digits and ``. _ : / -``.
    """

    id: str


@dataclass(frozen=True, slots=True)
class Row:
    """What became of an article: its answer or its error, the other is ``None``."""

    id: str
    article: Article | None
    error: KortomError | None


def submit_call(articles: Iterable[JobArticle], idempotency_key: str | None) -> Call[Job]:
    """``POST /v1/jobs``; all of it is in memory, so that it can be sent again.

    Raises:
        TypeError: ``articles`` is one article, or holds something that is none.
    """
    if isinstance(articles, Mapping | str):
        raise TypeError("articles must be a list of articles, not one article")
    lines = []
    for article in articles:
        if not isinstance(article, Mapping):
            raise TypeError("an article must be a dict of its options and its id")
        lines.append(encoded(article_body(article)) + b"\n")
    headers = {"Content-Type": NDJSON, "Idempotency-Key": idempotency_key or str(uuid.uuid4())}
    return Call("v1/jobs", Job, content=b"".join(lines), headers=headers)


def job_call(job_id: str) -> Call[Job]:
    """``GET /v1/jobs/{id}``."""
    return Call(_path(job_id), Job, method="GET")


def cancel_call(job_id: str) -> Call[Job]:
    """``DELETE /v1/jobs/{id}``."""
    return Call(_path(job_id), Job, method="DELETE")


def results_call(job_id: str) -> Call[Row]:
    """``GET /v1/jobs/{id}/results``, to read with a :class:`RowReader`."""
    return Call(f"{_path(job_id)}/results", Row, method="GET")


class RowReader:
    """Reads the rows of one answer."""

    def __init__(self) -> None:
        self._line = b""

    def feed(self, chunk: bytes) -> list[Row]:
        """The rows that these bytes complete.

        Raises:
            KortomError: ``invalid_answer``.
        """
        *lines, self._line = (self._line + chunk).split(b"\n")
        with understood():
            return [_row(from_json(line)) for line in lines if line]

    def end(self) -> None:
        """The answer has ended.

        Raises:
            KortomError: ``incomplete_answer``: in the middle of a row.
        """
        if self._line:
            raise KortomError("incomplete_answer", "the answer ended in the middle of a row")


class Polling:
    """When to ask again whether a job has ended.

    Args:
        timeout_seconds: from now until the last time.
    """

    def __init__(self, timeout_seconds: float) -> None:
        self._deadline = time.monotonic() + timeout_seconds
        self._pause_seconds = FIRST_PAUSE_SECONDS
        self._answered_at = time.monotonic()

    def pause_seconds(self) -> float:
        """How long to wait after an answer that says that the job has not ended.

        Raises:
            KortomError: ``timeout``: the time is up. The job goes on.
        """
        self._answered_at = time.monotonic()
        if self._deadline <= self._answered_at:
            raise KortomError("timeout", "the job has not ended in time; it goes on")
        return self._pause(0)

    def trouble_seconds(self, failure: KortomError) -> float:
        """How long to wait after a question without an answer: a server may be starting again.

        Raises:
            KortomError: ``failure`` itself: waiting does not help, the time is up, or there was
                no answer for :data:`MAX_TROUBLE_SECONDS`.
        """
        now = time.monotonic()
        asked_for = failure.retry_after_seconds or 0
        if not may_pass(failure) or now + asked_for >= self._deadline:
            raise failure
        if now + asked_for - self._answered_at > MAX_TROUBLE_SECONDS:
            raise failure
        return self._pause(asked_for)

    def _pause(self, at_least_seconds: float) -> float:
        """A pause that grows, with a random part, and does not go beyond the deadline."""
        pause = at_least_seconds + self._pause_seconds * _random.uniform(0.8, 1)
        self._pause_seconds = min(1.5 * self._pause_seconds, MAX_PAUSE_SECONDS)
        return max(0.0, min(pause, self._deadline - time.monotonic()))


def _path(job_id: str) -> str:
    return f"v1/jobs/{quote(job_id, safe='')}"


_ARTICLE = TypeAdapter(Article)


def _row(document: Any) -> Row:
    article, error = document["article"], document["error"]
    return Row(
        document["id"],
        None if article is None else _ARTICLE.validate_python(article),
        None if error is None else problem(error),
    )
