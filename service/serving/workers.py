"""Admission and the crossing from the event loop to worker threads."""

import asyncio
import functools
import math
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from service.errors import ClientGone, DeadlineExceeded, Overloaded

Result = TypeVar("Result")

_LATE = "deadline_ms passed before the work was done"


class Work:
    """One accepted request while it is worked on: when it must be done, and whether it still must.

    Args:
        deadline_seconds: time from now until the work is worth nothing; ``None`` for no limit.
    """

    def __init__(self, deadline_seconds: float | None) -> None:
        self._accepted = time.monotonic()
        self._deadline = None if deadline_seconds is None else self._accepted + deadline_seconds
        self._cancelled = False
        self.queue_seconds = 0.0

    def begin(self) -> None:
        """A worker thread took the work: note how long it waited."""
        self.queue_seconds = time.monotonic() - self._accepted
        self.checkpoint()

    def cancel(self) -> None:
        """The caller has gone: the next checkpoint ends the work."""
        self._cancelled = True

    def checkpoint(self, _done: int = 0, _total: int = 0) -> None:
        """Called between batches (a ``pipeline.Checkpoint``).

        Raises:
            ClientGone: :meth:`cancel` was called.
            DeadlineExceeded: the deadline has passed.
        """
        if self._cancelled:
            raise ClientGone("the client closed the connection")
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise DeadlineExceeded(_LATE)


class Workers:
    """A few threads that run pipelines, and the count of requests let in to wait for them.

    Args:
        threads: requests worked on at the same time.
        max_queued_requests: requests worked on or waiting; one more is refused.
    """

    def __init__(self, threads: int, max_queued_requests: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="pipeline")
        self._threads = threads
        self._max_queued_requests = max_queued_requests
        self._accepted = 0
        self._mean_seconds = 1.0

    async def run(
        self,
        function: Callable[[Work], Result],
        *,
        disconnected: Callable[[], Awaitable[None]],
        deadline_seconds: float | None = None,
    ) -> Result:
        """Run ``function`` on a worker thread, or refuse at once.

        Args:
            function: gets the :class:`Work`; calls its ``checkpoint`` between batches.
            disconnected: returns when the caller has closed the connection.
            deadline_seconds: see :class:`Work`.

        Raises:
            Overloaded: every place is taken; ``Retry-After`` comes from the recent pace.
            ClientGone, DeadlineExceeded: see :meth:`Work.checkpoint`.
        """
        # No await between the check and the count, so that no two requests take one place.
        if self._accepted >= self._max_queued_requests:
            wait = self._accepted * self._mean_seconds / self._threads
            raise Overloaded(
                "every place is taken", headers={"Retry-After": str(max(1, math.ceil(wait)))}
            )
        self._accepted += 1
        work = Work(deadline_seconds)
        watcher = asyncio.ensure_future(self._cancel_on(disconnected, work))
        future = asyncio.get_running_loop().run_in_executor(
            self._executor, functools.partial(self._work, function, work)
        )
        try:
            await asyncio.wait({future}, timeout=deadline_seconds)
            if not future.done():
                raise DeadlineExceeded(_LATE)
            return future.result()
        finally:
            # Late or cancelled, nobody waits any more: what is queued is dropped, what runs ends
            # at its next checkpoint.
            work.cancel()
            future.cancel()
            watcher.cancel()
            self._accepted -= 1

    def shutdown(self) -> None:
        """Wait for the threads; nothing may be submitted any more."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _work(self, function: Callable[[Work], Result], work: Work) -> Result:
        work.begin()
        start = time.monotonic()
        result = function(work)
        work.checkpoint()  # what came after the deadline is late, however near
        # An exponential mean over about ten requests; races between threads only blur it.
        self._mean_seconds += (time.monotonic() - start - self._mean_seconds) / 10
        return result

    @staticmethod
    async def _cancel_on(disconnected: Callable[[], Awaitable[None]], work: Work) -> None:
        await disconnected()
        work.cancel()
