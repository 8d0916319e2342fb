"""Calls of the database from the event loop: on few threads, and never for long."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from service.api.problems import RETRY_SECONDS
from service.errors import Overloaded, StorageUnavailable

MAX_CALLS = 256
"""Requests that wait for a call or for its thread; one more is refused."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class DatabaseCalls:
    """Threads of their own for a part of the server, so that no other waits for its calls.

    Args:
        name: of the threads.
        threads: calls at the same time.
        seconds: how long a request waits; more than the bounds of the database itself.
    """

    def __init__(self, name: str, *, threads: int, seconds: float) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._seconds = seconds
        self._calls = 0

    async def run(
        self,
        function: Callable[Arguments, Result],
        *arguments: Arguments.args,
        **named: Arguments.kwargs,
    ) -> Result:
        """What ``function`` returns, called on a thread; used on the event loop only.

        Raises:
            Overloaded: too many wait already.
            StorageUnavailable: it takes too long; it may still do its work.
        """
        if self._calls >= MAX_CALLS:
            raise Overloaded(
                "too many requests wait for the database", headers={"Retry-After": RETRY_SECONDS}
            )
        self._calls += 1
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.get_running_loop().run_in_executor(
                    self._executor, lambda: function(*arguments, **named)
                )
        except TimeoutError:
            raise StorageUnavailable(
                "the database does not answer in time", headers={"Retry-After": RETRY_SECONDS}
            ) from None
        finally:
            self._calls -= 1

    def close(self) -> None:
        """Wait for the calls that are under way."""
        self._executor.shutdown(wait=True, cancel_futures=True)
