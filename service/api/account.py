"""What is told of a request when it has been answered: a log line, counts and a span."""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence

from opentelemetry.trace import Span, StatusCode
from starlette.types import Scope

from service.article.warnings import ArticleWarning, WarningCode
from service.errors import ClientGone
from service.logs import Event
from service.pipeline import Summary, TranslatedArticle
from service.serving.metrics import Metrics
from service.serving.work import Timings
from service.translation.documents import TranslatedDocument, Usage

logger = logging.getLogger(__name__)

METRICS_PATH = "/metrics"
PROBES = {METRICS_PATH, "/livez", "/readyz", "/healthz"}
"""Asked every few seconds by machines: no spans, and a log line only where debugging or failing."""
UNKNOWN_PATH = "none"
UNKNOWN_METHOD = "other"
METHODS = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}
_REJECTIONS = {
    "overloaded": "overload",
    "deadline_unreachable": "deadline",
    "draining": "drain",
}

Made = TranslatedArticle | Summary | Sequence[TranslatedDocument]
"""What the pipeline makes of a request."""


class Account:
    """One request: what came of it and what it amounted to; ``request.state.account``.

    Args:
        request_id: harmless in a log line.
        method: as it came.
        scope: where the router leaves the route.
        metrics: where it is counted.

    Attributes:
        outcome: ``ok``, or the code of the error that ended the request.
        status: of the answer; 0 while there is none.
        answer_sent: whether all of it was given to the connection.
        client_gone: whether the client closed the connection before that.
        key_id: of the key that let the request in; ``None`` without one.
    """

    def __init__(self, request_id: str, method: str, scope: Scope, metrics: Metrics) -> None:
        self.outcome = "ok"
        self.status = 0
        self.answer_sent = False
        self.client_gone = False
        self.key_id: str | None = None
        self._request_id = request_id
        self._scope = scope
        self._method = method if method in METHODS else UNKNOWN_METHOD
        self._metrics = metrics
        self._start = time.perf_counter()
        self._work: dict[str, float] = {}

    @property
    def is_probe(self) -> bool:
        """Whether a machine asks how the server is."""
        return self._scope["path"] in PROBES

    def answered(self, made: Made, timings: Timings) -> None:
        """Note what an answer says and what it took; called for each thing made, by the route
        that answers.

        Args:
            made: what the pipeline made; its numbers and codes are noted, never its text.
            timings: of the work.
        """
        usage = count(made, self._metrics)
        amounts: dict[str, float] = {
            "characters": usage.characters,
            "sentences": usage.sentences,
            "source_tokens": usage.source_tokens,
            "target_tokens": usage.target_tokens,
        }
        if isinstance(made, TranslatedArticle | Summary) and made.summary is not None:
            amounts["summarization_ms"] = round(made.summarization_seconds * 1000)
        for name, amount in amounts.items():
            self._work[name] = self._work.get(name, 0) + amount
        self._work |= {
            "queue_ms": round(timings.queue * 1000),
            "tokenization_ms": round(timings.tokenization * 1000),
            "inference_ms": round(timings.inference * 1000),
        }

    def close(self, span: Span) -> None:
        """Count the request, log its line, and say in its span what came of it."""
        seconds = time.perf_counter() - self._start
        if self.client_gone and self.outcome == "ok":
            self.outcome = ClientGone.default_code
        route = getattr(self._scope.get("route"), "path", None) or UNKNOWN_PATH
        if route != METRICS_PATH:
            self._count(route, seconds)
        context = span.get_span_context()
        if context.is_valid:
            span.update_name(f"{self._method} {route}")
            span.set_attributes(
                {
                    "http.request.method": self._method,
                    "http.route": route,
                    "http.response.status_code": self.status,
                    "kortom.request_id": self._request_id,
                    "kortom.outcome": self.outcome,
                    **{f"kortom.{name}": value for name, value in self._work.items()},
                }
            )
            if self.status >= 500:
                span.set_status(StatusCode.ERROR)
        logger.log(
            logging.DEBUG if self.is_probe and self.status < 400 else logging.INFO,
            Event(
                "request",
                id=self._request_id,
                method=self._method,
                route=route,
                status=self.status,
                ms=round(seconds * 1000),
                outcome=self.outcome,
                key=self.key_id,
                **self._work,
                trace=f"{context.trace_id:032x}" if context.is_valid else None,
            ),
        )

    def _count(self, route: str, seconds: float) -> None:
        self._metrics.http_requests.labels(route, self._method, str(self.status)).inc()
        self._metrics.http_request_duration.labels(route).observe(seconds)
        reason = "size" if self.status == 413 else _REJECTIONS.get(self.outcome)
        if reason:
            self._metrics.rejected.labels(reason).inc()
        elif self.outcome == ClientGone.default_code:
            self._metrics.request_cancelled.inc()


def count(made: Made, metrics: Metrics) -> Usage:
    """Count what an answer says; returns what it amounts to."""
    usage = _usage(made)
    metrics.source_tokens.inc(usage.source_tokens)
    metrics.output_tokens.inc(usage.target_tokens)
    for code in _codes(made):
        metrics.warnings.labels(code.value).inc()
    if isinstance(made, TranslatedArticle | Summary) and made.summary is not None:
        metrics.summarization.observe(made.summarization_seconds)
    return usage


def _usage(made: Made) -> Usage:
    if isinstance(made, TranslatedArticle | Summary):
        return made.usage
    return sum((document.usage for document in made), Usage())


def _codes(made: Made) -> Iterator[WarningCode]:
    """The code of every warning of an answer."""
    lists: list[Iterable[ArticleWarning]] = []
    documents: list[TranslatedDocument] = []
    if isinstance(made, TranslatedArticle):
        documents += [made.body, *([made.title] if made.title else [])]
    elif not isinstance(made, Summary):
        documents += made
    if isinstance(made, TranslatedArticle | Summary):
        lists.append(made.warnings)
        lists += [bullet.warnings for bullet in (made.summary.bullets if made.summary else ())]
    for document in documents:
        lists += [document.warnings, *(sentence.warnings for sentence in document.sentences)]
    return (warning.code for warnings in lists for warning in warnings)
