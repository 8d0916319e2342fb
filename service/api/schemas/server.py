"""What the server says about itself: its models, limits, version and health."""

from typing import Literal

from pydantic import ConfigDict

from service import __version__
from service.api import examples
from service.api.schemas.answers import Answer


class ModelAnswer(Answer):
    """A model card in short."""

    name: str
    """Name of the card."""
    task: str
    """translation or summarization."""
    license: str
    """SPDX-like licence id of the weights."""
    revision: str | None
    """Commit served; null when the model is not being served or has no weights."""
    served: bool
    """Whether this server answers with it."""
    notice: str | None
    """What one must know before using it."""


class ModelsAnswer(Answer):
    """All models that this server knows."""

    profile: str
    """The served profile."""
    models: list[ModelAnswer]
    """One per card."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.MODELS]})


class LimitsAnswer(Answer):
    """What this server accepts."""

    max_article_characters: int
    """Longest text in code points."""
    max_title_characters: int
    """Longest title in code points."""
    max_texts_per_request: int
    """Most texts per /v1/translate."""
    max_body_bytes: int
    """Largest body."""
    max_queued_requests: int
    """Places for requests."""
    max_markup_marks: int
    """Most marks of markup in one text of HTML or Markdown."""
    max_glossary_terms: int
    """Most terms in a request's glossary."""
    max_bullets: int
    """Most bullets."""
    max_deadline_ms: int
    """Longest deadline."""
    max_job_articles: int
    """Most articles of a job."""
    max_job_bytes: int
    """Largest body of a job."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.LIMITS]})


class VersionAnswer(Answer):
    """What runs here."""

    version: str
    """Version of Kortom."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"version": __version__}]})


class HealthAnswer(Answer):
    """State of the server."""

    status: Literal["ok"]
    """Always ok; anything else is a problem."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok"}]})
