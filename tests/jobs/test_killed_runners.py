"""What was accepted is done once in its visible result, however often the workers are killed."""

import json
import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
import sqlalchemy as sa
from mortal import open_store, work

from service.jobs.records import JobState, NewArticle
from service.jobs.store import JobStore
from service.storage.database import Database, open_database

JOBS = 200
KILLS = 20
WORKERS = 2
WAIT_SECONDS = 60.0
SEED = 7


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that has its tables."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgresql_url"))
    address = f"sqlite:///{tmp_path / 'jobs.db'}"
    open_database(address).close()
    return address


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    made = open_database(url)
    yield made
    made.close()


class Workers:
    """Processes that are started again when they die."""

    def __init__(self, url: str, max_attempts: int) -> None:
        # Its processes are copies of one that has loaded everything: quick to start.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["service.jobs.runner"])
        self._arguments = (url, max_attempts)
        self._processes: list[ForkServerProcess] = []
        self.deaths = 0

    def keep(self) -> None:
        """Start what is missing."""
        alive = [process for process in self._processes if process.is_alive()]
        self.deaths += len(self._processes) - len(alive)
        while len(alive) < WORKERS:
            process = self._context.Process(target=work, args=self._arguments)
            process.start()
            alive.append(process)
        self._processes = alive

    def kill(self, index: int) -> None:
        """kill -9."""
        self._processes[index].kill()
        self._processes[index].join(WAIT_SECONDS)

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.join(WAIT_SECONDS)


@contextmanager
def workers(url: str, *, max_attempts: int) -> Iterator[Workers]:
    made = Workers(url, max_attempts)
    made.keep()
    try:
        yield made
    finally:
        made.close()


def until(condition: Callable[[], bool], between: Callable[[], None]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        between()
        time.sleep(0.02)


def submit(store: JobStore, names: list[str], *, poison: str = "") -> str:
    articles = [
        NewArticle(name, json.dumps({"id": name, **({"poison": True} if name == poison else {})}))
        for name in names
    ]
    return store.submit("", articles, fingerprint="", idempotency_key=None)[0].id


def check_integrity(database: Database) -> None:
    """The file is sound, and what the jobs count is what there is."""
    with database.reading() as connection:
        if database.is_sqlite:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        counted = connection.execute(
            sa.text(
                "SELECT job.id, job.articles, job.done, job.failed, count(*), "
                "sum(CASE a.state WHEN 'done' THEN 1 ELSE 0 END), "
                "sum(CASE a.state WHEN 'failed' THEN 1 ELSE 0 END), count(a.request) "
                "FROM job JOIN job_article a ON a.job_id = job.id "
                "GROUP BY job.id, job.articles, job.done, job.failed"
            )
        ).all()
    for _, articles, done, failed, rows, done_rows, failed_rows, requests in counted:
        assert (articles, done, failed) == (rows, done_rows, failed_rows)
        assert requests == 0


@pytest.mark.timeout(90)
def test_every_accepted_job_is_done_once_whenever_workers_are_killed(
    url: str, database: Database
) -> None:
    chance = random.Random(SEED)  # noqa: S311 - no secret
    # It is not the articles' doing that their workers die here, so none is set aside.
    store = open_store(database, max_attempts=KILLS + 1)
    jobs: dict[str, list[str]] = {}

    def submit_some(number: int) -> None:
        for _ in range(number):
            names = [f"{len(jobs)}/{article}" for article in range(chance.randint(1, 4))]
            jobs[submit(store, names)] = names

    submit_some(JOBS - 2 * KILLS)
    with workers(url, max_attempts=KILLS + 1) as processes:
        for _ in range(KILLS):
            submit_some(2)
            time.sleep(chance.uniform(0.0, 0.3))
            processes.kill(chance.randrange(WORKERS))
            processes.keep()
        assert processes.deaths == KILLS
        ended = sum(job.ended_at is not None for job in store.jobs("", JOBS))
        until(lambda: store.counts().jobs[JobState.DONE] == JOBS, processes.keep)
        assert processes.deaths == KILLS
    assert ended < JOBS  # the workers were killed in the middle of it
    for job_id, names in jobs.items():
        job = store.job("", job_id)
        assert (job.state, job.done, job.failed) == (JobState.DONE, len(names), 0)
        rows = store.results("", job_id)
        assert [position for position, _ in rows] == list(range(len(names)))
        assert [row.id for _, row in rows] == names
        assert [json.loads(row.article or "")["id"] for _, row in rows] == names
    check_integrity(database)


@pytest.mark.timeout(90)
def test_an_article_that_kills_its_workers_is_set_aside_alone(url: str, database: Database) -> None:
    store = open_store(database, max_attempts=3)
    names = [f"article-{number}" for number in range(12)]
    job_id = submit(store, names, poison="article-5")
    with workers(url, max_attempts=3) as processes:
        until(lambda: store.job("", job_id).ended_at is not None, processes.keep)
        assert processes.deaths == 3
    job = store.job("", job_id)
    assert (job.state, job.done, job.failed) == (JobState.DONE, 11, 1)
    rows = [row for _, row in store.results("", job_id)]
    assert [row.id for row in rows] == names
    assert json.loads(rows[5].error or "")["code"] == "set_aside"
    assert Counter(row.article is None for row in rows) == {False: 11, True: 1}
    check_integrity(database)
