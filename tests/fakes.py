"""Fake translation engines: what they return is made up on demand, never a translation."""

from collections.abc import Callable, Sequence

from service.translation.translator import Translation


class FakeTranslator:
    """Answers with ``rewrite(sentence)``, and remembers the batches that it saw.

    Args:
        rewrite: what becomes of a sentence; copies it unless said otherwise.
        careful: the same for careful decoding; as ``rewrite`` unless said otherwise.
        alternatives: other hypotheses of a sentence.
        max_characters: longest sentence that fits.
    """

    engine = "fake"
    inter_threads = 1
    length_step = 16
    max_batch_tokens = 512

    def __init__(
        self,
        rewrite: Callable[[str], str] = str,
        *,
        careful: Callable[[str], str] | None = None,
        alternatives: Callable[[str], Sequence[str]] = lambda _sentence: (),
        max_characters: int = 10_000,
    ) -> None:
        self.batches: list[list[str]] = []
        self._rewrite = rewrite
        self._careful = careful or rewrite
        self._alternatives = alternatives
        self._max_characters = max_characters

    @property
    def seen(self) -> list[str]:
        """Every sentence that the engine was given, in order."""
        return [sentence for batch in self.batches for sentence in batch]

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text) // 4 + 1 for text in texts]

    def fits(self, text: str) -> bool:
        return len(text) <= self._max_characters

    def translate(self, sentences: Sequence[str], *, careful: bool = False) -> list[Translation]:
        assert all(map(self.fits, sentences))
        self.batches.append(list(sentences))
        rewrite = self._careful if careful else self._rewrite
        return [
            Translation(
                rewrite(sentence),
                -0.5,
                3,
                2,
                reached_limit=False,
                alternatives=tuple(
                    Translation(text, -0.6, 3, 2, reached_limit=False)
                    for text in self._alternatives(sentence)
                ),
            )
            for sentence in sentences
        ]
