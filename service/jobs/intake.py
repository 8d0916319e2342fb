"""A job comes in: room for it, its idempotency key and its articles, in one transaction."""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from service.errors import InvalidRequest, Overloaded
from service.jobs.queries import FAILED, JOB_COLUMNS, QUEUED, UNENDED, as_job
from service.jobs.records import Job, NewArticle
from service.storage.tables import job, job_article

RETRY_AFTER_SECONDS = 60
"""Until there may be room again."""
_INSERTED_ROWS = 500
"""Articles in one statement: as many as are in memory twice."""
_UNENDED_ARTICLES = sa.select(
    sa.func.coalesce(sa.func.sum(job.c.articles - job.c.done - job.c.failed), 0)
).where(UNENDED)


def earlier_job(
    connection: sa.Connection, owner: str, idempotency_key: str | None, fingerprint: str
) -> Job | None:
    """The job that has the idempotency key already; ``None`` without one.

    Raises:
        InvalidRequest: ``idempotency_key_reused``: its body had another fingerprint.
    """
    which = sa.and_(job.c.owner == owner, job.c.idempotency_key == idempotency_key)
    query = sa.select(*JOB_COLUMNS, job.c.fingerprint).where(which)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    if row.fingerprint != fingerprint:
        raise InvalidRequest(
            "this Idempotency-Key came before, with another body", code="idempotency_key_reused"
        )
    return as_job(row)


def insert_job(
    connection: sa.Connection,
    *,
    owner: str,
    idempotency_key: str | None,
    fingerprint: str,
    now: float,
) -> str | None:
    """A job without articles; its id, or ``None`` where the owner's key has one already."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    job_id = str(uuid.uuid4())
    # It is served as if it had been there from the start, but doesn't catch up.
    turn = connection.scalar(sa.select(sa.func.min(job.c.turn)).where(UNENDED)) or 0
    inserted = connection.execute(
        insert(job)
        .values(
            id=job_id,
            owner=owner,
            idempotency_key=idempotency_key,
            fingerprint=fingerprint,
            state=QUEUED,
            articles=0,
            done=0,
            failed=0,
            turn=turn,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["owner", "idempotency_key"]),
        execution_options={"preserve_rowcount": True},
    )
    return job_id if inserted.rowcount else None


def insert_articles(
    connection: sa.Connection,
    job_id: str,
    articles: Iterable[NewArticle],
    *,
    max_queued_articles: int,
) -> bool:
    """The articles of a job that has none, and their numbers.

    Args:
        connection: to the database.
        job_id: the job.
        articles: read some at a time.
        max_queued_articles: of all jobs together.

    Returns:
        Whether there is anything to work on: one that was not refused before.

    Raises:
        Overloaded: ``backlog_full``.
        InvalidRequest: ``duplicate_id``.
    """
    room = max_queued_articles - (connection.scalar(_UNENDED_ARTICLES) or 0)
    count = failed = 0
    for rows in _rows(job_id, articles):
        count += len(rows)
        failed += sum(row["state"] == FAILED for row in rows)
        if count - failed > room:
            raise Overloaded(
                "the articles that wait and these are more than the server takes",
                code="backlog_full",
                headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
            )
        try:
            connection.execute(sa.insert(job_article), rows)
        except IntegrityError:
            raise InvalidRequest(
                "two articles of the job have the same id", code="duplicate_id"
            ) from None
    connection.execute(
        sa.update(job).where(job.c.id == job_id).values(articles=count, failed=failed)
    )
    return failed < count


def _rows(job_id: str, articles: Iterable[NewArticle]) -> Iterator[Sequence[dict[str, Any]]]:
    """Rows of articles, some at a time."""
    numbered = enumerate(articles)
    while chunk := list(islice(numbered, _INSERTED_ROWS)):
        yield [
            {
                "job_id": job_id,
                "position": position,
                "article_id": article.id,
                "state": QUEUED if article.error is None else FAILED,
                "attempts": 0,
                "request": article.request,
                "error": article.error,
            }
            for position, article in chunk
        ]
