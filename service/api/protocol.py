"""The HTTP/1.1 connection: what is no HTTP at all is answered in the one shape too, and nobody
holds a connection open by being slow."""

import asyncio
import http
import logging
import re
import uuid
from typing import Any, cast

import h11
from fastapi import FastAPI
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from service.api.account import UNKNOWN_METHOD, UNKNOWN_PATH
from service.api.problems import ProblemResponse
from service.errors import RequestError, RequestTimeout, ServiceError
from service.logs import Event
from service.machine import max_connections

logger = logging.getLogger(__name__)
_connection_logger = logging.getLogger("uvicorn.error.connection")
# Every request has its line; uvicorn would add warnings where a client speaks no HTTP or another.
_connection_logger.setLevel(logging.ERROR)

MIN_READ_BYTES = 65_536
"""What a caller must take of a waiting answer in ``Settings.body_seconds``, or all of it. At the
default of 30 s it is 2 kB/s, which any line has."""
_LOOSE_LINE = re.compile(rb"(?:^|[^\r])\n|\n[ \t]")


class StrictConnection(h11.Connection):
    """h11 without what RFC 9112 lets a server take but proxies read in two ways: lines that end in
    a line feed alone (2.2) and headers that go on over the next line (5.2). Where a proxy sees a
    length and we none, or the other way round, a second request hides in the body."""

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """See h11.

        Raises:
            h11.RemoteProtocolError: also for these.
        """
        if self.their_state is h11.IDLE:
            head, _, _ = self.trailing_data[0].partition(b"\r\n\r\n")
            if _LOOSE_LINE.search(head):
                raise h11.RemoteProtocolError("a line of the head does not end as it should")
        return super().next_event()


class ProblemProtocol(H11Protocol):
    """uvicorn's h11 protocol, with problem+json where the bytes can't be read as a request.

    uvicorn bounds the time between two requests. Here the head of a request must be complete
    ``Settings.body_seconds`` after its first byte, or after the connection was made, and an answer
    that its caller does not read (see :data:`MIN_READ_BYTES`) is dropped with its connection. Where
    the answer came first, the rest of the body has as much time again. There are never more
    connections than the process has open files for.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.logger = _connection_logger
        self.conn = StrictConnection(h11.SERVER)
        self._seconds: float = cast(FastAPI, config.app).state.settings.body_seconds
        self._head_timer: asyncio.TimerHandle | None = None
        self._reader_timer: asyncio.TimerHandle | None = None
        self._rest_timer: asyncio.TimerHandle | None = None
        self._unread_bytes = 0

    def connection_made(
        self,
        transport: asyncio.Transport,  # type: ignore[override]  # as uvicorn narrows it
    ) -> None:
        """See asyncio; one connection too many is closed at once."""
        super().connection_made(transport)
        if len(self.connections) > max_connections():
            # With no open file left, nothing could be read or kept for those who are there.
            logger.warning("a connection was refused: the limit of open files is near")
            transport.abort()
        else:
            self._bound_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio."""
        for timer in (self._head_timer, self._reader_timer, self._rest_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        super().data_received(data)
        self._bound_head()
        self._bound_rest()

    def pause_writing(self) -> None:
        """See asyncio: the buffer is full, and the answer waits for its reader."""
        super().pause_writing()
        self._bound_reading()

    def resume_writing(self) -> None:
        """See asyncio."""
        super().resume_writing()
        if self._reader_timer is not None:
            self._reader_timer.cancel()
            self._reader_timer = None

    def on_response_complete(self) -> None:
        """See uvicorn: the answer is written, but maybe not yet taken."""
        super().on_response_complete()
        if self.transport.get_write_buffer_size():
            self._bound_reading()
        self._bound_rest()

    def send_400_response(self, msg: str) -> None:
        """Answer 400 and close the connection; ``msg`` is the parser's own reason."""
        self._refuse(RequestError(msg, headers={"Connection": "close"}))

    def _bound_head(self) -> None:
        """Let the time run while a head is awaited; further bytes of it do not extend it."""
        if self.conn.their_state is h11.IDLE:
            if self._head_timer is None:
                self._head_timer = self.loop.call_later(self._seconds, self._end_head)
        elif self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _end_head(self) -> None:
        begun, _ = self.conn.trailing_data
        if begun and not self.transport.is_closing():
            self._refuse(
                RequestTimeout(
                    f"the head took longer than {self._seconds:g} s to arrive",
                    headers={"Connection": "close"},
                )
            )
        else:
            self.transport.close()

    def _bound_rest(self) -> None:
        """Let the time run while the rest of a body comes in whose answer has been given."""
        if self.conn.our_state is h11.DONE and self.conn.their_state is h11.SEND_BODY:
            if self._rest_timer is None:
                self._rest_timer = self.loop.call_later(self._seconds, self.transport.close)
        elif self._rest_timer is not None:
            self._rest_timer.cancel()
            self._rest_timer = None

    def _bound_reading(self) -> None:
        if self._reader_timer is None:
            self._unread_bytes = self.transport.get_write_buffer_size()
            self._reader_timer = self.loop.call_later(self._seconds, self._check_reading)

    def _check_reading(self) -> None:
        self._reader_timer = None
        unread = self.transport.get_write_buffer_size()
        if unread > max(0, self._unread_bytes - MIN_READ_BYTES):
            logger.info("an answer was not read: %d bytes dropped", unread)
            self.transport.abort()
        elif unread:
            self._bound_reading()

    def _refuse(self, error: ServiceError) -> None:
        """Answer what can't be read, and close the connection; an answer that has begun ends it."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        has_body = True
        if self.conn.our_state is h11.SEND_RESPONSE:
            has_body = self.scope["method"] != "HEAD"
            # It was in a body: its request is told that nobody waits, and answers no more.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        request_id = uuid.uuid4().hex
        error.headers |= {
            "X-Request-ID": request_id,
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }
        problem = ProblemResponse(error, request_id)
        logger.info(
            Event(
                "request",
                id=request_id,
                method=UNKNOWN_METHOD,
                route=UNKNOWN_PATH,
                status=error.status,
                ms=0,
                outcome=error.code,
            )
        )
        for event in (
            h11.Response(
                status_code=problem.status_code,
                headers=problem.raw_headers,
                reason=http.HTTPStatus(error.status).phrase.encode("ascii"),
            ),
            h11.Data(data=bytes(problem.body) if has_body else b""),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
