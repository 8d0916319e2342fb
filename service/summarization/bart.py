"""The torch engine of summaries: the checkpoint through transformers; the reference."""

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import BartForConditionalGeneration, GenerationConfig

from service.errors import InferenceError
from service.machine import parallel_batches
from service.summarization.decoding import Decoding
from service.summarization.generator import Generated
from service.summarization.tokenizer import END, PADDING, START, UNKNOWN, BartTokenizer
from service.translation.marian import load_torch


class TorchGenerator:
    """A BART checkpoint through transformers (implements ``GenerationEngine``).

    float32 on CPU, float16 on CUDA.

    Args:
        directory: an installed model; ``hub/`` holds the safetensors checkpoint.
        decoding: limits and search.
        device: ``cpu``, ``cuda`` or ``auto``.
        inter_threads: sources in parallel; ``None`` to choose (``machine.parallel_batches``).
        intra_threads: threads for one source; torch has one number for the whole process.

    Raises:
        StartupError: ``cuda`` was asked for and there is none.
    """

    def __init__(
        self,
        directory: Path,
        decoding: Decoding,
        *,
        device: str = "cpu",
        inter_threads: int | None = None,
        intra_threads: int = 1,
    ) -> None:
        self._model, self.engine = load_torch(
            BartForConditionalGeneration,
            directory / "hub",
            device=device,
            intra_threads=intra_threads,
        )
        self._device: torch.device = self._model.device
        self.inter_threads = parallel_batches(inter_threads, intra_threads, self._device.type)
        self._decoding = decoding
        self.max_source_tokens = decoding.max_source_tokens
        self._tokenizer = BartTokenizer(directory / "hub")
        vocabulary = self._tokenizer.vocabulary
        self._end = vocabulary[END]
        self._tokens = {index: token for token, index in vocabulary.items()}
        beam_search = {
            "num_beams": decoding.beam_size,
            "length_penalty": decoding.length_penalty,
            # As in CTranslate2: the search ends when there are as many texts as beams.
            "early_stopping": True,
        }
        # Replaces the checkpoint's own, of which generate() would mix in what is left unsaid.
        self._model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]  # untyped upstream
            do_sample=False,
            no_repeat_ngram_size=decoding.no_repeat_ngram_size,
            # As in CTranslate2: what is forbidden takes no probability away from the rest.
            renormalize_logits=True,
            forced_bos_token_id=vocabulary[START],
            eos_token_id=self._end,
            pad_token_id=vocabulary[PADDING],
            decoder_start_token_id=self._end,
            return_dict_in_generate=True,
            output_scores=True,
            **(beam_search if decoding.beam_size > 1 else {}),
        )
        never_written = [vocabulary[token] for token in self._tokenizer.never_written]
        self._model.final_logits_bias[0, never_written] = float("-inf")

    def count_tokens(self, text: str) -> int:
        """See ``Generator.count_tokens``."""
        return len(self._tokenizer.encode(text))

    def generate(
        self, sources: Sequence[str], *, min_tokens: int, max_tokens: int
    ) -> list[Generated]:
        """See ``Generator.generate``."""
        tokens = [self._tokenizer.encode(source) for source in sources]
        self._decoding.check(tokens)
        try:
            return [self._generate(source, min_tokens, max_tokens) for source in tokens]
        except (RuntimeError, ValueError, IndexError) as exc:
            raise InferenceError("the summarization engine failed on this request") from exc

    @torch.inference_mode()
    def _generate(self, source: list[str], min_tokens: int, max_tokens: int) -> Generated:
        """The summary of one source: padding would change it."""
        vocabulary = self._tokenizer.vocabulary
        unknown = vocabulary[UNKNOWN]
        ids = torch.tensor([[vocabulary.get(token, unknown) for token in source]])
        output = self._model.generate(
            ids.to(self._device),
            attention_mask=torch.ones_like(ids).to(self._device),
            # As in CTranslate2: a text has a token, and <s>, which is forced, is counted.
            min_new_tokens=max(min_tokens, 1) + 1,
            max_new_tokens=max_tokens + 1,
        )
        # Left out: </s>, which starts the decoder, and <s>.
        [sequence] = output.sequences[:, 2:].tolist()
        [scores] = self._model.compute_transition_scores(
            output.sequences, output.scores, getattr(output, "beam_indices", None)
        )[:, 1:]
        length = sequence.index(self._end) if self._end in sequence else len(sequence)
        return Generated(
            text=self._tokenizer.decode([self._tokens[index] for index in sequence[:length]]),
            score=float(scores[: length + 1].mean()),
            source_tokens=len(source),
            target_tokens=length,
            reached_limit=length >= max_tokens,
        )
