"""``kortom keys`` as an operator and a script meet it."""

import json
from pathlib import Path

import pytest

from service.cli import main


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KORTOM_DATABASE_URL", f"sqlite:///{tmp_path / 'keys.db'}")


def test_the_key_alone_is_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "create", "redactie", "--characters-per-day", "1000"]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("kortom_")
    assert len(shown.out.split()) == 1
    assert "not shown again" in shown.err
    assert shown.out.strip() not in shown.err


def test_keys_are_listed_without_their_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    texts = []
    for name in ("a", "b"):
        assert main(["keys", "create", name, "--characters-per-minute=500"]) == 0
        texts.append(capsys.readouterr().out.strip())
    assert main(["keys", "create", "c", "--expires-days", "30"]) == 0
    assert main(["keys", "revoke", "b"]) == 0
    capsys.readouterr()
    assert main(["keys", "list"]) == 0
    table = capsys.readouterr().out
    assert [line.split()[-1] for line in table.splitlines()] == [
        "STATE",
        "usable",
        "revoked",
        "usable",
    ]
    assert main(["keys", "list", "--json"]) == 0
    listed = capsys.readouterr().out
    first, second, third = json.loads(listed)
    assert (first["name"], first["characters_per_minute"], first["state"]) == ("a", 500, "usable")
    assert (second["state"], second["expires_at"]) == ("revoked", None)
    assert third["expires_at"].endswith("+00:00")
    for text in texts:
        assert text.split("_", 2)[2] not in table + listed


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["create", "a"], "kortom: there is a key a already"),
        (["create", "a b"], "kortom: a key's name has 1 to 64"),
        (["revoke", "b"], "kortom: there is no such key"),
        (["list", "--database-url", "sqlite://"], "kortom: an SQLite database is"),
        (["list", "--database-url", "sqlite:////proc/none/k.db"], "kortom: database"),
    ],
)
def test_what_can_not_be_done_is_said_in_one_line(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keys", "create", "a"]) == 0
    capsys.readouterr()
    assert main(["keys", *arguments]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith(line)
    assert len(shown.err.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["create", "a", "--characters-per-minute", "0"],
        ["create", "a", "--characters-per-day", "many"],
        ["create", "a", "--expires-days", "99999"],
        ["create"],
        [],
    ],
)
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["keys", *arguments])
    assert caught.value.code == 2
    assert "usage: kortom keys" in capsys.readouterr().err
