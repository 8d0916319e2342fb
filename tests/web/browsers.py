"""A page that is watched, files dropped on it, and a connection that can be cut."""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, expect

WAIT_MS = 20_000
expect.set_options(timeout=WAIT_MS)

# Kept for the end of the test: what the browser forbade.
_WATCH_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation",
    (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
"""


@contextmanager
def watched_page(browser: Browser, port: int, **options: object) -> Iterator[Page]:
    """The page of a server in a new, empty browser context with these options.

    In the end, the page must have asked no other origin for anything, broken no rule of its
    Content-Security-Policy, raised nothing, kept nothing, and still be at its own address.
    """
    wrong: list[str] = []
    origin = f"http://127.0.0.1:{port}/"

    def check(url: str) -> None:
        if not url.startswith((origin, f"blob:{origin}")) or "?" in url:
            wrong.append(f"asked for {url}")

    context = browser.new_context(permissions=["clipboard-write"], **options)  # type: ignore[arg-type]
    context.set_default_timeout(WAIT_MS)
    context.add_init_script(_WATCH_VIOLATIONS)
    page = context.new_page()
    page.on("pageerror", lambda error: wrong.append(f"raised: {error}"))
    page.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
    page.on("request", lambda request: check(request.url))
    page.goto(origin)
    yield page
    wrong += page.evaluate("window.violations")
    assert not wrong
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [
        0,
        0,
        "",
    ]
    assert page.url in (origin, f"{origin}#article")  # the skip link
    context.close()


def drop(page: Page, name: str, data: bytes) -> None:
    """Drop a file somewhere on the page."""
    transfer = page.evaluate_handle(
        """([name, bytes]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], name));
            return transfer;
        }""",
        [name, list(data)],
    )
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event("body", event, {"dataTransfer": transfer})


class Line:
    """Connections from a port of its own to that of a server, for as long as they are not cut."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._stopped = threading.Event()
        self._cut = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> "Line":
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self.cut()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def cut(self) -> None:
        """Break all connections; later ones work."""
        self._cut.set()
        self._cut = threading.Event()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            if select.select([self._listener], [], [], 0.05)[0]:
                client, _ = self._listener.accept()
                thread = threading.Thread(target=self._forward, args=[client, self._cut])
                self._threads.append(thread)
                thread.start()

    def _forward(self, client: socket.socket, cut: threading.Event) -> None:
        with client, socket.create_connection(("127.0.0.1", self._server_port)) as server:
            other = {client: server, server: client}
            while not cut.is_set() and not self._stopped.is_set():
                for source in select.select(list(other), [], [], 0.05)[0]:
                    data = source.recv(65536)
                    if not data:
                        return
                    other[source].sendall(data)
