"""A run in this process, over fake and real pipelines: order, ends, resumption, bounds."""

import io
import itertools
import json
import os
import resource
import signal
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fakes import FakeTranslator
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from service import loading
from service.api.articles import Articles
from service.bulk import progress
from service.bulk import run as bulk
from service.bulk.output import open_output
from service.bulk.rows import Record, Translate
from service.errors import InferenceError, InvalidRequest, StartupError
from service.loading import load_pipeline
from service.serving.health import Health
from service.serving.work import Work
from service.settings import Settings


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """SIGINT is heard, whatever started the tests; a shell has its background ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def echo(request: str, _work: Work) -> str:
    """A fake: the article is its own answer; one that holds "wrong" can't be translated."""
    if "wrong" in request:
        raise InvalidRequest("this one is wrong")
    return request


def run(
    source: Path,
    output: Path,
    translate: Translate = echo,
    *,
    resume: bool = False,
    dead: str | None = None,
    max_bytes: int = 100_000,
) -> int:
    @contextmanager
    def load() -> Iterator[bulk.Worker]:
        yield bulk.Worker(translate, lambda: dead)

    return bulk.run(source, output, resume=resume, max_bytes=max_bytes, load=load)


def write_articles(path: Path, count: int, *, wrong: int | None = None) -> list[str]:
    """A file of articles; returns their ids. Article ``wrong`` is an error."""
    lines = [
        {"id": f"a{index}", "text": "wrong" if index == wrong else f"Het regent {index} keer."}
        for index in range(count)
    ]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return [line["id"] for line in lines]


def ids(path: Path) -> list[str]:
    return [json.loads(line)["id"] for line in path.read_bytes().splitlines()]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    write_articles(tmp_path / "in.jsonl", 200)
    return tmp_path / "in.jsonl"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def test_rows_come_in_the_order_of_the_input(source: Path, output: Path) -> None:
    def translate(request: str, _work: Work) -> str:
        time.sleep(0.002 * (len(request) * 7 % 5))  # the fake's work: some take longer
        return request

    assert run(source, output, translate) == 0
    assert ids(output) == ids(source)


def test_equal_ids_are_articles_of_their_own(source: Path, output: Path) -> None:
    source.write_bytes(b'{"id": "a", "text": "Ja."}\n{"id": "a", "text": "Nee."}\n')
    assert run(source, output) == 0
    assert ids(output) == ["a", "a"]


def test_errors_are_rows_and_tell_in_the_exit_code(tmp_path: Path, output: Path) -> None:
    names = write_articles(tmp_path / "in.jsonl", 20, wrong=7)
    assert run(tmp_path / "in.jsonl", output) == 3
    assert ids(output) == names
    rows = list(map(json.loads, output.read_bytes().splitlines()))
    assert [row["id"] for row in rows if row["error"]] == ["a7"]
    # Also when a later run has nothing left to do.
    assert run(tmp_path / "in.jsonl", output, resume=True) == 3
    assert ids(output) == names


def test_no_articles_are_no_rows(tmp_path: Path, output: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty", output) == 0
    assert output.read_bytes() == b""


def test_a_folder_can_be_resumed(tmp_path: Path, output: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in (b"caf\xe9.txt", b'a\n"\xe9.txt', b"plain.md"):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(b"Ja.")
    assert run(folder, output) == 0
    whole = output.read_bytes()
    for cut in {*range(whole.index(b"{", 1) + 2), *range(0, len(whole), 7)}:
        output.write_bytes(whole[:cut])
        assert run(folder, output, resume=True) == 0
        assert output.read_bytes() == whole


@hypothesis_settings(max_examples=60)
@given(st.data())
def test_an_output_cut_at_any_byte_is_made_whole(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as directory:
        source, output = Path(directory) / "in.jsonl", Path(directory) / "out.jsonl"
        write_articles(source, 12, wrong=5)
        with source.open("ab") as file:
            file.write(b'no json\n\n{"text": "Zonder naam."}')
        assert run(source, output) == 3
        whole = output.read_bytes()
        assert whole.count(b"\n") == 14
        for cut in data.draw(st.lists(st.integers(0, len(whole)), max_size=4)):
            os.truncate(output, min(cut, output.stat().st_size))
            assert run(source, output, resume=True) == 3
            assert output.read_bytes() == whole


@pytest.mark.parametrize(
    "there",
    [
        b'{"id":"b0","article":{},"error":null}\n',
        b'{"id":"a1","article":{},"error":null}\n',
        b'{"id": "a0", "text": "Ja."}\n',
        b"\n",
        b"\x00" * 100 + b"\n",
        b'{"id":"\\x","article":{}}\n',
        b"A text without a line feed.",
        b'{"id":"a0","text":"Ja."}',
        b'{"id":"a0", "text": "Ja."}',
        b'{"id":"a0","article":"Ja."}',
        b'{"id":"a0"}',
        b'{"id": "a0',
        b"\x00",
    ],
)
def test_what_is_no_output_of_the_same_input_is_left_alone(
    source: Path, output: Path, there: bytes
) -> None:
    there += b'{"id":"a' if there.endswith(b"\n") else b""
    output.write_bytes(there)
    with pytest.raises(StartupError, match=r"out\.jsonl: (row 1 is not of|line 1 is no row)"):
        run(source, output, resume=True)
    assert output.read_bytes() == there


@pytest.mark.parametrize(
    "name",
    [
        "folder/out.txt",
        "folder/below/out.HTML",
        "folder/../folder/out.md",
        "link/out.txt",
        "folder/elsewhere.txt",
        "inwards",
    ],
)
def test_an_output_that_would_be_an_article_of_the_folder_is_refused(
    tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "folder"
    (folder / "below").mkdir(parents=True)
    (folder / "a.txt").write_bytes(b"Ja.")
    (tmp_path / "link").symlink_to(folder)
    (folder / "elsewhere.txt").symlink_to(tmp_path / "out")
    (tmp_path / "inwards").symlink_to(folder / "out.txt")
    there = sorted(tmp_path.rglob("*"))
    for resume in (False, True):
        with pytest.raises(StartupError, match="read as input: take another"):
            run(folder, tmp_path / name, resume=resume)
    assert sorted(tmp_path.rglob("*")) == there


@pytest.mark.parametrize("name", ["folder/out.jsonl", "folder.txt", "out.txt"])
def test_an_output_beside_articles_is_none(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_bytes(b"Ja.")
    assert run(tmp_path / "folder", tmp_path / name) == 0
    assert run(tmp_path / "folder", tmp_path / name, resume=True) == 0
    assert ids(tmp_path / name) == ["a.txt"]


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_the_input_is_no_output(source: Path, output: Path, link: Callable[..., None]) -> None:
    link(output, source)
    whole = source.read_bytes()
    for name in (source, output):
        with pytest.raises(StartupError, match="read as input: take another"):
            run(source, name, resume=True)
    assert source.read_bytes() == whole


def test_more_rows_than_articles_are_of_another_input(source: Path, output: Path) -> None:
    assert run(source, output) == 0
    whole = output.read_bytes()
    write_articles(source, 199)
    with pytest.raises(StartupError, match="row 200 is not of"):
        run(source, output, resume=True)
    assert output.read_bytes() == whole


def test_an_output_that_is_there_is_not_touched(source: Path, output: Path) -> None:
    output.write_bytes(b"something")
    with pytest.raises(StartupError, match="is there: go on with it by --resume"):
        run(source, output)
    assert output.read_bytes() == b"something"


def test_two_runs_do_not_write_one_output(source: Path, output: Path) -> None:
    alias = output.with_name("alias.jsonl")
    alias.symlink_to(output)
    with (
        open_output(output, resume=False),
        pytest.raises(StartupError, match="another process writes it"),
    ):
        run(source, alias, resume=True)


@pytest.mark.parametrize("name", [".", "nowhere/out.jsonl", "pipe", "loop"])
def test_an_output_that_can_not_be_written_is_one_line(
    tmp_path: Path, source: Path, name: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(StartupError):
        run(source, tmp_path / name)


def test_a_full_disk_ends_the_run_and_it_can_be_resumed(source: Path, output: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, hard))
    try:
        with pytest.raises(StartupError, match=r"out\.jsonl: File too large; .* see --resume"):
            run(source, output)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert output.stat().st_size == 5_000
    assert not output.read_bytes().endswith(b"\n")
    assert run(source, output, resume=True) == 0
    assert ids(output) == ids(source)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_keeps_what_is_done(
    source: Path, output: Path, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(number)

    def translate(request: str, _work: Work) -> str:
        if '"a50"' in request:
            os.kill(os.getpid(), number)
        return request

    assert run(source, output, translate) == 130
    assert "interrupted; go on with --resume" in capsys.readouterr().err
    assert signal.getsignal(number) is before
    done = ids(output)
    assert 0 < len(done) < 200
    assert run(source, output, resume=True) == 0
    assert ids(output) == ids(source)


def test_an_interrupted_run_does_not_wait_for_a_long_article(
    source: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "GRACE_SECONDS", 0.2)

    def translate(request: str, work: Work) -> str:
        if '"a50"' in request:
            os.kill(os.getpid(), signal.SIGINT)
            while True:
                work.wait(threading.Event())
        return request

    assert run(source, output, translate) == 130  # the article would never end
    assert ids(output) == ids(source)[:50]


def test_a_second_signal_ends_the_run_at_once(source: Path, output: Path) -> None:
    def translate(request: str, work: Work) -> str:
        if '"a50"' in request:
            while True:
                os.kill(os.getpid(), signal.SIGINT)
                work.wait(threading.Event())
        return request

    with pytest.raises(KeyboardInterrupt):
        run(source, output, translate)
    assert ids(output) == ids(source)[:50]


def test_a_long_article_in_front_does_not_make_memory_grow() -> None:
    """No more is read than the window holds, whatever is done behind it."""
    release, seen = threading.Event(), itertools.count()
    read = 0

    def records() -> Iterator[tuple[Record, int]]:
        nonlocal read
        for read in range(1, 1_001):
            yield Record(str(read), lambda: "{}"), read

    def translate(request: str, work: Work) -> str:
        if next(seen) == 0:
            release.wait(60)
        return request

    rows = bulk.rows_in_order(records(), bulk.Worker(translate, lambda: None), threading.Event())
    assert next(rows) is None
    assert read == bulk.WINDOW
    release.set()
    ends = [made[1] for made in rows if made]
    assert ends == list(range(1, 1_001))


def test_memory_does_not_grow_with_the_input(tmp_path: Path, output: Path) -> None:
    """16 MB of articles, their run and a resumption in 4 MB."""
    text = "Het regent. " * 333
    with (tmp_path / "in.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(f'{{"id": "a{index}", "text": "{text}"}}\n' for index in range(4_000))
    tracemalloc.start()
    try:
        assert run(tmp_path / "in.jsonl", output) == 0
        os.truncate(output, output.stat().st_size - 5_000)
        assert run(tmp_path / "in.jsonl", output, resume=True) == 0
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
    assert output.read_bytes().count(b"\n") == 4_000


@contextmanager
def real(translator: FakeTranslator, **settings: float) -> Iterator[bulk.Worker]:
    """The real pipeline and its queues over a fake engine."""
    loaded = load_pipeline(Settings(profile="demo", **settings), translator=translator)
    try:
        articles = Articles(loaded.pipeline, loaded.models)
        yield bulk.Worker(articles.translate, Health(loaded.engines).dead)
    finally:
        loaded.close()


def test_articles_share_batches(source: Path, output: Path) -> None:
    translator = FakeTranslator(str.upper)
    code = bulk.run(source, output, resume=False, max_bytes=9_999, load=lambda: real(translator))
    assert code == 0
    assert max(map(len, translator.batches)) > 4


def test_an_article_that_an_engine_fails_on_is_an_error_row(source: Path, output: Path) -> None:
    def rewrite(sentence: str) -> str:
        if " 7 " in sentence:
            raise RuntimeError("strange")
        return sentence

    code = bulk.run(
        source, output, resume=False, max_bytes=9_999, load=lambda: real(FakeTranslator(rewrite))
    )
    assert code == 3
    rows = list(map(json.loads, output.read_bytes().splitlines()))
    assert [row["id"] for row in rows] == ids(source)
    assert [row["id"] for row in rows if row["error"]] == ["a7"]
    assert rows[7]["error"]["code"] == "inference_failed"


def test_a_broken_engine_ends_the_run_without_rows_of_its_errors(
    source: Path, output: Path
) -> None:
    seen = itertools.count()

    def rewrite(sentence: str) -> str:
        if next(seen) > 100:
            raise RuntimeError("broken")
        return sentence

    with pytest.raises(StartupError, match="fails on everything; the rows so far stay"):
        bulk.run(
            source,
            output,
            resume=False,
            max_bytes=9_999,
            load=lambda: real(FakeTranslator(rewrite)),
        )
    assert b'"article":null' not in output.read_bytes()
    assert 0 < len(ids(output)) < 200
    assert run(source, output, resume=True) == 0
    assert ids(output) == ids(source)


def test_an_engine_that_hangs_ends_the_run(
    source: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "CLOSE_SECONDS", 0.1)
    release, seen = threading.Event(), itertools.count()

    def rewrite(sentence: str) -> str:
        if next(seen) > 100:
            release.wait(60)
        return sentence

    with pytest.raises(StartupError, match="hangs; the rows so far stay"):
        bulk.run(
            source,
            output,
            resume=False,
            max_bytes=9_999,
            load=lambda: real(FakeTranslator(rewrite), engine_timeout_seconds=0.3),
        )
    release.set()
    assert b'"article":null' not in output.read_bytes()


def test_an_engine_that_failed_and_works_again_ends_nothing(source: Path, output: Path) -> None:
    def translate(request: str, _work: Work) -> str:
        if '"a7"' in request:
            raise InferenceError("the engine failed")
        return request

    assert run(source, output, translate) == 3
    assert ids(output) == ids(source)


def test_a_run_says_what_it_does_and_did(
    source: Path,
    output: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    write_articles(source, 200, wrong=3)
    run(source, output)
    os.truncate(output, output.stat().st_size // 2)
    capsys.readouterr()
    run(source, output, resume=True)
    lines = capsys.readouterr().err.splitlines()
    assert all(
        part in lines[-2] for part in ("100 %, ", " translated, ", " articles/s, ", "00:00 left")
    )
    assert "0 failed" in lines[-1]
    assert "0 files skipped" in lines[-1]
    assert "rows by earlier runs" in lines[-1]


def test_nobody_need_look(source: Path, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)  # as of a program started with 2>&-
    assert run(source, output) == 0
    assert ids(output) == ids(source)


def test_a_terminal_shows_a_bar(
    source: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress, "BAR_SECONDS", 0.0)
    run(source, output)
    shown = terminal.getvalue()
    assert "100 % |" in shown
    assert "200 translated, 0 failed, " in shown
    assert " left" in shown
