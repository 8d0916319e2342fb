"""The answer of ``POST /v1/articles`` as server-sent events: each part as soon as it is ready."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Self

from fastapi.sse import EventSourceResponse, format_sse_event
from starlette.types import Receive, Scope, Send

from service.api import answers, schemas
from service.api.problems import ProblemResponse, stopping
from service.errors import ServiceError
from service.pipeline import Listener
from service.summarization.summarizer import Bullet
from service.translation.documents import TranslatedBlock

HEARTBEAT_SECONDS = 10.0
"""Silence after which a comment is sent: proxies and clients give up on silent connections, most of
them after 30 s or more."""

_QUALITY = re.compile(r"q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE)

_EXAMPLE = """\
event: title
data: {"title": "Battle for Tripoli"}

event: block
data: {"index": 0, "kind": "paragraph", "sentences": [{"id": "s1", "start": 0, "end": 22, \
"source": "De troepen rukken op.", "target": "The troops are advancing.", "score": -0.21, \
"warnings": [], "terms": []}]}

event: bullet
data: {"index": 0, "text": "The troops are advancing.", "sources": ["s1"], "support": 1.0, \
"written": false, "warnings": []}

event: done
data: {"id": "4f0c", "page": null, "language": {"code": "nl", "confidence": 0.99}, \
"translation": {"text": "The troops are advancing."}, "summary": {"method": "extractive", \
"headline": null, "sources": null}, "warnings": [], "models": {}, "usage": {}, "timing_ms": {}}

"""
RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": (
            "The answer; where Accept prefers text/event-stream, as events in this order. "
            "`title` (if there is one), a `block` for each of translation.blocks (with alignment "
            "false its `text` in place of sentences) and a `bullet` for each of summary.bullets "
            "come as soon as they are ready; `done` is the rest of the answer. A title or block "
            "that comes again (same `index`) replaces the one before. `error`, a problem document, "
            "ends a stream that fails after its first event; what fails before it is an ordinary "
            "problem. Comments are sent in silence, to keep the connection."
        ),
        "content": {
            EventSourceResponse.media_type: {"schema": {"type": "string"}, "example": _EXAMPLE}
        },
    }
}
"""OpenAPI entry for the stream, beside that of the plain answer."""


def is_wanted(accept: str) -> bool:
    """Whether an ``Accept`` header prefers a stream to JSON, which it gets on a tie.

    Only the name ``text/event-stream`` itself asks for one; a choice with a quality that is none
    (RFC 9110, 12.4.2) is passed over.
    """
    qualities: dict[str, float] = {}
    for choice in accept.lower().split(","):
        name, *parameters = (part.strip() for part in choice.split(";"))
        given = [part for part in parameters if re.match(r"q\s*=", part)]
        quality = _QUALITY.fullmatch(given[0]) if given else None
        if quality or not given:
            qualities[name] = float(quality[1]) if quality else 1.0
    plain = ("application/json", "application/*", "*/*")
    least = next((qualities[name] for name in plain if name in qualities), 0.0)
    return qualities.get("text/event-stream", 0.0) > least


class ArticleStream(EventSourceResponse):
    """An article's answer as events; as the README shows them under "Part by part".

    Memory is bounded by the answer: a slow client makes nothing wait but its own events. The
    connection bounds how slow it may be (``protocol.MIN_READ_BYTES``).

    Args:
        make: makes the whole answer, telling the listener, on any thread, what it is made of.
        alignment: as in the request.
        request_id: of the request.
    """

    def __init__(
        self,
        make: Callable[[Listener], Awaitable[schemas.ArticleAnswer]],
        *,
        alignment: bool,
        request_id: str,
    ) -> None:
        self._events = self._run(make, alignment, request_id)
        self._first = b""
        self._failure: Exception | None = None
        # Tells nginx not to hold events back.
        super().__init__(self._body(), headers={"X-Accel-Buffering": "no"})

    async def begin(self) -> Self:
        """Wait for the first event.

        Raises:
            ServiceError: what ``make`` raises before it.
        """
        self._first = await anext(self._events)
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI. What fails goes on up when its event is sent, to be logged like any failure."""
        try:
            async with aclosing(self._events):  # also where a client leaves while it is sent to
                await super().__call__(scope, receive, send)
        except asyncio.CancelledError:  # what outlives the drain; a stream that has begun says so
            if scope["state"]["account"].status:
                body = _problem(stopping(), scope["state"]["request_id"])
                await send({"type": "http.response.body", "body": body, "more_body": False})
            raise
        if self._failure:
            raise self._failure

    async def _body(self) -> AsyncGenerator[bytes]:
        yield self._first
        async for event in self._events:
            yield event

    async def _run(
        self,
        make: Callable[[Listener], Awaitable[schemas.ArticleAnswer]],
        alignment: bool,
        request_id: str,
    ) -> AsyncGenerator[bytes]:
        """The events; no longer run, it ends the work."""
        loop = asyncio.get_running_loop()
        # Nothing else is queued than the parts of one answer.
        queue: asyncio.Queue[bytes | schemas.ArticleAnswer | Exception] = asyncio.Queue()

        def put(event: bytes) -> None:
            loop.call_soon_threadsafe(queue.put_nowait, event)

        async def work() -> None:
            try:
                queue.put_nowait(await make(_Events(put, alignment=alignment)))
            except Exception as error:
                queue.put_nowait(error)

        task = asyncio.create_task(work())
        try:
            seconds = None  # what fails before the first event has a status of its own
            while True:
                try:
                    event = await asyncio.wait_for(queue.get(), seconds)
                except TimeoutError:
                    yield format_sse_event(comment="")
                    continue
                match event:
                    case bytes():
                        yield event
                    case Exception() if seconds is None:
                        raise event
                    case Exception():
                        self._failure = event
                        yield _problem(event, request_id)
                        return
                    case _:
                        yield _event("done", _rest(event))
                        return
                seconds = HEARTBEAT_SECONDS
        finally:
            task.cancel()


class _Events:
    """Makes events of what it is told (a ``pipeline.Listener``).

    Args:
        put: takes an event; called on the thread that tells.
        alignment: as in the request.
    """

    def __init__(self, put: Callable[[bytes], None], *, alignment: bool) -> None:
        self._put = put
        self._alignment = alignment

    def title(self, text: str) -> None:
        self._put(_event("title", {"title": text}))

    def block(self, index: int, block: TranslatedBlock) -> None:
        shown = (
            answers.block(block).model_dump(mode="json")
            if self._alignment
            else {"kind": block.source.kind, "text": block.text}
        )
        self._put(_event("block", {"index": index, **shown}))

    def bullet(self, index: int, bullet: Bullet) -> None:
        self._put(
            _event("bullet", {"index": index, **answers.bullet(bullet).model_dump(mode="json")})
        )


def _event(name: str, data: dict[str, Any]) -> bytes:
    return format_sse_event(event=name, data_str=json.dumps(data, ensure_ascii=False))


def _rest(answer: schemas.ArticleAnswer) -> dict[str, Any]:
    """What no event before ``done`` has said."""
    return answer.model_dump(
        mode="json", exclude={"title": True, "translation": {"blocks"}, "summary": {"bullets"}}
    )


def _problem(failure: Exception, request_id: str) -> bytes:
    error = (
        failure
        if isinstance(failure, ServiceError)
        else ServiceError("an internal error; the log has more under this request id")
    )
    problem = ProblemResponse(error, request_id)
    return format_sse_event(event="error", data_str=bytes(problem.body).decode())
