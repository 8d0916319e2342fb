"""Jobs in the database: accepted, claimed, finished, read, cancelled, forgotten.

Whoever changes articles of a job holds the job's row, so that its counters always agree with its
articles, in one transaction. The order of locks is lease, job, article.

A runner that works holds a lease: a row whose counter it raises (:meth:`JobStore.renew`). Others
watch the counter with clocks of their own (:meth:`JobStore.leases`) and revoke a lease that stands
still; no time of day is compared. An article is finished only under the lease that it was claimed
with, so that a runner that was taken for dead writes nothing.
"""

import os
import socket
import time
import uuid
from collections.abc import Callable, Collection, Iterable

import sqlalchemy as sa

from service.errors import StorageUnavailable
from service.jobs import intake, queries
from service.jobs.records import (
    CANCELLED_ERROR,
    SET_ASIDE_ERROR,
    Claim,
    Counts,
    Job,
    JobState,
    NewArticle,
    Row,
)
from service.storage.database import Database
from service.storage.tables import NOBODY, SUSPECT, job, job_article, lease, webhook_delivery

EXPIRED_ROWS = 100
"""Articles that are deleted at once: others write in between, also where these are large."""
_STREAMED = {"stream_results": True, "max_row_buffer": 5}


class JobStore:
    """The jobs of a database, for callers and for runners. Safe to use from many threads.

    Args:
        database: where they are kept.
        max_queued_articles: articles of all jobs that have not ended; more are refused.
        retention_seconds: how long an ended job can be read.
        max_attempts: runners that may die while they work on an article; then it is set aside.
        webhooks: whether a message is to be sent for every job that ends.
        clock: seconds since 1970 UTC (a test's seam).

    Every method raises StorageUnavailable or StorageFull when the database can't do its part.
    """

    def __init__(
        self,
        database: Database,
        *,
        max_queued_articles: int,
        retention_seconds: float,
        max_attempts: int = 3,
        webhooks: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._max_queued_articles = max_queued_articles
        self._retention_seconds = retention_seconds
        self._max_attempts = max_attempts
        self._webhooks = webhooks
        self._clock = clock

    def submit(
        self,
        owner: str,
        articles: Iterable[NewArticle],
        *,
        fingerprint: str,
        idempotency_key: str | None,
    ) -> tuple[Job, bool]:
        """Keep a job, or find the one that was kept for the same idempotency key.

        Args:
            owner: who may read it: the id of a key, or empty without keys.
            articles: read piece by piece inside a transaction, so it should not wait for anything.
            fingerprint: of the request's body; only the same one may use a key again.
            idempotency_key: of the owner's choice; ``None`` for none.

        Returns:
            The job, and whether it is new.

        Raises:
            Overloaded: ``backlog_full``. Submissions at the same moment don't see each other on
                PostgreSQL, and may exceed the limit together.
            InvalidRequest: ``idempotency_key_reused`` for another body, ``duplicate_id`` for an id
                that two articles have.
        """
        with self._database.transaction() as connection:
            job_id = intake.insert_job(
                connection,
                owner=owner,
                idempotency_key=idempotency_key,
                fingerprint=fingerprint,
                now=self._clock(),
            )
            if job_id is None:
                earlier = intake.earlier_job(connection, owner, idempotency_key, fingerprint)
                if earlier is None:  # it expired in this moment
                    raise StorageUnavailable(
                        "the job changed meanwhile", headers={"Retry-After": "1"}
                    )
                return earlier, False
            if not intake.insert_articles(
                connection, job_id, articles, max_queued_articles=self._max_queued_articles
            ):
                self._end(connection, job_id, JobState.FAILED)
            return queries.find_job(connection, job.c.id == job_id), True

    def earlier(self, owner: str, idempotency_key: str, fingerprint: str) -> Job | None:
        """The owner's job that was kept for an idempotency key; ``None`` when there is none.

        Raises:
            InvalidRequest: ``idempotency_key_reused``: its body had another fingerprint.
        """
        with self._database.reading() as connection:
            return intake.earlier_job(connection, owner, idempotency_key, fingerprint)

    def job(self, owner: str, job_id: str) -> Job:
        """A job of that owner.

        Raises:
            NotFound: there is none, or it is another's.
        """
        with self._database.reading() as connection:
            return queries.find_job(connection, queries.owned(owner, job_id))

    def jobs(self, owner: str, limit: int) -> list[Job]:
        """The owner's newest jobs, newest first, at most ``limit``."""
        query = (
            sa.select(*queries.JOB_COLUMNS)
            .where(job.c.owner == owner)
            .order_by(job.c.created_at.desc(), job.c.id)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [queries.as_job(row) for row in connection.execute(query)]

    def cancel(self, owner: str, job_id: str) -> Job:
        """End a job now; what has ended before keeps its answers. Does nothing to an ended job.

        Raises:
            NotFound: there is none, or it is another's.
        """
        with self._database.transaction() as connection:
            found = queries.find_job(connection, queries.owned(owner, job_id), lock=True)
            if found.ended_at is not None:
                return found
            connection.execute(
                sa.update(job_article)
                .where(job_article.c.job_id == job_id)
                .where(job_article.c.state.in_([queries.QUEUED, queries.RUNNING]))
                .values(state=queries.CANCELLED, lease_id=None, request=None, error=CANCELLED_ERROR)
            )
            self._end(connection, job_id, JobState.CANCELLED)
            return queries.find_job(connection, job.c.id == job_id)

    def results(
        self,
        owner: str,
        job_id: str,
        after: int = -1,
        limit: int = 100,
        max_characters: int = 1_000_000,
    ) -> list[tuple[int, Row]]:
        """Articles that have ended, in the order they were given, with their positions.

        Args:
            owner: of the job.
            job_id: the job.
            after: only those at later positions.
            limit: most of them.
            max_characters: of their answers; the last one of these may go beyond.

        Returns:
            Empty when there is no more.

        Raises:
            NotFound: there is no such job, or it is another's.
        """
        query = (
            sa.select(
                job_article.c.position,
                job_article.c.article_id,
                job_article.c.answer,
                job_article.c.error,
            )
            .where(job_article.c.job_id == job_id)
            .where(job_article.c.position > after)
            .where(job_article.c.state.in_([queries.DONE, queries.FAILED, queries.CANCELLED]))
            .order_by(job_article.c.position)
            .limit(limit)
        )
        with self._database.reading() as connection:
            queries.find_job(connection, queries.owned(owner, job_id))
            found: list[tuple[int, Row]] = []
            characters = 0
            # Some at a time, however many there are.
            with connection.execute(query, execution_options=_STREAMED) as rows:
                for row in rows:
                    found.append((row.position, Row(row.article_id, row.answer, row.error)))
                    characters += len(row.answer or "")
                    if characters >= max_characters:
                        break
            return found

    def open_lease(self) -> str:
        """A new lease of this process; articles are claimed under it."""
        lease_id = str(uuid.uuid4())
        holder = f"{socket.gethostname()}:{os.getpid()}"
        with self._database.transaction() as connection:
            connection.execute(sa.insert(lease).values(id=lease_id, renewals=0, holder=holder))
        return lease_id

    def renew(self, lease_id: str) -> bool:
        """Show that the holder is alive.

        Returns:
            False when the lease was revoked: what was claimed under it is others' by now.
        """
        with self._database.transaction() as connection:
            renewed = connection.execute(
                sa.update(lease).where(lease.c.id == lease_id).values(renewals=lease.c.renewals + 1)
            )
            return bool(renewed.rowcount)

    def leases(self) -> dict[str, int]:
        """How often each lease was renewed."""
        with self._database.reading() as connection:
            return {row.id: row.renewals for row in connection.execute(sa.select(lease))}

    def close_lease(self, lease_id: str) -> None:
        """Give the lease and its articles back; they are queued as if never claimed."""
        with self._database.transaction() as connection:
            if queries.delete_lease(connection, lease_id):
                connection.execute(
                    sa.update(job_article)
                    .where(queries.held_articles(connection, lease_id))
                    .values(state=queries.QUEUED, lease_id=None)
                )

    def revoke(self, lease_id: str) -> int:
        """Take the articles of a holder that is taken for dead.

        Each is queued again, or, when ``max_attempts`` holders have died with it, set aside: it
        fails with the code ``set_aside``.

        Returns:
            Articles taken; 0 when the lease is gone.
        """
        with self._database.transaction() as connection:
            if not queries.delete_lease(connection, lease_id):
                return 0
            held = queries.held_articles(connection, lease_id)
            last = job_article.c.attempts + 1 >= self._max_attempts
            set_aside = connection.execute(
                sa.select(job_article.c.job_id, sa.func.count())
                .where(held, last)
                .group_by(job_article.c.job_id)
            ).all()
            taken = connection.execute(
                sa.update(job_article)
                .where(held, last)
                .values(
                    state=queries.FAILED,
                    lease_id=None,
                    request=None,
                    attempts=self._max_attempts,
                    error=SET_ASIDE_ERROR,
                )
            ).rowcount
            taken += connection.execute(
                sa.update(job_article)
                .where(held)
                .values(state=queries.QUEUED, lease_id=None, attempts=job_article.c.attempts + 1)
            ).rowcount
            for job_id, failed in set_aside:
                self._count(connection, job_id, failed=failed)
            return taken

    def has_suspects(self) -> bool:
        """Whether an article waits that was under way when a runner died."""
        suspect = sa.exists().where(SUSPECT, job_article.c.state == queries.QUEUED)
        with self._database.reading() as connection:
            return bool(connection.scalar(sa.select(suspect)))

    def claim(self, lease_id: str, *, suspect: bool) -> Claim | None:
        """The next article: jobs take turns, articles of a job come in their order.

        Args:
            lease_id: the holder's lease.
            suspect: whether to give an article that was under way when a runner died, or one that
                was not; the first should be worked on alone.

        Returns:
            ``None`` when there is none at the moment, or when the lease was revoked.
        """
        # A job that another runner claims from is waited for only when it is the last.
        for skip_locked in (True,) if self._database.is_sqlite else (True, False):
            with self._database.transaction() as connection:
                alive = sa.select(lease.c.id).where(lease.c.id == lease_id)
                if connection.scalar(alive.with_for_update(read=True, key_share=True)) is None:
                    return None
                job_id = connection.scalar(queries.next_job(suspect, skip_locked=skip_locked))
                if job_id is not None:
                    claim = queries.claim_article(
                        connection, lease_id, job_id, suspect=suspect, now=self._clock()
                    )
                    if claim is not None:
                        return claim
        return None

    def finish(self, claim: Claim, *, answer: str | None = None, error: str | None = None) -> bool:
        """End an article with the JSON of its answer or of its error.

        Returns:
            False when the lease was revoked or the job has ended meanwhile; nothing is written.
        """
        with self._database.transaction() as connection:
            queries.lock_jobs(connection, [claim.job_id])
            written = connection.execute(
                sa.update(job_article)
                .where(
                    job_article.c.job_id == claim.job_id,
                    job_article.c.position == claim.position,
                    job_article.c.state == queries.RUNNING,
                    job_article.c.lease_id == claim.lease_id,
                )
                .values(
                    state=queries.DONE if error is None else queries.FAILED,
                    lease_id=None,
                    request=None,
                    answer=answer,
                    error=error,
                )
            )
            if not written.rowcount:
                return False
            self._count(connection, claim.job_id, done=error is None, failed=error is not None)
            return True

    def ended(self, job_ids: Collection[str]) -> set[str]:
        """Which of these jobs have ended, or are forgotten."""
        query = sa.select(job.c.id).where(job.c.id.in_(job_ids), queries.UNENDED)
        with self._database.reading() as connection:
            return set(job_ids) - set(connection.scalars(query))

    def expire(self) -> bool:
        """Forget an ended job whose time has come; whether there was one.

        The first call hides it from everybody, the webhook's receiver too. Its articles are deleted
        by this and later calls.
        """
        due = (
            sa.select(job.c.id)
            .where(job.c.expires_at <= self._clock())
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        with self._database.transaction() as connection:
            job_id = connection.scalar(due)
            if job_id is None:
                return False
            this_job = job.c.id == job_id
            connection.execute(
                sa.update(job)
                .where(this_job)
                # At 0, no clock that is set back brings half a job to light again.
                .values(owner=NOBODY, idempotency_key=None, expires_at=0)
            )
            message = webhook_delivery.c.job_id == job_id
            connection.execute(sa.delete(webhook_delivery).where(message))
            if queries.delete_articles(connection, job_id, EXPIRED_ROWS) < EXPIRED_ROWS:
                connection.execute(sa.delete(job).where(this_job))
            return True

    def counts(self) -> Counts:
        """Numbers for metrics, all from the same moment."""
        with self._database.reading() as connection:
            return queries.count(connection, self._clock())

    def _count(
        self, connection: sa.Connection, job_id: str, *, done: int = 0, failed: int = 0
    ) -> None:
        """Articles of a job have ended: count them, and end the job with its last."""
        connection.execute(
            sa.update(job)
            .where(job.c.id == job_id)
            .values(done=job.c.done + int(done), failed=job.c.failed + int(failed))
        )
        counted = queries.find_job(connection, job.c.id == job_id)
        if counted.done + counted.failed == counted.articles:
            self._end(connection, job_id, JobState.DONE if counted.done else JobState.FAILED)

    def _end(self, connection: sa.Connection, job_id: str, state: JobState) -> None:
        now = self._clock()
        connection.execute(
            sa.update(job)
            .where(job.c.id == job_id)
            .values(state=str(state), ended_at=now, expires_at=now + self._retention_seconds)
        )
        if self._webhooks:
            connection.execute(
                sa.insert(webhook_delivery).values(job_id=job_id, attempts=0, next_attempt_at=now)
            )
