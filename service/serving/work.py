"""One accepted request while it is worked on."""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from service import tracing
from service.errors import ClientGone, DeadlineExceeded, ServiceError

MAX_WAIT_SECONDS = 1.0
"""Longest sleep of a thread that waits for an engine, between two looks at whether it still must
and whether the engine still lives."""


@dataclass(slots=True)
class Timings:
    """Where the seconds of one request went; what follows each other is added up.

    Attributes:
        queue: waiting for a thread, and for engines busy with other requests.
        tokenization: counting tokens.
        inference: in the engines.
    """

    queue: float = 0.0
    tokenization: float = 0.0
    inference: float = 0.0


class Work:
    """When the request must be done, whether anybody still waits for it, and where its time went.

    Args:
        deadline_seconds: time from now until the work is worth nothing; ``None`` for no limit.
    """

    def __init__(self, deadline_seconds: float | None = None) -> None:
        self.timings = Timings()
        self._accepted = time.monotonic()
        self._deadline = self._accepted + _seconds(deadline_seconds)
        self._is_late = False
        self._lock = threading.Lock()  # of the two above
        self._stopped: ServiceError | None = None
        self._sleeper: threading.Event | None = None

    def begin(self) -> None:
        """A thread took the work: note how long it waited.

        Raises:
            ServiceError: see :meth:`checkpoint`.
        """
        now = time.monotonic()
        tracing.interval("queue", self._accepted, now)
        self.timings.queue += now - self._accepted
        self.checkpoint()

    def extend(self, deadline_seconds: float | None) -> bool:
        """Another caller wants the same result, at most that many seconds from now.

        Returns:
            Whether the work goes on for it; not where it has ended as too late.
        """
        with self._lock:
            self._deadline = max(self._deadline, time.monotonic() + _seconds(deadline_seconds))
            return not self._is_late

    def cancel(self, reason: ServiceError | None = None) -> None:
        """End the work at its next checkpoint, and at once where it waits for an engine.

        Args:
            reason: what the checkpoint raises; :class:`ClientGone` unless said otherwise.
        """
        self._stopped = reason or ClientGone("the client closed the connection")
        if (sleeper := self._sleeper) is not None:
            sleeper.set()

    def checkpoint(self, _done: int = 0, _total: int = 0) -> None:
        """Called between batches (a ``faithful.Checkpoint``).

        Raises:
            ServiceError: what :meth:`cancel` was called with.
            DeadlineExceeded: the deadline has passed.
        """
        if self._stopped is not None:
            raise self._stopped
        with self._lock:
            self._is_late = self._is_late or time.monotonic() > self._deadline
        if self._is_late:
            raise DeadlineExceeded("deadline_ms passed before the work was done")

    def wait(self, event: threading.Event) -> None:
        """Sleep until ``event`` is set, for :data:`MAX_WAIT_SECONDS` at most.

        Raises:
            ServiceError: see :meth:`checkpoint`; at once when it happens.
        """
        seconds = min(MAX_WAIT_SECONDS, max(0.0, self._deadline - time.monotonic()) + 0.001)
        self._sleeper = event
        try:
            self.checkpoint()  # after the line above, so that no cancel() is missed
            event.wait(seconds)
            self.checkpoint()
        finally:
            self._sleeper = None


def _seconds(deadline_seconds: float | None) -> float:
    return math.inf if deadline_seconds is None else deadline_seconds


_current: ContextVar[Work | None] = ContextVar("current_work", default=None)


def current_work() -> Work:
    """The request that this thread works on; one that nothing ends, outside of requests."""
    return _current.get() or Work()


@contextmanager
def working_on(work: Work) -> Iterator[None]:
    """Make ``work`` the request that this thread works on."""
    token = _current.set(work)
    try:
        yield
    finally:
        _current.reset(token)
