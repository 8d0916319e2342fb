"""What an operator keeps secret is in nothing that the program prints, and has a safe way in."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from service.errors import InvalidSettings
from service.settings import SECRETS_DIRECTORY, Settings, load_settings, without_password

PASSWORD = "test-password-Xk7"
SECRET = "whsec_" + "c2VjcmV0" * 5
KORTOM = [sys.executable, "-m", "service.cli"]


def kortom(*arguments: str, env: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    kept = {key: value for key, value in os.environ.items() if not key.startswith("KORTOM_")}
    return subprocess.run(
        [*KORTOM, *arguments],
        env=kept | env, capture_output=True, timeout=100, check=False, text=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:////var/lib/kortom/kortom.db", "sqlite:////var/lib/kortom/kortom.db"),
        ("sqlite:////srv/a@b/kortom.db", "sqlite:////srv/a@b/kortom.db"),
        ("postgresql://kortom@db/kortom", "postgresql://kortom@db/kortom"),
        ("postgresql://u:{}@db:5432/k", "postgresql://u:*@db:5432/k"),
        ("postgresql+psycopg://u:{}@db/k?sslmode=x", "postgresql+psycopg://u:*@db/k?sslmode=x"),
        ("postgresql://u:a/b?c#d:e@{}@db/k", "postgresql://u:*@db/k"),
        ("postgresql://:{}@db/k", "postgresql://:*@db/k"),
        ("postgresql://db/k?user=u&password={}&a=b", "postgresql://db/k?user=u&password=*&a=b"),
        ("postgresql://db/k?sslpassword={}", "postgresql://db/k?sslpassword=*"),
        ("host=db password={}", "*"),
        ("{}", "*"),
        ("", "*"),
    ],
)
def test_of_a_database_all_is_shown_but_the_password(url: str, shown: str) -> None:
    assert without_password(url.format(PASSWORD)) == shown.replace("*", "**********")


@pytest.fixture
def config(tmp_path: Path) -> dict[str, str]:
    """The environment of an operator."""
    return {
        "KORTOM_DATABASE_URL": f"postgresql://kortom:{PASSWORD}@db.example:5432/kortom",
        "KORTOM_WEBHOOK_SECRET": SECRET,
        "KORTOM_MODELS_DIR": str(tmp_path),
    }


def test_print_config_masks_secrets_and_shows_the_host(config: dict[str, str]) -> None:
    done = kortom("serve", "--print-config", env=config)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert "KORTOM_DATABASE_URL=postgresql://kortom:**********@db.example:5432/kortom" in lines
    assert "KORTOM_WEBHOOK_SECRET=**********" in lines
    assert PASSWORD not in done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["serve", "--profile", "demo", "--port", "0"],
        ["serve", "--profile", "nope"],
        ["serve", "--help"],
        ["keys", "list"],
    ],
    ids=" ".join,
)
def test_no_command_prints_a_password_whatever_is_wrong(
    config: dict[str, str], arguments: list[str]
) -> None:
    # Nobody listens on port 1.
    url = config["KORTOM_DATABASE_URL"].replace("db.example:5432", "127.0.0.1:1")
    done = kortom(*arguments, env=config | {"KORTOM_DATABASE_URL": url})
    assert done.returncode == (0 if "--help" in arguments else 1)
    assert PASSWORD not in done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_a_secret_is_in_no_text_of_the_settings() -> None:
    settings = Settings(database_url=f"postgresql://u:{PASSWORD}@db/k", webhook_secret=SECRET)  # type: ignore[arg-type]
    for text in (repr(settings), str(settings), settings.model_dump_json(), f"{settings!s}"):
        assert PASSWORD not in text
        assert SECRET not in text


def test_secrets_can_come_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kortom_webhook_secret").write_text(f"{SECRET}\n")
    (tmp_path / "kortom_database_url").write_text(f"postgresql://u:{PASSWORD}@db/k\n")
    (tmp_path / "another").write_text("x")
    monkeypatch.setenv(SECRETS_DIRECTORY, str(tmp_path))
    settings = load_settings()
    assert settings.webhook_secret is not None
    assert settings.webhook_secret.get_secret_value() == SECRET
    assert settings.database_url.get_secret_value() == f"postgresql://u:{PASSWORD}@db/k"
    monkeypatch.setenv("KORTOM_DATABASE_URL", "sqlite:///environment.db")
    assert load_settings().database_url.get_secret_value() == "sqlite:///environment.db"
    flags = {"database_url": "sqlite:///flag.db"}
    assert load_settings(**flags).database_url.get_secret_value() == "sqlite:///flag.db"


def test_a_directory_of_secrets_that_is_none_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECRETS_DIRECTORY, str(tmp_path / "nowhere"))
    with pytest.raises(InvalidSettings, match="nowhere is not a directory"):
        load_settings()
    monkeypatch.setenv(SECRETS_DIRECTORY, "")
    load_settings()
