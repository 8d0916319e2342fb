"""The database: its files, its units of work, and its errors, none of which says too much."""

import os
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import filelock
import psycopg
import pytest
import sqlalchemy as sa
from postgresql import PostgreSQL

from service.errors import DatabaseError, ServiceError, StorageFull, StorageUnavailable
from service.settings import Settings
from service.storage import database as module
from service.storage.checks import check_database
from service.storage.database import Database, connect, open_database
from service.storage.tables import lease


def add(database: Database, name: str, holder: str = "") -> None:
    with database.transaction() as connection:
        connection.execute(sa.insert(lease).values(id=name, renewals=0, holder=holder))


def names(database: Database) -> list[str]:
    with database.reading() as connection:
        return sorted(connection.scalars(sa.select(lease.c.id)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "here" / "kortom.db"


@pytest.fixture
def sqlite(path: Path) -> Iterator[Database]:
    with closing(open_database(f"sqlite:///{path}")) as opened:
        yield opened


def test_what_a_unit_of_work_did_is_kept_or_not_as_a_whole(database: Database) -> None:
    add(database, "kept")
    with pytest.raises(ZeroDivisionError), database.transaction() as connection:
        print(connection.execute(sa.delete(lease)).rowcount / 0)
    assert names(database) == ["kept"]


def test_reading_sees_one_moment(database: Database) -> None:
    add(database, "first")
    with database.reading() as connection:
        query = sa.select(lease.c.id)
        assert connection.scalars(query).all() == ["first"]
        add(database, "second")
        assert connection.scalars(query).all() == ["first"]
    assert names(database) == ["first", "second"]


def test_many_threads_write_at_once_and_nothing_is_lost(database: Database) -> None:
    def write(first: int) -> None:
        for number in range(first, first + 5):
            add(database, f"{number:03}")

    threads = [threading.Thread(target=write, args=(5 * index,)) for index in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names(database) == [f"{number:03}" for number in range(80)]


def test_only_its_owner_reads_the_files(sqlite: Database, path: Path) -> None:
    add(sqlite, "a")
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == [
        "kortom.db", "kortom.db-shm", "kortom.db-wal", "kortom.db.lock"
    ]  # fmt: skip
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_was_written_is_on_the_disk_when_it_is_confirmed(sqlite: Database) -> None:
    with sqlite.transaction() as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert found == ["wal", 2, 1, 5000]


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://", "sqlite:///:memory:", "sqlite:///file?mode=ro", "mysql://u:sesame@host/name",
        "postgresql+psycopg2://u:sesame@host/name", "kortom.db", "",
        "postgresql://u:sesame@host:port/name", "postgresql://u:open@sesame@host/name",
    ],
)  # fmt: skip
def test_another_kind_of_url_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(DatabaseError) as caught:
        connect(url)
    assert "\n" not in caught.value.detail
    assert "sesame" not in caught.value.detail


def test_postgresql_without_its_driver_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(DatabaseError, match=r"pip install '.\[postgresql\]'"):
        connect("postgresql://host/name")


def test_a_server_that_is_not_there_is_named_without_the_password() -> None:
    with pytest.raises(DatabaseError) as caught:
        open_database("postgresql://someone:sesame@127.0.0.1:1/news")
    assert caught.value.detail.startswith("database 127.0.0.1/news: the database does not answer (")
    assert "Connection refused" in caught.value.detail
    assert "\n" not in caught.value.detail
    assert "sesame" not in caught.value.detail


def assert_unavailable(error: ServiceError, says: str) -> None:
    assert error.detail == says
    assert error.status == 503
    assert int(error.headers["Retry-After"]) > 0


def test_a_directory_is_made_for_the_file_but_none_above_that(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="No such file or directory"):
        open_database(f"sqlite:///{tmp_path / 'mistyped' / 'kortom' / 'kortom.db'}")
    assert list(tmp_path.iterdir()) == []
    open_database(f"sqlite:///{tmp_path / 'kortom' / 'kortom.db'}").close()
    assert (tmp_path / "kortom" / "kortom.db").is_file()


def test_the_directory_of_the_default_is_made_for_a_new_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "new" / "user"))
    open_database(Settings().database_url.get_secret_value()).close()
    assert (tmp_path / "new" / "user" / "kortom" / "kortom.db").is_file()


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_postgresql_that_can_not_keep_every_text_is_refused(
    postgresql: PostgreSQL, encoding: str
) -> None:
    name = f"encoded_{encoding.lower()}"
    with psycopg.connect(f"{postgresql.url}/postgres", autocommit=True) as connection:
        made = f"CREATE DATABASE {name} TEMPLATE template0 LOCALE 'C' ENCODING '{encoding}'"
        connection.execute(made)
    with pytest.raises(DatabaseError, match=f"its encoding is {encoding}"):
        open_database(f"{postgresql.url}/{name}")


def test_servers_open_an_sqlite_file_one_after_the_other(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MIGRATION_SECONDS", 0.1)
    path.parent.mkdir()
    with filelock.FileLock(f"{path}.lock"), pytest.raises(DatabaseError) as caught:
        open_database(f"sqlite:///{path}")
    assert caught.value.detail == f"database {path}: another server is opening it"
    open_database(f"sqlite:///{path}").close()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program's connection in the middle of a unit of work."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def test_a_lock_is_waited_for_and_then_given_up(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.1)
    with closing(open_database(f"sqlite:///{path}")) as database:
        with locked(path):
            with pytest.raises(StorageUnavailable) as caught:
                add(database, "a")
            assert_unavailable(caught.value, "the database is locked")
            assert names(database) == []
        add(database, "b")
        assert names(database) == ["b"]


def test_a_thread_waits_for_another_ones_unit_of_work_and_then_gives_up(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.1)
    with closing(open_database(f"sqlite:///{path}")) as database:
        errors: list[ServiceError] = []

        def write() -> None:
            try:
                add(database, "a")
            except ServiceError as error:
                errors.append(error)

        with database.transaction():
            thread = threading.Thread(target=write)
            thread.start()
            thread.join()
        assert_unavailable(errors[0], "the database is locked")


def test_a_lock_on_postgresql_is_given_up_as_well(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(open_database(postgresql_url)) as holder:
        add(holder, "a")
        monkeypatch.setattr(module, "BUSY_SECONDS", 0.1)
        with closing(connect(postgresql_url + "?connect_timeout=5")) as database:
            with holder.transaction() as connection:
                connection.execute(sa.update(lease).values(renewals=1))
                with pytest.raises(StorageUnavailable) as caught:
                    add(database, "a")
            assert_unavailable(caught.value, "the database is locked")


def test_a_database_that_may_not_be_written_says_so(sqlite: Database) -> None:
    with sqlite.reading() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
    with pytest.raises(StorageUnavailable) as caught:
        sqlite.check()
    assert_unavailable(caught.value, "the database can't be written")


def test_a_postgresql_that_may_not_be_written_says_so(postgresql_url: str) -> None:
    url = f"{postgresql_url}?options=-cdefault_transaction_read_only%3Don"
    with closing(connect(url)) as database:
        with pytest.raises(StorageUnavailable) as caught:
            database.check()
        assert_unavailable(caught.value, "the database can't be written")
    with pytest.raises(DatabaseError, match="can't be written"):
        open_database(url)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB."""
    directory = tmp_path / "disk"
    directory.mkdir()
    mount = ["/bin/mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(directory)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small disk")
    yield directory
    subprocess.run(["/bin/umount", str(directory)], check=True)


def test_a_full_disk_is_named_and_nothing_is_damaged(small_disk: Path) -> None:
    with closing(open_database(f"sqlite:///{small_disk / 'kortom.db'}")) as database:
        kept: list[str] = []

        def add_many() -> None:
            for number in range(100):
                add(database, f"{number:02}", "x" * 20_000)
                kept.append(f"{number:02}")

        with pytest.raises(StorageFull) as caught:
            add_many()
        assert caught.value.status == 507
        assert caught.value.detail == "the disk of the database is full"
        assert names(database) == kept
        assert set(check_database(database).values()) == {None}
        fill(small_disk)
        with pytest.raises(DatabaseError, match=r"full|No space"):
            open_database(f"sqlite:///{small_disk / 'second.db'}")
        (small_disk / "filler").unlink()
        add(database, "and on")
        assert names(database) == [*kept, "and on"]


def fill(directory: Path) -> None:
    with (directory / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            return


def test_a_full_file_is_named_and_the_next_unit_of_work_goes_on(sqlite: Database) -> None:
    with sqlite.transaction() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageFull):
        add(sqlite, "large", "x" * 100_000)
    with sqlite.transaction() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    add(sqlite, "small")
    assert names(sqlite) == ["small"]
    assert set(check_database(sqlite).values()) == {None}


DAMAGED = "the database file is damaged, or is none; restore a backup"


def test_a_file_that_is_no_database_stops_the_start(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"This is not a database, but a text. " * 500)
    with pytest.raises(DatabaseError) as caught:
        open_database(f"sqlite:///{path}")
    assert caught.value.detail == f"database {path}: {DAMAGED}"


def test_damage_while_it_runs_is_named_and_found_by_the_check(path: Path) -> None:
    with closing(open_database(f"sqlite:///{path}")) as database:
        for number in range(50):
            add(database, f"{number:02}", "x" * 2000)
    with path.open("r+b") as file:
        file.seek(-40_960, os.SEEK_END)
        file.write(b"\xa5" * 40_960)
    with closing(open_database(f"sqlite:///{path}")) as database:
        with pytest.raises(StorageUnavailable) as caught, database.reading() as connection:
            connection.execute(sa.select(lease)).all()
        assert_unavailable(caught.value, DAMAGED)
        assert check_database(database)["file"] == "its pages are damaged; restore a backup"


def test_a_missing_table_gives_no_sql_away(database: Database) -> None:
    with database.transaction() as connection:
        connection.exec_driver_sql("DROP TABLE lease")
    with pytest.raises(StorageUnavailable) as caught:
        add(database, "secret")
    shown = "".join(traceback.format_exception(caught.value)).partition("errors.Storage")[2]
    assert "INSERT" not in shown
    assert "secret" not in shown


def test_a_restart_of_postgresql_is_survived(postgresql: PostgreSQL) -> None:
    with closing(open_database(postgresql.create())) as database:
        add(database, "before")
        postgresql.stop("immediate")
        with pytest.raises(StorageUnavailable) as caught:
            add(database, "meanwhile")
        assert_unavailable(caught.value, "the database does not answer")
        postgresql.start()
        database.check()
        assert names(database) == ["before"]


def test_a_postgresql_that_is_gone_without_a_word_is_noticed(postgresql: PostgreSQL) -> None:
    with closing(open_database(postgresql.create())) as database:
        with database.reading() as connection:
            descriptor = connection.connection.driver_connection.fileno()
            with socket.socket(fileno=os.dup(descriptor)) as seen:
                options = [
                    seen.getsockopt(level, option)
                    for level, option in (
                        (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
                        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
                    )
                ]
        assert options == [1, 10, 10]


def test_a_connection_that_ends_in_the_middle_keeps_nothing(
    postgresql: PostgreSQL,
) -> None:
    with closing(open_database(postgresql.create())) as database:
        end = "INSERT INTO lease VALUES ('a', 0); SELECT pg_terminate_backend(pg_backend_pid())"
        with pytest.raises(StorageUnavailable) as caught, database.transaction() as connection:
            connection.exec_driver_sql(end)
        assert caught.value.status == 503
        assert names(database) == []
