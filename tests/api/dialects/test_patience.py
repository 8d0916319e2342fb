"""What a client with little patience hears while it waits."""

import asyncio
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from service.api import problems
from service.api.dialects import patience
from service.errors import InferenceError, Overloaded
from service.serving.health import Health
from service.serving.metrics import Metrics
from service.settings import Settings

if TYPE_CHECKING:
    from loopback import Client

INTERVAL_SECONDS = 0.05
WAIT_SECONDS = 30.0


class Kitchen:
    """Work that a test lets go on: its threads' events, and what comes of it."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.ready = threading.Event()
        self.ended = threading.Event()
        self.error: Exception | None = None
        self.was_cancelled = False

    async def cook(self) -> Any:
        self.begun.set()
        try:
            while not self.ready.is_set():
                await asyncio.sleep(INTERVAL_SECONDS / 5)
            if self.error:
                raise self.error
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        finally:
            self.ended.set()
        return {"dish": "appelmoes à la crème"}


@pytest.fixture
def kitchen() -> Kitchen:
    return Kitchen()


@pytest.fixture
def client(
    kitchen: Kitchen,
    settings: Settings,
    start_server: Callable[[FastAPI], AbstractContextManager["Client"]],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator["Client"]:
    """A server with one route whose work the test holds up."""
    monkeypatch.setattr(patience, "INTERVAL_SECONDS", INTERVAL_SECONDS)
    app = FastAPI()
    app.state.settings = settings
    app.state.health = Health([])
    problems.install(app, Metrics())

    @app.post("/dish")
    async def dish(_: Request) -> Response:
        return await patience.patient_json(kitchen.cook())

    with start_server(app) as client:
        yield client


def test_what_is_ready_at_once_is_an_ordinary_answer(client: "Client", kitchen: Kitchen) -> None:
    kitchen.ready.set()
    reply = client.post("/dish", {})
    assert reply.status == 200
    assert reply.headers["content-length"] == str(len(reply.body))
    assert reply.body.startswith(b"{")
    assert reply.headers["content-type"] == "application/json"


def test_whoever_waits_gets_white_space_and_then_the_document(
    client: "Client", kitchen: Kitchen
) -> None:
    with client.connect() as connection:
        connection.sendall(client.request("POST", "/dish", b"{}"))
        response = http.client.HTTPResponse(connection, method="POST")
        response.begin()
        assert response.status == 200
        assert not kitchen.ended.is_set()
        assert response.read(5) == b"     "
        kitchen.ready.set()
        document = response.read()
        response.close()
    assert json.loads(b"     " + document) == {"dish": "appelmoes à la crème"}
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Accel-Buffering"] == "no"


def test_a_quick_failure_keeps_its_status(client: "Client", kitchen: Kitchen) -> None:
    kitchen.error = Overloaded("every place is taken", headers={"Retry-After": "7"})
    kitchen.ready.set()
    reply = client.post("/dish", {})
    assert reply.status == 503
    assert reply.headers["retry-after"] == "7"


@pytest.mark.parametrize("error", [InferenceError("the model failed"), RuntimeError("GEHEIM")])
def test_a_late_failure_is_no_answer_to_any_client(
    client: "Client", kitchen: Kitchen, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    kitchen.error = error
    with client.connect() as connection:
        connection.sendall(client.request("POST", "/dish", b"{}"))
        response = http.client.HTTPResponse(connection, method="POST")
        response.begin()
        assert response.status == 200
        kitchen.ready.set()
        with pytest.raises(http.client.IncompleteRead) as cut:
            response.read()
        response.close()
    assert cut.value.partial.strip() == b""
    assert f"exception={type(error).__name__}" in caplog.text
    assert "GEHEIM" not in caplog.text


def test_a_late_failure_is_no_json_to_a_client_without_chunks(
    client: "Client", kitchen: Kitchen
) -> None:
    kitchen.error = InferenceError("the model failed")
    with client.connect() as connection:
        connection.sendall(b"POST /dish HTTP/1.0\r\nHost: kortom\r\n\r\n")
        head = connection.recv(65_536)
        kitchen.ready.set()
        body = b""
        while chunk := connection.recv(65_536):
            body += chunk
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"{" not in head + body


def test_work_that_the_server_has_no_time_for_is_given_up(
    kitchen: Kitchen, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a stopping server has drained long enough: nothing goes on behind its back."""
    monkeypatch.setattr(patience, "INTERVAL_SECONDS", INTERVAL_SECONDS)

    async def ask(after_the_first_byte: bool) -> None:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def answer() -> None:
            response = await patience.patient_json(kitchen.cook())
            await response({"type": "http"}, None, send)  # type: ignore[arg-type]

        task = asyncio.create_task(answer())
        while not (sent if after_the_first_byte else kitchen.begun.is_set()):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        while not kitchen.ended.is_set():
            await asyncio.sleep(0)

    for after_the_first_byte in (False, True):
        kitchen.__init__()  # type: ignore[misc]
        asyncio.run(asyncio.wait_for(ask(after_the_first_byte), WAIT_SECONDS))
        assert kitchen.was_cancelled
