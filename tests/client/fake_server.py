"""A fake server that answers with the bytes of a script, or passes a request on to a real one."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesHeaderParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loopback import Client

WAIT_SECONDS = 30.0
LAST = b"0\r\n\r\n"


@dataclass(frozen=True)
class Passed:
    """The real answer of ``server``, its first ``length`` bytes; then the connection breaks."""

    server: "Client"
    length: int | None = None


@dataclass(frozen=True)
class Silence:
    """These bytes, and then nothing until the caller hangs up."""

    data: bytes = b""


@dataclass
class FakeServer:
    """One connection per answer of the script; remembers the requests that came."""

    url: str
    requests: list[bytes] = field(default_factory=list)


def answer(status: int, body: bytes, media_type: str = "application/json", **headers: str) -> bytes:
    """A whole answer; ``Retry_After`` stands for ``Retry-After``."""
    lines = {"Content-Type": media_type, "Content-Length": str(len(body)), "Connection": "close"}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Said So\r\n{head}\r\n".encode() + body


@contextmanager
def fake_server(*script: bytes | Passed | Silence) -> Iterator[FakeServer]:
    """Serve the script; all of it must have been asked for."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(WAIT_SECONDS)
        server = FakeServer(f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread = threading.Thread(target=_serve, args=(listener, script, server), daemon=True)
        thread.start()
        yield server
        thread.join(WAIT_SECONDS)
        assert not thread.is_alive()
        assert len(server.requests) == len(script)


def _serve(
    listener: socket.socket, script: Sequence[bytes | Passed | Silence], server: FakeServer
) -> None:
    for step in script:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(WAIT_SECONDS)
            request = _request(connection)
            server.requests.append(request)
            match step:
                case Passed(real, length):
                    request = request.replace(b"Connection: keep-alive", b"Connection: close")
                    connection.sendall(real.send_and_drain(request)[:length])
                case Silence(data):
                    connection.sendall(data)
                    while connection.recv(65536):
                        pass
                case _:
                    connection.sendall(step)


def _request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    fields = BytesHeaderParser().parsebytes(head.partition(b"\r\n")[2])
    length = int(fields.get("Content-Length", 0))
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body
