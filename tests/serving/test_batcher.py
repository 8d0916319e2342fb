"""Many callers, one queue: what each may count on."""

import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import ClientGone, DeadlineExceeded, InferenceError
from service.serving import batcher as batcher_module
from service.serving.batcher import Batcher
from service.serving.fair_queue import Item
from service.serving.metrics import Metrics
from service.serving.work import Work, working_on

WAIT_SECONDS = 30.0


class FakeEngine:
    """Answers each source with its capitals once ``gate`` is open; remembers its batches.

    Args:
        fails: batches for which it raises what this returns.
    """

    def __init__(self, fails: Callable[[Sequence[str]], Exception | None] = lambda _: None) -> None:
        self.batches: list[list[str]] = []
        self.entered = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()
        self._fails = fails

    def __call__(self, _lane: Hashable, sources: Sequence[str]) -> list[str]:
        self.batches.append(list(sources))
        self.entered.release()
        assert self.gate.wait(WAIT_SECONDS)
        if error := self._fails(sources):
            raise error
        return [source.upper() for source in sources]

    @property
    def seen(self) -> list[str]:
        return [source for batch in self.batches for source in batch]


@contextmanager
def batching(
    engine: Callable[[Hashable, Sequence[str]], Sequence[str]],
    *,
    threads: int = 1,
    max_batch_tokens: int = 8,
    timeout_seconds: float = WAIT_SECONDS,
) -> Iterator["Batcher[str, str]"]:
    batcher: Batcher[str, str] = Batcher(
        "fake",
        engine,
        threads=threads,
        max_batch_tokens=max_batch_tokens,
        canary=Item("canary", "any", 1),
        timeout_seconds=timeout_seconds,
        metrics=Metrics(),
    )
    try:
        yield batcher
    finally:
        batcher.close(WAIT_SECONDS)


def items(*sources: str, lane: str = "any", tokens: int = 1) -> list[Item[str]]:
    return [Item(source, lane, tokens) for source in sources]


@contextmanager
def occupied(
    batcher: "Batcher[str, str]", engine: FakeEngine
) -> Iterator[tuple[ThreadPoolExecutor, "Future[list[str]]"]]:
    """The engine busy with one item, so that what comes next waits in the queue."""
    with ThreadPoolExecutor(16) as pool:
        engine.gate.clear()
        first = pool.submit(batcher.run, items("first"))
        assert engine.entered.acquire(timeout=WAIT_SECONDS)
        try:
            yield pool, first
        finally:
            engine.gate.set()


def until_queued(batcher: "Batcher[str, str]", count: int) -> None:
    """Wait until that many items are in the queue; the batcher tells of changes."""
    with batcher._changed:
        assert batcher._changed.wait_for(lambda: batcher._queue.items == count, WAIT_SECONDS)


SOURCES = st.lists(
    st.lists(st.tuples(st.sampled_from("abcdefg"), st.sampled_from("xy"), st.integers(1, 12))),
    max_size=6,
)


@settings(max_examples=60)
@given(SOURCES, st.integers(1, 3))
def test_every_caller_gets_its_own_results_in_order(
    calls: list[list[tuple[str, str, int]]], threads: int
) -> None:
    sizes: list[tuple[int, set[Hashable]]] = []

    def engine(lane: Hashable, sources: Sequence[str]) -> list[str]:
        sizes.append((len(sources), {lane}))
        return [f"{lane}{source}" for source in sources]

    with batching(engine, threads=threads) as batcher, ThreadPoolExecutor(6) as pool:
        wanted = [[Item(source, lane, tokens) for source, lane, tokens in call] for call in calls]
        for got, call in zip(pool.map(batcher.run, wanted), calls, strict=True):
            assert got == [f"{lane}{source}" for source, lane, _ in call]
        assert not batcher._queue.callers()
        assert (batcher._queue.items, batcher._queue.tokens) == (0, 0)


def test_sentences_of_several_callers_share_a_batch() -> None:
    engine = FakeEngine()
    with batching(engine) as batcher, occupied(batcher, engine) as (pool, _):
        calls = [pool.submit(batcher.run, items(name)) for name in "abc"]
        until_queued(batcher, 3)
        engine.gate.set()
        assert [call.result(WAIT_SECONDS) for call in calls] == [["A"], ["B"], ["C"]]
    assert [set(batch) for batch in engine.batches] == [{"first"}, {"a", "b", "c"}]


def test_a_batch_has_one_lane_and_no_more_tokens_than_allowed() -> None:
    engine = FakeEngine()
    with batching(engine, max_batch_tokens=8) as batcher, occupied(batcher, engine) as (pool, _):
        short = items("a", "b", "c", "d", "e", lane="short", tokens=3)
        long = items("f", "g", "h", lane="long", tokens=20)
        call = pool.submit(batcher.run, [*short, *long])
        until_queued(batcher, 8)
        engine.gate.set()
        assert call.result(WAIT_SECONDS) == list("ABCDEFGH")
    assert engine.batches[1:] == [["a", "b"], ["c", "d"], ["e"], ["f"], ["g"], ["h"]]


def test_a_long_article_does_not_hold_up_a_headline() -> None:
    engine = FakeEngine()
    with batching(engine, max_batch_tokens=4) as batcher, occupied(batcher, engine) as (pool, _):
        article = pool.submit(batcher.run, items(*(f"s{n}" for n in range(40))))
        until_queued(batcher, 40)
        headline = pool.submit(batcher.run, items("headline"))
        until_queued(batcher, 41)
        engine.gate.set()
        headline.result(WAIT_SECONDS)
        article.result(WAIT_SECONDS)
    assert "headline" in engine.batches[1] + engine.batches[2]


def test_each_of_several_articles_gets_its_turn() -> None:
    engine = FakeEngine()
    with batching(engine, max_batch_tokens=4) as batcher, occupied(batcher, engine) as (pool, _):
        calls = []
        for number, name in enumerate("abcd", start=1):
            calls.append(pool.submit(batcher.run, items(*(f"{name}{n}" for n in range(8)))))
            until_queued(batcher, 8 * number)
        engine.gate.set()
        for call in calls:
            call.result(WAIT_SECONDS)
    for batch in engine.batches[1:]:
        assert sorted(source[0] for source in batch) == list("abcd")


def test_equal_sentences_are_computed_once_while_they_are_in_flight() -> None:
    engine = FakeEngine()
    with batching(engine) as batcher, occupied(batcher, engine) as (pool, first):
        again = pool.submit(batcher.run, items("first", "same"))
        until_queued(batcher, 1)
        other = pool.submit(batcher.run, items("same", "same"))
        with batcher._changed:
            assert batcher._changed.wait_for(
                lambda: len(batcher._queue.callers()) == 3, WAIT_SECONDS
            )
        engine.gate.set()
        assert first.result(WAIT_SECONDS) == ["FIRST"]
        assert again.result(WAIT_SECONDS) == ["FIRST", "SAME"]
        assert other.result(WAIT_SECONDS) == ["SAME", "SAME"]
    assert engine.seen == ["first", "same"]


def test_what_a_caller_that_left_had_queued_is_not_computed_unless_another_wants_it() -> None:
    engine = FakeEngine()
    with batching(engine) as batcher, occupied(batcher, engine) as (pool, _):
        work = Work()

        def leave_early() -> list[str]:
            with working_on(work):
                return batcher.run(items("mine", "ours"))

        leaving = pool.submit(leave_early)
        until_queued(batcher, 2)
        staying = pool.submit(batcher.run, items("ours", "theirs"))
        until_queued(batcher, 3)
        work.cancel()
        with pytest.raises(ClientGone):
            leaving.result(WAIT_SECONDS)  # at once, though the engine is still busy
        engine.gate.set()
        assert staying.result(WAIT_SECONDS) == ["OURS", "THEIRS"]
    assert "mine" not in engine.seen


def test_a_deadline_ends_the_wait_though_the_engine_is_busy() -> None:
    engine = FakeEngine()
    with batching(engine) as batcher, occupied(batcher, engine) as (pool, _):

        def hurried() -> list[str]:
            with working_on(Work(0.05)):
                return batcher.run(items("late"))

        with pytest.raises(DeadlineExceeded):
            pool.submit(hurried).result(WAIT_SECONDS)
    assert "late" not in engine.seen


@pytest.mark.parametrize("error", [InferenceError("no"), RuntimeError("no"), KeyError("no")])
def test_one_bad_item_fails_alone(error: Exception) -> None:
    engine = FakeEngine(lambda sources: error if "bad" in sources else None)
    with batching(engine) as batcher, occupied(batcher, engine) as (pool, _):
        good = pool.submit(batcher.run, items("a", "b", "c"))
        until_queued(batcher, 3)
        bad = pool.submit(batcher.run, items("bad"))
        until_queued(batcher, 4)
        engine.gate.set()
        assert good.result(WAIT_SECONDS) == ["A", "B", "C"]
        with pytest.raises(InferenceError):
            bad.result(WAIT_SECONDS)
        assert batcher.dead is None
        assert batcher.run(items("next")) == ["NEXT"]


def test_too_few_results_are_no_results() -> None:
    def engine(_lane: Hashable, sources: Sequence[str]) -> list[str]:
        return [source for source in sources if source != "lost"]

    with batching(engine) as batcher:
        assert batcher.run(items("a")) == ["a"]
        with pytest.raises(InferenceError):
            batcher.run(items("lost"))
        assert batcher.dead is None


def test_out_of_memory_halves_the_batch_down_to_one_and_the_next_ones_too() -> None:
    def too_small(sources: Sequence[str]) -> Exception | None:
        if len(sources) == 1:
            return None
        error = InferenceError("the translation engine failed on this request")
        error.__cause__ = RuntimeError("CUDA failed with error out of memory")
        return error

    engine = FakeEngine(too_small)
    with batching(engine) as batcher:
        assert batcher.run(items("a", "b", "c", "d")) == list("ABCD")
        assert max(map(len, engine.batches)) == 4
        engine.batches.clear()
        assert batcher.run(items("e", "f", "g", "h")) == list("EFGH")
        assert max(map(len, engine.batches)) == 1


def test_an_engine_that_fails_on_everything_is_dead_until_something_works() -> None:
    working = threading.Event()
    engine = FakeEngine(lambda _: None if working.is_set() else RuntimeError("gone"))
    with batching(engine) as batcher:
        for source in "ab":
            with pytest.raises(InferenceError):
                batcher.run(items(source))
            assert batcher.dead
        working.set()
        assert batcher.run(items("c")) == ["C"]
        assert batcher.dead is None


def test_an_engine_that_hangs_fails_all_that_wait_and_is_dead_until_it_comes_back() -> None:
    engine = FakeEngine()
    with (
        batching(engine, timeout_seconds=0.1) as batcher,
        occupied(batcher, engine) as (pool, first),
    ):
        waiting = pool.submit(batcher.run, items("waiting"))
        for call in (first, waiting):
            with pytest.raises(InferenceError, match="does not answer"):
                call.result(WAIT_SECONDS)
        assert batcher.dead
        with pytest.raises(InferenceError, match="does not answer"):
            batcher.run(items("new"))
        engine.gate.set()
        with batcher._changed:
            while batcher._running:
                batcher._changed.wait(0.01)
        assert batcher.dead is None
        assert batcher.run(items("again")) == ["AGAIN"]


def test_an_engine_thread_that_ends_fails_all_that_wait() -> None:
    def engine(_lane: Hashable, _sources: Sequence[str]) -> list[str]:
        raise SystemExit  # no error of an engine: nothing catches it

    with batching(engine) as batcher:
        with pytest.raises(InferenceError, match="ended"):
            batcher.run(items("a"))
        assert batcher.dead


def test_closing_fails_what_waits() -> None:
    engine = FakeEngine()
    with batching(engine) as batcher, occupied(batcher, engine) as (pool, first):
        waiting = pool.submit(batcher.run, items("waiting"))
        until_queued(batcher, 1)
        batcher.close(0)
        for call in (first, waiting):
            with pytest.raises(InferenceError, match="stopped"):
                call.result(WAIT_SECONDS)


def test_idle_threads_share_what_waits() -> None:
    engine = FakeEngine()
    with batching(engine, threads=2) as batcher, ThreadPoolExecutor(1) as pool:
        engine.gate.clear()
        call = pool.submit(batcher.run, items("a", "b", "c", "d"))
        assert engine.entered.acquire(timeout=WAIT_SECONDS)
        assert engine.entered.acquire(timeout=WAIT_SECONDS)
        engine.gate.set()
        assert call.result(WAIT_SECONDS) == list("ABCD")
    assert sorted(map(sorted, engine.batches)) == [["a", "b"], ["c", "d"]]


def test_the_time_in_the_queue_and_in_the_engine_is_told_apart() -> None:
    engine = FakeEngine()
    with batching(engine) as batcher:
        work = Work()
        with working_on(work):
            batcher.run(items("a"))
        assert work.timings.queue >= 0
        assert work.timings.inference > 0


def test_a_crowd_that_has_gone_makes_nobody_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = FakeEngine()
    with batching(engine) as batcher:
        with occupied(batcher, engine) as (pool, busy):
            crowd = [pool.submit(batcher.run, items(f"s{number}")) for number in range(8)]
            until_queued(batcher, len(crowd))
            engine.gate.set()
            for future in (busy, *crowd):
                future.result(WAIT_SECONDS)
        monkeypatch.setattr(batcher_module, "FILL_SECONDS", 2 * WAIT_SECONDS)
        batcher._left -= 3 * WAIT_SECONDS  # longer ago than anybody is waited for
        with ThreadPoolExecutor(1) as pool:
            pool.submit(batcher.run, items("alone")).result(WAIT_SECONDS)


def test_nothing_wanted_is_nothing_computed() -> None:
    engine = FakeEngine()
    with batching(engine) as batcher:
        assert batcher.run([]) == []
    assert engine.batches == []
