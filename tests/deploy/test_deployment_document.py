"""docs/deployment.md names commands, files and settings that there are."""

import re
import shlex

import pytest
from programs import DEPLOY, ROOT

from service.cli import _parser
from service.doctor import CHECKS
from service.settings import ENVIRONMENT_PREFIX, SECRETS_DIRECTORY, Settings

DOC = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
CODE = re.findall(r"^ *```sh\n(.*?)^ *```", DOC, re.MULTILINE | re.DOTALL)
LINES = [
    line
    for text in [
        *CODE,
        *re.findall(r"`([^`]+)`", re.sub(r"^ *```.*?^ *```", "", DOC, flags=re.M | re.S)),
    ]
    for line in re.sub(r"\\?\n\s+", " ", text).splitlines()
]
_SERVICE = re.compile(r"docker compose (?:exec|stop|start)(?: -T)? kortom\b")
_COMMAND = re.compile(r"(?:^|\s|/)kortom(?:-admin)? ([a-z]+(?= |$).*)")


def commands() -> list[str]:
    """The arguments of every `kortom` in the document, however it is started."""
    found = []
    for line in LINES:
        without_service = _SERVICE.sub("", line).partition(" && ")[0].partition(" > ")[0]
        if match := _COMMAND.search(without_service):
            found.append(match[1])
    return sorted(set(found))


def test_the_document_has_commands() -> None:
    assert {arguments.split()[0] for arguments in commands()} == {
        "database",
        "doctor",
        "keys",
        "models",
        "serve",
    }


@pytest.mark.parametrize("arguments", commands())
def test_every_command_is_one(arguments: str) -> None:
    assert _parser().parse_args(shlex.split(arguments)).run


def test_every_setting_exists() -> None:
    named = set(re.findall(rf"\b{ENVIRONMENT_PREFIX}[A-Z_]*[A-Z]\b", DOC))
    known = {f"{ENVIRONMENT_PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert named <= known | {SECRETS_DIRECTORY}


def test_every_file_and_every_overlay_is_there() -> None:
    for path in re.findall(r"\bdeploy/[\w./-]*\w", DOC):
        assert (ROOT / path).exists(), path
    overlays = {path.name for path in (DEPLOY / "kustomize" / "overlays").iterdir()}
    assert set(re.findall(r"^\| `(\w+)` \| (?:one|3 to 12|the same)", DOC, re.M)) == overlays


def test_every_check_of_the_doctor_is_explained() -> None:
    table = DOC.partition("| check | looks at |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(CHECKS)
