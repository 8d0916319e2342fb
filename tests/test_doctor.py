"""``kortom doctor`` on a machine that is well, and on one where something is wrong."""

import json
import os
import resource
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from service import doctor
from service.doctor import Finding, Status, examine
from service.errors import DatabaseError
from service.keys.store import KeyStore
from service.settings import Settings, load_settings
from service.storage import revisions
from service.storage.database import Database, migration, open_database

CHECKS = ["models", "database", "disk", "threads", "memory", "limits", "keys", "webhook"]
ELSEWHERE = "192.0.2.1"
"""An address that is not loopback: TEST-NET-1, RFC 5737."""
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

Configure = Callable[..., Settings]


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'data' / 'kortom.db'}"


@pytest.fixture
def configure(settings: Settings, database_url: str) -> Configure:
    """Settings of a healthy server, with changes."""

    def with_changes(**changes: Any) -> Settings:
        healthy = {
            "profile": "light",
            "models_dir": settings.models_dir,
            "cards_dir": settings.cards_dir,
            "database_url": database_url,
        }
        return load_settings(**{**healthy, **changes})

    return with_changes


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with closing(open_database(database_url)) as database:
        yield database


def found(settings: Settings, check: str) -> Finding:
    return {finding.check: finding for finding in examine(settings)}[check]


def test_a_healthy_machine_gets_one_good_line_for_each_check(
    configure: Configure, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor.run(configure(), as_json=False) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["ok", check] for check in CHECKS]


def test_nothing_is_made_or_changed(configure: Configure, tmp_path: Path) -> None:
    assert found(configure(), "database").detail.endswith("is made when the server starts")
    assert not (tmp_path / "data").exists()


def test_a_mistyped_path_of_the_database_is_named(configure: Configure, tmp_path: Path) -> None:
    url = SecretStr(f"sqlite:///{tmp_path}/no/where/kortom.db")
    finding = found(configure(database_url=url), "database")
    assert finding.status is Status.FAIL
    assert finding.detail.endswith(f"there is no directory {tmp_path}/no")
    with pytest.raises(DatabaseError):
        open_database(url.get_secret_value())


def test_a_missing_or_damaged_model_is_named_with_the_command(
    configure: Configure, settings: Settings, tmp_path: Path
) -> None:
    missing = found(configure(models_dir=tmp_path / "none"), "models")
    assert missing.status is Status.FAIL
    assert "kortom models pull opus-mt-nl-en" in missing.detail
    shutil.copytree(settings.models_dir, tmp_path / "models")
    (weights,) = (tmp_path / "models").glob("*/ctranslate2/model.bin")
    weights.write_bytes(bytes(weights.stat().st_size))
    damaged = found(configure(models_dir=tmp_path / "models"), "models")
    assert damaged.status is Status.FAIL
    assert "wrong checksum" in damaged.detail


def test_a_glossary_that_can_not_be_read_is_named(configure: Configure) -> None:
    assert found(configure(glossary="dutch-news"), "models").status is Status.OK
    missing = found(configure(glossary="nowhere.json"), "models")
    assert missing.status is Status.FAIL
    assert "nowhere.json" in missing.detail


def test_what_the_system_refuses_is_a_line_and_the_other_checks_follow(
    configure: Configure, tmp_path: Path
) -> None:
    path = tmp_path / ("x" * 300)  # longer than a name may be
    findings = list(examine(configure(database_url=f"sqlite:///{path}")))
    assert [finding.check for finding in findings] == CHECKS
    assert findings[1].status is Status.FAIL
    assert findings[1].detail == f"{path}: File name too long"


def test_a_damaged_database_fails(configure: Configure, database: Database) -> None:
    with database.transaction() as connection:
        connection.exec_driver_sql("CREATE TABLE filler (line TEXT)")
        for _ in range(200):
            connection.exec_driver_sql("INSERT INTO filler VALUES (hex(randomblob(1000)))")
    database.close()
    with Path(database.name).open("r+b") as file:
        file.seek(40_000)
        file.write(bytes(200_000))
    finding = found(configure(), "database")
    assert finding.status is Status.FAIL
    assert "damaged" in finding.detail
    assert "backup" in finding.detail


def test_a_schema_of_another_version_is_mentioned(configure: Configure, database: Database) -> None:
    with migration(database) as connection:
        revisions.downgrade(connection, "0001")
    older = found(configure(), "database")
    assert older.status is Status.WARN
    assert "older than this program's" in older.detail
    with database.transaction() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    newer = found(configure(), "database")
    assert newer.status is Status.WARN
    assert "newer than this program's" in newer.detail


def test_a_server_that_writes_is_not_disturbed(configure: Configure, database: Database) -> None:
    stop = threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        while not stop.is_set():
            database.check()
            written += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert {finding.status for finding in examine(configure())} == {Status.OK}
    finally:
        stop.set()
        writer.join()
    assert written


def test_a_server_that_does_not_answer_fails_without_its_password(configure: Configure) -> None:
    finding = found(configure(database_url="postgresql://me:pa55w0rd@127.0.0.1:1/k"), "database")
    assert finding.status is Status.FAIL
    assert "127.0.0.1/k: " in finding.detail
    assert "pa55w0rd" not in finding.detail


def test_a_postgresql_server_is_looked_into(configure: Configure, postgresql_url: str) -> None:
    finding = found(configure(database_url=postgresql_url), "database")
    assert finding.status is Status.OK
    assert "can be written, schema" in finding.detail


def test_a_postgresql_user_who_may_not_make_tables_is_noticed(
    configure: Configure, postgresql_url: str
) -> None:
    # Nothing can be made where there is no schema, whoever asks.
    finding = found(
        configure(database_url=f"{postgresql_url}?options=-csearch_path%3Dnowhere"), "database"
    )
    assert finding.status is Status.FAIL
    assert "may not make tables" in finding.detail


def test_a_server_that_keeps_nothing_needs_no_database(configure: Configure) -> None:
    finding = found(configure(jobs=False, database_url="postgresql://127.0.0.1:1/k"), "database")
    assert finding.status is Status.OK


@pytest.mark.parametrize(
    ("free", "status"),
    [(10**7, Status.FAIL), (2 * 10**8, Status.WARN), (10**12, Status.OK)],
)
def test_a_full_disk_is_seen(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, free: int, status: Status
) -> None:
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    assert found(configure(), "disk").status is status


@pytest.mark.parametrize(
    ("allowed", "status"),
    [(3e8, Status.FAIL), (4.2e8, Status.WARN), (1e9, Status.OK)],
)
def test_too_little_memory_is_seen(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, allowed: float, status: Status
) -> None:
    monkeypatch.setattr(doctor, "memory_limit_bytes", lambda: allowed)
    assert found(configure(inter_threads=2), "memory").status is status


def test_more_threads_than_cores_are_too_many(configure: Configure) -> None:
    finding = found(configure(inter_threads=200, intra_threads=4), "threads")
    assert finding.status is Status.WARN
    assert "unset KORTOM_INTER_THREADS" in finding.detail


@pytest.mark.parametrize(
    ("changes", "status", "word"),
    [
        ({"max_body_bytes": 100_000}, Status.FAIL, "KORTOM_MAX_ARTICLE_CHARACTERS"),
        ({"max_job_bytes": 1_000_000}, Status.FAIL, "refused in a job"),
        ({"max_queued_articles": 9_999}, Status.FAIL, "always refused"),
        ({"max_queued_tokens": 49_999}, Status.WARN, "while nothing else"),
        ({"lease_seconds": 4.9}, Status.WARN, "taken for dead"),
        ({"lease_seconds": 4.9, "max_queued_articles": 1, "jobs": False}, Status.OK, "fit"),
    ],
)
def test_limits_that_contradict_each_other_are_named(
    configure: Configure, changes: dict[str, Any], status: Status, word: str
) -> None:
    finding = found(configure(**changes), "limits")
    assert finding.status is status
    assert word in finding.detail


def test_too_few_open_files_are_mentioned(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 128))
    assert "128 open files" in found(configure(), "limits").detail


def test_a_server_for_others_needs_a_key(configure: Configure, database: Database) -> None:
    exposed = configure(host=ELSEWHERE)
    assert found(exposed, "keys").status is Status.FAIL
    assert "kortom keys create" in found(exposed, "keys").detail
    keys = KeyStore(database)
    keys.create("newsroom")
    assert found(exposed, "keys").status is Status.OK
    keys.create("guest", expires_days=3)
    expiring = found(exposed, "keys")
    assert expiring.status is Status.WARN
    assert "guest expires within 72 hours" in expiring.detail
    for name in ("newsroom", "guest"):
        keys.revoke(name)
    assert found(exposed, "keys").status is Status.FAIL


@pytest.mark.parametrize(
    ("host", "require_keys", "status"),
    [
        ("127.0.0.1", None, Status.OK),
        ("::1", None, Status.OK),
        ("localhost", None, Status.OK),
        ("127.0.0.1", True, Status.FAIL),
        ("0.0.0.0", None, Status.FAIL),  # noqa: S104 - nothing listens there
        ("::", None, Status.FAIL),
        ("kortom.example.com", None, Status.FAIL),
        (ELSEWHERE, False, Status.WARN),
    ],
)
def test_who_may_ask_without_a_key_depends_on_who_can(
    configure: Configure, host: str, require_keys: bool | None, status: Status
) -> None:
    assert found(configure(host=host, require_keys=require_keys), "keys").status is status


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"webhook_url": "https://news.example/hook", "webhook_secret": SECRET}, Status.OK),
        (
            {"webhook_url": "https://news.example/", "webhook_secret": f"{SECRET} {SECRET}"},
            Status.OK,
        ),
        ({"webhook_url": "http://news.example/", "webhook_secret": SECRET}, Status.FAIL),
        (
            {"webhook_url": "https://news.example/", "webhook_secret": SECRET, "jobs": False},
            Status.WARN,
        ),
        ({"webhook_url": "https://news.example/"}, Status.FAIL),
        ({"webhook_url": "https://news.example/", "webhook_secret": "whsec_YQ=="}, Status.FAIL),
        ({"webhook_url": "https://news.example/", "webhook_secret": SECRET[6:]}, Status.FAIL),
        ({"webhook_url": "ftp://news.example/", "webhook_secret": SECRET}, Status.FAIL),
    ],
)
def test_a_webhook_is_signed_and_has_an_address(
    configure: Configure, changes: dict[str, Any], status: Status
) -> None:
    finding = found(configure(**changes), "webhook")
    assert finding.status is status
    assert SECRET[6:] not in finding.detail


def test_the_command_reports_json_and_fails_with_what_is_wrong(tmp_path: Path) -> None:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("KORTOM_")}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "service.cli", "doctor", "--json", "--profile", "demo"),
            *("--host", ELSEWHERE, "--database-url", f"sqlite:///{tmp_path}/kortom.db"),
        ],
        env=kept,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == b""
    report = json.loads(done.stdout)
    assert [finding["check"] for finding in report] == CHECKS
    assert {finding["check"] for finding in report if finding["status"] == "FAIL"} == {"keys"}
