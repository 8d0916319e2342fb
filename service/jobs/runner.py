"""Threads that work on jobs: they claim articles under a lease, renew it and watch the others."""

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from service import tracing
from service.errors import (
    InferenceError,
    Overloaded,
    ServiceError,
    StorageFull,
    StorageUnavailable,
)
from service.jobs.liveness import SilentLeases
from service.jobs.records import Claim
from service.jobs.store import JobStore
from service.jobs.trouble import DatabaseTrouble
from service.logs import describe
from service.serving.metrics import Metrics
from service.serving.work import Work, working_on

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0
"""Between two looks for articles that another process took in."""
LOOK_SECONDS = 0.5
"""Longest sleep of a thread between two looks at whether it may claim."""
TICK_SECONDS = 1.0
"""Between two looks at whether a job whose articles are under way was cancelled."""
COUNT_SECONDS = 5.0
"""Between two counts of jobs for ``/metrics``."""
EXPIRE_SECONDS = 60.0
"""Between two deletions of what was kept long enough."""
TROUBLE_SECONDS = 5.0
"""Until a thread asks again after trouble with the database."""
MAX_DELAY_SECONDS = 30.0
"""Longest pause between two attempts at an article that can't be done, or kept, for now."""
JOIN_SECONDS = 2.0
"""How long a stopping runner waits for the articles under way."""
CLOSE_SECONDS = 4.0
"""How long it takes in all, its lease given back or not: a server ends 5 s after its drain, and
closes more than this."""


class _Dropped(ServiceError):
    """The article is no longer this runner's to finish.

    Args:
        outcome: see :data:`service.serving.metrics.ATTEMPT_OUTCOMES`.
    """

    def __init__(self, outcome: str) -> None:
        super().__init__("the article is no longer worked on here")
        self.outcome = outcome


class JobRunner:
    """Works on the articles of jobs, beside other runners on the same database.

    Every article that a runner claims is under way under its lease, a counter in the database that
    it adds to. A runner that sees another's counter stand still for ``lease_seconds`` of its own
    monotonic clock takes that one for dead and gives its articles to all. What was under way when a
    runner died is suspect: each runner does such articles one at a time with nothing beside them,
    so that only the one that kills processes dies again and again, until the store sets it aside.

    A database in trouble ends nothing: it is asked again, at the latest after
    :data:`MAX_DELAY_SECONDS`.

    Args:
        store: jobs.
        translate: makes an article's answer, both as JSON; what it raises is the article's error,
            except where it says only that the article can't be done now.
        problem: what stands in a row for an error.
        threads: articles at the same time.
        lease_seconds: silence after which a runner is taken for dead.
        metrics: where attempts, jobs and lost leases are counted.
        ready: whether to claim articles; while not, an engine's failure is not held against an
            article either.
    """

    def __init__(
        self,
        store: JobStore,
        translate: Callable[[str, Work], str],
        *,
        problem: Callable[[ServiceError], dict[str, Any]],
        threads: int,
        lease_seconds: float,
        metrics: Metrics,
        ready: Callable[[], bool],
    ) -> None:
        self._store = store
        self._translate = translate
        self._lease_seconds = lease_seconds
        self._metrics = metrics
        self._problem = problem
        self._ready = ready
        self._changed = threading.Condition()
        self._trouble = DatabaseTrouble(metrics)
        # All of these are read and written with _changed held; the lease is written by the keeper.
        self._lease: str | None = None
        self._running: dict[Claim, Work] = {}
        self._turns = 0  # threads that claim or work
        self._suspects = False  # whether there may be any; so no other turn begins
        self._idle_until = 0.0
        self._closing = False
        # The keeper's alone.
        self._silent = SilentLeases(lease_seconds)
        self._looked = self._renewed = self._counted = self._expired = float("-inf")
        self._stop = threading.Event()
        # Daemons: an engine that hangs must not keep the process from ending.
        self._threads = [
            threading.Thread(target=self._serve, name=f"jobs-{index}", daemon=True)
            for index in range(threads)
        ]
        self._keeper = threading.Thread(target=self._keep, name="jobs-keeper", daemon=True)
        self._tick = min(TICK_SECONDS, lease_seconds / 6)

    def start(self) -> None:
        """Begin to claim articles."""
        for thread in (self._keeper, *self._threads):
            thread.start()

    def wake(self) -> None:
        """A job came in: look for it now."""
        with self._changed:
            self._idle_until = 0.0
            self._changed.notify_all()

    def is_working(self) -> bool:
        """Whether an article is under way."""
        with self._changed:
            return bool(self._running)

    def close(self) -> None:
        """Stop, and give back what is under way and the lease; from a database that does not answer
        in :data:`CLOSE_SECONDS`, others take it when it expires.

        A server that drains first lets ``ready`` say no and waits while :meth:`is_working`.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            self._end_all("given_back")
        began = time.monotonic()
        for thread in self._threads:
            thread.join(max(0.0, began + JOIN_SECONDS - time.monotonic()))
        self._stop.set()
        self._keeper.join(max(0.0, began + CLOSE_SECONDS - time.monotonic()))

    # What the working threads do.

    def _serve(self) -> None:
        while turn := self._begin():
            lease, is_alone = turn
            claim = None
            in_trouble = False
            try:
                with self._trouble.noticed():
                    claim = self._store.claim(lease, suspect=is_alone)
                if claim is not None:
                    self._work_on(claim)
            except (StorageUnavailable, StorageFull):
                in_trouble = True
            except Exception as exc:  # a bug must not end the thread
                logger.error("a thread of jobs failed: %s", describe(exc))  # noqa: TRY400 - no messages
                in_trouble = True
            self._end(is_alone=is_alone, found=claim is not None, in_trouble=in_trouble)

    def _begin(self) -> tuple[str, bool] | None:
        """Wait until this thread may claim.

        Returns:
            The lease, and whether to claim a suspect; ``None`` when the runner stops.
        """
        with self._changed:
            while not self._closing:
                if (
                    self._lease is not None
                    and time.monotonic() >= self._idle_until
                    and not (self._suspects and self._turns)
                    and self._ready()
                ):
                    self._turns += 1
                    return self._lease, self._suspects
                self._changed.wait(LOOK_SECONDS)
        return None

    def _end(self, *, is_alone: bool, found: bool, in_trouble: bool) -> None:
        with self._changed:
            self._turns -= 1
            if in_trouble:
                self._idle_until = time.monotonic() + TROUBLE_SECONDS
            elif not found and is_alone:
                self._suspects = False
            elif not found:
                self._idle_until = time.monotonic() + POLL_SECONDS
            self._changed.notify_all()

    def _work_on(self, claim: Claim) -> None:
        work = Work()
        with self._changed:
            if self._closing or claim.lease_id != self._lease:
                return  # lost between the claim and here
            self._running[claim] = work
        try:
            outcome = self._attempt(claim, work)
        except _Dropped as dropped:
            outcome = dropped.outcome
        finally:
            with self._changed:
                del self._running[claim]
        self._metrics.job_attempts.labels(outcome).inc()

    def _attempt(self, claim: Claim, work: Work) -> str:
        """Do an article and write down what came of it; returns the outcome.

        Raises:
            _Dropped: it was taken away meanwhile.
        """
        answer: str | None = None
        error: ServiceError | None = None
        try:
            answer = self._answer(claim, work)
        except _Dropped:
            raise
        except ServiceError as exc:
            error = exc
        except Exception as exc:  # whatever a bug raises is one article's error
            logger.error("an article of a job failed: %s", describe(exc))  # noqa: TRY400 - no messages
            error = ServiceError("an internal error; the log has more")
        delay = 1.0
        while True:
            try:
                with self._trouble.noticed():
                    written = self._store.finish(
                        claim,
                        answer=answer,
                        error=json.dumps(self._problem(error)) if error else None,
                    )
            except (StorageUnavailable, StorageFull):
                pass
            except Exception as exc:  # what can't be written must not be under way for ever
                logger.error("a result could not be kept: %s", describe(exc))  # noqa: TRY400 - no messages
                answer, error = None, ServiceError("the answer could not be kept")
            else:
                if not written:
                    return "late"
                return "done" if error is None else "failed"
            delay = _pause(work, delay)

    def _answer(self, claim: Claim, work: Work) -> str:
        delay = 1.0
        while True:
            try:
                with working_on(work), tracing.span("job_article", attempt=claim.attempts):
                    return self._translate(claim.request, work)
            except (Overloaded, StorageUnavailable, StorageFull):
                pass  # they say nothing of the article
            except InferenceError:
                if self._ready():
                    raise
            delay = _pause(work, delay)

    def _end_all(self, outcome: str) -> None:
        """End what is under way; ``_changed`` is held."""
        for work in self._running.values():
            work.cancel(_Dropped(outcome))

    # What the keeper does.

    def _keep(self) -> None:
        while not self._stop.is_set():
            try:
                with self._trouble.noticed():
                    self._look()
            except (StorageUnavailable, StorageFull):
                pass
            except Exception as exc:  # a bug must not end the thread
                logger.error("the keeper of jobs failed: %s", describe(exc))  # noqa: TRY400 - no messages
            self._stop.wait(self._tick)
        try:
            if self._lease is not None:
                self._store.close_lease(self._lease)
        except (StorageUnavailable, StorageFull):
            logger.warning("the lease could not be closed: it expires")

    def _look(self) -> None:
        now = time.monotonic()
        third = self._lease_seconds / 3
        if self._lease is None:
            self._open()
            self._renewed = now
        elif self._trouble.lasts or now - self._renewed >= third:  # it may be full, yet be read
            if not self._store.renew(self._lease):
                self._lose()
                return
            self._renewed = now
        if now - self._looked >= third:
            self._watch()
            self._looked = now
        self._stop_cancelled()
        if now - self._counted >= COUNT_SECONDS:
            self._count()
            self._counted = now
        if now - self._expired >= EXPIRE_SECONDS:
            self._expire(now)

    def _open(self) -> None:
        lease = self._store.open_lease()
        with self._changed:
            self._lease = lease
            self._changed.notify_all()

    def _lose(self) -> None:
        """Others have taken this runner for dead."""
        logger.warning("the lease was lost: its articles are done again")
        with self._changed:
            self._lease = None
            self._end_all("lost")

    def _watch(self) -> None:
        """Revoke the leases whose counters stand still, and look for suspects of any that died."""
        began = time.monotonic()
        others = {key: count for key, count in self._store.leases().items() if key != self._lease}
        for silent in self._silent.find(others, began=began, ended=time.monotonic()):
            articles = self._store.revoke(silent)
            logger.warning("a lease expired: %d articles are queued again", articles)
            self._metrics.lease_expired.inc()
        if self._store.has_suspects():
            with self._changed:
                self._suspects = True
                self._idle_until = 0.0
                self._changed.notify_all()

    def _stop_cancelled(self) -> None:
        with self._changed:
            running = {claim.job_id for claim in self._running}
        if not running:
            return
        ended = self._store.ended(running)
        with self._changed:
            for claim, work in self._running.items():
                if claim.job_id in ended:
                    work.cancel(_Dropped("cancelled"))

    def _count(self) -> None:
        counts = self._store.counts()
        for state, number in counts.jobs.items():
            self._metrics.jobs.labels(state.value).set(number)
        self._metrics.job_queued_articles.set(counts.queued_articles)
        self._metrics.job_oldest_queued.set(counts.oldest_queued_seconds)

    def _expire(self, now: float) -> None:
        """Delete what was kept long enough; for a while only, for the lease must be renewed."""
        while self._store.expire():
            if time.monotonic() - now >= self._tick:
                return  # the next look goes on
        self._expired = now


def _pause(work: Work, seconds: float) -> float:
    """Sleep, unless the work is ended; returns how long to sleep the next time.

    Raises:
        ServiceError: what ends the work.
    """
    deadline = time.monotonic() + seconds
    never = threading.Event()
    while time.monotonic() < deadline:
        work.wait(never)
    return min(MAX_DELAY_SECONDS, 2 * seconds)
