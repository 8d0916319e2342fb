"""``kortom eval fidelity | translation | summary``."""

import argparse
from collections.abc import Callable
from typing import Any

from service.evaluation import fidelity, summary, translation
from service.flags import PIPELINE_SETTINGS, add_settings
from service.pipeline import ArticlePipeline
from service.summarization.summarizer import Summarizer


def add_parser(
    subparsers: Any,
    *,
    load_pipeline: Callable[[argparse.Namespace], ArticlePipeline],
    load_summarizer: Callable[[argparse.Namespace], Summarizer],
) -> None:
    """Add ``eval`` to the subcommands of ``kortom``.

    Args:
        subparsers: of the ``kortom`` command.
        load_pipeline: the pipeline that the flags ask for.
        load_summarizer: the summarizer that they ask for.
    """
    parser = subparsers.add_parser("eval", help="measure quality")
    kinds = parser.add_subparsers(title="measurements", metavar="MEASUREMENT", required=True)

    kind = kinds.add_parser(
        "fidelity",
        help="count the warnings of translations",
        description="Count the sentences with each warning: those that the served model "
        "translates, or those of --hypotheses. Files hold one UTF-8 line per sentence.",
    )
    fidelity.add_arguments(kind)
    add_settings(kind, PIPELINE_SETTINGS)
    kind.set_defaults(run=lambda options: fidelity.run(options, lambda: load_pipeline(options)))

    kind = kinds.add_parser(
        "translation",
        help="BLEU, chrF and COMET of translations",
        description="Score translations against a reference: those that the served model makes, "
        "or those of --hypotheses. Files hold one UTF-8 line per sentence.",
    )
    translation.add_arguments(kind)
    add_settings(kind, PIPELINE_SETTINGS)
    kind.set_defaults(run=lambda options: translation.run(options, lambda: load_pipeline(options)))

    kind = kinds.add_parser(
        "summary",
        help="ROUGE, support and warnings of bullets",
        description="Score the served summarizer's bullets of English articles against a "
        "reference, beside the first sentences (lead) and the extractive summarizer.",
    )
    summary.add_arguments(kind)
    add_settings(kind, PIPELINE_SETTINGS)
    kind.set_defaults(run=lambda options: summary.run(options, lambda: load_summarizer(options)))
