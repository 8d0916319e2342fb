"""One server under Ray for all tests here, in place of the plain one that the other tests have."""

import importlib
import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from loopback import Client, Reply
from pydantic import SecretStr
from ray_process import RayServer, run_ray_server

from service.settings import Settings

HERE = Path(__file__).parent
# The tests of the plain server, which test_same_*.py import.
sys.path += [str(HERE.parent / "api"), str(HERE.parent / "api" / "dialects")]
pytest.register_assert_rewrite(
    "test_articles", "test_hostile", "test_stream",
    "test_deepl_hostile", "test_libretranslate", "test_libretranslate_hostile",
)  # fmt: skip


if importlib.util.find_spec("ray"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Ray does to pydantic is its own affair
        importlib.import_module("ray.serve.schema")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> None:
    """Without ray there is nothing to test here."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("ray is not installed: make test-cluster")


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The demo's: both the random model's tests and the demo's run on one server."""
    directory = tmp_path_factory.mktemp("kortom")
    return Settings(
        profile="demo",
        models_dir=directory / "models",
        database_url=SecretStr(f"sqlite:///{directory / 'kortom.db'}"),
        intra_threads=1,
        body_seconds=3,
        drain_seconds=5,
    )


@pytest.fixture(scope="session")
def ray_server(settings: Settings) -> Iterator[RayServer]:
    """The server under Ray that all tests share."""
    with run_ray_server(settings) as server:
        yield server


@pytest.fixture(scope="session")
def server(ray_server: RayServer) -> Client:
    return ray_server.client


@pytest.fixture(scope="session")
def demo(ray_server: RayServer) -> Client:
    return ray_server.client


@pytest.fixture
def send(server: Client) -> Callable[[bytes], Reply]:
    return server.send


OTHERWISE = (
    # Ray's proxy answers these, or does so first: test_proxy.py.
    "test_same_hostile.py::test_a_body_with_unclear_bounds",
    "test_same_hostile.py::test_two_kinds_of_length",
    "test_same_hostile.py::test_a_bad_request_id_is_replaced",
    # The bytes behind the body begin a head, and the proxy does not bound the time of heads.
    "test_same_hostile.py::test_a_length_that_is_too_small",
    # They know the random model's answers, which have no notice of a demo.
    "test_same_articles.py::test_an_article_loses_nothing",
    "test_same_articles.py::test_the_server_says_what_it_is",
    "test_same_hostile.py::test_another_language_is_flagged",
    # It reads docs/libretranslate.md with a shell.
    "test_same_libretranslate.py::test_the_documented_call",
)
"""Tests of the plain server that are not asked of Ray, and why."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of the imported tests only those of a real engine: a fake one can't be in another process."""

    def is_asked(item: pytest.Item) -> bool:
        if item.path.parent != HERE or not item.path.name.startswith("test_same_"):
            return True
        fixtures = set(getattr(item, "fixturenames", ()))
        return bool({"server", "demo"} & fixtures) and not any(
            name in item.nodeid for name in OTHERWISE
        )

    items[:] = filter(is_asked, items)
