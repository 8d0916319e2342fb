"""What the store of jobs takes and gives; no text of an article is in a ``repr``."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

SET_ASIDE_ERROR = json.dumps(
    {
        "type": "urn:kortom:problem:set_aside",
        "code": "set_aside",
        "title": "Set aside",
        "status": 500,
        "detail": "servers died while they worked on this article; it is not tried again",
    }
)
CANCELLED_ERROR = json.dumps(
    {
        "type": "urn:kortom:problem:cancelled",
        "code": "cancelled",
        "title": "Cancelled",
        "status": 409,
        "detail": "the job was cancelled before this article was done",
    }
)


class JobState(StrEnum):
    """What has become of a job; the last three are for good."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class NewArticle:
    """An article to work on, or one that was refused and has failed already.

    Attributes:
        id: the caller's name for it, unique in its job.
        request: JSON to work on; ``None`` with an ``error``.
        error: JSON that says why it was refused; ``None`` with a ``request``.
    """

    id: str
    request: str | None = field(repr=False)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A job. Times are seconds since 1970 UTC.

    Attributes:
        id: a random UUID.
        state: what has become of it.
        articles: all of its articles.
        done: those that have an answer.
        failed: those that have an error.
        created_at: when it was accepted.
        started_at: when its first article was claimed.
        ended_at: when its last article ended, or when it was cancelled.
        expires_at: from when on it is forgotten; ``None`` until it has ended.
    """

    id: str
    state: JobState
    articles: int
    done: int
    failed: int
    created_at: float
    started_at: float | None
    ended_at: float | None
    expires_at: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """What has become of an article: JSON of its answer or of its error."""

    id: str
    article: str | None = field(repr=False)
    error: str | None


@dataclass(frozen=True, slots=True)
class Claim:
    """An article that is given to the holder of a lease and to nobody else.

    Attributes:
        lease_id: the lease it was given under.
        job_id: its job.
        position: its place in the job, from 0.
        article_id: the caller's name for it.
        request: JSON to work on.
        attempts: runners that died while they worked on it.
    """

    lease_id: str
    job_id: str
    position: int
    article_id: str
    request: str = field(repr=False)
    attempts: int


@dataclass(frozen=True, slots=True)
class Counts:
    """For metrics.

    Attributes:
        jobs: jobs by state; every state is there.
        queued_articles: articles that wait for a runner.
        oldest_queued_seconds: since when the oldest job with such an article waits; 0 without one.
    """

    jobs: Mapping[JobState, int]
    queued_articles: int
    oldest_queued_seconds: float
