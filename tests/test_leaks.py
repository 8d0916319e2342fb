"""What watches all tests finds what it should find."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from fastapi import FastAPI
from leaks import WATCH
from loopback import Client

from service.app import create_app
from service.errors import InvalidRequest
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
