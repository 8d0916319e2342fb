"""``kortom eval fidelity``: how many translations the guard's checks find fault with.

The sentences are the lines of a file. Their translations are another file's lines, or are made by
the served model. The same checks on a reference translation tell how often they are wrong.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from service.article.normalization import normalize
from service.article.warnings import ArticleWarning, Severity, WarningCode
from service.evaluation.parallel import (
    Load,
    add_parallel_flags,
    read_parallel,
    translate_lines,
)
from service.flags import PIPELINE_SETTINGS, add_settings, whole_number
from service.pipeline import ArticlePipeline
from service.translation import guard


@dataclass(frozen=True, slots=True)
class Judged:
    """A sentence, its translation, and what was found."""

    source: str
    target: str
    warnings: tuple[ArticleWarning, ...]


@dataclass(frozen=True, slots=True)
class Rates:
    """How many sentences have a warning.

    Attributes:
        sentences: all sentences.
        checks: sentences with each code; all codes of the guard and those found besides.
        hard: sentences with a hard warning.
        soft: sentences with a soft one.
        any: sentences with one or the other.
    """

    sentences: int
    checks: dict[WarningCode, int]
    hard: int
    soft: int
    any: int

    def share(self, count: int) -> float:
        """``count`` as a share of all sentences, from 0 to 1."""
        return count / self.sentences if self.sentences else 0.0

    def as_json(self) -> dict[str, Any]:
        """The rates for ``--json``."""
        rates: dict[str, Any] = {
            "checks": {
                code.value: {
                    "severity": code.severity.value,
                    "sentences": count,
                    "share": self.share(count),
                }
                for code, count in self.checks.items()
            }
        }
        for name in ("hard", "soft", "any"):
            count = getattr(self, name)
            rates[name] = {"sentences": count, "share": self.share(count)}
        return rates


def rate(judged: Sequence[Judged]) -> Rates:
    """Count the sentences with each warning."""
    found = [{warning.code for warning in sentence.warnings} for sentence in judged]
    severities = [{code.severity for code in codes} for codes in found]
    checks = {
        code: sum(code in codes for codes in found)
        for code in WarningCode
        if code in guard.CODES or any(code in codes for codes in found)
    }
    return Rates(
        sentences=len(judged),
        checks=checks,
        hard=sum(Severity.HARD in severity for severity in severities),
        soft=sum(Severity.SOFT in severity for severity in severities),
        any=sum(bool(severity - {Severity.NOTICE}) for severity in severities),
    )


def judge(sources: Sequence[str], targets: Iterable[str]) -> list[Judged]:
    """What the guard finds in given translations, one for each source."""
    return [
        Judged(source, target, tuple(guard.check(normalize(source), target)))
        for source, target in zip(sources, targets, strict=True)
    ]


def translate(sources: Sequence[str], pipeline: ArticlePipeline) -> list[Judged]:
    """The pipeline's translations of the lines, each a text of its own, with their warnings."""
    return [
        Judged(
            source,
            document.target.text,
            tuple(warning for sentence in document.sentences for warning in sentence.warnings),
        )
        for source, document in zip(sources, translate_lines(sources, pipeline), strict=True)
    ]


def format_table(hypotheses: Rates, reference: Rates | None = None) -> str:
    """The rates as a Markdown table, with those of the reference in the last column."""
    columns = [hypotheses] if reference is None else [hypotheses, reference]
    head = "| check | severity | sentences | share |"
    lines = [
        f"{hypotheses.sentences} sentences",
        "",
        head if reference is None else f"{head} share of the reference |",
        "|---|---|---:|---:|" + "---:|" * (len(columns) - 1),
    ]

    def add(name: str, severity: str, counts: Sequence[int]) -> None:
        shares = [
            f"{100 * rates.share(count):.2f} %"
            for rates, count in zip(columns, counts, strict=True)
        ]
        lines.append(f"| {name} | {severity} | {counts[0]} | {' | '.join(shares)} |")

    for code in WarningCode:
        if any(code in rates.checks for rates in columns):
            add(code, code.severity, [rates.checks.get(code, 0) for rates in columns])
    for name in ("hard", "soft", "any"):
        add(f"**{name}**", "", [getattr(rates, name) for rates in columns])
    return "\n".join(lines)


def format_examples(judged: Sequence[Judged], count: int) -> str:
    """The first ``count`` sentences with each warning, with what it rests on."""
    lines = []
    for code in WarningCode:
        found = [
            (warning, sentence)
            for sentence in judged
            for warning in sentence.warnings
            if warning.code is code
        ]
        for warning, sentence in found[:count]:
            lines += ["", f"{code}: {warning.evidence}", f"  nl: {sentence.source}"]
            lines.append(f"  en: {' '.join(sentence.target.split())}")
    return "\n".join(lines)


def add_parser(subparsers: Any, load: Load[ArticlePipeline]) -> None:
    """Add ``fidelity`` to the measurements of ``kortom eval``.

    Args:
        subparsers: of ``kortom eval``.
        load: loads the served models.
    """
    parser = subparsers.add_parser(
        "fidelity",
        help="count the warnings of translations",
        description="Count the sentences with each warning: those that the served model "
        "translates, or those of --hypotheses. Files hold one UTF-8 line per sentence.",
    )
    add_parallel_flags(parser)
    parser.add_argument(
        "--examples",
        type=whole_number(0, 1_000),
        default=0,
        metavar="N",
        help="print N sentences with each warning",
    )
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")
    add_settings(parser, PIPELINE_SETTINGS)
    parser.set_defaults(run=partial(_run, load))


def _run(load: Load[ArticlePipeline], options: argparse.Namespace) -> int:
    parallel = read_parallel(options.set, options.reference, options.hypotheses)
    sources, references, hypotheses = parallel.sources, parallel.references, parallel.hypotheses
    reference = None if references is None else rate(judge(sources, references))
    judged = translate(sources, load(options)) if hypotheses is None else judge(sources, hypotheses)
    rates = rate(judged)
    if options.json:
        report = {"sentences": rates.sentences, "hypotheses": rates.as_json()}
        if reference is not None:
            report["reference"] = reference.as_json()
        print(json.dumps(report, indent=2))
    else:
        print(format_table(rates, reference))
        if options.examples:
            print(format_examples(judged, options.examples))
    return 0
