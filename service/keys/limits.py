"""Characters of a key in a minute and in a day, counted in the database before the work."""

import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Connection, case, insert, select, update

from service.errors import ContentTooLarge, RateLimited
from service.keys.store import Key
from service.storage.database import Database
from service.storage.tables import api_key, key_usage


class Period(StrEnum):
    """What a limit is for."""

    MINUTE = "minute"
    DAY = "day"

    @property
    def seconds(self) -> int:
        """How long it is."""
        return 60 if self is Period.MINUTE else 86_400


@dataclass(frozen=True, slots=True)
class Spending:
    """Characters that were counted.

    Attributes:
        key_id: against which key.
        characters: how many.
        windows: in which windows: when each began, in seconds since 1970 UTC.
    """

    key_id: str
    characters: int
    windows: Mapping[Period, int]


class Limits:
    """The limits of keys over one database, whatever the number of servers.

    Windows are fixed: a calendar minute and a day of UTC. That is one row per key and period and
    easy to foretell; a key can spend two minutes' characters within the seconds around the end of
    one. Thread-safe; every method may wait for the database.

    Args:
        database: has the tables ``api_key`` and ``key_usage``.
        clock: tells the seconds since 1970 UTC.

    Raises:
        StorageUnavailable, StorageFull: see :class:`Database`; every method.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def spend(
        self, key: Key, characters: int, periods: Collection[Period] = tuple(Period)
    ) -> Spending:
        """Count characters, or refuse them and count nothing, in one step.

        Args:
            key: whose.
            characters: how many, at least 0.
            periods: the limits that they count against.

        Raises:
            ContentTooLarge: more than the key may spend in a whole period; ``over_key_limit``.
            RateLimited: more than is left of the day (``quota_exceeded``) or of the minute
                (``rate_limited``); ``Retry-After`` says when it ends.
        """
        for period in periods:
            limit = _limit(key, period)
            if limit is not None and characters > limit:
                raise ContentTooLarge(
                    f"{characters} characters; this key has {limit} a {period}",
                    code="over_key_limit",
                )
        with self._database.transaction() as connection:
            _lock(connection, key.id)
            now = self._clock()
            used = self._used(connection, key.id, now)
            # The day first: who has to wait longer should know.
            for period in sorted(periods, key=lambda period: -period.seconds):
                limit = _limit(key, period)
                started, spent = used[period]
                if limit is not None and spent + characters > limit:
                    raise _exhausted(period, limit, started + period.seconds - now)
            for period in periods:
                started, spent = used[period]
                _write(connection, key.id, period, started, spent + characters)
        return Spending(key.id, characters, {period: used[period][0] for period in periods})

    def give_back(self, spending: Spending) -> None:
        """Count characters no more, in windows that have not ended since."""
        left = key_usage.c.characters - spending.characters
        with self._database.transaction() as connection:
            _lock(connection, spending.key_id)
            for period, started in spending.windows.items():
                connection.execute(
                    update(key_usage)
                    .where(
                        key_usage.c.key_id == spending.key_id,
                        key_usage.c.period == period.value,
                        key_usage.c.started == started,
                    )
                    # A clock that was set back has begun the window a second time, from 0.
                    .values(characters=case((left > 0, left), else_=0))
                )

    def spent_today(self, key: Key) -> int:
        """Characters of the day of UTC until now."""
        with self._database.reading() as connection:
            return self._used(connection, key.id, self._clock())[Period.DAY][1]

    def _used(
        self, connection: Connection, key_id: str, now: float
    ) -> Mapping[Period, tuple[int, int]]:
        """When the window of each period began, and the characters spent in it."""
        rows = {
            row.period: row
            for row in connection.execute(select(key_usage).where(key_usage.c.key_id == key_id))
        }
        used = {}
        for period in Period:
            started, spent = int(now // period.seconds) * period.seconds, 0
            row = rows.get(period.value)
            # The clock of another server may be a little ahead: its window counts here too.
            if row is not None and row.started in (started, started + period.seconds):
                started, spent = row.started, row.characters
            used[period] = (started, spent)
        return used


def _lock(connection: Connection, key_id: str) -> None:
    """Until the transaction ends nobody else counts against the key.

    On SQLite the transaction itself does that, and ``FOR UPDATE`` is left out.
    """
    connection.execute(select(api_key.c.id).where(api_key.c.id == key_id).with_for_update())


def _write(
    connection: Connection, key_id: str, period: Period, started: int, characters: int
) -> None:
    values = {"started": started, "characters": characters}
    changed = connection.execute(
        update(key_usage)
        .where(key_usage.c.key_id == key_id, key_usage.c.period == period.value)
        .values(values)
    )
    if not changed.rowcount:
        connection.execute(insert(key_usage).values(key_id=key_id, period=period.value, **values))


def _limit(key: Key, period: Period) -> int | None:
    return key.characters_per_minute if period is Period.MINUTE else key.characters_per_day


def _exhausted(period: Period, limit: int, seconds: float) -> RateLimited:
    return RateLimited(
        f"this key has {limit} characters a {period}, and too few are left",
        code="rate_limited" if period is Period.MINUTE else "quota_exceeded",
        headers={"Retry-After": str(max(1, math.ceil(seconds)))},
    )
