"""The server under Ray: what it answers beside the plain one, what dies, and how it ends."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from ray_process import RayServer, run_ray_server

from service.app import create_app
from service.settings import Settings

if TYPE_CHECKING:
    from loopback import Client, Reply

WAIT_SECONDS = 60.0
SECRET = "Zwartboekgeheim"


@pytest.fixture(scope="session")
def plain(
    settings: Settings, start_server: Callable[[FastAPI], AbstractContextManager["Client"]]
) -> "Iterator[Client]":
    """A plain server with the same settings."""
    with start_server(create_app(settings)) as client:
        yield client


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def long_article(sample_article: str, times: int) -> dict[str, Any]:
    """So many different sentences that it takes seconds."""
    return {"text": "\n\n".join(f"Deel {n}.\n\n{sample_article}" for n in range(times))}


def comparable(answer: Any) -> Any:
    return {key: value for key, value in answer.items() if key not in ("id", "timing_ms")}


def test_an_article_has_the_plain_servers_answer(
    server: "Client", plain: "Client", sample_article: str
) -> None:
    article = {"text": sample_article, "title": "Slag op Tripoli", "summary": {"bullets": 4}}
    answers = [client.post("/v1/articles", article).json() for client in (server, plain)]
    assert comparable(answers[0]) == comparable(answers[1])
    assert answers[0]["timing_ms"]["inference"] > 0


@pytest.mark.parametrize("path", ["/v1/models", "/v1/limits", "/languages", "/version"])
def test_the_server_says_of_itself_what_the_plain_one_says(
    server: "Client", plain: "Client", path: str
) -> None:
    assert server.get(path).json() == plain.get(path).json()


def test_waits_in_the_replicas_are_in_the_metrics(server: "Client") -> None:
    def waits() -> float:
        [line] = [
            line
            for line in server.get("/metrics").body.decode().splitlines()
            if line.startswith('kortom_queue_wait_seconds_count{model="demo-nl-en"}')
        ]
        return float(line.split()[-1])

    before = waits()
    assert server.post("/v1/translate", {"texts": ["Ja."]}).status == 200
    assert waits() > before


def test_a_connection_does_not_lie_idle_for_long(server: "Client") -> None:
    with server.connect() as connection:
        connection.sendall(server.request("GET", "/livez"))
        connection.settimeout(WAIT_SECONDS)
        while connection.recv(65_536):  # Ray's own bound is longer than this test's
            pass


def test_a_deadline_holds_over_processes(server: "Client", sample_article: str) -> None:
    article = long_article(sample_article, 90) | {"deadline_ms": 50}
    assert server.post("/v1/articles", article).status == 504


def test_a_replica_that_dies_is_replaced_and_its_requests_are_told(
    ray_server: RayServer, server: "Client", sample_article: str
) -> None:
    article = long_article(sample_article, 60)
    [replica] = ray_server.pids("ServeReplica:kortom:translator")
    with ThreadPoolExecutor(2) as pool:
        requests = [pool.submit(server.post, "/v1/articles", article) for _ in range(2)]
        until(lambda: "kortom_inflight_requests 2.0" in server.get("/metrics").body.decode())
        os.kill(replica, signal.SIGKILL)
        assert server.get("/v1/limits").status == 200
        replies: list[Reply] = [request.result(WAIT_SECONDS) for request in requests]
    for reply in replies:
        assert reply.status in (500, 503)
        assert reply.json()["code"] in ("inference_failed", "unavailable")
        assert sample_article[:20] not in reply.body.decode()
    until(lambda: server.post("/v1/translate", {"texts": ["Ja."]}).status == 200)
    assert ray_server.pids("ServeReplica:kortom:translator") != [replica]


def test_nothing_of_an_article_is_in_what_ray_logs(ray_server: RayServer, server: "Client") -> None:
    text = f"De {SECRET} lag op tafel. Niemand las het."
    assert server.post("/v1/articles", {"text": text}).status == 200
    assert server.post("/v1/articles", {"text": text, SECRET: 1}).status == 422
    logged = ray_server.logged()
    assert "service.loading" in logged
    assert SECRET not in logged


def test_a_stopped_server_finishes_what_it_accepted(
    settings: Settings, sample_article: str
) -> None:
    """On a server of its own, which ends."""
    with run_ray_server(settings) as stopping:
        client = stopping.client
        article = long_article(sample_article, 20)
        answered: list[Reply] = []
        thread = threading.Thread(
            target=lambda: answered.append(client.post("/v1/articles", article))
        )
        thread.start()
        until(lambda: "kortom_inflight_requests 1.0" in client.get("/metrics").body.decode())
        assert stopping.stop() == 0
        thread.join(WAIT_SECONDS)
        assert answered[0].status == 200
        assert len(json.loads(answered[0].body)["translation"]["blocks"]) > 20
        assert not stopping.pids("ray")
