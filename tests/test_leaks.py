"""What watches all tests finds what it should find."""

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from fastapi import FastAPI
from leaks import WATCH
from loopback import Client
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from service import logs, tracing
from service.app import create_app
from service.errors import DatabaseError, InvalidRequest
from service.settings import Settings

TEXT = "De gemeente Utrecht plant dit najaar 400 bomen langs de singels."


@pytest.fixture
def found() -> Iterator[list[str]]:
    """Leaks that a test makes on purpose."""
    yield WATCH.leaks
    WATCH.leaks.clear()


def test_a_log_line_with_a_piece_of_an_article_is_found(found: list[str]) -> None:
    WATCH.sent(TEXT)
    logging.getLogger("service.pipeline").debug("can't read %r", TEXT[20:60])
    assert found


def test_an_escaped_word_hides_nothing(found: list[str]) -> None:
    WATCH.sent("Het oedeem is geïrriteerd en geëvalueerd")
    logging.getLogger("service.api").info("x geïrriteerd en geëvalueerd is oedeem")
    assert not found
    logging.getLogger("service.api").info("oedeem is geïrriteerd en")
    assert found


def test_a_secret_in_an_error_is_found(found: list[str]) -> None:
    WATCH.came_out("test", '{"detail": "no key whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}')
    assert found


def test_an_error_that_quotes_the_request_is_found(
    settings: Settings,
    start_server: Callable[[FastAPI], AbstractContextManager[Client]],
    found: list[str],
) -> None:
    app = create_app(settings)

    @app.post("/quoting")
    async def quoting(body: dict[str, str]) -> None:
        raise InvalidRequest(f"this is no text: {body['text'][:40]}")

    with start_server(app) as client:
        assert client.post("/quoting", {"text": TEXT}).status == 422
    assert found


def test_ordinary_lines_and_answers_are_no_leak(server: Client, found: list[str]) -> None:
    assert server.post("/v1/articles", {"text": TEXT}).status == 200
    assert server.post("/v1/articles", {"text": TEXT, "html": TEXT}).status == 422
    assert server.get("/metrics").status == 200
    assert not found


def test_what_another_process_writes_to_standard_error_is_found(found: list[str]) -> None:
    code = "import sys; sys.stderr.write(sys.stdin.read()[5:])"
    subprocess.run(
        [sys.executable, "-c", code], input=TEXT, text=True, capture_output=True, check=True
    )
    assert found


def test_a_piece_of_an_article_in_a_span_is_found(found: list[str]) -> None:
    WATCH.sent(TEXT)
    tracing.export_to(SimpleSpanProcessor(InMemorySpanExporter()))
    try:
        with tracing.span("inference", text=TEXT[:40]):
            pass
    finally:
        tracing.stop()
    assert found


def test_a_line_of_a_library_is_found_also_after_a_command_has_set_up_the_log(
    found: list[str],
) -> None:
    WATCH.sent(TEXT)
    logs.configure("info", json_lines=True)
    logging.getLogger("a.library").warning("can't read %s", TEXT)
    assert found


@pytest.mark.parametrize(
    "text",
    [
        f"no key kortom_0123456789ab_{'aB-_' * 11}",
        "can't open postgresql://kortom:hunter2@db/kortom",
    ],
)
def test_a_key_and_a_password_in_an_error_are_found(found: list[str], text: str) -> None:
    with pytest.raises(DatabaseError):
        raise DatabaseError(text)
    assert found


def test_a_masked_password_is_no_leak(found: list[str]) -> None:
    WATCH.came_out("test", "can't open postgresql://kortom:**********@db/kortom")
    assert not found
