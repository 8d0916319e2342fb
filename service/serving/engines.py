"""Engines that many requests share: the protocols of the models over one queue each."""

import time
from collections.abc import Hashable, Sequence
from typing import cast

from service import tracing
from service.serving.batcher import Batcher
from service.serving.fair_queue import Item
from service.serving.metrics import Metrics
from service.serving.work import current_work
from service.summarization.generator import Generated, GenerationEngine
from service.translation.decoding import length_class
from service.translation.translator import Translation, TranslationEngine

CANARY = "Dit is een zin."
"""A sentence that every translation engine in order translates."""
SUMMARY_CANARY = "This is a sentence."
SUMMARY_CANARY_TOKENS = 8


class BatchedTranslator:
    """A ``Translator`` whose callers share batches; thread-safe.

    Args:
        engine: translates the batches.
        model: its name, for metrics.
        timeout_seconds: an engine that takes longer for one batch hangs.
        metrics: where batches and waits are counted.
    """

    def __init__(
        self,
        engine: TranslationEngine,
        model: str,
        *,
        timeout_seconds: float,
        metrics: Metrics,
    ) -> None:
        self.engine = engine.engine
        self._engine = engine
        self._tokenization = metrics.tokenization.labels(model=model)
        self.batcher: Batcher[str, Translation] = Batcher(
            model,
            self._run,
            threads=engine.inter_threads,
            max_batch_tokens=engine.max_batch_tokens,
            canary=self._items([CANARY], careful=False)[0],
            timeout_seconds=timeout_seconds,
            metrics=metrics,
        )

    def fits(self, text: str) -> bool:
        """See ``Translator.fits``."""
        return self._engine.fits(text)

    def translate(self, sentences: Sequence[str], *, careful: bool = False) -> list[Translation]:
        """See ``Translator.translate``; also raises what the current work's checkpoint raises."""
        start = time.perf_counter()
        with tracing.span("tokenization", sentences=len(sentences)):
            items = self._items(sentences, careful=careful)
        seconds = time.perf_counter() - start
        self._tokenization.observe(seconds)
        current_work().timings.tokenization += seconds
        return self.batcher.run(items)

    def _items(self, sentences: Sequence[str], *, careful: bool) -> list[Item[str]]:
        """Sentences of a like length share a batch, in which each takes as much as the longest."""
        lengths = [
            length_class(tokens, self._engine.length_step)
            for tokens in self._engine.count_tokens(sentences)
        ]
        return [
            Item(sentence, (careful, length), length)
            for sentence, length in zip(sentences, lengths, strict=True)
        ]

    def _run(self, lane: Hashable, sentences: Sequence[str]) -> list[Translation]:
        careful, _length = cast(tuple[bool, int], lane)
        return self._engine.translate(sentences, careful=careful)


class BatchedGenerator:
    """A ``Generator`` with one queue for all callers; thread-safe.

    Every source is a batch of its own, as in the engines: a summary does not depend on its company.

    Args:
        engine: writes the summaries.
        model: its name, for metrics.
        timeout_seconds: an engine that takes longer for one source hangs.
        metrics: where batches and waits are counted.
    """

    def __init__(
        self,
        engine: GenerationEngine,
        model: str,
        *,
        timeout_seconds: float,
        metrics: Metrics,
    ) -> None:
        self.engine = engine.engine
        self.max_source_tokens = engine.max_source_tokens
        self._engine = engine
        self.batcher: Batcher[str, Generated] = Batcher(
            model,
            self._run,
            threads=engine.inter_threads,
            max_batch_tokens=1,
            canary=Item(SUMMARY_CANARY, (1, SUMMARY_CANARY_TOKENS), 1),
            timeout_seconds=timeout_seconds,
            metrics=metrics,
        )

    def count_tokens(self, text: str) -> int:
        """See ``Generator.count_tokens``."""
        return self._engine.count_tokens(text)

    def generate(
        self, sources: Sequence[str], *, min_tokens: int, max_tokens: int
    ) -> list[Generated]:
        """See ``Generator.generate``; also raises what the current work's checkpoint raises."""
        return self.batcher.run([Item(source, (min_tokens, max_tokens), 1) for source in sources])

    def _run(self, lane: Hashable, sources: Sequence[str]) -> list[Generated]:
        min_tokens, max_tokens = cast(tuple[int, int], lane)
        return self._engine.generate(sources, min_tokens=min_tokens, max_tokens=max_tokens)
