"""What the benchmark runs, what it measured, and the table that people read."""

import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from service.errors import StartupError
from service.evaluation.benchmark.models import ARTICLE_SENTENCES
from service.machine import usable_cores

Unit = Literal["sentences", "summaries"]

LENGTH_TOLERANCE = 0.05
"""Arithmetic differs between engines: a sentence may end a token sooner or later."""


@dataclass(frozen=True)
class Contender:
    """One thing that is timed.

    Attributes:
        label: what is run.
        beams: hypotheses kept per step.
        unit: what it makes.
        amount: how many it makes in one run.
        run: makes them.
    """

    label: str
    beams: int
    unit: Unit
    amount: int
    run: Callable[[], object]


@dataclass
class Rate:
    """Speed of one contender.

    Attributes:
        label: what was run.
        beams: hypotheses kept per step.
        unit: what it makes.
        per_second: how many a second, one value per round.
    """

    label: str
    beams: int
    unit: Unit
    per_second: list[float] = field(default_factory=list)


@dataclass
class Report:
    """What was measured of speed, ready for JSON.

    Attributes:
        rates: speeds by contender.
        ratios: medians over the rounds of ratios within one round, by description.
        ready_seconds: from process start to the first 200 of ``/readyz``, one value per start.
        articles: articles that the server had answered when its memory was read.
        resident_mb: resident memory of the server then, in 10^6 bytes; none where not Linux.
    """

    rates: dict[str, Rate]
    ratios: dict[str, float] = field(default_factory=dict)
    ready_seconds: list[float] = field(default_factory=list)
    articles: int = 0
    resident_mb: float | None = None


_RATIOS = {
    "service with one client / bare CTranslate2: (d) / (c)": ("d", "c"),
    "service with one client / transformers as on the hub: (d) / (a)": ("d", "a"),
    "the same at the same beams: (d) / (a')": ("d", "a'"),
    "service with 8 clients / transformers as on the hub: (e) / (a)": ("e", "a"),
    "service with one client / transformers in batches, same beams: (d) / (b')": ("d", "b'"),
    "gain of the vocabulary map: (c) / (c')": ("c", "c'"),
    "summaries, CTranslate2 / transformers: (g) / (f)": ("g", "f"),
}


def ratios(rates: dict[str, Rate]) -> dict[str, float]:
    """The ratios of the table: medians over the rounds."""
    medians = {
        description: statistics.median(
            above / below
            for above, below in zip(
                rates[numerator].per_second, rates[denominator].per_second, strict=True
            )
        )
        for description, (numerator, denominator) in _RATIOS.items()
    }
    # Seconds per article are ARTICLE_SENTENCES / (d) for the translation and 1 / (g) for the rest.
    medians["share of the summary in one article's time: (g) after (d)"] = statistics.median(
        sentences / (sentences + ARTICLE_SENTENCES * summaries)
        for sentences, summaries in zip(rates["d"].per_second, rates["g"].per_second, strict=True)
    )
    return medians


def format_report(report: Report) -> str:
    """The tables that people read, in Markdown."""
    lines = [
        "| | beams | | per second, median | range |",
        "|---|---:|---|---:|---:|",
    ]
    for key, rate in sorted(report.rates.items()):
        speeds = rate.per_second
        lines.append(
            f"| ({key}) {rate.label} | {rate.beams} | {rate.unit} "
            f"| {statistics.median(speeds):.3g} | {min(speeds):.3g}-{max(speeds):.3g} |"
        )
    lines += ["", "| | |", "|---|---:|"]
    lines += [f"| {name} | {ratio:.2f} |" for name, ratio in report.ratios.items()]
    if report.resident_mb is not None:
        memory = f"{report.resident_mb:.0f} MB"
        lines.append(
            f"| resident memory of the service after {report.articles} articles | {memory} |"
        )
    lines.append(f"| process start to ready | {statistics.median(report.ready_seconds):.1f} s |")
    return "\n".join(lines)


def check_length(engine: str, length: int, expected: int) -> None:
    """Speeds can be compared only when all engines write as many tokens, but for rounding.

    Raises:
        StartupError: they do not.
    """
    if abs(length - expected) > LENGTH_TOLERANCE * expected:
        raise StartupError(f"{engine} made {length} tokens where {expected} were due")


def spread(values: Sequence[float]) -> str:
    """Median and range: ``1.5 (1.2-1.9)``."""
    return f"{statistics.median(values):.3g} ({min(values):.3g}-{max(values):.3g})"


def setup() -> dict[str, str | int]:
    """The machine and the versions."""
    facts: dict[str, str | int] = {"cores": usable_cores(), "CPU": _cpu()}
    facts["Python"] = platform.python_version()
    for name in ("torch", "transformers", "ctranslate2"):
        facts[name] = version(name)
    return facts


def _cpu() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
