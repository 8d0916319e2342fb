"""What translates sentences, and what every translation engine promises on top."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Translation:
    """One translated sentence.

    Attributes:
        text: the English text, detokenised.
        score: mean log-probability of the target tokens (``</s>`` included), at most 0;
            a low one hints at an invention (Guerreiro et al. 2023, arXiv 2208.05309).
        source_tokens: tokens given to the model, ``</s>`` and prefix included.
        target_tokens: tokens that the model made, ``</s>`` not included.
        reached_limit: the length limit stopped the model before it ended the sentence itself.
        alternatives: the other hypotheses of the beam, best first, each without alternatives of
            its own; empty with one beam.
    """

    text: str
    score: float
    source_tokens: int
    target_tokens: int
    reached_limit: bool
    alternatives: tuple["Translation", ...] = ()


class Translator(Protocol):
    """Translates sentences; thread-safe."""

    engine: str
    """Engine and arithmetic, for example ``ctranslate2/int8``."""

    def translate(self, sentences: Sequence[str], *, careful: bool = False) -> list[Translation]:
        """One translation per sentence, in the same order; an empty list gives an empty list.

        Nothing is ever cut off: every sentence must fit (see :meth:`fits`). On CPU a translation
        depends on its sentence alone, bit for bit, whatever is translated with it.

        Args:
            sentences: normalised sentences.
            careful: decode with a larger beam and without repeated n-grams: slower, for sentences
                whose first translation failed.

        Raises:
            InferenceError: the engine failed, or a sentence does not fit.
        """

    def fits(self, text: str) -> bool:
        """Whether the model takes ``text`` whole, prefix and ``</s>`` included."""


class TranslationEngine(Translator, Protocol):
    """Holds one copy of one model, and says how its callers may share batches."""

    inter_threads: int
    """Batches that it works on at the same time."""
    length_step: int
    """Sentences share a batch only where ``tokens // length_step`` is the same."""
    max_batch_tokens: int
    """Padded source tokens that go through the model together; more sentences take turns."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text as a source, prefix and ``</s>`` included."""
