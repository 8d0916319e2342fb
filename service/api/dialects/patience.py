"""Answers that keep a short-tempered client waiting: white space first, the JSON when it is ready.

DeepL's clients take 5 s (Node) or 10 s (Python) of silence for a failure and send the request
again, up to five times. White space before a JSON document is part of it (RFC 8259, section 2), so
a client that gets some goes on reading, and none has to know.
"""

import asyncio
import json
from collections.abc import Coroutine
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

INTERVAL_SECONDS = 2.0
"""How long a client hears nothing: before the first byte and between white space."""


async def patient_json(work: Coroutine[Any, Any, Any]) -> Response:
    """The JSON document that ``work`` returns, as a 200 answer.

    Up to ``INTERVAL_SECONDS`` nothing is sent, so that what fails quickly (validation, admission)
    is raised here and answered with its own status. After that the answer has begun: if the work
    fails then, the connection is cut short in the middle of the body.

    Args:
        work: makes the document; owned from here on, and cancelled when the answer is not sent.

    Raises:
        ServiceError: whatever ``work`` raises within the first ``INTERVAL_SECONDS``.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task}, timeout=INTERVAL_SECONDS)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if task.done():
        return Response(_dump(task.result()), media_type="application/json")
    return _PatientResponse(task)


class _PatientResponse(Response):
    """Headers at once, a space every ``INTERVAL_SECONDS``, then the document of ``task``."""

    media_type = "application/json"

    def __init__(self, task: asyncio.Future[Any]) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._task = task

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """See ASGI; an error of the work is raised, which leaves the body without its end."""
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            while not self._task.done():
                await send({"type": "http.response.body", "body": b" ", "more_body": True})
                await asyncio.wait({self._task}, timeout=INTERVAL_SECONDS)
            await send({"type": "http.response.body", "body": _dump(self._task.result())})
        finally:
            self._task.cancel()


def _dump(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode("utf-8")
