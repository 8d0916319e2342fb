"""Traces in the terms of OpenTelemetry; without an exporter they cost next to nothing.

Spans hold numbers, names of this project and types of errors: no text, address, path or message.
"""

import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import INVALID_SPAN, NoOpTracer, Span, SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from service import __version__

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

logger = logging.getLogger(__name__)

STOP_SECONDS = 5.0
"""Longest time that a stopping server waits for its last spans to be taken."""

_OFF = NoOpTracer()
_tracer: Tracer = _OFF
_provider: "TracerProvider | None" = None
_exporter: "SpanExporter | None" = None
_propagator = TraceContextTextMapPropagator()


def wanted() -> bool:
    """Whether the environment asks for traces, in OpenTelemetry's own variables.

    See https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/.
    """
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if exporter not in ("", "otlp", "none"):
        logger.warning("no traces: OTEL_TRACES_EXPORTER is neither otlp nor none")
    endpoints = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    return exporter == "otlp" or (not exporter and any(map(os.environ.get, endpoints)))


def start() -> None:
    """Export spans over OTLP/HTTP from now on, if :func:`wanted` and ``kortom[tracing]`` is there.

    The environment says where to and how many, as for any program with OpenTelemetry.
    """
    if not wanted():
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        logger.warning("no traces: they need kortom[tracing]")
        return
    global _exporter
    _exporter = OTLPSpanExporter()
    export_to(BatchSpanProcessor(_exporter))


def export_to(processor: "SpanProcessor") -> None:
    """Give every span to ``processor`` from now on."""
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider

    global _provider, _tracer
    resource = Resource.create({"service.name": "kortom", "service.version": __version__})
    # Resource.create lets its arguments win over the environment: here the operator's names win.
    _provider = TracerProvider(
        resource=resource.merge(OTELResourceDetector().detect()), shutdown_on_exit=False
    )
    _provider.add_span_processor(processor)
    _tracer = _provider.get_tracer("kortom", __version__)


def stop() -> None:
    """Export what is left, for :data:`STOP_SECONDS` at most, and go back to no traces."""
    global _exporter, _provider, _tracer
    provider, _provider, _tracer = _provider, None, _OFF
    exporter, _exporter = _exporter, None
    if provider is not None:
        # The exporter tries again for longer than a stopping server may take.
        thread = threading.Thread(target=provider.shutdown, name="traces-stop", daemon=True)
        thread.start()
        thread.join(STOP_SECONDS)
        if thread.is_alive() and exporter is not None:
            exporter.shutdown()  # what is being sent ends, nothing is tried again


@contextmanager
def request(scope: Mapping[str, Any]) -> Iterator[Span]:
    """The span of an HTTP request, a child of the caller's if there is a ``traceparent``.

    Args:
        scope: the request's, see ASGI.
    """
    if _tracer is _OFF:
        yield INVALID_SPAN
        return
    carrier = {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in scope["headers"]
        if name in (b"traceparent", b"tracestate")
    }
    with _tracer.start_as_current_span(
        "HTTP",
        _propagator.extract(carrier),
        SpanKind.SERVER,
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        yield current


@contextmanager
def span(name: str, **attributes: str | float) -> Iterator[None]:
    """A span around a step of the work, a child of the one around it.

    Args:
        name: of the step.
        attributes: numbers and names of this project; ``kortom.`` is put before their names.
    """
    if _tracer is _OFF:
        yield
        return
    # OpenTelemetry would record the message of an exception, which may quote an article.
    with _tracer.start_as_current_span(
        name,
        attributes=_prefixed(attributes),
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield
        except BaseException as exc:
            current.set_attribute("error.type", type(exc).__name__)
            current.set_status(StatusCode.ERROR)
            raise


def interval(name: str, started: float, ended: float, **attributes: str | float) -> None:
    """A span over a time that has passed.

    Args:
        name: of the step.
        started: ``time.monotonic()`` at its start.
        ended: the same at its end.
        attributes: see :func:`span`.
    """
    if _tracer is _OFF:
        return
    offset = time.time() - time.monotonic()
    _tracer.start_span(
        name, attributes=_prefixed(attributes), start_time=_nanoseconds(started + offset)
    ).end(_nanoseconds(ended + offset))


def _prefixed(attributes: dict[str, str | float]) -> dict[str, str | float]:
    return {f"kortom.{name}": value for name, value in attributes.items()}


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
