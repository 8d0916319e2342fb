"""The shape of every error."""

from typing import Any

from service.api import examples
from service.api.schemas.answers import Answer


class FieldError(Answer):
    """What is wrong with one field."""

    loc: str
    """Path of the field."""
    code: str
    """Stable code."""
    detail: str
    """For people."""


class Problem(Answer):
    """Every error, by RFC 9457."""

    type: str
    """URN of the code."""
    title: str
    """Name of the class of errors."""
    status: int
    """HTTP status."""
    detail: str
    """What is wrong and what to do."""
    code: str
    """Stable code for programs."""
    instance: str
    """The request id."""
    errors: list[FieldError] | None = None
    """Per field, where fields are wrong."""


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI entries for the errors of a route (``problems.install`` sets their media type)."""
    return {status: {"model": Problem, **examples.problems(status)} for status in statuses}
