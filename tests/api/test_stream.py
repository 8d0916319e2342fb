"""An article as a stream of events: the plain answer in parts, each as soon as it is ready."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from fakes import FakeTranslator
from fastapi import FastAPI

from service.api import stream
from service.app import create_app
from service.errors import InferenceError
from service.settings import Settings
from service.translation.translator import Translation

if TYPE_CHECKING:
    from loopback import Client

WAIT_SECONDS = 30.0
EVENTS = {"Accept": "text/event-stream"}
BLOCKS = 20
ARTICLE = "\n\n".join(
    " ".join(f"De raad kwam bijeen in zaal {4 * number + part}." for part in range(4))
    for number in range(BLOCKS)
)
MARKER = "GEHEIM"


FIRST_STEP = 4
"""Sentences of ARTICLE translated before anything is handed out; the next step has twice those."""


class GatedTranslator(FakeTranslator):
    """A fake that waits before sentences about later rooms, and fails there on request.

    Attributes:
        rooms: sentences about this one and those after it wait.
        gate: until it is set.
        waiting: set when one waits.
        error: what they raise then.
    """

    def __init__(self) -> None:
        super().__init__(str.upper)
        self.reset()

    def reset(self) -> None:
        self.batches: list[list[str]] = []
        self.rooms = 10_000
        self.gate = threading.Event()
        self.waiting = threading.Event()
        self.error: Exception | None = None

    def translate(self, sentences: Sequence[str], *, careful: bool = False) -> list[Translation]:
        if any(room >= self.rooms for room in rooms(sentences)):
            self.waiting.set()
            assert self.gate.wait(WAIT_SECONDS)
            if self.error:
                raise self.error
        return super().translate(sentences, careful=careful)


def rooms(sentences: Sequence[str]) -> set[int]:
    """The numbers in sentences of ARTICLE."""
    return {int(number) for sentence in sentences for number in re.findall(r"\d+", sentence)}


_engine = GatedTranslator()


@pytest.fixture(scope="module")
def shared_server(
    settings: Settings, start_server: Callable[[FastAPI], AbstractContextManager["Client"]]
) -> Iterator["Client"]:
    with start_server(create_app(settings, translator=_engine)) as client:
        yield client


@pytest.fixture
def engine(shared_server: "Client") -> Iterator[GatedTranslator]:
    _engine.reset()
    yield _engine
    _engine.error = None
    _engine.gate.set()


@pytest.fixture
def client(shared_server: "Client", engine: GatedTranslator) -> "Client":
    return shared_server


def parse(text: str) -> list[tuple[str, Any]]:
    """(name, data) of each event; ``("", None)`` for a comment."""
    assert text.endswith("\n\n")
    events = []
    for event in text.removesuffix("\n\n").split("\n\n"):
        if event.startswith(":"):
            events.append(("", None))
            continue
        name, data = event.split("\n")
        assert name.startswith("event: ")
        assert data.startswith("data: ")
        events.append((name[7:], json.loads(data[6:])))
    return events


def together(events: list[tuple[str, Any]]) -> Any:
    """The plain answer that the events are the parts of."""
    title = None
    blocks: dict[int, Any] = {}
    bullets: dict[int, Any] = {}
    for name, data in events[:-1]:
        if name == "title":
            title = data["title"]
        elif name:
            index = data.pop("index")
            assert index <= len(blocks if name == "block" else bullets)
            (blocks if name == "block" else bullets)[index] = data
    name, answer = events[-1]
    assert name == "done"
    aligned = "sentences" in blocks[0]
    answer = {**answer, "title": title}
    answer["translation"] = {
        **answer["translation"],
        "blocks": list(blocks.values()) if aligned else None,
    }
    if answer["summary"]:
        answer["summary"] = {**answer["summary"], "bullets": list(bullets.values())}
    if not aligned:
        end = 0
        for block in blocks.values():
            end = answer["translation"]["text"].index(block["text"], end) + len(block["text"])
    return answer


def comparable(answer: Any) -> Any:
    return {name: value for name, value in answer.items() if name not in ("id", "timing_ms")}


@contextmanager
def streaming(client: "Client", document: Any) -> Iterator[Callable[[str], str]]:
    """Sends the request; what it yields reads on until a text has come, and returns everything."""
    request = client.request("POST", "/v1/articles", json.dumps(document).encode(), EVENTS)
    received = b""

    def until(text: str) -> str:
        nonlocal received
        while text.encode() not in received:
            chunk = connection.recv(65_536)
            assert chunk, received[-500:]
            received += chunk
        return received.decode()

    with client.connect() as connection:
        connection.sendall(request)
        yield until


@pytest.mark.parametrize(
    "request_fields",
    [
        {"text": ARTICLE, "title": "De raad", "summary": {"bullets": 4, "headline": True}},
        {"text": ARTICLE, "alignment": False},
        {"text": "Eén zin.", "summary": None},
        {"text": "Kop\n\n- een punt\n- een punt\n\n12:30\n", "glossary": {"punt": "point"}},
        {"markdown": "# Kop\n\nEen **vette** kop. En `code`.\n\n> Ja!\n", "alignment": False},
        {"html": "<p>De <b>raad</b> kwam.</p><p>De <i>raad</i> ging.</p>", "title": "Ja?"},
        {"text": 'regel\u2028een. Regel\u0085twee.\r\n\r\n\\n "data: x" event: y \x00 🏳️‍🌈'},
    ],
    ids=["title", "no alignment", "no summary", "list", "markdown", "html", "odd line breaks"],
)
def test_the_events_together_are_the_plain_answer(client: "Client", request_fields: Any) -> None:
    plain = client.post("/v1/articles", request_fields)
    streamed = client.post("/v1/articles", request_fields, EVENTS)
    assert (plain.status, streamed.status) == (200, 200)
    assert streamed.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert streamed.headers["cache-control"] == "no-store"
    assert streamed.headers["x-accel-buffering"] == "no"
    answer = together(parse(streamed.body.decode()))
    assert comparable(answer) == comparable(plain.json())
    assert answer["id"] == streamed.headers["x-request-id"]
    assert list(answer["timing_ms"]) == list(plain.json()["timing_ms"])


def test_on_the_real_engine_too(server: "Client") -> None:
    document = {"text": ARTICLE, "title": "De raad kwam bijeen"}
    plain = server.post("/v1/articles", document).json()
    events = parse(server.post("/v1/articles", document, EVENTS).body.decode())
    assert comparable(together(events)) == comparable(plain)


def test_parts_come_in_order_and_before_the_rest_is_translated(
    client: "Client", engine: GatedTranslator
) -> None:
    engine.rooms = FIRST_STEP
    with streaming(client, {"text": ARTICLE, "title": "Kop"}) as until:
        text = until('"index": 0')
        assert text.index("event: title") < text.index("event: block")
        assert "KOP" in text
        assert engine.waiting.wait(WAIT_SECONDS)
        assert rooms(engine.seen) == set(range(FIRST_STEP))
        engine.gate.set()
        text = until("event: done")
    names = [line[7:] for line in text.splitlines() if line.startswith("event: ")]
    assert names == ["title"] + ["block"] * BLOCKS + ["bullet"] * 3 + ["done"]


@pytest.mark.parametrize(
    ("accept", "streams"),
    [
        ("text/event-stream", True),
        ("Text/Event-Stream; charset=utf-8", True),
        ("application/json;q=0.5, text/event-stream", True),
        ("text/event-stream, */*;q=0.1", True),
        ("text/event-stream;q=0.001", True),
        ("text/event-stream, application/json", False),
        ("text/event-stream, */*", False),
        ("text/event-stream;q=0.4, application/*;q=0.5", False),
        ("text/event-stream;q=0", False),
        ("text/event-stream;q=viel", False),
        ("text/event-stream;q=1.5", False),
        ("text/*", False),
        ("*/*", False),
        ("", False),
        (",;=,;q=", False),
        ("text/html", False),
    ],
)
def test_json_unless_a_stream_is_preferred(accept: str, streams: bool) -> None:
    assert stream.is_wanted(accept) is streams


def test_two_accept_headers_are_one(client: "Client") -> None:
    body = json.dumps({"text": "Dag."}).encode()
    head = f"POST /v1/articles HTTP/1.1\r\nHost: kortom\r\nContent-Length: {len(body)}\r\n"
    head += "Content-Type: application/json\r\nConnection: close\r\n"
    for first, second, kind in (
        ("text/html", "text/event-stream", b"text/event-stream"),
        ("text/event-stream", "application/json", b"application/json"),
    ):
        accept = f"Accept: {first}\r\nAccept: {second}\r\n\r\n"
        answer = client.send_and_drain((head + accept).encode() + body)
        assert b"content-type: " + kind in answer.lower()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"text": "GEHEIM', 400, "malformed_json"),
        (b'{"text": ""}', 422, "text_empty"),
        (b'{"text": "a", "html": "b"}', 422, "validation_error"),
        (rb'{"text": "GEHEIM \ud800"}', 422, "invalid_unicode"),
        (b'{"text": "a", "summary": {"method": "abstractive"}}', 422, "method_not_served"),
        (json.dumps({"text": "a" * 200_001}).encode(), 413, "content_too_large"),
    ],
)
def test_what_is_refused_is_an_ordinary_problem(
    client: "Client", body: bytes, status: int, code: str
) -> None:
    reply = client.send(client.request("POST", "/v1/articles", body, EVENTS))
    assert reply.status == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["code"] == code
    assert MARKER.encode() not in reply.body


def test_what_fails_before_the_first_event_is_an_ordinary_problem(
    client: "Client", engine: GatedTranslator
) -> None:
    engine.rooms, engine.error = 0, InferenceError("the engine failed")
    engine.gate.set()
    reply = client.post("/v1/articles", {"text": ARTICLE}, EVENTS)
    assert reply.status == 500
    assert reply.json()["code"] == "inference_failed"


@pytest.mark.parametrize("error", [InferenceError("the engine failed"), RuntimeError(MARKER)])
def test_what_fails_in_the_middle_is_the_last_event(
    client: "Client",
    engine: GatedTranslator,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    engine.rooms, engine.error = FIRST_STEP, error
    engine.gate.set()
    reply = client.post("/v1/articles", {"text": ARTICLE}, EVENTS)
    assert reply.status == 200
    *parts, (name, problem) = parse(reply.body.decode())
    assert {part for part, _ in parts} == {"block"}
    assert name == "error"
    assert problem["status"] == 500
    assert problem["code"] in ("inference_failed", "internal_error")
    assert problem["instance"] == reply.headers["x-request-id"]
    assert "Traceback" not in reply.body.decode()
    assert MARKER not in reply.body.decode()
    # It is logged when the caller has it.
    deadline = time.monotonic() + WAIT_SECONDS
    while reply.headers["x-request-id"] not in caplog.text:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    engine.reset()
    assert client.post("/v1/articles", {"text": "Dag."}, EVENTS).status == 200


def test_what_is_late_ends_the_stream(client: "Client", engine: GatedTranslator) -> None:
    engine.rooms = FIRST_STEP
    with streaming(client, {"text": ARTICLE, "deadline_ms": 1_500}) as until:
        text = until("event: error")
        assert "event: done" not in text
        until('"status": 504')
    engine.gate.set()


def test_a_comment_breaks_a_silence(
    client: "Client", engine: GatedTranslator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.02)
    engine.rooms = FIRST_STEP
    with streaming(client, {"text": ARTICLE}) as until:
        text = until("\n: \n\n")
        assert text.index("event: block") < text.index("\n: \n\n")
        engine.gate.set()
        until("event: done")


def test_work_for_a_client_that_has_gone_is_stopped(
    client: "Client", engine: GatedTranslator
) -> None:
    engine.rooms = FIRST_STEP
    with streaming(client, {"text": ARTICLE}) as until:
        until('"index": 0')
        assert engine.waiting.wait(WAIT_SECONDS)
    # The server has read the end of the stream before it answers a connection made after it.
    for _ in range(3):
        assert client.get("/livez").status == 200
    engine.gate.set()
    assert client.post("/v1/articles", {"text": "Dag."}).status == 200
    assert rooms(engine.seen) <= set(range(3 * FIRST_STEP))


def test_hostile_texts_stay_inside_their_events(client: "Client") -> None:
    text = (
        "data: {}\n\nevent: done\n\n: GEHEIM\r\n\r\nid: 7\n\nretry: 1\r\revent: error\rdata: x"
        "\n\n</script>\u202e\ufeff\n\n" + "\n\nheel mooi huis" * 200
    )
    document = {"text": text, "title": "event: done\ndata: {}\n\nevent: title"}
    events = parse(client.post("/v1/articles", document, EVENTS).body.decode())
    assert [name for name, _ in events].count("done") == 1
    plain = client.post("/v1/articles", document).json()
    assert comparable(together(events)) == comparable(plain)


# The plain answer.


def test_without_alignment_the_sources_of_the_bullets_are_listed(client: "Client") -> None:
    document = {"text": ARTICLE, "alignment": False}
    summary = client.post("/v1/articles", document).json()["summary"]
    named = {source for bullet in summary["bullets"] for source in bullet["sources"]}
    assert {source["id"] for source in summary["sources"]} == named
    for source in summary["sources"]:
        assert source["source"] == ARTICLE[source["start"] : source["end"]]
    aligned = client.post("/v1/articles", {"text": ARTICLE}).json()["summary"]
    assert aligned["sources"] is None


def test_every_answer_says_where_its_time_went(client: "Client") -> None:
    for route, document in (
        ("/v1/articles", {"text": ARTICLE}),
        ("/v1/translate", {"texts": [ARTICLE, "Dag."]}),
        ("/v1/summarize", {"text": ARTICLE}),
    ):
        timing = client.post(route, document).json()["timing_ms"]
        assert list(timing) == [
            "queue", "tokenization", "inference", "translation", "summarization", "total",
        ]  # fmt: skip
        assert all(isinstance(value, int) and value >= 0 for value in timing.values())
        assert timing["translation"] + timing["summarization"] <= timing["total"] + 2


def test_the_interface_description_shows_the_stream(client: "Client") -> None:
    document = client.get("/openapi.json").json()
    content = document["paths"]["/v1/articles"]["post"]["responses"]["200"]["content"]
    assert set(content) == {"application/json", "text/event-stream"}
    events = parse(content["text/event-stream"]["example"])
    assert [name for name, _ in events] == ["title", "block", "bullet", "done"]
    schemas = document["components"]["schemas"]
    assert set(events[1][1]) == {"index", *schemas["AlignedBlock"]["properties"]}
    assert set(events[2][1]) == {"index", *schemas["BulletAnswer"]["properties"]}
    assert set(events[3][1]) == set(schemas["ArticleAnswer"]["properties"]) - {"title"}
