"""What docs/deployment.md says of backups, upgrades and going back, done with its commands."""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from postgresql import PostgreSQL
from programs import find_program, output_of

from service.cli import main
from service.jobs.records import JobState, NewArticle
from service.jobs.store import JobStore
from service.keys.store import KeyStore
from service.storage import revisions
from service.storage.database import connect, open_database

OLDEST = "0001"
ANSWER = '{"translation": {"text": "Rain"}}'

Command = Callable[..., str]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The SQLite database of a server."""
    return tmp_path / "data" / "kortom.db"


@pytest.fixture
def url(file: Path) -> str:
    return f"sqlite:///{file}"


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `kortom database …`, which must succeed; what it prints."""

    def run(url: str, *arguments: str) -> str:
        capsys.readouterr()
        assert main(["database", *arguments, "--database-url", url]) == 0
        return capsys.readouterr().out

    return run


@contextmanager
def jobs_in(url: str) -> Iterator[JobStore]:
    """The jobs as a server sees them that starts on the database."""
    with closing(open_database(url)) as database:
        yield JobStore(database, max_queued_articles=100_000, retention_seconds=3_600)


def submit(store: JobStore, key: str) -> str:
    articles = [NewArticle(f"{key}/{number}", '{"text": "Regen"}') for number in range(3)]
    job, _ = store.submit("", articles, fingerprint=key, idempotency_key=key)
    return job.id


def finish_one(store: JobStore) -> None:
    lease = store.open_lease()
    claim = store.claim(lease, suspect=False)
    assert claim is not None
    assert store.finish(claim, answer=ANSWER)
    store.close_lease(lease)


def content(url: str) -> list[object]:
    """Every job and every row of its results."""
    with jobs_in(url) as store:
        return [(job, store.results("", job.id)) for job in store.jobs("", 100)]


def finish_all(url: str) -> set[JobState]:
    """Work on what is left; the states of all jobs in the end."""
    with jobs_in(url) as store:
        for lease in store.leases():  # of servers that are gone
            store.revoke(lease)
        lease = store.open_lease()
        for suspect in (True, False):
            while claim := store.claim(lease, suspect=suspect):
                assert store.finish(claim, answer=ANSWER)
        return {job.state for job in store.jobs("", 10_000)}


def revision_of(url: str) -> str | None:
    with closing(connect(url)) as database, database.reading() as connection:
        return revisions.current(connection)


@contextmanager
def server_at_work(url: str) -> Iterator[list[str]]:
    """Takes jobs and works on them meanwhile; the ids of those that it has accepted."""
    accepted: list[str] = []
    some, stop = threading.Event(), threading.Event()

    def serve() -> None:
        with jobs_in(url) as store:
            while not stop.is_set():
                accepted.append(submit(store, f"job-{len(accepted)}"))
                finish_one(store)
                if len(accepted) == 5:
                    some.set()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        assert some.wait(30)
        yield accepted
    finally:
        stop.set()
        thread.join()


def test_a_backup_made_while_a_server_works_is_whole_and_goes_on_after_a_restore(
    file: Path, url: str, command: Command, tmp_path: Path
) -> None:
    backup = tmp_path / "backup.db"
    with server_at_work(url) as accepted:
        before = list(accepted)
        command(url, "backup", str(backup))
    # The disk is lost, and with it what was accepted after the backup.
    shutil.rmtree(file.parent)
    file.parent.mkdir()
    shutil.copy(backup, file)
    assert set(command(url, "check").splitlines()) == {"schema: ok", "file: ok", "jobs: ok"}
    with jobs_in(url) as store:
        restored = {job.id for job in store.jobs("", 10_000)}
    assert set(before) <= restored <= set(accepted)
    assert finish_all(url) == {JobState.DONE}


def test_a_dump_of_postgresql_is_whole_and_goes_on_after_a_restore(
    postgresql: PostgreSQL, command: Command, tmp_path: Path
) -> None:
    dump, restore = (
        find_program(name, "Debian: apt-get install postgresql-client")
        for name in ("pg_dump", "pg_restore")
    )
    url, restored_url = postgresql.create(), postgresql.create(migrated=False)
    backup = tmp_path / "backup.dump"
    with server_at_work(url) as accepted:
        before = list(accepted)
        output_of(dump, "--format=custom", f"--file={backup}", url)
    output_of(restore, "--exit-on-error", "--no-owner", f"--dbname={restored_url}", backup)
    assert set(command(restored_url, "check").splitlines()) == {"schema: ok", "jobs: ok"}
    with jobs_in(restored_url) as store:
        restored = {job.id for job in store.jobs("", 10_000)}
    assert set(before) <= restored <= set(accepted)
    assert finish_all(restored_url) == {JobState.DONE}


@pytest.mark.parametrize("upgrade", ["command", "server"])
def test_an_older_database_is_upgraded_with_its_jobs(
    url: str, command: Command, upgrade: str
) -> None:
    with jobs_in(url) as store:
        accepted = submit(store, "first")
        finish_one(store)
    before = content(url)
    command(url, "downgrade", OLDEST)
    assert revision_of(url) == OLDEST
    if upgrade == "command":
        assert command(url, "upgrade") == f"schema: revision {revisions.newest()}\n"
    with jobs_in(url) as store:
        assert store.job("", accepted).done == 1
    assert revision_of(url) == revisions.newest()
    assert content(url) == before
    assert "jobs: ok" in command(url, "check")
    assert finish_all(url) == {JobState.DONE}


def test_going_back_behind_the_keys_deletes_them(url: str, command: Command) -> None:
    with closing(open_database(url)) as database:
        KeyStore(database).create("newsroom")
    command(url, "downgrade", OLDEST)
    with closing(open_database(url)) as database:
        assert KeyStore(database).keys() == []


def test_the_program_works_on_the_schema_of_its_successor(url: str) -> None:
    with jobs_in(url) as store:
        submit(store, "first")
    with closing(connect(url)) as database, database.transaction() as connection:
        connection.exec_driver_sql("ALTER TABLE job ADD COLUMN of_the_future TEXT")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with jobs_in(url) as store:
        submit(store, "second")
    assert finish_all(url) == {JobState.DONE}
    assert revision_of(url) == "9999"
