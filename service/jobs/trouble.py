"""Trouble with the database, noticed by many threads and told of once."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from service.errors import StorageFull, StorageUnavailable
from service.serving.metrics import Metrics

logger = logging.getLogger(__name__)


class DatabaseTrouble:
    """Whether the database is in trouble, for the log and the metrics; for many threads.

    Args:
        metrics: where it is shown.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._lock = threading.Lock()
        self._lasts = False

    @property
    def lasts(self) -> bool:
        """Whether the database has failed, and has answered nothing that was asked since."""
        with self._lock:
            return self._lasts

    @contextmanager
    def noticed(self) -> Iterator[None]:
        """Around what asks the database; its errors are raised on.

        What began before the trouble tells nothing of its end.
        """
        lasted = self.lasts
        try:
            yield
        except (StorageUnavailable, StorageFull) as error:
            with self._lock:
                begins, self._lasts = not self._lasts, True
                self._metrics.database_up.set(0)
            if begins:
                logger.warning("jobs wait for the database: %s", error.detail)
            raise
        else:
            with self._lock:
                ends = lasted and self._lasts
                if ends:
                    self._lasts = False
                self._metrics.database_up.set(not self._lasts)
            if ends:
                logger.info("the database is back: jobs go on")
