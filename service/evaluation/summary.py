"""``kortom eval summary``: ROUGE, support and warnings of bullets, beside two simple methods.

ROUGE-1, ROUGE-2 and ROUGE-Lsum F1 (Lin 2004) are those of the package rouge-score with the Porter
stemmer and one bullet a line, as published for CNN/DailyMail; the mean over the articles. They tell
how many words a summary shares with one person's summary, and nothing of whether it is true: that
is what support and warnings are for.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from service.article.document import Document, Format
from service.article.formats import parse
from service.article.normalization import is_blank
from service.article.warnings import Severity, WarningCode
from service.errors import InvalidRequest, StartupError
from service.evaluation.parallel import SEEDS, Load, read_lines, read_seeds
from service.flags import PIPELINE_SETTINGS, add_settings
from service.summarization.extractive import ExtractiveSummarizer, lead
from service.summarization.summarizer import Bullet, Summarizer

if TYPE_CHECKING:
    from rouge_score.rouge_scorer import RougeScorer

ROUGE_TYPES = {"rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "rougeLsum": "ROUGE-Lsum"}


@dataclass(frozen=True, slots=True)
class ReferenceArticle:
    """An English document and the bullets that a person wrote of it."""

    document: Document
    bullets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Quality:
    """What was found in one method's bullets.

    Attributes:
        rouge: mean F1 over the articles from 0 to 100, by the keys of :data:`ROUGE_TYPES`.
        bullets: how many bullets there are.
        written: bullets that a model wrote; the others are sentences of the article.
        support: their mean support; ``None`` where there are none.
        warnings: bullets with each code.
        hard: bullets with a hard warning.
        soft: bullets with a soft one.
    """

    rouge: dict[str, float]
    bullets: int
    written: int
    support: float | None
    warnings: dict[WarningCode, int]
    hard: int
    soft: int

    def per_100(self, count: int) -> float:
        """``count`` as a rate per 100 bullets."""
        return 100 * count / self.bullets if self.bullets else 0.0

    def as_json(self) -> dict[str, Any]:
        """The numbers for ``--json``."""

        def rate(count: int) -> dict[str, Any]:
            return {"bullets": count, "per_100_bullets": self.per_100(count)}

        return {
            "rouge": self.rouge,
            "bullets": self.bullets,
            "written": rate(self.written),
            "support": self.support,
            "warnings": {
                code.value: {"severity": code.severity.value} | rate(count)
                for code, count in self.warnings.items()
            },
            "hard": rate(self.hard),
            "soft": rate(self.soft),
        }


def rouge_scorer() -> "RougeScorer":
    """The scorer of all ROUGE types here.

    Raises:
        StartupError: the extra ``kortom[evaluation]`` is missing.
    """
    try:
        from rouge_score.rouge_scorer import RougeScorer
        from rouge_score.tokenizers import DefaultTokenizer
    except ImportError:
        raise StartupError("scores need more libraries: install kortom[evaluation]") from None
    # Given, because it logs that it takes this one.
    return RougeScorer(list(ROUGE_TYPES), tokenizer=DefaultTokenizer(use_stemmer=True))


def assess(
    articles: Sequence[ReferenceArticle],
    summaries: Sequence[Sequence[Bullet]],
    scorer: "RougeScorer",
) -> Quality:
    """Judge one method's bullets.

    Args:
        articles: at least one.
        summaries: the bullets of each.
        scorer: see :func:`rouge_scorer`.
    """
    scores = [
        scorer.score(_lines(article.bullets), _lines([bullet.text for bullet in bullets]))
        for article, bullets in zip(articles, summaries, strict=True)
    ]
    every = [bullet for bullets in summaries for bullet in bullets]
    found = [{warning.code for warning in bullet.warnings} for bullet in every]
    severities = [{code.severity for code in codes} for codes in found]
    counts = {code: sum(code in codes for codes in found) for code in WarningCode}
    return Quality(
        rouge={
            kind: 100 * fmean(float(score[kind].fmeasure) for score in scores)
            for kind in ROUGE_TYPES
        },
        bullets=len(every),
        written=sum(bullet.written for bullet in every),
        support=fmean(bullet.support for bullet in every) if every else None,
        warnings={code: count for code, count in counts.items() if count},
        hard=sum(Severity.HARD in severity for severity in severities),
        soft=sum(Severity.SOFT in severity for severity in severities),
    )


def compare(
    articles: Sequence[ReferenceArticle], served: Summarizer, bullets: int
) -> dict[str, Quality]:
    """Judge the served summarizer, lead and the extractive one; a progress bar runs.

    Args:
        articles: at least one.
        served: the summarizer in question.
        bullets: how many bullets each method is asked for.

    Returns:
        By name: ``served``, ``lead-3`` (for three bullets) and ``extractive``.

    Raises:
        InferenceError: a model failed.
        StartupError: see :func:`rouge_scorer`.
    """
    from tqdm import tqdm

    scorer = rouge_scorer()
    methods: dict[str, Callable[[Document, int], list[Bullet]]] = {
        "served": served.summarize,
        f"lead-{bullets}": lead,
        "extractive": ExtractiveSummarizer().summarize,
    }
    summaries: dict[str, list[list[Bullet]]] = {name: [] for name in methods}
    for article in tqdm(articles, unit="article", leave=False, delay=2, disable=None):
        for name, summarize in methods.items():
            summaries[name].append(summarize(article.document, bullets))
    return {name: assess(articles, made, scorer) for name, made in summaries.items()}


def read_seed_articles(directory: Path) -> list[ReferenceArticle]:
    """The seed articles in English: the references of their sentences in the same blocks.

    Raises:
        InvalidRequest: they can't be read, or the sentences are not those of the text.
    """
    articles = []
    for article in read_seeds(directory):
        try:
            document = parse(article.text, Format.TEXT).render(article.references())
        except ValueError as error:
            raise InvalidRequest(f"{directory}: {article.name}: {error}") from None
        articles.append(ReferenceArticle(document, article.bullets))
    return articles


def read_set(path: Path) -> list[ReferenceArticle]:
    """The articles of a file of JSON lines, ``{"text": "…", "summary": ["…", …]}``; other keys
    are left alone, blank lines left out.

    Raises:
        InvalidRequest: the file can't be read, a line of it is not such an object, or it is empty.
    """
    articles = []
    for number, line in enumerate(read_lines(path), start=1):
        if is_blank(line):
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise InvalidRequest(f"{path}:{number}: not JSON") from None
        if not isinstance(row, dict):
            raise InvalidRequest(f"{path}:{number}: not a JSON object")
        text, bullets = row.get("text"), row.get("summary")
        if not isinstance(text, str) or is_blank(text):
            raise InvalidRequest(f"{path}:{number}: text: an English article expected")
        if (
            not isinstance(bullets, list)
            or not bullets
            or not all(isinstance(bullet, str) and not is_blank(bullet) for bullet in bullets)
        ):
            raise InvalidRequest(f"{path}:{number}: summary: a list of bullets expected")
        articles.append(ReferenceArticle(parse(text, Format.TEXT), tuple(bullets)))
    if not articles:
        raise InvalidRequest(f"{path}: no articles")
    return articles


def format_table(articles: int, qualities: Mapping[str, Quality]) -> str:
    """The numbers as a Markdown table, one column per method."""
    columns = list(qualities.values())
    lines = [
        f"{articles} articles; {_rouge_version()}; other rates per 100 bullets",
        "",
        f"| | {' | '.join(qualities)} |",
        "|---|" + "---:|" * len(columns),
    ]

    def add(name: str, cells: Sequence[str]) -> None:
        lines.append(f"| {name} | {' | '.join(cells)} |")

    for kind, name in ROUGE_TYPES.items():
        add(name, [f"{quality.rouge[kind]:.2f}" for quality in columns])
    add("bullets", [str(quality.bullets) for quality in columns])
    add("written by a model", [f"{q.per_100(q.written):.1f}" for q in columns])
    add("support", ["-" if q.support is None else f"{q.support:.3f}" for q in columns])
    for code in WarningCode:
        if any(code in quality.warnings for quality in columns):
            rates = [quality.per_100(quality.warnings.get(code, 0)) for quality in columns]
            add(f"{code} ({code.severity})", [f"{rate:.1f}" for rate in rates])
    for severity in ("hard", "soft"):
        rates = [quality.per_100(getattr(quality, severity)) for quality in columns]
        add(f"any {severity} warning", [f"{rate:.1f}" for rate in rates])
    return "\n".join(lines)


def add_parser(subparsers: Any, load: Load[Summarizer]) -> None:
    """Add ``summary`` to the measurements of ``kortom eval``.

    Args:
        subparsers: of ``kortom eval``.
        load: loads the served summarizer.
    """
    parser = subparsers.add_parser(
        "summary",
        help="ROUGE, support and warnings of bullets",
        description="Score the served summarizer's bullets of English articles against a "
        "reference, beside the first sentences (lead) and the extractive summarizer.",
    )
    articles = parser.add_mutually_exclusive_group()
    articles.add_argument(
        "--seeds", type=Path, metavar="DIR", help="seed articles [the seeds of a checkout]"
    )
    articles.add_argument(
        "--set",
        type=Path,
        metavar="FILE.jsonl",
        help='lines {"text": English article, "summary": ["bullet", …]}',
    )
    parser.add_argument(
        "--bullets", type=int, choices=range(1, 11), default=3, metavar="N", help="1 to 10 [3]"
    )
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    add_settings(parser, PIPELINE_SETTINGS)
    parser.set_defaults(run=partial(_run, load))


def _run(load: Load[Summarizer], options: argparse.Namespace) -> int:
    if options.set:
        articles = read_set(options.set)
    elif options.seeds or SEEDS.is_dir():
        articles = read_seed_articles(options.seeds or SEEDS)
    else:
        raise InvalidRequest("name the articles: --set FILE.jsonl or --seeds DIR")
    rouge_scorer()  # what is missing is said before a model is loaded
    served = load(options)
    qualities = compare(articles, served, options.bullets)
    if options.json:
        report = {
            "articles": len(articles),
            "metric": _rouge_version(),
            "served": {"method": served.method, "engine": served.engine},
            "summaries": {name: quality.as_json() for name, quality in qualities.items()},
        }
        print(json.dumps(report, indent=2))
    else:
        print(format_table(len(articles), qualities))
    return 0


def _lines(bullets: Sequence[str]) -> str:
    """One bullet a line, as ROUGE-Lsum wants the sentences."""
    return "\n".join(" ".join(bullet.split()) for bullet in bullets)


def _rouge_version() -> str:
    return f"rouge-score {version('rouge-score')}, use_stemmer, F1"
