"""Engine threads that serve many callers from one queue in front of one model."""

import logging
import math
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from typing import Generic

from service import tracing
from service.errors import InferenceError
from service.serving.fair_queue import Caller, FairQueue, Item, Result, Source, Task
from service.serving.metrics import Metrics
from service.serving.work import current_work

logger = logging.getLogger(__name__)

FILL_SECONDS = 0.05
"""Longest time that an engine thread waits for its share of the callers that were there a moment
ago to come back with their next sentences, instead of starting a batch with the first of them."""
RECENT_SHARE = 0.8
"""What remains, from batch to batch, of the number of callers that the queue remembers."""


class Batcher(Generic[Source, Result]):
    """Engine threads that take batches from one :class:`FairQueue`.

    A batch that fails is halved until what fails is one item; only those who want that item get
    the error. The queue is as long as the callers make it; admission bounds them.

    Args:
        model: its name, for metrics, logs and errors.
        engine: gets a lane and the sources of a batch; gives one result per source, in order.
        threads: batches at the same time.
        max_batch_tokens: of the items of one batch together; a larger item is a batch of its own.
        canary: an item that every engine in order can do. When an item fails alone and this one
            fails, too, the engine is broken rather than the item strange.
        timeout_seconds: an engine that takes longer for one batch hangs.
        metrics: where batches and waits are counted.
    """

    def __init__(
        self,
        model: str,
        engine: Callable[[Hashable, Sequence[Source]], Sequence[Result]],
        *,
        threads: int,
        max_batch_tokens: int,
        canary: Item[Source],
        timeout_seconds: float,
        metrics: Metrics,
    ) -> None:
        self._model = model
        self._engine = engine
        self._canary = canary
        self._timeout_seconds = timeout_seconds
        self._queue_wait = metrics.queue_wait.labels(model=model)
        self._queue_depth = metrics.queue_depth.labels(model=model)
        self._queue_tokens = metrics.queue_tokens.labels(model=model)
        self._batch_sentences = metrics.batch_sentences.labels(model=model)
        self._batch_tokens = metrics.batch_tokens.labels(model=model)
        self._inference = metrics.inference.labels(model=model)
        self._engine_failures = metrics.engine_failures.labels(model=model)
        self._changed = threading.Condition()
        # All of these are read and written with _changed held.
        self._max_batch_tokens = max_batch_tokens
        self._queue: FairQueue[Source, Result] = FairQueue()
        self._idle_threads = 0
        self._open_calls = 0
        self._recent_callers = 0.0
        self._left = 0.0  # when a caller left, the last time
        self._running: dict[int, float] = {}  # since when an engine computes, by thread
        self._live_threads = threads
        self._broken = False
        self._closed = False
        # Daemons: an engine that hangs must not keep the process from ending.
        self._threads = [
            threading.Thread(target=self._serve, name=f"{model}-engine-{index}", daemon=True)
            for index in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def run(self, items: Sequence[Item[Source]]) -> list[Result]:
        """The results of all items, in order; blocks until they are there.

        Raises:
            InferenceError: an item fails, or the engine hangs, ended or was stopped.
            ServiceError: what the current work's checkpoint raises; what nobody else wants leaves
                the queue.
        """
        work = current_work()
        entered = time.monotonic()
        caller: Caller[Source, Result] = Caller()
        tasks = self._enqueue(caller, items)
        try:
            while caller.missing:
                self._check(tasks)
                work.wait(caller.event)
        finally:
            self._leave(caller, tasks)
        started = min((task.started or entered for task in tasks), default=entered)
        waited = max(0.0, started - entered)
        self._queue_wait.observe(waited)
        work.timings.queue += waited
        now = time.monotonic()
        work.timings.inference += now - entered - waited
        tracing.interval("queue", entered, entered + waited, model=self._model)
        tracing.interval("inference", entered + waited, now, model=self._model, items=len(items))
        return [self._result(task) for task in tasks]

    @property
    def dead(self) -> str | None:
        """Why the engine does not work as it should, or ``None``; may pass."""
        with self._changed:
            if self._broken:
                return f"the engine of {self._model} fails on everything"
            if self._hanging():
                return f"the engine of {self._model} hangs"
            if self._live_threads < len(self._threads):
                return f"an engine thread of {self._model} ended"
        return None

    def close(self, timeout_seconds: float) -> None:
        """Fail all that wait and stop the threads; one that hangs is left behind.

        Args:
            timeout_seconds: longest wait for batches that run.
        """
        with self._changed:
            self._closed = True
            for caller in self._queue.callers():
                caller.event.set()
            self._changed.notify_all()
        deadline = time.monotonic() + timeout_seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _check(self, tasks: Sequence[Task[Source, Result]]) -> None:
        """Whether it is any use to wait for the tasks.

        Raises:
            InferenceError: it is not.
        """
        with self._changed:
            if self._closed:
                raise InferenceError(f"the engine of {self._model} was stopped")
            oldest = time.monotonic() - self._timeout_seconds
            late = any(
                task.outcome is None and (task.started or math.inf) < oldest for task in tasks
            )
            if late or self._hanging() >= self._live_threads:
                raise InferenceError(f"the engine of {self._model} does not answer")

    def _hanging(self) -> int:
        """Threads whose engine takes too long."""
        oldest = time.monotonic() - self._timeout_seconds
        return sum(since < oldest for since in self._running.values())

    def _enqueue(
        self, caller: Caller[Source, Result], items: Sequence[Item[Source]]
    ) -> list[Task[Source, Result]]:
        with self._changed:
            if not self._open_calls and time.monotonic() - self._left > FILL_SECONDS:
                self._recent_callers = 0.0  # nobody came back in time
            self._open_calls += 1
            tasks = self._queue.add(caller, items)
            if self._queue.waiting:
                self._changed.notify_all()
            self._show_queue()
        return tasks

    def _leave(self, caller: Caller[Source, Result], tasks: Sequence[Task[Source, Result]]) -> None:
        with self._changed:
            self._open_calls -= 1
            self._left = time.monotonic()
            self._queue.remove(caller, tasks)
            self._show_queue()

    @staticmethod
    def _result(task: Task[Source, Result]) -> Result:
        if isinstance(task.outcome, InferenceError):
            # Its own for every caller: a raised exception collects the stack that it passes.
            raise InferenceError(task.outcome.detail) from task.outcome.__cause__
        return task.outcome  # type: ignore[return-value]  # every task that was waited for has one

    def _serve(self) -> None:
        """What an engine thread does."""
        while batch := self._next_batch():
            try:
                self._compute(batch)
            except BaseException as exc:
                logger.critical("engine thread of %s ended: %s", self._model, type(exc).__name__)
                with self._changed:
                    self._live_threads -= 1
                error = InferenceError(f"the engine of {self._model} ended")
                self._finish(batch, [error] * len(batch))
                return  # a raised error's message would be printed: it may quote an article

    def _next_batch(self) -> list[Task[Source, Result]]:
        """The next batch, as soon as there is one; empty when there will be none any more."""
        with self._changed:
            self._idle_threads += 1
            try:
                fill_until: float | None = None
                while not self._closed:
                    if not self._queue.waiting:
                        self._changed.wait()
                        continue
                    now = time.monotonic()
                    fill_until = fill_until or now + FILL_SECONDS
                    if self._is_worth_it() or now >= fill_until:
                        return self._take()
                    self._changed.wait(fill_until - now)
                return []
            finally:
                self._idle_threads -= 1

    def _is_worth_it(self) -> bool:
        """Whether a batch of what is in the queue is about as large as batches get."""
        share = math.ceil(max(self._recent_callers, self._open_calls) / len(self._threads))
        return self._queue.waiting >= share or self._queue.tokens >= self._max_batch_tokens

    def _take(self) -> list[Task[Source, Result]]:
        """The next batch; threads that are idle, too, are left their share."""
        share = self._queue.tokens // self._idle_threads
        self._recent_callers = RECENT_SHARE * max(self._recent_callers, self._open_calls)
        batch = self._queue.take(min(self._max_batch_tokens, share))
        self._show_queue()
        self._batch_sentences.observe(len(batch))
        self._batch_tokens.observe(sum(task.item.tokens for task in batch))
        return batch

    def _compute(self, batch: Sequence[Task[Source, Result]]) -> None:
        """Give every task of the batch its outcome."""
        outcomes: Sequence[Result | InferenceError]
        try:
            outcomes = self._call(batch[0].item.lane, [task.item.source for task in batch])
        except InferenceError as exc:
            self._engine_failures.inc()
            reason = type(exc.__cause__ or exc).__name__
            logger.error(  # noqa: TRY400 - a stack's last line may hold what the engine was given
                "engine of %s failed on %d items: %s", self._model, len(batch), reason
            )
            if len(batch) > 1:
                if _out_of_memory(exc):
                    half = sum(task.item.tokens for task in batch) // 2
                    with self._changed:
                        self._max_batch_tokens = min(self._max_batch_tokens, half)
                self._compute(batch[: len(batch) // 2])
                self._compute(batch[len(batch) // 2 :])
                return
            self._broken = not self._works()
            outcomes = [exc]
        else:
            self._broken = False
        self._finish(batch, outcomes)

    def _finish(
        self,
        batch: Sequence[Task[Source, Result]],
        outcomes: Sequence[Result | InferenceError],
    ) -> None:
        with self._changed:
            for task, outcome in zip(batch, outcomes, strict=True):
                self._queue.finish(task, outcome)

    def _call(self, lane: Hashable, sources: Sequence[Source]) -> Sequence[Result]:
        """What the engine makes of the sources.

        Raises:
            InferenceError: it raised anything, or gave another number of results.
        """
        thread = threading.get_ident()
        with self._changed:
            self._running[thread] = time.monotonic()
        try:
            with self._inference.time():
                results = self._engine(lane, sources)
        except InferenceError:
            raise
        except Exception as exc:  # the engine's libraries raise what they like
            raise InferenceError(f"the engine of {self._model} failed") from exc
        finally:
            with self._changed:
                del self._running[thread]
        if len(results) != len(sources):
            raise InferenceError(f"the engine of {self._model} gave another number of results")
        return results

    def _works(self) -> bool:
        """Something failed alone: whether anything works."""
        try:
            self._call(self._canary.lane, [self._canary.source])
        except InferenceError:
            return False
        return True

    def _show_queue(self) -> None:
        self._queue_depth.set(self._queue.items)
        self._queue_tokens.set(self._queue.tokens)


def _out_of_memory(error: InferenceError) -> bool:
    """Whether the device's memory was too small; CTranslate2 and torch say it in these words."""
    return "out of memory" in str(error.__cause__).lower()
