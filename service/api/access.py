"""Keys and their limits on HTTP: who may ask, and what a request costs."""

import time
from asyncio import CancelledError
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.api.database_calls import DatabaseCalls
from service.errors import DeadlineExceeded, ServiceError
from service.keys.limits import Limits, Period, Spending
from service.keys.store import Key, KeyStore
from service.serving.health import Health
from service.storage.database import Database

OPEN = frozenset(
    {
        "/livez",
        "/readyz",
        "/healthz",
        "/version",
        "/v1/limits",
        "/v1/models",
        # LibreTranslate's, which its clients ask without a key. The name of a file is a secret.
        "/languages",
        "/frontend/settings",
        "/health",
        "/download_file/{name:path}",
    }
)
"""Routes for everybody, beside the page at ``/`` and the description at ``/docs``."""
THREADS = 4
"""Calls of the database at the same time; each takes some milliseconds."""
CALL_SECONDS = 15.0
"""How long a request waits for the database, whose own bounds are shorter."""
CHECK_SECONDS = 1.0
"""How long an answer of the database to the health routes holds."""


class Access:
    """Looks at the key of a request and counts its characters. Used on the event loop only.

    Args:
        database: of the keys; ``None`` where requests need none. A key that comes all the same
            is then not looked at.
        health: where trouble with the database is told.
    """

    def __init__(self, database: Database | None, health: Health) -> None:
        self._database = database
        self._keys = None if database is None else KeyStore(database)
        self._limits = None if database is None else Limits(database)
        self._health = health
        self._calls = DatabaseCalls("keys", threads=THREADS, seconds=CALL_SECONDS)
        self._checked = float("-inf")

    @property
    def required(self) -> bool:
        """Whether requests need a key."""
        return self._database is not None

    async def authenticate(self, request: Request, text: str | None) -> None:
        """Let a request in, and note its key for its limits, its jobs and its log line.

        Args:
            request: whose ``state`` gets the key.
            text: the key as it was sent; ``None`` for none.

        Raises:
            Unauthorized: see :meth:`KeyStore.authenticate`.
            Overloaded, StorageUnavailable: nobody can tell now.
        """
        if self._keys is not None:
            key = await self._calls.run(self._keys.authenticate, text)
            request.state.key = key
            request.state.account.key_id = key.id

    async def spend(self, request: Request, characters: int) -> Spending | None:
        """Count the characters of a request against the minute and the day of its key.

        Returns:
            What :meth:`refunding` and :meth:`give_back` take; ``None`` where nothing is counted.

        Raises:
            ContentTooLarge, RateLimited: see :meth:`Limits.spend`.
            Overloaded, StorageUnavailable, StorageFull: nothing can be counted now.
        """
        return await self._spend(request, characters, tuple(Period))

    async def spend_job(self, request: Request, characters: int) -> Spending | None:
        """As :meth:`spend`, against the day alone: a job may take its time."""
        return await self._spend(request, characters, (Period.DAY,))

    async def give_back(self, spending: Spending | None) -> None:
        """Count characters no more, for work that was not done through no fault of the caller.

        Raises:
            Overloaded, StorageUnavailable, StorageFull: they stay counted.
        """
        if self._limits is not None and spending is not None:
            await self._calls.run(self._limits.give_back, spending)

    @asynccontextmanager
    async def refunding(self, spending: Spending | None) -> AsyncIterator[None]:
        """Around work that was paid for: what ends in an error of the server is given back.

        A deadline that passed during the work is the caller's choice, and costs; so does work that
        ends because nobody waits for it any more.
        """
        try:
            yield
        except BaseException as exc:
            if isinstance(exc, ServiceError):
                is_callers = exc.status < 500 or exc.code == DeadlineExceeded.default_code
            else:  # a server that stops cancels what outlives the drain
                is_callers = isinstance(exc, CancelledError) and not self._health.draining
            if not is_callers:
                with suppress(ServiceError):  # the answer is the error of the work
                    await self.give_back(spending)
            raise

    async def spent_today(self, request: Request) -> tuple[int, int | None]:
        """Characters that the request's key has spent in this day of UTC, and its limit.

        Raises:
            Overloaded, StorageUnavailable: nobody can tell now.
        """
        key = key_of(request)
        if self._limits is None or key is None:
            return 0, None
        return await self._calls.run(self._limits.spent_today, key), key.characters_per_day

    async def check(self) -> None:
        """Look whether the database answers, for :meth:`Health.unready`."""
        now = time.monotonic()
        if self._database is None or now < self._checked + CHECK_SECONDS:
            return
        self._checked = now
        try:
            await self._calls.run(self._database.check)
            self._health.storage = None
        except ServiceError as error:
            self._health.storage = error.detail

    def close(self) -> None:
        """Wait for the calls that are under way."""
        self._calls.close()

    async def _spend(
        self, request: Request, characters: int, periods: Collection[Period]
    ) -> Spending | None:
        key = key_of(request)
        if self._limits is None or key is None or not characters:
            return None
        return await self._calls.run(self._limits.spend, key, characters, periods)


class KeyedRoute(APIRoute):
    """A route that looks at the key before it reads the body, unless its path is in :data:`OPEN`.

    Raises:
        Unauthorized, Overloaded, StorageUnavailable: see :meth:`Access.authenticate`.
    """

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ``starlette.routing.Route``."""
        access: Access = scope["app"].state.access
        if access.required and self.path not in OPEN:
            request = Request(scope, receive)
            await access.authenticate(request, await self.find_key(request))
        await super().handle(scope, receive, send)

    async def find_key(self, request: Request) -> str | None:
        """The key of the request as it was sent; ``None`` for none."""
        return key_in_header(request)


def key_in_header(request: Request, *, scheme: str = "Bearer") -> str | None:
    """The key in the one header ``Authorization``; never one in the address.

    Args:
        request: may hold anything.
        scheme: what may stand before the key, besides ``Bearer``, without regard to case.
    """
    values = request.headers.getlist("authorization")
    if len(values) != 1:
        return None
    given, _, text = values[0].partition(" ")
    return text.strip() if given.lower() in ("bearer", scheme.lower()) else None


def key_of(request: Request) -> Key | None:
    """The key that let the request in; ``None`` where none is needed."""
    key: Key | None = getattr(request.state, "key", None)
    return key


def owner(request: Request) -> str:
    """Whose the jobs of the request are: its key's id, or nothing where no key is needed."""
    key = key_of(request)
    return "" if key is None else key.id


class _CORS(CORSMiddleware):
    """Answers preflight requests as all others are answered; nothing else has looked at them, so
    that no second request of the same connection may hide in a body with two bounds."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """See starlette."""
        response = super().preflight_response(request_headers)
        response.headers.update(
            {
                "X-Content-Type-Options": "nosniff",
                "Cache-Control": "no-store",
                "Connection": "close",
            }
        )
        return response


def install_cors(app: FastAPI, origins: Collection[str]) -> None:
    """Let pages of these origins ask the server; without any there is no CORS header at all.

    It must be installed last: errors then have the headers too, without which a page can't read
    them. A preflight request needs no key, for browsers send none with it.

    Args:
        app: gets the middleware.
        origins: exact ones, as browsers send them; see ``Settings.cors_origins``.
    """
    if origins:
        app.add_middleware(
            _CORS,
            allow_origins=origins,
            allow_methods=("GET", "POST", "DELETE"),
            allow_headers=("Authorization", "Content-Type", "Idempotency-Key", "X-Request-ID"),
            expose_headers=("Location", "Retry-After", "X-Request-ID"),
        )
