"""What the tests of all dialects need: a server that knows what it says, and clients from npm."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import TYPE_CHECKING

import deepl
import pytest
from fastapi import FastAPI
from gated_engine import GatedEngine
from programs import missing
from pydantic import SecretStr

from service.app import create_app
from service.keys.store import KeyStore
from service.settings import Settings
from service.storage.database import open_database

if TYPE_CHECKING:
    from loopback import Client

NODE_CLIENTS = Path(__file__).parents[2] / "node"
TOOL_SECONDS = 60


@pytest.fixture(scope="session")
def demo(
    tmp_path_factory: pytest.TempPathFactory,
    start_server: Callable[[FastAPI], AbstractContextManager["Client"]],
) -> Iterator["Client"]:
    """A server with the demo model, which translates the articles in ``seeds/`` as it should."""
    models = tmp_path_factory.mktemp("models")
    settings = Settings(profile="demo", models_dir=models, intra_threads=1, drain_seconds=2)
    with start_server(create_app(settings)) as client:
        yield client


@pytest.fixture(scope="module")
def _engine() -> GatedEngine:
    return GatedEngine()


@pytest.fixture
def engine(_engine: GatedEngine) -> Iterator[GatedEngine]:
    """The fake engine of ``kortom``, whose gate is open."""
    _engine.entered.clear()
    yield _engine
    _engine.gate.set()
    _engine.error = None


@pytest.fixture(scope="module")
def kortom(
    _engine: GatedEngine,
    small: Settings,
    start_server: Callable[[FastAPI], AbstractContextManager["Client"]],
) -> Iterator["Client"]:
    """A server whose translations are known; a test file says by ``small`` how it is set up."""
    with start_server(create_app(small, translator=_engine.fake)) as client:
        yield client


@pytest.fixture(scope="module")
def with_keys(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a server that wants keys, for ``small``."""
    url = f"sqlite:///{tmp_path_factory.mktemp('keys') / 'kortom.db'}"
    with closing(open_database(url)) as database:
        KeyStore(database).create("first")
    return settings.model_copy(
        update={"require_keys": True, "database_url": SecretStr(url), "repair": False}
    )


@pytest.fixture
def keys(with_keys: Settings) -> Iterator[KeyStore]:
    """The keys of that server."""
    with closing(open_database(with_keys.database_url.get_secret_value())) as database:
        yield KeyStore(database)


@pytest.fixture
def translator(kortom: "Client") -> Iterator[deepl.DeepLClient]:
    """DeepL's own client of ``kortom``."""
    client = deepl.DeepLClient("any-key", server_url=f"http://127.0.0.1:{kortom.port}")
    yield client
    client.close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """No client asks a proxy for the loopback address."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def needs(found: object, otherwise: str) -> None:
    """Skip a test whose tool was not ``found``; fail it where all tools are required."""
    if not found:
        missing(otherwise)


@pytest.fixture(scope="session")
def shell() -> Callable[[str], str]:
    """Runs a command line that calls curl; gives what it prints."""
    needs(shutil.which("curl"), "curl is not installed")

    def run(command: str) -> str:
        done = subprocess.run(
            ["bash", "-c", command],  # noqa: S607
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=TOOL_SECONDS,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def node() -> Callable[..., str]:
    """Runs an ES module among the npm clients; ``run(script, *arguments)`` gives what it prints."""
    needs(shutil.which("node"), "node is not installed")
    needs(
        (NODE_CLIENTS / "node_modules").is_dir(),
        "the npm clients are not installed: npm ci --ignore-scripts --prefix tests/node",
    )

    def run(script: str, *arguments: str) -> str:
        done = subprocess.run(
            ["node", "--input-type=module", "--eval", script, "--", *arguments],  # noqa: S607
            cwd=NODE_CLIENTS,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=TOOL_SECONDS,
        )
        assert done.returncode == 0, done.stderr[-2_000:]
        return done.stdout

    return run
