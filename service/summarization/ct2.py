"""The CTranslate2 engine of summaries: int8 on CPU, float16 on CUDA; the default."""

from collections.abc import Sequence
from pathlib import Path

from service.errors import InferenceError
from service.summarization.decoding import Decoding
from service.summarization.generator import Generated
from service.summarization.tokenizer import START, BartTokenizer
from service.translation.ct2 import load_ctranslate2


class CTranslate2Generator:
    """A converted BART checkpoint in CTranslate2 (implements ``GenerationEngine``).

    Sources are batches of one: padding moves the rounding of int8, and a summary would depend on
    its company. For an article of several sections that is 1.3 times the time (four sources of
    1,000 tokens to 60 each, distilbart's shape, 2 cores) and 0.5 GB of memory instead of 0.9.

    Args:
        directory: an installed model: ``hub/`` with the tokenizer, ``ctranslate2/`` with weights.
        decoding: limits and search.
        device: ``cpu``, ``cuda`` or ``auto``.
        inter_threads: sources in parallel; ``None`` to choose (``machine.parallel_batches``).
        intra_threads: threads for one source.
        compute_type: arithmetic; ``None`` takes int8 on CPU and float16 on CUDA.

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
        compute_type: str | None = None,
    ) -> None:
        self._decoding = decoding
        self._tokenizer = BartTokenizer(directory / "hub")
        self._translator, self.engine = load_ctranslate2(
            directory / "ctranslate2",
            device=device,
            compute_type=compute_type,
            inter_threads=inter_threads,
            intra_threads=intra_threads,
        )
        self.inter_threads: int = self._translator.num_translators
        self.max_source_tokens = decoding.max_source_tokens

    def count_tokens(self, text: str) -> int:
        """See ``Generator.count_tokens``."""
        return len(self._tokenizer.encode(text))

    def generate(
        self, sources: Sequence[str], *, min_tokens: int, max_tokens: int
    ) -> list[Generated]:
        """See ``Generator.generate``."""
        decoding = self._decoding
        tokens = [self._tokenizer.encode(source) for source in sources]
        decoding.check(tokens)
        try:
            # Submitted together, so that inter_threads workers share them, then collected.
            submitted = self._translator.translate_batch(
                tokens,
                # As transformers' forced_bos_token_id; counted in both lengths below.
                target_prefix=[[START]] * len(tokens),
                beam_size=decoding.beam_size,
                patience=1,
                length_penalty=decoding.length_penalty,
                no_repeat_ngram_size=decoding.no_repeat_ngram_size,
                max_batch_size=1,
                batch_type="examples",
                max_input_length=0,
                min_decoding_length=max(min_tokens, 1) + 1,
                max_decoding_length=max_tokens + 1,
                suppress_sequences=[[token] for token in self._tokenizer.never_written],
                return_scores=True,
                asynchronous=True,
            )
            results = [pending.result() for pending in submitted]
        except (RuntimeError, ValueError) as exc:
            raise InferenceError("the summarization engine failed on this request") from exc
        return [
            self._generated(len(source), result.hypotheses[0], result.scores[0], max_tokens)
            for source, result in zip(tokens, results, strict=True)
        ]

    def _generated(
        self, source_tokens: int, hypothesis: list[str], score: float, max_tokens: int
    ) -> Generated:
        """One summary; CTranslate2 divides the sum of the log-probabilities by the length, ``<s>``
        and ``</s>`` counted, to the length penalty."""
        written = hypothesis[1:]
        reached_limit = len(written) >= max_tokens
        length = len(written) + (not reached_limit)  # with </s>
        return Generated(
            text=self._tokenizer.decode(written),
            score=score * (length + 1) ** self._decoding.length_penalty / length,
            source_tokens=source_tokens,
            target_tokens=len(written),
            reached_limit=reached_limit,
        )
