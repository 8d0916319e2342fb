"""What an operator sees of requests: counts, log lines and traces, and nothing of their text."""

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from service import errors, tracing
from service.api import metrics as metrics_route
from service.api import problems
from service.api.access import Access
from service.serving.health import Health
from service.serving.metrics import Metrics
from service.settings import Settings

if TYPE_CHECKING:
    from loopback import Client

WAIT_SECONDS = 30.0
SECRET = "Geheim"
ARTICLE = {"text": f"De {SECRET}e dienst zwijgt. Het is maandag.", "title": f"Over {SECRET}"}
WORK = {
    "characters", "sentences", "source_tokens", "target_tokens", "queue_ms", "tokenization_ms",
    "inference_ms", "summarization_ms",
}  # fmt: skip


def until(condition: Callable[[], Any]) -> Any:
    """What a server's thread does just after the answer has come."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return found


def counts(client: "Client") -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample of /metrics."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in prometheus(client.get("/metrics").body.decode())
        for sample in family.samples
    }


class Count:
    """How much a sample has grown since this was made."""

    def __init__(self, client: "Client") -> None:
        self._client = client
        self._before = counts(client)

    def of(self, name: str, **labels: str) -> float:
        key = (name, tuple(sorted(labels.items())))
        return counts(self._client).get(key, 0) - self._before.get(key, 0)


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """All log lines of a test."""
    return "\n".join(
        logging.Formatter().format(record)
        for record in caplog.records
        # Off, but pytest listens to loggers that nobody else listens to.
        if record.name != "uvicorn.access"
    )


def line_of(caplog: pytest.LogCaptureFixture, request_id: str) -> dict[str, Any]:
    """The one log line of a request."""

    def lines() -> list[dict[str, Any]]:
        return [
            record.msg.fields
            for record in caplog.records
            if str(record.msg).startswith("request ") and record.msg.fields["id"] == request_id  # type: ignore[attr-defined]
        ]

    until(lines)
    [line] = lines()
    return line


def test_an_article_is_counted_with_its_tokens_and_warnings(server: "Client") -> None:
    count = Count(server)
    answer = server.post("/v1/articles", ARTICLE | {"summary": {"bullets": 1}}).json()
    route = {"handler": "/v1/articles"}
    until(lambda: count.of("http_requests_total", **route, method="POST", status="200") == 1)
    assert count.of("http_request_duration_seconds_count", **route) == 1
    assert count.of("kortom_source_tokens_total") == answer["usage"]["source_tokens"] > 0
    assert count.of("kortom_output_tokens_total") == answer["usage"]["target_tokens"]
    assert count.of("kortom_summarization_seconds_count") == 1
    codes = [warning["code"] for warning in answer["warnings"]]
    for block in answer["translation"]["blocks"]:
        for sentence in block["sentences"]:
            codes += [warning["code"] for warning in sentence["warnings"]]
    for bullet in answer["summary"]["bullets"]:
        codes += [warning["code"] for warning in bullet["warnings"]]
    assert codes  # random weights translate nothing well
    for code in set(codes):
        assert count.of("kortom_warnings_total", code=code) == codes.count(code)


def test_texts_and_summaries_are_counted_too(server: "Client") -> None:
    count = Count(server)
    texts = server.post("/v1/translate", {"texts": ["Het regent.", "Het is maandag."]}).json()
    tokens = texts["usage"]["source_tokens"]
    assert count.of("kortom_source_tokens_total") == tokens > 0
    summary = server.post("/v1/summarize", {"text": "It rains.", "source_language": "en"})
    assert summary.status == 200
    assert count.of("kortom_source_tokens_total") == tokens
    assert count.of("kortom_summarization_seconds_count") == 1


@pytest.mark.parametrize(
    ("request_", "labels"),
    [
        (("GET", "/geheim/1"), {"handler": "none", "method": "GET", "status": "404"}),
        (("GET", "/geheim?q=geheim"), {"handler": "none", "method": "GET", "status": "404"}),
        (("GEHEIM", "/geheim"), {"handler": "none", "method": "other", "status": "404"}),
        (("GEHEIM", "/version"), {"method": "other", "status": "405"}),
        (("HEAD", "/version"), {"handler": "/version", "method": "HEAD", "status": "200"}),
    ],
)
def test_what_a_client_makes_up_is_no_label(
    server: "Client", request_: tuple[str, str], labels: dict[str, str]
) -> None:
    before = counts(server)
    server.send(server.request(*request_))
    grown = until(
        lambda: [
            dict(key)
            for (name, key), value in counts(server).items()
            if name == "http_requests_total" and value > before.get((name, key), 0)
        ]
    )
    assert len(grown) == 1
    assert labels.items() <= grown[0].items()
    assert "geheim" not in server.get("/metrics").body.decode().lower()


def test_metrics_do_not_count_themselves(server: "Client") -> None:
    server.get("/metrics")
    assert b'handler="/metrics"' not in server.get("/metrics").body


@pytest.mark.parametrize(
    ("accept", "content_type", "parse"),
    [
        ({}, "text/plain; version=0.0.4", prometheus),
        ({"Accept": "*/*"}, "text/plain; version=0.0.4", prometheus),
        (
            {"Accept": "application/openmetrics-text; version=1.0.0"},
            "application/openmetrics-text; version=1.0.0",
            openmetrics,
        ),
    ],
)
def test_metrics_come_in_the_format_that_is_asked_for(
    server: "Client", accept: dict[str, str], content_type: str, parse: Any
) -> None:
    reply = server.get("/metrics", **accept)
    assert reply.status == 200
    assert reply.headers["content-type"].startswith(content_type)
    names = {family.name for family in parse(reply.body.decode())}
    assert {"http_requests", "kortom_build_info"} <= {name.removesuffix("_total") for name in names}


def test_a_request_is_one_log_line_with_its_numbers_and_no_text(
    server: "Client", caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    reply = server.post("/v1/articles", ARTICLE | {"summary": {"bullets": 1}})
    answer = reply.json()
    line = line_of(caplog, answer["id"])
    assert set(line) == {"id", "method", "route", "status", "ms", "outcome"} | WORK
    assert line["id"] == reply.headers["x-request-id"]
    assert (line["method"], line["route"], line["status"]) == ("POST", "/v1/articles", 200)
    assert line["outcome"] == "ok"
    assert line["source_tokens"] == answer["usage"]["source_tokens"]
    assert line["characters"] == answer["usage"]["characters"]
    for name in ("queue", "tokenization", "inference", "summarization"):
        assert line[f"{name}_ms"] == answer["timing_ms"][name]
    assert SECRET not in logged(caplog)


@pytest.mark.parametrize(
    ("method", "path", "body", "outcome"),
    [
        ("GET", "/geheim%0Ageheim", None, "not_found"),
        ("GEHEIM", "/version", None, "method_not_allowed"),
        ("POST", "/v1/articles", b'{"geheim": 1}', "unknown_field"),
        ("POST", "/v1/articles", b'{"text": ""}', "text_empty"),
        ("POST", "/v1/articles", b"geheim", "malformed_json"),
    ],
)
def test_a_refused_request_says_why_in_the_words_of_the_service(
    server: "Client",
    caplog: pytest.LogCaptureFixture,
    method: str,
    path: str,
    body: bytes | None,
    outcome: str,
) -> None:
    caplog.set_level(logging.INFO)
    reply = server.send(server.request(method, path, body))
    line = line_of(caplog, reply.headers["x-request-id"])
    assert line["outcome"] == outcome == reply.json()["code"]
    assert line["status"] == reply.status
    assert not WORK & set(line)
    assert "geheim" not in logged(caplog).lower()


def test_probes_are_quiet(server: "Client", caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for path in ("/livez", "/readyz", "/healthz", "/metrics"):
        line_of(caplog, server.get(path).headers["x-request-id"])
    levels = {r.levelname for r in caplog.records if str(r.msg).startswith("request ")}
    assert levels == {"DEBUG"}


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"x" * 1000
        await asyncio.sleep(0.01)


class Failing:
    """A real app and server with a route that raises what it is told, and one without an end."""

    def __init__(self, settings: Settings) -> None:
        self.app = FastAPI()
        self.app.state.settings = settings
        self.app.state.health = Health([])
        self.app.state.access = Access(None, self.app.state.health)
        self.metrics = Metrics()
        problems.install(self.app, self.metrics)
        metrics_route.install(self.app, self.metrics)
        self.error: Exception = errors.ServiceError("")

        @self.app.get("/fails")
        async def fails() -> None:
            raise self.error

        @self.app.get("/streams")
        async def streams() -> StreamingResponse:
            return StreamingResponse(endless())


@pytest.fixture
def failing(settings: Settings) -> Failing:
    return Failing(settings)


@pytest.fixture
def failing_client(
    failing: Failing, start_server: "Callable[[FastAPI], AbstractContextManager[Client]]"
) -> "Iterator[Client]":
    with start_server(failing.app) as client:
        yield client


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (errors.Overloaded(""), "overload"),
        (errors.DeadlineExceeded("", code="deadline_unreachable"), "deadline"),
        (errors.ContentTooLarge(""), "size"),
        (errors.ContentTooLarge("", code="too_many_texts"), "size"),
        (errors.Overloaded("", code="draining"), "drain"),
        (errors.DeadlineExceeded(""), None),
        (errors.InferenceError(""), None),
    ],
)
def test_a_refusal_is_counted_by_its_reason(
    failing: Failing, failing_client: "Client", error: errors.ServiceError, reason: str | None
) -> None:
    failing.error = error
    count = Count(failing_client)
    assert failing_client.get("/fails").status == error.status
    status = str(error.status)
    until(lambda: count.of("http_requests_total", handler="/fails", method="GET", status=status))
    for known in ("overload", "deadline", "size", "drain"):
        assert count.of("kortom_rejected_total", reason=known) == (known == reason)


def test_a_client_that_went_away_is_counted(failing: Failing, failing_client: "Client") -> None:
    failing.error = errors.ClientGone("")
    count = Count(failing_client)
    failing_client.get("/fails")
    until(lambda: count.of("kortom_request_cancelled_total") == 1)


def test_a_client_that_leaves_a_stream_is_counted_and_logged(
    failing_client: "Client", caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    count = Count(failing_client)
    with failing_client.connect() as connection:
        connection.sendall(
            failing_client.request("GET", "/streams", headers={"X-Request-ID": "leaves"})
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    line = line_of(caplog, "leaves")
    assert (line["status"], line["outcome"]) == (200, "client_gone")
    assert count.of("kortom_request_cancelled_total") == 1


def test_a_connection_that_ends_after_the_answer_is_no_client_gone() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Response("done")(scope, receive, send)
        assert (await receive())["type"] == "http.disconnect"

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_: Message) -> None:
        pass

    metrics, server = Metrics(), FastAPI()
    server.state.health = Health([])
    server.state.settings = Settings()
    scope = {"type": "http", "method": "GET", "path": "/x", "headers": [], "app": server}
    asyncio.run(problems.RequestContext(app, metrics)(scope, receive, send))
    labels = {"handler": "none", "method": "GET", "status": "200"}
    assert metrics.registry.get_sample_value("http_requests_total", labels) == 1
    assert metrics.registry.get_sample_value("kortom_request_cancelled_total") == 0


def test_a_bug_is_logged_once_with_its_place_and_without_its_message(
    failing: Failing, failing_client: "Client", caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    failing.error = KeyError(SECRET)
    request_id = failing_client.get("/fails").headers["x-request-id"]
    assert line_of(caplog, request_id)["outcome"] == "internal_error"
    [failure] = [r for r in caplog.records if str(r.msg).startswith("failure ")]
    assert failure.msg.fields["id"] == request_id  # type: ignore[attr-defined]
    assert "KeyError" in caplog.text
    assert "in fails" in caplog.text
    assert SECRET not in logged(caplog)


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    tracing.export_to(SimpleSpanProcessor(exporter))
    yield exporter
    tracing.stop()


def finished(exporter: InMemorySpanExporter, name: str) -> ReadableSpan:
    found: ReadableSpan = until(
        lambda: next((s for s in exporter.get_finished_spans() if s.name == name), None)
    )
    return found


def test_a_trace_goes_from_the_caller_through_every_step(
    server: "Client", spans: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    reply = server.post(
        "/v1/articles",
        ARTICLE | {"summary": {"bullets": 1}},
        {"traceparent": f"00-{trace}-{parent}-01"},
    )
    request = finished(spans, "POST /v1/articles")
    assert request.parent is not None
    assert f"{request.parent.span_id:016x}" == parent
    assert request.attributes is not None
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["kortom.request_id"] == reply.headers["x-request-id"]
    steps = [s for s in spans.get_finished_spans() if s is not request]
    assert {s.name for s in steps} == {"queue", "tokenization", "inference", "summarization"}
    for step in spans.get_finished_spans():
        assert f"{step.get_span_context().trace_id:032x}" == trace
        assert SECRET not in step.to_json()
    assert {s.parent.span_id for s in steps if s.parent} == {request.get_span_context().span_id}
    assert line_of(caplog, reply.headers["x-request-id"])["trace"] == trace


def test_paths_and_queries_are_not_in_traces(server: "Client", spans: InMemorySpanExporter) -> None:
    server.get("/version?q=geheim")
    server.get("/geheim")
    server.send(server.request("GEHEIM", "/version"))
    for name in ("GET /version", "GET none"):
        finished(spans, name)
    until(lambda: len(spans.get_finished_spans()) == 3)
    for span in spans.get_finished_spans():
        assert not re.search("geheim|127.0.0.1|kortom:", span.to_json(), re.IGNORECASE)


def test_probes_have_no_spans(server: "Client", spans: InMemorySpanExporter) -> None:
    for path in ("/livez", "/readyz", "/healthz", "/metrics"):
        server.get(path)
    server.get("/version")
    finished(spans, "GET /version")
    assert len(spans.get_finished_spans()) == 1


def test_a_broken_traceparent_begins_a_trace_of_its_own(
    server: "Client", spans: InMemorySpanExporter
) -> None:
    assert server.get("/version", traceparent="00-geheim-geheim-01").status == 200
    span = finished(spans, "GET /version")
    assert span.parent is None
    assert "geheim" not in span.to_json()
