"""Whether the server lives, and whether it should be sent work."""

from collections.abc import Callable, Sequence
from typing import Protocol


class Engine(Protocol):
    """What can stop working while the process lives on."""

    @property
    def dead(self) -> str | None:
        """Why the engine does not work as it should; ``None`` while it does. It may recover.

        The reason is one line that anybody may read: no article text, no path, no trace.
        """


class Health:
    """What the health routes answer, from flags that the parts of the server set themselves.

    Args:
        engines: every engine that answers depend on.

    Attributes:
        draining: the server was told to stop. It still serves what comes, but balancers should
            send nothing any more, and every answer closes its connection.
        closed: the listener is closed: accepted requests finish, new ones are refused.
        working: whether work that is no request's is under way, which a drain waits for as well.
        storage: why the database that requests depend on does not work; ``None`` while it does.
    """

    def __init__(self, engines: Sequence[Engine]) -> None:
        self.draining = False
        self.closed = False
        self.working: Callable[[], bool] = lambda: False
        self.storage: str | None = None
        self._engines = engines

    def dead(self) -> str | None:
        """Why only a restart helps, for ``/livez``; ``None`` while every engine works."""
        return next((reason for engine in self._engines if (reason := engine.dead)), None)

    def unready(self) -> str | None:
        """Why no work should come here, for ``/readyz``; ``None`` while it should."""
        return self.dead() or ("the server is stopping" if self.draining else self.storage)
