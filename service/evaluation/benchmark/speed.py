"""One thing at a time: transformers, bare CTranslate2, the service and the summarizer."""

import itertools
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from service.evaluation.benchmark.clients import CLIENTS, Service
from service.evaluation.benchmark.memory import resident_mb
from service.evaluation.benchmark.models import Prepared, make_sentences
from service.evaluation.benchmark.report import Rate, Report, ratios
from service.evaluation.benchmark.server import serve
from service.evaluation.benchmark.summarization import summarization_contenders
from service.evaluation.benchmark.translation import translation_contenders
from service.machine import usable_cores


@dataclass(frozen=True)
class SpeedAmounts:
    """How much is run.

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


def measure_speed(
    prepared: Prepared, command: Sequence[str], beams: int, amounts: SpeedAmounts
) -> Report:
    """Measure speeds, start-up and memory; a progress bar runs on standard error.

    Args:
        prepared: the models.
        command: starts the service.
        beams: beam size of the service, and of the contenders that are compared with it.
        amounts: how much to run.

    Raises:
        StartupError: the server did not start, or an answer was of another length.
    """
    from tqdm import tqdm

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
