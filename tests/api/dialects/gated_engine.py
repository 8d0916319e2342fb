"""A fake engine that shouts, and waits or fails on request."""

import threading

from fakes import FakeTranslator

WAIT_SECONDS = 30.0


class GatedEngine:
    """Shouts every sentence back, once the gate is open.

    Attributes:
        fake: the engine itself.
        entered: set when a sentence has come.
        gate: sentences wait until it is set.
        error: raised after the gate.
    """

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.fake = FakeTranslator(self._shout)

    def _shout(self, sentence: str) -> str:
        self.entered.set()
        assert self.gate.wait(WAIT_SECONDS)
        if self.error:
            raise self.error
        return sentence.upper()
