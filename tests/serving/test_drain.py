"""A server that is told to stop loses nothing that it has accepted, and ends in bounded time."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from faulty import FAULT, HangingTranslator
from loopback import WAIT_SECONDS, Client, Reply

from service.api.protocol import ProblemProtocol
from service.app import create_app
from service.serving.server import Server
from service.settings import ENVIRONMENT_PREFIX, Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

TESTS = Path(__file__).resolve().parents[1]
SERVE = [sys.executable, "-m", "service.cli", "serve", "--profile", "demo", "--port", "0"]
SERVE_WITH_A_HANGING_ENGINE = f"""
import sys, threading
sys.path.insert(0, {str(TESTS)!r})
from faulty import HangingTranslator
from service.api.protocol import ProblemProtocol
from service.app import create_app
from service.serving import server
from service.settings import Settings

server._END_SECONDS = 2.0
settings = Settings(profile="demo", port=0, drain_seconds=1)
translator = HangingTranslator()
app = create_app(settings, translator=translator)
threading.Thread(target=lambda: (translator.hanging.wait(), print("hangs", flush=True))).start()
# A thread that nothing stops, and that Python waits for at its end.
threading.Thread(target=threading.Event().wait).start()
with server.bind(settings.host, settings.port) as listener:
    server.serve(app, settings, listener, app.state.health, ProblemProtocol)
"""
CLIENTS = 6
TEXT = {"text": "De minister bezoekt maandag de haven. De bouw begint in mei. " * 10}


@contextmanager
def running(app: "FastAPI", settings: Settings) -> Iterator[tuple[Server, Client]]:
    """A server in a thread, which a test can tell to stop; it has ended at the end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(app, settings, app.state.health, ProblemProtocol)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        client = Client(listener.getsockname()[1])
        until(lambda: server.started)
        try:
            yield server, client
        finally:
            server.should_exit = True
            thread.join(WAIT_SECONDS)
            assert not thread.is_alive()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_refused(client: Client) -> bool:
    try:
        client.connect().close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


@pytest.fixture
def translator(
    pool: ThreadPoolExecutor,
) -> Iterator[HangingTranslator]:
    made = HangingTranslator()
    yield made
    made.release.set()


def test_a_stopping_server_is_not_ready_but_still_serves(
    settings: Settings, translator: HangingTranslator
) -> None:
    patient = settings.model_copy(update={"drain_delay_seconds": 3_600})
    with running(create_app(patient, translator=translator), patient) as (server, client):
        assert client.get("/readyz").status == 200
        server.drain()
        reply = client.get("/readyz")
        assert reply.status == 503
        assert reply.headers["content-type"] == "application/problem+json"
        assert int(reply.headers["retry-after"]) >= 1
        assert client.get("/livez").status == 200
        served = client.post("/v1/translate", {"texts": ["Dag."]})
        assert served.status == 200
        assert served.headers["connection"] == "close"


def test_accepted_work_is_finished_and_new_work_refused_in_words(
    settings: Settings, translator: HangingTranslator, pool: ThreadPoolExecutor
) -> None:
    patient = settings.model_copy(update={"drain_seconds": 60})
    with running(create_app(patient, translator=translator), patient) as (server, client):
        with client.connect() as kept, client.connect() as opened:
            kept.sendall(client.request("GET", "/livez"))
            assert client.receive(kept, "GET").status == 200
            opened.sendall(b"POST /v1/translate HTTP/1.1\r\n")
            accepted = pool.submit(client.post, "/v1/translate", {"texts": [FAULT]})
            assert translator.hanging.wait(WAIT_SECONDS)
            server.drain()
            until(lambda: server._health.closed)
            assert is_refused(client)
            body = json.dumps({"texts": ["Dag."]}).encode()
            request = client.request("POST", "/v1/translate", body)
            kept.sendall(request)
            opened.sendall(request.split(b"\r\n", 1)[1])
            for connection in (kept, opened):
                refused = client.receive(connection)
                assert refused.status == 503
                assert refused.json()["code"] == "draining"
                assert refused.headers["connection"] == "close"
                assert int(refused.headers["retry-after"]) >= 1
                assert connection.recv(1) == b""
            assert not accepted.done()
            translator.release.set()
            finished = accepted.result(WAIT_SECONDS)
        assert finished.status == 200
        assert finished.headers["connection"] == "close"


def test_what_the_drain_cannot_wait_for_is_answered(
    settings: Settings, translator: HangingTranslator, pool: ThreadPoolExecutor
) -> None:
    brief = settings.model_copy(update={"drain_seconds": 1})
    with running(create_app(brief, translator=translator), brief) as (server, client):
        waiting = [
            pool.submit(client.post, "/v1/translate", {"texts": [f"{FAULT} {number}"]})
            for number in range(4)
        ]
        assert translator.hanging.wait(WAIT_SECONDS)
        until(lambda: len(server.server_state.tasks) == len(waiting))
        server.drain()
        replies = [request.result(WAIT_SECONDS) for request in waiting]
        translator.release.set()
    assert {reply.status for reply in replies} == {503}
    assert {reply.json()["code"] for reply in replies} == {"draining"}
    assert all(int(reply.headers["retry-after"]) >= 1 for reply in replies)


def test_a_stream_that_the_drain_cannot_wait_for_ends_in_words(
    settings: Settings, translator: HangingTranslator
) -> None:
    brief = settings.model_copy(update={"drain_seconds": 1})
    paragraphs = [*(f"De trein {number} rijdt naar Arnhem." for number in range(70)), FAULT]
    body = json.dumps({"text": "\n\n".join(paragraphs)}).encode()
    with running(create_app(brief, translator=translator), brief) as (server, client):
        with client.connect() as connection:
            accept = {"Accept": "text/event-stream"}
            connection.sendall(client.request("POST", "/v1/articles", body, accept))
            received = connection.recv(65_536)
            assert translator.hanging.wait(WAIT_SECONDS)
            server.drain()
            while chunk := connection.recv(65_536):
                received += chunk
        translator.release.set()
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    last, end = received.rsplit(b"event: ", 1)[1].split(b"\n\n")
    assert end == b"\r\n0\r\n\r\n"
    assert last.startswith(b"error\n")
    assert b'"code": "draining"' in last


def test_idle_connections_do_not_hold_up_the_stop(
    settings: Settings, translator: HangingTranslator
) -> None:
    patient = settings.model_copy(update={"drain_seconds": 60})
    with running(create_app(patient, translator=translator), patient) as (server, client):
        with client.connect() as silent, client.connect() as begun, client.connect() as kept:
            begun.sendall(b"POST /v1/translate HTTP/1.1\r\nHost: kor")
            kept.sendall(client.request("GET", "/livez"))
            assert client.receive(kept, "GET").status == 200
            start = time.monotonic()
            server.drain()
            assert silent.recv(1) == begun.recv(1) == kept.recv(1) == b""
        assert server.drained.wait(WAIT_SECONDS)
    assert time.monotonic() - start < 30


@contextmanager
def process(command: list[str], **variables: str) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """A real server process, ready, and its port."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(ENVIRONMENT_PREFIX)}
    with subprocess.Popen(
        command,
        env=kept | {"CUDA_VISIBLE_DEVICES": ""} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts what is in the background with SIGINT ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as running_process:
        try:
            assert running_process.stdout is not None
            announcement = running_process.stdout.readline()
            assert announcement.startswith("ready on http://127.0.0.1:")
            yield running_process, int(announcement.rsplit(":", 1)[1])
        finally:
            running_process.kill()


class LoadingClient(threading.Thread):
    """Sends articles one after the other on new connections until it is refused one.

    Attributes:
        sent: when each request had left, in seconds of the monotonic clock.
        replies: the answers, in the order of ``sent``.
    """

    def __init__(self, client: Client) -> None:
        super().__init__()
        self.sent: list[float] = []
        self.replies: list[Reply] = []
        self._client = client

    def run(self) -> None:
        request = self._client.request("POST", "/v1/articles", json.dumps(TEXT).encode())
        while not self.replies or self.replies[-1].status:
            try:
                connection = self._client.connect()
            except OSError:
                return
            with connection:
                try:
                    connection.sendall(request)
                    self.sent.append(time.monotonic())
                except OSError:
                    return
                self.replies.append(self._client.receive(connection))


def test_sigterm_under_load_loses_nothing_that_was_accepted() -> None:
    with process(SERVE) as (server, port):
        clients = [LoadingClient(Client(port)) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        until(lambda: sum(len(client.replies) for client in clients) >= 3 * CLIENTS)
        signalled = time.monotonic()
        server.send_signal(signal.SIGTERM)
        for client in clients:
            client.join(WAIT_SECONDS)
        _, errors = server.communicate(timeout=WAIT_SECONDS)
    assert server.returncode == 0
    assert "Traceback" not in errors
    for client in clients:
        accepted = [
            reply.status
            for sent, reply in zip(client.sent, client.replies, strict=True)
            if sent < signalled
        ]
        assert accepted
        assert set(accepted) == {200}
        # Later ones are answered in full, in words or not at all.
        assert {reply.status for reply in client.replies} <= {200, 503, 0}


def test_a_second_signal_ends_the_process_at_once() -> None:
    with process(SERVE, KORTOM_DRAIN_DELAY_SECONDS="3600") as (server, port):
        client = Client(port)
        assert client.get("/readyz").status == 200
        server.send_signal(signal.SIGTERM)
        until(lambda: client.get("/readyz").status == 503)
        server.send_signal(signal.SIGINT)
        _, errors = server.communicate(timeout=WAIT_SECONDS)
    assert server.returncode == 128 + signal.SIGINT
    assert "Traceback" not in errors


def test_a_hanging_engine_does_not_hold_up_the_end(pool: ThreadPoolExecutor) -> None:
    with process([sys.executable, "-c", SERVE_WITH_A_HANGING_ENGINE]) as (server, port):
        waiting = pool.submit(Client(port).post, "/v1/translate", {"texts": [FAULT]})
        assert server.stdout is not None
        assert server.stdout.readline() == "hangs\n"
        server.send_signal(signal.SIGTERM)
        reply = waiting.result(WAIT_SECONDS)
        _, errors = server.communicate(timeout=WAIT_SECONDS)
    assert reply.status == 503
    assert server.returncode == 0
    assert "Traceback" not in errors
