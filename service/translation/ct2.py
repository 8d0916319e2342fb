"""The CTranslate2 engine: int8 on CPU, float16 on CUDA; the default."""

import itertools
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

# Read when the library is first used. On x86-64 with AVX-512 oneDNN's matrix kernels give a row the
# same bits whatever the padding around it, in steps of 16 columns; MKL's, the default on Intel, do
# not, and sentences could share a batch only with those of the very same length.
os.environ.setdefault("CT2_USE_MKL", "0")

import ctranslate2

from service.errors import InferenceError, StartupError
from service.machine import parallel_batches
from service.translation.decoding import CAREFUL_NGRAM, LENGTH_STEP, Decoding, length_class
from service.translation.tokenizer import SentencePieceTokenizer
from service.translation.translator import Translation

MAX_BATCH_TOKENS = {"cpu": 512, "cuda": 8192}
"""Padded source tokens in one batch, by device; a larger beam takes as many times fewer.

Sixteen sentences of 31 tokens keep one core as busy as more do (97 % of the speed of 32 of them,
opus-mt's shape, int8, 2 beams) and end in half the time, so that the next caller's turn comes soon.
"""


PROBE = "Dit is een zin met genoeg verschillende woorden om iets aan af te meten: één, twee, drie."
PROBE_LENGTHS = (4, 17)
"""Shortest sources of the padded batches that are tried at the start."""
PROBE_STEPS = 2
"""Tokens decoded of each: the first scores tell already."""


def load_ctranslate2(
    weights: Path,
    *,
    device: str,
    compute_type: str | None,
    inter_threads: int | None,
    intra_threads: int,
) -> tuple[ctranslate2.Translator, str]:
    """A converted model on a device, and the name of the engine: ``ctranslate2/int8``.

    Args:
        weights: the directory of the converted model.
        device: ``cpu``, ``cuda`` or ``auto``.
        compute_type: arithmetic; ``None`` takes int8 on CPU and float16 on CUDA.
        inter_threads: batches in parallel; ``None`` to choose (``machine.parallel_batches``).
        intra_threads: threads inside a batch.

    Raises:
        StartupError: ``cuda`` was asked for and there is none.
    """
    if device == "auto":
        device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    elif device == "cuda" and not ctranslate2.get_cuda_device_count():
        raise StartupError("CTranslate2 sees no CUDA device: use --device cpu or auto")
    if compute_type is None:
        compute_type = "float16" if device == "cuda" else "int8"
    translator = ctranslate2.Translator(
        str(weights),
        device=device,
        compute_type=compute_type,
        inter_threads=parallel_batches(inter_threads, intra_threads, device),
        intra_threads=intra_threads,
    )
    return translator, f"ctranslate2/{compute_type}"


class CTranslate2Translator:
    """A converted Marian checkpoint in CTranslate2 (implements ``TranslationEngine``).

    Args:
        directory: an installed model: ``hub/`` with the tokenizer, ``ctranslate2/`` with weights.
        decoding: limits and beam size.
        prefix: tokens before every sentence.
        device: ``cpu``, ``cuda`` or ``auto``.
        inter_threads: batches in parallel; ``None`` to choose (``machine.parallel_batches``).
        intra_threads: threads inside a batch.
        compute_type: arithmetic; ``None`` takes int8 on CPU and float16 on CUDA.

    Raises:
        StartupError: ``cuda`` was asked for and there is none.
    """

    def __init__(
        self,
        directory: Path,
        decoding: Decoding,
        *,
        prefix: Sequence[str] = (),
        device: str = "cpu",
        inter_threads: int | None = None,
        intra_threads: int = 1,
        compute_type: str | None = None,
    ) -> None:
        self._decoding = decoding
        self._tokenizer = SentencePieceTokenizer(directory / "hub", prefix)
        weights = directory / "ctranslate2"
        self._use_vmap = (weights / "vmap.txt").exists()
        self._translator, self.engine = load_ctranslate2(
            weights,
            device=device,
            compute_type=compute_type,
            inter_threads=inter_threads,
            intra_threads=intra_threads,
        )
        self.inter_threads: int = self._translator.num_translators
        self.max_batch_tokens = MAX_BATCH_TOKENS[self._translator.device]
        # On CUDA speed comes first: no grouping makes its kernels independent of the batch.
        exact = self._translator.device == "cpu" and self._padding_matters()
        self.length_step = 1 if exact else LENGTH_STEP

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """See ``TranslationEngine.count_tokens``."""
        return list(map(len, self._tokenizer.encode(texts)))

    def fits(self, text: str) -> bool:
        """See ``Translator.fits``."""
        return self.count_tokens([text])[0] <= self._decoding.max_source_tokens

    def translate(self, sentences: Sequence[str], *, careful: bool = False) -> list[Translation]:
        """See ``Translator.translate``.

        All hypotheses of the beam are asked for. That changes neither the search nor its time as
        long as there is a length penalty: it goes on until the beam is full in any case.
        """
        decoding = self._decoding
        beam_size = decoding.careful_beam_size if careful else decoding.beam_size
        sources = self._tokenizer.encode(sentences)
        translations: dict[int, Translation] = {}
        try:
            # Submitted together, so that inter_threads workers share them, then collected.
            submitted = [
                (limit, index, result)
                for indices in decoding.group(sources, self.length_step)
                for limit in [decoding.max_target_length(len(sources[indices[0]]))]
                for index, result in zip(
                    indices,
                    self._translator.translate_batch(
                        [sources[index] for index in indices],
                        beam_size=beam_size,
                        num_hypotheses=beam_size,
                        patience=1,
                        length_penalty=decoding.length_penalty,
                        no_repeat_ngram_size=CAREFUL_NGRAM if careful else 0,
                        max_batch_size=self.max_batch_tokens * decoding.beam_size // beam_size,
                        batch_type="tokens",
                        max_input_length=0,
                        min_decoding_length=1,
                        max_decoding_length=limit,
                        disable_unk=True,
                        use_vmap=self._use_vmap,
                        return_scores=True,
                        asynchronous=True,
                    ),
                    strict=True,
                )
            ]
            for limit, index, pending in submitted:
                result = pending.result()
                best, *others = (
                    self._translation(len(sources[index]), tokens, score, limit)
                    for tokens, score in zip(result.hypotheses, result.scores, strict=True)
                )
                translations[index] = replace(best, alternatives=tuple(others))
        except (RuntimeError, ValueError) as exc:
            raise InferenceError("the translation engine failed on this request") from exc
        return [translations[index] for index in range(len(sources))]

    def _padding_matters(self) -> bool:
        """Whether this processor's arithmetic gives a sentence other bits in padded company.

        Then only sentences of the same length may share a batch: with those every processor tried
        gives the same bits for one sentence as for many.
        """
        [words] = self._tokenizer.encode([PROBE])

        def decode(sources: list[list[str]]) -> list[tuple[list[str], float]]:
            results = self._translator.translate_batch(
                sources,
                beam_size=1,
                max_decoding_length=PROBE_STEPS,
                use_vmap=self._use_vmap,
                return_scores=True,
            )
            return [(result.hypotheses[0], result.scores[0]) for result in results]

        for shortest in PROBE_LENGTHS:
            lengths = (length_class(shortest), *range(shortest, length_class(shortest), 5))
            sources = [
                list(itertools.islice(itertools.cycle(words), start, start + length))
                for start, length in enumerate(lengths)
            ]
            if decode(sources) != [decode([source])[0] for source in sources]:
                return True
        return False

    def _translation(
        self, source_tokens: int, tokens: list[str], score: float, limit: int
    ) -> Translation:
        """One hypothesis; CTranslate2's score is divided by its length to the length penalty."""
        reached_limit = len(tokens) >= limit
        length = len(tokens) + (not reached_limit)  # with </s>
        return Translation(
            text=self._tokenizer.decode(tokens),
            score=score * length ** (self._decoding.length_penalty - 1),
            source_tokens=source_tokens,
            target_tokens=len(tokens),
            reached_limit=reached_limit,
        )
