"""Every piece of code in docs/clients.md, as it stands there but for the address."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fakes import FakeTranslator
from fastapi import FastAPI
from programs import find_program
from pydantic import SecretStr

from service.app import create_app
from service.settings import Settings

if TYPE_CHECKING:
    from loopback import Client

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SNIPPETS = [(language, code) for language, code in BLOCKS if language != "json"]
ADDRESS = "http://127.0.0.1:8000"
TEXT = "De aansluiting is het eerste jaar gratis.\n\nStoringen worden binnen 24 uur verholpen."
WAIT_SECONDS = 60.0


@pytest.fixture(scope="module")
def shouting(
    settings: Settings,
    start_server: Callable[[FastAPI], AbstractContextManager["Client"]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator["Client"]:
    """A server whose fake engine shouts, so that every sentence has a translation of its own.

    It has a database of its own: no other server does its jobs.
    """
    path = tmp_path_factory.mktemp("shouting") / "kortom.db"
    changed = settings.model_copy(update={"database_url": SecretStr(f"sqlite:///{path}")})
    with start_server(create_app(changed, translator=FakeTranslator(str.upper))) as client:
        yield client


def run(language: str, code: str, server: "Client", directory: Path) -> str:
    """What a snippet prints."""
    assert ADDRESS in code
    code = code.replace(ADDRESS, f"http://127.0.0.1:{server.port}")
    if language == "sh":
        for name in ("curl", "jq"):
            assert name not in code.split() or find_program(name, f"Debian: {name}")
        command = ["bash", "-euo", "pipefail", "-c", code]
    elif language == "js":
        (directory / "snippet.mjs").write_text(code, encoding="utf-8")
        command = [find_program("node", "Debian: nodejs"), "snippet.mjs"]
    else:
        command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(
        command,
        cwd=directory,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def sentences(answer: Any) -> list[str]:
    return [s["target"] for block in answer["translation"]["blocks"] for s in block["sentences"]]


def test_every_language_is_there() -> None:
    assert [language for language, _ in SNIPPETS] == ["sh"] * 3 + ["js"] * 2 + ["python"] * 4
    assert PAGE.count("```") == 2 * len(BLOCKS)


@pytest.mark.parametrize(
    ("language", "code"),
    SNIPPETS,
    ids=[f"{language}-{number}" for number, (language, _) in enumerate(SNIPPETS, start=1)],
)
def test_a_snippet_prints_the_answer(
    shouting: "Client", tmp_path: Path, language: str, code: str
) -> None:
    printed = run(language, code, shouting, tmp_path)
    answer = shouting.post("/v1/articles", {"text": TEXT}).json()
    if language == "sh" and "event-stream" not in code:
        assert json.loads(printed)["translation"] == answer["translation"]
        return
    if "submit" in code:
        *progress, one, two = printed.splitlines()
        assert set(progress) <= {f"{ended} of 2" for ended in range(3)}
        assert progress[-1] == "2 of 2"
        assert one == f"archive/1 {answer['translation']['text'].splitlines()[0]}"
        assert two == "archive/2 422 text_empty: text: holds no visible text"
        return
    if "AsyncKortom" in code:
        texts = [
            shouting.post("/v1/articles", {"text": text}).json()["translation"]["text"]
            for text in TEXT.split("\n\n")
        ]
        assert printed == "\n".join([*texts, "422 text_empty text: holds no visible text\n"])
        return
    if language == "sh":
        assert printed.startswith("event: block\n")
    expected = sentences(answer) + [bullet["text"] for bullet in answer["summary"]["bullets"]]
    assert expected
    for text in expected:
        assert (json.dumps(text, ensure_ascii=False) if language == "sh" else text) in printed
