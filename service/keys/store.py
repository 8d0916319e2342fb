"""Keys in the database: made, shown once, looked at with every request, revoked."""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select, update

from service.errors import InvalidRequest, NotFound, Unauthorized
from service.storage.database import Database
from service.storage.tables import api_key

SECRET_BYTES = 32
_ID_BYTES = 6
_KEY = re.compile(r"kortom_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ID = re.compile(r"[0-9a-f]{12}")
_NO_DIGEST = "0" * 64
"""What the digest of a key with an unknown id is compared with: no text has it."""
_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Key:
    """A key without its secret.

    Attributes:
        id: 12 hexadecimal digits, part of the key; harmless in a log.
        name: given by the operator.
        characters_per_minute: most characters in a calendar minute; ``None`` for no limit.
        characters_per_day: most characters in a day of UTC; ``None`` for no limit.
        created_at: in seconds since 1970 UTC, as are the other two.
        expires_at: from when on it is refused; ``None`` for never.
        revoked_at: since when it is refused; ``None`` while it is not.
    """

    id: str
    name: str
    characters_per_minute: int | None
    characters_per_day: int | None
    created_at: float
    expires_at: float | None
    revoked_at: float | None

    def is_usable(self, now: float) -> bool:
        """Whether it is neither revoked nor expired at ``now``, in seconds since 1970 UTC."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


_COLUMNS = [
    api_key.c.id,
    api_key.c.name,
    api_key.c.characters_per_minute,
    api_key.c.characters_per_day,
    api_key.c.created_at,
    api_key.c.expires_at,
    api_key.c.revoked_at,
]


class KeyStore:
    """The keys of a database. Thread-safe; every method may wait for the database.

    A key is ``kortom_``, its id, ``_`` and 32 random bytes in base64url. The database has its
    SHA-256 digest alone: 256 random bits can't be guessed from it, so that a slow hash, made for
    passwords that people choose, would only slow down every request.

    Args:
        database: has the table ``api_key``.
        clock: tells the seconds since 1970 UTC.

    Raises:
        StorageUnavailable, StorageFull: see :class:`Database`; every method.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def create(
        self,
        name: str,
        *,
        characters_per_minute: int | None = None,
        characters_per_day: int | None = None,
        expires_days: int | None = None,
    ) -> tuple[Key, str]:
        """Make a key; returns it and its text, which nothing can show again.

        Args:
            name: 1 to 64 letters, digits and ``._-``, of no other key, revoked ones included.
            characters_per_minute: see :class:`Key`; at least 1.
            characters_per_day: see :class:`Key`; at least 1.
            expires_days: days of 24 hours until it is refused, at least 1; ``None`` for never.

        Raises:
            InvalidRequest: the name can't be one, or is taken.
        """
        if not _NAME.fullmatch(name) or _ID.fullmatch(name):
            raise InvalidRequest(
                "a key's name has 1 to 64 letters, digits, points, dashes and underscores, and is "
                "not 12 hexadecimal digits as ids are"
            )
        now = self._clock()
        key = Key(
            id=secrets.token_hex(_ID_BYTES),
            name=name,
            characters_per_minute=characters_per_minute,
            characters_per_day=characters_per_day,
            created_at=now,
            expires_at=None if expires_days is None else now + expires_days * _DAY_SECONDS,
            revoked_at=None,
        )
        text = f"kortom_{key.id}_{secrets.token_urlsafe(SECRET_BYTES)}"
        with self._database.transaction() as connection:
            if connection.execute(select(api_key.c.id).where(api_key.c.name == name)).first():
                raise InvalidRequest(f"there is a key {name} already; revoked ones keep their name")
            connection.execute(
                insert(api_key).values(
                    id=key.id,
                    name=name,
                    digest=_digest(text),
                    characters_per_minute=characters_per_minute,
                    characters_per_day=characters_per_day,
                    created_at=now,
                    expires_at=key.expires_at,
                )
            )
        return key, text

    def keys(self) -> list[Key]:
        """All keys, the oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(
                select(*_COLUMNS).order_by(api_key.c.created_at, api_key.c.id)
            ).all()
        return [_key(row) for row in rows]

    def any_usable(self) -> bool:
        """Whether there is a key that is neither revoked nor expired."""
        now = self._clock()
        return any(key.is_usable(now) for key in self.keys())

    def revoke(self, name_or_id: str) -> Key:
        """Refuse a key from this moment on, for good; one that is revoked stays as it is.

        Raises:
            NotFound: there is no such key.
        """
        found = (api_key.c.id == name_or_id) | (api_key.c.name == name_or_id)
        with self._database.transaction() as connection:
            connection.execute(
                update(api_key)
                .where(found, api_key.c.revoked_at.is_(None))
                .values(revoked_at=self._clock())
            )
            row = connection.execute(select(*_COLUMNS).where(found)).first()
        if row is None:
            raise NotFound("there is no such key; see `kortom keys list`")
        return _key(row)

    def authenticate(self, text: str | None) -> Key:
        """The key of which ``text`` is the whole text.

        An unknown id takes the same steps as a wrong secret. Nothing is remembered between two
        calls, so that what is revoked is refused at once, on every replica.

        Raises:
            Unauthorized: no key, no text of a key, an unknown one, revoked or expired; always the
                same error.
        """
        match = _KEY.fullmatch(text or "")
        if text is None or match is None:
            raise unauthorized()
        with self._database.reading() as connection:
            row = connection.execute(
                select(*_COLUMNS, api_key.c.digest).where(api_key.c.id == match[1])
            ).first()
        expected = row.digest if row else _NO_DIGEST
        is_same = hmac.compare_digest(_digest(text), expected)
        if row is None or not is_same or not (key := _key(row)).is_usable(self._clock()):
            raise unauthorized()
        return key


def unauthorized() -> Unauthorized:
    """The one answer to all requests without a usable key (RFC 6750, section 3)."""
    return Unauthorized(
        "this needs a key that is neither expired nor revoked: Authorization: Bearer KEY",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _key(row: Sequence[Any]) -> Key:
    return Key(*row[: len(_COLUMNS)])
