"""The statements of the store that are long, or that more than one of its methods needs."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from service.errors import NotFound
from service.jobs.records import Claim, Counts, Job, JobState
from service.storage.tables import SUSPECT, job, job_article, lease

JOB_COLUMNS = [
    job.c.id,
    job.c.state,
    job.c.articles,
    job.c.done,
    job.c.failed,
    job.c.created_at,
    job.c.started_at,
    job.c.ended_at,
    job.c.expires_at,
]
QUEUED, RUNNING, DONE, FAILED, CANCELLED = (str(state) for state in JobState)
"""States of articles have the names of those of jobs."""
UNENDED = job.c.ended_at.is_(None)
"""Jobs that wait or run: the condition of their index."""


def owned(owner: str, job_id: str) -> sa.ColumnElement[bool]:
    """The job, if it is the owner's."""
    return sa.and_(job.c.id == job_id, job.c.owner == owner)


def as_job(row: sa.Row[*tuple[Any, ...]]) -> Job:
    """A row with ``JOB_COLUMNS``."""
    values = {column.name: row._mapping[column] for column in JOB_COLUMNS}
    return Job(**{**values, "state": JobState(row.state)})


def find_job(
    connection: sa.Connection, which: sa.ColumnElement[bool], *, lock: bool = False
) -> Job:
    """A job, held by this transaction when ``lock`` is set.

    Raises:
        NotFound: there is none.
    """
    query = sa.select(*JOB_COLUMNS).where(which)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFound("there is no such job")
    return as_job(row)


def articles_in(state: str) -> sa.Select[Any]:
    """Articles of the job of the query around it that are in a state."""
    return (
        sa.select(job_article.c.job_id)
        .where(job_article.c.job_id == job.c.id, job_article.c.state == state)
        .correlate(job)
    )


def next_job(suspect: bool, *, skip_locked: bool) -> sa.Select[str]:
    """The job whose turn it is among those with an article to give; it gets locked."""
    query = sa.select(job.c.id).where(UNENDED)
    if suspect:  # few: found by their index
        suspects = sa.select(job_article.c.job_id).where(SUSPECT, job_article.c.state == QUEUED)
        query = query.where(job.c.id.in_(suspects))
    else:  # most jobs have one: tried in the order of turns
        query = query.where(articles_in(QUEUED).where(job_article.c.attempts == 0).exists())
    query = query.order_by(job.c.turn, job.c.created_at).limit(1)
    return query.with_for_update(skip_locked=skip_locked)


def delete_lease(connection: sa.Connection, lease_id: str) -> bool:
    """Whether the lease was still there; nothing is claimed under it from now on."""
    return bool(connection.execute(sa.delete(lease).where(lease.c.id == lease_id)).rowcount)


def held_articles(connection: sa.Connection, lease_id: str) -> sa.ColumnElement[bool]:
    """The articles under way under a lease that is deleted; their jobs are locked."""
    held = sa.and_(job_article.c.lease_id == lease_id, job_article.c.state == RUNNING)
    lock_jobs(connection, connection.scalars(sa.select(job_article.c.job_id).where(held)).all())
    return held


def lock_jobs(connection: sa.Connection, job_ids: Collection[str]) -> None:
    """Hold the rows of jobs, in an order that all keep."""
    query = sa.select(job.c.id).where(job.c.id.in_(job_ids)).order_by(job.c.id)
    connection.execute(query.with_for_update())


def claim_article(
    connection: sa.Connection, lease_id: str, job_id: str, *, suspect: bool, now: float
) -> Claim | None:
    """The first article of a job that is locked; ``None`` where another runner took the last."""
    row = connection.execute(
        sa.select(
            job_article.c.position,
            job_article.c.article_id,
            job_article.c.request,
            job_article.c.attempts,
        )
        .where(job_article.c.job_id == job_id, job_article.c.state == QUEUED)
        .where(SUSPECT if suspect else job_article.c.attempts == 0)
        .order_by(job_article.c.position)
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    connection.execute(
        sa.update(job_article)
        .where(job_article.c.job_id == job_id, job_article.c.position == row.position)
        .values(state=RUNNING, lease_id=lease_id)
    )
    connection.execute(
        sa.update(job)
        .where(job.c.id == job_id)
        .values(
            state=RUNNING,
            turn=job.c.turn + 1,
            started_at=sa.func.coalesce(job.c.started_at, now),
        )
    )
    return Claim(lease_id, job_id, row.position, row.article_id, row.request, row.attempts)


def delete_articles(connection: sa.Connection, job_id: str, most: int) -> int:
    """Delete some articles of a job; how many these were."""
    of_job = job_article.c.job_id == job_id
    first = sa.select(job_article.c.position).where(of_job).order_by(job_article.c.position)
    return connection.execute(
        sa.delete(job_article).where(of_job, job_article.c.position.in_(first.limit(most)))
    ).rowcount


def count(connection: sa.Connection, now: float) -> Counts:
    """Numbers for metrics."""
    by_state = sa.select(job.c.state, sa.func.count()).group_by(job.c.state)
    queued = (
        sa.select(sa.func.count())
        .select_from(job_article)
        .join(job)
        .where(UNENDED, job_article.c.state == QUEUED)
    )
    oldest = sa.select(sa.func.min(job.c.created_at)).where(UNENDED, articles_in(QUEUED).exists())
    jobs = dict.fromkeys(JobState, 0)
    for state, number in connection.execute(by_state):
        jobs[JobState(state)] = number
    since = connection.scalar(oldest)
    return Counts(
        jobs=jobs,
        queued_articles=connection.scalar(queued) or 0,
        oldest_queued_seconds=0.0 if since is None else max(0.0, now - since),
    )
