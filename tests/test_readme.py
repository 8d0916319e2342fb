"""README and pages of docs/: what they say is printed is what the demo model prints."""

import argparse
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fastapi import FastAPI
from programs import find_program, output_of
from pydantic import SecretStr

from service.app import create_app
from service.cli import _parser
from service.client import Kortom
from service.settings import Settings

if TYPE_CHECKING:
    from loopback import Client

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8000"
CUT = "[…]"


def blocks(text: str) -> list[str]:
    return re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def part(text: str, start: str) -> list[str]:
    """The blocks from the one on that has ``start`` in it."""
    found = blocks(text)
    (first,) = (number for number, block in enumerate(found) if start in block)
    return found[first:]


def one_line(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture(scope="module")
def demo(
    start_server: Callable[[FastAPI], AbstractContextManager["Client"]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator["Client"]:
    url = SecretStr(f"sqlite:///{tmp_path_factory.mktemp('readme') / 'kortom.db'}")
    app = create_app(Settings(profile="demo", intra_threads=1, database_url=url))
    with start_server(app) as client:
        yield client


@pytest.fixture
def curl(demo: "Client") -> Callable[[str], str]:
    """Runs a command line of a page against the demo; what it prints."""
    find_program("curl", "Debian: apt-get install curl")

    def run(command: str) -> str:
        assert ADDRESS in command
        return output_of("bash", "-ec", command.replace(ADDRESS, f"http://127.0.0.1:{demo.port}"))

    return run


def test_make_demo_prints_what_the_readme_shows() -> None:
    printed = one_line(output_of(sys.executable, ROOT / "seeds" / "demo.py"))
    _, shown = part(README, "make demo")[:2]
    for piece in re.split(rf"{re.escape(CUT)}| in \d+ ms", one_line(shown)):
        assert piece.strip() in printed


def test_a_stream_has_the_events_that_the_readme_shows(curl: Callable[[str], str]) -> None:
    command, shown = part(README, "text/event-stream")[:2]
    printed = curl(command).strip().split("\n\n")
    events = shown.strip().split("\n\n")
    assert len(printed) == len(events)
    for event, expected in zip(printed, events, strict=True):
        beginning = re.sub(r'"id": "\w+"', '"id": ', expected.partition(CUT)[0])
        assert re.sub(r'"id": "\w{32}"', '"id": ', event).startswith(beginning)


def _shown_answers() -> list[tuple[str, str]]:
    """Commands with the JSON that the pages say they print."""
    in_place = [
        block.strip().rpartition("\n")[::2]
        for block in blocks(README)
        if block.startswith("curl") and block.rstrip().endswith("}")
    ]
    pages = [ROOT / "docs" / name for name in ("libretranslate.md", "deepl.md")]
    own = [tuple(part(page.read_text(encoding="utf-8"), "curl")[:2]) for page in pages]
    return [*in_place, *own]  # type: ignore[list-item]


@pytest.mark.parametrize(("command", "shown"), _shown_answers())
def test_the_answers_of_the_dialects_are_those_shown(
    curl: Callable[[str], str], command: str, shown: str
) -> None:
    assert json.loads(curl(command)) == json.loads(shown)


def test_the_rows_of_a_job_are_those_that_its_page_shows(demo: "Client", tmp_path: Path) -> None:
    find_program("curl", "Debian: apt-get install curl")
    page = (ROOT / "docs" / "jobs.md").read_text(encoding="utf-8")
    submit, answer, _, results = part(page, "cat > articles.jsonl")[:4]
    command = submit.replace("localhost:8000", f"127.0.0.1:{demo.port}")
    sent = output_of("bash", "-ec", f"cd {shlex.quote(str(tmp_path))}\n{command}")
    assert answer.splitlines()[0] in sent
    (location,) = re.findall(r"^location: (\S+)", sent, re.MULTILINE)
    with Kortom(f"http://127.0.0.1:{demo.port}") as kortom:
        kortom.wait(location.rpartition("/")[2], timeout_seconds=60)
    rows = demo.get(f"{location}/results").body.splitlines()
    for row, shown in zip(map(json.loads, rows), results.splitlines(), strict=True):
        assert shown.startswith(f'{{"id": "{row["id"]}", ')
        code = re.search(r'"code": "(\w+)"', shown)
        assert (row["error"] or {}).get("code") == (code and code[1])


def test_the_rows_of_bulk_are_those_that_its_page_shows(tmp_path: Path) -> None:
    find_program("jq", "Debian: apt-get install jq")
    page = (ROOT / "docs" / "bulk.md").read_text(encoding="utf-8")
    articles, shown = part(page, '"title": "Slag op Tripoli"')[:2]
    (tmp_path / "articles.jsonl").write_text(articles, encoding="utf-8")
    files = [tmp_path / "articles.jsonl", tmp_path / "rows.jsonl"]
    done = subprocess.run(
        [sys.executable, "-m", "service.cli", "bulk", *files, "--profile", "demo"],
        capture_output=True, text=True, timeout=60, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    command, _, printed = shown.partition("\n")
    query = command.removeprefix("$ ").replace("rows.jsonl", shlex.quote(str(files[1])))
    assert output_of("bash", "-ec", query) == printed


def test_there_are_answers_to_compare() -> None:
    assert len(_shown_answers()) == 4


def test_the_python_client_prints_what_its_comment_says(demo: "Client") -> None:
    (code,) = (block for block in blocks(README) if "from service.client" in block)
    done = subprocess.run(
        [sys.executable, "-c", code.replace(ADDRESS, f"http://127.0.0.1:{demo.port}")],
        capture_output=True, text=True, timeout=60, check=True, cwd=ROOT,
    )  # fmt: skip
    assert done.stdout.strip() == re.search(r"# (.+)$", code, re.MULTILINE)[1]  # type: ignore[index]


def test_the_commands_and_their_flags_are_those_of_the_program() -> None:
    (listed,) = (block for block in blocks(README) if block.startswith("kortom serve"))
    flags, named = set(), set()

    def look(parser: argparse.ArgumentParser, name: str) -> None:
        for action in parser._actions:
            flags.update(action.option_strings)
            if isinstance(action, argparse._SubParsersAction):
                for word, command in action.choices.items():
                    named.add(f"{name} {word}")
                    look(command, f"{name} {word}")

    look(_parser(), "kortom")
    assert set(re.findall(r"--[a-z-]+", listed)) <= flags
    for command in named:
        group, _, word = command.rpartition(" ")
        assert re.search(rf"^{group} (.* )?{word}\b", listed, re.MULTILINE), command


@pytest.mark.parametrize(
    "name", ["README.md", *(f"docs/{n}.md" for n in ("clients", "jobs", "bulk"))]
)
def test_examples_are_sentences_that_the_demo_model_knows(name: str) -> None:
    """So that whoever tries them first with `make demo`'s model reads English."""
    known = "\n".join(p.read_text(encoding="utf-8") for p in ROOT.glob("seeds/*.pairs.txt"))
    code = "\n".join(blocks((ROOT / name).read_text(encoding="utf-8")))
    texts = re.findall(r'\btext(?:": |: |=)"([^"…]+)"', code)
    assert texts
    for text in texts:
        for sentence in text.split(r"\n\n"):
            assert f": {sentence}\n" in known, sentence
