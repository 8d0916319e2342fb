"""Log lines: one shape for this program and its libraries, with nothing to forge them with."""

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.logs import Event, JSONFormatter, TextFormatter, describe


def record(message: object, *args: object, error: BaseException | None = None) -> Any:
    exc_info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("a.library", logging.INFO, __file__, 1, message, args, exc_info)


def failure(article: str) -> BaseException:
    try:
        try:
            int(article)
        except ValueError as cause:
            raise RuntimeError(article) from cause
    except RuntimeError as error:
        return error
    raise AssertionError


def test_an_event_is_a_json_object_with_its_fields() -> None:
    line = json.loads(JSONFormatter().format(record(Event("request", id="a", status=200, x=None))))
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info", "logger": "a.library", "message": "request", "id": "a", "status": 200,
    }  # fmt: skip


def test_a_library_logs_in_the_same_shape() -> None:
    line = json.loads(JSONFormatter().format(record("started %s on %d", "it", 7)))
    assert line["message"] == "started it on 7"
    assert set(line) == {"time", "level", "logger", "message"}


def test_people_read_name_and_fields() -> None:
    line = TextFormatter().format(record(Event("request", id="a", status=200, x=None)))
    assert line.endswith(" INFO request id=a status=200")


@pytest.mark.parametrize("formatter", [JSONFormatter(), TextFormatter()])
def test_a_failure_shows_where_and_not_what(formatter: logging.Formatter) -> None:
    line = formatter.format(record("it broke", error=failure("GEHEIM")))
    for part in ("it broke", "RuntimeError", "ValueError", "caused by", "test_logs.py"):
        assert part in line
    assert "GEHEIM" not in line


@given(st.text(st.characters(codec="utf-8")))
def test_no_message_makes_a_second_line(message: str) -> None:
    assert len(JSONFormatter().format(record("%s", message)).splitlines()) == 1
    first, *others = TextFormatter().format(record("x %s", message)).splitlines()
    assert " INFO x" in first
    assert all(line.startswith("    ") for line in others)
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in first)


def test_an_exception_that_is_its_own_cause_is_described_once() -> None:
    first, second = RuntimeError("a"), RuntimeError("b")
    first.__cause__, second.__context__ = second, first
    assert describe(first).count("RuntimeError") == 2
