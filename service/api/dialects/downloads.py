"""Files made for a caller, kept in memory for a while and fetched by a name nobody can guess."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from service.errors import ContentTooLarge, NotFound


@dataclass(frozen=True, slots=True)
class _Kept:
    data: bytes
    since: float


class Downloads:
    """Files by name; the oldest go first when there are too many. Used on the event loop only.

    Args:
        max_files: most files at a time.
        max_bytes: most bytes of all of them together.
        max_age_seconds: how long a file can be fetched.
        clock: tells the time in seconds.
    """

    def __init__(
        self,
        max_files: int = 100,
        max_bytes: int = 100_000_000,
        max_age_seconds: float = 1_800,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_files = max_files
        self._max_bytes = max_bytes
        self._max_age_seconds = max_age_seconds
        self._clock = clock
        self._kept: dict[str, _Kept] = {}  # the oldest first

    def add(self, name: str, data: bytes) -> str:
        """Keep a file; returns ``name`` with a random part before it, which makes it a secret.

        Raises:
            ContentTooLarge: it has more than ``max_bytes``.
        """
        if len(data) > self._max_bytes:
            raise ContentTooLarge(f"the translated file is over {self._max_bytes} bytes")
        secret = f"{uuid.uuid4()}.{name}"
        self._kept[secret] = _Kept(data, self._clock())
        size = sum(len(kept.data) for kept in self._kept.values())
        for oldest in list(self._kept):
            if len(self._kept) <= self._max_files and size <= self._max_bytes:
                break
            size -= len(self._kept.pop(oldest).data)
        self._drop_old()
        return secret

    def get(self, secret: str) -> bytes:
        """What the file of that whole name holds.

        Raises:
            NotFound: there is none, or none any more.
        """
        self._drop_old()
        try:
            return self._kept[secret].data
        except KeyError:
            raise NotFound("no such file, or none any more") from None

    def _drop_old(self) -> None:
        limit = self._clock() - self._max_age_seconds
        self._kept = {name: kept for name, kept in self._kept.items() if kept.since >= limit}
