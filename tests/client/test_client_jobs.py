"""Jobs with either client: on a real server, and on a fake one that misbehaves."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import pytest
from calling import TEXT, Caller, plain, problem, refused
from fake_server import Passed, answer, fake_server
from fakes import FakeTranslator
from fastapi import FastAPI
from pydantic import SecretStr

from service.app import create_app
from service.client import Kortom, KortomError, jobs
from service.client.results import Job
from service.settings import Settings

if TYPE_CHECKING:
    from loopback import Client

WAIT_SECONDS = 30.0
ARTICLES: list[Any] = [
    {"id": "een", "text": TEXT, "bullets": 1},
    {"id": "twee", "text": ""},
    {"id": "drie", "html": f"<p>{TEXT}</p>", "bullets": 0},
]
TIME = "2026-01-02T03:04:05Z"
RUNNING = {
    "id": "j/1", "state": "running", "articles": 3, "done": 1, "failed": 0, "created_at": TIME,
    "started_at": TIME, "ended_at": None, "expires_at": None, "location": "/", "results": "/",
}  # fmt: skip
DONE = RUNNING | {"state": "done", "done": 3, "ended_at": TIME, "expires_at": TIME}


def told(document: Any) -> bytes:
    return answer(200, json.dumps(document).encode())


# On a real server.


@pytest.fixture(scope="module")
def server(
    settings: Settings,
    start_server: Callable[[FastAPI], AbstractContextManager["Client"]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator["Client"]:
    """A server with a fake engine and a database of its own: no other does its jobs."""
    path = tmp_path_factory.mktemp("jobs") / "kortom.db"
    changed = settings.model_copy(update={"database_url": SecretStr(f"sqlite:///{path}")})
    with start_server(create_app(changed, translator=FakeTranslator(str.upper))) as client:
        yield client


def test_articles_become_rows(server: "Client", url: str, call: Caller) -> None:
    seen: list[Job] = []
    submitted = call(url, "submit", iter(ARTICLES))
    assert (submitted.articles, submitted.ended_at) == (3, None)
    call.in_pause = lambda: time.sleep(0.02)
    job = call(url, "wait", submitted.id, progress=seen.append, timeout_seconds=WAIT_SECONDS)
    assert (job.id, job.state, job.articles, job.done, job.failed) == (
        submitted.id, "done", 3, 2, 1,
    )  # fmt: skip
    assert seen[-1] == job == call(url, "job", job.id)
    rows = call(url, "results", job.id)
    assert [row.id for row in rows] == ["een", "twee", "drie"]
    body = {"text": TEXT, "summary": {"bullets": 1}}
    expected = server.post("/v1/articles", body).json()
    assert plain(rows[0].article) == {
        name: value for name, value in expected.items() if name not in ("id", "timing_ms")
    }
    assert [row.error and row.error.code for row in rows] == [None, "text_empty", None]
    assert rows[1].article is None
    assert rows[1].error.request_id is None
    assert rows[2].article.summary is None


def test_a_cancelled_job_stays_cancelled(url: str, call: Caller) -> None:
    job = call(url, "submit", [{"id": str(number), "text": TEXT} for number in range(50)])
    cancelled = call(url, "cancel", job.id)
    assert cancelled.state == "cancelled"
    assert call(url, "cancel", job.id).state == call(url, "wait", job.id).state == "cancelled"
    assert len(call(url, "results", job.id)) == 50


def test_a_job_that_there_is_not(url: str, call: Caller) -> None:
    job_id = "00000000-0000-4000-8000-000000000000"
    for method in ("job", "wait", "results", "cancel"):
        assert refused(call, url, method, job_id).code == "not_found"


def test_every_submission_is_a_job_unless_it_has_the_same_key(url: str, call: Caller) -> None:
    one, two = (call(url, "submit", ARTICLES) for _ in range(2))
    assert one.id != two.id
    key = f"nightly-{one.id}"
    one, two = (call(url, "submit", ARTICLES, idempotency_key=key) for _ in range(2))
    assert one.id == two.id
    error = refused(call, url, "submit", ARTICLES[:1], idempotency_key=key)
    assert error.code == "idempotency_key_reused"


def test_an_answer_that_is_lost_makes_no_second_job(server: "Client", call: Caller) -> None:
    before = {job["id"] for job in server.get("/v1/jobs").json()["jobs"]}
    with fake_server(Passed(server, length=0), Passed(server)) as fake:
        job = call(fake.url, "submit", ARTICLES)
    first, second = fake.requests
    assert first == second
    assert b"\r\nIdempotency-Key: " in first
    made = {job["id"] for job in server.get("/v1/jobs").json()["jobs"]} - before
    assert made == {job.id}


@pytest.mark.parametrize("articles", [ARTICLES[0], "tekst", ["tekst"]])
def test_articles_are_a_list(call: Caller, articles: Any) -> None:
    with pytest.raises(TypeError, match="article"):
        call("http://127.0.0.1:1", "submit", articles)


# Waiting, on a fake server.


def test_waiting_bears_a_server_that_starts_again(call: Caller) -> None:
    seen: list[str] = []
    script = [told(RUNNING), b"", problem(503, Retry_After="7"), told(RUNNING), told(DONE)]
    with fake_server(*script) as fake:
        job = call(
            fake.url,
            "wait",
            "j/1",
            progress=lambda job: seen.append(job.state),
            client={"retries": 0},
        )
    assert seen == ["running", "running", "done"]
    assert job.done == 3
    assert fake.requests[0].startswith(b"GET /v1/jobs/j%2F1 HTTP/1.1\r\n")
    assert len(call.pauses) == 4
    assert 7 < call.pauses[2] < 8


@pytest.mark.parametrize(
    ("last", "code"), [(problem(503, Retry_After="1"), "overloaded"), (b"", "connection_failed")]
)
def test_waiting_does_not_bear_it_for_ever(
    call: Caller, monkeypatch: pytest.MonkeyPatch, last: bytes, code: str
) -> None:
    monkeypatch.setattr(jobs, "MAX_TROUBLE_SECONDS", -1.0)
    with fake_server(told(RUNNING), last) as fake:
        assert refused(call, fake.url, "wait", "j", client={"retries": 0}).code == code


def test_waiting_ends_in_time(call: Caller) -> None:
    with fake_server(told(RUNNING)) as fake:
        error = refused(call, fake.url, "wait", "j", timeout_seconds=0)
    assert (error.code, error.status) == ("timeout", None)
    with fake_server(told(RUNNING), problem(503, Retry_After="100")) as fake:
        options = {"timeout_seconds": 90, "client": {"retries": 0}}
        assert refused(call, fake.url, "wait", "j", **options).code == "overloaded"


def test_questions_become_rarer() -> None:
    polling = jobs.Polling(3600)
    pauses = [polling.pause_seconds() for _ in range(30)]
    assert pauses[0] <= jobs.FIRST_PAUSE_SECONDS
    assert sum(pauses[:8]) < 15
    assert 0.8 * jobs.MAX_PAUSE_SECONDS <= pauses[-1] <= jobs.MAX_PAUSE_SECONDS


# Rows, on a fake server.


ERROR = {
    "title": "Inference failed",
    "status": 500,
    "detail": "it broke",
    "code": "inference_failed",
}
ROW = json.dumps({"id": "een", "article": None, "error": ERROR}).encode() + b"\n"


def test_rows_come_as_they_are_ready(call: Caller) -> None:
    body = ROW + b"\n" + ROW
    with fake_server(answer(200, body, jobs.NDJSON)) as fake:
        rows = call(fake.url, "results", "j")
    assert [row.id for row in rows] == ["een", "een"]
    assert (rows[0].error.code, rows[0].error.status) == ("inference_failed", 500)
    assert b"\r\nAccept: application/x-ndjson\r\n" in fake.requests[0]


def test_results_that_break_off(call: Caller) -> None:
    whole = answer(200, ROW * 3, jobs.NDJSON)
    with fake_server(whole[:-1]) as fake:
        assert refused(call, fake.url, "results", "j").code == "incomplete_answer"
    with fake_server(answer(200, ROW[:-1], jobs.NDJSON)) as fake:
        assert refused(call, fake.url, "results", "j").code == "incomplete_answer"
    with fake_server(whole[:-1]) as fake, Kortom(fake.url) as kortom:
        rows = kortom.results("j")
        assert next(rows).id == "een"
        with pytest.raises(KortomError):
            list(rows)


@pytest.mark.parametrize(
    "body", [b"<html>\n", b"{}\n", b'{"id": "a", "article": {}, "error": 1}\n']
)
def test_rows_that_are_none(call: Caller, body: bytes) -> None:
    with fake_server(answer(200, body, jobs.NDJSON)) as fake:
        assert refused(call, fake.url, "results", "j").code == "invalid_answer"
