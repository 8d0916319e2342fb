"""The Summarizer protocol: what every summarizer promises."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from service.article.document import Document
from service.article.warnings import ArticleWarning


@dataclass(frozen=True, slots=True)
class Bullet:
    """One bullet of a summary.

    Attributes:
        text: the bullet, one English sentence.
        sources: ids of the sentences that it rests on, in document order; at least one.
        support: between 0 and 1, how far its sources carry it; 1 for a sentence taken as it is.
        warnings: what is to be said of it, each code once.
        written: whether a model wrote it; else it is a sentence of the document, or a part of one.
    """

    text: str
    sources: tuple[str, ...]
    support: float
    warnings: tuple[ArticleWarning, ...] = ()
    written: bool = False


@dataclass(frozen=True, slots=True)
class SummaryOptions:
    """What summary is wanted.

    Attributes:
        bullets: most bullets, at least 1.
        method: ``extractive``, ``abstractive``, or ``auto`` for what the profile has.
        max_words: most words of a bullet; ``None`` for no limit.
        headline: whether a headline is wanted as well.
    """

    bullets: int = 3
    method: str = "auto"
    max_words: int | None = None
    headline: bool = False


class Summarizer(Protocol):
    """Picks or writes the bullets of an English document; thread-safe."""

    method: str
    """``extractive`` or ``abstractive``."""
    engine: str
    """Engine and arithmetic, for example ``ctranslate2/int8``; the method where no model runs."""

    def summarize(
        self,
        document: Document,
        bullets: int,
        *,
        max_words: int | None = None,
        checkpoint: Callable[[], None] = lambda: None,
    ) -> list[Bullet]:
        """At most ``bullets`` bullets, in document order, from an English document.

        A document with no sentence that can be a bullet gives an empty list.

        Args:
            document: an English document.
            bullets: how many are wanted, at least 1.
            max_words: most words of a bullet; longer ones are shortened or replaced.
            checkpoint: called before every piece of model work; raises to end work that nobody
                waits for any more.
        """
