"""The server process: its socket, its announcement, its signals and its drain."""

import asyncio
import logging
import os
import resource
import signal
import socket
import threading
import time
from contextlib import suppress
from types import FrameType

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import HANDLED_SIGNALS

from service.errors import StartupError
from service.serving.health import Health
from service.settings import Settings

logger = logging.getLogger(__name__)

KEEP_ALIVE_SECONDS = 5
"""How long a connection may lie idle between two requests."""
MAX_OPEN_FILES = 16_384
"""Descriptors that the process gives itself where it may: one for every connection."""
_WAITING_CONNECTIONS = 2_048
"""Connections that the kernel keeps while the event loop is busy."""
_ACCEPTED_TOGETHER = 16
"""Of these, how many are taken before their protocols are asked; asyncio also tries, and logs, that
often when no open file is left."""
_SETTLE_SECONDS = 0.1
"""After the listener is closed: the time to read what was sent to it before."""
_LOOK_SECONDS = 0.02
"""During the drain: between two looks at whether everything has finished."""
_FLUSH_SECONDS = 1
"""After the drain: the time for the last answers to leave."""
_END_SECONDS = 5.0
"""After the drain: how long threads may hold up the end of the process."""


class Server(uvicorn.Server):
    """uvicorn, with an announcement and a drain in steps.

    Told to stop, it turns readiness red at once and serves on for ``drain_delay_seconds``, so that
    balancers notice before connections are refused. Then it stops listening and lets accepted
    requests, and articles of jobs, finish for at most ``drain_seconds``; what is left is cancelled.

    Args:
        app: the application.
        settings: see ``Settings``.
        health: told when the server drains.
        protocol: speaks HTTP on one connection.

    Attributes:
        drained: set when no accepted request is worked on any more.
    """

    def __init__(
        self, app: ASGIApp, settings: Settings, health: Health, protocol: type[asyncio.Protocol]
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=protocol,
                ws="none",
                access_log=False,
                log_config=None,
                backlog=_ACCEPTED_TOGETHER,
                loop="asyncio",  # not whatever other loop the environment holds
                log_level=settings.log_level,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=_FLUSH_SECONDS,
            )
        )
        self.drained = threading.Event()
        self._settings = settings
        self._health = health
        self._closes_at = 0.0

    def drain(self) -> None:
        """Begin to stop; safe in a signal handler and from other threads."""
        self._closes_at = time.monotonic() + self._settings.drain_delay_seconds
        self._health.draining = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's
        """The first signal drains; the next one ends the process at once, as a shell reports it.

        uvicorn's own handler raises the signal again after a clean stop; a drained stop is no
        failure, so the process ends with 0.
        """
        if self._health.draining:
            os._exit(128 + sig)
        self.drain()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn; says where it listens, once it does."""
        await super().startup(sockets)
        for listener in sockets or []:
            listener.listen(_WAITING_CONNECTIONS)
            host, port = listener.getsockname()[:2]
            print(f"ready on http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)

    async def on_tick(self, counter: int) -> bool:
        """See uvicorn, which asks ten times a second whether to stop."""
        if self._health.draining and time.monotonic() >= self._closes_at:
            self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, let accepted requests finish, cancel what is late, close the rest.

        uvicorn would close idle connections first; here they stay open until the work is done, so
        that a request sent on one just then is refused in words.
        """
        self._health.draining = True
        for server in self.servers:
            server.close()
        await asyncio.sleep(_SETTLE_SECONDS)
        self._health.closed = True
        requests = self.server_state.tasks
        logger.info("draining: %d requests to finish", len(requests))
        ends = time.monotonic() + self._settings.drain_seconds
        while (requests or self._health.working()) and time.monotonic() < ends:
            await asyncio.sleep(_LOOK_SECONDS)
        if requests:
            logger.warning("%d requests outlived the drain and are cancelled", len(requests))
        for request in set(requests):
            request.cancel()
        self.drained.set()
        await super().shutdown(sockets)


def serve(
    app: ASGIApp,
    settings: Settings,
    listener: socket.socket,
    health: Health,
    protocol: type[asyncio.Protocol],
) -> None:
    """Listen until SIGTERM or SIGINT and drain; called on the main thread, at the end of which
    the process ends.

    Args:
        app: the application.
        settings: see ``Settings``.
        listener: from :func:`bind`.
        health: told when the server drains.
        protocol: speaks HTTP on one connection.
    """
    raise_file_limit()
    server = Server(app, settings, health, protocol)
    # Set here too, so that they hold until the process has ended, not only until uvicorn has.
    for number in HANDLED_SIGNALS:
        signal.signal(number, server.handle_exit)
    threading.Thread(target=_end, args=[server.drained], name="end", daemon=True).start()
    server.run(sockets=[listener])


def _end(drained: threading.Event) -> None:
    """End the process some seconds after the drain, whatever still hangs: an engine's thread
    can't be stopped, and Python would wait for it."""
    drained.wait()
    time.sleep(_END_SECONDS)
    logger.warning("a thread did not stop: the process ends without it")
    os._exit(0)


def bind(host: str, port: int) -> socket.socket:
    """A socket bound but not yet listening: a taken port is found before the models are loaded.

    Args:
        host: name or address, IPv4 or IPv6.
        port: 0 takes a free one.

    Raises:
        StartupError: the address can't be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as exc:
        raise StartupError(f"can't listen on {host} port {port}: {exc.strerror}") from None
    return listener


def raise_file_limit() -> None:
    """Raise the soft limit of open files to the hard one, at most :data:`MAX_OPEN_FILES`.

    The usual soft limit is 1,024, which so many idle connections would use up.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # A system may know a lower limit than it says.
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
