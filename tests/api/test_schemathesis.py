"""Requests made up from the interface description, with every check that schemathesis has."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fakes import FakeGenerator, FakeTranslator
from fastapi import FastAPI

from service.app import create_app
from service.settings import Settings
from service.summarization.abstractive import AbstractiveSummarizer

if TYPE_CHECKING:
    from loopback import Client

EXAMPLES = 10
"""Per operation and phase; besides, one for each edge of each field."""
# 504 is the answer to a deadline of a millisecond, no failure of the server.
CONFIGURATION = """
hooks = "hooks.py"
warnings.fail-on = true
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 504]
[[operations]]
# No schema says which bytes are a document.
include-name = "POST /v1/documents"
warnings = false
checks.positive_data_acceptance.expected-statuses = ["2xx", "4xx"]
[[operations]]
# Nor which ids are there twice, which text is NDJSON, and which key came before.
include-name = "POST /v1/jobs"
warnings = false
checks.positive_data_acceptance.expected-statuses = ["2xx", "4xx"]
"""
HOOKS = """
import schemathesis

@schemathesis.serializer("application/x-ndjson")
def ndjson(_context, value):
    return str(value).encode()
"""


@pytest.fixture(scope="module")
def whole_server(
    settings: Settings, start_server: Callable[[FastAPI], AbstractContextManager["Client"]]
) -> Iterator["Client"]:
    """A server of every method of summarization."""
    generator = FakeGenerator(lambda source: source[:60])
    app = create_app(
        settings,
        translator=FakeTranslator(),
        summarizer=AbstractiveSummarizer(generator, min_length=5, max_length=20),
    )
    with start_server(app) as client:
        yield client


def test_the_server_keeps_to_its_description(whole_server: "Client", tmp_path: Path) -> None:
    configuration = tmp_path / "schemathesis.toml"
    configuration.write_text(CONFIGURATION, encoding="utf-8")
    (tmp_path / "hooks.py").write_text(HOOKS, encoding="utf-8")
    done = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"),
            f"--config-file={configuration}",
            "run",
            f"http://127.0.0.1:{whole_server.port}/openapi.json",
            "--checks=all",
            # DELETE cancels a job, which can be read until it expires.
            "--exclude-checks=use_after_free",
            f"--max-examples={EXAMPLES}",
            "--generation-deterministic",
            # Python 3.11 can't parse its own code in two threads, which hypothesis would do.
            "--workers=1",
            "--continue-on-failure",
            "--no-color",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    paths = whole_server.get("/openapi.json").json()["paths"]
    assert f"{sum(map(len, paths.values()))} selected" in done.stdout
