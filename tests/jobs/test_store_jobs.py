"""Jobs as their owners see them: accepted once, read, cancelled, forgotten."""

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from service.api.problems import problem
from service.errors import InvalidRequest, NotFound, Overloaded, ServiceError
from service.jobs.records import Job, JobState, NewArticle
from service.jobs.store import JobStore
from service.storage.checks import check_database
from service.storage.database import Database
from service.storage.tables import job_article

HOUR = 3600.0
REFUSED = '{"code": "text_empty"}'


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(database: Database, clock: Clock) -> JobStore:
    return JobStore(
        database, max_queued_articles=20, retention_seconds=HOUR, webhooks=True, clock=clock
    )


def articles(*ids: str) -> list[NewArticle]:
    return [NewArticle(article_id, json.dumps({"text": article_id})) for article_id in ids]


def submit(store: JobStore, *ids: str, owner: str = "", key: str | None = None) -> Job:
    return store.submit(owner, articles(*ids), fingerprint="same", idempotency_key=key)[0]


def deliveries(database: Database) -> list[tuple[Any, ...]]:
    with database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM webhook_delivery ORDER BY job_id")
        return [tuple(row) for row in rows]


def test_a_job_waits_runs_and_is_done(store: JobStore, database: Database, clock: Clock) -> None:
    accepted = submit(store, "a", "b")
    assert accepted == Job(accepted.id, JobState.QUEUED, 2, 0, 0, clock.now, None, None, None)
    lease = store.open_lease()
    clock.now += 1
    first = store.claim(lease, suspect=False)
    assert first is not None
    assert (first.article_id, first.position, first.request) == ("a", 0, '{"text": "a"}')
    running = store.job("", accepted.id)
    assert (running.state, running.started_at) == (JobState.RUNNING, clock.now)
    second = store.claim(lease, suspect=False)
    assert second is not None
    assert store.claim(lease, suspect=False) is None
    assert store.finish(second, error='{"code": "content_too_large"}')
    assert store.results("", accepted.id)[0][1].id == "b"
    assert deliveries(database) == []
    clock.now += 1
    assert store.finish(first, answer='{"ok": 1}')
    done = store.job("", accepted.id)
    assert (done.state, done.done, done.failed) == (JobState.DONE, 1, 1)
    assert (done.started_at, done.ended_at) == (clock.now - 1, clock.now)
    assert done.expires_at == clock.now + HOUR
    rows = [(position, row.id, row.article, row.error) for position, row in
            store.results("", accepted.id)]  # fmt: skip
    assert rows == [
        (0, "a", '{"ok": 1}', None),
        (1, "b", None, '{"code": "content_too_large"}'),
    ]
    assert deliveries(database) == [(accepted.id, 0, clock.now)]
    with database.reading() as connection:
        kept = connection.exec_driver_sql("SELECT count(request) FROM job_article").scalar()
    assert kept == 0, "texts are not kept for longer than they are needed"


def test_a_job_without_any_answer_has_failed(store: JobStore) -> None:
    job = submit(store, "a")
    claim = store.claim(store.open_lease(), suspect=False)
    assert claim is not None
    assert store.finish(claim, error=REFUSED)
    assert store.job("", job.id).state is JobState.FAILED


def test_an_article_that_was_refused_fails_alone(store: JobStore) -> None:
    given = [NewArticle("bad", None, REFUSED), *articles("good")]
    job, _ = store.submit("", given, fingerprint="f", idempotency_key=None)
    assert (job.state, job.articles, job.failed) == (JobState.QUEUED, 2, 1)
    assert [(position, row.error) for position, row in store.results("", job.id)] == [(0, REFUSED)]
    claim = store.claim(store.open_lease(), suspect=False)
    assert claim is not None
    assert claim.article_id == "good"


def test_a_job_of_refused_articles_has_failed_at_once(store: JobStore, database: Database) -> None:
    given = [NewArticle("bad", None, REFUSED)]
    job, _ = store.submit("", given, fingerprint="f", idempotency_key=None)
    assert job.state is JobState.FAILED
    assert job.ended_at == job.created_at
    assert [row[0] for row in deliveries(database)] == [job.id]


def test_more_than_the_backlog_takes_is_refused_and_nothing_of_it_is_kept(
    store: JobStore,
) -> None:
    submit(store, *map(str, range(15)))
    with pytest.raises(Overloaded) as caught:
        submit(store, *map(str, range(6)))
    assert caught.value.code == "backlog_full"
    assert int(caught.value.headers["Retry-After"]) > 0
    assert len(store.jobs("", 10)) == 1
    submit(store, *map(str, range(5)))
    lease = store.open_lease()
    claim = store.claim(lease, suspect=False)
    assert claim is not None
    store.finish(claim, answer="{}")
    submit(store, "one for the one that is done")


def test_an_id_that_two_articles_have_is_refused(store: JobStore) -> None:
    with pytest.raises(InvalidRequest) as caught:
        submit(store, "a", "b", "a")
    assert caught.value.code == "duplicate_id"
    assert store.jobs("", 10) == []
    submit(store, "a")
    submit(store, "a")


def test_an_idempotency_key_finds_the_job_again(store: JobStore) -> None:
    job, created = store.submit("me", articles("a"), fingerprint="f", idempotency_key="k")
    assert created
    again = store.submit("me", articles("a"), fingerprint="f", idempotency_key="k")
    assert again == (job, False)
    with pytest.raises(InvalidRequest) as caught:
        store.submit("me", articles("b"), fingerprint="g", idempotency_key="k")
    assert caught.value.code == "idempotency_key_reused"
    other, created = store.submit("you", articles("b"), fingerprint="g", idempotency_key="k")
    assert created
    assert other.id != job.id


def test_one_job_comes_of_a_key_that_eight_send_at_once(store: JobStore) -> None:
    found: list[tuple[Job, bool]] = []
    start = threading.Barrier(8)

    def send() -> None:
        start.wait()
        found.append(store.submit("", articles("a", "b"), fingerprint="f", idempotency_key="k"))

    run(*[send] * 8)
    assert len({job.id for job, _ in found}) == 1
    assert sorted(created for _, created in found) == [False] * 7 + [True]
    assert [job.articles for job in store.jobs("", 10)] == [2]


def run(*functions: Callable[[], None]) -> None:
    """All at the same time; none may raise (pytest looks after that)."""
    threads = [threading.Thread(target=function) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_nobody_sees_another_ones_job(store: JobStore) -> None:
    job = submit(store, "a", owner="me")
    for ask in (store.job, store.cancel, store.results):
        with pytest.raises(NotFound):
            ask("you", job.id)
        with pytest.raises(NotFound):
            ask("me", "another-id")
    assert store.jobs("you", 10) == []
    assert store.job("me", job.id).state is JobState.QUEUED


def test_the_newest_jobs_come_first(store: JobStore, clock: Clock) -> None:
    made = []
    for _ in range(3):
        clock.now += 1
        made.append(submit(store, "a").id)
    assert [job.id for job in store.jobs("", 2)] == [made[2], made[1]]


def test_a_cancelled_job_keeps_its_answers_and_takes_no_more(
    store: JobStore, database: Database
) -> None:
    job = submit(store, "a", "b", "c")
    lease = store.open_lease()
    first, second = store.claim(lease, suspect=False), store.claim(lease, suspect=False)
    assert first is not None
    assert second is not None
    assert store.finish(first, answer="{}")
    assert store.ended([job.id, "forgotten"]) == {"forgotten"}
    cancelled = store.cancel("", job.id)
    assert (cancelled.state, cancelled.done) == (JobState.CANCELLED, 1)
    assert store.cancel("", job.id) == cancelled
    assert store.ended([job.id]) == {job.id}
    assert not store.finish(second, answer="{}")
    assert store.claim(lease, suspect=False) is None
    rows = [row for _, row in store.results("", job.id)]
    assert (rows[0].article, rows[0].error) == ("{}", None)
    for row in rows[1:]:
        assert row.article is None
        error = json.loads(row.error or "")
        assert error["code"] == "cancelled"
        assert error["type"] == "urn:kortom:problem:cancelled"
        assert error.keys() == problem(ServiceError("")).keys()
    assert len(deliveries(database)) == 1
    assert set(check_database(database).values()) == {None}


def test_a_job_that_is_done_can_not_be_cancelled_any_more(store: JobStore) -> None:
    job = submit(store, "a")
    claim = store.claim(store.open_lease(), suspect=False)
    assert claim is not None
    store.finish(claim, answer="{}")
    assert store.cancel("", job.id).state is JobState.DONE


def test_results_come_in_pages(store: JobStore) -> None:
    job = submit(store, *"abcde")
    lease = store.open_lease()
    while claim := store.claim(lease, suspect=False):
        store.finish(claim, answer="{}")
    seen, after = [], -1
    while page := store.results("", job.id, after, limit=2):
        assert len(page) <= 2
        seen += [row.id for _, row in page]
        after = page[-1][0]
    assert seen == list("abcde")


def test_a_page_of_long_answers_is_short(store: JobStore) -> None:
    job = submit(store, *"abcde")
    lease = store.open_lease()
    while claim := store.claim(lease, suspect=False):
        store.finish(claim, answer=json.dumps("x" * 600))
    pages, after = [], -1
    while page := store.results("", job.id, after, max_characters=1_000):
        pages.append("".join(row.id for _, row in page))
        after = page[-1][0]
    assert pages == ["ab", "cd", "e"]


def test_an_ended_job_is_forgotten_after_its_time(
    store: JobStore, database: Database, clock: Clock
) -> None:
    ended = [submit(store, "a", key="k"), submit(store, "b")]
    waiting = submit(store, "c")
    for job in ended:
        store.cancel("", job.id)
    clock.now += HOUR - 1
    assert not store.expire()
    clock.now += 1
    assert [store.expire() for _ in range(3)] == [True, True, False]
    assert [job.id for job in store.jobs("", 10)] == [waiting.id]
    assert store.ended([ended[0].id, waiting.id]) == {ended[0].id}
    with database.reading() as connection:
        left = connection.exec_driver_sql("SELECT count(*) FROM job_article").scalar()
    assert left == 1
    assert deliveries(database) == []
    assert store.submit("", articles("a"), fingerprint="g", idempotency_key="k")[1]


def test_a_large_job_is_forgotten_at_once_and_deleted_in_steps(
    store: JobStore, database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.jobs.store.EXPIRED_ROWS", 2)
    job = submit(store, *"abcde", key="k")
    store.cancel("", job.id)
    clock.now += HOUR
    assert store.expire()
    left = sa.select(sa.func.count()).select_from(job_article)
    with database.reading() as connection:
        assert connection.scalar(left) == 3
    assert set(check_database(database).values()) == {None}
    assert deliveries(database) == []  # nobody is told of what can no longer be read
    clock.now -= HOUR  # what is gone in part does not come back
    for ask in (store.job, store.cancel, store.results):
        with pytest.raises(NotFound):
            ask("", job.id)
    assert store.jobs("", 10) == []
    assert store.submit("", articles("f"), fingerprint="g", idempotency_key="k")[1]
    assert [store.expire() for _ in range(3)] == [True, True, False]
    with database.reading() as connection:
        assert connection.scalar(left) == 1
    assert deliveries(database) == []


def test_the_counts_are_those_of_the_jobs(store: JobStore, clock: Clock) -> None:
    assert store.counts().jobs == dict.fromkeys(JobState, 0)
    assert store.counts().oldest_queued_seconds == 0
    old = submit(store, "a", "b")
    clock.now += 10
    submit(store, "c")
    claim = store.claim(store.open_lease(), suspect=False)
    assert claim is not None
    clock.now += 5
    counts = store.counts()
    assert counts.queued_articles == 2
    assert counts.oldest_queued_seconds == 15
    assert counts.jobs[JobState.RUNNING] == counts.jobs[JobState.QUEUED] == 1
    store.cancel("", old.id)
    counts = store.counts()
    assert (counts.queued_articles, counts.oldest_queued_seconds) == (1, 5)
    assert counts.jobs[JobState.CANCELLED] == 1


def test_no_article_is_shown_by_accident(store: JobStore) -> None:
    new = NewArticle("id", "geheim")
    store.submit("", [new], fingerprint="f", idempotency_key=None)
    claim = store.claim(store.open_lease(), suspect=False)
    assert claim is not None
    assert store.finish(claim, answer="secret")
    row = store.results("", store.jobs("", 1)[0].id)[0][1]
    assert "geheim" not in f"{new!r}{claim!r}"
    assert "secret" not in repr(row)
