"""Calls with either client, and what came of them."""

import asyncio
import dataclasses
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from fake_server import answer

from service.client import AsyncKortom, Kortom, KortomError

TEXT = "De bouw kost 12,5 miljoen euro. Het werk begint in mei.\n\nEr komt een fietspad."
OVERLOADED = {
    "type": "urn:kortom:problem:overloaded",
    "title": "Overloaded",
    "status": 503,
    "detail": "every place is taken",
    "code": "overloaded",
    "instance": "abc",
}
PROBLEM = "application/problem+json"


def problem(status: int = 503, **headers: str) -> bytes:
    return answer(status, json.dumps(OVERLOADED | {"status": status}).encode(), PROBLEM, **headers)


class Caller:
    """Makes one call with either client.

    Attributes:
        pauses: seconds that the client wanted to wait before its retries.
        in_pause: called instead of waiting.
    """

    def __init__(self, kind: str, patch: pytest.MonkeyPatch) -> None:
        self.pauses: list[float] = []
        self.in_pause: Callable[[], None] = lambda: None
        self._kind = kind

        def sleep(seconds: float) -> None:
            self.pauses.append(seconds)
            self.in_pause()

        async def sleep_async(seconds: float) -> None:
            sleep(seconds)

        patch.setattr("service.client.connection.time", SimpleNamespace(sleep=sleep))
        patch.setattr("service.client.connection.asyncio", SimpleNamespace(sleep=sleep_async))

    def __call__(
        self, server: str, method: str, *arguments: Any, client: Any = None, **options: Any
    ) -> Any:
        """The answer; for ``stream`` and ``results`` the list of what comes."""
        many = method in ("stream", "results")
        if self._kind == "sync":
            with Kortom(server, **client or {}) as kortom:
                made = getattr(kortom, method)(*arguments, **options)
                return list(made) if many else made

        async def call() -> Any:
            async with AsyncKortom(server, **client or {}) as kortom:
                made = getattr(kortom, method)(*arguments, **options)
                return [part async for part in made] if many else await made

        return asyncio.run(call())


def plain(result: Any) -> Any:
    """A result as JSON says it, without what differs from request to request."""
    document = json.loads(json.dumps(dataclasses.asdict(result)))
    return {name: value for name, value in document.items() if name not in ("id", "timing_ms")}


def refused(call: Caller, *arguments: Any, **options: Any) -> KortomError:
    with pytest.raises(KortomError) as raised:
        call(*arguments, **options)
    return raised.value
