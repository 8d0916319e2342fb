"""Articles in the hands of runners: given once, taken back from the dead, never lost."""

import json
import threading
from contextlib import closing

import pytest

from service.api.problems import problem
from service.errors import ServiceError
from service.jobs.records import Claim, JobState, NewArticle
from service.jobs.store import JobStore
from service.storage.checks import check_database
from service.storage.database import Database, open_database


def open_store(database: Database, **options: float) -> JobStore:
    return JobStore(database, max_queued_articles=1000, retention_seconds=3600, **options)  # type: ignore[arg-type]


@pytest.fixture
def store(database: Database) -> JobStore:
    return open_store(database)


def submit(store: JobStore, *ids: str) -> str:
    given = [NewArticle(article_id, "{}") for article_id in ids]
    return store.submit("", given, fingerprint="f", idempotency_key=None)[0].id


def take(store: JobStore, lease: str, *, suspect: bool = False) -> Claim:
    claim = store.claim(lease, suspect=suspect)
    assert claim is not None
    return claim


def test_jobs_take_turns(store: JobStore) -> None:
    jobs = [submit(store, *"abc"), submit(store, *"abc")]
    lease = store.open_lease()
    given = [take(store, lease) for _ in range(4)]
    assert [(claim.job_id, claim.article_id) for claim in given] == [
        (jobs[0], "a"), (jobs[1], "a"), (jobs[0], "b"), (jobs[1], "b"),
    ]  # fmt: skip
    late = submit(store, *"abc")
    given = [take(store, lease) for _ in range(5)]
    assert {claim.job_id for claim in given[:3]} == {*jobs, late}
    assert [claim.job_id for claim in given[3:]] == [late, late]
    assert store.claim(lease, suspect=False) is None


def test_a_lease_is_renewed_until_it_is_closed(store: JobStore) -> None:
    lease, other = store.open_lease(), store.open_lease()
    assert store.leases() == {lease: 0, other: 0}
    assert store.renew(lease)
    assert store.leases() == {lease: 1, other: 0}
    store.close_lease(lease)
    store.close_lease(lease)
    assert not store.renew(lease)
    assert store.leases() == {other: 0}


def test_what_a_stopping_runner_gives_back_counts_as_never_tried(store: JobStore) -> None:
    submit(store, "a")
    lease = store.open_lease()
    claim = take(store, lease)
    store.close_lease(lease)
    assert not store.finish(claim, answer="{}")
    other = store.open_lease()
    assert store.claim(other, suspect=True) is None
    assert take(store, other).attempts == 0


def test_what_a_dead_runner_had_is_given_to_another_as_a_suspect(store: JobStore) -> None:
    submit(store, "a", "b")
    lease, other = store.open_lease(), store.open_lease()
    take(store, lease)
    assert store.revoke(lease) == 1
    assert store.revoke(lease) == 0
    again = take(store, other, suspect=True)
    assert (again.article_id, again.attempts) == ("a", 1)
    assert take(store, other).article_id == "b"
    assert store.claim(other, suspect=True) is None


def test_the_late_answer_of_a_runner_that_was_taken_for_dead_is_refused(
    store: JobStore, database: Database
) -> None:
    job = submit(store, "a")
    slow, other = store.open_lease(), store.open_lease()
    late = take(store, slow)
    store.revoke(slow)
    assert not store.finish(late, answer='"of nobody"')
    again = take(store, other, suspect=True)
    assert not store.finish(late, answer='"late"')
    assert store.finish(again, answer='"right"')
    assert not store.finish(again, answer='"twice"')
    assert not store.finish(late, error='"later"')
    assert [row.article for _, row in store.results("", job)] == ['"right"']
    assert store.job("", job).done == 1
    submit(store, "next")
    assert not store.renew(slow)
    assert store.claim(slow, suspect=False) is None
    assert set(check_database(database).values()) == {None}


def test_an_article_that_kills_is_set_aside_after_its_attempts(
    store: JobStore, database: Database
) -> None:
    job = submit(store, "killer", "good")
    lease = store.open_lease()
    assert take(store, lease).article_id == "killer"
    store.revoke(lease)
    for attempts in (1, 2):
        lease = store.open_lease()
        claim = take(store, lease, suspect=True)
        assert (claim.article_id, claim.attempts) == ("killer", attempts)
        assert not store.has_suspects()  # it does not wait any more
        assert store.revoke(lease) == 1
    lease = store.open_lease()
    assert not store.has_suspects()
    assert store.claim(lease, suspect=True) is None
    assert store.job("", job).state is JobState.RUNNING
    store.finish(take(store, lease), answer="{}")
    rows = {row.id: row for _, row in store.results("", job)}
    error = json.loads(rows["killer"].error or "")
    assert error["code"] == "set_aside"
    assert error["type"] == "urn:kortom:problem:set_aside"
    assert error.keys() == problem(ServiceError("")).keys()
    assert rows["good"].article == "{}"
    assert store.job("", job).state is JobState.DONE
    assert set(check_database(database).values()) == {None}


def test_a_job_of_which_the_last_article_is_set_aside_ends(database: Database) -> None:
    store = open_store(database, max_attempts=1)
    jobs = [submit(store, "a"), submit(store, "a")]
    lease = store.open_lease()
    take(store, lease)
    take(store, lease)
    assert store.revoke(lease) == 2
    assert [store.job("", job).state for job in jobs] == [JobState.FAILED] * 2


def test_a_clock_that_jumps_takes_nothing_from_a_runner(database: Database) -> None:
    now = [1_000_000.0]
    store = JobStore(
        database, max_queued_articles=10, retention_seconds=10 * 3600, clock=lambda: now[0]
    )
    job = submit(store, "a", "b", "c")
    lease = store.open_lease()
    for jump in (3600, -7200, 3600):
        claim = take(store, lease)
        now[0] += jump
        assert store.renew(lease)
        assert not store.expire()
        assert store.finish(claim, answer="{}")
    assert store.job("", job).state is JobState.DONE


def test_nothing_is_given_twice_to_runners_that_ask_at_once(database_url: str) -> None:
    taken: list[Claim] = []
    with closing(open_database(database_url)) as first, closing(open_database(database_url)) as two:
        stores = [open_store(first), open_store(two)]
        jobs = [submit(stores[0], *map(str, range(20))) for _ in range(3)]
        start = threading.Barrier(6)

        def work(store: JobStore) -> None:
            lease = store.open_lease()
            start.wait()
            idle = 0
            while idle < 3:  # others may hold what is left for a moment
                claim = store.claim(lease, suspect=False)
                if claim is None:
                    idle += 1
                    continue
                taken.append(claim)
                assert store.finish(claim, answer="{}")

        threads = [threading.Thread(target=work, args=(stores[index % 2],)) for index in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(taken) == 60
        assert len({(claim.job_id, claim.position) for claim in taken}) == 60
        assert {stores[0].job("", job).state for job in jobs} == {JobState.DONE}
        assert set(check_database(first).values()) == {None}


def test_an_article_is_either_answered_or_taken_back_when_both_happen_at_once(
    database: Database,
) -> None:
    store = open_store(database)
    jobs = [submit(store, "a") for _ in range(15)]
    for _ in jobs:
        lease = store.open_lease()
        claim = take(store, lease)
        start = threading.Barrier(2)
        told: list[bool] = []

        def finish(claim: Claim, start: threading.Barrier, told: list[bool]) -> None:
            start.wait()
            told.append(store.finish(claim, answer="{}"))

        thread = threading.Thread(target=finish, args=(claim, start, told))
        thread.start()
        start.wait()
        revoked = store.revoke(lease)
        thread.join()
        assert told == [revoked == 0]
        assert store.job("", claim.job_id).done == (1 - revoked)
    assert set(check_database(database).values()) == {None}


def test_a_job_that_is_cancelled_while_its_articles_are_finished_does_not_lock_up(
    database: Database,
) -> None:
    store = open_store(database)
    for _ in range(10):
        job = submit(store, *"abcd")
        lease = store.open_lease()
        claims = [take(store, lease) for _ in range(4)]
        start = threading.Barrier(5)
        told: list[bool] = []

        def finish(claim: Claim, start: threading.Barrier, told: list[bool]) -> None:
            start.wait()
            told.append(store.finish(claim, answer="{}"))

        threads = [threading.Thread(target=finish, args=(claim, start, told)) for claim in claims]
        for thread in threads:
            thread.start()
        start.wait()
        cancelled = store.cancel("", job)
        for thread in threads:
            thread.join()
        assert sum(told) == store.job("", job).done == cancelled.done
    assert set(check_database(database).values()) == {None}
