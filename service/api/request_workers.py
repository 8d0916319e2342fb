"""The work of a request: paid for, run, and told to its account."""

import asyncio
from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from starlette.requests import Request

from service.api.access import Access
from service.api.account import Made
from service.api.body import disconnected
from service.serving.work import Timings, Work
from service.serving.workers import Workers

Result = TypeVar("Result")


class RequestWorkers:
    """The one way from a route to the pipeline.

    Args:
        workers: run pipelines off the event loop.
        access: counts the characters.
    """

    def __init__(self, workers: Workers, access: Access) -> None:
        self._workers = workers
        self._access = access

    async def run(
        self,
        request: Request,
        function: Callable[[Work], tuple[Result, Iterable[Made]]],
        *,
        characters: int,
        kind: Hashable = None,
        key: Hashable | None = None,
        attended: bool = True,
        deadline_seconds: float | None = None,
    ) -> tuple[Result, Timings]:
        """Do a part of the work of a request whose body has been read.

        Args:
            request: who waits; its account is told what was made.
            function: gets the :class:`Work`; returns a result, and what the pipeline made for it.
            characters: length of the submitted text, counted against the limits of the key.
            kind: see :meth:`Workers.run`.
            key: see :meth:`Workers.run`.
            attended: whether the work ends when the caller closes the connection.
            deadline_seconds: see :meth:`Workers.run`.

        Returns:
            The result, and where the time of its run went.

        Raises:
            ContentTooLarge, RateLimited, StorageUnavailable: see :meth:`Access.spend`.
            Overloaded, ClientGone, DeadlineExceeded: see :meth:`Workers.run`.
        """
        async with self._access.refunding(await self._access.spend(request, characters)):
            (result, made), timings = await self._workers.run(
                function,
                characters=characters,
                kind=kind,
                key=key,
                disconnected=disconnected(request) if attended else _never,
                deadline_seconds=deadline_seconds,
            )
        for part in made:
            request.state.account.answered(part, timings)
        return result, timings


async def _never() -> None:
    """Nobody waits on a connection."""
    await asyncio.Event().wait()
