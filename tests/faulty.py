"""Fake engines with faults: what they return is made up, and their faults are switched by words.

A sentence with the word of a fault meets it; every other sentence comes back in capitals. So one
caller can have the fault while another one has none.
"""

import threading
from collections.abc import Sequence

from service.translation.translator import Translation

FAULT = "Storing"
"""The word of the faults: a sentence that has it meets the fault."""
WAIT_SECONDS = 60.0


class ShoutingTranslator:
    """A fake that translates into capitals and counts its batches; the base of the others.

    Attributes:
        batches: how many batches have come.
    """

    engine = "fake"
    inter_threads = 2
    length_step = 16
    max_batch_tokens = 512

    def __init__(self) -> None:
        self.batches = 0

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) + 1 for text in texts]

    def fits(self, text: str) -> bool:
        return len(text) <= 500

    def translate(self, sentences: Sequence[str], *, careful: bool = False) -> list[Translation]:
        assert careful in (True, False)  # it knows one way to shout
        self.batches += 1
        if any(FAULT in sentence for sentence in sentences):
            self.meet_fault()
        return [
            Translation(sentence.upper(), -0.5, len(sentence), len(sentence), reached_limit=False)
            for sentence in sentences
        ]

    def meet_fault(self) -> None:
        """What happens on a sentence with the word."""


class FailingTranslator(ShoutingTranslator):
    """A fake that raises what an engine's library might: a new one each time."""

    def __init__(self, error: type[Exception], message: str) -> None:
        super().__init__()
        self._error, self._message = error, message

    def meet_fault(self) -> None:
        raise self._error(self._message)


class HangingTranslator(ShoutingTranslator):
    """A fake that does not come back until it is released.

    Attributes:
        hanging: set when a batch hangs.
        release: a test sets it to let the batch end.
    """

    def __init__(self) -> None:
        super().__init__()
        self.hanging = threading.Event()
        self.release = threading.Event()

    def meet_fault(self) -> None:
        self.hanging.set()
        assert self.release.wait(WAIT_SECONDS)


class DyingTranslator(ShoutingTranslator):
    """A fake that ends the thread which runs it, as nothing that Python code does should."""

    def meet_fault(self) -> None:
        raise SystemExit


class ShortTranslator(ShoutingTranslator):
    """A fake that loses the last sentence of a batch with the word."""

    def translate(self, sentences: Sequence[str], *, careful: bool = False) -> list[Translation]:
        made = super().translate(sentences, careful=careful)
        return made[:-1] if any(FAULT in sentence for sentence in sentences) else made


class SlowTranslator(ShoutingTranslator):
    """A fake that a test drives: a batch with the word goes on when it gets a permit.

    Attributes:
        pace: the permits.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pace = threading.Semaphore(0)

    def meet_fault(self) -> None:
        assert self.pace.acquire(timeout=WAIT_SECONDS)
