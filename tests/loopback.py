"""A real server on a loopback port, and a client that sends exactly the bytes it is given."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from leaks import WATCH, Watched

from service.api.protocol import ProblemProtocol
from service.serving.server import Server

WAIT_SECONDS = 60.0


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
        if response.status >= 400:
            WATCH.came_out(f"answer {response.status}", body.decode("utf-8", "replace"))
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
    """The app behind uvicorn in a thread, as ``service.app.serve`` runs it, watched for leaks."""
    app.add_middleware(Watched)
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
