"""The command ``kortom bench`` and the order in which everything is measured."""

import argparse
import itertools
import json
import os
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from service.evaluation.benchmark.models import (
    REAL_SHAPES,
    TRANSLATION,
    Shapes,
    make_sentences,
    prepare,
)
from service.evaluation.benchmark.report import Rate, Report, format_report, ratios, setup
from service.evaluation.benchmark.server import CLIENTS, Service, resident_mb, serve
from service.evaluation.benchmark.summarization import summarization_contenders
from service.evaluation.benchmark.translation import translation_contenders
from service.settings import usable_cores


@dataclass(frozen=True)
class Amounts:
    """How much work one run does.

    Attributes:
        rounds: times that every contender runs.
        single_sentences: sentences for transformers one at a time, in one round.
        client_articles: articles for the service with one client, in one round.
        clients_articles: articles for the service with all clients together, in one round.
        total_articles: articles that the server has answered when its memory is read.
        starts: times that the server is started to measure the time until it is ready.
    """

    rounds: int = 3
    single_sentences: int = 3
    client_articles: int = 4
    clients_articles: int = 24
    total_articles: int = 200
    starts: int = 3


QUICK = Amounts(
    rounds=1, single_sentences=1, client_articles=1, clients_articles=8, total_articles=0, starts=1
)


def add_parser(subparsers: Any) -> None:
    """Add ``bench`` to the subcommands of ``kortom``."""
    parser = subparsers.add_parser(
        "bench",
        help="measure speed",
        description="Measure sentences and summaries per second, memory and start-up time on "
        "random weights.",
    )
    parser.add_argument("--rounds", type=int, metavar="N", help=f"[{Amounts.rounds}]")
    parser.add_argument("--quick", action="store_true", help="one short round; no memory after 200")
    parser.add_argument(
        "--beams", type=int, choices=range(1, 7), help="of the service [the card's]"
    )
    parser.add_argument("--cache-dir", type=Path, help="where the random models are kept")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers there, too")
    parser.set_defaults(run=_run)


def run_benchmark(
    cache_dir: Path, amounts: Amounts, beams: int, shapes: Shapes = REAL_SHAPES
) -> Report:
    """Measure everything; a progress bar runs on standard error.

    Args:
        cache_dir: holds the benchmark's models; made on the first run.
        amounts: how much to run.
        beams: beam size of the service, and of the contenders that are compared with it.
        shapes: dimensions of the models where they are made.

    Raises:
        StartupError: the server did not start, or an answer was not of the forced length.
    """
    from tqdm import tqdm

    # Read by the Hugging Face libraries when they are imported: nothing here asks the network.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    prepared = prepare(cache_dir, beams, shapes)
    command = [
        *(sys.executable, "-m", "service.cli", "serve", "--profile", "light"),
        *("--models-dir", str(prepared.models_dir), "--cards-dir", str(prepared.cards_dir)),
        # Every check finds fault with what random weights write; repairing it would be measured.
        *("--beam-size", str(beams), "--repair", "false", "--log-level", "warning"),
    ]
    with ExitStack() as stack:
        ready = []
        for _ in range(amounts.starts - 1):
            with serve(command) as server:
                ready.append(server.ready_seconds)
        server = stack.enter_context(serve(command))
        ready.append(server.ready_seconds)

        _set_up_torch()
        sentences = make_sentences(prepared.translation / "hub" / "source.spm")
        service = Service(server.port, sentences)
        stack.callback(service.close)
        contenders = translation_contenders(
            prepared.translation,
            sentences,
            service,
            beams,
            single_sentences=amounts.single_sentences,
            client_articles=amounts.client_articles,
            clients_articles=amounts.clients_articles,
        ) | summarization_contenders(prepared.summarization)
        report = Report(
            setup=setup(),
            rates={key: Rate(c.label, c.beams, c.unit) for key, c in contenders.items()},
            ready_seconds=ready,
        )
        bar = stack.enter_context(tqdm(total=amounts.rounds * len(contenders), unit="run"))
        for _, (key, contender) in itertools.product(range(amounts.rounds), contenders.items()):
            bar.set_description(contender.label)
            start = time.perf_counter()
            contender.run()
            seconds = time.perf_counter() - start
            report.rates[key].per_second.append(contender.amount / seconds)
            bar.update()
        if (missing := amounts.total_articles - service.answered) > 0:
            bar.set_description(f"service, {missing} more articles")
            service.translate(CLIENTS, missing)
        report.articles = service.answered
        report.resident_mb = resident_mb(server.pid)
    report.ratios = ratios(report.rates)
    return report


def _set_up_torch() -> None:
    """All cores for torch, and no chatter from transformers."""
    import torch
    import transformers

    logging: Any = transformers.utils.logging
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    torch.set_num_threads(usable_cores())


def _run(options: argparse.Namespace) -> int:
    from platformdirs import user_cache_path

    from service.models.card import load_card

    amounts = QUICK if options.quick else Amounts()
    if options.rounds:
        amounts = replace(amounts, rounds=options.rounds)
    beams = options.beams or load_card(TRANSLATION).decoding.beam_size
    cache_dir = options.cache_dir or user_cache_path("kortom") / "bench"
    report = run_benchmark(cache_dir, amounts, beams)
    print(format_report(report))
    if options.json:
        options.json.write_text(json.dumps(asdict(report), indent=2) + "\n", encoding="utf-8")
    return 0
