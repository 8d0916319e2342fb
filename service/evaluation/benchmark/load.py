"""Many clients: the service beside plain FastAPI, CTranslate2 alone and LibreTranslate."""

import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from service.errors import StartupError
from service.evaluation.benchmark.clients import (
    Request,
    Run,
    article_request,
    closed_loop,
    percentile,
)
from service.evaluation.benchmark.direct import Direct
from service.evaluation.benchmark.libretranslate import serve_libretranslate
from service.evaluation.benchmark.memory import peak_mb, reset_peak
from service.evaluation.benchmark.models import (
    ARTICLE_SENTENCES,
    SENTENCE_TOKENS,
    Prepared,
    join_sentences,
)
from service.evaluation.benchmark.report import check_length, spread
from service.evaluation.benchmark.server import Server, connect, serve
from service.machine import usable_cores

Kind = Literal["sentence", "article"]
SENTENCES: Mapping[Kind, int] = {"sentence": 1, "article": ARTICLE_SENTENCES}
"""Sentences of one request."""

STREAMED_PARAGRAPHS = 20
STREAMED_PARAGRAPH_SENTENCES = 4

SERVICE = "service"
ONE_AT_A_TIME = "transformers in FastAPI, one sentence at a time"
BATCHED = "transformers in FastAPI, batched per request"
DIRECT = "CTranslate2 directly, all clients' texts in one call"
NAIVE = "CTranslate2 directly, one batch on all cores"
LIBRETRANSLATE = "LibreTranslate"


@dataclass(frozen=True)
class LoadAmounts:
    """How much the load runs.

    Attributes:
        rounds: times that every contender runs with every number of clients.
        clients: numbers of clients.
        seconds: that clients go on sending, in one run.
        longest_seconds: what would take longer for one request a client is left out: the speed of
            contenders so slow does not depend on the number of clients.
        streams: articles whose first block is timed.
    """

    rounds: int = 3
    clients: tuple[int, ...] = (1, 4, 16, 64)
    seconds: float = 4.0
    longest_seconds: float = 25.0
    streams: int = 3


@dataclass
class Cell:
    """One contender under one load; one run a round."""

    contender: str
    kind: Kind
    clients: int
    runs: list[Run] = field(default_factory=list)

    @property
    def rates(self) -> list[float]:
        """Sentences a second, a value per round."""
        return [run.rate for run in self.runs]

    @property
    def latencies(self) -> list[float]:
        """Seconds of all requests of all rounds."""
        return [seconds for run in self.runs for seconds in run.latencies]


@dataclass
class LoadReport:
    """What was measured.

    Attributes:
        cells: see :class:`Cell`; those left out are not there.
        first_block_shares: seconds to the first block over seconds to the end, per article.
    """

    cells: list[Cell] = field(default_factory=list)
    first_block_shares: list[float] = field(default_factory=list)

    def cell(self, contender: str, kind: Kind, clients: int) -> Cell | None:
        """The one, if it ran."""
        for cell in self.cells:
            if (cell.contender, cell.kind, cell.clients) == (contender, kind, clients):
                return cell
        return None


Drive = Callable[[Kind, int, float], Run]
"""Runs a contender: kind of request, clients, seconds."""


def measure_load(
    prepared: Prepared,
    service: Server,
    sentences: Iterator[str],
    beams: int,
    amounts: LoadAmounts,
    libretranslate: Path | None,
    progress: Callable[[str], None],
) -> LoadReport:
    """Run every contender under every load, all of them once in every round.

    Args:
        prepared: the models.
        service: a running service.
        sentences: where requests are made from.
        beams: beam size of all.
        amounts: how much to run.
        libretranslate: an interpreter that has LibreTranslate; none leaves it out.
        progress: told what runs.

    Raises:
        StartupError: a contender did not start, refused a request, or wrote another length.
    """
    cores = usable_cores()
    with ExitStack() as stack:
        direct = stack.enter_context(
            Direct(prepared.translation, beams, inter_threads=cores, intra_threads=1)
        )
        naive = stack.enter_context(
            Direct(prepared.translation, beams, inter_threads=1, intra_threads=cores)
        )
        plain = stack.enter_context(serve(_plain_command(prepared.translation, beams)))
        contenders: dict[str, Drive] = {
            DIRECT: _directly(direct, sentences),
            SERVICE: _over_http(service, sentences, _service_request),
            NAIVE: _directly(naive, sentences),
            ONE_AT_A_TIME: _over_http(plain, sentences, _plain_request("/one-at-a-time")),
            BATCHED: _over_http(plain, sentences, _plain_request("/batched")),
        }
        if libretranslate is not None:
            home = prepared.models_dir.parent / "libretranslate"
            progress("starting LibreTranslate")
            server = stack.enter_context(
                serve_libretranslate(libretranslate, prepared.translation, home, beams)
            )
            contenders[LIBRETRANSLATE] = _over_http(server, sentences, _libretranslate_request)
        for name, drive in contenders.items():
            progress(f"warming up: {name}")
            drive("sentence", 1, 0)
            if name != ONE_AT_A_TIME:
                drive("article", 1, 0)
        report = LoadReport()
        for kind, clients, name in itertools.product(SENTENCES, amounts.clients, contenders):
            # One sentence is one batch in any case; a single call knows no clients.
            if (name, kind) != (BATCHED, "sentence") and (name != NAIVE or clients == 1):
                report.cells.append(Cell(name, kind, clients))
        for round_number in range(amounts.rounds):
            for cell in list(report.cells):
                if round_number == 0 and _expected_seconds(report, cell) > amounts.longest_seconds:
                    report.cells.remove(cell)
                    continue
                progress(f"{cell.contender}: {cell.clients} clients, {cell.kind}")
                cell.runs.append(
                    contenders[cell.contender](cell.kind, cell.clients, amounts.seconds)
                )
        for _ in range(amounts.streams):
            progress("first block of a stream")
            report.first_block_shares.append(first_block_share(service.port, sentences))
        return report


def _expected_seconds(report: LoadReport, cell: Cell) -> float:
    """How long one request a client will take, by the last run of the same contender."""
    done = [other for other in report.cells if other.contender == cell.contender and other.runs]
    return cell.clients * SENTENCES[cell.kind] / done[-1].runs[0].rate if done else 0


def _directly(direct: Direct, sentences: Iterator[str]) -> Drive:
    def drive(kind: Kind, clients: int, seconds: float) -> Run:
        reset_peak(direct.pid)
        amount = clients * SENTENCES[kind]
        run = Run(0.0, 0, target_tokens=0)
        while not run.latencies or run.seconds < seconds:
            took, tokens = direct.translate(list(itertools.islice(sentences, amount)))
            check_length("CTranslate2", tokens, amount * (SENTENCE_TOKENS - 1))
            run.seconds += took
            run.sentences += amount
            run.latencies += [took] * clients
        run.peak_mb = peak_mb(direct.pid)
        return run

    return drive


def _over_http(
    server: Server, sentences: Iterator[str], make: Callable[[list[str]], Request]
) -> Drive:
    def drive(kind: Kind, clients: int, seconds: float) -> Run:
        reset_peak(server.pid)
        requests = (
            make(list(itertools.islice(sentences, SENTENCES[kind]))) for _ in itertools.count()
        )
        took, answers = closed_loop(server.port, requests, clients, seconds)
        amount = sum(answer.sentences for answer in answers)
        tokens = [_target_tokens(answer.json()) for answer in answers]
        known = [count for count in tokens if count is not None]
        if known:
            check_length("a server", sum(known), amount * (SENTENCE_TOKENS - 1))
        return Run(
            seconds=took,
            sentences=amount,
            latencies=[answer.seconds for answer in answers],
            target_tokens=sum(known) if known else None,
            peak_mb=peak_mb(server.pid),
        )

    return drive


def _target_tokens(answer: Any) -> int | None:
    tokens = answer.get("usage", answer).get("target_tokens")
    return None if tokens is None else int(tokens)


def _service_request(sentences: list[str]) -> Request:
    if len(sentences) == 1:
        return Request("/v1/translate", {"texts": sentences}, 1)
    return article_request(sentences)


def _plain_request(path: str) -> Callable[[list[str]], Request]:
    return lambda sentences: Request(path, {"sentences": sentences}, len(sentences))


def _libretranslate_request(sentences: list[str]) -> Request:
    document = {"q": join_sentences(sentences), "source": "nl", "target": "en", "format": "text"}
    return Request("/translate", document, len(sentences))


def _plain_command(model: Path, beams: int) -> list[str]:
    module = "service.evaluation.benchmark.plain"
    return [sys.executable, "-W", "ignore", "-m", module, str(model), str(beams)]


def first_block_share(port: int, sentences: Iterator[str]) -> float:
    """Seconds to the first block of an article's stream, over those to its end.

    Raises:
        StartupError: the answer is no stream, or has no block.
    """
    count = STREAMED_PARAGRAPHS * STREAMED_PARAGRAPH_SENTENCES
    text = join_sentences(list(itertools.islice(sentences, count)), STREAMED_PARAGRAPH_SENTENCES)
    connection = connect(port)
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
    start = time.perf_counter()
    connection.request("POST", "/v1/articles", json.dumps({"text": text}), headers)
    response = connection.getresponse()
    first = None
    for line in response:
        if first is None and line.startswith(b"event: block"):
            first = time.perf_counter() - start
    total = time.perf_counter() - start
    connection.close()
    if first is None:
        raise StartupError(f"the service answered {response.status} without an event `block`")
    return first / total


def format_load(report: LoadReport) -> str:
    """The tables that people read, in Markdown."""
    lines: list[str] = []
    for kind, heading in (
        ("sentence", "One-sentence requests"),
        ("article", f"Articles of {ARTICLE_SENTENCES} sentences"),
    ):
        lines += [
            f"**{heading}**",
            "",
            "| | clients | sentences/s, median (range) | p50 s | p95 s | p99 s | peak MB |",
            "|---|---:|---:|---:|---:|---:|---:|",
        ]
        cells = [cell for cell in report.cells if cell.kind == kind]
        lines += [_row(cell) for cell in sorted(cells, key=lambda cell: cell.clients)]
        lines.append("")
    lines += ["| wanted | | measured, median (range) |", "|---|---:|---:|"]
    lines += [f"| {what} | {wanted} | {spread(values)} |" for what, wanted, values in goals(report)]
    return "\n".join(lines)


def _row(cell: Cell) -> str:
    latencies = [f"{percentile(cell.latencies, percent):.3g}" for percent in (50, 95, 99)]
    peaks = [run.peak_mb for run in cell.runs if run.peak_mb is not None]
    peak = f"{max(peaks):.0f}" if peaks else "-"
    return " | ".join(
        [f"| {cell.contender}", str(cell.clients), spread(cell.rates), *latencies, f"{peak} |"]
    )


def goals(report: LoadReport) -> list[tuple[str, str, list[float]]]:
    """What is wanted of the service, how much, and the measured values, one per round.

    Left out is what the contenders or numbers of clients that ran do not tell.
    """
    found: list[tuple[str, str, list[float]]] = []
    one = "one-sentence requests, 16 clients: service"
    wanted: list[tuple[str, str, str, Kind, int]] = [
        (f"{one} / unbatched", ">= 3", ONE_AT_A_TIME, "sentence", 16),
        (f"{one} / LibreTranslate", ">= 2", LIBRETRANSLATE, "sentence", 16),
    ]
    for clients in sorted({cell.clients for cell in report.cells}):
        what = f"articles, {clients} clients: service / CTranslate2 directly"
        wanted.append((what, ">= 0.9", DIRECT, "article", clients))
    for what, goal, other, kind, count in wanted:
        above, below = report.cell(SERVICE, kind, count), report.cell(other, kind, count)
        if above and below:
            ratios = [a / b for a, b in zip(above.rates, below.rates, strict=True)]
            found.append((what, goal, ratios))
    served, alone = (report.cell(name, "sentence", 1) for name in (SERVICE, DIRECT))
    if served and alone:
        overheads = [
            1000 * (statistics.median(a.latencies) - statistics.median(b.latencies))
            for a, b in zip(served.runs, alone.runs, strict=True)
        ]
        found.append(("one sentence, one client: p50 above CTranslate2's, ms", "< 15", overheads))
    if report.first_block_shares:
        what = f"first of {STREAMED_PARAGRAPHS} blocks: share of the stream's time"
        found.append((what, "<= 0.25", report.first_block_shares))
    return found
