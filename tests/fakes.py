"""Fake engines: what they return is made up on demand, never a translation or a summary."""

from collections.abc import Callable, Sequence

from service.errors import InferenceError
from service.summarization.generator import Generated
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


class FakeGenerator:
    """Writes what ``write(source)`` says, counts a word as a token, remembers what it was asked.

    As the protocol promises, a source that does not fit is an error.
    """

    engine = "fake/words"

    def __init__(
        self, write: Callable[[str], str], *, max_source_tokens: int = 1024, cut_off: bool = False
    ) -> None:
        self.max_source_tokens = max_source_tokens
        self.calls: list[tuple[list[str], int, int]] = []
        self._write = write
        self._cut_off = cut_off

    def count_tokens(self, text: str) -> int:
        return len(text.split()) + 2

    def generate(
        self, sources: Sequence[str], *, min_tokens: int, max_tokens: int
    ) -> list[Generated]:
        self.calls.append((list(sources), min_tokens, max_tokens))
        if any(self.count_tokens(source) > self.max_source_tokens for source in sources):
            raise InferenceError("a source does not fit")
        return [
            Generated(
                text := self._write(source),
                -0.5,
                self.count_tokens(source),
                len(text.split()),
                self._cut_off,
            )
            for source in sources
        ]

    @property
    def sources(self) -> list[str]:
        """The sources of all calls, in order."""
        return [source for sources, _, _ in self.calls for source in sources]
