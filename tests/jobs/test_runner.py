"""What runners promise about articles: done once, kept through trouble, ended when told to."""

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from service.api.problems import problem
from service.errors import InferenceError, InvalidRequest, Overloaded, StorageUnavailable
from service.jobs import runner as runner_module
from service.jobs.records import Claim, Job, JobState, NewArticle
from service.jobs.runner import JobRunner
from service.jobs.store import JobStore
from service.serving import server as server_module
from service.serving.metrics import ATTEMPT_OUTCOMES, Metrics
from service.serving.work import Work
from service.storage.database import open_database

WAIT_SECONDS = 30.0
LEASE_SECONDS = 0.6


def new_store(directory: Path, kind: type[JobStore] = JobStore) -> JobStore:
    database = open_database(f"sqlite:///{directory / 'jobs.db'}")
    return kind(database, max_queued_articles=1_000, retention_seconds=3_600)


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    return new_store(tmp_path)


class Runner(JobRunner):
    """One that is told more easily, and can be asked what it has counted."""

    def __init__(
        self,
        store: JobStore,
        translate: Callable[[str, Work], str],
        *,
        threads: int = 2,
        lease_seconds: float = LEASE_SECONDS,
        ready: Callable[[], bool] = lambda: True,
    ) -> None:
        self.counted = Metrics()
        super().__init__(
            store,
            translate,
            problem=problem,
            threads=threads,
            lease_seconds=lease_seconds,
            metrics=self.counted,
            ready=ready,
        )

    def value(self, name: str, **labels: str) -> float:
        return self.counted.registry.get_sample_value(name, labels) or 0.0

    def outcomes(self) -> dict[str, float]:
        values = {
            outcome: self.value("kortom_job_attempts_total", outcome=outcome)
            for outcome in ATTEMPT_OUTCOMES
        }
        return {outcome: value for outcome, value in values.items() if value}


@contextmanager
def running(*runners: Runner) -> Iterator[None]:
    for runner in runners:
        runner.start()
    try:
        yield
    finally:
        for runner in runners:
            runner.close()
            assert not [thread for thread in runner._threads if thread.is_alive()]


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def submit(store: JobStore, *names: str) -> str:
    articles = [NewArticle(name, json.dumps({"id": name})) for name in names]
    return store.submit("", articles, fingerprint="", idempotency_key=None)[0].id


def ended(store: JobStore, job_id: str) -> Job:
    def look() -> Job | None:
        job = store.job("", job_id)
        return job if job.ended_at is not None else None

    found: Job = until(look)
    return found


def rows(store: JobStore, job_id: str) -> list[tuple[str, Any]]:
    """Ids with what their answers or errors say, in order."""
    return [
        (row.id, json.loads(row.article) if row.article else json.loads(row.error or "")["code"])
        for _, row in store.results("", job_id)
    ]


def fake_translate(request: str, _work: Work) -> str:
    """The id of the article is its answer."""
    return json.dumps(json.loads(request)["id"])


class Gate:
    """A fake translation that waits until it is let go, or ended; and who came to it."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.came: list[str] = []

    def __call__(self, request: str, work: Work) -> str:
        self.came.append(json.loads(request)["id"])
        while not self.open.is_set():
            work.checkpoint()
            self.open.wait(0.01)
        return json.dumps("from the gate")


def test_articles_are_done_and_kept_in_the_order_given(store: JobStore) -> None:
    names = [f"article-{number}" for number in range(20)]
    runner = Runner(store, fake_translate)
    with running(runner):
        job_ids = [submit(store, *names[:5]), submit(store, *names)]
        runner.wake()
        jobs = [ended(store, job_id) for job_id in job_ids]
    assert [(job.state, job.done, job.failed) for job in jobs] == [
        (JobState.DONE, 5, 0),
        (JobState.DONE, 20, 0),
    ]
    assert rows(store, job_ids[1]) == [(name, name) for name in names]
    assert store.leases() == {}
    assert runner.outcomes() == {"done": 25.0}


def test_a_job_that_comes_in_is_begun_at_once(store: JobStore) -> None:
    runner = Runner(store, fake_translate)
    with running(runner):
        ended(store, submit(store, "first"))
        start = time.monotonic()
        for _ in range(3):
            job_id = submit(store, "next")
            runner.wake()
            ended(store, job_id)
        assert time.monotonic() - start < 3.0


def test_what_goes_wrong_with_an_article_stays_with_it(
    store: JobStore, caplog: pytest.LogCaptureFixture
) -> None:
    def translate(request: str, work: Work) -> str:
        match json.loads(request)["id"]:
            case "refused":
                raise InvalidRequest("text: not that", code="text_empty")
            case "engine":
                raise InferenceError("the engine failed")
            case "bug":
                raise KeyError(request)
        return fake_translate(request, work)

    with running(Runner(store, translate)):
        job_id = submit(store, "good", "refused", "engine", "bug", "also-good")
        job = ended(store, job_id)
    assert (job.state, job.done, job.failed) == (JobState.DONE, 2, 3)
    assert rows(store, job_id) == [
        ("good", "good"),
        ("refused", "text_empty"),
        ("engine", "inference_failed"),
        ("bug", "internal_error"),
        ("also-good", "also-good"),
    ]
    assert "{" not in caplog.text  # nothing of the request
    assert "KeyError" in caplog.text


def test_an_engine_that_is_broken_for_a_while_costs_no_article(store: JobStore) -> None:
    works = threading.Event()
    came = threading.Event()

    def translate(request: str, work: Work) -> str:
        if not works.is_set():
            came.set()
            raise InferenceError("the engine hangs")
        return fake_translate(request, work)

    runner = Runner(store, translate, ready=lambda: works.is_set() or not came.is_set())
    with running(runner):
        job_id = submit(store, "one", "two", "three")
        assert came.wait(WAIT_SECONDS)
        works.set()
        assert ended(store, job_id).done == 3


def test_an_article_waits_where_there_is_no_place(store: JobStore) -> None:
    attempts = []

    def translate(request: str, work: Work) -> str:
        attempts.append(request)
        if len(attempts) == 1:
            raise Overloaded("every place is taken")
        return fake_translate(request, work)

    with running(Runner(store, translate)):
        assert ended(store, submit(store, "one")).done == 1
    assert len(attempts) == 2


def test_a_cancelled_job_stops_what_is_under_way(store: JobStore) -> None:
    gate = Gate()
    runner = Runner(store, gate, threads=1)
    with running(runner):
        job_id = submit(store, "one", "two")
        until(lambda: gate.came)
        assert store.cancel("", job_id).state is JobState.CANCELLED
        until(lambda: runner.outcomes() == {"cancelled": 1.0})
    assert gate.came == ["one"]
    assert rows(store, job_id) == [("one", "cancelled"), ("two", "cancelled")]


def test_a_runner_that_is_not_ready_claims_nothing(store: JobStore) -> None:
    is_ready = threading.Event()
    runner = Runner(store, fake_translate, ready=is_ready.is_set)
    with running(runner):
        job_id = submit(store, "one")
        until(store.leases)
        runner.wake()
        assert not runner.is_working()
        assert store.job("", job_id).state is JobState.QUEUED
        is_ready.set()
        ended(store, job_id)


def test_a_runner_that_stops_gives_back_what_it_has_not_finished(store: JobStore) -> None:
    gate = Gate()
    first = Runner(store, gate)
    with running(first):
        job_id = submit(store, "one", "two", "three")
        until(lambda: len(gate.came) == 2)
        assert first.is_working()
    assert first.outcomes() == {"given_back": 2.0}
    assert store.leases() == {}
    with running(Runner(store, fake_translate)):
        assert ended(store, job_id).done == 3
    assert [answer for _, answer in rows(store, job_id)] == ["one", "two", "three"]


class SlowToOpenStore(JobStore):
    """Gives a lease only when it is told to: a database behind a lock."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.asked, self.goes = threading.Event(), threading.Event()

    def open_lease(self) -> str:
        self.asked.set()
        assert self.goes.wait(WAIT_SECONDS)
        return super().open_lease()


def test_a_lease_that_comes_while_the_runner_stops_is_given_back(tmp_path: Path) -> None:
    store = new_store(tmp_path, SlowToOpenStore)
    assert isinstance(store, SlowToOpenStore)
    runner = Runner(store, fake_translate)
    runner.start()
    assert store.asked.wait(WAIT_SECONDS)
    closing = threading.Thread(target=runner.close)
    closing.start()
    until(lambda: runner._closing)
    store.goes.set()
    closing.join(WAIT_SECONDS)
    assert not closing.is_alive()
    assert store.leases() == {}


def test_a_runner_stops_though_the_database_is_frozen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server has more to close before it ends with whatever still hangs."""
    assert runner_module.CLOSE_SECONDS < server_module._END_SECONDS
    monkeypatch.setattr(runner_module, "CLOSE_SECONDS", 0.1)
    thaws = threading.Event()

    class Frozen(JobStore):
        def close_lease(self, lease_id: str) -> None:
            assert thaws.wait(2 * WAIT_SECONDS)
            super().close_lease(lease_id)

    store = new_store(tmp_path, Frozen)
    runner = Runner(store, fake_translate)
    runner.start()
    until(store.leases)
    closed = threading.Event()
    closer = threading.Thread(target=lambda: (runner.close(), closed.set()))
    closer.start()
    assert closed.wait(WAIT_SECONDS)
    assert store.leases()
    thaws.set()
    until(lambda: not store.leases())
    closer.join()


class StallingStore(JobStore):
    """Holds up whoever renews, from when it is told to: a process that is stopped for a while."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.goes = threading.Event()
        self.goes.set()

    def renew(self, lease_id: str) -> bool:
        assert self.goes.wait(WAIT_SECONDS)
        return super().renew(lease_id)


def test_a_lease_that_expires_under_a_slow_runner(tmp_path: Path) -> None:
    """Its article is done by another one, and its own late result changes nothing."""
    database = open_database(f"sqlite:///{tmp_path / 'jobs.db'}")
    slow_store = StallingStore(database, max_queued_articles=10, retention_seconds=3_600)
    store = new_store(tmp_path)
    gate = Gate()
    slow, quick = Runner(slow_store, gate, threads=1), Runner(store, fake_translate)
    with running(slow):
        job_id = submit(store, "one")
        until(lambda: gate.came)
        slow_store.goes.clear()
        with running(quick):
            job = ended(store, job_id)
            assert quick.value("kortom_lease_expired_total") == 1.0
            gate.open.set()
            until(lambda: slow.outcomes() == {"late": 1.0})
        assert store.job("", job_id) == job
        assert (job.state, job.done, job.failed) == (JobState.DONE, 1, 0)
        assert rows(store, job_id) == [("one", "one")]
        # It learns of it, and works on under a new lease.
        slow_store.goes.set()
        assert rows(store, ended(store, submit(store, "two")).id) == [("two", "from the gate")]


def test_runners_that_live_leave_each_other_alone(store: JobStore) -> None:
    runners = Runner(store, fake_translate), Runner(store, fake_translate)
    with running(*runners):
        until(lambda: len(store.leases()) == 2)
        leases = store.leases().keys()
        # Renewed every third of their time: they have lived for more than twice as long.
        until(lambda: min(store.leases().values(), default=0) >= 7)
        assert store.leases().keys() == leases
    assert [runner.value("kortom_lease_expired_total") for runner in runners] == [0.0, 0.0]


def test_a_runner_taken_for_dead_drops_its_work_and_begins_anew(store: JobStore) -> None:
    gate = Gate()
    runner = Runner(store, gate, threads=1)
    with running(runner):
        job_id = submit(store, "one")
        until(lambda: gate.came)
        (lease,) = store.leases()
        assert store.revoke(lease) == 1
        until(lambda: len(gate.came) == 2)
        assert runner.outcomes() == {"lost": 1.0}
        assert store.leases().keys() != {lease}
        gate.open.set()
        assert ended(store, job_id).done == 1


def test_what_was_under_way_when_a_runner_died_runs_alone(store: JobStore) -> None:
    lease = store.open_lease()
    job_id = submit(store, *(f"suspect-{number}" for number in range(3)))
    for _ in range(3):
        assert store.claim(lease, suspect=False)
    assert store.revoke(lease) == 3
    submit(store, *(f"other-{number}" for number in range(20)))
    lock = threading.Lock()
    together: list[set[str]] = []
    now: set[str] = set()

    def translate(request: str, work: Work) -> str:
        name = json.loads(request)["id"]
        with lock:
            now.add(name)
            together.append(set(now))
        time.sleep(0.01)
        with lock:
            now.remove(name)
        return fake_translate(request, work)

    with running(Runner(store, translate, threads=4)):
        assert ended(store, job_id).done == 3
        until(lambda: store.counts().jobs[JobState.DONE] == 2)
    with_suspects = [names for names in together if any("suspect" in name for name in names)]
    assert len(with_suspects) == 3
    assert all(len(names) == 1 for names in with_suspects)
    assert max(map(len, together)) > 1


def test_a_suspect_of_a_runner_that_nobody_saw_is_done_as_well(store: JobStore) -> None:
    ready = threading.Event()
    ready.set()
    runner = Runner(store, fake_translate, lease_seconds=1.5, ready=ready.is_set)
    with running(runner):
        ended(store, submit(store, "before"))
        ready.clear()
        lease = store.open_lease()
        job_id = submit(store, "suspect")
        while not store.claim(lease, suspect=False):  # a thread of the runner was about to claim
            ended(store, job_id)
            job_id = submit(store, "suspect")
        store.revoke(lease)  # before the runner has looked at leases again
        ready.set()
        assert ended(store, job_id).done == 1


class TroubledStore(JobStore):
    """A database that takes nothing for a while."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.away = threading.Event()
        self.refused = 0

    def claim(self, lease_id: str, *, suspect: bool) -> Claim | None:
        self._ask()
        return super().claim(lease_id, suspect=suspect)

    def finish(self, claim: Claim, *, answer: str | None = None, error: str | None = None) -> bool:
        self._ask()
        return super().finish(claim, answer=answer, error=error)

    def renew(self, lease_id: str) -> bool:
        self._ask()
        return super().renew(lease_id)

    def _ask(self) -> None:
        if self.away.is_set():
            self.refused += 1
            raise StorageUnavailable("the database is locked")


def test_a_database_that_is_away_for_a_while_costs_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    database = open_database(f"sqlite:///{tmp_path / 'jobs.db'}")
    store = TroubledStore(database, max_queued_articles=10, retention_seconds=3_600)
    gate = Gate()
    runner = Runner(store, gate)
    with running(runner):
        job_id = submit(store, "one", "two", "three")
        until(lambda: len(gate.came) == 2)
        store.away.set()
        gate.open.set()
        until(lambda: runner.value("kortom_database_up") == 0.0)
        until(lambda: store.refused >= 10)
        assert store.job("", job_id).done == 0
        store.away.clear()
        assert ended(store, job_id).done == 3
        until(lambda: runner.value("kortom_database_up") == 1.0)
    assert len(gate.came) == 3
    assert caplog.text.count("jobs wait for the database") == 1
    assert caplog.text.count("the database is back") == 1


def test_an_answer_that_can_not_be_kept_becomes_an_error(tmp_path: Path) -> None:
    class Picky(JobStore):
        def finish(
            self, claim: Claim, *, answer: str | None = None, error: str | None = None
        ) -> bool:
            if answer is not None:
                raise ValueError(answer)
            return super().finish(claim, error=error)

    store = new_store(tmp_path, Picky)
    with running(Runner(store, fake_translate)):
        job_id = submit(store, "one")
        assert ended(store, job_id).state is JobState.FAILED
    assert rows(store, job_id) == [("one", "internal_error")]


def test_ended_jobs_are_forgotten_in_time(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'jobs.db'}")
    store = JobStore(database, max_queued_articles=10, retention_seconds=0.0)
    refused = store.submit(
        "", [NewArticle("one", None, "{}")], fingerprint="", idempotency_key=None
    )
    assert refused[0].state is JobState.FAILED
    with running(Runner(store, fake_translate)):
        until(lambda: store.jobs("", 10) == [])


def test_a_lease_is_renewed_while_much_is_forgotten(tmp_path: Path) -> None:
    class Endless(JobStore):
        def expire(self) -> bool:
            time.sleep(0.001)
            return True

    store = new_store(tmp_path, Endless)
    with running(Runner(store, fake_translate)):
        until(lambda: sum(store.leases().values()) >= 3)


def test_metrics_tell_how_much_waits(store: JobStore) -> None:
    runner = Runner(store, fake_translate, ready=lambda: False)
    submit(store, "one", "two")
    with running(runner):
        until(lambda: runner.value("kortom_job_queued_articles") == 2.0)
        assert runner.value("kortom_jobs", state="queued") == 1.0
        assert runner.value("kortom_jobs", state="done") == 0.0
        assert runner.value("kortom_job_oldest_queued_seconds") > 0.0
