"""Whatever happens in whatever order, every accepted article ends once and the counters agree."""

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from service.jobs.records import Claim, JobState, NewArticle
from service.jobs.store import JobStore
from service.storage.checks import check_database
from service.storage.database import Database, open_database

MAX_ATTEMPTS = 2
PICK = st.integers(0, 1000)


@dataclass
class Known:
    """What must be true of an article."""

    state: str = "queued"
    attempts: int = 0
    lease: str | None = None


class Runners(RuleBasedStateMachine):
    """Callers and runners, and a simple model of what they should see."""

    database: ClassVar[Database]

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000_000.0
        self.jobs: dict[str, list[Known]] = {}
        self.cancelled: set[str] = set()
        self.leases: list[str] = []
        self.claims: list[Claim] = []

    @initialize()
    def empty(self) -> None:
        with self.database.transaction() as connection:
            for table in ("job", "lease"):
                connection.exec_driver_sql(f"DELETE FROM {table}")  # noqa: S608
        self.store = JobStore(
            self.database,
            max_queued_articles=1000,
            retention_seconds=1e9,
            max_attempts=MAX_ATTEMPTS,
            clock=lambda: self.now,
        )
        self.leases = [self.store.open_lease(), self.store.open_lease()]
        self.submit([False, False, True])

    @precondition(lambda self: len(self.articles("queued")) < 4)
    @rule(refused=st.lists(st.booleans(), min_size=1, max_size=4))
    def submit(self, refused: list[bool]) -> None:
        given = [
            NewArticle(f"a{index}", None if bad else "{}", "{}" if bad else None)
            for index, bad in enumerate(refused)
        ]
        job, _ = self.store.submit("", given, fingerprint="f", idempotency_key=None)
        self.jobs[job.id] = [Known("failed" if bad else "queued") for bad in refused]

    @precondition(lambda self: self.articles("queued"))
    @rule(which=PICK, suspect=st.booleans(), count=st.integers(1, 3))
    def claim(self, which: int, suspect: bool, count: int) -> None:
        lease = self.leases[which % len(self.leases)]
        for _ in range(count):
            there = [known for known in self.articles("queued") if bool(known.attempts) == suspect]
            claim = self.store.claim(lease, suspect=suspect)
            assert (claim is not None) == bool(there)
            if claim is not None:
                known = self.jobs[claim.job_id][claim.position]
                assert known in there
                assert claim.attempts == known.attempts
                known.state, known.lease = "running", lease
                self.claims.append(claim)

    @precondition(lambda self: self.claims)
    @rule(which=PICK, good=st.booleans())
    def finish_now_or_late(self, which: int, good: bool) -> None:
        claim = self.claims[which % len(self.claims)]
        known = self.jobs[claim.job_id][claim.position]
        is_mine = known.state == "running" and known.lease == claim.lease_id
        written = self.store.finish(claim, **{"answer" if good else "error": "{}"})
        assert written == is_mine
        if written:
            known.state, known.lease = "done" if good else "failed", None

    @precondition(lambda self: self.articles("running"))
    @rule(which=PICK)
    def a_runner_dies_over_its_work(self, which: int) -> None:
        busy = [known.lease for known in self.articles("running") if known.lease]
        self.kill(busy[which % len(busy)])

    def kill(self, lease: str) -> None:
        held = self.held(lease)
        assert self.store.revoke(lease) == len(held)
        for known in held:
            known.attempts += 1
            known.state = "queued" if known.attempts < MAX_ATTEMPTS else "failed"
            known.lease = None
        self.replace(lease)

    @rule(which=PICK)
    def a_runner_stops(self, which: int) -> None:
        lease = self.leases[which % len(self.leases)]
        self.store.close_lease(lease)
        for known in self.held(lease):
            known.state, known.lease = "queued", None
        self.replace(lease)

    def replace(self, lease: str) -> None:
        """What is left of the runner learns that it is taken for dead; another one starts."""
        assert not self.store.renew(lease)
        assert self.store.claim(lease, suspect=False) is None
        self.leases.remove(lease)
        self.leases.append(self.store.open_lease())

    @precondition(lambda self: len(self.jobs) > 2 * len(self.cancelled))
    @rule(which=PICK)
    def cancel(self, which: int) -> None:
        job_id = list(self.jobs)[which % len(self.jobs)]
        self.store.cancel("", job_id)
        for known in self.jobs[job_id]:
            if known.state in ("queued", "running"):
                known.state, known.lease = "cancelled", None
                self.cancelled.add(job_id)

    @invariant()
    def all_agree(self) -> None:
        self.now += random.choice([-3600.0, 3600.0])  # noqa: S311 - the clock jumps all the time
        assert all(self.store.renew(lease) for lease in self.leases)
        assert set(check_database(self.database).values()) == {None}
        found = {job.id: job for job in self.store.jobs("", 1000)}
        assert set(found) == set(self.jobs)
        for job_id, articles in self.jobs.items():
            states = [known.state for known in articles]
            job = found[job_id]
            assert (job.done, job.failed) == (states.count("done"), states.count("failed"))
            assert (job.state is JobState.CANCELLED) == (job_id in self.cancelled)
            assert (job.ended_at is None) == bool({"queued", "running"} & set(states))

    def articles(self, state: str) -> list[Known]:
        return [
            known for articles in self.jobs.values() for known in articles if known.state == state
        ]

    def held(self, lease: str) -> list[Known]:
        return [known for known in self.articles("running") if known.lease == lease]

    def teardown(self) -> None:
        """At the end one runner is left, and does what is left."""
        for lease in list(self.leases):
            self.kill(lease)
        for suspect in (True, False):
            while claim := self.store.claim(self.leases[0], suspect=suspect):
                assert self.store.finish(claim, answer="{}")
        for job_id, articles in self.jobs.items():
            assert self.store.job("", job_id).ended_at is not None
            rows = self.store.results("", job_id)
            assert [position for position, _ in rows] == list(range(len(articles)))
            assert all((row.article is None) != (row.error is None) for _, row in rows)


@pytest.fixture
def runners(database_url: str) -> Iterator[type[Runners]]:
    with closing(open_database(database_url)) as database:
        yield type("Runners", (Runners,), {"database": database})


def test_every_accepted_article_ends_once(runners: type[Runners]) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        runners, settings=settings(max_examples=10, stateful_step_count=50)
    )
