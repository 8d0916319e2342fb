"""Admission: who is let in, decided in one step before any work."""

import math
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from service.errors import DeadlineExceeded, Overloaded
from service.serving.metrics import Metrics

CHARACTERS_PER_TOKEN = 4.0
"""Of Dutch text under opus-mt-nl-en's vocabulary, about; tokens are estimated from it, because
counting them would be work done before a place is reserved."""

LOADED_REQUESTS = 4
"""With fewer requests at the same time, tokens per second say how small the requests are rather
than how fast the engines."""

MEMORY_SECONDS = 60.0
"""How long a measurement counts: the weight of a second of work falls to 1/e in that time."""

MAX_RETRY_AFTER_SECONDS = 120
"""No refusal asks for more patience, however slow the last requests were."""


@dataclass(frozen=True, slots=True)
class _Fastest:
    """The fastest request of about one size, in the seconds that it would take alone."""

    tokens: int
    seconds: float
    ended: float


class Admission:
    """Counts requests and their source tokens in and out; to be used by one thread, the event loop.

    Args:
        max_requests: requests let in at the same time; one more is refused.
        max_tokens: estimated source tokens of all of them together. A request larger than that is
            let in when it is alone.
        metrics: where requests let in are counted.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        max_requests: int,
        max_tokens: int,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.requests = 0
        self.tokens = 0
        self._max_requests = max_requests
        self._max_tokens = max_tokens
        self._metrics = metrics
        self._clock = clock
        self._updated = clock()
        # Seconds so far of a place that always gets its even share of the engines.
        self._share_seconds = 0.0
        # Sums with fading weights over the time in which the engines had much to do.
        self._loaded_seconds = 0.0
        self._loaded_tokens = 0.0
        # The fastest request of each kind and size (bit length of its tokens).
        self._fastest: dict[tuple[Hashable, int], _Fastest] = {}

    @contextmanager
    def place(
        self, characters: int, deadline_seconds: float | None, kind: Hashable = None
    ) -> Iterator[None]:
        """Hold a place while the body runs; a body that raises says nothing of the pace.

        Args:
            characters: length of the submitted text; 0 for work that needs no engine.
            deadline_seconds: what takes longer is worth nothing; ``None`` for no limit.
            kind: requests of one kind ask for the same work; only they tell how long it takes.

        Raises:
            Overloaded: every place is taken, or those ahead take longer than the deadline;
                ``Retry-After`` comes from the measured pace.
            DeadlineExceeded: requests of this size take longer than the deadline, even alone.
        """
        tokens = min(max(1, math.ceil(characters / CHARACTERS_PER_TOKEN)), self._max_tokens)
        self._refuse(kind, tokens, deadline_seconds)
        self._account(0)
        self._metrics.inflight_requests.inc()
        self.requests += 1
        self.tokens += tokens
        start = self._share_seconds
        done = 0
        try:
            yield
            done = tokens
        finally:
            self._account(done)
            if done and characters:  # without any, it was no work for the engines
                self._remember(kind, tokens, self._share_seconds - start)
            self._metrics.inflight_requests.dec()
            self.requests -= 1
            self.tokens -= tokens

    def _refuse(self, kind: Hashable, tokens: int, deadline_seconds: float | None) -> None:
        # Nothing awaits between this check and the count, so that no two requests take one place.
        if self.requests >= self._max_requests or self.tokens + tokens > self._max_tokens:
            raise self._overloaded("every place is taken")
        if deadline_seconds is None:
            return
        if self._least_seconds(kind, tokens) > deadline_seconds:
            raise DeadlineExceeded(
                "deadline_ms is shorter than any request of this size took of late",
                code="deadline_unreachable",
            )
        # Places share the engines evenly: a small request does not wait for all that is ahead.
        ahead = min(self.tokens + tokens, tokens * (self.requests + 1))
        if self.requests >= LOADED_REQUESTS and ahead > self._pace() * deadline_seconds:
            raise self._overloaded("the requests ahead take longer than deadline_ms")

    def _overloaded(self, detail: str) -> Overloaded:
        seconds = max(1, math.ceil(min(self.tokens / self._pace(), MAX_RETRY_AFTER_SECONDS)))
        return Overloaded(detail, headers={"Retry-After": str(seconds)})

    def _pace(self) -> float:
        """Tokens per second under load; infinite before anything was measured."""
        return self._loaded_tokens / self._loaded_seconds if self._loaded_tokens else math.inf

    def _account(self, tokens_done: int) -> None:
        """Time went by with the present load, at whose end so many tokens were done."""
        now = self._clock()
        elapsed = now - self._updated
        self._share_seconds += elapsed / max(1, self.requests)
        if self.requests >= LOADED_REQUESTS:
            weight = math.exp(-elapsed / MEMORY_SECONDS)
            self._loaded_seconds = self._loaded_seconds * weight + elapsed
            self._loaded_tokens = self._loaded_tokens * weight + tokens_done
        self._updated = now

    def _remember(self, kind: Hashable, tokens: int, seconds: float) -> None:
        size, now = (kind, tokens.bit_length()), self._clock()
        known = self._fastest.get(size)
        if known is None or seconds <= known.seconds or now - known.ended > MEMORY_SECONDS:
            self._fastest[size] = _Fastest(tokens, seconds, now)

    def _least_seconds(self, kind: Hashable, tokens: int) -> float:
        """A time that no request of this size would have gone below of late, had it been alone.

        A larger request takes at least as long as a smaller one, and no fewer seconds a token.
        """
        now = self._clock()
        return max(
            (
                known.seconds * min(1.0, tokens / known.tokens)
                for (known_kind, _), known in self._fastest.items()
                if known_kind == kind and now - known.ended <= MEMORY_SECONDS
            ),
            default=0.0,
        )
