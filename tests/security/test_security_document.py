"""SECURITY.md: what it says is held by a test is."""

import re
from pathlib import Path

import pytest

from service.settings import SECRETS_DIRECTORY, Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/.]+\.py(?:::\w+)?)`", TEXT)))


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_is_named_is_there(name: str) -> None:
    path, _, function = name.partition("::")
    text = (ROOT / path).read_text(encoding="utf-8")
    assert not function or f"def {function}(" in text


@pytest.mark.parametrize(
    "name", sorted(set(re.findall(r"(?<![/\w])(?:docs|deploy)/[\w/.]*\w", TEXT)))
)
def test_a_file_that_is_named_is_there(name: str) -> None:
    assert (ROOT / name).exists()


def test_every_line_of_what_is_defended_names_a_test() -> None:
    defended = TEXT.split("## What is defended")[1].split("## What is not defended")[0]
    rows = [line for line in defended.splitlines() if line.startswith("| ")]
    for row in rows:
        assert row.startswith("| attack ") or "`tests/" in row, row
    assert len(rows) > 30


def test_settings_that_are_named_exist() -> None:
    known = {f"KORTOM_{name.upper()}" for name in Settings.model_fields} | {SECRETS_DIRECTORY}
    assert set(re.findall(r"KORTOM_\w+", TEXT)) <= known


def test_every_test_of_security_is_named() -> None:
    for path in (ROOT / "tests" / "security").glob("test_*.py"):
        assert f"tests/security/{path.name}" in TEXT or path == Path(__file__)
