"""Errors as ``application/problem+json`` (RFC 9457), request ids, and one account per request."""

import asyncio
import json
import logging
import re
import uuid
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from opentelemetry.trace import INVALID_SPAN
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import tracing
from service.api.account import Account
from service.api.hosts import check_host
from service.errors import (
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    RequestError,
    ServiceError,
)
from service.logs import Event, describe
from service.serving.health import Health
from service.serving.metrics import Metrics

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
MAX_HEADER_BYTES = 16_384
"""Of all headers together; the HTTP parser's own limit holds only for what comes in pieces."""
CLOSE = (b"connection", b"close")
RETRY_SECONDS = "5"
"""``Retry-After`` of a server that stops or is broken: by then another one has its place."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")
_MAX_LOC_CHARACTERS = 80
_FIELD_CODES = {"extra_forbidden": "unknown_field", "string_unicode": "invalid_unicode"}
_OWN_CODES = {"text_empty", "invalid_unicode", "glossary_invalid"}


class ProblemResponse(Response):
    """A :class:`ServiceError` as problem+json; ``instance`` is the request id."""

    media_type = MEDIA_TYPE

    def __init__(self, error: ServiceError, instance: str) -> None:
        # ASCII only: a lone surrogate in a field name must not break the answer that reports it.
        body = json.dumps(problem(error, instance), ensure_ascii=True, allow_nan=False).encode()
        super().__init__(body, status_code=error.status, headers=error.headers)


class RequestContext:
    """ASGI middleware around all routes: request id, account, last line of error handling.

    Args:
        app: what answers.
        metrics: where requests are counted.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        method = scope["method"]
        if method == "HEAD":
            # Every GET route answers HEAD too (RFC 9110, 9.1); uvicorn leaves the body out.
            scope = {**scope, "method": "GET"}
        health: Health = scope["app"].state.health
        account = Account(request_id, method, scope, self._metrics)
        scope.setdefault("state", {}).update(request_id=request_id, account=account)

        async def receive_noting() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect" and not account.answer_sent:
                account.client_gone = True
            return message

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                account.status = message["status"]
                headers = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode("ascii")),
                    (b"x-content-type-options", b"nosniff"),
                ]
                if all(name != b"cache-control" for name, _ in headers):
                    headers.append((b"cache-control", b"no-store"))
                if health.draining and CLOSE not in headers:
                    headers.append(CLOSE)
                message["headers"] = headers
            elif not message.get("more_body", False):
                account.answer_sent = True
            await send(message)

        async def answer(error: ServiceError) -> None:
            account.outcome = error.code
            if not account.status:
                await ProblemResponse(error, request_id)(scope, receive, send_with_id)

        with nullcontext(INVALID_SPAN) if account.is_probe else tracing.request(scope) as span:
            try:
                _check_open(health)
                _check_headers(scope)
                check_host(scope, scope["app"].state.settings)
                await self._app(scope, receive_noting, send_with_id)
            except ServiceError as error:
                if error.status == 500:
                    log_failure(request_id, error)
                await answer(error)
            except asyncio.CancelledError:  # the server cancels what outlives the drain
                await answer(stopping())
            except Exception as exc:  # the last line: whatever a bug raises is one request's 500
                log_failure(request_id, exc)
                await answer(
                    ServiceError("an internal error; the log has more under this request id")
                )
            finally:
                account.close(span)


def problem(error: ServiceError, instance: str | None = None) -> dict[str, Any]:
    """The members of an error's problem document; without ``instance`` where it is of no request,
    as the ``error`` of a row."""
    document: dict[str, Any] = {
        "type": f"urn:kortom:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
    }
    if instance is not None:
        document["instance"] = instance
    if error.errors:
        document["errors"] = error.errors
    return document


def stopping() -> Overloaded:
    """The answer to what a stopping server takes no more, or can't wait for."""
    return Overloaded(
        "the server is stopping", code="draining", headers={"Retry-After": RETRY_SECONDS}
    )


def install(app: FastAPI, metrics: Metrics) -> None:
    """Give the framework's own errors the one shape, and count requests."""

    def answer(request: Request, error: ServiceError) -> Response:
        request.state.account.outcome = error.code
        return ProblemResponse(error, request.state.request_id)

    async def http_error(request: Request, exc: Any) -> Response:
        return answer(request, _from_http(exc, request))

    async def validation_error(request: Request, exc: Any) -> Response:
        return answer(request, invalid(exc.errors()))

    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, validation_error)
    app.add_middleware(RequestContext, metrics=metrics)


def _check_open(health: Health) -> None:
    if health.closed:
        raise stopping()


def _check_headers(scope: Scope) -> None:
    names = {name for name, _ in scope["headers"]}
    if {b"content-length", b"transfer-encoding"} <= names:
        # Where a proxy reads the one and we the other, a second request hides in the body.
        raise RequestError(
            "Content-Length and Transfer-Encoding exclude each other",
            headers={"Connection": "close"},
        )
    if sum(len(name) + len(value) for name, value in scope["headers"]) > MAX_HEADER_BYTES:
        raise RequestError(
            f"the headers are over {MAX_HEADER_BYTES} bytes",
            code="headers_too_large",
            headers={"Connection": "close"},
        )


def _request_id(scope: Scope) -> str:
    """The caller's ``X-Request-ID`` when it is harmless in a log line, else a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text = value.decode("latin-1")
            if _REQUEST_ID.fullmatch(text):
                return str(text)
    return uuid.uuid4().hex


def _from_http(exc: HTTPException, request: Request) -> ServiceError:
    headers: Mapping[str, str] = exc.headers or {}
    match exc.status_code:
        case 404:
            return NotFound("no such path")
        case 405:
            # The router names the methods of the first route of the path alone.
            taken = ", ".join(
                method
                for method in _METHODS
                for scope in ({**request.scope, "method": method},)
                if any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)
            )
            return MethodNotAllowed(f"this path takes {taken}", headers={**headers, "Allow": taken})
        case _:
            return RequestError("the request can't be read", headers=headers)


def invalid(found: Sequence[Any]) -> InvalidRequest:
    """Field errors with where and why, never with the input itself.

    Args:
        found: as pydantic lists them, each ``loc`` with what holds the field (``body``) in front.
    """
    errors = []
    for item in found:
        kind = str(item["type"])
        code = kind if kind in _OWN_CODES else _FIELD_CODES.get(kind, "validation_error")
        location = ".".join(str(part) for part in item["loc"][1:])
        errors.append(
            {
                "loc": location[:_MAX_LOC_CHARACTERS],
                "code": code,
                "detail": str(item["msg"])[:200],
            }
        )
    first = errors[0]
    place = f"{first['loc']}: " if first["loc"] else ""
    return InvalidRequest(f"{place}{first['detail']}", code=first["code"], errors=errors[:20])


def log_failure(request_id: str, error: Exception) -> None:
    """One line about a failure that is the service's own; never the error's message."""
    logger.error(Event("failure", id=request_id, exception=describe(error)))
