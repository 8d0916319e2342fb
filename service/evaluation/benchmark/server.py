"""A real server process under the benchmark's clients."""

import http.client
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from service.errors import StartupError

HOST = "127.0.0.1"
START_SECONDS = 120.0
"""How long the server may take to become ready before the benchmark gives up."""


@dataclass(frozen=True)
class Server:
    """A running server and how long its start took."""

    port: int
    pid: int
    ready_seconds: float


@contextmanager
def serve(
    command: Sequence[str],
    *,
    ready_path: str = "/readyz",
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Iterator[Server]:
    """A real server process on a free port, ready; stopped at the end.

    Args:
        command: starts it; ``--host`` and ``--port`` are added.
        ready_path: answers 200 when it is ready.
        environment: variables on top of this process's.
        directory: where it runs; here by default.

    Raises:
        StartupError: it did not become ready.
    """
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryFile() as log:
        start = time.perf_counter()
        arguments = [*command, "--host", HOST, "--port", str(port)]
        process = subprocess.Popen(  # noqa: S603 - ours, or one that the user named
            arguments,
            stdout=log,
            stderr=log,
            env={**os.environ, **(environment or {})},
            cwd=directory,
        )
        try:
            while not _is_ready(port, ready_path):
                waited = time.perf_counter() - start
                if process.poll() is not None or waited > START_SECONDS:
                    log.seek(0)
                    said = log.read().decode(errors="replace").strip().splitlines()[-1:]
                    raise StartupError(f"the server did not become ready: {''.join(said)}")
                time.sleep(0.02)
            yield Server(port, process.pid, time.perf_counter() - start)
        finally:
            process.terminate()
            process.wait(timeout=60)


def connect(port: int) -> http.client.HTTPConnection:
    """A connection of a client to the server on that port, made when it is used."""
    return http.client.HTTPConnection(HOST, port, timeout=300)


def _is_ready(port: int, path: str) -> bool:
    connection = connect(port)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
