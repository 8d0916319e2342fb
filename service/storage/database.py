"""Units of work on SQLite or PostgreSQL, with the service's own errors."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import filelock
import sqlalchemy as sa
from platformdirs import user_data_path
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from service.errors import DatabaseError, ServiceError, StorageFull, StorageUnavailable, one_line
from service.storage import revisions

BUSY_SECONDS = 5.0
"""How long a unit of work waits for another one, for a connection or for a lock."""
STATEMENT_SECONDS = 30
"""Longest time of one statement on PostgreSQL."""
MIGRATION_SECONDS = 600
"""Longest time to wait for another server that is migrating, or for one statement of it."""
RETRY_AFTER_SECONDS = 5
_MIGRATION_LOCK = 0x6B6F7274
"""Key of PostgreSQL's advisory lock around migrations: "kort"."""
_BEGIN = "kortom_begin"
"""Execution option: the statement that begins a unit of work on SQLite."""


class Database:
    """A pool of connections; see :func:`open_database`. Safe to use from many threads.

    Attributes:
        is_sqlite: whether it is an SQLite file, else PostgreSQL.
        name: file or server, without user and password, for messages.
    """

    def __init__(self, engine: sa.Engine, name: str) -> None:
        self.is_sqlite = engine.dialect.name == "sqlite"
        self.name = name
        self._engine = engine
        self._writer = self._reader = engine
        if self.is_sqlite:
            self._writer = engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
            self._reader = engine.execution_options(**{_BEGIN: "BEGIN"})
        else:
            self._reader = engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        # SQLite has one writer at a time. Threads wait for their turn here, where they are woken;
        # SQLite's own wait, for other processes, is a sleep that gets longer and longer.
        self._writing = threading.Lock()

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """One unit of work: all of it is kept when the block ends, nothing when it raises.

        Raises:
            StorageFull: the disk is full.
            StorageUnavailable: the database is locked for longer than ``BUSY_SECONDS``, read-only,
                damaged or does not answer.
        """
        with self._turn(), _translated(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """One unit of reading, all of it from the same moment.

        Raises:
            StorageUnavailable: see :meth:`transaction`.
        """
        with _translated(), self._reader.begin() as connection:
            yield connection

    def check(self) -> None:
        """A round trip that writes.

        Raises:
            StorageFull, StorageUnavailable: see :meth:`transaction`.
        """
        with self.transaction() as connection:
            if self.is_sqlite:
                # Writes a page to the log, unlike an update that changes nothing.
                connection.exec_driver_sql("PRAGMA user_version = 0")
            else:
                connection.exec_driver_sql("UPDATE alembic_version SET version_num = version_num")

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._engine.dispose()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self.is_sqlite:
            yield
        elif self._writing.acquire(timeout=BUSY_SECONDS):
            try:
                yield
            finally:
                self._writing.release()
        else:
            raise _unavailable("the database is locked")


def open_database(url: str) -> Database:
    """Open a database, make it where there is none, and bring its schema up to date.

    A schema that is newer than this program is used as it is; see
    :mod:`service.storage.revisions`. Servers that start at the same moment wait for each other.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql://USER:PASSWORD@HOST/NAME``. An SQLite file, and
            its directory, is made when there is none, readable by its owner alone. What is above
            that directory is only made for the user's data directory: elsewhere, a path that is
            not there is a mistake, as a relative one for want of a slash.

    Raises:
        DatabaseError: the database can't be opened or used; one line, without the password.
    """
    database = connect(url)
    try:
        with opening(database):
            with migration(database) as connection:
                revisions.upgrade(connection)
            database.check()
        return database
    except DatabaseError:
        database.close()
        raise


@contextmanager
def opening(database: Database) -> Iterator[None]:
    """Around the first use of a database, of which people read the errors.

    Raises:
        DatabaseError: for every error of the service: the database's name and what is wrong.
    """
    try:
        yield
    except ServiceError as error:
        # Only this says why a server refuses a connection; it does not hold the password.
        cause: BaseException = getattr(error.__context__, "orig", error)
        reason = f" ({one_line(cause)})" if getattr(cause, "sqlstate", "") is None else ""
        raise DatabaseError(f"database {database.name}: {error.detail}{reason}") from None


def connect(url: str) -> Database:
    """A database as it is, whatever its schema.

    Raises:
        DatabaseError: the URL is not one of a database that this program can use.
    """
    try:
        parsed = sa.make_url(url)
    except (ArgumentError, ValueError):
        raise DatabaseError(
            "KORTOM_DATABASE_URL is no URL: sqlite:///FILE or postgresql://HOST/NAME"
        ) from None
    if "@" in (parsed.host or ""):
        # The host would be named in errors, and with it the end of the password.
        raise DatabaseError("the database's URL has an @ in its password: write it as %40")
    driver = parsed.drivername
    if driver == "sqlite":
        return _connect_sqlite(parsed)
    if driver in ("postgresql", "postgres", "postgresql+psycopg"):
        return _connect_postgresql(parsed.set(drivername="postgresql+psycopg"))
    raise DatabaseError(
        f"a database is an sqlite:///FILE or at postgresql://HOST/NAME, not at {driver}"
    )


@contextmanager
def migration(database: Database) -> Iterator[sa.Connection]:
    """A unit of work in which the schema may change; one at a time over all servers.

    Raises:
        StorageFull, StorageUnavailable: see :meth:`Database.transaction`.
    """
    with _alone(database), database.transaction() as connection:
        if not database.is_sqlite:
            for limit in ("lock_timeout", "statement_timeout"):
                connection.exec_driver_sql(f"SET LOCAL {limit} = '{MIGRATION_SECONDS}s'")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        yield connection


def needed_directory(file: Path) -> Path | None:
    """The directory that must be there for an SQLite file, with its own directory, to be made.

    ``None``: none must, as for the user's data directory, the default.
    """
    return None if file.parent == user_data_path("kortom") else file.parent.parent


@contextmanager
def _alone(database: Database) -> Iterator[None]:
    """A lock file beside an SQLite file: its change to a write-ahead log waits for nobody."""
    if not database.is_sqlite:
        yield
        return
    path = Path(database.name)
    with ExitStack() as held:
        try:
            path.parent.mkdir(mode=0o700, parents=needed_directory(path) is None, exist_ok=True)
            lock = filelock.FileLock(f"{path}.lock", timeout=MIGRATION_SECONDS, mode=0o600)
            held.enter_context(lock)
            # Closing a file that SQLite has open in this process would drop SQLite's locks.
            if not path.exists():
                path.touch(mode=0o600)
        except OSError as error:
            raise _unavailable(error.strerror or "another server is opening it") from None
        yield


def _connect_sqlite(url: sa.URL) -> Database:
    if url.database in (None, "", ":memory:") or url.query or url.host:
        raise DatabaseError(
            "an SQLite database is sqlite:///FILE, or sqlite:////FILE from the root"
        )
    path = Path(url.database).expanduser().absolute()
    engine = sa.create_engine(
        url.set(database=str(path)),
        hide_parameters=True,
        pool_timeout=BUSY_SECONDS,
        connect_args={"timeout": BUSY_SECONDS},
    )

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # Python begins nothing by itself
        (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise _unavailable("its disk can't hold a write-ahead log; use a local one")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        # Deleted articles are overwritten, not only forgotten.
        connection.execute("PRAGMA secure_delete = ON")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options()[_BEGIN])

    return Database(engine, str(path))


def _connect_postgresql(url: sa.URL) -> Database:
    options: dict[str, Any] = {
        "client_encoding": "utf8",
        "connect_timeout": int(BUSY_SECONDS),
        # A server that is gone without a word is found out by both together.
        "tcp_user_timeout": 1000 * STATEMENT_SECONDS,
        "keepalives_idle": STATEMENT_SECONDS // 3,
        "keepalives_interval": STATEMENT_SECONDS // 3,
        "options": f"-c lock_timeout={BUSY_SECONDS}s -c statement_timeout={STATEMENT_SECONDS}s "
        f"-c idle_in_transaction_session_timeout={STATEMENT_SECONDS}s",
    }
    try:
        engine = sa.create_engine(
            url,
            hide_parameters=True,
            pool_pre_ping=True,
            pool_timeout=BUSY_SECONDS,
            connect_args={name: value for name, value in options.items() if name not in url.query},
        )
    except ImportError:
        raise DatabaseError(
            "PostgreSQL needs kortom[postgresql]: in the checkout, pip install '.[postgresql]'"
        ) from None

    @sa.event.listens_for(engine, "connect")
    def check(connection: Any, _: Any) -> None:
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":  # it would refuse some articles, each time they are tried
            raise _unavailable(f"its encoding is {encoding}; make one with the encoding UTF8")

    return Database(engine, f"{url.host or 'localhost'}/{url.database or ''}")


@contextmanager
def _translated() -> Iterator[None]:
    """Errors of the driver become the service's; SQL, parameters and values are left behind."""
    try:
        yield
    except DBAPIError as error:
        raise _service_error(error) from None
    except SQLAlchemyError as error:
        raise _unavailable(f"the database can't be used ({type(error).__name__})") from None


def _service_error(error: DBAPIError) -> ServiceError:
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", 0)
        if code & 0xFF == sqlite3.SQLITE_FULL or code == sqlite3.SQLITE_IOERR_SHMSIZE:
            return _full()
        return _unavailable(_SQLITE.get(code & 0xFF, f"the database failed ({_name(cause)})"))
    state = getattr(cause, "sqlstate", None)
    if state == _DISK_FULL:
        return _full()
    if state is None or state in _POSTGRESQL:
        return _unavailable(_POSTGRESQL.get(state, "the database does not answer"))
    return _unavailable(f"the database failed ({_name(cause)})")


def _name(error: BaseException | None) -> str:
    return getattr(error, "sqlite_errorname", None) or type(error).__name__


def _full() -> StorageFull:
    return StorageFull("the disk of the database is full", headers=_RETRY)


def _unavailable(detail: str) -> StorageUnavailable:
    return StorageUnavailable(detail, headers=_RETRY)


_RETRY = {"Retry-After": str(RETRY_AFTER_SECONDS)}
_DAMAGED = "the database file is damaged, or is none; restore a backup"
_SQLITE = {
    sqlite3.SQLITE_BUSY: "the database is locked",
    sqlite3.SQLITE_LOCKED: "the database is locked",
    sqlite3.SQLITE_READONLY: "the database can't be written",
    sqlite3.SQLITE_PERM: "the database can't be written",
    sqlite3.SQLITE_CANTOPEN: "the database file can't be opened",
    sqlite3.SQLITE_IOERR: "the disk of the database fails",
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
}
"""By primary result code: https://sqlite.org/rescode.html."""
_DISK_FULL = "53100"
_POSTGRESQL: dict[str | None, str] = {
    "25006": "the database can't be written",
    "40P01": "the database is locked",
    "55P03": "the database is locked",
    "57014": "the database takes too long",
    "57P01": "the database is stopping",
    "57P03": "the database is starting",
}
"""By SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html."""
