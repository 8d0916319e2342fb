"""A real receiver of webhooks on loopback, over HTTP or HTTPS, that answers what a test wants."""

import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class Message:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class WebhookReceiver:
    """Where it listens, what came, and how it answers.

    Attributes:
        answer: gets the connection after each message; writes a whole answer, or less.
    """

    url: str
    port: int
    messages: "queue.Queue[Message]" = field(default_factory=queue.Queue)
    answer: Callable[[socket.socket], None] = field(default=lambda _: None)

    def says(self, status: str, *headers: str, body: bytes = b"") -> None:
        """From now on this answer."""
        head = "\r\n".join([f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}"])
        data = head.encode() + b"\r\n\r\n" + body
        self.answer = lambda connection: connection.sendall(data)

    def message(self) -> Message:
        return self.messages.get(timeout=WAIT_SECONDS)


@contextmanager
def webhook_receiver(context: ssl.SSLContext | None = None) -> Iterator[WebhookReceiver]:
    """Listens; with TLS where there is a context; answers 204 unless told otherwise."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.messages.put(Message(self.path, dict(self.headers), body))
            self.close_connection = True
            with suppress(OSError):  # the caller may have heard enough
                receiver.answer(self.connection)

        def do_GET(self) -> None:
            raise AssertionError("a redirect was followed")

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a caller that refuses the certificate

    server = Server(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    port = server.server_port
    scheme = "http" if context is None else "https"
    receiver = WebhookReceiver(f"{scheme}://localhost:{port}/hook?key=geheim-pad", port)
    receiver.says("204 No Content")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(WAIT_SECONDS)
