"""A real server on a loopback port, and a client that sends exactly the bytes it is given."""

import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from fastapi import FastAPI

from service.api.protocol import ProblemProtocol
from service.app import create_app
from service.evaluation.checkpoints import write_marian_checkpoint
from service.models.card import load_card
from service.models.pull import pull
from service.models.store import ModelStore
from service.serving.server import Server
from service.settings import ENVIRONMENT_PREFIX, Settings

# Read when torch is imported: its threads wait for each other, which is slow on busy cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

WAIT_SECONDS = 60.0

# A shared machine may stall for a second: time says nothing about a property. The examples are the
# same in every run; --hypothesis-profile=explore looks for new ones.
PATIENT: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [hypothesis.HealthCheck.too_slow],
}
hypothesis.settings.register_profile("explore", **PATIENT)
hypothesis.settings.register_profile("kortom", derandomize=True, **PATIENT)
hypothesis.settings.load_profile("kortom")

CARD = """---
language: [nl, en]
license: apache-2.0
kortom:
  task: translation
  repository: Helsinki-NLP/opus-mt-nl-en
  revision: main
  architecture: marian
  decoding: {beam_size: 1, max_target_ratio: 1.0, max_target_margin: 0}
  limits: {max_source_tokens: 128, max_target_tokens: 128}
---
Random weights for the tests: small, with short sentences, and as long an answer as the question.
"""


@dataclass(frozen=True)
class Reply:
    """An answer; status 0 when the server closed the connection without one."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Talks to one server; a new connection for every request."""

    def __init__(self, port: int) -> None:
        self.port = port

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_SECONDS)

    def send(self, data: bytes) -> Reply:
        """The first answer to these bytes."""
        with self.connect() as connection:
            _send(connection, data)
            return self.receive(connection, data.split(b" ", 1)[0].decode("latin-1"))

    def send_and_drain(self, data: bytes) -> bytes:
        """Everything that the server says to these bytes until it closes the connection."""
        received = b""
        with self.connect() as connection:
            _send(connection, data)
            try:
                while chunk := connection.recv(65536):
                    received += chunk
            except ConnectionResetError:
                pass
        return received

    @staticmethod
    def receive(connection: socket.socket, method: str = "POST") -> Reply:
        response = http.client.HTTPResponse(connection, method=method)
        try:
            response.begin()
            body = response.read()
        except (ConnectionResetError, http.client.BadStatusLine, http.client.IncompleteRead):
            return Reply(0, {}, b"")
        finally:
            response.close()
        return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, body)

    @staticmethod
    def request(
        method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """A whole request; JSON with its length unless ``headers`` say otherwise."""
        lines = {"Host": "kortom"}
        if body is not None:
            lines |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        lines |= headers or {}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
        return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + (body or b"")

    def get(self, path: str, **headers: str) -> Reply:
        return self.send(self.request("GET", path, headers=headers))

    def post(self, path: str, document: Any, headers: Mapping[str, str] | None = None) -> Reply:
        return self.send(self.request("POST", path, json.dumps(document).encode(), headers))


def _send(connection: socket.socket, data: bytes) -> None:
    # The server may have heard enough; its answer is still there.
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.sendall(data)


@contextmanager
def run_server(app: FastAPI) -> Iterator[Client]:
    """The app behind uvicorn in a thread, as ``service.app.serve`` runs it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(app, app.state.settings, app.state.health, ProblemProtocol)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + WAIT_SECONDS
        while not server.started and thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.started
        try:
            yield Client(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join(WAIT_SECONDS)
            assert not thread.is_alive()


@pytest.fixture(scope="session", autouse=True)
def environment() -> Iterator[None]:
    """No setting comes from outside."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(ENVIRONMENT_PREFIX)]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The light profile with a tiny random model in opus-mt-nl-en's place."""
    directory = tmp_path_factory.mktemp("kortom")
    cards = directory / "cards"
    cards.mkdir()
    (cards / "opus-mt-nl-en.md").write_text(CARD, encoding="utf-8")
    checkpoint = write_marian_checkpoint(
        directory / "checkpoint", d_model=16, layers=1, ffn_dim=32, heads=2
    )
    models = directory / "models"
    pull(load_card("opus-mt-nl-en", cards), ModelStore(models), source=checkpoint)
    return Settings(
        profile="light",
        models_dir=models,
        cards_dir=cards,
        intra_threads=1,
        body_seconds=3,
        drain_seconds=2,
    )


@pytest.fixture(scope="session")
def start_server() -> Callable[[FastAPI], AbstractContextManager[Client]]:
    """Starts a server of one's own: ``with start_server(app) as client``."""
    return run_server


@pytest.fixture(scope="session")
def server(settings: Settings) -> Iterator[Client]:
    """A client of the server that all tests share: real engine, real tokenizer, real HTTP."""
    with run_server(create_app(settings)) as client:
        yield client


@pytest.fixture
def send(server: Client) -> Callable[[bytes], Reply]:
    """Sends raw bytes to the shared server."""
    return server.send


@pytest.fixture(scope="session")
def sample_article() -> str:
    path = Path(__file__).resolve().parents[1] / "seeds" / "sample-article.nl.txt"
    return path.read_text(encoding="utf-8")
