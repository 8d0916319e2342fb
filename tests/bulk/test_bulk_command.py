"""``kortom bulk`` as a person or a script meets it, killed at any moment."""

import json
import random
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from service import cli

ROOT = Path(__file__).parents[2]
KORTOM = [sys.executable, "-m", "service.cli", "bulk"]
KILLS = 4
ARTICLES = 240


def write_articles(path: Path) -> list[str]:
    """Short articles of sentences that the demo model knows; returns their ids."""
    sentences = [
        line
        for file in sorted((ROOT / "seeds").glob("*.nl.txt"))
        for line in file.read_text(encoding="utf-8").splitlines()
        if 20 < len(line) < 200
    ]
    chosen = random.Random(7)  # noqa: S311 - no secret is made of it
    names = [f"article:{number}" for number in range(ARTICLES)]
    with path.open("w", encoding="utf-8") as file:
        for name in names:
            text = "\n\n".join(chosen.sample(sentences, 3))
            file.write(json.dumps({"id": name, "text": text, "summary": {"bullets": 1}}) + "\n")
    return names


def rows(path: Path) -> list[dict[str, Any]]:
    """The rows without what differs from run to run: how long things took."""
    found = list(map(json.loads, path.read_bytes().splitlines()))
    for row in found:
        del row["article"]["timing_ms"]
    return found


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def test_no_kill_loses_or_doubles_an_article(tmp_path: Path) -> None:
    source, output, whole = (tmp_path / name for name in ("in.jsonl", "out.jsonl", "whole.jsonl"))
    names = write_articles(source)
    assert cli.main(["bulk", str(source), str(whole), "--profile", "demo"]) == 0
    moments = random.Random(3)  # noqa: S311
    share = size(whole) // (KILLS + 1)
    for _ in range(KILLS):
        aim = size(output) + moments.randrange(1, share)
        process = subprocess.Popen(
            [*KORTOM, str(source), str(output), "--resume", "--profile", "demo"],
            stderr=subprocess.PIPE,
            cwd=ROOT,
        )
        with process:
            while size(output) < aim and process.poll() is None:
                time.sleep(0.001)  # looks again: nothing tells of a file that grows
            assert process.poll() is None
            process.kill()
        with output.open("ab") as file:  # a kill hardly ever falls within a write
            file.write(b'{"id":"article:'[: moments.randrange(16)])
    assert 0 < len(output.read_bytes().splitlines()) < ARTICLES
    assert cli.main(["bulk", str(source), str(output), "--resume", "--profile", "demo"]) == 0
    assert [row["id"] for row in rows(output)] == names
    assert rows(output) == rows(whole)


def test_a_folder_becomes_rows_and_errors_tell_in_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.txt").write_text("Het regent in Utrecht.", encoding="utf-8")
    (folder / "b.html").write_text("<h1>Slag op Tripoli</h1>", encoding="utf-8")
    (folder / "c.md").touch()
    (folder / "d.jpg").touch()
    output = tmp_path / "out.jsonl"
    assert cli.main(["bulk", str(folder), str(output), "--profile", "demo"]) == 3
    found = list(map(json.loads, output.read_bytes().splitlines()))
    assert [(row["id"], row["error"] and row["error"]["code"]) for row in found] == [
        ("a.txt", None), ("b.html", None), ("c.md", "text_empty"),
    ]  # fmt: skip
    assert found[1]["article"]["translation"]["text"].startswith("<h1>")
    last = capsys.readouterr().err.splitlines()[-1]
    assert re.match(r"2 translated, 1 failed, .* articles/s, .* 1 file skipped, \d+\.\d s$", last)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["gone.jsonl", "out.jsonl"], "gone.jsonl: No such file or directory"),
        (["in.jsonl", "there.jsonl"], "there.jsonl is there: go on with it by --resume"),
        (["in.jsonl", "in.jsonl"], "in.jsonl: it is read as input: take another"),
        (["in.jsonl", "gone/out.jsonl"], "gone: no such directory"),
        (["in.jsonl", "out.jsonl", "--beam-size", "7"], "setting beam_size"),
        (["in.jsonl", "out.jsonl", "--profile", "light"], "kortom models pull opus-mt-nl-en"),
    ],
)
def test_what_can_not_be_done_is_one_line_and_exit_code_1(
    arguments: list[str],
    line: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KORTOM_MODELS_DIR", str(tmp_path / "models"))
    for name in ("in.jsonl", "there.jsonl"):
        (tmp_path / name).write_bytes(b'{"text": "Ja."}\n')
    assert cli.main(["bulk", *arguments]) == 1
    said = [said for said in capsys.readouterr().err.splitlines() if said.startswith("kortom: ")]
    assert len(said) == 1
    assert line in said[0]


def test_the_exit_codes_are_in_the_help_and_in_the_manual(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        cli.main(["bulk", "--help"])
    shown = capsys.readouterr().out
    manual = (ROOT / "docs" / "bulk.md").read_text(encoding="utf-8")
    for code in (0, 1, 3, 130):
        assert re.search(rf"^  {code} +\w", shown, re.MULTILINE)
        assert re.search(rf"^\| {code} \|", manual, re.MULTILINE)
