"""What writes summaries, and what every engine of a summarization model promises on top."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Generated:
    """What the model wrote for one source.

    Attributes:
        text: plain text, detokenised; may hold several sentences.
        score: mean log-probability of the target tokens, at most 0.
        source_tokens: tokens given to the model, ``<s>`` and ``</s>`` included.
        target_tokens: tokens that it wrote, ``<s>`` and ``</s>`` not included.
        reached_limit: ``max_tokens`` ended the text, so that its last sentence may be cut off.
    """

    text: str
    score: float
    source_tokens: int
    target_tokens: int
    reached_limit: bool


class Generator(Protocol):
    """Writes summaries of English texts; thread-safe."""

    engine: str
    """Engine and arithmetic, for example ``ctranslate2/int8``."""
    max_source_tokens: int
    """Longest source, special tokens included."""

    def count_tokens(self, text: str) -> int:
        """Tokens of ``text`` as a source, special tokens included."""

    def generate(
        self, sources: Sequence[str], *, min_tokens: int, max_tokens: int
    ) -> list[Generated]:
        """One summary per source, in the same order; an empty list gives an empty list.

        Args:
            sources: English texts that fit: ``count_tokens(text) <= max_source_tokens``.
            min_tokens: fewest target tokens.
            max_tokens: most target tokens.

        Raises:
            InferenceError: the engine failed, or a source does not fit; nothing is ever cut.
        """


class GenerationEngine(Generator, Protocol):
    """Holds one copy of one model."""

    inter_threads: int
    """Sources that it works on at the same time."""
