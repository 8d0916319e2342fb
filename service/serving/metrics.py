"""What the service counts and measures about itself, in the terms of Prometheus.

Names are base units and bounded labels: a model's card name, a route's template, a status, a code
of this project. Nothing that a client chooses becomes a label, and nothing identifies a client.
"""

import platform

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

from service import __version__
from service.article.warnings import WarningCode
from service.machine import memory_limit_bytes

REQUEST_BUCKETS = (
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0,
)  # fmt: skip
"""Seconds: a sentence takes some 0.05, an article seconds, the longest article minutes."""
WAIT_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Seconds that a caller's sentences wait for the engine."""
TOKENIZATION_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5)
"""Seconds for the sentences that one caller submits together."""
INFERENCE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds for one batch."""
SENTENCE_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""Sentences of one batch."""
TOKEN_BUCKETS = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
"""Source tokens of one batch, without padding."""
WEBHOOK_OUTCOMES = ("delivered", "failed", "gone", "dropped")
"""What came of a message to the webhook: an answer 2xx; anything else, so that it is tried again;
an answer 410; the last attempt failed."""
ATTEMPT_OUTCOMES = ("done", "failed", "cancelled", "given_back", "lost", "late")
"""What came of an article that a runner claimed: an answer; an error; the job was cancelled; the
server stopped before the end; the lease was lost meanwhile; the result came after that."""
REJECTION_REASONS = ("overload", "deadline", "size", "drain")
"""Why a request is refused: no place, a deadline that can't be met, too large, stopping."""

# A second series for each counter and histogram, which says when it was made: nothing reads it.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The instruments of one application, in a registry of its own.

    Attribute names are the metrics' names without ``kortom_`` and unit; the ``registry`` has them
    all, with those of the process and of Python's garbage collector.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(name, text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(name, text, labels, buckets=buckets, registry=registry)

        self.http_requests = counter(
            "http_requests_total",
            "Requests answered; /metrics is not counted.",
            "handler", "method", "status",
        )  # fmt: skip
        self.http_request_duration = histogram(
            "http_request_duration_seconds",
            "Time from a request's headers to the end of its answer.",
            REQUEST_BUCKETS,
            "handler",
        )
        self.inflight_requests = gauge(
            "kortom_inflight_requests", "Requests that hold a place: worked on or waiting for it."
        )
        self.rejected = counter(
            "kortom_rejected_total", "Requests refused before any work, by reason.", "reason"
        )
        self.request_cancelled = counter(
            "kortom_request_cancelled_total", "Requests whose client went away before the answer."
        )
        self.shared_requests = counter(
            "kortom_shared_requests_total",
            "Requests answered with the work of an identical one in flight.",
        )
        self.queue_depth = gauge(
            "kortom_queue_depth", "Sentences that wait for a place in a batch.", "model"
        )
        self.queue_tokens = gauge(
            "kortom_queue_tokens", "Source tokens of the sentences that wait.", "model"
        )
        self.queue_wait = histogram(
            "kortom_queue_wait_seconds",
            "Time until the engine takes the first of the sentences that a caller submits.",
            WAIT_BUCKETS,
            "model",
        )
        self.tokenization = histogram(
            "kortom_tokenization_seconds",
            "Time to count the tokens of the sentences that a caller submits.",
            TOKENIZATION_BUCKETS,
            "model",
        )
        self.inference = histogram(
            "kortom_inference_seconds", "Time of a batch in the engine.", INFERENCE_BUCKETS, "model"
        )
        self.batch_sentences = histogram(
            "kortom_batch_sentences", "Sentences in a batch.", SENTENCE_BUCKETS, "model"
        )
        self.batch_tokens = histogram(
            "kortom_batch_tokens", "Source tokens in a batch.", TOKEN_BUCKETS, "model"
        )
        self.engine_failures = counter(
            "kortom_engine_failures_total", "Batches that an engine failed on.", "model"
        )
        self.summarization = histogram(
            "kortom_summarization_seconds", "Time to sum up an article.", REQUEST_BUCKETS
        )
        self.source_tokens = counter(
            "kortom_source_tokens_total", "Source tokens of the translations in answers."
        )
        self.output_tokens = counter(
            "kortom_output_tokens_total", "Tokens made for the translations in answers."
        )
        self.warnings = counter("kortom_warnings_total", "Warnings in answers, by code.", "code")
        self.model_load = gauge(
            "kortom_model_load_seconds", "Time that loading the model took.", "model"
        )
        self.model_info = gauge(
            "kortom_model_info",
            "1 for each model served; revision is empty for one without files.",
            "name", "revision", "engine",
        )  # fmt: skip
        self.webhook_deliveries = counter(
            "kortom_webhook_deliveries_total",
            "Attempts to tell the webhook that a job has ended, by outcome.",
            "outcome",
        )
        self.build_info = gauge("kortom_build_info", "1 for what runs.", "version", "python")
        self.live = gauge("kortom_live", "1 while the engines answer, 0 when one hangs or died.")
        self.ready = gauge("kortom_ready", "1 while new work is taken, 0 while not.")
        self.memory_limit = gauge(
            "kortom_memory_limit_bytes", "Memory that the process may use; +Inf without a limit."
        )

        self.jobs = gauge("kortom_jobs", "Jobs by state; ended ones until they expire.", "state")
        self.job_queued_articles = gauge(
            "kortom_job_queued_articles", "Articles of jobs that wait, over all servers."
        )
        self.job_oldest_queued = gauge(
            "kortom_job_oldest_queued_seconds", "Age of the oldest job that nobody has begun."
        )
        self.job_attempts = counter(
            "kortom_job_attempts_total",
            "Articles of jobs that this server has worked on, by outcome.",
            "outcome",
        )
        self.lease_expired = counter(
            "kortom_lease_expired_total", "Servers taken for dead: their articles are done again."
        )
        self.database_up = gauge(
            "kortom_database_up", "1 while the database answers, 0 while it does not."
        )

        self.build_info.labels(__version__, platform.python_version()).set(1)
        self.memory_limit.set(memory_limit_bytes())
        self.database_up.set(1)  # until one that is asked does not answer
        # A series that is there from the start has a rate from its first event on.
        for reason in REJECTION_REASONS:
            self.rejected.labels(reason)
        for outcome in WEBHOOK_OUTCOMES:
            self.webhook_deliveries.labels(outcome)
        for outcome in ATTEMPT_OUTCOMES:
            self.job_attempts.labels(outcome)
        for code in WarningCode:
            self.warnings.labels(code.value)
