"""``kortom bulk --engine ray``: an archive translated shard by shard by Ray Data."""

import logging
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow
import ray
import ray.data
from ray.data import ActorPoolStrategy, DataContext
from ray.exceptions import RayError

from service import __version__, logs
from service.api.articles import Articles
from service.bulk.progress import Progress, Tally
from service.bulk.rows import Row, make_row, read_record, refused
from service.bulk.run import EXIT_ERROR_ROWS, EXIT_OK, on_signal
from service.cluster.manifest import Head, fingerprint, open_parts
from service.cluster.shards import Archive, Shard
from service.cluster.start import cpus, gpus, processes, ray_cluster, worker_settings
from service.errors import ContentTooLarge, InferenceError, ServiceError, StartupError, one_line
from service.loading import load_pipeline
from service.models.card import load_card
from service.models.profiles import PROFILES
from service.models.store import WITHOUT_FILES, ModelStore
from service.serving.health import Health
from service.serving.work import Work
from service.settings import Settings
from service.translation.glossary import load_glossary

logger = logging.getLogger(__name__)

BLOCK_ARTICLES = 8
"""Articles that a worker gets together: their sentences share batches, and at the end of a shard
the other workers wait for no more than so many."""
ATTEMPTS = 2
"""How often a block is tried whose worker dies."""
PROBES = 16
"""Articles that tell, each on its own, whether workers work at all where no block came back."""


class Translating:
    """A worker: one pipeline, which turns articles into rows.

    Args:
        settings: ``models_dir`` is that of the worker's node.

    Raises:
        StartupError: a model is missing or damaged, or does not run.
    """

    def __init__(self, settings: Settings) -> None:
        logs.configure(settings.log_level, json_lines=True)
        loaded = load_pipeline(settings)
        self._articles = Articles(loaded.pipeline, loaded.models)
        self._health = Health(loaded.engines)
        self._threads = ThreadPoolExecutor(BLOCK_ARTICLES, thread_name_prefix="article")

    def __call__(self, block: "pyarrow.Table") -> "pyarrow.Table":
        """Rows for the articles of a block.

        Args:
            block: columns ``position``, ``number`` and ``line``.

        Returns:
            Columns ``position``, ``line``, ``is_error`` and ``characters``: the fields of a
            ``Row``, and whose it is. An article that can't be translated is a row, too.
        """

        def row(article: dict[str, Any]) -> Row:
            record = read_record(article["line"], article["number"])
            return make_row(record, self._translate, Work())

        rows = list(self._threads.map(row, block.to_pylist()))
        columns = {name: [getattr(row, name) for row in rows] for name in Row._fields}
        return pyarrow.table({"position": block["position"], **columns})

    def _translate(self, request: str, work: Work) -> str:
        """See ``Articles.translate``; a worker whose engine is broken ends, and Ray starts it anew.

        Else it would make error rows of all articles that are left.
        """
        try:
            return self._articles.translate(request, work)
        except InferenceError:
            if reason := self._health.dead():
                logger.critical("a worker ends: %s", reason)
                os._exit(1)
            raise


def run(
    source: Path, directory: Path, settings: Settings, worker: type[Translating] = Translating
) -> int:
    """Translate what is not done yet of an archive.

    Each shard is a job of Ray Data; its part and its line in the manifest are written when all of
    it is done. A run that is killed loses the shard that it was at, nothing else.

    Args:
        source: see :class:`Archive`.
        directory: of the parts and their manifest; made where missing.
        settings: of the workers; ``max_body_bytes`` is the longest line that is an article.
        worker: what articles are given to (a test's seam).

    Returns:
        0: there is a row for every article, and none is an error. 3: some are errors.

    Raises:
        StartupError: the input or the folder can't be used, or do not belong together; a model is
            missing or damaged; Ray can't be started or joined, or no worker works.
        KeyboardInterrupt: SIGINT or SIGTERM.
    """
    settings = worker_settings(settings)
    archive = Archive(source, settings.max_body_bytes)
    if archive.lies_in(directory):
        raise StartupError(f"{directory}: the input lies there: take another folder")
    head = _head(settings)
    with open_parts(directory, head) as parts:
        tally = Tally(
            before=sum(entry.articles for entry in parts.entries),
            before_failed=sum(entry.errors for entry in parts.entries),
        )
        shards = archive.shards()
        done = parts.skip_finished(shards)
        with (
            ray_cluster(settings, models=1),
            on_signal(signal.default_int_handler),  # Ray's own would end it without a word
            Progress(archive.total, tally, done) as progress,
        ):
            context = DataContext.get_current()
            context.enable_progress_bars = False
            context.print_on_execution_start = False
            logging.getLogger("ray.data").setLevel(logging.ERROR)
            for shard in shards:
                rows: dict[int, Row] = {}
                for position, row in translate_shard(shard, settings, worker):
                    rows[position] = row
                    tally.add(row)
                    progress.show(done + (shard.end - done) * len(rows) // len(shard.lines))
                made = [rows[position] for position in range(len(shard.lines))]
                failed = sum(row.is_error for row in made)
                parts.finish(shard, [row.line for row in made], failed)
                done = shard.end
            print(progress.summary(archive.skipped), file=sys.stderr)
    return EXIT_ERROR_ROWS if tally.before_failed + tally.failed else EXIT_OK


def translate_shard(
    shard: Shard, settings: Settings, worker: type[Translating]
) -> Iterator[tuple[int, Row]]:
    """A row for every article of a shard, as they come, with the article's place in it.

    A block whose worker dies is tried :data:`ATTEMPTS` times. What is then missing is tried again
    article by article, so that an article which kills its worker gets an error of its own. Where
    nothing came of any block, :data:`PROBES` articles are tried first: when nothing comes of
    several of these either, it is the workers' fault.

    Args:
        shard: the articles.
        settings: :func:`worker_settings`.
        worker: what the blocks are given to.

    Raises:
        StartupError: no worker works.
    """
    missing: dict[int, dict[str, int | bytes]] = {}
    for position, (number, line) in enumerate(shard.lines):
        if line.is_whole:
            missing[position] = {"position": position, "number": number, "line": line.data}
        else:
            too_long = ContentTooLarge(f"the line is over {settings.max_body_bytes} bytes")
            yield position, _error_row(number, too_long)
    articles = len(missing)

    def tried(most: int, block_articles: int) -> Iterator[tuple[int, Row]]:
        chosen = list(missing.values())[:most]
        for position, row in _map(chosen, block_articles, settings, worker) if chosen else ():
            del missing[position]
            yield position, row

    yield from tried(articles, BLOCK_ARTICLES)
    if len(missing) == articles > 1:
        yield from tried(PROBES, 1)
        if len(missing) == articles:
            raise StartupError("no worker of Ray's translates anything; its log says why")
    yield from tried(articles, 1)
    for position in missing:
        died = InferenceError("workers died of this article", code="set_aside")
        yield position, _error_row(shard.lines[position][0], died)


def _map(
    articles: Iterable[dict[str, int | bytes]],
    block_articles: int,
    settings: Settings,
    worker: type[Translating],
) -> Iterator[tuple[int, Row]]:
    """The rows of a job of Ray Data, without those of blocks that failed."""
    items = list(articles)
    table = pyarrow.Table.from_pylist(items)
    blocks = [table.slice(start, block_articles) for start in range(0, len(items), block_articles)]
    DataContext.get_current().max_errored_blocks = -1
    try:
        made = ray.data.from_arrow(blocks).map_batches(
            worker,
            batch_size=block_articles,  # a block is a batch; Ray Data wants it said for GPUs
            batch_format="pyarrow",
            fn_constructor_args=(settings,),
            # What waited at a worker that dies would die with it.
            compute=ActorPoolStrategy(
                size=min(processes(settings), len(blocks)), max_tasks_in_flight_per_actor=1
            ),
            num_cpus=cpus(settings),
            num_gpus=gpus(settings),
            udf_modifying_row_count=False,
            # Without it a block that kills its worker would be tried without end. Gone in Ray 2.64.
            ray_remote_args_fn=lambda: {"max_restarts": -1, "max_task_retries": ATTEMPTS - 1},
        )
        for row in made.iter_rows():
            yield row["position"], Row(row["line"], row["is_error"], row["characters"])
    except RayError as exc:
        raise StartupError(f"Ray Data: {one_line(exc)}") from exc


def _error_row(number: int, error: ServiceError) -> Row:
    return make_row(refused(str(number), error), lambda _request, _work: "", Work())


def _head(settings: Settings) -> Head:
    """What the rows of a run are made with, the models' files verified here.

    Raises:
        StartupError: a model is missing or damaged, or the glossary can't be read.
    """
    store = ModelStore(settings.models_dir)
    profile = PROFILES[settings.profile]
    cards = [
        load_card(name, settings.cards_dir) for name in (profile.translation, profile.summarization)
    ]
    files = {}
    for card in cards:
        store.verify(card.name, "ctranslate2")
        if card.name not in WITHOUT_FILES:
            files[card.name] = store.manifest(card.name).model_dump(mode="json")["files"]
    return Head(
        models=tuple(card.name for card in cards),
        fingerprint=fingerprint(
            version=__version__,
            cards=[card.model_dump(mode="json") for card in cards],
            files=files,
            glossary=dict(load_glossary(settings.glossary).terms) if settings.glossary else None,
            settings={
                name: getattr(settings, name)
                for name in ("beam_size", "repair", "max_article_characters", "max_body_bytes")
            },
        ),
    )
