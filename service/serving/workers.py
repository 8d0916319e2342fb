"""The crossing from the event loop to threads that run pipelines."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from service.errors import ClientGone, DeadlineExceeded, Overloaded
from service.serving.admission import Admission
from service.serving.metrics import Metrics
from service.serving.work import Timings, Work, working_on

Result = TypeVar("Result")


class _Flight:
    """One run of a function and the requests that wait for its result."""

    def __init__(self, key: Hashable | None, future: "asyncio.Future[Any]", work: Work) -> None:
        self.key = key
        self.future = future
        self.work = work
        self.passengers = 0


class Workers:
    """A thread for every accepted request, and a bound on how many are accepted.

    Args:
        max_requests: requests worked on at the same time; one more is refused.
        max_tokens: estimated source tokens of all of them together; see :class:`Admission`.
        metrics: where requests are counted.
    """

    def __init__(self, max_requests: int, max_tokens: int, metrics: Metrics) -> None:
        # Threads mostly wait for the engines, whose queue is the one place where requests wait.
        self._executor = ThreadPoolExecutor(max_requests, thread_name_prefix="pipeline")
        self._admission = Admission(max_requests, max_tokens, metrics)
        self._metrics = metrics
        self._flights: set[_Flight] = set()
        self._by_key: dict[Hashable, _Flight] = {}

    async def run(
        self,
        function: Callable[[Work], Result],
        *,
        characters: int,
        kind: Hashable = None,
        key: Hashable | None = None,
        disconnected: Callable[[], Awaitable[None]],
        deadline_seconds: float | None = None,
    ) -> tuple[Result, Timings]:
        """Run ``function`` on a thread of its own, or refuse at once.

        Args:
            function: gets the :class:`Work`; calls its ``checkpoint`` between batches.
            characters: length of the submitted text.
            kind: see :meth:`Admission.place`.
            key: requests with the same key at the same time share one run; ``None`` for none.
            disconnected: returns when the caller has closed the connection.
            deadline_seconds: time until the result is worth nothing; ``None`` for no limit.

        Returns:
            What ``function`` returned, and where the time of its run went, shared or not.

        Raises:
            Overloaded: see :meth:`Admission.place`.
            ClientGone, DeadlineExceeded: see :meth:`Work.checkpoint`. A run that nobody waits for
                any more ends at its next checkpoint.
        """
        with self._admission.place(characters, deadline_seconds, kind):
            flight = None if key is None else self._by_key.get(key)
            if flight is not None and flight.work.extend(deadline_seconds):
                self._metrics.shared_requests.inc()
            else:
                flight = self._start(function, key, deadline_seconds)
            result: Result = await self._wait(flight, disconnected, deadline_seconds)
            return result, flight.work.timings

    def shutdown(self) -> None:
        """End the work that is left and wait for its threads; nothing may be submitted any more."""
        for flight in self._flights:
            flight.work.cancel(Overloaded("the server is stopping", code="draining"))
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _start(
        self,
        function: Callable[[Work], Result],
        key: Hashable | None,
        deadline_seconds: float | None,
    ) -> _Flight:
        work = Work(deadline_seconds)

        def run() -> Result:
            work.begin()
            with working_on(work):
                result = function(work)
            work.checkpoint()  # what came after the deadline is late, however near
            return result

        # The context goes along, with the trace that it may hold.
        future = asyncio.get_running_loop().run_in_executor(
            self._executor, contextvars.copy_context().run, run
        )
        flight = _Flight(key, future, work)
        self._flights.add(flight)
        if key is not None:
            self._by_key[key] = flight
        future.add_done_callback(lambda _: self._land(flight))
        return flight

    def _land(self, flight: _Flight) -> None:
        self._flights.discard(flight)
        self._unshare(flight)
        if not flight.future.cancelled():
            flight.future.exception()  # looked at, also when nobody waits any more

    def _unshare(self, flight: _Flight) -> None:
        """No later request joins the flight."""
        if flight.key is not None and self._by_key.get(flight.key) is flight:
            del self._by_key[flight.key]

    async def _wait(
        self,
        flight: _Flight,
        disconnected: Callable[[], Awaitable[None]],
        deadline_seconds: float | None,
    ) -> Any:
        """The result of the flight; whoever leaves last ends it."""
        gone = asyncio.ensure_future(disconnected())
        flight.passengers += 1
        try:
            await asyncio.wait(
                {flight.future, gone},
                timeout=deadline_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if flight.future.done():
                return flight.future.result()
            if gone.done():
                raise ClientGone("the client closed the connection")
            raise DeadlineExceeded("deadline_ms passed before the work was done")
        finally:
            gone.cancel()
            flight.passengers -= 1
            if not flight.passengers and not flight.future.done():
                # What is queued is dropped, what runs ends at its next checkpoint.
                self._unshare(flight)
                flight.work.cancel()
                flight.future.cancel()
