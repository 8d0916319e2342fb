"""More than the service can do: statuses, latencies, memory, and how soon that is over."""

import http.client
import itertools
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from service.errors import StartupError
from service.evaluation.benchmark.clients import (
    CLIENTS,
    Answer,
    Request,
    article_request,
    closed_loop,
    percentile,
    post,
)
from service.evaluation.benchmark.memory import megabytes, peak_mb, reset_peak, resident_mb
from service.evaluation.benchmark.models import ARTICLE_SENTENCES
from service.evaluation.benchmark.server import Server, connect

OVERLOAD = 5.0
"""Requests that arrive, as a multiple of those that the service can answer."""

EXPECTED_STATUSES = {200, 503, 504}

LONGEST_RECOVERY_SECONDS = 60.0
"""Waited for the speed of before; a machine that others use may never be as fast again."""


@dataclass(frozen=True)
class OverloadAmounts:
    """How much is run.

    Attributes:
        seconds: of overload.
        capacity_seconds: that the capacity is measured before.
        deadline_ms: of every request.
    """

    seconds: float = 30.0
    capacity_seconds: float = 10.0
    deadline_ms: int = 20_000


@dataclass
class OverloadReport:
    """What was measured.

    Attributes:
        capacity: articles a second that clients get who wait for their answers.
        statuses: how many answers of each.
        accepted_p50: seconds of the requests answered 200.
        accepted_p99: the same.
        refused_p99: seconds of the requests answered 503.
        resident_mb: of the service before and after, in 10^6 bytes.
        peak_mb: highest during the overload.
        recovery_seconds: from the last answer until a sentence takes at most twice what it did, or
            a little more than :data:`LONGEST_RECOVERY_SECONDS` where it did not get there.
    """

    capacity: float
    statuses: dict[int, int]
    accepted_p50: float
    accepted_p99: float
    refused_p99: float | None
    resident_mb: tuple[float | None, float | None]
    peak_mb: float | None
    recovery_seconds: float


def measure_overload(
    service: Server,
    sentences: Iterator[str],
    amounts: OverloadAmounts,
    progress: Callable[[str], None],
) -> OverloadReport:
    """Send articles at :data:`OVERLOAD` times the service's capacity, whatever it answers.

    Args:
        service: a running one.
        sentences: where articles are made from.
        amounts: how much to run.
        progress: told what runs.

    Raises:
        StartupError: an answer was neither 200, 503 nor 504, none came, or all were refused.
    """

    def article() -> Request:
        sources = list(itertools.islice(sentences, ARTICLE_SENTENCES))
        return article_request(sources, deadline_ms=amounts.deadline_ms)

    def sentence_seconds() -> float:
        connection = connect(service.port)
        request = Request("/v1/translate", {"texts": [next(sentences)]}, 1)
        answer = post(connection, request)
        connection.close()
        return answer.seconds if answer.status == 200 else float("inf")

    quiet = statistics.median(sentence_seconds() for _ in range(3))
    progress("capacity")
    requests = (article() for _ in itertools.count())
    took, answers = closed_loop(service.port, requests, CLIENTS, amounts.capacity_seconds)
    capacity = sum(answer.status == 200 for answer in answers) / took
    progress(f"overload for {amounts.seconds:.0f} s")
    before = resident_mb(service.pid)
    reset_peak(service.pid)
    gap = 1 / (OVERLOAD * capacity)
    arriving = [article() for _ in range(max(1, int(amounts.seconds / gap)))]
    answers = _open_loop(service.port, arriving, gap)
    start = time.perf_counter()
    recovery = 0.0
    while sentence_seconds() > 2 * quiet and recovery < LONGEST_RECOVERY_SECONDS:
        recovery = time.perf_counter() - start  # each takes its time
    statuses = Counter(answer.status for answer in answers)
    if 200 not in statuses or not EXPECTED_STATUSES.issuperset(statuses):
        raise StartupError(f"the service under overload answered {dict(statuses)}")
    by_status = {
        status: [answer.seconds for answer in answers if answer.status == status]
        for status in statuses
    }
    return OverloadReport(
        capacity=capacity,
        statuses=dict(sorted(statuses.items())),
        accepted_p50=percentile(by_status[200], 50),
        accepted_p99=percentile(by_status[200], 99),
        refused_p99=percentile(by_status[503], 99) if 503 in by_status else None,
        resident_mb=(before, resident_mb(service.pid)),
        peak_mb=peak_mb(service.pid),
        recovery_seconds=recovery,
    )


def _open_loop(port: int, requests: list[Request], gap: float) -> list[Answer]:
    """The answers to requests sent a fixed time apart, however long they take; 0 for none."""
    start = time.perf_counter()

    def send(indexed: tuple[int, Request]) -> Answer:
        index, request = indexed
        time.sleep(max(0.0, start + index * gap - time.perf_counter()))
        connection = connect(port)
        try:
            return post(connection, request)
        except (OSError, http.client.HTTPException):
            return Answer(0, 0.0, request.sentences, b"")
        finally:
            connection.close()

    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(send, enumerate(requests)))


def format_overload(report: OverloadReport) -> str:
    """The table that people read, in Markdown."""
    answered = ", ".join(f"{count} x {status}" for status, count in report.statuses.items())
    before, after = (megabytes(memory) for memory in report.resident_mb)
    refused = "-" if report.refused_p99 is None else f"{report.refused_p99:.3g} s"
    return "\n".join(
        [
            f"| overload: {OVERLOAD:g} times the capacity | |",
            "|---|---:|",
            f"| capacity, articles of {ARTICLE_SENTENCES} sentences | {report.capacity:.3g}/s |",
            f"| answers | {answered} |",
            f"| accepted: p50 | {report.accepted_p50:.3g} s |",
            f"| accepted: p99 | {report.accepted_p99:.3g} s |",
            f"| refused: p99 | {refused} |",
            f"| memory before, highest, after | {before}, {megabytes(report.peak_mb)}, {after} |",
            f"| to the speed of before | {report.recovery_seconds:.3g} s |",
        ]
    )
