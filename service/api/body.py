"""Request bodies: UTF-8 JSON, bounded in size, time and depth, read strictly."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from email.message import Message
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from service.api.access import KeyedRoute
from service.errors import (
    ContentTooLarge,
    MalformedBody,
    RequestTimeout,
    UnsupportedMediaType,
)

MAX_KEYS = 1_000
"""Most keys of one object: each unknown one becomes an error of its own, made on the event loop."""
HINT = {"Accept": "application/json"}
"""What every route understands (RFC 9110, 15.5.16)."""
DISCARD_BODIES = 8
"""A body over the limit is read and dropped up to this many times the limit, so that its sender
gets to read the 413; beyond that the connection is simply closed."""


class JSONRoute(KeyedRoute):
    """A route whose body is checked and parsed here before the framework sees it.

    Raises:
        UnsupportedMediaType: not JSON, not UTF-8, or encoded.
        ContentTooLarge: over ``Settings.max_body_bytes``.
        RequestTimeout: slower than ``Settings.body_seconds``.
        MalformedBody: empty, not JSON, too deep, duplicate or too many keys, NaN or
            Infinity.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See ``fastapi.routing.APIRoute``."""
        handler = super().get_route_handler()
        if self.body_field is None:
            return handler

        async def handle(request: Request) -> Response:
            if media_type(request).get_content_type() != "application/json":
                raise UnsupportedMediaType("the body must be application/json", headers=HINT)
            body = await read_body(request)
            return await handler(_ParsedRequest(request, body, parse_json(body)))

        return handle


class _ParsedRequest(Request):
    """A request whose body has been read and parsed."""

    def __init__(self, request: Request, body: bytes, document: Any) -> None:
        super().__init__(request.scope, request.receive)
        self._body, self._document = body, document

    async def body(self) -> bytes:
        return self._body

    async def json(self) -> Any:
        return self._document


def parse_json(body: bytes) -> Any:
    """The one JSON document in ``body``, by the strict reading of RFC 8259.

    Raises:
        MalformedBody: see :class:`JSONRoute`.
    """
    if not body.strip():
        raise MalformedBody("the body is empty", code="empty_body")
    try:
        return DECODER.decode(body.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise MalformedBody("the body is not UTF-8") from None
    except RecursionError:
        raise MalformedBody("the body is nested too deeply", code="too_deep") from None
    except ValueError as exc:
        where = f" at character {exc.pos}" if isinstance(exc, json.JSONDecodeError) else ""
        raise MalformedBody(f"the body is not valid JSON{where}") from None


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_KEYS:
        raise MalformedBody("an object of the body has too many keys", code="too_many_keys")
    document = dict(pairs)
    if len(document) != len(pairs):
        raise MalformedBody("an object of the body has a key twice", code="duplicate_key")
    return document


def _number(text: str) -> float | int:
    """JSON has one kind of number: 3.0 is the integer 3 (JSON Schema Validation, 6.1.1)."""
    number = float(text)
    return int(number) if number.is_integer() else number


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedBody(f"{name} is not JSON")


DECODER = json.JSONDecoder(
    object_pairs_hook=_unique_keys, parse_constant=_refuse_constant, parse_float=_number
)
"""Reads strictly; what it raises is told of in :func:`parse_json`."""


def media_type(request: Request) -> Message:
    """The type of the body, its charset and encoding checked; ``text/plain`` without a header.

    Raises:
        UnsupportedMediaType: not UTF-8, encoded, or of two types.
    """
    header = Message()
    types = request.headers.getlist("content-type")
    if len(types) > 1:
        raise UnsupportedMediaType("the request has more than one Content-Type", headers=HINT)
    if types:
        header["content-type"] = types[0]
    if header.get_content_charset("utf-8") not in ("utf-8", "utf8"):
        raise UnsupportedMediaType(
            "the body must be UTF-8", code="unsupported_charset", headers=HINT
        )
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise UnsupportedMediaType(
            "the body must not be compressed",
            code="unsupported_encoding",
            headers={"Accept-Encoding": "identity"},
        )
    return header


async def read_body(request: Request) -> bytes:
    """The whole body.

    Raises:
        ContentTooLarge: over ``Settings.max_body_bytes``.
        RequestTimeout: slower than ``Settings.body_seconds``.
        MalformedBody: the connection closed before its end.
    """
    settings = request.app.state.settings
    try:
        async with asyncio.timeout(settings.body_seconds):
            return await _read(request, settings.max_body_bytes)
    except TimeoutError:
        raise RequestTimeout(
            f"the body took longer than {settings.body_seconds:g} s to arrive",
            headers={"Connection": "close"},
        ) from None
    except ClientDisconnect:
        raise MalformedBody("the connection closed before the body was complete") from None


def disconnected(request: Request) -> Callable[[], Awaitable[None]]:
    """Waits until the caller has closed the connection; the body must have been read."""

    async def wait() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            await asyncio.sleep(0)

    return wait


async def _read(request: Request, max_body_bytes: int) -> bytes:
    """The whole body; what is over the limit is dropped as it comes."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= max_body_bytes:
            chunks.append(chunk)
        else:
            chunks.clear()
            if size > DISCARD_BODIES * max_body_bytes:
                break
    if size > max_body_bytes:
        raise ContentTooLarge(
            f"the body is over {max_body_bytes} bytes", headers={"Connection": "close"}
        )
    return b"".join(chunks)
