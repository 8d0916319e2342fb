"""The unit of systemd: right by systemd's own checks, and closed up."""

import re
import sys
from pathlib import Path

import pytest
from programs import DEPLOY, find_program, output_of

UNIT = DEPLOY / "systemd" / "kortom.service"
ADMIN = DEPLOY / "systemd" / "kortom-admin"
MAX_EXPOSURE = 15
"""Tenths; systemd says 12 of version 252. A unit without any protection has 96."""


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that there is on this machine."""
    path = tmp_path / UNIT.name
    text = UNIT.read_text(encoding="utf-8")
    path.write_text(text.replace("/opt/kortom/bin/kortom", sys.executable), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def analyze() -> str:
    return find_program("systemd-analyze", "Debian: apt-get install systemd")


def test_systemd_understands_every_line(analyze: str, unit: Path) -> None:
    assert output_of(analyze, "verify", unit) == ""


def test_the_service_is_hardly_exposed(analyze: str, unit: Path) -> None:
    output_of(analyze, "security", "--offline=yes", f"--threshold={MAX_EXPOSURE}", unit)


def test_commands_of_the_operator_run_as_the_service_does() -> None:
    unit = set(re.findall(r"^(\w+=.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE))
    given = set(re.findall(r"--property=(\S+)", ADMIN.read_text(encoding="utf-8")))
    assert given - unit == {"WorkingDirectory=/var/lib/kortom"}
    assert {"DynamicUser=yes", "User=kortom", "StateDirectory=kortom", "UMask=0077"} <= given
    assert ADMIN.stat().st_mode & 0o111


def test_the_example_of_settings_keeps_everything_in_the_directories_of_the_unit() -> None:
    text = (DEPLOY / "systemd" / "kortom.env").read_text(encoding="utf-8")
    assert "KORTOM_DATABASE_URL=sqlite:////var/lib/kortom/" in text
    assert "KORTOM_MODELS_DIR=/var/cache/kortom/" in text
