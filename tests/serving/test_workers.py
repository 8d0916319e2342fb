"""Requests on threads: shared runs, gone clients, deadlines, and the end."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from service.errors import ClientGone, DeadlineExceeded, Overloaded
from service.serving.metrics import Metrics
from service.serving.work import Timings, Work, current_work
from service.serving.workers import Workers

WAIT_SECONDS = 30.0
Result = TypeVar("Result")


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def workers(metrics: Metrics) -> Iterator[Workers]:
    made = Workers(4, 100_000, metrics)
    yield made
    made.shutdown()


async def stays() -> None:
    """A caller that never leaves."""
    await asyncio.Event().wait()


class Job:
    """Counts its runs, and waits in each until it is let go or the work is ended."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.ended = threading.Event()
        self.runs = 0

    def __call__(self, work: Work) -> int:
        assert current_work() is work
        self.runs += 1
        self.begun.release()
        try:
            while not self.go_on.is_set():
                work.wait(self.go_on)
            return self.runs
        finally:
            self.ended.set()

    async def running(self) -> None:
        assert await asyncio.to_thread(self.begun.acquire, timeout=WAIT_SECONDS)


def play(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(scene(), WAIT_SECONDS))


def start(
    workers: Workers,
    function: Callable[[Work], Result],
    *,
    key: str | None = None,
    disconnected: Callable[[], Awaitable[None]] = stays,
    deadline_seconds: float | None = None,
) -> "asyncio.Task[tuple[Result, Timings]]":
    return asyncio.ensure_future(
        workers.run(
            function,
            characters=10,
            key=key,
            disconnected=disconnected,
            deadline_seconds=deadline_seconds,
        )
    )


def count(metrics: Metrics, name: str) -> float | None:
    return metrics.registry.get_sample_value(name)


def test_identical_requests_at_the_same_time_are_one_run(
    workers: Workers, metrics: Metrics
) -> None:
    job = Job()

    async def scene() -> None:
        first = start(workers, job, key="same")
        await job.running()
        others = [start(workers, job, key="same") for _ in range(3)]
        await asyncio.sleep(0)
        assert count(metrics, "kortom_inflight_requests") == 4
        assert count(metrics, "kortom_shared_requests_total") == 3
        job.go_on.set()
        answers = await asyncio.gather(first, *others)
        assert [result for result, _ in answers] == [1, 1, 1, 1]
        # What comes later is a request of its own.
        result, _ = await start(workers, job, key="same")
        assert result == 2

    play(scene)


def test_all_who_share_a_run_are_told_where_its_time_went(workers: Workers) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def infer(work: Work) -> str:
        begun.set()
        assert go_on.wait(WAIT_SECONDS)
        work.timings.inference += 1.5
        return "done"

    async def scene() -> None:
        first = start(workers, infer, key="same")
        assert await asyncio.to_thread(begun.wait, WAIT_SECONDS)
        second = start(workers, infer, key="same")
        await asyncio.sleep(0)
        go_on.set()
        for result, timings in await asyncio.gather(first, second):
            assert (result, timings.inference) == ("done", 1.5)

    play(scene)


def test_requests_without_a_key_share_nothing(workers: Workers) -> None:
    job = Job()

    async def scene() -> None:
        tasks = [start(workers, job) for _ in range(2)]
        await job.running()
        await job.running()
        job.go_on.set()
        await asyncio.gather(*tasks)

    play(scene)


def test_a_client_that_leaves_ends_the_work_and_frees_its_place(
    workers: Workers, metrics: Metrics
) -> None:
    job = Job()

    async def scene() -> None:
        left = asyncio.Event()

        async def leaves() -> None:
            await left.wait()

        task = start(workers, job, disconnected=leaves)
        await job.running()
        left.set()
        with pytest.raises(ClientGone):
            await task
        assert await asyncio.to_thread(job.ended.wait, WAIT_SECONDS)
        assert count(metrics, "kortom_inflight_requests") == 0

    play(scene)


def test_a_shared_run_goes_on_for_those_who_stay(workers: Workers) -> None:
    job = Job()

    async def scene() -> None:
        left = asyncio.Event()

        async def leaves() -> None:
            await left.wait()

        leaving = start(workers, job, key="same", disconnected=leaves)
        await job.running()
        staying = start(workers, job, key="same")
        await asyncio.sleep(0)
        left.set()
        with pytest.raises(ClientGone):
            await leaving
        assert not job.ended.is_set()
        job.go_on.set()
        assert (await staying)[0] == 1

    play(scene)


def test_nobody_joins_a_run_that_was_given_up(workers: Workers) -> None:
    job = Job()

    async def scene() -> None:
        with pytest.raises(DeadlineExceeded):
            await start(workers, job, key="same", deadline_seconds=0.05)
        job.go_on.set()
        result, _ = await start(workers, job, key="same")
        assert result == job.runs

    play(scene)


def test_a_deadline_is_answered_at_once_and_frees_its_place(
    workers: Workers, metrics: Metrics
) -> None:
    job = Job()

    async def scene() -> None:
        task = start(workers, job, deadline_seconds=0.05)
        with pytest.raises(DeadlineExceeded):
            await task
        assert count(metrics, "kortom_inflight_requests") == 0
        assert await asyncio.to_thread(job.ended.wait, WAIT_SECONDS)

    play(scene)


def test_a_later_deadline_of_another_caller_keeps_a_shared_run_going(workers: Workers) -> None:
    job = Job()

    async def scene() -> None:
        hurried = start(workers, job, key="same", deadline_seconds=0.2)
        await job.running()
        patient = start(workers, job, key="same")
        with pytest.raises(DeadlineExceeded):
            await hurried
        assert not job.ended.is_set()
        job.go_on.set()
        assert (await patient)[0] == 1

    play(scene)


def test_nobody_gets_the_missed_deadline_of_another_caller(workers: Workers) -> None:
    job = Job()

    async def scene() -> None:
        hurried = start(workers, job, key="same", deadline_seconds=0.05)
        await asyncio.sleep(0)
        # The run has ended as too late, and the event loop, kept busy here, does not know yet.
        assert job.ended.wait(WAIT_SECONDS)
        patient = start(workers, job, key="same")
        job.go_on.set()
        assert (await patient)[0] == 2
        with pytest.raises(DeadlineExceeded):
            await hurried

    play(scene)


def test_every_place_has_a_thread_and_one_more_request_is_refused(workers: Workers) -> None:
    job = Job()

    async def scene() -> None:
        tasks = [start(workers, job) for _ in range(4)]
        for _ in tasks:
            await job.running()
        with pytest.raises(Overloaded):
            await start(workers, job)
        job.go_on.set()
        await asyncio.gather(*tasks)

    play(scene)


def test_the_end_of_the_server_ends_what_is_left(metrics: Metrics) -> None:
    workers, job = Workers(2, 1_000, metrics), Job()

    async def scene() -> None:
        task = start(workers, job)
        await job.running()
        await asyncio.to_thread(workers.shutdown)
        with pytest.raises(Overloaded, match="stopping"):
            await task

    play(scene)
    assert job.ended.is_set()
