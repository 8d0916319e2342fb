"""The CTranslate2 engine: int8 on CPU, float16 on CUDA; the default."""

from collections.abc import Sequence
from pathlib import Path

import ctranslate2

from service.errors import InferenceError, StartupError
from service.translation.decoding import Decoding
from service.translation.tokenizer import SentencePieceTokenizer
from service.translation.translator import Translation

MAX_BATCH_TOKENS = 2048
"""Padded source tokens in one batch: a whole article on CPU, and memory stays bounded."""


class CTranslate2Translator:
    """A converted Marian checkpoint in CTranslate2 (implements ``Translator``).

    Args:
        directory: an installed model: ``hub/`` with the tokenizer, ``ctranslate2/`` with weights.
        decoding: limits and beam size.
        prefix: tokens before every sentence.
        device: ``cpu``, ``cuda`` or ``auto``.
        inter_threads: batches in parallel.
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
        inter_threads: int = 1,
        intra_threads: int = 1,
        compute_type: str | None = None,
    ) -> None:
        if device == "auto":
            device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
        elif device == "cuda" and not ctranslate2.get_cuda_device_count():
            raise StartupError("CTranslate2 sees no CUDA device: use --device cpu or auto")
        if compute_type is None:
            compute_type = "float16" if device == "cuda" else "int8"
        self._decoding = decoding
        self._tokenizer = SentencePieceTokenizer(directory / "hub", prefix)
        weights = directory / "ctranslate2"
        self._use_vmap = (weights / "vmap.txt").exists()
        self._translator = ctranslate2.Translator(
            str(weights),
            device=device,
            compute_type=compute_type,
            inter_threads=inter_threads,
            intra_threads=intra_threads,
        )
        self.engine = f"ctranslate2/{compute_type}"

    def fits(self, text: str) -> bool:
        """See ``Translator.fits``."""
        return len(self._tokenizer.encode([text])[0]) <= self._decoding.max_source_tokens

    def translate(self, sentences: Sequence[str]) -> list[Translation]:
        """See ``Translator.translate``."""
        sources = self._tokenizer.encode(sentences)
        translations: dict[int, Translation] = {}
        try:
            # Submitted together, so that inter_threads workers share them, then collected.
            submitted = [
                (limit, index, result)
                for limit, indices in self._decoding.group(sources).items()
                for index, result in zip(
                    indices,
                    self._translator.translate_batch(
                        [sources[index] for index in indices],
                        beam_size=self._decoding.beam_size,
                        length_penalty=self._decoding.length_penalty,
                        max_batch_size=MAX_BATCH_TOKENS,
                        batch_type="tokens",
                        max_input_length=0,
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
                tokens = result.hypotheses[0]
                translations[index] = Translation(
                    text=self._tokenizer.decode(tokens),
                    score=result.scores[0],
                    source_tokens=len(sources[index]),
                    target_tokens=len(tokens),
                    reached_limit=len(tokens) >= limit,
                )
        except (RuntimeError, ValueError) as exc:
            raise InferenceError("the translation engine failed on this request") from exc
        return [translations[index] for index in range(len(sources))]
