"""Many mixed articles: what the service's memory does."""

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from service.evaluation.benchmark.clients import CLIENTS, Request, closed_loop
from service.evaluation.benchmark.memory import megabytes, resident_mb
from service.evaluation.benchmark.models import join_sentences
from service.evaluation.benchmark.server import Server

ARTICLE_SENTENCES = (1, 40)
"""Fewest and most sentences of an article."""

GROWTH_MB = 50.0
"""Wanted at most, from a tenth of the articles on to the end."""


@dataclass
class SoakReport:
    """What was measured.

    Attributes:
        curve: articles answered, and resident memory of the service then, in 10^6 bytes.
        seconds: that all of them took.
        sentences: that they held.
    """

    curve: list[tuple[int, float]] = field(default_factory=list)
    seconds: float = 0.0
    sentences: int = 0


def measure_soak(
    service: Server, mixed: Iterator[str], articles: int, progress: Callable[[str], None]
) -> SoakReport:
    """Have mixed articles translated and read the service's memory ten times and more on the way.

    Args:
        service: a running one.
        mixed: sentences of mixed lengths.
        articles: how many.
        progress: told what runs.

    Raises:
        StartupError: an answer was not 200.
    """
    choice = random.Random(0)  # noqa: S311 - no secret is made of it
    report = SoakReport()
    step = max(1, articles // 20)
    for begun in range(0, articles, step):
        progress(f"soak: {begun} articles")
        requests = []
        for _ in range(min(step, articles - begun)):
            count = choice.randint(*ARTICLE_SENTENCES)
            text = join_sentences(list(itertools.islice(mixed, count)), choice.randint(1, 6))
            requests.append(Request("/v1/articles", {"text": text}, count))
        took, answers = closed_loop(service.port, iter(requests), CLIENTS)
        for answer in answers:
            answer.json()
        report.seconds += took
        report.sentences += sum(answer.sentences for answer in answers)
        if (memory := resident_mb(service.pid)) is not None:
            report.curve.append((begun + len(requests), memory))
    return report


def growth_mb(report: SoakReport) -> float | None:
    """Memory at the end over that after a tenth of the articles; none where it is not known."""
    if not report.curve:
        return None
    last, at_end = report.curve[-1]
    return at_end - next(memory for articles, memory in report.curve if articles * 10 >= last)


def format_soak(report: SoakReport) -> str:
    """The curve and its growth, in Markdown."""
    lines = ["| articles | resident MB |", "|---:|---:|"]
    lines += [f"| {articles} | {memory:.0f} |" for articles, memory in report.curve]
    speed = f"{report.sentences} sentences in {report.seconds:.0f} s"
    lines += ["", f"{speed}; growth after a tenth: {megabytes(growth_mb(report))}"]
    lines[-1] += f" (wanted: at most {GROWTH_MB:.0f} MB)"
    return "\n".join(lines)
