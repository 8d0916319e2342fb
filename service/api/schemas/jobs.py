"""Jobs: articles that are worked on after the request, whatever happens to the server."""

from datetime import datetime

from pydantic import ConfigDict

from service.api import examples
from service.api.schemas.answers import Answer
from service.jobs.records import JobState


class JobAnswer(Answer):
    """A job."""

    id: str
    """A random UUID."""
    state: JobState
    """queued until its first article is begun, then running; done when all articles have ended and
    at least one has an answer, failed when none has; or cancelled."""
    articles: int
    """How many articles it has."""
    done: int
    """Those that have an answer."""
    failed: int
    """Those that have an error."""
    created_at: datetime
    """When it was accepted."""
    started_at: datetime | None
    """When its first article was begun; null before."""
    ended_at: datetime | None
    """When its last article ended or it was cancelled; null before."""
    expires_at: datetime | None
    """From when on it and its results are deleted; null until it has ended."""
    location: str
    """Path of this answer."""
    results: str
    """Path of its results."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.JOB]})


class JobsAnswer(Answer):
    """The newest jobs."""

    jobs: list[JobAnswer]
    """Newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"jobs": [examples.JOB]}]})
