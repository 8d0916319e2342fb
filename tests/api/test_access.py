"""Keys over HTTP: who gets in, what it costs, and what nobody gets to see."""

import asyncio
import json
import logging
import re
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fakes import FakeTranslator
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from pydantic import SecretStr
from starlette.requests import Request

from service.api.access import OPEN, Access
from service.api.jobs import MAX_KEY_UPLOADS, MAX_UPLOADS
from service.app import create_app
from service.cli import main
from service.errors import InferenceError, InvalidSettings, StartupError
from service.keys.store import Key, KeyStore
from service.serving.health import Health
from service.settings import Settings, load_settings
from service.storage import database as storage
from service.storage.database import Database, open_database

if TYPE_CHECKING:
    from loopback import Client, Reply

Start = Callable[[FastAPI], AbstractContextManager["Client"]]

FOR_EVERYBODY = {
    "/",
    "/openapi.json",
    "/docs",
    "/livez",
    "/readyz",
    "/healthz",
    "/version",
    "/v1/limits",
    "/v1/models",
    "/languages",
    "/frontend/settings",
    "/health",
    "/download_file/{name:path}",
}
ORIGIN = "https://redactie.example"
WAIT_SECONDS = 10.0


@dataclass
class Guarded:
    """A server that wants keys, and the database that it looks them up in."""

    client: "Client"
    app: FastAPI
    database: Database
    engine: FakeTranslator
    failing: list[Exception]

    @property
    def keys(self) -> KeyStore:
        return KeyStore(self.database)

    def key(self, **limits: int) -> tuple[Key, dict[str, str]]:
        """A new key and the header with it."""
        key, text = self.keys.create(uuid.uuid4().hex, **limits)
        return key, {"Authorization": f"Bearer {text}"}

    def translate(self, headers: dict[str, str], text: str = "Dag.") -> "Reply":
        return self.client.post("/v1/translate", {"texts": [text]}, headers)

    def spent(self, key: Key) -> int:
        rows = {"minute": 0, "day": 0}
        with self.database.reading() as connection:
            for row in connection.exec_driver_sql("select * from key_usage"):
                if row.key_id == key.id:
                    rows[row.period] = row.characters
        return rows["day"]


@pytest.fixture(scope="module")
def guarded(
    settings: Settings, start_server: Start, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Guarded]:
    url = f"sqlite:///{tmp_path_factory.mktemp('keys') / 'kortom.db'}"
    with closing(open_database(url)) as database:
        KeyStore(database).create("first")
        failing: list[Exception] = []

        def rewrite(sentence: str) -> str:
            if failing:
                raise failing[0]
            return sentence

        engine = FakeTranslator(rewrite)
        app = create_app(
            settings.model_copy(
                update={
                    "require_keys": True,
                    "database_url": SecretStr(url),
                    "cors_origins": (ORIGIN,),
                    "repair": False,
                }
            ),
            translator=engine,
        )
        with start_server(app) as client:
            yield Guarded(client, app, database, engine, failing)


def test_every_route_needs_a_key_or_is_for_everybody(guarded: Guarded) -> None:
    seen, refused = set(), []
    for route in iter_route_contexts(guarded.app.routes):
        path = str(route.path)
        seen.add(path)
        filled = re.sub(r"\{[^}]*\}", str(uuid.UUID(int=1)), path)
        for method in route.methods or {"GET"}:
            body = None if method in ("GET", "HEAD", "DELETE") else b"{}"
            reply = guarded.client.send(guarded.client.request(method, filled, body))
            is_open = path in FOR_EVERYBODY or path.startswith(("/page/", "/docs/static"))
            if is_open:
                assert reply.status not in (0, 401, 403, 500), path
            else:
                native = path.startswith(("/v1/", "/metrics"))
                assert reply.status == (401 if native else 403), path
                refused.append(path)
    assert seen >= FOR_EVERYBODY
    assert seen >= OPEN
    assert len(refused) > 20


def test_a_key_opens_all_of_them(guarded: Guarded) -> None:
    _, header = guarded.key()
    assert guarded.translate(header).status == 200
    assert guarded.client.get("/metrics", **header).status == 200
    assert guarded.client.get("/v2/languages", **header).status == 200
    assert guarded.client.get("/v1/jobs", **header).status == 200
    assert guarded.client.get("/frontend/settings").json()["keyRequired"] is True


def test_bodies_of_jobs_that_come_in_for_long_leave_room_for_other_keys(guarded: Guarded) -> None:
    (_, slow), (_, other) = guarded.key(), guarded.key()
    client = guarded.client
    with ExitStack() as uploads:

        def begin(header: dict[str, str]) -> bytes:
            """Begin an upload that never ends; what the server says when it begins to listen."""
            upload = uploads.enter_context(client.connect())
            head = {"Content-Type": "application/json", "Content-Length": "9"}
            upload.sendall(
                client.request("POST", "/v1/jobs", b"", header | head | {"Expect": "100-continue"})
            )
            return upload.recv(12)

        said = [begin(slow) for _ in range(MAX_KEY_UPLOADS + 1)]
        assert said == [b"HTTP/1.1 100"] * MAX_KEY_UPLOADS + [b"HTTP/1.1 503"]
        rest = MAX_UPLOADS - MAX_KEY_UPLOADS
        said = [begin(other) for _ in range(rest)]
        assert said == [b"HTTP/1.1 100"] * rest
        _, third = guarded.key()
        job = [{"id": "a", "text": "Dag."}]
        refused = client.post("/v1/jobs", job, third)
        assert refused.json()["code"] == "overloaded"
        assert int(refused.headers["retry-after"]) > 0
    deadline = time.monotonic() + WAIT_SECONDS  # the server hears of the end of each in a moment
    while client.post("/v1/jobs", job, third).status != 202:
        assert time.monotonic() < deadline


def test_whatever_is_wrong_with_the_key_the_answer_is_the_same(guarded: Guarded) -> None:
    key, good = guarded.key()
    text = good["Authorization"].removeprefix("Bearer ")
    guarded.keys.revoke(key.id)
    headers: list[dict[str, str]] = [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer a b"},
        {"Authorization": f"Basic {text}"},
        {"Authorization": "Bearer \xe9"},
        {"Authorization": f"Bearer {text[:-1]}"},
        {"Authorization": f"Bearer {text.replace(key.id, '0' * 12)}"},
        good,
    ]
    replies = [guarded.translate(header) for header in headers]
    replies.append(guarded.client.post(f"/v1/translate?api_key={text}", {"texts": ["Dag."]}))
    answers = set()
    for reply in replies:
        assert reply.status == 401
        assert reply.headers["www-authenticate"] == "Bearer"
        problem = reply.json()
        assert problem.pop("instance") == reply.headers["x-request-id"]
        answers.add(json.dumps(problem))
    assert len(answers) == 1
    assert json.loads(answers.pop())["code"] == "unauthorized"


def test_two_keys_are_no_key(guarded: Guarded) -> None:
    _, header = guarded.key()
    line = f"Authorization: {header['Authorization']}\r\n"
    request = f"GET /v1/jobs HTTP/1.1\r\nHost: a\r\n{line}{line}\r\n".encode()
    assert guarded.client.send(request).status == 401


def test_nothing_of_a_body_is_read_without_a_key(guarded: Guarded) -> None:
    client = guarded.client
    for body in (b"{", b"", b"\xff", b'{"texts": 1}'):
        assert client.send(client.request("POST", "/v1/translate", body)).status == 401
    waiting = client.request("POST", "/v1/articles", None, {"Content-Length": "1000000"})
    assert client.send(waiting).status == 401
    typed = {"Content-Type": "text/plain", "Content-Length": "1000000"}
    assert client.send(client.request("POST", "/v2/translate", None, typed)).status == 403


def test_a_revoked_key_is_refused_from_the_next_request_on(guarded: Guarded) -> None:
    key, header = guarded.key()
    assert guarded.translate(header).status == 200
    guarded.keys.revoke(key.name)
    assert guarded.translate(header).status == 401


def test_a_key_has_its_characters_and_no_more(guarded: Guarded) -> None:
    key, header = guarded.key(characters_per_minute=10, characters_per_day=12)
    _, other = guarded.key(characters_per_minute=10)
    refused = guarded.translate(header, "a" * 11)
    assert (refused.status, refused.json()["code"]) == (413, "over_key_limit")
    assert "retry-after" not in refused.headers
    assert guarded.translate(header, "a" * 10).status == 200
    refused = guarded.translate(header, "a" * 3)
    assert (refused.status, refused.json()["code"]) == (429, "quota_exceeded")
    assert 1 <= int(refused.headers["retry-after"]) <= 86_400
    assert guarded.spent(key) == 10
    assert guarded.translate(other, "a" * 10).status == 200


def test_the_minute_says_when_to_come_back(guarded: Guarded) -> None:
    _, header = guarded.key(characters_per_minute=100)
    replies = [guarded.translate(header, "a" * 60) for _ in range(3)]  # a minute may end between
    refused = next(reply for reply in replies if reply.status != 200)
    assert (refused.status, refused.json()["code"]) == (429, "rate_limited")
    assert 1 <= int(refused.headers["retry-after"]) <= 60


@pytest.mark.parametrize("path", ["/v1/articles", "/v1/summarize"])
def test_what_a_request_costs_is_the_length_of_its_text(guarded: Guarded, path: str) -> None:
    key, header = guarded.key()
    assert guarded.client.post(path, {"text": "De trein rijdt."}, header).status == 200
    assert guarded.spent(key) == 15


def test_a_document_costs_its_text_and_not_its_file(guarded: Guarded) -> None:
    key, header = guarded.key()
    body = (
        b'--grens\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
        b"\xef\xbb\xbfDe trein rijdt.\r\n--grens--\r\n"
    )
    typed = header | {"Content-Type": "multipart/form-data; boundary=grens"}
    reply = guarded.client.send(guarded.client.request("POST", "/v1/documents", body, typed))
    assert reply.status == 200
    assert guarded.spent(key) == 15


def test_work_that_fails_here_is_given_back_and_a_deadline_is_not(guarded: Guarded) -> None:
    key, header = guarded.key()
    guarded.failing.append(InferenceError("the model failed"))
    try:
        assert guarded.translate(header).status == 500
    finally:
        guarded.failing.clear()
    assert guarded.spent(key) == 0
    late = {"texts": ["Dag."], "deadline_ms": 1}
    reply = guarded.client.post("/v1/translate", late, header)
    assert guarded.spent(key) == (0 if reply.json().get("code") == "deadline_unreachable" else 4)


def test_what_is_cancelled_is_given_back_by_a_server_that_stops_alone(guarded: Guarded) -> None:
    key, _ = guarded.key()
    health = Health([])
    access = Access(guarded.database, health)

    async def cancelled() -> None:
        request = Request({"type": "http", "state": {"key": key}})
        spending = await access.spend(request, 10)
        with suppress(asyncio.CancelledError):
            async with access.refunding(spending):
                raise asyncio.CancelledError

    with closing(access):
        asyncio.run(cancelled())
        assert guarded.spent(key) == 10
        health.draining = True
        asyncio.run(cancelled())
        assert guarded.spent(key) == 10


def test_each_key_has_jobs_of_its_own(guarded: Guarded) -> None:
    _, mine = guarded.key()
    _, theirs = guarded.key()
    made = guarded.client.post("/v1/jobs", [{"id": "a", "text": "Dag."}], mine)
    assert made.status == 202
    path = f"/v1/jobs/{made.json()['id']}"
    for suffix in ("", "/results"):
        assert guarded.client.get(path + suffix, **mine).status == 200
        assert guarded.client.get(path + suffix, **theirs).status == 404
    assert len(guarded.client.get("/v1/jobs", **mine).json()["jobs"]) == 1
    assert guarded.client.get("/v1/jobs", **theirs).json()["jobs"] == []
    delete = guarded.client.request("DELETE", path, headers=theirs)
    assert guarded.client.send(delete).status == 404


def test_a_job_that_is_sent_again_costs_nothing(guarded: Guarded) -> None:
    key, header = guarded.key(characters_per_day=50)
    once = header | {"Idempotency-Key": "once"}
    articles = [{"id": "a", "text": "Het regent vandaag in Utrecht."}]
    first, again = (guarded.client.post("/v1/jobs", articles, once) for _ in range(2))
    assert (first.status, again.status) == (202, 202)
    assert again.headers["location"] == first.headers["location"]
    assert guarded.spent(key) == 30


def test_a_job_costs_of_the_day_and_not_of_the_minute(guarded: Guarded) -> None:
    _, header = guarded.key(characters_per_minute=5, characters_per_day=20)
    articles = [{"id": str(number), "text": "Dag dag."} for number in range(2)]
    assert guarded.client.post("/v1/jobs", articles, header).status == 202
    refused = guarded.client.post("/v1/jobs", articles, header)
    assert (refused.status, refused.json()["code"]) == (429, "quota_exceeded")
    assert guarded.translate(header, "Dag.").status == 200


def test_the_log_names_the_key_and_never_shows_it(
    guarded: Guarded, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    key, header = guarded.key()
    text = header["Authorization"].removeprefix("Bearer ")
    guarded.translate(header)
    guarded.translate({"Authorization": f"Bearer {text}x"})
    guarded.translate({"Authorization": text})
    guarded.client.post(f"/v1/translate?api_key={text}", {"texts": ["Dag."]})
    guarded.client.post("/translate", {"q": "Dag.", "api_key": text + "x"})

    def lines() -> list[str]:
        return [
            logging.Formatter().format(record)
            for record in caplog.records
            if record.name != "uvicorn.access"  # off, but pytest listens to it
        ]

    def requests() -> list[str]:
        return [line for line in lines() if line.startswith("request ")]

    deadline = time.monotonic() + WAIT_SECONDS  # a line is written after its answer
    while "route=/translate " not in "".join(requests()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [f"key={key.id}" in line for line in requests() if "key=" in line] == [True]
    assert text.split("_", 2)[2] not in "".join(lines())


def test_the_description_says_where_the_key_goes(guarded: Guarded) -> None:
    document = guarded.client.get("/openapi.json").json()
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert document["paths"]["/v1/articles"]["post"]["security"] == [{"key": []}]
    assert "security" not in document["paths"]["/livez"]["get"]


def test_a_locked_database_is_told_to_callers_and_balancers(
    settings: Settings, start_server: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "BUSY_SECONDS", 0.1)
    monkeypatch.setattr("service.api.access.CHECK_SECONDS", 0.0)
    url = f"sqlite:///{tmp_path / 'kortom.db'}"
    with closing(open_database(url)) as database:
        _, text = KeyStore(database).create("a")
    header = {"Authorization": f"Bearer {text}"}
    wanted = settings.model_copy(
        update={"require_keys": True, "database_url": SecretStr(url), "jobs": False}
    )
    body = {"texts": ["Dag."]}
    with (
        start_server(create_app(wanted, translator=FakeTranslator())) as client,
        closing(sqlite3.connect(tmp_path / "kortom.db", isolation_level=None)) as other,
    ):
        assert client.get("/readyz").status == 200
        other.execute("begin immediate")
        refused = client.post("/v1/translate", body, header)
        assert (refused.status, refused.json()["code"]) == (503, "storage_unavailable")
        assert refused.headers["retry-after"]
        for path in ("/readyz", "/health"):
            assert client.get(path).status == 503
        assert "locked" in client.get("/readyz").json()["detail"]
        assert client.get("/livez").status == 200
        other.execute("rollback")
        assert client.get("/readyz").status == 200
        assert client.post("/v1/translate", body, header).status == 200


def test_a_server_for_others_does_not_start_without_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KORTOM_DATABASE_URL", f"sqlite:///{tmp_path / 'kortom.db'}")
    serve = ["serve", "--profile", "demo", "--host", "0.0.0.0", "--port", "0"]  # noqa: S104
    assert main(["keys", "create", "a"]) == 0
    assert main(["keys", "revoke", "a"]) == 0
    capsys.readouterr()
    assert main(serve) == 1
    lines = capsys.readouterr().err.splitlines()
    (line,) = [line for line in lines if line.startswith("kortom: ")]
    assert "kortom keys create NAME" in line
    assert "--require-keys false" in line


def test_a_server_that_was_told_to_ask_for_keys_starts_before_there_is_one(
    settings: Settings, start_server: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'kortom.db'}"
    monkeypatch.setenv("KORTOM_DATABASE_URL", url)
    wanted = settings.model_copy(
        update={"host": "0.0.0.0", "require_keys": True, "database_url": SecretStr(url)}  # noqa: S104
    )
    with start_server(create_app(wanted, translator=FakeTranslator())) as client:
        assert client.post("/v1/translate", {"texts": ["Dag."]}).status == 401
        assert main(["keys", "create", "a"]) == 0


def test_a_server_can_do_without_keys(settings: Settings, start_server: Start) -> None:
    wanted = settings.model_copy(
        update={"host": "0.0.0.0", "require_keys": False, "jobs": False}  # noqa: S104
    )
    with start_server(create_app(wanted, translator=FakeTranslator())) as client:
        for header in ({}, {"Authorization": "Bearer kortom_x"}, {"Authorization": "odd"}):
            assert client.post("/v1/translate", {"texts": ["Dag."]}, header).status == 200


@pytest.mark.parametrize(
    ("host", "required"),
    [
        ("127.0.0.1", False),
        ("127.8.9.1", False),
        ("::1", False),
        ("localhost", False),
        ("0.0.0.0", True),  # noqa: S104
        ("::", True),
        ("192.168.1.2", True),
        ("kortom.example", True),
        ("localhost.example", True),
    ],
)
def test_keys_are_required_where_others_can_ask(host: str, required: bool) -> None:
    assert Settings(host=host).keys_required is required
    assert Settings(host=host, require_keys=False).keys_required is False
    assert Settings(host=host, require_keys=True).keys_required is True


def test_only_pages_of_named_origins_may_ask(guarded: Guarded) -> None:
    _, header = guarded.key()
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type",
    }
    send, request = guarded.client.send, guarded.client.request
    preflight = send(request("OPTIONS", "/v1/articles", headers=asked))
    assert preflight.status == 200
    assert preflight.headers["access-control-allow-origin"] == ORIGIN
    assert "access-control-allow-credentials" not in preflight.headers
    for other in ("https://evil.example", "null", f"{ORIGIN}.evil.example", "http://redactie"):
        refused = send(request("OPTIONS", "/v1/articles", headers=asked | {"Origin": other}))
        assert refused.status == 400
        assert "access-control-allow-origin" not in refused.headers
        reply = guarded.translate(header | {"Origin": other})
        assert "access-control-allow-origin" not in reply.headers
    for reply in (guarded.translate(header | {"Origin": ORIGIN}), guarded.translate(asked)):
        assert reply.headers["access-control-allow-origin"] == ORIGIN
        assert "X-Request-ID" in reply.headers["access-control-expose-headers"]


def test_a_preflight_hides_no_second_request(guarded: Guarded) -> None:
    request = (
        f"OPTIONS /v1/articles HTTP/1.1\r\nHost: a\r\nOrigin: {ORIGIN}\r\n"
        "Access-Control-Request-Method: POST\r\nContent-Length: 57\r\n"
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    )
    answer = guarded.client.send_and_drain(
        request.encode() + b"GET /version HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    )
    assert b"access-control-allow-origin" in answer
    assert b'"version"' not in answer
    for header in (b"connection: close", b"cache-control: no-store", b"nosniff"):
        assert header in answer.lower()


def test_no_page_may_ask_by_default(server: "Client") -> None:
    asked: dict[str, Any] = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    replies = [
        server.send(server.request("OPTIONS", "/v1/articles", headers=asked)),
        server.get("/version", Origin=ORIGIN),
    ]
    assert [reply.status for reply in replies] == [405, 200]
    assert not [name for reply in replies for name in reply.headers if "access-control" in name]


def test_origins_are_read_as_browsers_write_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KORTOM_CORS_ORIGINS", f"{ORIGIN} http://localhost:3000")
    settings = load_settings()
    assert settings.cors_origins == (ORIGIN, "http://localhost:3000")
    assert settings.model_dump(mode="json")["cors_origins"] == f"{ORIGIN} http://localhost:3000"
    for bad in ("*", "null", f"{ORIGIN}/", f"{ORIGIN},{ORIGIN}", "https://A.example", "[]"):
        with pytest.raises(InvalidSettings, match="cors_origins"):
            load_settings(cors_origins=bad)


def test_a_database_that_can_not_be_opened_ends_the_start(settings: Settings) -> None:
    wanted = settings.model_copy(
        update={"require_keys": True, "database_url": SecretStr("sqlite:////proc/none/k.db")}
    )
    with pytest.raises(StartupError, match="database"):
        create_app(wanted, translator=FakeTranslator())
