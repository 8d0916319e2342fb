"""``kortom eval translation``: BLEU, chrF and COMET of translations against a reference.

BLEU (Papineni et al. 2002) and chrF2 (Popović 2015) are sacreBLEU's (Post 2018), each with the
signature without which two numbers can't be compared. COMET (Rei et al. 2020) is the work of
``comet-score``, the command of the package unbabel-comet. That is run as a program, because the
package (2.2.7) wants transformers below 5 and lives in an environment of its own.
"""

import argparse
import errno
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service.errors import InvalidRequest, StartupError
from service.evaluation.parallel import (
    Load,
    add_parallel_flags,
    read_parallel,
    translate_lines,
)
from service.flags import PIPELINE_SETTINGS, add_settings
from service.pipeline import ArticlePipeline

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric

COMET_PROGRAM = "comet-score"


@dataclass(frozen=True, slots=True)
class Score:
    """A metric's score of a whole set.

    Attributes:
        name: of the metric.
        value: the score; ``None`` where it was not computed.
        note: the signature of the score, or why there is none.
    """

    name: str
    value: float | None
    note: str


def sacrebleu_metrics() -> "list[Metric]":
    """BLEU and chrF2 with sacreBLEU's defaults.

    Raises:
        StartupError: the extra ``kortom[evaluation]`` is missing.
    """
    try:
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF
    except ImportError:
        raise StartupError("scores need more libraries: install kortom[evaluation]") from None
    return [BLEU(), CHRF()]


def sacrebleu_score(
    metric: "Metric", hypotheses: Sequence[str], references: Sequence[str]
) -> Score:
    """The score from 0 to 100, with its signature."""
    score = metric.corpus_score(hypotheses, [references])
    return Score(score.name, score.score, str(metric.get_signature()))


def comet_program(checkpoint: Path) -> str:
    """The path of ``comet-score``, which can run.

    Raises:
        StartupError: it or the checkpoint of its model is missing.
    """
    program = shutil.which(COMET_PROGRAM)
    if program is None:
        raise StartupError(f"COMET is not installed: no {COMET_PROGRAM} (unbabel-comet) on PATH")
    if not checkpoint.is_file():
        raise StartupError(f"{checkpoint}: no such file")
    return program


def comet_score(
    checkpoint: Path,
    sources: Sequence[str],
    hypotheses: Sequence[str],
    references: Sequence[str],
) -> Score:
    """The score by ``comet-score`` with the model of a checkpoint; it asks no hub for anything.

    Raises:
        StartupError: as :func:`comet_program`, or it failed.
    """
    command = [comet_program(checkpoint), "--quiet", "--only_system", "--model", str(checkpoint)]
    with tempfile.TemporaryDirectory() as directory:
        for flag, lines in (("-s", sources), ("-t", hypotheses), ("-r", references)):
            path = Path(directory, flag)
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            command += (flag, str(path))
        done = subprocess.run(  # noqa: S603 - the program that the operator installed
            command,
            env=os.environ | {"HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
    # The last line says "FILE\tscore: 0.8615".
    value = done.stdout.rpartition("score: ")[2].strip()
    if done.returncode or not re.fullmatch(r"-?[0-9.]+", value):
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise StartupError(f"{COMET_PROGRAM} failed: {''.join(said)[:300]}")
    return Score("COMET", float(value), f"model:{checkpoint.resolve()}")


def format_scores(sentences: int, scores: Sequence[Score]) -> str:
    """The scores for people, one a line with what it can be compared by."""
    lines = [f"{sentences} sentences", ""]
    for score in scores:
        # COMET lies between 0 and 1 and is quoted with four digits; the others go up to 100.
        digits = 4 if score.name == "COMET" else 2
        value = "-" if score.value is None else f"{score.value:.{digits}f}"
        lines.append(f"{score.name:6} {value:>7}  {score.note}")
    return "\n".join(lines)


def scores_as_json(sentences: int, scores: Sequence[Score]) -> dict[str, Any]:
    """The scores for ``--json``, by the metric's name in lower case."""
    report: dict[str, Any] = {"sentences": sentences}
    for score in scores:
        note = "reason" if score.value is None else "signature"
        report[score.name.lower()] = {"score": score.value, note: score.note}
    return report


def add_parser(subparsers: Any, load: Load[ArticlePipeline]) -> None:
    """Add ``translation`` to the measurements of ``kortom eval``.

    Args:
        subparsers: of ``kortom eval``.
        load: loads the served models.
    """
    parser = subparsers.add_parser(
        "translation",
        help="BLEU, chrF and COMET of translations",
        description="Score translations against a reference: those that the served model makes, "
        "or those of --hypotheses. Files hold one UTF-8 line per sentence.",
    )
    add_parallel_flags(parser)
    parser.add_argument(
        "--output", type=Path, metavar="FILE.en", help="write the scored translations there"
    )
    parser.add_argument(
        "--comet", type=Path, metavar="FILE.ckpt", help="a COMET model, for comet-score on PATH"
    )
    parser.add_argument("--json", action="store_true", help="print the scores as JSON")
    add_settings(parser, PIPELINE_SETTINGS)
    parser.set_defaults(run=partial(_run, load))


def _run(load: Load[ArticlePipeline], options: argparse.Namespace) -> int:
    parallel = read_parallel(options.set, options.reference, options.hypotheses)
    references, hypotheses = parallel.references, parallel.hypotheses
    if references is None:
        raise InvalidRequest("name the file with good translations: --reference FILE.en")
    # What is missing is said before a model works for minutes.
    metrics = sacrebleu_metrics()
    if options.comet:
        comet_program(options.comet)
    if options.output:
        _check_output(options.output, (options.set, options.reference, options.hypotheses))
    if hypotheses is None:
        documents = translate_lines(parallel.sources, load(options))
        hypotheses = [" ".join(document.target.text.split()) for document in documents]
    if options.output:
        _write_lines(options.output, hypotheses)
    scores = [sacrebleu_score(metric, hypotheses, references) for metric in metrics]
    if options.comet:
        scores.append(comet_score(options.comet, parallel.sources, hypotheses, references))
    else:
        missing = "needs --comet FILE.ckpt" if shutil.which(COMET_PROGRAM) else "not installed"
        scores.append(Score("COMET", None, missing))
    if options.json:
        print(json.dumps(scores_as_json(len(hypotheses), scores), indent=2))
    else:
        print(format_scores(len(hypotheses), scores))
    return 0


def _check_output(output: Path, inputs: Iterable[Path | None]) -> None:
    """Refuses a file that can't be written in the end, or that is read."""
    if not output.parent.is_dir():
        raise InvalidRequest(f"{output}: no such directory")
    if output.exists() and not output.is_file():
        raise InvalidRequest(f"{output}: this is no file")
    if output.exists() and any(path is not None and output.samefile(path) for path in inputs):
        raise InvalidRequest(f"{output}: this file is read")
    if not os.access(output if output.exists() else output.parent, os.W_OK):
        raise InvalidRequest(f"{output}: {os.strerror(errno.EACCES)}")


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    """Writes the whole file or none."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise InvalidRequest(f"{path}: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
