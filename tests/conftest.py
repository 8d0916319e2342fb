"""What all tests share: settings with a tiny model, and a server over it."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from fastapi import FastAPI
from leaks import WATCH
from loopback import Client, Reply, run_server

from service.app import create_app
from service.errors import ServiceError
from service.evaluation.checkpoints import write_marian_checkpoint
from service.models.card import load_card
from service.models.pull import pull
from service.models.store import ModelStore
from service.settings import ENVIRONMENT_PREFIX, Settings

# Read when torch is imported: its threads wait for each other, which is slow on busy cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shared machine may stall for a second: time says nothing about a property. The examples are the
# same in every run; --hypothesis-profile=explore looks for new ones.
PATIENT: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [hypothesis.HealthCheck.too_slow],
}
hypothesis.settings.register_profile("explore", **PATIENT)
hypothesis.settings.register_profile("kortom", derandomize=True, **PATIENT)
hypothesis.settings.load_profile("kortom")

CARD = """---
language: [nl, en]
license: apache-2.0
kortom:
  task: translation
  repository: Helsinki-NLP/opus-mt-nl-en
  revision: main
  architecture: marian
  decoding: {beam_size: 1, max_target_ratio: 1.0, max_target_margin: 0}
  limits: {max_source_tokens: 128, max_target_tokens: 128}
---
Random weights for the tests: small, with short sentences, and as long an answer as the question.
"""


@pytest.fixture(scope="session", autouse=True)
def environment() -> Iterator[None]:
    """No setting comes from outside."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(ENVIRONMENT_PREFIX)]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session", autouse=True)
def watch() -> Iterator[None]:
    """Every log line and error of the program is searched, whether or not a test looks at it."""
    make_error = ServiceError.__init__

    def make_watched_error(self: ServiceError, detail: str, **options: Any) -> None:
        make_error(self, detail, **options)
        WATCH.came_out(f"error {self.code}", f"{detail} {options.get('errors', '')}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ServiceError, "__init__", make_watched_error)
        for name in ("service", "uvicorn"):
            logging.getLogger(name).addHandler(WATCH)
        logging.getLogger("service").setLevel(logging.DEBUG)
        yield
        for name in ("service", "uvicorn"):
            logging.getLogger(name).removeHandler(WATCH)


@pytest.fixture(autouse=True)
def no_leaks() -> Iterator[None]:
    """No test ends with article text or a key in a log, a metric or an error."""
    yield
    leaks, WATCH.leaks = WATCH.leaks, []
    assert not leaks


@pytest.fixture(autouse=True)
def log_setup() -> Iterator[None]:
    """A command that a test runs in this process sets up logging for that test only."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    for handler in list(root.handlers):
        if type(handler) is logging.StreamHandler and handler not in before:
            root.removeHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(False)


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The light profile with a tiny random model in opus-mt-nl-en's place."""
    directory = tmp_path_factory.mktemp("kortom")
    cards = directory / "cards"
    cards.mkdir()
    (cards / "opus-mt-nl-en.md").write_text(CARD, encoding="utf-8")
    checkpoint = write_marian_checkpoint(
        directory / "checkpoint", d_model=16, layers=1, ffn_dim=32, heads=2
    )
    models = directory / "models"
    pull(load_card("opus-mt-nl-en", cards), ModelStore(models), source=checkpoint)
    return Settings(
        profile="light",
        models_dir=models,
        cards_dir=cards,
        intra_threads=1,
        body_seconds=3,
        drain_seconds=2,
    )


@pytest.fixture(scope="session")
def start_server() -> Callable[[FastAPI], AbstractContextManager[Client]]:
    """Starts a server of one's own: ``with start_server(app) as client``."""
    return run_server


@pytest.fixture(scope="session")
def server(settings: Settings) -> Iterator[Client]:
    """A client of the server that all tests share: real engine, real tokenizer, real HTTP."""
    with run_server(create_app(settings)) as client:
        yield client


@pytest.fixture
def send(server: Client) -> Callable[[bytes], Reply]:
    """Sends raw bytes to the shared server."""
    return server.send


@pytest.fixture(scope="session")
def sample_article() -> str:
    path = Path(__file__).resolve().parents[1] / "seeds" / "sample-article.nl.txt"
    return path.read_text(encoding="utf-8")
