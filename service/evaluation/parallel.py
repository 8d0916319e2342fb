"""What the measurements share: parallel texts (files that hold one UTF-8 line per sentence), the
flags that name them, and their translation."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from service.article.normalization import is_blank
from service.errors import InvalidRequest
from service.evaluation.seeds import SeedArticle, SeedError, load_seeds
from service.pipeline import ArticlePipeline
from service.translation.documents import TranslatedDocument

Model = TypeVar("Model")
Load = Callable[[argparse.Namespace], Model]
"""Loads what the parsed flags ask for; raises StartupError when a model is missing or damaged."""

SEEDS = Path("seeds")
"""In a checkout, the set that is taken when none is given."""


@dataclass(frozen=True, slots=True)
class ParallelText:
    """The lines of a set, side by side.

    Attributes:
        sources: Dutch lines, none of them blank; at least one.
        references: good translations of them, or ``None``.
        hypotheses: translations to judge, or ``None``.
    """

    sources: list[str]
    references: list[str] | None
    hypotheses: list[str] | None


def add_parallel_flags(parser: argparse.ArgumentParser) -> None:
    """Add ``--set``, ``--reference`` and ``--hypotheses``, the files of :func:`read_parallel`."""
    parser.add_argument(
        "--set", type=Path, metavar="FILE.nl", help="Dutch lines [the seeds of a checkout]"
    )
    parser.add_argument(
        "--reference", type=Path, metavar="FILE.en", help="good translations, to compare with"
    )
    parser.add_argument(
        "--hypotheses", type=Path, metavar="FILE.en", help="translations to judge; no model runs"
    )


def read_parallel(
    source: Path | None, reference: Path | None = None, hypotheses: Path | None = None
) -> ParallelText:
    """Read the files of a set; where a Dutch line is blank, all leave it out.

    Args:
        source: the Dutch lines; ``None`` takes the seeds of a checkout with their references.
        reference: as many lines of good translations.
        hypotheses: as many lines of translations to judge.

    Raises:
        InvalidRequest: a file can't be read, has another number of lines or holds nothing, or no
            set was named where there are no seeds.
    """
    if source is None:
        if reference or hypotheses or not SEEDS.is_dir():
            raise InvalidRequest("name the file with the Dutch lines: --set FILE.nl")
        pairs = [pair for article in read_seeds(SEEDS) for pair in article.pairs()]
        return ParallelText(
            [dutch for dutch, _ in pairs], [english for _, english in pairs], hypotheses=None
        )
    lines = read_lines(source)
    kept = [number for number, line in enumerate(lines) if not is_blank(line)]
    if not kept:
        raise InvalidRequest(f"{source}: no lines to translate")
    others: list[list[str] | None] = []
    for path in (reference, hypotheses):
        beside = None if path is None else read_lines(path)
        if beside is not None and len(beside) != len(lines):
            raise InvalidRequest(
                f"{path} has {len(beside)} lines, {source} has {len(lines)}: they must match"
            )
        others.append(None if beside is None else [beside[number] for number in kept])
    return ParallelText([lines[number] for number in kept], *others)


def read_seeds(directory: Path) -> list[SeedArticle]:
    """The seed articles of a directory.

    Raises:
        InvalidRequest: they can't be read.
    """
    try:
        return load_seeds(directory)
    except SeedError as error:
        raise InvalidRequest(str(error)) from None


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 file, without line ends and byte order mark.

    Raises:
        InvalidRequest: it can't be read or is not UTF-8.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InvalidRequest(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{path}: not UTF-8 at byte {error.start}") from None
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def translate_lines(lines: Sequence[str], pipeline: ArticlePipeline) -> list[TranslatedDocument]:
    """The pipeline's translations of the lines, each a text of its own, under a progress bar."""
    from tqdm import tqdm

    with tqdm(unit="sentence", leave=False, delay=2, disable=None) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        documents, _ = pipeline.translate_texts(lines, checkpoint=show)
    return documents
