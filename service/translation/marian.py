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
from service.translation.decoding import CAREFUL_NGRAM, Decoding
from service.translation.tokenizer import END, PADDING, UNKNOWN, SentencePieceTokenizer
from service.translation.translator import Translation

MAX_BATCH_SENTENCES = 16
"""Sentences in one batch; a larger beam takes as many times fewer."""


def torch_device(device: str) -> torch.device:
    """The device for ``cpu``, ``cuda`` or ``auto``, which takes a CUDA device when there is one.

    Raises:
        StartupError: ``cuda`` was asked for and there is none.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    elif device == "cuda" and not torch.cuda.is_available():
        raise StartupError("torch sees no CUDA device: use --device cpu or auto")
    return torch.device(device)


class TorchTranslator:
    """A Marian checkpoint in float32 through transformers (implements ``Translator``).

    Args:
        directory: an installed model; ``hub/`` holds the safetensors checkpoint.
        decoding: limits and beam size.
        prefix: tokens before every sentence.
        device: ``cpu``, ``cuda`` or ``auto``.

    Raises:
        StartupError: ``cuda`` was asked for and there is none.
    """

    engine = "torch/float32"

    def __init__(
        self,
        directory: Path,
        decoding: Decoding,
        *,
        prefix: Sequence[str] = (),
        device: str = "cpu",
    ) -> None:
        if not sys.stderr.isatty():
            disable_progress_bar()  # type: ignore[no-untyped-call]  # untyped upstream
        self._device = torch_device(device)
        self._decoding = decoding
        self._tokenizer = SentencePieceTokenizer(directory / "hub", prefix)
        model: Any = MarianMTModel.from_pretrained(
            directory / "hub", local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
        self._model = model.to(self._device).eval()
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

    def fits(self, text: str) -> bool:
        """See ``Translator.fits``."""
        return len(self._tokenizer.encode([text])[0]) <= self._decoding.max_source_tokens

    def translate(self, sentences: Sequence[str], *, careful: bool = False) -> list[Translation]:
        """See ``Translator.translate``."""
        decoding = self._decoding
        beam_size = decoding.careful_beam_size if careful else decoding.beam_size
        size = max(1, MAX_BATCH_SENTENCES * decoding.beam_size // beam_size)
        sources = self._tokenizer.encode(sentences)
        translations: dict[int, Translation] = {}
        try:
            for limit, indices in decoding.group(sources).items():
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
