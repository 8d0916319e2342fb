"""A process with a real runner over a real store and a fake translation; made to be killed."""

import json
import os
import signal
import time

from service.api.problems import problem
from service.jobs.runner import JobRunner
from service.jobs.store import JobStore
from service.serving.metrics import Metrics
from service.serving.work import Work
from service.storage.database import Database, open_database

LEASE_SECONDS = 0.5
ARTICLE_SECONDS = 0.01


def open_store(database: Database, max_attempts: int) -> JobStore:
    return JobStore(
        database, max_queued_articles=10_000, retention_seconds=3_600, max_attempts=max_attempts
    )


def fake_translate(request: str, _work: Work) -> str:
    """Answers with the id of the article after a while, or kills the process where it says so."""
    article = json.loads(request)
    if "poison" in article:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(ARTICLE_SECONDS)
    return json.dumps({"id": article["id"]})


def work(url: str, max_attempts: int) -> None:
    """What the process does until it dies."""
    database = open_database(url)
    runner = JobRunner(
        open_store(database, max_attempts),
        fake_translate,
        problem=problem,
        threads=2,
        lease_seconds=LEASE_SECONDS,
        metrics=Metrics(),
        ready=lambda: True,
    )
    runner.start()
    signal.pause()
