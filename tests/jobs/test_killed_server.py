"""A real server process that is killed or told to stop while it works on a job."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from loopback import WAIT_SECONDS, Client

from service.settings import ENVIRONMENT_PREFIX

ARTICLES = 40
TEXT = "De minister bezoekt maandag de haven. De bouw begint in mei. " * 5


@contextmanager
def server(directory: Path) -> Iterator[tuple["subprocess.Popen[str]", Client]]:
    """``kortom serve`` over the database of that directory, ready."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(ENVIRONMENT_PREFIX)}
    kept["KORTOM_DATABASE_URL"] = f"sqlite:///{directory / 'jobs.db'}"
    kept["KORTOM_LEASE_SECONDS"] = "1"
    with subprocess.Popen(
        [sys.executable, "-m", "service.cli", "serve", "--profile", "demo", "--port", "0"],
        env=kept | {"CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            announcement = process.stdout.readline()
            assert announcement.startswith("ready on http://127.0.0.1:")
            yield process, Client(int(announcement.rsplit(":", 1)[1]))
        finally:
            process.kill()


def progress(client: Client, location: str) -> Any:
    return client.get(location).json()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_job_goes_on_after_the_server_has_ended(tmp_path: Path, number: signal.Signals) -> None:
    names = [f"2026/{index}" for index in range(ARTICLES)]
    body = "\n".join(json.dumps({"id": name, "text": f"{name}. {TEXT}"}) for name in names)
    headers = {"Content-Type": "application/x-ndjson"}
    deadline = time.monotonic() + WAIT_SECONDS
    with server(tmp_path) as (process, client):
        accepted = client.send(client.request("POST", "/v1/jobs", body.encode(), headers))
        assert accepted.status == 202
        location = accepted.headers["location"]
        while (before := progress(client, location))["done"] < 2:
            assert time.monotonic() < deadline
        process.send_signal(number)
        _, errors = process.communicate(timeout=WAIT_SECONDS)
        assert process.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 0)
        assert "Traceback" not in errors
    assert before["ended_at"] is None
    with server(tmp_path) as (_, client):
        after = progress(client, location)
        assert ARTICLES > after["done"] >= before["done"]
        while (job := progress(client, location))["ended_at"] is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        rows = [json.loads(line) for line in client.get(job["results"]).body.splitlines()]
    assert (job["state"], job["done"], job["failed"]) == ("done", ARTICLES, 0)
    assert [row["id"] for row in rows] == names
    assert all(row["article"]["id"] == row["id"] for row in rows)
