"""One article in, one row out; knows nothing of where rows come from and go to."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from service.api.articles import article_id
from service.api.body import parse_json
from service.api.problems import problem
from service.errors import ServiceError, StartupError
from service.logs import Event, describe
from service.serving.work import Work, working_on

logger = logging.getLogger(__name__)

Translate = Callable[[str, Work], str]
"""An article as JSON in, its answer as JSON out, as ``Articles.translate``; raises ServiceError."""


@dataclass(frozen=True, slots=True)
class Record:
    """One article of the input.

    Attributes:
        id: what its row is called.
        read: gives the article as JSON, as ``POST /v1/articles`` takes it; an ``id`` may be there,
            too. Raises ServiceError where it can't be read.
        held_bytes: what it keeps in memory.
    """

    id: str
    read: Callable[[], str]
    held_bytes: int = 0


class Row(NamedTuple):
    """What was made of an article.

    Attributes:
        line: ``{"id": …, "article": {…} | null, "error": {…} | null}`` in UTF-8, and a line feed.
        is_error: whether there is an error and no article.
        characters: of the JSON that was read.
    """

    line: bytes
    is_error: bool
    characters: int


def read_record(line: bytes, number: int) -> Record:
    """The article on a line of JSON.

    Args:
        line: whatever stands there.
        number: of the line, from 1: the id of an article that has none of the right form.
    """
    try:
        document = parse_json(line)
        anonymous = isinstance(document, dict) and "id" not in document
        name = str(number) if anonymous else article_id(document)
    except ServiceError as error:
        return refused(str(number), error)
    return Record(name, line.decode, len(line))


def refused(name: str, error: ServiceError) -> Record:
    """What is no article, and why."""

    def read() -> str:
        raise error

    return Record(name, read)


def make_row(record: Record, translate: Translate, work: Work) -> Row:
    """Translate one article.

    Args:
        record: the article.
        translate: does it.
        work: ended where nobody wants the row any more.

    Returns:
        The row; an article that can't be translated is a row, too.

    Raises:
        StartupError: it is nothing about this article: the run can't go on.
    """
    request = ""
    try:
        request = record.read()
        with working_on(work):
            answer = translate(request, work)
    except StartupError:
        raise
    except ServiceError as error:
        return _row(record, "null", problem(error), request)
    except Exception as error:  # the last line: whatever a bug raises is one article's error
        logger.error(Event("failure", exception=describe(error)))  # noqa: TRY400 - no messages
        internal = ServiceError("an internal error; the log has more")
        return _row(record, "null", problem(internal), request)
    return _row(record, answer, None, request)


def _row(record: Record, answer: str, error: dict[str, Any] | None, request: str) -> Row:
    problem_json = json.dumps(error, separators=(",", ":"))
    line = f'{{"id":{json.dumps(record.id)},"article":{answer},"error":{problem_json}}}\n'
    return Row(line.encode("utf-8"), error is not None, len(request))
