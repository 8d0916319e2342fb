"""The torch engine: the checkpoint itself through transformers; the reference for the fast path."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig, MarianMTModel
from transformers.utils.logging import disable_progress_bar

from service.errors import InferenceError, StartupError
from service.machine import parallel_batches
from service.translation.decoding import CAREFUL_NGRAM, LENGTH_STEP, Decoding
from service.translation.tokenizer import END, PADDING, UNKNOWN, SentencePieceTokenizer
from service.translation.translator import Translation

MAX_BATCH_TOKENS = 8192
"""Padded source tokens in one batch on CUDA; a larger beam takes as many times fewer. On CPU every
sentence is a batch of its own: float32 kernels round differently for other numbers of rows. That
takes some 3 times as long as batches of 16; this engine is the reference, not the fast one."""


def load_torch(model_class: Any, hub: Path, *, device: str, intra_threads: int) -> tuple[Any, str]:
    """A checkpoint on a device, and the name of the engine: ``torch/float32``.

    Args:
        model_class: of transformers.
        hub: the directory of the safetensors checkpoint.
        device: ``cpu``, ``cuda`` or ``auto``, which takes a CUDA device when there is one. On CPU
            models run in float32, on CUDA in float16.
        intra_threads: threads inside a batch; torch has one number for the whole process.

    Raises:
        StartupError: ``cuda`` was asked for and there is none.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    elif device == "cuda" and not torch.cuda.is_available():
        raise StartupError("torch sees no CUDA device: use --device cpu or auto")
    if not sys.stderr.isatty():
        disable_progress_bar()  # type: ignore[no-untyped-call]  # untyped upstream
    torch.set_num_threads(intra_threads)
    precision = "float16" if device == "cuda" else "float32"
    model = model_class.from_pretrained(
        hub, local_files_only=True, use_safetensors=True, dtype=getattr(torch, precision)
    )
    return model.to(device).eval(), f"torch/{precision}"


class TorchTranslator:
    """A Marian checkpoint through transformers (implements ``TranslationEngine``).

    float32 on CPU, float16 on CUDA.

    Args:
        directory: an installed model; ``hub/`` holds the safetensors checkpoint.
        decoding: limits and beam size.
        prefix: tokens before every sentence.
        device: ``cpu``, ``cuda`` or ``auto``.
        inter_threads: batches in parallel; ``None`` to choose (``machine.parallel_batches``).
        intra_threads: threads inside a batch; torch has one number for the whole process.

    Raises:
        StartupError: ``cuda`` was asked for and there is none.
    """

    length_step = LENGTH_STEP

    def __init__(
        self,
        directory: Path,
        decoding: Decoding,
        *,
        prefix: Sequence[str] = (),
        device: str = "cpu",
        inter_threads: int | None = None,
        intra_threads: int = 1,
    ) -> None:
        self._model, self.engine = load_torch(
            MarianMTModel, directory / "hub", device=device, intra_threads=intra_threads
        )
        self._device: torch.device = self._model.device
        self.inter_threads = parallel_batches(inter_threads, intra_threads, self._device.type)
        self.max_batch_tokens = MAX_BATCH_TOKENS if self._device.type == "cuda" else 1
        self._decoding = decoding
        self._tokenizer = SentencePieceTokenizer(directory / "hub", prefix)
        vocabulary = self._tokenizer.vocabulary
        end, padding = vocabulary[END], vocabulary[PADDING]
        # Replaces the checkpoint's own, of which generate() would mix in what is left unsaid.
        self._model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]  # untyped upstream
            do_sample=False,
            # As in CTranslate2: a translation has a token, and what is forbidden takes no
            # probability away from the rest.
            min_new_tokens=1,
            renormalize_logits=True,
            eos_token_id=end,
            pad_token_id=padding,
            decoder_start_token_id=padding,
            return_dict_in_generate=True,
            output_scores=True,
        )
        self._tokens = {index: token for token, index in vocabulary.items()}
        self._end, self._padding = end, padding
        # Only target pieces may be emitted, as the vocabulary map does for CTranslate2.
        emitted = [vocabulary[piece] for piece in self._tokenizer.target_pieces()]
        forbidden = torch.ones_like(self._model.final_logits_bias, dtype=torch.bool)
        forbidden[0, emitted] = False
        self._model.final_logits_bias.masked_fill_(forbidden, float("-inf"))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """See ``TranslationEngine.count_tokens``."""
        return list(map(len, self._tokenizer.encode(texts)))

    def fits(self, text: str) -> bool:
        """See ``Translator.fits``."""
        return self.count_tokens([text])[0] <= self._decoding.max_source_tokens

    def translate(self, sentences: Sequence[str], *, careful: bool = False) -> list[Translation]:
        """See ``Translator.translate``."""
        decoding = self._decoding
        beam_size = decoding.careful_beam_size if careful else decoding.beam_size
        budget = self.max_batch_tokens * decoding.beam_size // beam_size
        sources = self._tokenizer.encode(sentences)
        translations: dict[int, Translation] = {}
        try:
            for indices in decoding.group(sources, self.length_step):
                longest = len(sources[indices[0]])
                size = max(1, budget // longest)
                limit = decoding.max_target_length(longest)
                for start in range(0, len(indices), size):
                    batch = indices[start : start + size]
                    results = self._generate(
                        [sources[index] for index in batch],
                        limit,
                        beam_size,
                        CAREFUL_NGRAM if careful else 0,
                    )
                    translations |= zip(batch, results, strict=True)
        except (RuntimeError, ValueError, IndexError) as exc:
            raise InferenceError("the translation engine failed on this request") from exc
        return [translations[index] for index in range(len(sources))]

    @torch.inference_mode()
    def _generate(
        self, sources: list[list[str]], limit: int, beam_size: int, no_repeat_ngram_size: int
    ) -> list[Translation]:
        """Translations of one padded batch of token sequences."""
        vocabulary = self._tokenizer.vocabulary
        unknown = vocabulary[UNKNOWN]
        longest = max(map(len, sources))
        ids = torch.full((len(sources), longest), self._padding)
        for row, tokens in enumerate(sources):
            ids[row, : len(tokens)] = torch.tensor([vocabulary.get(t, unknown) for t in tokens])
        beam_search = {
            "num_beams": beam_size,
            "num_return_sequences": beam_size,
            "length_penalty": self._decoding.length_penalty,
            "early_stopping": True,
        }
        output = self._model.generate(
            ids.to(self._device),
            attention_mask=(ids != self._padding).long().to(self._device),
            max_new_tokens=limit,
            no_repeat_ngram_size=no_repeat_ngram_size,
            **(beam_search if beam_size > 1 else {}),
        )
        log_probabilities = self._model.compute_transition_scores(
            output.sequences, output.scores, getattr(output, "beam_indices", None)
        )
        hypotheses = []
        for row, (emitted, scores) in enumerate(
            zip(output.sequences[:, 1:].tolist(), log_probabilities, strict=True)
        ):
            length = emitted.index(self._end) if self._end in emitted else len(emitted)
            hypotheses.append(
                Translation(
                    text=self._tokenizer.decode(
                        [self._tokens[index] for index in emitted[:length]]
                    ),
                    score=float(scores[: length + 1].mean()),
                    source_tokens=len(sources[row // beam_size]),
                    target_tokens=length,
                    reached_limit=length >= limit,
                )
            )
        return [
            replace(hypotheses[best], alternatives=tuple(hypotheses[best + 1 : best + beam_size]))
            for best in range(0, len(hypotheses), beam_size)
        ]
