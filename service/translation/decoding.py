"""Decoding limits: how long a translation may become, and which sentences share a limit."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.errors import InferenceError

LENGTH_STEP = 16
"""Sources whose lengths differ less than this, counted from multiples of it, share a limit; where
the processor's arithmetic allows it they share batches, too (``TranslationEngine.length_step``)."""

CAREFUL_NGRAM = 4
"""Tokens in a row that careful decoding writes once in a sentence. Of the English sentences of
FLORES-200 dev (997, words and punctuation as tokens) 0.3 % repeat four tokens, 1.6 % three: a
shorter n-gram would forbid honest translations, a longer one would let short loops through."""

CAREFUL_BEAM_SIZE = 6
"""Careful decoding keeps twice as many hypotheses, and at least this many, which is ``num_beams``
in generation_config.json of Helsinki-NLP/opus-mt-nl-en."""


def length_class(tokens: int, step: int = LENGTH_STEP) -> int:
    """The longest source, in tokens, of those that lie between the same multiples of ``step``."""
    return tokens // step * step + step - 1


@dataclass(frozen=True, slots=True)
class Decoding:
    """Decoding settings of one translator, all explicit.

    Engine defaults are never used: CTranslate2 would cut input at 1024 and output at 256 tokens,
    transformers output at 20, without a word.

    Attributes:
        beam_size: hypotheses kept per step; 1 is greedy search.
        length_penalty: exponent of the length that a hypothesis' log-probability is divided by.
        max_source_tokens: longest input, prefix and ``</s>`` included.
        max_target_tokens: longest output that the model has positions for.
        max_target_ratio: target tokens allowed per source token, before the margin.
        max_target_margin: target tokens allowed on top.
    """

    beam_size: int
    length_penalty: float
    max_source_tokens: int
    max_target_tokens: int
    max_target_ratio: float
    max_target_margin: int

    @property
    def careful_beam_size(self) -> int:
        """Hypotheses kept per step by careful decoding."""
        return max(2 * self.beam_size, CAREFUL_BEAM_SIZE)

    def max_target_length(self, source_tokens: int) -> int:
        """Most target tokens for a source of that many tokens: the same in its length class."""
        allowed = int(length_class(source_tokens) * self.max_target_ratio) + self.max_target_margin
        return min(allowed, self.max_target_tokens)

    def group(self, sources: Sequence[Sequence[str]], length_step: int) -> list[list[int]]:
        """Indices of ``sources``, those that may share a batch together, longest source first.

        Args:
            sources: tokens of each source.
            length_step: see ``TranslationEngine.length_step``.

        Raises:
            InferenceError: a source is longer than the model's input.
        """
        groups: dict[int, list[int]] = {}
        for index, tokens in enumerate(sources):
            if len(tokens) > self.max_source_tokens:
                raise InferenceError(
                    f"a sentence of {len(tokens)} tokens is over the model's "
                    f"{self.max_source_tokens}; it was not split"
                )
            groups.setdefault(length_class(len(tokens), length_step), []).append(index)
        for indices in groups.values():
            indices.sort(key=lambda index: len(sources[index]), reverse=True)
        return list(groups.values())
