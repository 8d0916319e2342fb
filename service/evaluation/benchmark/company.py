"""What batches and threads cost, and whether an answer depends on who else asks."""

import itertools
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from service.evaluation.benchmark.clients import Request, closed_loop
from service.evaluation.benchmark.direct import MAX_BATCH_SENTENCES, Direct
from service.evaluation.benchmark.report import spread
from service.machine import usable_cores
from service.translation.decoding import LENGTH_STEP

THREAD_SENTENCES = (1, 16, 32)


@dataclass(frozen=True)
class CompanyAmounts:
    """How much is run.

    Attributes:
        rounds: times that every way runs.
        sentences: of mixed lengths.
        clients: at the same time, where answers are compared.
    """

    rounds: int = 3
    sentences: int = 128
    clients: int = 16


@dataclass
class CompanyReport:
    """What was measured.

    Attributes:
        threads: seconds by ``inter x intra`` threads and sentences in one call, one per round.
        ways: sentences a second by way of batching, one per round.
        changed: results that are not those of the sentence alone, by way of batching: other tokens,
            or another score.
        compared: how many were compared.
        service_changed: answers of the service under load that are not those to the same requests
            one at a time.
    """

    threads: dict[str, dict[int, list[float]]] = field(default_factory=dict)
    ways: dict[str, list[float]] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    compared: int = 0
    service_changed: int = 0


PADDED = "mixed lengths padded together"
BY_CLASS = f"by length class of {LENGTH_STEP} tokens"
ALONE = "each alone"


def measure_company(
    model: Path,
    port: int,
    sentences: Iterator[str],
    mixed: Iterator[str],
    beams: int,
    amounts: CompanyAmounts,
    progress: Callable[[str], None],
) -> CompanyReport:
    """Run every choice of threads and every way of batching, all of them once in every round.

    Args:
        model: the translation model.
        port: of a running service.
        sentences: of one length.
        mixed: of mixed lengths.
        beams: beam size.
        amounts: how much to run.
        progress: told what runs.
    """
    report = CompanyReport(threads=_measure_threads(model, sentences, beams, amounts, progress))
    texts = list(itertools.islice(mixed, amounts.sentences))
    report.compared = len(texts)
    _measure_ways(model, texts, beams, amounts.rounds, report, progress)
    progress("answers alone and in company")
    requests = [Request("/v1/articles", {"text": text, "summary": None}, 1) for text in texts]
    alone, together = (_translations(port, requests, clients) for clients in (1, amounts.clients))
    report.service_changed = sum(alone[text] != together[text] for text in alone)
    return report


def _measure_threads(
    model: Path,
    sentences: Iterator[str],
    beams: int,
    amounts: CompanyAmounts,
    progress: Callable[[str], None],
) -> dict[str, dict[int, list[float]]]:
    cores = usable_cores()
    seconds: dict[str, dict[int, list[float]]] = {}
    with ExitStack() as stack:
        processes = {}
        for inter, intra in ((1, 1), (1, cores), (cores, 1)):
            process = Direct(model, beams, inter_threads=inter, intra_threads=intra)
            processes[f"{inter} x {intra}"] = stack.enter_context(process)
            process.translate(list(itertools.islice(sentences, cores)))
        for _, amount in itertools.product(range(amounts.rounds), THREAD_SENTENCES):
            texts = list(itertools.islice(sentences, amount))
            for name, process in processes.items():
                progress(f"threads {name}: {amount} sentences")
                measured = seconds.setdefault(name, {}).setdefault(amount, [])
                measured.append(process.translate(texts)[0])
    return seconds


Tokens = Sequence[Sequence[str]]
Batches = list[list[int]]
"""Indices of sentences, by batch."""


def _in_order(tokens: Tokens) -> Batches:
    return _cut(list(range(len(tokens))))


def _by_class(tokens: Tokens) -> Batches:
    classes = defaultdict(list)
    for index, sentence in enumerate(tokens):
        classes[len(sentence) // LENGTH_STEP].append(index)
    return [batch for indices in classes.values() for batch in _cut(indices)]


def _alone(tokens: Tokens) -> Batches:
    return [[index] for index in range(len(tokens))]


def _cut(indices: list[int]) -> Batches:
    return [
        indices[start : start + MAX_BATCH_SENTENCES]
        for start in range(0, len(indices), MAX_BATCH_SENTENCES)
    ]


_WAYS = {PADDED: _in_order, BY_CLASS: _by_class, ALONE: _alone}


def _measure_ways(
    model: Path,
    texts: Sequence[str],
    beams: int,
    rounds: int,
    report: CompanyReport,
    progress: Callable[[str], None],
) -> None:
    import ctranslate2

    from service.translation.tokenizer import SentencePieceTokenizer

    tokens = SentencePieceTokenizer(model / "hub").encode(texts)
    translator = ctranslate2.Translator(
        str(model / "ctranslate2"),
        device="cpu",
        compute_type="int8",
        inter_threads=usable_cores(),
        intra_threads=1,
    )

    def translate(batches: Batches) -> dict[int, tuple[list[str], float]]:
        """Tokens and scores, one engine call a batch, as many at a time as there are cores."""
        pending = [
            (
                batch,
                translator.translate_batch(
                    [tokens[index] for index in batch],
                    beam_size=beams,
                    use_vmap=True,
                    return_scores=True,
                    asynchronous=True,
                ),
            )
            for batch in batches
        ]
        results = {}
        for batch, futures in pending:
            for index, future in zip(batch, futures, strict=True):
                result = future.result()
                results[index] = (result.hypotheses[0], result.scores[0])
        return results

    alone = translate(_alone(tokens))
    for _, (name, batches) in itertools.product(range(rounds), _WAYS.items()):
        progress(name)
        start = time.perf_counter()
        results = translate(batches(tokens))
        report.ways.setdefault(name, []).append(len(texts) / (time.perf_counter() - start))
        changed = sum(results[index] != alone[index] for index in alone)
        report.changed[name] = max(changed, report.changed.get(name, 0))


def _translations(port: int, requests: Sequence[Request], clients: int) -> dict[str, str]:
    """The translation of each text with its score and warnings, as JSON, by its source."""
    _, answers = closed_loop(port, iter(requests), clients)
    found = {}
    for answer in answers:
        translation = answer.json()["translation"]
        [sentence] = translation["blocks"][0]["sentences"]
        found[sentence["source"]] = json.dumps(translation)
    return found


def format_company(report: CompanyReport) -> str:
    """The tables that people read, in Markdown."""
    amounts = sorted({amount for seconds in report.threads.values() for amount in seconds})
    lines = [
        f"| threads | {' | '.join(f'{amount} sentences, s' for amount in amounts)} |",
        f"|---|{'---:|' * len(amounts)}",
    ]
    for name, seconds in report.threads.items():
        lines.append(f"| {name} | {' | '.join(spread(seconds[amount]) for amount in amounts)} |")
    lines += [
        "",
        "| batches of mixed lengths | sentences/s, median (range) | changed by company |",
        "|---|---:|---:|",
    ]
    for name, rates in report.ways.items():
        changed = f"{report.changed[name]} of {report.compared}"
        lines.append(f"| {name} | {spread(rates)} | {changed} |")
    changed = f"{report.service_changed} of {report.compared}"
    lines.append(f"| answers of the service, under load against one at a time | | {changed} |")
    return "\n".join(lines)
