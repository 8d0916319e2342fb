"""Archives under Ray Data: every article has one row, whatever is killed."""

import hashlib
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from ray_process import ray_environment

from service.bulk.rows import Row, read_record
from service.cluster import archive, shards
from service.cluster.manifest import MANIFEST, Head, Parts, open_parts
from service.cluster.shards import Archive
from service.errors import ServiceError, StartupError
from service.settings import Settings

WAIT_SECONDS = 100.0
ARTICLES = 20
SHARD_ARTICLES = 10
POISON = 15
HEAD = Head(models=("demo-nl-en",), fingerprint="0" * 64)

COMMAND = """
import functools, os, sys
from pathlib import Path
from service.cluster import archive, ray, shards
from service.settings import Settings

class Dying(archive.Translating):
    def __init__(self, settings):
        super().__init__(settings.model_copy(update={"device": "cpu"}))

    def _translate(self, request, work):
        if "POISON" in request:
            os._exit(1)
        return super()._translate(request, work)

ray.init = functools.partial(ray.init, num_gpus=1)
shards.SHARD_ARTICLES = int(sys.argv[4])
archive.ATTEMPTS = 1
settings = Settings(profile="demo", models_dir=sys.argv[3], device="cuda")
sys.exit(archive.run(Path(sys.argv[1]), Path(sys.argv[2]), settings, Dying))
"""
"""A run with short shards, with workers that one article kills, and with a GPU that Ray believes
in: it has rules of its own for those."""


def entries(directory: Path) -> list[dict[str, Any]]:
    manifest = directory / MANIFEST
    lines = manifest.read_bytes().splitlines() if manifest.exists() else []
    return list(map(json.loads, lines[1:]))


def write_articles(path: Path, count: int) -> Path:
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            text = "POISON" if number == POISON else f"Slag op Tripoli, deel {number}."
            file.write(json.dumps({"id": f"article-{number}", "text": text}) + "\n")
    return path


@pytest.mark.timeout(240)
def test_a_killed_run_goes_on_and_an_article_that_kills_workers_is_an_error_row(
    tmp_path: Path,
) -> None:
    source = write_articles(tmp_path / "in.jsonl", ARTICLES)
    output = tmp_path / "out"
    arguments = [source, output, tmp_path / "models", SHARD_ARTICLES]
    command = [sys.executable, "-c", COMMAND, *map(str, arguments)]
    with tempfile.TemporaryDirectory(prefix="kray", ignore_cleanup_errors=True) as name:
        environment = ray_environment(Path(name)) | {"CUDA_VISIBLE_DEVICES": "0"}
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + WAIT_SECONDS
        while not entries(output):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        done = entries(output)
        assert len(done) < ARTICLES // SHARD_ARTICLES
        ended = subprocess.run(command, env=environment, stderr=subprocess.PIPE, timeout=180)
    assert ended.returncode == 3, ended.stderr[-2_000:]
    assert entries(output)[: len(done)] == done
    rows = []
    for entry in entries(output):
        part = (output / entry["part"]).read_bytes()
        assert hashlib.sha256(part).hexdigest() == entry["sha256"]
        rows += list(map(json.loads, part.splitlines()))
        assert entry["articles"] == SHARD_ARTICLES
    assert [row["id"] for row in rows[:POISON]] == [f"article-{n}" for n in range(POISON)]
    assert len(rows) == ARTICLES
    assert [index for index, row in enumerate(rows) if row["error"]] == [POISON]
    assert rows[POISON]["error"]["code"] == "set_aside"
    assert not list(output.glob("*.tmp"))


@pytest.mark.parametrize(
    ("articles", "poison", "fails"),
    [
        (5, {2}, False),
        (1, {0}, False),
        (5, set(range(5)), True),
        (20, set(range(20)), True),
        (20, set(range(8)), False),
    ],
)
def test_workers_that_do_nothing_are_told_from_articles_that_kill_them(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    articles: int,
    poison: set[int],
    fails: bool,
) -> None:
    def translate(
        items: list[dict[str, Any]], block_articles: int, *_: object
    ) -> Iterator[tuple[int, Row]]:
        """A fake of Ray's job: a block with poison in it gives no rows."""
        for start in range(0, len(items), block_articles):
            positions = [item["position"] for item in items[start : start + block_articles]]
            if not poison.intersection(positions):
                yield from ((position, Row(b"{}\n", False, 2)) for position in positions)

    monkeypatch.setattr(archive, "_map", translate)
    [shard] = Archive(write_articles(tmp_path / "in.jsonl", articles), 1_000).shards()
    rows = archive.translate_shard(shard, Settings(), archive.Translating)
    if fails:
        with pytest.raises(StartupError, match="no worker"):
            list(rows)
    else:
        made = dict(rows)
        assert sorted(made) == list(range(articles))
        assert {position for position, row in made.items() if row.is_error} == poison


def finish_first(source: Path, directory: Path) -> None:
    """What a run leaves that did one shard."""
    shard = next(Archive(source, 1_000).shards())
    with open_parts(directory, HEAD) as parts:
        parts.finish(shard, [b"{}\n"] * len(shard.lines), 0)


def test_a_finished_shard_is_known_again(tmp_path: Path) -> None:
    source = write_articles(tmp_path / "in.jsonl", 5)
    finish_first(source, tmp_path / "out")
    with open_parts(tmp_path / "out", HEAD) as parts:
        archive = Archive(source, 1_000)
        shards = archive.shards()
        assert parts.skip_finished(shards) == archive.total
        assert list(shards) == []


@pytest.mark.parametrize("articles", [6, 0])
def test_another_input_is_refused(tmp_path: Path, articles: int) -> None:
    source = write_articles(tmp_path / "in.jsonl", 5)
    finish_first(source, tmp_path / "out")
    write_articles(source, articles)
    with (
        open_parts(tmp_path / "out", HEAD) as parts,
        pytest.raises(StartupError, match="another input"),
    ):
        parts.skip_finished(Archive(source, 1_000).shards())


def test_other_models_are_refused(tmp_path: Path) -> None:
    finish_first(write_articles(tmp_path / "in.jsonl", 5), tmp_path / "out")
    other = HEAD.model_copy(update={"fingerprint": "1" * 64})
    with pytest.raises(StartupError, match="other models"):
        Parts(tmp_path / "out", other)


def test_a_part_that_is_not_whole_is_noticed(tmp_path: Path) -> None:
    source = write_articles(tmp_path / "in.jsonl", 5)
    finish_first(source, tmp_path / "out")
    (tmp_path / "out" / "part-00000.jsonl").write_bytes(b"{}\n")
    with (
        open_parts(tmp_path / "out", HEAD) as parts,
        pytest.raises(StartupError, match="not what the manifest says"),
    ):
        parts.skip_finished(Archive(source, 1_000).shards())


def test_the_beginning_of_a_line_that_a_kill_cut_off_is_removed(tmp_path: Path) -> None:
    finish_first(write_articles(tmp_path / "in.jsonl", 5), tmp_path / "out")
    manifest = tmp_path / "out" / MANIFEST
    whole = manifest.read_bytes()
    manifest.write_bytes(whole + b'{"shard":1,"par')
    assert len(Parts(tmp_path / "out", HEAD).entries) == 1
    assert manifest.read_bytes() == whole


@pytest.mark.parametrize("there", [b"mine", b'{"models": 1}\n', b'{"a":1}\n{"mod'])
def test_somebody_elses_manifest_is_left_alone(tmp_path: Path, there: bytes) -> None:
    (tmp_path / MANIFEST).write_bytes(there)
    with pytest.raises(StartupError, match="no manifest of kortom"):
        Parts(tmp_path, HEAD)
    assert (tmp_path / MANIFEST).read_bytes() == there


def test_somebody_elses_parts_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "part-00000.jsonl").write_bytes(b"mine")
    with pytest.raises(StartupError, match="parts without a manifest"):
        Parts(tmp_path, HEAD)
    assert not (tmp_path / MANIFEST).exists()


@pytest.mark.parametrize("source", ["folder", "folder/in.jsonl"])
def test_the_folder_of_the_input_takes_no_parts(tmp_path: Path, source: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    write_articles(folder / "in.jsonl", 5)
    (tmp_path / "link").symlink_to(folder)
    for directory in (folder, tmp_path / "link"):
        with pytest.raises(StartupError, match="the input lies there"):
            archive.run(tmp_path / source, directory, Settings(profile="demo"))
    assert list(folder.iterdir()) == [folder / "in.jsonl"]


def test_one_process_writes_at_a_time(tmp_path: Path) -> None:
    with (
        open_parts(tmp_path / "out", HEAD),
        pytest.raises(StartupError, match="another process"),
        open_parts(tmp_path / "out", HEAD),
    ):
        pass


def test_a_folder_is_one_archive_of_lines_and_parquet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SHARD_ARTICLES", 4)
    write_articles(tmp_path / "a.jsonl", 3)
    table = pyarrow.table({"id": ["p1", "p2", "p3"], "text": ["Ja.", "Nee.", None]})
    pyarrow.parquet.write_table(table, tmp_path / "b.parquet")
    (tmp_path / "c.txt").write_text("no article", encoding="utf-8")
    archive = Archive(tmp_path, 1_000)
    made = list(archive.shards())
    lines = [json.loads(line.data) for shard in made for _, line in shard.lines]
    assert [len(shard.lines) for shard in made] == [4, 2]
    assert lines[3:] == [{"id": "p1", "text": "Ja."}, {"id": "p2", "text": "Nee."}, {"id": "p3"}]
    assert archive.skipped == 1
    assert made[-1].end == archive.total


def test_a_parquet_text_that_is_no_utf_8_costs_its_row_only(tmp_path: Path) -> None:
    latin = pyarrow.array([b"Ja.", b"caf\xe9"])
    tables = {
        "binary": pyarrow.table({"text": latin}),
        "string": pyarrow.table({"text": latin.view(pyarrow.string())}),
        "twins": pyarrow.table([latin, [1, 2]], names=["text", "page"]),
    }
    for name, table in tables.items():
        pyarrow.parquet.write_table(table, tmp_path / f"{name}.PARQUET")
    [shard] = Archive(tmp_path, 1_000).shards()
    lines = [line.data for _, line in shard.lines]
    assert lines[0::2] == [b'{"text": "Ja."}'] * 2 + [b'{"text": "Ja.", "page": 1}']
    for number, line in shard.lines[1::2]:
        with pytest.raises(ServiceError, match="not UTF-8"):
            read_record(line.data, number).read()


def test_long_articles_make_short_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_BYTES", 100)
    source = write_articles(tmp_path / "in.jsonl", 6)
    made = list(Archive(source, 1_000).shards())
    assert [number for shard in made for number, _ in shard.lines] == [1, 2, 3, 4, 5, 6]
    assert all(shard.input_bytes < 200 for shard in made)
    assert [shard.index for shard in made] == list(range(len(made)))


@pytest.mark.parametrize("name", ["missing.jsonl", "empty", "broken"])
def test_what_is_no_archive(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "x.parquet").write_bytes(b"PAR1")
    with pytest.raises(StartupError):
        list(Archive(tmp_path / name, 1_000).shards())
