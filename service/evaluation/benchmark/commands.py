"""The command ``kortom bench`` and its parts."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from service.errors import InvalidRequest
from service.evaluation.benchmark.company import (
    CompanyAmounts,
    CompanyReport,
    format_company,
    measure_company,
)
from service.evaluation.benchmark.load import LoadAmounts, LoadReport, format_load, measure_load
from service.evaluation.benchmark.models import (
    MIXED_TOKENS,
    REAL_SHAPES,
    TRANSLATION,
    Shapes,
    make_sentences,
    prepare,
)
from service.evaluation.benchmark.overload import (
    OverloadAmounts,
    OverloadReport,
    format_overload,
    measure_overload,
)
from service.evaluation.benchmark.report import Report, format_report, setup
from service.evaluation.benchmark.server import Server, serve
from service.evaluation.benchmark.soak import SoakReport, format_soak, measure_soak
from service.evaluation.benchmark.speed import SpeedAmounts, measure_speed
from service.flags import whole_number

PARTS = ("speed", "load", "company", "overload", "soak")


@dataclass(frozen=True)
class Amounts:
    """How much every part runs.

    Attributes:
        speed: see there, as of the others.
        soak_articles: articles of the soak.
    """

    speed: SpeedAmounts = field(default_factory=SpeedAmounts)
    load: LoadAmounts = field(default_factory=LoadAmounts)
    company: CompanyAmounts = field(default_factory=CompanyAmounts)
    overload: OverloadAmounts = field(default_factory=OverloadAmounts)
    soak_articles: int = 1_000

    def with_rounds(self, rounds: int) -> "Amounts":
        """The same in so many rounds."""
        return replace(
            self,
            speed=replace(self.speed, rounds=rounds),
            load=replace(self.load, rounds=rounds),
            company=replace(self.company, rounds=rounds),
        )


QUICK = Amounts(
    speed=SpeedAmounts(
        rounds=1,
        single_sentences=1,
        client_articles=1,
        clients_articles=8,
        total_articles=0,
        starts=1,
    ),
    load=LoadAmounts(rounds=1, clients=(1, 16), seconds=1.0, longest_seconds=10.0, streams=1),
    company=CompanyAmounts(rounds=1, sentences=32),
    overload=OverloadAmounts(seconds=5.0, capacity_seconds=2.0),
    soak_articles=20,
)


@dataclass
class Results:
    """What was measured, ready for JSON; parts that did not run are none."""

    setup: dict[str, str | int]
    speed: Report | None = None
    load: LoadReport | None = None
    company: CompanyReport | None = None
    overload: OverloadReport | None = None
    soak: SoakReport | None = None


def add_parser(subparsers: Any) -> None:
    """Add ``bench`` to the subcommands of ``kortom``."""
    parser = subparsers.add_parser(
        "bench",
        help="measure speed",
        description="Measure speed, latency under load, memory and start-up time on random "
        "weights.",
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} [all]")
    parser.add_argument(
        "--rounds",
        type=whole_number(1, 1_000),
        metavar="N",
        help=f"times that everything runs [{LoadAmounts.rounds}]",
    )
    parser.add_argument("--quick", action="store_true", help="one short round of everything")
    parser.add_argument(
        "--beams",
        type=int,
        choices=range(1, 7),
        metavar="N",
        help="of the service, 1 to 6 [the card's]",
    )
    parser.add_argument(
        "--cache-dir", type=Path, metavar="DIR", help="where the random models are kept"
    )
    parser.add_argument(
        "--libretranslate",
        type=Path,
        metavar="PYTHON",
        help="an interpreter that has libretranslate and spacy, to compare with",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers there, too")
    parser.set_defaults(run=_run)


def run_benchmark(
    cache_dir: Path,
    amounts: Amounts,
    beams: int,
    *,
    parts: Sequence[str] = PARTS,
    libretranslate: Path | None = None,
    shapes: Shapes = REAL_SHAPES,
) -> Results:
    """Measure; progress goes to standard error.

    Args:
        cache_dir: holds the benchmark's models; made on the first run.
        amounts: how much to run.
        beams: beam size of the service, and of the contenders that are compared with it.
        parts: of :data:`PARTS`.
        libretranslate: an interpreter that has it; none leaves it out.
        shapes: dimensions of the models where they are made.

    Raises:
        StartupError: a server did not start, or an answer was of another length.
    """
    # Read by the Hugging Face libraries when they are imported: nothing here asks the network.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    prepared = prepare(cache_dir, beams, shapes)
    command = [
        *(sys.executable, "-m", "service.cli", "serve", "--profile", "light"),
        *("--models-dir", str(prepared.models_dir), "--cards-dir", str(prepared.cards_dir)),
        # Every check finds fault with what random weights write; repairing it would be measured.
        *("--beam-size", str(beams), "--repair", "false", "--log-level", "warning"),
    ]
    spm = prepared.translation / "hub" / "source.spm"
    sentences, mixed = make_sentences(spm), make_sentences(spm, tokens=MIXED_TOKENS)
    results = Results(setup())
    if "speed" in parts:
        results.speed = measure_speed(prepared, command, beams, amounts.speed)
    if "load" in parts:
        with _service(command, "load") as service:
            results.load = measure_load(
                prepared, service, sentences, beams, amounts.load, libretranslate, _say
            )
    if "company" in parts:
        with _service(command, "company") as service:
            results.company = measure_company(
                prepared.translation, service.port, sentences, mixed, beams, amounts.company, _say
            )
    if "overload" in parts:
        with _service(command, "overload") as service:
            results.overload = measure_overload(service, sentences, amounts.overload, _say)
    if "soak" in parts:
        with _service(command, "soak") as service:
            results.soak = measure_soak(service, mixed, amounts.soak_articles, _say)
    return results


@contextmanager
def _service(command: Sequence[str], part: str) -> Iterator[Server]:
    """A service for one part alone: what it did before would show in its memory."""
    _say(f"{part}: starting the service")
    with serve(command) as server:
        yield server


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def format_results(results: Results) -> str:
    """The tables that people read, in Markdown."""
    parts = [
        "; ".join(f"{name} {value}" for name, value in results.setup.items()),
        results.speed and format_report(results.speed),
        results.load and format_load(results.load),
        results.company and format_company(results.company),
        results.overload and format_overload(results.overload),
        results.soak and format_soak(results.soak),
    ]
    return "\n\n".join(part for part in parts if part)


def _run(options: argparse.Namespace) -> int:
    from platformdirs import user_cache_path

    from service.models.card import load_card

    if unknown := set(options.parts) - set(PARTS):
        raise InvalidRequest(f"no part {min(unknown)}: there are {', '.join(PARTS)}")
    # What can't be written is said before anything runs for minutes.
    if options.json and (options.json.is_dir() or not options.json.parent.is_dir()):
        raise InvalidRequest(f"{options.json}: no file can be written there")
    amounts = QUICK if options.quick else Amounts()
    if options.rounds:
        amounts = amounts.with_rounds(options.rounds)
    results = run_benchmark(
        options.cache_dir or user_cache_path("kortom") / "bench",
        amounts,
        options.beams or load_card(TRANSLATION).decoding.beam_size,
        parts=options.parts or PARTS,
        libretranslate=options.libretranslate,
    )
    print(format_results(results))
    if options.json:
        options.json.write_text(json.dumps(asdict(results), indent=2) + "\n", encoding="utf-8")
    return 0
