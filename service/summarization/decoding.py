"""Decoding settings of a summarization model, all explicit."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.errors import InferenceError


@dataclass(frozen=True, slots=True)
class Decoding:
    """How a generator searches; the fewest and most target tokens come with every call.

    Engine defaults are never used: CTranslate2 would cut input at 1024 and output at 256 tokens
    without a word, and transformers would mix in the checkpoint's own settings.

    Attributes:
        beam_size: hypotheses kept per step; 1 is greedy search.
        length_penalty: exponent of the length that a hypothesis' log-probability is divided by.
        no_repeat_ngram_size: tokens in a row that a text writes once, at least 2; 0 is off.
        max_source_tokens: longest source, ``<s>`` and ``</s>`` included.
    """

    beam_size: int
    length_penalty: float
    no_repeat_ngram_size: int
    max_source_tokens: int

    def check(self, sources: Sequence[Sequence[str]]) -> None:
        """Refuses what would have to be cut.

        Raises:
            InferenceError: a source is longer than the model's input.
        """
        for tokens in sources:
            if len(tokens) > self.max_source_tokens:
                raise InferenceError(
                    f"a source of {len(tokens)} tokens is over the model's "
                    f"{self.max_source_tokens}; it was not divided"
                )
