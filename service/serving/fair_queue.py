"""What waits in front of one model: items of many callers, taken from each in turn."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from service.errors import InferenceError

Source = TypeVar("Source", bound=Hashable)
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Item(Generic[Source]):
    """Something for the engine.

    Attributes:
        source: what the engine gets.
        lane: items of one lane may share a batch; the engine gets the lane, too.
        tokens: what the item takes of a batch.
    """

    source: Source
    lane: Hashable
    tokens: int


@dataclass(slots=True, eq=False)
class Task(Generic[Source, Result]):
    """An item in the queue or in an engine: one, however many callers want it.

    Attributes:
        item: what it is.
        callers: who want it.
        started: ``time.monotonic()`` when it was taken for an engine; ``None`` in the queue.
        outcome: what came of it; ``None`` before.
    """

    item: Item[Source]
    callers: "set[Caller[Source, Result]]" = field(default_factory=set)
    started: float | None = None
    outcome: "Result | InferenceError | None" = None


@dataclass(slots=True, eq=False)
class Caller(Generic[Source, Result]):
    """Somebody who wants items.

    Attributes:
        queued: what it has in the queue, by lane, the oldest lane first.
        missing: tasks without an outcome that it still waits for.
        event: nothing is missing any more, or there is another reason to look up.
    """

    queued: "OrderedDict[Hashable, deque[Task[Source, Result]]]" = field(
        default_factory=OrderedDict
    )
    missing: int = 0
    event: threading.Event = field(default_factory=threading.Event)


class FairQueue(Generic[Source, Result]):
    """Tasks in lanes; not thread-safe, who uses it holds a lock.

    A batch holds items of one lane, taken one by one from each caller in turn, so that a long
    article does not hold up a headline. Items that are equal are one task until it has its outcome.

    Attributes:
        items: how many tasks wait.
        tokens: of all that wait.
    """

    def __init__(self) -> None:
        self.items = 0
        self.tokens = 0
        self._waiting: OrderedDict[Caller[Source, Result], None] = OrderedDict()
        self._tasks: dict[tuple[Hashable, Source], Task[Source, Result]] = {}  # also in engines

    @property
    def waiting(self) -> int:
        """Callers with something in the queue."""
        return len(self._waiting)

    def callers(self) -> set[Caller[Source, Result]]:
        """All who want a task that has no outcome yet."""
        return {caller for task in self._tasks.values() for caller in task.callers}

    def add(
        self, caller: Caller[Source, Result], items: Sequence[Item[Source]]
    ) -> list[Task[Source, Result]]:
        """Tasks of the items, in order; equal ones are one, maybe another caller's already."""
        tasks = [self._task(item) for item in items]
        for task in dict.fromkeys(tasks):
            task.callers.add(caller)
            caller.missing += 1
            if task.started is None:
                caller.queued.setdefault(task.item.lane, deque()).append(task)
        if caller.queued:
            self._waiting[caller] = None
        return tasks

    def remove(self, caller: Caller[Source, Result], tasks: Sequence[Task[Source, Result]]) -> None:
        """Forget a caller, and what is in the queue only for it."""
        self._waiting.pop(caller, None)
        for task in dict.fromkeys(tasks):
            task.callers.discard(caller)
            if task.started is None and not task.callers:
                del self._tasks[task.item.lane, task.item.source]
                self.items -= 1
                self.tokens -= task.item.tokens

    def take(self, max_tokens: int) -> list[Task[Source, Result]]:
        """A batch of the lane that the first caller has waited for longest; somebody must wait.

        Args:
            max_tokens: of the batch; an item that is larger is a batch of its own.
        """
        lane = next(iter(next(iter(self._waiting)).queued))
        turns = deque(caller for caller in self._waiting if lane in caller.queued)
        batch: list[Task[Source, Result]] = []
        served: dict[Caller[Source, Result], None] = {}
        while turns:
            caller = turns.popleft()
            if lane not in caller.queued:  # its last one was another caller's, too
                continue
            task = caller.queued[lane][0]
            if batch and task.item.tokens > max_tokens:
                break
            max_tokens -= task.item.tokens
            self._start(task)
            batch.append(task)
            served[caller] = None
            turns.append(caller)
        for caller in served:
            if caller in self._waiting:
                self._waiting.move_to_end(caller)
        return batch

    def finish(self, task: Task[Source, Result], outcome: Result | InferenceError) -> None:
        """Give a task its outcome, and wake who misses nothing any more; the first one counts."""
        if task.outcome is not None:
            return
        task.outcome = outcome
        del self._tasks[task.item.lane, task.item.source]
        for caller in task.callers:
            caller.missing -= 1
            if not caller.missing:
                caller.event.set()

    def _task(self, item: Item[Source]) -> Task[Source, Result]:
        key = (item.lane, item.source)
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = Task(item)
            self.items += 1
            self.tokens += item.tokens
        return task

    def _start(self, task: Task[Source, Result]) -> None:
        """Take a task out of the queues of all who want it."""
        task.started = time.monotonic()
        self.items -= 1
        self.tokens -= task.item.tokens
        for caller in task.callers:
            queue = caller.queued[task.item.lane]
            queue.remove(task)
            if not queue:
                del caller.queued[task.item.lane]
            if not caller.queued:
                del self._waiting[caller]
