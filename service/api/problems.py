"""Errors as ``application/problem+json`` (RFC 9457), request ids, and one log line per request."""

import asyncio
import json
import logging
import re
import time
import traceback
import uuid
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import (
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    Overloaded,
    RequestError,
    ServiceError,
)

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
MAX_HEADER_BYTES = 16_384
"""Of all headers together; the HTTP parser's own limit holds only for what comes in pieces."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MAX_LOC_CHARACTERS = 80
_FIELD_CODES = {"extra_forbidden": "unknown_field", "string_unicode": "invalid_unicode"}
_OWN_CODES = {"text_empty", "invalid_unicode", "glossary_invalid"}


class ProblemResponse(Response):
    """A :class:`ServiceError` as problem+json; ``instance`` is the request id."""

    media_type = MEDIA_TYPE

    def __init__(self, error: ServiceError, instance: str) -> None:
        problem: dict[str, Any] = {
            "type": f"urn:kortom:problem:{error.code}",
            "title": error.title,
            "status": error.status,
            "detail": error.detail,
            "code": error.code,
            "instance": instance,
        }
        if error.errors:
            problem["errors"] = error.errors
        # ASCII only: a lone surrogate in a field name must not break the answer that reports it.
        body = json.dumps(problem, ensure_ascii=True, allow_nan=False).encode("ascii")
        super().__init__(body, status_code=error.status, headers=error.headers)


class RequestContext:
    """ASGI middleware around all routes: request id, last line of error handling, request log."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        if scope["method"] == "HEAD":
            # Every GET route answers HEAD too (RFC 9110, 9.1); uvicorn leaves the body out.
            scope = {**scope, "method": "GET"}
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0
        start = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode("ascii")),
                    (b"x-content-type-options", b"nosniff"),
                    (b"cache-control", b"no-store"),
                ]
            await send(message)

        try:
            _check_headers(scope)
            await self._app(scope, receive, send_with_id)
        except ServiceError as error:
            if error.status == 500:
                _log_failure(request_id, error)
            if not status:
                await ProblemResponse(error, request_id)(scope, receive, send_with_id)
        except asyncio.CancelledError:  # uvicorn cancels what outlives the drain
            if not status:
                stopping = Overloaded(
                    "the server is stopping",
                    code="shutting_down",
                    headers={"Connection": "close", "Retry-After": "5"},
                )
                await ProblemResponse(stopping, request_id)(scope, receive, send_with_id)
        except Exception as exc:  # the last line: whatever a bug raises is one request's 500
            _log_failure(request_id, exc)
            if not status:
                internal = ServiceError("an internal error; the log has more under this request id")
                await ProblemResponse(internal, request_id)(scope, receive, send_with_id)
        finally:
            route = scope.get("route")
            logger.info(
                "request id=%s method=%s route=%s status=%d ms=%.0f",
                request_id,
                scope["method"] if scope["method"].isalpha() else "?",
                getattr(route, "path", "-"),
                status,
                (time.perf_counter() - start) * 1000,
            )


def install(app: FastAPI) -> None:
    """Give the framework's own errors the one shape, and describe it in OpenAPI."""

    async def http_error(request: Request, exc: Any) -> Response:
        return ProblemResponse(_from_http(exc), request.state.request_id)

    async def validation_error(request: Request, exc: Any) -> Response:
        return ProblemResponse(_from_validation(exc), request.state.request_id)

    def openapi() -> dict[str, Any]:
        # FastAPI writes the schema of every documented answer under application/json.
        document = FastAPI.openapi(app)
        for path in document["paths"].values():
            for operation in path.values():
                for status, response in operation["responses"].items():
                    content = response.get("content", {})
                    if not status.startswith("2") and "application/json" in content:
                        content[MEDIA_TYPE] = content.pop("application/json")
        return document

    # FastAPI documents this assignment as the way to extend the schema.
    app.openapi = openapi  # type: ignore[method-assign]
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, validation_error)
    app.add_middleware(RequestContext)


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


def _from_http(exc: HTTPException) -> ServiceError:
    headers: Mapping[str, str] = exc.headers or {}
    match exc.status_code:
        case 404:
            return NotFound("no such path")
        case 405:
            return MethodNotAllowed(
                f"this path takes {headers.get('Allow', 'another method')}", headers=headers
            )
        case _:
            return RequestError("the request can't be read", headers=headers)


def _from_validation(exc: RequestValidationError) -> InvalidRequest:
    """Field errors with where and why, never with the input itself."""
    errors = []
    for item in exc.errors():
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


def _log_failure(request_id: str, exc: Exception) -> None:
    """Where it broke, without the messages of the exceptions: they may quote an article."""
    chain: list[str] = []
    current: BaseException | None = exc
    while current is not None:
        frames = "".join(traceback.format_tb(current.__traceback__))
        chain.append(f"{type(current).__name__}\n{frames}")
        current = current.__cause__ or current.__context__
    logger.error("request id=%s failed: %s", request_id, "caused by ".join(chain))
