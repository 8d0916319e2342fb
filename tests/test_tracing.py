"""Traces: off they do nothing; on they show where time went, and never what was translated."""

import socket
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from collector import Collector, listen
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from service import tracing

VARIABLES = (
    "OTEL_SDK_DISABLED",
    "OTEL_TRACES_EXPORTER",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_SERVICE_NAME",
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    yield
    tracing.stop()


@pytest.fixture
def spans() -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    tracing.export_to(SimpleSpanProcessor(exporter))
    return exporter


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://localhost:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, False),
    ],
)
def test_the_environment_turns_traces_on(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: bool
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert tracing.wanted() is expected


def test_an_exporter_that_is_not_served_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
    assert not tracing.wanted()
    assert "OTEL_TRACES_EXPORTER" in caplog.text


def test_without_the_extra_the_server_says_so_and_runs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp")
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    tracing.start()
    assert "kortom[tracing]" in caplog.text
    with tracing.span("step"):
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    with listen() as server:
        yield server


def test_a_collector_gets_the_spans_under_the_operators_names(
    monkeypatch: pytest.MonkeyPatch, collector: Collector
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    tracing.start()
    with tracing.span("outer", sentences=3), tracing.span("inner"):
        pass
    tracing.stop()
    [(path, request)] = collector.received
    assert path == "/v1/traces"
    resource = {
        item.key: item.value.string_value for item in request.resource_spans[0].resource.attributes
    }
    assert resource["service.name"] == "kortom"
    assert resource["deployment.environment.name"] == "test"
    inner, outer = request.resource_spans[0].scope_spans[0].spans
    assert (inner.name, outer.name) == ("inner", "outer")
    assert inner.parent_span_id == outer.span_id
    assert [(item.key, item.value.int_value) for item in outer.attributes] == [
        ("kortom.sentences", 3)
    ]


def test_the_operators_service_name_wins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "news")
    exporter = InMemorySpanExporter()
    tracing.export_to(SimpleSpanProcessor(exporter))
    with tracing.span("step"):
        pass
    assert exporter.get_finished_spans()[0].resource.attributes["service.name"] == "news"


def test_an_error_is_told_by_its_type_alone(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="GEHEIM"), tracing.span("step"):
        raise ValueError("GEHEIM")
    [span] = spans.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert dict(span.attributes or {}) == {"error.type": "ValueError"}
    assert "GEHEIM" not in span.to_json()


def test_a_time_that_has_passed_stands_where_it_was(spans: InMemorySpanExporter) -> None:
    now, monotonic = time.time(), time.monotonic()
    with tracing.span("request"):
        tracing.interval("queue", monotonic - 3, monotonic - 1, model="m")
    queue, request = spans.get_finished_spans()
    assert queue.parent is not None
    assert queue.parent.span_id == request.get_span_context().span_id
    assert queue.start_time is not None
    assert queue.end_time is not None
    assert queue.start_time / 1e9 == pytest.approx(now - 3, abs=0.5)
    assert (queue.end_time - queue.start_time) / 1e9 == pytest.approx(2, abs=0.01)


def test_off_nothing_is_kept() -> None:
    with tracing.span("step"):
        tracing.interval("queue", 0, 1)
    with tracing.request({"headers": []}) as span:
        assert not span.get_span_context().is_valid


def test_a_collector_that_never_answers_holds_up_no_stop(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tracing, "STOP_SECONDS", 0.2)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "5")
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        port = deaf.getsockname()[1]
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
        tracing.start()
        with tracing.span("step"):
            pass
        tracing.stop()
        # It has not waited for what the exporter still tries.
        [exporting] = [t for t in threading.enumerate() if t.name.startswith("OtelBatchSpan")]
    # The collector is gone, and with it the request: nothing is tried again.
    exporting.join(10)
    assert not exporting.is_alive()
    assert "retrying" not in caplog.text
