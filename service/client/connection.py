"""The clients: the protocol over ``httpx.Client`` and over ``httpx.AsyncClient``."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Sequence
from contextlib import aclosing, closing
from types import TracebackType
from typing import Any, Self, Unpack

import httpx

from service.client.events import EventReader
from service.client.jobs import (
    NDJSON,
    WAIT_SECONDS,
    JobArticle,
    Polling,
    Row,
    RowReader,
    cancel_call,
    job_call,
    results_call,
    submit_call,
)
from service.client.protocol import (
    ANSWERED_STATUSES,
    EVENT_STREAM,
    JSON,
    Answer,
    ArticleOptions,
    Attempts,
    Call,
    KortomError,
    SummarizeOptions,
    TranslateOptions,
    article_call,
    client_options,
    refusal,
    reported,
    summarize_call,
    translate_call,
)
from service.client.results import Article, Event, Job, Summarized, Translations

TIMEOUT_SECONDS = 120.0
RETRIES = 4


class Kortom:
    """A client of one server; may be shared between threads.

    Every method raises :class:`KortomError`. A call is tried again when the server is overloaded
    (429, 503) or the connection fails before an answer has begun: after what ``Retry-After`` says
    and a random, doubling time, 60 seconds of waiting in all. It is never sent again once an answer
    has begun.

    Args:
        url: of the server, with the path prefix of a proxy if there is one.
        key: sent as ``Authorization: Bearer``.
        timeout_seconds: longest silence of the server, before an answer and in the middle of it.
        retries: most tries after the first; 0 for none.

    Raises:
        ValueError: ``url`` or ``key`` can't be used.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retries: int = RETRIES,
    ) -> None:
        self._http = httpx.Client(**client_options(url, key, timeout_seconds))
        self._retries = retries

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def article(self, **options: Unpack[ArticleOptions]) -> Article:
        """Translate an article and sum it up; see :class:`~service.client.protocol.ArticleOptions`.

        Raises:
            KortomError: see there.
        """
        return self._ask(article_call(options))

    def translate(self, texts: Sequence[str], **options: Unpack[TranslateOptions]) -> Translations:
        """Translate texts, each on its own.

        Raises:
            KortomError: see there.
            TypeError: ``texts`` is one string.
        """
        return self._ask(translate_call(texts, options))

    def summarize(self, text: str, **options: Unpack[SummarizeOptions]) -> Summarized:
        """Sum up an English or Dutch text.

        Raises:
            KortomError: see there.
        """
        return self._ask(summarize_call(text, options))

    def stream(self, **options: Unpack[ArticleOptions]) -> Generator[Event, None, None]:
        """As :meth:`article`, part by part as they are ready; the last event holds all of it.

        Raises:
            KortomError: see there; also between two events.
        """
        call = article_call(options)
        with closing(self._send(call, EVENT_STREAM)) as response:
            reader = EventReader(response, alignment=options.get("alignment", True))
            with reported("incomplete_answer"):
                for chunk in response.iter_bytes():
                    yield from reader.feed(chunk)
                    if reader.done:
                        return
            reader.end()

    def submit(self, articles: Iterable[JobArticle], *, idempotency_key: str | None = None) -> Job:
        """Have articles worked on later, whatever happens to the server or to this program.

        Args:
            articles: options as of :meth:`article` and an ``id``; all are sent in one request.
            idempotency_key: with the same key and the same articles the server answers with the
                job of the first time. A new one unless given, so that this call's own retries
                never make a second job; one of your own is safe over calls and programs.

        Raises:
            KortomError: see there.
            TypeError: ``articles`` is one article, or holds something that is none.
        """
        return self._ask(submit_call(articles, idempotency_key))

    def job(self, job_id: str) -> Job:
        """What has become of a job.

        Raises:
            KortomError: see there; ``not_found`` also for the job of another key.
        """
        return self._ask(job_call(job_id))

    def wait(
        self,
        job_id: str,
        *,
        progress: Callable[[Job], object] | None = None,
        timeout_seconds: float = WAIT_SECONDS,
    ) -> Job:
        """The job when it has ended; asks again and again, in the end every 10 seconds.

        A server that is overloaded or starts again is borne for five minutes.

        Args:
            job_id: of :meth:`submit`.
            progress: called with the job after every question.
            timeout_seconds: how long to wait.

        Raises:
            KortomError: see there; ``timeout`` when the job has not ended in time: it goes on.
        """
        polling = Polling(timeout_seconds)
        while True:
            try:
                job = self.job(job_id)
            except KortomError as error:
                pause_seconds = polling.trouble_seconds(error)
            else:
                if progress:
                    progress(job)
                if job.ended_at is not None:
                    return job
                pause_seconds = polling.pause_seconds()
            time.sleep(pause_seconds)

    def results(self, job_id: str) -> Generator[Row, None, None]:
        """The results of a job in the order of its articles; while it runs, those that are there.

        Raises:
            KortomError: see there; also between two rows.
        """
        with closing(self._send(results_call(job_id), NDJSON)) as response:
            reader = RowReader()
            with reported("incomplete_answer"):
                for chunk in response.iter_bytes():
                    yield from reader.feed(chunk)
            reader.end()

    def cancel(self, job_id: str) -> Job:
        """End a job: articles that have ended keep their results. May be called again.

        Raises:
            KortomError: see there.
        """
        return self._ask(cancel_call(job_id))

    def _ask(self, call: Call[Answer]) -> Answer:
        with closing(self._send(call, JSON)) as response, reported("incomplete_answer"):
            return call.parse(response.read())

    def _send(self, call: Call[Any], accept: str) -> httpx.Response:
        """An answer that has begun, no refusal; its body is still to be read."""
        request, attempts = call.request(self._http, accept), Attempts(self._retries)
        while True:
            try:
                with reported("connection_failed"):
                    response = self._http.send(request, stream=True)
                if response.status_code in ANSWERED_STATUSES:
                    return response
                with closing(response), reported("incomplete_answer"):
                    response.read()
                raise refusal(response)
            except KortomError as error:
                wait_seconds = attempts.wait_seconds(error)
            time.sleep(wait_seconds)


class AsyncKortom:
    """:class:`Kortom` for asyncio: the same methods to await, ``stream`` for ``async for``."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retries: int = RETRIES,
    ) -> None:
        self._http = httpx.AsyncClient(**client_options(url, key, timeout_seconds))
        self._retries = retries

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def article(self, **options: Unpack[ArticleOptions]) -> Article:
        """See :meth:`Kortom.article`."""
        return await self._ask(article_call(options))

    async def translate(
        self, texts: Sequence[str], **options: Unpack[TranslateOptions]
    ) -> Translations:
        """See :meth:`Kortom.translate`."""
        return await self._ask(translate_call(texts, options))

    async def summarize(self, text: str, **options: Unpack[SummarizeOptions]) -> Summarized:
        """See :meth:`Kortom.summarize`."""
        return await self._ask(summarize_call(text, options))

    async def stream(self, **options: Unpack[ArticleOptions]) -> AsyncGenerator[Event, None]:
        """See :meth:`Kortom.stream`; ``contextlib.aclosing`` around it closes one left early."""
        call = article_call(options)
        async with aclosing(await self._send(call, EVENT_STREAM)) as response:
            reader = EventReader(response, alignment=options.get("alignment", True))
            with reported("incomplete_answer"):
                async for chunk in response.aiter_bytes():
                    for event in reader.feed(chunk):
                        yield event
                    if reader.done:
                        return
            reader.end()

    async def submit(
        self, articles: Iterable[JobArticle], *, idempotency_key: str | None = None
    ) -> Job:
        """See :meth:`Kortom.submit`."""
        return await self._ask(submit_call(articles, idempotency_key))

    async def job(self, job_id: str) -> Job:
        """See :meth:`Kortom.job`."""
        return await self._ask(job_call(job_id))

    async def wait(
        self,
        job_id: str,
        *,
        progress: Callable[[Job], object] | None = None,
        timeout_seconds: float = WAIT_SECONDS,
    ) -> Job:
        """See :meth:`Kortom.wait`."""
        polling = Polling(timeout_seconds)
        while True:
            try:
                job = await self.job(job_id)
            except KortomError as error:
                pause_seconds = polling.trouble_seconds(error)
            else:
                if progress:
                    progress(job)
                if job.ended_at is not None:
                    return job
                pause_seconds = polling.pause_seconds()
            await asyncio.sleep(pause_seconds)

    async def results(self, job_id: str) -> AsyncGenerator[Row, None]:
        """See :meth:`Kortom.results`; ``contextlib.aclosing`` around it closes one left early."""
        async with aclosing(await self._send(results_call(job_id), NDJSON)) as response:
            reader = RowReader()
            with reported("incomplete_answer"):
                async for chunk in response.aiter_bytes():
                    for row in reader.feed(chunk):
                        yield row
            reader.end()

    async def cancel(self, job_id: str) -> Job:
        """See :meth:`Kortom.cancel`."""
        return await self._ask(cancel_call(job_id))

    async def _ask(self, call: Call[Answer]) -> Answer:
        async with aclosing(await self._send(call, JSON)) as response:
            with reported("incomplete_answer"):
                return call.parse(await response.aread())

    async def _send(self, call: Call[Any], accept: str) -> httpx.Response:
        """See :meth:`Kortom._send`."""
        request, attempts = call.request(self._http, accept), Attempts(self._retries)
        while True:
            try:
                with reported("connection_failed"):
                    response = await self._http.send(request, stream=True)
                if response.status_code in ANSWERED_STATUSES:
                    return response
                async with aclosing(response):
                    with reported("incomplete_answer"):
                        await response.aread()
                raise refusal(response)
            except KortomError as error:
                wait_seconds = attempts.wait_seconds(error)
            await asyncio.sleep(wait_seconds)
