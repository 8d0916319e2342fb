"""``kortom eval fidelity | translation | summary``."""

from typing import Any

from service.evaluation import fidelity, summary, translation
from service.evaluation.parallel import Load
from service.pipeline import ArticlePipeline
from service.summarization.summarizer import Summarizer


def add_parser(
    subparsers: Any,
    *,
    load_pipeline: Load[ArticlePipeline],
    load_summarizer: Load[Summarizer],
) -> None:
    """Add ``eval`` to the subcommands of ``kortom``.

    Args:
        subparsers: of the ``kortom`` command.
        load_pipeline: the pipeline that the flags ask for.
        load_summarizer: the summarizer that they ask for.
    """
    parser = subparsers.add_parser(
        "eval",
        help="measure quality",
        description="Measure the quality of translations and bullets.",
    )
    kinds = parser.add_subparsers(title="measurements", metavar="MEASUREMENT", required=True)
    fidelity.add_parser(kinds, load_pipeline)
    translation.add_parser(kinds, load_pipeline)
    summary.add_parser(kinds, load_summarizer)
