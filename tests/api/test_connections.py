"""Nobody holds a connection, or the others up, by being slow or silent."""

import json
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING

import pytest
from fastapi import FastAPI
from faulty import FAULT, WAIT_SECONDS, HangingTranslator
from starlette.responses import PlainTextResponse

from service.api import protocol
from service.app import create_app
from service.serving import server as server_module
from service.serving.server import raise_file_limit
from service.settings import Settings

if TYPE_CHECKING:
    from loopback import Client

BOUND_SECONDS = 0.5
MANY = 1_000
LARGE_BYTES = 20_000_000


@pytest.fixture(scope="module")
def translator() -> HangingTranslator:
    return HangingTranslator()


@pytest.fixture(scope="module")
def strict_server(
    settings: Settings,
    start_server: Callable[[FastAPI], AbstractContextManager["Client"]],
    translator: HangingTranslator,
) -> Iterator["Client"]:
    """A server that gives everybody half a second; ``/large`` answers more than sockets hold."""
    strict = settings.model_copy(update={"body_seconds": BOUND_SECONDS})
    app = create_app(strict, translator=translator)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server_module, "KEEP_ALIVE_SECONDS", BOUND_SECONDS)

        @app.get("/large")
        async def large() -> PlainTextResponse:
            return PlainTextResponse("x" * LARGE_BYTES)

        with start_server(app) as client:
            yield client


def until_closed(connection: socket.socket) -> bytes:
    """What the server says until it closes the connection."""
    received = b""
    try:
        while chunk := connection.recv(65_536):
            received += chunk
    except ConnectionResetError:
        pass
    return received


def test_a_connection_on_which_nothing_comes_is_closed(strict_server: "Client") -> None:
    start = time.monotonic()
    with strict_server.connect() as connection:
        assert until_closed(connection) == b""
    assert time.monotonic() - start >= BOUND_SECONDS


def test_half_a_head_is_answered_408(strict_server: "Client") -> None:
    with strict_server.connect() as connection:
        connection.sendall(b"POST /v1/articles HTTP/1.1\r\nHost: kor")
        received = until_closed(connection)
    head, body = received.split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert b"\r\nconnection: close\r\n" in head.lower() + b"\r\n"
    problem = json.loads(body)
    assert problem["code"] == "request_timeout"
    assert f"x-request-id: {problem['instance']}".encode() in head.lower()


def test_a_head_that_comes_byte_by_byte_is_not_waited_for(strict_server: "Client") -> None:
    received = b""
    with strict_server.connect() as connection:
        connection.settimeout(0.05)
        for byte in b"GET /livez HTTP/1.1\r\nHost: kortom\r\nX-Long: " + b"x" * 1_000:
            try:
                connection.sendall(bytes([byte]))
                received = connection.recv(65_536)
                break
            except TimeoutError:
                continue
    assert received.startswith(b"HTTP/1.1 408 ")


def test_a_body_that_trickles_on_after_its_answer_is_not_waited_for(
    strict_server: "Client",
) -> None:
    with strict_server.connect() as connection:
        head = {"Content-Type": "text/plain", "Content-Length": "1000000"}
        connection.sendall(strict_server.request("POST", "/v1/articles", b"", head))
        assert strict_server.receive(connection).status == 415
        connection.settimeout(0.05)
        for _ in range(1_000):
            try:
                connection.sendall(b"x")
                if not connection.recv(1):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        else:
            pytest.fail("the connection is still open")


def test_the_rest_of_a_refused_body_may_come_in_time(server: "Client") -> None:
    with server.connect() as connection:
        head = {"Content-Type": "text/plain", "Content-Length": "3"}
        connection.sendall(server.request("POST", "/v1/articles", b"", head))
        assert server.receive(connection).status == 415
        connection.sendall(b"xyz" + server.request("GET", "/livez"))
        assert server.receive(connection, "GET").status == 200


def test_half_a_second_head_is_answered_408_too(server: "Client") -> None:
    with server.connect() as connection:
        connection.sendall(server.request("GET", "/livez"))
        assert server.receive(connection, "GET").status == 200
        connection.sendall(b"GET /livez HTT")
        assert until_closed(connection).startswith(b"HTTP/1.1 408 ")


def test_an_idle_connection_is_closed(strict_server: "Client") -> None:
    with strict_server.connect() as connection:
        connection.sendall(strict_server.request("GET", "/livez"))
        assert strict_server.receive(connection, "GET").status == 200
        assert until_closed(connection) == b""


def test_a_request_may_be_worked_on_for_longer_than_a_head_may_take(
    strict_server: "Client", translator: HangingTranslator
) -> None:
    with strict_server.connect() as connection:
        body = json.dumps({"texts": [FAULT]}).encode()
        connection.sendall(strict_server.request("POST", "/v1/translate", body))
        assert translator.hanging.wait(WAIT_SECONDS)
        connection.settimeout(2 * BOUND_SECONDS)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        translator.release.set()
        connection.settimeout(WAIT_SECONDS)
        assert strict_server.receive(connection).status == 200


def test_a_thousand_idle_connections_are_in_nobodys_way(
    settings: Settings,
    start_server: Callable[[FastAPI], AbstractContextManager["Client"]],
) -> None:
    raise_file_limit()  # both ends of every connection are this process's
    patient = settings.model_copy(update={"body_seconds": 10 * WAIT_SECONDS})
    with start_server(create_app(patient, translator=HangingTranslator())) as client:
        with ExitStack() as stack:
            idle = [stack.enter_context(client.connect()) for _ in range(MANY)]
            for connection in idle[::2]:
                connection.sendall(b"POST /v1/articles HTT")
            assert client.get("/livez").status == 200
            assert client.post("/v1/translate", {"texts": ["Dag."]}).status == 200
            # None of them had to be given up for that.
            ended = select.poll()
            for connection in idle:
                ended.register(connection, select.POLLIN)
            assert not ended.poll(0)
        assert client.get("/livez").status == 200


def test_a_connection_for_which_no_open_file_is_left_is_closed_at_once(
    settings: Settings,
    start_server: Callable[[FastAPI], AbstractContextManager["Client"]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "max_connections", lambda: 1)
    monkeypatch.setattr(server_module, "KEEP_ALIVE_SECONDS", WAIT_SECONDS)
    with start_server(create_app(settings, translator=HangingTranslator())) as client:
        asked = client.request("GET", "/livez")
        with client.connect() as first:
            for _ in range(3):
                first.sendall(asked)
                assert client.receive(first, "GET").status == 200
                assert client.send_and_drain(asked) == b""
        deadline = time.monotonic() + WAIT_SECONDS
        while client.send(asked).status != 200:  # until the server has seen that the first left
            assert time.monotonic() < deadline


def test_an_answer_that_nobody_reads_is_dropped(strict_server: "Client") -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.settimeout(60)
        connection.connect(("127.0.0.1", strict_server.port))
        connection.sendall(strict_server.request("GET", "/large"))
        received = connection.recv(4_096)
        # Others are served while it is not read, and then it is gone.
        start = time.monotonic()
        while time.monotonic() - start < 3 * BOUND_SECONDS:
            assert strict_server.get("/livez").status == 200
            time.sleep(0.1)
        rest = until_closed(connection)
    assert received.startswith(b"HTTP/1.1 200 ")
    assert len(received) + len(rest) < LARGE_BYTES


def test_an_answer_that_is_read_slowly_is_read_to_its_end(strict_server: "Client") -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        connection.settimeout(60)
        connection.connect(("127.0.0.1", strict_server.port))
        connection.sendall(strict_server.request("GET", "/large"))
        received = 0
        start = time.monotonic()
        while chunk := connection.recv(1_000_000):
            received += len(chunk)
            if time.monotonic() - start < 3 * BOUND_SECONDS:
                time.sleep(0.02)
    assert received > LARGE_BYTES
