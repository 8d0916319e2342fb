"""Clients over HTTP: so many at a time, each with one request after the other."""

import http.client
import itertools
import json
import math
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from service.errors import StartupError
from service.evaluation.benchmark.models import (
    ARTICLE_SENTENCES,
    SENTENCE_TOKENS,
    join_sentences,
)
from service.evaluation.benchmark.report import check_length
from service.evaluation.benchmark.server import connect

CLIENTS = 8
"""At the same time, where nothing else is said."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class Request:
    """A POST.

    Attributes:
        path: of the route.
        document: the body, as JSON.
        sentences: how many it holds.
    """

    path: str
    document: Mapping[str, Any]
    sentences: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        status: of HTTP.
        seconds: from the first byte sent to the last received.
        sentences: of the request.
        body: as sent.
    """

    status: int
    seconds: float
    sentences: int
    body: bytes

    def json(self) -> Any:
        """The body, if the status is 200.

        Raises:
            StartupError: it is another.
        """
        if self.status != 200:
            raise StartupError(f"a server answered {self.status}: {self.body[:200]!r}")
        return json.loads(self.body)


@dataclass
class Run:
    """What one contender did in one run.

    Attributes:
        seconds: from the first request to the last answer.
        sentences: translated.
        latencies: seconds of every request.
        target_tokens: written, without ``</s>``; none where the contender does not tell.
        peak_mb: highest resident memory during the run, in 10^6 bytes.
    """

    seconds: float
    sentences: int
    latencies: list[float] = field(default_factory=list)
    target_tokens: int | None = None
    peak_mb: float | None = None

    @property
    def rate(self) -> float:
        """Sentences a second."""
        return self.sentences / self.seconds


class Shared(Generic[Item]):
    """An iterator that threads may share.

    Args:
        items: what it gives, each once.
    """

    def __init__(self, items: Iterator[Item]) -> None:
        self._items = items
        self._lock = threading.Lock()

    def __iter__(self) -> "Shared[Item]":
        return self

    def __next__(self) -> Item:
        with self._lock:
            return next(self._items)


def article_request(sentences: Sequence[str], **options: Any) -> Request:
    """An article of these sentences for the service, with other fields of the request."""
    document = {"text": join_sentences(sentences), **options}
    return Request("/v1/articles", document, len(sentences))


def post(connection: http.client.HTTPConnection, request: Request) -> Answer:
    """Send one request and read its answer."""
    body = json.dumps(request.document)
    start = time.perf_counter()
    connection.request("POST", request.path, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    return Answer(response.status, time.perf_counter() - start, request.sentences, answer)


def closed_loop(
    port: int, requests: Iterator[Request], clients: int, seconds: float = math.inf
) -> tuple[float, list[Answer]]:
    """Have that many clients send requests, each the next one when it has its answer.

    Args:
        port: of the server.
        requests: taken in turn; the end of them ends the run.
        clients: at the same time.
        seconds: no request is begun after them; every client sends one at least.

    Returns:
        Seconds from the first request to the last answer, and the answers.
    """
    shared = Shared(requests)
    start = time.perf_counter()

    def work(_: int) -> list[Answer]:
        connection = connect(port)
        answers: list[Answer] = []
        while not answers or time.perf_counter() - start < seconds:
            if (request := next(shared, None)) is None:
                break
            answers.append(post(connection, request))
        connection.close()
        return answers

    with ThreadPoolExecutor(clients) as pool:
        answers = list(itertools.chain.from_iterable(pool.map(work, range(clients))))
    return time.perf_counter() - start, answers


class Service:
    """Clients of the service, all of whose articles are different.

    Args:
        port: of the server.
        sentences: where articles are made from.

    Attributes:
        answered: articles that were translated.
    """

    def __init__(self, port: int, sentences: Iterator[str]) -> None:
        self.answered = 0
        self._port = port
        self._sentences = sentences

    def translate(self, clients: int, articles: int) -> None:
        """Have ``articles`` articles translated, by that many clients at the same time.

        Raises:
            StartupError: an answer was not 200, or of another length.
        """
        requests = [
            article_request(list(itertools.islice(self._sentences, ARTICLE_SENTENCES)))
            for _ in range(articles)
        ]
        _, answers = closed_loop(self._port, iter(requests), clients)
        for answer in answers:
            # They are counted without </s>.
            expected = ARTICLE_SENTENCES * (SENTENCE_TOKENS - 1)
            check_length("the service", answer.json()["usage"]["target_tokens"], expected)
        self.answered += articles


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent of all are not above (nearest rank)."""
    rank = math.ceil(percent / 100 * len(values))
    return sorted(values)[max(rank, 1) - 1]
