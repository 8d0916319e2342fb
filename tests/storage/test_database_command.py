"""``kortom database``: checked, migrated, backed up and restored by an operator."""

import os
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from service import cli
from service.jobs.records import NewArticle
from service.jobs.store import JobStore
from service.storage.database import open_database
from service.storage.tables import job, job_article


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KORTOM_DATABASE_URL", f"sqlite:///{tmp_path / 'default.db'}")


def add_job(url: str) -> str:
    with closing(open_database(url)) as database:
        store = JobStore(database, max_queued_articles=10, retention_seconds=60)
        given = [NewArticle("a", '{"text": "aap"}'), NewArticle("b", None, "{}")]
        return store.submit("", given, fingerprint="f", idempotency_key=None)[0].id


def run(
    capsys: pytest.CaptureFixture[str], *arguments: str, url: str | None = None
) -> tuple[int, str, str]:
    options = ["--database-url", url] if url else []
    code = cli.main(["database", *arguments, *options])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_whole_database_is_said_to_be_whole(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    add_job(database_url)
    code, out, err = run(capsys, "check", url=database_url)
    file = "file: ok\n" if database_url.startswith("sqlite") else ""
    assert (code, out, err) == (0, f"schema: ok\n{file}jobs: ok\n", "")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (sa.update(job).values(done=1), "1 count their articles wrongly"),
        (sa.update(job).values(failed=0), "1 count their articles wrongly"),
        (sa.update(job).values(ended_at=1.0), "1 count their articles wrongly"),
        (sa.delete(job_article), "1 count their articles wrongly"),
        (
            sa.update(job_article).where(job_article.c.position == 0)
            .values(state="running", lease_id="gone"),
            "1 articles are under way in no server's hands",
        ),
    ],
)  # fmt: skip
def test_wrong_counters_are_found(
    database_url: str, spoil: sa.Update, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    add_job(database_url)
    with closing(open_database(database_url)) as database, database.transaction() as connection:
        connection.execute(spoil)
    code, out, _ = run(capsys, "check", url=database_url)
    assert code == 1
    assert out.endswith(f"jobs: {says}\n")


def test_rows_that_refer_to_nothing_are_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'default.db'}"
    add_job(url)
    with closing(sqlite3.connect(tmp_path / "default.db")) as other:
        other.execute("DELETE FROM job")
        other.commit()
    code, out, _ = run(capsys, "check")
    assert code == 1
    assert "file: rows refer to rows that are not there" in out


def test_the_schema_goes_down_and_up(database_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    add_job(database_url)
    assert run(capsys, "downgrade", "0001", url=database_url)[:2] == (0, "schema: revision 0001\n")
    code, out, _ = run(capsys, "check", url=database_url)
    assert code == 1
    assert out.startswith("schema: revision 0001 is older than this program; kortom database up")
    assert run(capsys, "upgrade", url=database_url)[:2] == (0, "schema: revision 0003\n")
    assert run(capsys, "check", url=database_url)[0] == 0


def test_only_upgrade_makes_a_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "default.db"
    for command in (["check"], ["downgrade", "0001"], ["backup", str(tmp_path / "copy.db")]):
        code, out, err = run(capsys, *command)
        assert (code, out) == (1, "")
        assert err == f"kortom: database {path}: there is no such file\n"
    assert not path.exists()
    assert run(capsys, "upgrade")[:2] == (0, "schema: revision 0003\n")
    assert run(capsys, "check")[0] == 0


def test_a_backup_of_a_database_in_use_restores_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, copy = tmp_path / "default.db", tmp_path / "copy.db"
    job_id = add_job(f"sqlite:///{path}")
    server = open_database(f"sqlite:///{path}")
    with closing(server), server.transaction() as connection:  # in the middle of something
        connection.execute(sa.delete(job))
        assert run(capsys, "backup", str(copy)) == (0, f"{copy}: ok\n", "")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert sorted(file.name for file in tmp_path.iterdir() if "copy" in file.name) == ["copy.db"]
    for left in tmp_path.glob("default.db*"):
        left.unlink()
    shutil.copy(copy, path)
    assert run(capsys, "check")[0] == 0
    with closing(open_database(f"sqlite:///{path}")) as database:
        store = JobStore(database, max_queued_articles=10, retention_seconds=60)
        assert store.job("", job_id).articles == 2
        claim = store.claim(store.open_lease(), suspect=False)
        assert claim is not None
        assert claim.request == '{"text": "aap"}'


def test_a_backup_overwrites_nothing_and_leaves_nothing_half_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, copy = tmp_path / "default.db", tmp_path / "copies" / "copy.db"
    copy.parent.mkdir()
    add_job(f"sqlite:///{path}")
    copy.write_text("mine")
    code, _, err = run(capsys, "backup", str(copy))
    assert (code, copy.read_text()) == (1, "mine")
    assert err == f"kortom: database {path}: {copy}: this file exists\n"
    copy.unlink()
    with path.open("r+b") as file:
        file.seek(-40_960, os.SEEK_END)
        file.write(b"\xa5" * 40_960)
    assert run(capsys, "backup", str(copy))[0] == 1
    assert list(copy.parent.iterdir()) == []
    code, _, err = run(capsys, "backup", str(tmp_path / "nowhere" / "copy.db"))
    assert code == 1
    assert err.endswith("No such file or directory\n")


def test_a_backup_of_postgresql_names_its_own_program(
    postgresql_url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, err = run(capsys, "backup", str(tmp_path / "copy"), url=postgresql_url)
    assert (code, out) == (1, "")
    assert "pg_dump --format=custom" in err
    assert err.count("\n") == 1
