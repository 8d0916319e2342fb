"""What callers get when there are too many of them, when they leave, and when an engine breaks."""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from typing import TYPE_CHECKING

import pytest
from fastapi import FastAPI
from faulty import (
    FAULT,
    DyingTranslator,
    FailingTranslator,
    HangingTranslator,
    ShortTranslator,
    ShoutingTranslator,
    SlowTranslator,
)
from loopback import WAIT_SECONDS

from service.app import create_app
from service.evaluation.benchmark.memory import resident_mb
from service.settings import Settings

if TYPE_CHECKING:
    from loopback import Client, Reply

    Start = Callable[[FastAPI], AbstractContextManager[Client]]

PLACES = 8
CLIENTS = 5 * PLACES
REQUESTS = 320
SENTENCES = 12
FLAT_MB = 20.0
GONE_CLIENTS = 300
TIMEOUT_SECONDS = 0.5


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def metric(client: "Client", name: str) -> float:
    """The sum of a metric over its labels."""
    lines = client.get("/metrics").body.decode().splitlines()
    values = [line.rsplit(" ", 1)[1] for line in lines if line.split("{")[0].split()[0] == name]
    assert values
    return sum(map(float, values))


def is_idle(client: "Client") -> bool:
    return (
        metric(client, "kortom_inflight_requests") == 0
        and metric(client, "kortom_queue_depth") == 0
        and metric(client, "kortom_queue_tokens") == 0
    )


def ask(client: "Client", text: str = "Dag.", **options: int) -> "Reply":
    return client.post("/v1/translate", {"texts": [text], **options})


def burst(client: "Client", pool: ThreadPoolExecutor) -> Counter[int]:
    """As many clients as the pool has threads ask one thing after the other, as fast as they can;
    the answers by status."""

    def work(number: int) -> Counter[int]:
        statuses: Counter[int] = Counter()
        for turn in range(REQUESTS // CLIENTS):
            name = f"{number}.{turn}"
            texts = [f"Trein {name} rijdt om {index} uur." for index in range(SENTENCES)]
            limit = {"deadline_ms": 40} if number % 4 == 0 else {}
            reply = client.post("/v1/translate", {"texts": texts} | limit)
            if reply.status != 200:
                assert reply.headers["content-type"] == "application/problem+json"
            if reply.status == 503:
                assert reply.json()["code"] == "overloaded"
                assert int(reply.headers["retry-after"]) >= 1
            statuses[reply.status] += 1
        return statuses

    return sum(pool.map(work, range(CLIENTS)), Counter())


def test_five_times_too_many_clients_get_an_answer_or_a_clear_no(
    settings: Settings, start_server: "Start"
) -> None:
    small = settings.model_copy(update={"max_queued_requests": PLACES})
    with start_server(create_app(small)) as client, ThreadPoolExecutor(CLIENTS) as pool:
        statuses = burst(client, pool)
        before = resident_mb(os.getpid())
        statuses += burst(client, pool)
        after = resident_mb(os.getpid())
        assert statuses.total() >= 2 * REQUESTS
        assert set(statuses) <= {200, 503, 504}
        assert statuses[200]
        assert statuses[503]
        assert before is None or after is None or after - before < FLAT_MB
        assert ask(client).status == 200
        until(lambda: is_idle(client))


def test_clients_that_go_away_leave_no_work_behind(
    settings: Settings, start_server: "Start"
) -> None:
    large = settings.model_copy(update={"max_queued_requests": GONE_CLIENTS})
    translator = SlowTranslator()
    with start_server(create_app(large, translator=translator)) as client:
        begun = translator.batches
        with ExitStack() as stack:
            for number in range(GONE_CLIENTS):
                connection = stack.enter_context(client.connect())
                body = json.dumps({"texts": [f"{FAULT} {number}.", f"{number} {FAULT}."]}).encode()
                connection.sendall(client.request("POST", "/v1/translate", body))
            until(lambda: translator.batches == begun + translator.inter_threads)
            time.sleep(0.05)
        until(lambda: is_idle(client))
        # What is in the engine ends there; nothing else was ever begun.
        translator.pace.release(translator.inter_threads)
        assert ask(client).status == 200
        assert translator.batches == begun + translator.inter_threads + 1
        assert is_idle(client)


@pytest.mark.parametrize(
    "translator",
    [
        FailingTranslator(RuntimeError, "GEHEIM"),
        FailingTranslator(MemoryError, "GEHEIM"),
        FailingTranslator(RuntimeError, "CUDA out of memory: GEHEIM"),
        ShortTranslator(),
    ],
    ids=["bug", "memory", "device memory", "too few results"],
)
def test_an_engine_that_fails_fails_only_who_asked_for_it(
    settings: Settings,
    start_server: "Start",
    translator: ShoutingTranslator,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with (
        start_server(create_app(settings, translator=translator)) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        texts = [f"{FAULT if number % 4 == 0 else 'Trein'} {number}" for number in range(16)]
        replies = list(pool.map(lambda text: ask(client, text), texts))
        for text, reply in zip(texts, replies, strict=True):
            if FAULT in text:
                assert reply.status == 500
                assert reply.headers["content-type"] == "application/problem+json"
                assert reply.json()["code"] == "inference_failed"
                assert FAULT not in reply.body.decode()
                assert "GEHEIM" not in reply.body.decode()
            else:
                assert reply.status == 200
                assert reply.json()["translations"][0]["text"] == text.upper()
        assert client.get("/livez").status == 200
        assert ask(client).status == 200
        until(lambda: is_idle(client))
    assert "GEHEIM" not in caplog.text


@pytest.fixture
def hanging() -> Iterator[HangingTranslator]:
    made = HangingTranslator()
    yield made
    made.release.set()


def test_an_engine_that_hangs_fails_who_waits_for_it_and_turns_livez_red(
    settings: Settings, start_server: "Start", hanging: HangingTranslator
) -> None:
    strict = settings.model_copy(update={"engine_timeout_seconds": TIMEOUT_SECONDS})
    with (
        start_server(create_app(strict, translator=hanging)) as client,
        ThreadPoolExecutor(4) as pool,
    ):
        waiting = [pool.submit(ask, client, f"{FAULT} {number}") for number in range(4)]
        assert hanging.hanging.wait(WAIT_SECONDS)
        start = time.monotonic()
        until(lambda: client.get("/livez").status == 503)
        assert time.monotonic() - start < TIMEOUT_SECONDS + 5
        for request in waiting:
            reply = request.result(WAIT_SECONDS)
            assert reply.status == 500
            assert reply.json()["code"] == "inference_failed"
        for path in ("/livez", "/readyz"):
            reply = client.get(path)
            assert reply.status == 503
            assert reply.headers["content-type"] == "application/problem+json"
            assert FAULT not in reply.body.decode()
        # A new request is not left waiting either.
        assert ask(client).status == 500
        hanging.release.set()
        until(lambda: client.get("/livez").status == 200)
        assert ask(client).status == 200
        until(lambda: is_idle(client))


def test_a_deadline_holds_while_the_engine_hangs(
    settings: Settings, start_server: "Start", hanging: HangingTranslator
) -> None:
    with start_server(create_app(settings, translator=hanging)) as client:
        reply = ask(client, FAULT, deadline_ms=300)
        assert reply.status == 504
        assert reply.json()["code"] == "deadline_exceeded"
        until(lambda: is_idle(client))
        hanging.release.set()
        assert ask(client).status == 200


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_engine_thread_that_ends_turns_livez_red(
    settings: Settings, start_server: "Start"
) -> None:
    with start_server(create_app(settings, translator=DyingTranslator())) as client:
        assert client.get("/livez").status == 200
        reply = ask(client, FAULT)
        assert reply.status == 500
        assert reply.json()["code"] == "inference_failed"
        assert client.get("/livez").status == 503
        assert client.get("/readyz").status == 503
        # The other thread works on until the server is started again.
        assert ask(client).status == 200
