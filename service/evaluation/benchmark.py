"""``kortom bench``: sentences per second of the service against transformers and bare CTranslate2.

The model is a random-weight checkpoint of opus-mt-nl-en's exact shape that never ends a sentence:
output is exactly as long as the decoding limit says, whatever engine runs. Every sentence has
:data:`SENTENCE_TOKENS` tokens, and so has every translation. Speed does not depend on the values of
the weights, only quality does, and this measures none.

Machines are shared and noisy: all contenders run once in every round, one after the other, and what
is quoted are medians over the rounds, for ratios too.
"""

import argparse
import http.client
import itertools
import json
import os
import platform
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from service.errors import ModelNotInstalled, ServiceError, StartupError
from service.settings import usable_cores

NAME = "opus-mt-nl-en"
"""The benchmark's model and card take the place of this one, which the profile ``light`` serves."""

HUB_BEAMS = 6
"""``num_beams`` in generation_config.json of Helsinki-NLP/opus-mt-nl-en."""

SENTENCE_TOKENS = 32
"""Tokens of every source, ``</s>`` included, and of every target. The service rounds source lengths
up to a multiple of 32 (``translation.decoding.LENGTH_STEP``) before it computes the limit."""

ARTICLE_SENTENCES = 20
PARAGRAPH_SENTENCES = 5
TORCH_BATCH = 16
CLIENTS = 8
HOST = "127.0.0.1"
START_SECONDS = 120.0
"""How long the server may take to become ready before the benchmark gives up."""

_CARD = f"""---
language: [nl, en]
license: apache-2.0
kortom:
  task: translation
  repository: Helsinki-NLP/opus-mt-nl-en
  revision: main
  architecture: marian
  decoding: {{beam_size: %d, max_target_ratio: 1.0, max_target_margin: 0}}
  limits: {{max_source_tokens: 512, max_target_tokens: 512}}
  notice: Random weights of {NAME}'s shape, made by `kortom bench`; every translation is nonsense.
---
The benchmark's stand-in: output is exactly as long as the input.
"""


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


@dataclass
class Rate:
    """Speed of one contender.

    Attributes:
        label: what was run.
        beams: hypotheses kept per step.
        sentences_per_second: one value per round.
    """

    label: str
    beams: int
    sentences_per_second: list[float] = field(default_factory=list)


@dataclass
class Report:
    """What was measured, ready for JSON.

    Attributes:
        setup: machine and versions.
        rates: speeds by contender.
        ratios: medians of the ratios of two contenders within one round, by description.
        ready_seconds: from process start to the first 200 of ``/readyz``, one value per start.
        articles: articles that the server had answered when its memory was read.
        resident_mb: resident memory of the server then, in 10^6 bytes; none where not Linux.
    """

    setup: dict[str, str | int]
    rates: dict[str, Rate]
    ratios: dict[str, float] = field(default_factory=dict)
    ready_seconds: list[float] = field(default_factory=list)
    articles: int = 0
    resident_mb: float | None = None


def add_parser(subparsers: Any) -> None:
    """Add ``bench`` to the subcommands of ``kortom``."""
    description = "Measure sentences per second, memory and start-up time on random weights."
    _add_arguments(subparsers.add_parser("bench", help="measure speed", description=description))


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m service.evaluation.benchmark``; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    _add_arguments(parser)
    options = parser.parse_args(arguments)
    try:
        return _run(options)
    except ServiceError as error:
        print(f"benchmark: {error.detail}", file=sys.stderr)
        return 1


def run_benchmark(cache_dir: Path, amounts: Amounts, beams: int) -> Report:
    """Measure everything; a progress bar runs on standard error.

    Args:
        cache_dir: holds the benchmark's model; made on the first run.
        amounts: how much to run.
        beams: beam size of the service, and of the contenders that are compared with it.

    Raises:
        StartupError: the server did not start, or an answer was not of the forced length.
    """
    from tqdm import tqdm

    # Read by the Hugging Face libraries when they are imported: nothing here asks the network.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    models_dir, cards_dir = prepare(cache_dir, beams)
    directory = models_dir / NAME
    command = [
        *(sys.executable, "-m", "service.cli", "serve", "--profile", "light"),
        *("--models-dir", str(models_dir), "--cards-dir", str(cards_dir)),
        *("--beam-size", str(beams), "--log-level", "warning"),
    ]
    with ExitStack() as stack:
        ready = []
        for _ in range(amounts.starts - 1):
            with _serve(command) as server:
                ready.append(server.ready_seconds)
        server = stack.enter_context(_serve(command))
        ready.append(server.ready_seconds)

        sentences = make_sentences(directory / "hub" / "source.spm")
        service = _Service(server.port, sentences)
        stack.callback(service.close)
        contenders = _contenders(directory, sentences, service, amounts, beams)
        report = Report(
            setup=_setup(),
            rates={key: Rate(c.label, c.beams) for key, c in contenders.items()},
            ready_seconds=ready,
        )
        bar = stack.enter_context(tqdm(total=amounts.rounds * len(contenders), unit="run"))
        service.translate(CLIENTS, CLIENTS)
        for _ in range(amounts.rounds):
            for key, contender in contenders.items():
                bar.set_description(contender.label)
                start = time.perf_counter()
                contender.run()
                seconds = time.perf_counter() - start
                report.rates[key].sentences_per_second.append(contender.sentences / seconds)
                bar.update()
        if (missing := amounts.total_articles - service.answered) > 0:
            bar.set_description(f"service, {missing} more articles")
            service.translate(CLIENTS, missing)
        report.articles = service.answered
        report.resident_mb = _resident_mb(server.pid)
    report.ratios = {
        description: _ratio(report.rates[numerator], report.rates[denominator])
        for description, (numerator, denominator) in _RATIOS.items()
    }
    return report


def prepare(cache_dir: Path, beams: int) -> tuple[Path, Path]:
    """The benchmark's models and cards directories, made where missing.

    Args:
        cache_dir: where they lie; deleting it makes the next run build them anew.
        beams: beam size in the card.
    """
    from service.evaluation.checkpoints import write_marian_checkpoint
    from service.models.card import load_card
    from service.models.pull import pull
    from service.models.store import ModelStore

    models_dir, cards_dir = cache_dir / "models", cache_dir / "cards"
    cards_dir.mkdir(parents=True, exist_ok=True)
    (cards_dir / f"{NAME}.md").write_text(_CARD % beams, encoding="utf-8")
    store = ModelStore(models_dir)
    try:
        store.path(NAME)
    except ModelNotInstalled:
        with tempfile.TemporaryDirectory(dir=cache_dir) as temporary:
            _log(f"writing a random checkpoint of {NAME}'s shape")
            checkpoint = write_marian_checkpoint(
                Path(temporary),
                d_model=512,
                layers=6,
                ffn_dim=2048,
                heads=8,
                pieces=32_000,
                vocab_size=67_028,
                positions=512,
                never_ends=True,
            )
            pull(load_card(NAME, cards_dir), store, source=checkpoint, progress=_log)
    return models_dir, cards_dir


def make_sentences(source_spm: Path, seed: int = 0) -> Iterator[str]:
    """Endless Dutch-looking sentences of exactly :data:`SENTENCE_TOKENS` tokens with ``</s>``.

    Args:
        source_spm: the sentencepiece model of the benchmark's checkpoint.
        seed: of the choice of words.
    """
    import sentencepiece

    from service.evaluation.checkpoints import pseudo_words

    tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(source_spm))
    # Long enough not to be an abbreviation such as "ing.", after which no sentence ends.
    words = [word for word in itertools.islice(pseudo_words("nl"), 5_000) if len(word) > 5]
    choice = random.Random(seed)  # noqa: S311 - no secret is made of it
    while True:
        # "Het" and "." are not single pieces with what is before them; the rest are, one each.
        chosen: list[str] = choice.choices(words, k=SENTENCE_TOKENS)
        fixed = len(tokenizer.encode("Het.")) + 1
        sentence = f"Het {' '.join(chosen[fixed:])}."
        if len(tokenizer.encode(sentence)) + 1 == SENTENCE_TOKENS:
            yield sentence


def format_report(report: Report) -> str:
    """The one table that people read, in Markdown."""
    lines = [
        "; ".join(f"{name} {value}" for name, value in report.setup.items()),
        "",
        "| | beams | sentences/s, median | range |",
        "|---|---:|---:|---:|",
    ]
    for key, rate in sorted(report.rates.items()):
        speeds = rate.sentences_per_second
        lines.append(
            f"| ({key}) {rate.label} | {rate.beams} | {statistics.median(speeds):.2f} "
            f"| {min(speeds):.2f}-{max(speeds):.2f} |"
        )
    lines += ["", "| | |", "|---|---:|"]
    lines += [f"| {name} | {ratio:.2f} |" for name, ratio in report.ratios.items()]
    if report.resident_mb is not None:
        memory = f"{report.resident_mb:.0f} MB"
        lines.append(
            f"| resident memory of the service after {report.articles} articles | {memory} |"
        )
    lines.append(f"| process start to ready | {statistics.median(report.ready_seconds):.1f} s |")
    return "\n".join(lines)


_RATIOS = {
    "service with one client / bare CTranslate2: (d) / (c)": ("d", "c"),
    "service with one client / transformers as on the hub: (d) / (a)": ("d", "a"),
    "the same at the same beams: (d) / (a')": ("d", "a'"),
    "service with 8 clients / transformers as on the hub: (e) / (a)": ("e", "a"),
    "service with one client / transformers in batches, same beams: (d) / (b')": ("d", "b'"),
    "gain of the vocabulary map: (c) / (c')": ("c", "c'"),
}


@dataclass(frozen=True)
class _Contender:
    label: str
    beams: int
    sentences: int
    run: Callable[[], None]


def _contenders(
    directory: Path, sentences: Iterator[str], service: "_Service", amounts: Amounts, beams: int
) -> dict[str, _Contender]:
    """Everything that is timed, by its letter in the table, warmed up, in the order of running:
    (c) just before (d), because their ratio is the finest."""
    torch_generate = _load_transformers(directory / "hub")
    ct2_translate = _load_ctranslate2(directory, beams)
    single = list(itertools.islice(sentences, amounts.single_sentences))
    batch = list(itertools.islice(sentences, TORCH_BATCH))
    article = list(itertools.islice(sentences, ARTICLE_SENTENCES))
    torch_generate(single[:1], 1)
    ct2_translate(article, True)

    def one_at_a_time(num_beams: int) -> None:
        for sentence in single:
            torch_generate([sentence], num_beams)

    one, some = amounts.client_articles, amounts.clients_articles
    return {
        "a": _Contender(
            "transformers, one sentence at a time",
            HUB_BEAMS,
            len(single),
            lambda: one_at_a_time(HUB_BEAMS),
        ),
        "a'": _Contender(
            "transformers, one sentence at a time", beams, len(single), lambda: one_at_a_time(beams)
        ),
        "b": _Contender(
            f"transformers, batches of {TORCH_BATCH}",
            HUB_BEAMS,
            TORCH_BATCH,
            lambda: torch_generate(batch, HUB_BEAMS),
        ),
        "b'": _Contender(
            f"transformers, batches of {TORCH_BATCH}",
            beams,
            TORCH_BATCH,
            lambda: torch_generate(batch, beams),
        ),
        "c'": _Contender(
            "CTranslate2 int8, one batch, without vocabulary map",
            beams,
            one * len(article),
            lambda: _repeat(one, ct2_translate, article, False),
        ),
        "c": _Contender(
            "CTranslate2 int8, one batch",
            beams,
            one * len(article),
            lambda: _repeat(one, ct2_translate, article, True),
        ),
        "d": _Contender(
            "service, 1 client", beams, one * ARTICLE_SENTENCES, lambda: service.translate(1, one)
        ),
        "e": _Contender(
            f"service, {CLIENTS} clients",
            beams,
            some * ARTICLE_SENTENCES,
            lambda: service.translate(CLIENTS, some),
        ),
    }


def _repeat(times: int, function: Callable[..., None], *arguments: Any) -> None:
    for _ in range(times):
        function(*arguments)


def _load_transformers(hub: Path) -> Callable[[Sequence[str], int], None]:
    """``generate(sentences, num_beams)`` as a user of transformers writes it, float32."""
    import warnings

    import torch
    import transformers

    logging: Any = transformers.utils.logging
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    torch.set_num_threads(usable_cores())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
        tokenizer: Any = transformers.MarianTokenizer.from_pretrained(hub)
    model: Any = transformers.MarianMTModel.from_pretrained(hub, dtype=torch.float32)

    def generate(sentences: Sequence[str], num_beams: int) -> None:
        inputs = tokenizer(list(sentences), return_tensors="pt", padding=True)
        with torch.inference_mode():
            output = model.generate(
                **inputs,
                num_beams=num_beams,
                min_new_tokens=SENTENCE_TOKENS,
                max_new_tokens=SENTENCE_TOKENS,
            )
        # The decoder's start token comes first.
        _check_length("transformers", output.shape[1] - 1, SENTENCE_TOKENS)
        tokenizer.batch_decode(output, skip_special_tokens=True)

    return generate


def _load_ctranslate2(directory: Path, beams: int) -> Callable[[Sequence[str], bool], None]:
    """``translate(sentences, use_vmap)`` with the arguments that the service uses."""
    import ctranslate2

    from service.translation.ct2 import MAX_BATCH_TOKENS
    from service.translation.tokenizer import SentencePieceTokenizer

    tokenizer = SentencePieceTokenizer(directory / "hub")
    translator = ctranslate2.Translator(
        str(directory / "ctranslate2"),
        device="cpu",
        compute_type="int8",
        inter_threads=1,
        intra_threads=usable_cores(),
    )

    def translate(sentences: Sequence[str], use_vmap: bool) -> None:
        results = translator.translate_batch(
            tokenizer.encode(sentences),
            beam_size=beams,
            max_batch_size=MAX_BATCH_TOKENS,
            batch_type="tokens",
            max_decoding_length=SENTENCE_TOKENS,
            return_scores=True,
            use_vmap=use_vmap,
        )
        for result in results:
            _check_length("CTranslate2", len(result.hypotheses[0]), SENTENCE_TOKENS)
            tokenizer.decode(result.hypotheses[0])

    return translate


@dataclass(frozen=True)
class _Server:
    port: int
    pid: int
    ready_seconds: float


class _Service:
    """Clients of the server.

    Args:
        port: of the server.
        sentences: where articles are made from; no two are alike.
    """

    def __init__(self, port: int, sentences: Iterator[str]) -> None:
        self.answered = 0
        self._port = port
        self._sentences = sentences
        self._pool = ThreadPoolExecutor(CLIENTS)

    def translate(self, clients: int, articles: int) -> None:
        """Have ``articles`` articles translated, by that many clients at the same time."""
        texts = iter([self._article() for _ in range(articles)])
        list(self._pool.map(self._work, [texts] * clients))
        self.answered += articles

    def close(self) -> None:
        """End the clients' threads."""
        self._pool.shutdown()

    def _work(self, texts: Iterator[str]) -> None:
        # One connection a run: servers close those that lie idle while other contenders run.
        connection = _connect(self._port)
        for text in texts:
            body = json.dumps({"text": text})
            connection.request("POST", "/v1/articles", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
            if response.status != 200:
                raise StartupError(f"the service answered {response.status}: {answer[:200]!r}")
            usage = json.loads(answer)["usage"]
            expected = ARTICLE_SENTENCES * SENTENCE_TOKENS
            _check_length("the service", usage["target_tokens"], expected)
        connection.close()

    def _article(self) -> str:
        sentences = list(itertools.islice(self._sentences, ARTICLE_SENTENCES))
        starts = range(0, ARTICLE_SENTENCES, PARAGRAPH_SENTENCES)
        return "\n\n".join(" ".join(sentences[i : i + PARAGRAPH_SENTENCES]) for i in starts)


@contextmanager
def _serve(command: Sequence[str]) -> Iterator[_Server]:
    """A real server process on a free port, ready; stopped at the end."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryFile() as log:
        start = time.perf_counter()
        arguments = [*command, "--host", HOST, "--port", str(port)]
        process = subprocess.Popen(arguments, stdout=log, stderr=log)  # noqa: S603 - our own
        try:
            while not _is_ready(port):
                waited = time.perf_counter() - start
                if process.poll() is not None or waited > START_SECONDS:
                    log.seek(0)
                    said = log.read().decode(errors="replace").strip().splitlines()[-1:]
                    raise StartupError(f"the server did not become ready: {''.join(said)}")
                time.sleep(0.02)
            yield _Server(port, process.pid, time.perf_counter() - start)
        finally:
            process.terminate()
            process.wait(timeout=60)


def _connect(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(HOST, port, timeout=300)


def _is_ready(port: int) -> bool:
    connection = _connect(port)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _check_length(engine: str, length: int, expected: int) -> None:
    """Speeds can be compared only when all engines write the same number of tokens."""
    if length != expected:
        raise StartupError(f"{engine} made {length} tokens where {expected} were forced")


def _ratio(numerator: Rate, denominator: Rate) -> float:
    pairs = zip(numerator.sentences_per_second, denominator.sentences_per_second, strict=True)
    return statistics.median(above / below for above, below in pairs)


def _resident_mb(pid: int) -> float | None:
    """Resident memory of a process in 10^6 bytes, from Linux' ``/proc`` (which counts in KiB)."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return None
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines["VmRSS"].split()[0]) * 1024 / 1e6


def _setup() -> dict[str, str | int]:
    setup: dict[str, str | int] = {"cores": usable_cores(), "CPU": _cpu()}
    setup["Python"] = platform.python_version()
    for name in ("torch", "transformers", "ctranslate2"):
        setup[name] = version(name)
    return setup


def _cpu() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _log(line: str) -> None:
    print(line, file=sys.stderr)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, metavar="N", help=f"[{Amounts.rounds}]")
    parser.add_argument("--quick", action="store_true", help="one short round; no memory after 200")
    parser.add_argument(
        "--beams", type=int, choices=range(1, 7), help="of the service [the card's]"
    )
    parser.add_argument("--cache-dir", type=Path, help="where the random model is kept")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers there, too")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from dataclasses import replace

    from platformdirs import user_cache_path

    from service.models.card import load_card

    amounts = QUICK if options.quick else Amounts()
    if options.rounds:
        amounts = replace(amounts, rounds=options.rounds)
    beams = options.beams or load_card(NAME).decoding.beam_size
    cache_dir = options.cache_dir or user_cache_path("kortom") / "bench"
    report = run_benchmark(cache_dir, amounts, beams)
    print(format_report(report))
    if options.json:
        options.json.write_text(json.dumps(asdict(report), indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
