"""What all tests share: settings with a tiny model, and a server over it."""

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from fastapi import FastAPI
from leaks import WATCH, watch_logs, watch_processes, watch_spans
from loopback import Client, Reply, run_server
from postgresql import PostgreSQL, run_postgresql

from service.app import create_app
from service.errors import ServiceError
from service.evaluation.checkpoints import write_marian_checkpoint
from service.models.card import load_card
from service.models.pull import pull
from service.models.store import ModelStore
from service.settings import ENVIRONMENT_PREFIX, Settings
from service.storage.database import Database, open_database

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
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No setting comes from outside, and the database of nobody's own is used."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
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
        watch_processes(patch)
        watch_spans(patch)
        watch_logs(patch)
        logging.getLogger("service").setLevel(logging.DEBUG)
        yield
        logging.getLogger().removeHandler(WATCH)


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
    # pytest's own, which find what threads and destructors raise.
    hooks = sys.excepthook, sys.unraisablehook, threading.excepthook
    yield
    sys.excepthook, sys.unraisablehook, threading.excepthook = hooks
    logging.raiseExceptions = True
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


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A real PostgreSQL server, shared by all tests; each has a database of its own in it."""
    with run_postgresql() as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql: PostgreSQL) -> str:
    """A new PostgreSQL database with the tables."""
    return postgresql.create()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new database, once of each kind."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgresql_url")
        return url
    return f"sqlite:///{tmp_path / 'kortom.db'}"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The same, open."""
    with closing(open_database(database_url)) as opened:
        yield opened
