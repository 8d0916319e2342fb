"""``kortom serve --engine ray`` in a process of its own, as an operator runs it."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from loopback import Client
from pydantic import SecretStr

from service.settings import Settings

KORTOM = [sys.executable, "-m", "service.cli"]
START_SECONDS = 100.0
STOP_SECONDS = 60.0


@dataclass
class RayServer:
    """A running server: its client, its process, and where Ray and it write what they log."""

    client: Client
    process: "subprocess.Popen[bytes]"
    directory: Path

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def logged(self) -> str:
        """All that the command and Ray's processes wrote."""
        files = [path for path in self.directory.rglob("*") if path.is_file()]
        return "".join(
            path.read_text(encoding="utf-8", errors="replace")
            for path in files
            if path.suffix in (".log", ".err", ".out")
        )

    def pids(self, name: str) -> list[int]:
        """Processes of Ray whose title holds ``name``, of this server's cluster."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                title = (entry / "cmdline").read_bytes()
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue  # it has ended
            if name.encode() in title and str(self.directory).encode() in environment:
                found.append(int(entry.name))
        return found


def ray_environment(directory: Path) -> dict[str, str]:
    """An environment for commands with Ray: no settings, and all that Ray writes below here."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("KORTOM_")}
    kept.pop("RAY_ADDRESS", None)
    return kept | {"RAY_TMPDIR": str(directory), "CUDA_VISIBLE_DEVICES": ""}


@contextmanager
def run_ray_server(settings: Settings) -> Iterator[RayServer]:
    """The server with these settings on a free port."""
    # Ray's sockets lie below it, and a socket's path has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="kray", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        flags = []
        for field in settings.model_fields_set - {"port", "engine"}:
            value = getattr(settings, field)
            plain = value.get_secret_value() if isinstance(value, SecretStr) else value
            flags += [f"--{field.replace('_', '-')}", str(plain)]
        with (
            (directory / "kortom.out").open("wb") as out,
            (directory / "kortom.err").open("wb") as err,
        ):
            process = subprocess.Popen(
                [*KORTOM, "serve", "--engine", "ray", "--port", "0", *flags],
                env=ray_environment(directory),
                stdout=out,
                stderr=err,
            )
        try:
            yield RayServer(Client(_port(process, directory)), process, directory)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise


def _port(process: "subprocess.Popen[bytes]", directory: Path) -> int:
    """The port that the server announces."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        said = (directory / "kortom.out").read_text(encoding="utf-8")
        if "ready on" in said:
            return int(said.strip().rpartition(":")[2])
        time.sleep(0.1)
    raise AssertionError((directory / "kortom.err").read_text(encoding="utf-8")[-4_000:])
