"""From articles to rows: several at the same time, in order, in constant memory."""

import math
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from service.bulk.output import Output, open_output
from service.bulk.progress import Progress, Tally
from service.bulk.rows import Record, Row, Translate, make_row
from service.bulk.sources import open_source
from service.errors import InferenceError, StartupError
from service.serving.work import Work

ARTICLES_AT_ONCE = 16
"""Articles in the pipeline; their sentences share batches."""
WINDOW = 64
"""Articles between the first that is not done and the last that was read: a long one in front does
not stop those behind it at once."""
MAX_HELD_BYTES = 64_000_000
"""Of the lines of those articles together; one more is read while they are fewer."""
TICK_SECONDS = 0.2
"""Longest wait for a row until progress, disk and signals are looked after."""
GRACE_SECONDS = 5.0
"""How long an interrupted run lets articles finish that are in the pipeline."""

EXIT_OK = 0
EXIT_ERROR_ROWS = 3
EXIT_INTERRUPTED = 130


class Worker(NamedTuple):
    """What translates.

    Attributes:
        translate: one article; called on several threads at the same time.
        dead: why no article can be translated any more, or ``None``.
    """

    translate: Translate
    dead: Callable[[], str | None]


class _Flight(NamedTuple):
    """An article that was read and whose row has not been taken yet."""

    row: "Future[Row]"
    work: Work
    held_bytes: int
    end: int


def run(
    source_path: Path,
    output_path: Path,
    *,
    resume: bool,
    max_bytes: int,
    load: Callable[[], AbstractContextManager[Worker]],
) -> int:
    """Write a row for every article of a file or a folder, in the order of the input.

    A first SIGINT or SIGTERM lets articles finish that are in the pipeline, a second one does not.

    Args:
        source_path: a file with an article a line, or a folder; see :mod:`service.bulk.sources`.
        output_path: the file of the rows.
        resume: go on behind the rows that are there.
        max_bytes: longest line, or largest file, that is taken for an article.
        load: the pipeline; asked for when everything else is in order.

    Returns:
        0: there is a row for every article, and none is an error. 3: some are errors.
        130: interrupted; what is done stays.

    Raises:
        StartupError: the input or the output can't be used or does not belong to the other, the
            disk is full, or the engine is broken; what is done stays.
        KeyboardInterrupt: interrupted before any article was translated, or twice.
    """
    with ExitStack() as opened:
        opened.enter_context(on_signal(signal.default_int_handler))
        source = opened.enter_context(open_source(source_path, max_bytes))
        if source.would_read(output_path):
            raise StartupError(f"{output_path}: it is read as input: take another name or folder")
        output = opened.enter_context(open_output(output_path, resume=resume))
        records = source.records()
        tally = Tally()
        begin = 0
        for number, row in enumerate(output.written(), start=1):
            record, begin = next(records, (None, 0))
            if record is None or record.id != row.id:
                raise StartupError(f"{output_path}: row {number} is not of {source_path}")
            tally.before += 1
            tally.before_failed += row.is_error
        with load() as worker:
            try:
                with Progress(source.total, tally, begin) as progress:
                    is_done = _write_rows(records, worker, output, tally, progress)
            except StartupError as error:
                raise StartupError(f"{error.detail}; the rows so far stay, see --resume") from error
            print(progress.summary(source.skipped), file=sys.stderr)
    if not is_done:
        print("kortom: interrupted; go on with --resume", file=sys.stderr)
        return EXIT_INTERRUPTED
    return EXIT_ERROR_ROWS if tally.before_failed + tally.failed else EXIT_OK


def _write_rows(
    records: Iterator[tuple[Record, int]],
    worker: Worker,
    output: Output,
    tally: Tally,
    progress: Progress,
) -> bool:
    """Write the rows of all records; returns whether it was not interrupted."""
    stop = threading.Event()

    def interrupt(_number: int, _frame: object) -> None:
        stop.set()
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is interrupt:
                signal.signal(number, signal.default_int_handler)

    end = 0
    with on_signal(interrupt):
        try:
            with closing(rows_in_order(records, worker, stop)) as rows:
                for made in rows:
                    if made is not None:
                        row, end = made
                        output.append(row.line)
                        tally.add(row)
                    output.sync()
                    progress.show(end)
        finally:
            output.sync(now=True)
    return not stop.is_set()


def rows_in_order(
    records: Iterator[tuple[Record, int]], worker: Worker, stop: threading.Event
) -> Generator[tuple[Row, int] | None, None, None]:
    """Translate articles, some at the same time; at most :data:`WINDOW` are held.

    Args:
        records: the articles, each with how much of the source ends with it.
        worker: translates.
        stop: once it is set, no article is begun any more, and those in the pipeline have
            :data:`GRACE_SECONDS`.

    Yields:
        The rows in the order of the articles, each with how much of the source ends with it;
        ``None`` whenever :data:`TICK_SECONDS` pass without one.

    Raises:
        StartupError: no article can be translated any more.
    """

    def translate(request: str, work: Work) -> str:
        try:
            return worker.translate(request, work)
        except InferenceError as error:
            # Looked at here: by the time that the row's turn comes, the reason may have passed.
            if reason := worker.dead():
                raise StartupError(reason) from error
            raise

    flights: deque[_Flight] = deque()
    deadline = math.inf
    pool = ThreadPoolExecutor(ARTICLES_AT_ONCE, thread_name_prefix="bulk")
    try:
        while True:
            if stop.is_set() and deadline == math.inf:
                deadline = time.monotonic() + GRACE_SECONDS
                for flight in flights:
                    flight.row.cancel()  # where it has not begun
            while (
                not stop.is_set()
                and len(flights) < WINDOW
                and sum(flight.held_bytes for flight in flights) < MAX_HELD_BYTES
                and (read := next(records, None))
            ):
                record, end = read
                work = Work()
                row = pool.submit(make_row, record, translate, work)
                flights.append(_Flight(row, work, record.held_bytes, end))
            if not flights or flights[0].row.cancelled():
                return
            first = flights[0]
            if wait([first.row], TICK_SECONDS).done:
                flights.popleft()
                yield first.row.result(), first.end
            elif time.monotonic() > deadline:
                return
            else:
                yield None
    finally:
        for flight in flights:
            flight.work.cancel(StartupError("the run has ended"))
        pool.shutdown(cancel_futures=True)


@contextmanager
def on_signal(handler: Callable[[int, Any], None]) -> Iterator[None]:
    """Handle SIGINT and SIGTERM; who started the program may have it ignore them (``&``).

    Args:
        handler: see ``signal.signal``.
    """
    numbers = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) != signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
