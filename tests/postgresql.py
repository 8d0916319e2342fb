"""A PostgreSQL server of the tests' own, and a fresh database in it for each test."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from programs import missing

from service.storage.database import open_database

TEMPLATE = "kortom_template"
_DEBIAN = Path("/usr/lib/postgresql")


class PostgreSQL:
    """A running server.

    Attributes:
        directory: its data.
        url: of the server, without a database.
    """

    def __init__(self, directory: Path, port: int) -> None:
        self.directory = directory
        self.url = f"postgresql://postgres@127.0.0.1:{port}"
        self._port = port
        self._made = 0

    def start(self) -> None:
        """Start it and wait until it answers."""
        # Without fsync it survives what a test can do to it, and is many times faster.
        options = (
            f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' "
            "-c fsync=off"
        )
        log = self.directory / "log"
        _run("pg_ctl", "-D", self.directory, "-l", log, "-w", "-t", "60", "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop it; ``immediate`` is a crash."""
        _run("pg_ctl", "-D", self.directory, "-w", "-t", "60", "-m", mode, "stop")

    def create(self, *, migrated: bool = True) -> str:
        """The URL of a new database, with the tables or empty."""
        self._made += 1
        name = f"test_{self._made}"
        template = TEMPLATE if migrated else "template0"
        self._command(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return f"{self.url}/{name}"

    def make_template(self) -> None:
        """Make the database that the others are copies of."""
        self._command(f'CREATE DATABASE "{TEMPLATE}"')
        open_database(f"{self.url}/{TEMPLATE}").close()

    def _command(self, text: str) -> None:
        url = f"{self.url}/postgres".replace("postgresql:", "postgresql+psycopg:")
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            connection.exec_driver_sql(text)


@contextmanager
def run_postgresql() -> Iterator[PostgreSQL]:
    """A server in a directory of its own; skips, or fails, where PostgreSQL is not installed."""
    try:
        _program("initdb")
    except FileNotFoundError as error:
        missing(str(error))
    # Not pytest's directory: only the tests' own user may look into that.
    with tempfile.TemporaryDirectory(prefix="kortom-postgresql-") as name:
        directory = Path(name) / "data"
        if os.getuid() == 0:
            shutil.chown(name, "postgres")
        trust = (
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        )
        _run("initdb", "-D", directory, *trust)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = PostgreSQL(directory, port)
        server.start()
        try:
            server.make_template()
            yield server
        finally:
            server.stop("immediate")


def _run(program: str, *arguments: str | Path) -> None:
    user = "postgres" if os.getuid() == 0 else None  # the server refuses root
    done = subprocess.run(
        [_program(program), *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT, user=user, group=user, extra_groups=[] if user else None,
        cwd="/", timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{program} failed: {done.returncode}"


def _program(name: str) -> str:
    """Debian keeps the server's programs of each version in a directory of its own."""
    versions = sorted(_DEBIAN.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    found = str(versions[-1]) if versions else shutil.which(name)
    if found is None:
        raise FileNotFoundError("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    return found
