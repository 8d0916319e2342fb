"""Jobs by HTTP: sent in, looked at, read while they run, cancelled; and bodies that are none."""

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fakes import FakeTranslator
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from service.api import submissions
from service.app import create_app
from service.errors import StorageUnavailable
from service.jobs.store import JobStore
from service.settings import Settings

if TYPE_CHECKING:
    from loopback import Client, Reply

WAIT_SECONDS = 30.0
JOBS = "/v1/jobs"
NDJSON = {"Content-Type": "application/x-ndjson"}
UNKNOWN = "00000000-0000-4000-8000-000000000000"
GATE = "WACHT"
MARKER = "GEHEIM"
MAX_ARTICLES = 50
MAX_BYTES = 20_000

Start = Callable[[FastAPI], AbstractContextManager["Client"]]


class GatedTranslator(FakeTranslator):
    """Waits with sentences that hold :data:`GATE` until it is let go."""

    def __init__(self) -> None:
        super().__init__(self._copy)
        self.open = threading.Event()
        self.reached = threading.Event()

    def _copy(self, sentence: str) -> str:
        if GATE in sentence:
            self.reached.set()
            assert self.open.wait(WAIT_SECONDS)
        return sentence


@pytest.fixture(scope="module")
def limited(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A database of these tests' own, and limits that are quickly reached."""
    file = tmp_path_factory.mktemp("jobs") / "jobs.db"
    return settings.model_copy(
        update={
            "database_url": type(settings.database_url)(f"sqlite:///{file}"),
            "max_job_articles": MAX_ARTICLES,
            "max_job_bytes": MAX_BYTES,
            "max_body_bytes": 5_000,
            "max_queued_articles": 200,
            "body_seconds": 1.0,
        }
    )


@pytest.fixture(scope="module")
def client(limited: Settings, start_server: Start) -> Iterator["Client"]:
    """A server with the tiny model, as all other routes' tests have it."""
    with start_server(create_app(limited)) as made:
        yield made


def article(name: str, text: str = "De trein rijdt.", **fields: Any) -> dict[str, Any]:
    return {"id": name, "text": text, **fields}


def lines(*articles: Any) -> bytes:
    return "".join(f"{json.dumps(one)}\n" for one in articles).encode()


def send_lines(client: "Client", body: bytes, **headers: str) -> "Reply":
    return client.send(client.request("POST", JOBS, body, NDJSON | headers))


def ended(client: "Client", reply: "Reply") -> Any:
    """The job of an answer, when it has ended."""
    assert reply.status == 202, reply
    deadline = time.monotonic() + WAIT_SECONDS
    while (job := client.get(reply.headers["location"]).json())["ended_at"] is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return job


def rows(client: "Client", job: Any) -> list[Any]:
    reply = client.get(job["results"])
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in reply.body.decode().splitlines()]


def job_ids(client: "Client") -> list[str]:
    return [job["id"] for job in client.get(JOBS).json()["jobs"]]


def assert_problem(reply: "Reply", status: int, code: str, detail: str = "") -> None:
    assert reply.status == status, reply
    assert reply.headers["content-type"] == "application/problem+json"
    problem = reply.json()
    assert problem["code"] == code
    assert detail in problem["detail"]
    assert MARKER.encode() not in reply.body
    assert len(reply.body) < 1_024


def test_an_array_of_articles_is_done(client: "Client") -> None:
    articles = [article("2026/1", title="Trein"), article("2026/2", summary=None)]
    accepted = client.post(JOBS, articles)
    assert accepted.json()["state"] == "queued"
    assert accepted.headers["location"] == f"{JOBS}/{accepted.json()['id']}"
    job = ended(client, accepted)
    assert (job["state"], job["articles"], job["done"], job["failed"]) == ("done", 2, 2, 0)
    assert job["created_at"] <= job["started_at"] <= job["ended_at"] < job["expires_at"]
    first, second = rows(client, job)
    assert (first["id"], first["error"]) == ("2026/1", None)
    # The answer is that of POST /v1/articles, but for what differs from request to request.
    single = client.post("/v1/articles", {**articles[0], "id": None} | {}).json()
    assert single["code"] == "unknown_field"
    del articles[0]["id"]
    single = client.post("/v1/articles", articles[0]).json()
    assert first["article"] | {"id": "", "timing_ms": {}} == single | {"id": "", "timing_ms": {}}
    assert first["article"]["id"] == "2026/1"
    assert second["article"]["summary"] is None


def test_lines_of_articles_are_done(client: "Client") -> None:
    body = b"\xef\xbb\xbf\r\n" + lines(article("a"), article("b")).replace(b"\n", b"\r\n\n \n")
    job = ended(client, send_lines(client, body))
    assert [row["id"] for row in rows(client, job)] == ["a", "b"]


def test_one_bad_article_harms_no_other(client: "Client") -> None:
    articles = {
        "good": article("good"),
        "empty": article("empty", " "),
        "two": article("two", html="<p>x</p>"),
        "none": {"id": "none"},
        "unknown": article("unknown", tekst=MARKER),
        "surrogate": article("surrogate", f"{MARKER} \ud800"),
        "surrogate-key": {**article("surrogate-key"), "\ud800": 1},
        "method": article("method", summary={"method": "abstractive"}),
        "late": article("late", "De trein rijdt. " * 50, deadline_ms=1),
        "also-good": article("also-good"),
    }
    for reply in (
        client.post(JOBS, list(articles.values())),
        send_lines(client, lines(*articles.values())),
    ):
        job = ended(client, reply)
        assert (job["state"], job["done"], job["failed"]) == ("done", 2, len(articles) - 2)
        found = rows(client, job)
        assert [row["id"] for row in found] == list(articles)
        assert [row["error"] and row["error"]["code"] for row in found] == [
            None,
            "text_empty",
            "validation_error",
            "validation_error",
            "unknown_field",
            "invalid_unicode",
            "invalid_unicode",
            "method_not_served",
            "deadline_exceeded",
            None,
        ]
        for row in found:
            assert (row["article"] is None) == (row["error"] is not None)
            assert MARKER not in json.dumps(row["error"])


def test_a_job_of_which_no_article_can_be_done_has_failed(client: "Client") -> None:
    reply = client.post(JOBS, [article("a", ""), article("b", "")])
    assert reply.json()["state"] == "failed"
    assert ended(client, reply)["failed"] == 2


# Bodies that are refused as a whole, as an array and as lines.
GOOD = json.dumps(article("a")).encode()
ARRAYS: dict[str, tuple[bytes, int, str, str]] = {
    "1 empty": (b"", 400, "empty_body", ""),
    "1 white space": (b" \r\n\t ", 400, "empty_body", ""),
    "3 object": (GOOD, 422, "validation_error", "array"),
    "3 null": (b"null", 422, "validation_error", "array"),
    "3 string": (b'"GEHEIM"', 422, "validation_error", "array"),
    "13 raw newline": (b'[{"id": "a", "text": "\n"}]', 400, "malformed_json", "index 0"),
    "14 invalid UTF-8": (b'[{"id": "a", "text": "\xff"}]', 400, "malformed_json", "UTF-8"),
    "14 cut UTF-8": (b"[" + GOOD + b"]\xe2\x82", 400, "malformed_json", "UTF-8"),
    "15 UTF-16": (b"[" + GOOD.decode().encode("utf-16"), 400, "malformed_json", ""),
    "17 open": (b"[" + GOOD, 400, "malformed_json", "index 0"),
    "17 open object": (b"[" + GOOD[:-1], 400, "malformed_json", "index 0"),
    "17 no comma": (b"[" + GOOD + GOOD + b"]", 400, "malformed_json", "index 0"),
    "17 comma at the end": (b"[" + GOOD + b",]", 400, "malformed_json", "index 1"),
    "17 only a comma": (b"[,]", 400, "malformed_json", "index 0"),
    "17 trailing garbage": (b"[" + GOOD + b"] GEHEIM", 400, "malformed_json", ""),
    "18 duplicate key": (b'[{"id": "a", "id": "b"}]', 400, "duplicate_key", "index 0"),
    "19 NaN": (b'[{"id": "a", "text": NaN}]', 400, "malformed_json", "index 0"),
    "23 nested": (b"[" * 100_000, 413, "content_too_large", ""),
    "23 nested deep": (b"[" * 10_000, 400, "too_deep", "index 0"),
    "32 PNG": (b"\x89PNG\r\n\x1a\n", 400, "malformed_json", ""),
    "38 no article": (b" [ ] ", 422, "too_few_articles", ""),
    "38 too many": (
        json.dumps([{"id": str(number)} for number in range(MAX_ARTICLES + 1)]).encode(),
        413,
        "too_many_articles",
        f"index {MAX_ARTICLES}",
    ),
    "39 no object": (b"[" + GOOD + b', ["GEHEIM"]]', 422, "validation_error", "index 1"),
    "40 same id": (b"[" + GOOD + b"," + GOOD + b"]", 422, "duplicate_id", "index 1"),
    "41 no id": (b'[{"text": "GEHEIM"}]', 422, "id_invalid", "index 0"),
    "an article too large": (
        b"[" + GOOD + b',{"id": "b", "text": "%s"}]' % (b"x" * 12_000),
        413,
        "content_too_large",
        "index 1",
    ),
}
LINES: dict[str, tuple[bytes, int, str, str]] = {
    "1 empty": (b"", 400, "empty_body", ""),
    "1 blank lines": (b" \r\n\n\t\n", 400, "empty_body", ""),
    "3 array": (b"[" + GOOD + b"]", 422, "validation_error", "line 1"),
    "13 raw NUL": (GOOD + b'\n{"id": "b", "text": "\0"}', 400, "malformed_json", "line 2"),
    "14 invalid UTF-8": (b'\n\n{"id": "a\xff"}', 400, "malformed_json", "line 3"),
    "15 UTF-16": (GOOD.decode().encode("utf-16"), 400, "malformed_json", "line 1"),
    "17 two on a line": (GOOD + GOOD, 400, "malformed_json", "line 1"),
    "17 over two lines": (b'{"id":\n"a"}', 400, "malformed_json", "line 1"),
    "18 duplicate key": (b'{"id": "a", "id": "b"}', 400, "duplicate_key", "line 1"),
    "23 nested": (b"[" * 4_000, 400, "too_deep", "line 1"),
    "38 too many": (
        lines(*({"id": str(number)} for number in range(MAX_ARTICLES + 1))),
        413,
        "too_many_articles",
        f"line {MAX_ARTICLES + 1}",
    ),
    "39 no object": (GOOD + b'\n"GEHEIM"', 422, "validation_error", "line 2"),
    "40 same id": (GOOD + b"\n\n" + GOOD, 422, "duplicate_id", "line 3"),
    "a line too long": (GOOD + b"\n" + b" " * 12_000 + GOOD, 413, "content_too_large", "line 2"),
    "a body too large": (lines(article("a", MARKER * 5_000)), 413, "content_too_large", "bytes"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_that_is_no_job(client: "Client", name: str) -> None:
    body, status, code, detail = ARRAYS[name]
    before = job_ids(client)
    assert_problem(client.send(client.request("POST", JOBS, body)), status, code, detail)
    assert job_ids(client) == before


@pytest.mark.parametrize("name", LINES)
def test_lines_that_are_no_job(client: "Client", name: str) -> None:
    body, status, code, detail = LINES[name]
    before = job_ids(client)
    assert_problem(send_lines(client, body), status, code, detail)
    assert job_ids(client) == before


@pytest.mark.parametrize(
    "identifier",
    ["", "a b", "a\n", "\n", "é", "a\u202eb", "\ud800", "x" * 201, "a\u0000", 5, None, ["a"], {}],
)
def test_an_id_that_is_none(client: "Client", identifier: Any) -> None:
    """Row 41."""
    body = lines({"id": identifier, "text": MARKER})
    assert_problem(send_lines(client, body), 422, "id_invalid", "line 1")


def test_ids_are_what_archives_have(client: "Client") -> None:
    names = ["a" * 200, "../x", "https://krant.nl/2026/05/01:brug", "0", "-._"]
    job = ended(client, client.post(JOBS, [article(name) for name in names]))
    assert [row["id"] for row in rows(client, job)] == names


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Content-Type": "text/plain"}, "unsupported_media_type"),
        ({"Content-Type": None}, "unsupported_media_type"),
        ({"Content-Type": "application/x-ndjson; charset=latin-1"}, "unsupported_charset"),
        ({"Content-Encoding": "gzip"}, "unsupported_encoding"),
    ],
)
def test_a_body_of_another_kind(client: "Client", headers: Any, code: str) -> None:
    assert_problem(client.send(client.request("POST", JOBS, GOOD, headers)), 415, code)


def test_a_body_that_stalls_is_given_up(client: "Client") -> None:
    head = client.request("POST", JOBS, headers=NDJSON | {"Content-Length": "10000"})
    with client.connect() as connection:
        connection.sendall(head + GOOD)
        reply = client.receive(connection)
    assert_problem(reply, 408, "request_timeout")


def test_an_idempotency_key_makes_one_job_of_many_requests(client: "Client") -> None:
    """Row 50."""
    body = lines(article("a"))
    headers = {"Idempotency-Key": '"8e03978e-40d5-43dd-bc93-6894a57f9324"'}
    first = send_lines(client, body, **headers)
    again = send_lines(client, body, **headers)
    assert again.status == first.status == 202
    assert again.headers["location"] == first.headers["location"]
    assert_problem(
        send_lines(client, lines(article("b")), **headers), 422, "idempotency_key_reused"
    )
    job = ended(client, first)
    assert send_lines(client, body, **headers).json() == job
    for key in ("", "a b", "x" * 256, "\xe9"):
        assert_problem(
            send_lines(client, body, **{"Idempotency-Key": key}), 422, "validation_error"
        )
    other = send_lines(client, body, **{"Idempotency-Key": "x" * 255})
    assert other.headers["location"] != first.headers["location"]


@pytest.mark.parametrize("path", ["", "/results"])
def test_jobs_that_there_are_not(client: "Client", path: str) -> None:
    """Row 49."""
    assert_problem(client.get(f"{JOBS}/{UNKNOWN}{path}"), 404, "not_found")
    for name in ("1", UNKNOWN.replace("-", ""), UNKNOWN + "0", "%0a", UNKNOWN.upper()[:-1] + "G"):
        assert_problem(client.get(f"{JOBS}/{name}{path}"), 422, "validation_error")
    if not path:
        delete = client.request("DELETE", f"{JOBS}/{UNKNOWN}")
        assert_problem(client.send(delete), 404, "not_found")
    put = client.send(client.request("PUT", f"{JOBS}/{UNKNOWN}{path}"))
    assert_problem(put, 405, "method_not_allowed")
    assert put.headers["allow"] == ("GET" if path else "DELETE, GET")


def test_jobs_are_listed_newest_first(client: "Client") -> None:
    names = [client.post(JOBS, [article("a")]).json()["id"] for _ in range(3)]
    assert job_ids(client)[:3] == names[::-1]


def test_results_come_while_the_job_runs_and_a_cancel_ends_it(
    limited: Settings, tmp_path: Path, start_server: Start
) -> None:
    url = type(limited.database_url)(f"sqlite:///{tmp_path / 'jobs.db'}")
    translator = GatedTranslator()
    app = create_app(limited.model_copy(update={"database_url": url}), translator=translator)
    with start_server(app) as client:
        accepted = client.post(
            JOBS, [article("a"), article("b", f"Een {GATE}."), article("c", ""), article("d")]
        )
        assert translator.reached.wait(WAIT_SECONDS)
        deadline = time.monotonic() + WAIT_SECONDS
        location = accepted.headers["location"]
        # The articles beside the one that waits may share its batch, or not.
        while (job := client.get(location).json())["state"] != "running":
            assert time.monotonic() < deadline
        assert job["failed"] == 1
        assert "c" in [row["id"] for row in rows(client, job)]
        assert "b" not in [row["id"] for row in rows(client, job)]
        delete = client.request("DELETE", location)
        cancelled = client.send(delete).json()
        assert cancelled["state"] == "cancelled"
        assert client.send(delete).json() == cancelled
        found = rows(client, job)
        translator.open.set()
        assert [row["id"] for row in found] == ["a", "b", "c", "d"]
        assert found[1]["error"]["code"] == "cancelled"
        assert found[2]["error"]["code"] == "text_empty"
        # What came of it later changes nothing.
        ended(client, client.post(JOBS, [article("next")]))
        assert rows(client, job) == found
        assert client.get(location).json() == cancelled


def test_a_full_backlog_refuses_jobs_and_nothing_else(
    limited: Settings, tmp_path: Path, start_server: Start
) -> None:
    update = {
        "database_url": type(limited.database_url)(f"sqlite:///{tmp_path / 'jobs.db'}"),
        "max_queued_articles": 3,
    }
    translator = GatedTranslator()
    with start_server(
        create_app(limited.model_copy(update=update), translator=translator)
    ) as client:
        waiting = client.post(JOBS, [article(name, f"{GATE}.") for name in "ab"])
        assert waiting.status == 202
        refused = client.post(JOBS, [article(name) for name in "cd"])
        assert_problem(refused, 503, "backlog_full")
        assert int(refused.headers["retry-after"]) > 0
        translator.open.set()
        ended(client, waiting)
        assert client.post(JOBS, [article(name) for name in "cd"]).status == 202


def test_a_large_job_is_read_page_by_page(
    settings: Settings, tmp_path: Path, start_server: Start
) -> None:
    url = type(settings.database_url)(f"sqlite:///{tmp_path / 'jobs.db'}")
    app = create_app(settings.model_copy(update={"database_url": url}), translator=FakeTranslator())
    names = [f"n/{number}" for number in range(10_000)]
    with start_server(app) as client:
        # Refused at once, so that only the way of the rows is measured.
        reply = send_lines(client, lines(*(article(name, "") for name in names)))
        assert reply.json()["failed"] == len(names)
        assert [row["id"] for row in rows(client, reply.json())] == names


def test_a_database_in_trouble_stops_only_jobs(
    limited: Settings,
    tmp_path: Path,
    start_server: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def in_trouble(*_arguments: Any, **_named: Any) -> Any:
        raise StorageUnavailable("the database is locked", headers={"Retry-After": "5"})

    url = type(limited.database_url)(f"sqlite:///{tmp_path / 'jobs.db'}")
    app = create_app(limited.model_copy(update={"database_url": url}), translator=FakeTranslator())
    with start_server(app) as client:
        job = ended(client, client.post(JOBS, [article("a")]))
        for name in ("submit", "job", "jobs", "results", "cancel", "claim", "renew"):
            monkeypatch.setattr(JobStore, name, in_trouble)
        for reply in (
            client.post(JOBS, [article("a")]),
            client.get(JOBS),
            client.get(job["location"]),
            client.get(job["results"]),
            client.send(client.request("DELETE", job["location"])),
        ):
            assert_problem(reply, 503, "storage_unavailable")
            assert reply.headers["retry-after"] == "5"
        assert client.post("/v1/articles", {"text": "De trein rijdt."}).status == 200
        assert client.get("/readyz").status == 200


def test_a_body_that_finds_no_room_is_refused_in_words(
    client: "Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Path("/dev/full")
    for text in ("short, so that the disk is asked at last", "long" * 4_000):
        monkeypatch.setattr(
            "service.api.submissions.SpooledTemporaryFile", lambda _: full.open("w+b")
        )
        assert_problem(send_lines(client, lines(article("a", text))), 507, "storage_full")


def test_articles_of_jobs_are_counted(client: "Client") -> None:
    def counted() -> list[float]:
        text = client.get("/metrics").body.decode()
        names = ("kortom_source_tokens_total", "kortom_summarization_seconds_count")
        lines = [line.split() for line in text.splitlines()]
        return [float(value) for name, value, *_ in lines if name in names]

    before = counted()
    ended(client, client.post(JOBS, [article("a")]))
    after = counted()
    assert len(before) == 2
    assert all(new > old for new, old in zip(after, before, strict=True))


def test_results_that_break_off_do_not_look_whole(
    limited: Settings, tmp_path: Path, start_server: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = type(limited.database_url)(f"sqlite:///{tmp_path / 'jobs.db'}")
    app = create_app(limited.model_copy(update={"database_url": url}), translator=FakeTranslator())
    read = JobStore.results

    def read_once(store: JobStore, owner: str, job_id: str, after: int) -> Any:
        if after >= 0:
            raise StorageUnavailable("the database is locked")
        return read(store, owner, job_id, after, limit=20)

    with start_server(app) as client:
        job = ended(client, client.post(JOBS, [article(str(number)) for number in range(30)]))
        monkeypatch.setattr(JobStore, "results", read_once)
        assert client.get(job["results"]).status == 0  # cut off, says the client


def test_without_jobs_there_are_no_routes_for_them(settings: Settings, start_server: Start) -> None:
    app = create_app(settings.model_copy(update={"jobs": False}), translator=FakeTranslator())
    with start_server(app) as client:
        assert_problem(client.get(JOBS), 404, "not_found")
        assert client.get("/livez").status == 200


@given(
    st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=20), max_size=3), max_size=8),
    st.sampled_from(["", " ", "\r\n\t"]),
    st.booleans(),
    st.integers(1, 40),
)
def test_an_array_is_read_as_json_reads_it_wherever_its_pieces_end(
    documents: list[dict[str, str]], space: str, ascii_only: bool, piece: int
) -> None:
    texts = [json.dumps(document, ensure_ascii=ascii_only) for document in documents]
    body = f"{space}[{space}{f'{space},{space}'.join(texts)}{space}]{space}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(submissions, "_CHUNK_CHARACTERS", piece)
        found = list(submissions._elements(io.BytesIO(body.encode()), 1_000))
    assert [text for _, _, text in found] == texts
    assert [document for _, document, _ in found] == json.loads(body)
    assert [place for place, _, _ in found] == [f"index {n}" for n in range(len(texts))]
