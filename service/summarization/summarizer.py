"""The Summarizer protocol: what every summarizer promises."""

from dataclasses import dataclass
from typing import Protocol

from service.article.document import Document


@dataclass(frozen=True, slots=True)
class Bullet:
    """One bullet of a summary.

    Attributes:
        text: the bullet, one English sentence.
        sources: ids of the sentences that it rests on, in document order; at least one.
        support: between 0 and 1, how far its sources carry it; 1 for a sentence taken as it is.
    """

    text: str
    sources: tuple[str, ...]
    support: float


class Summarizer(Protocol):
    """Picks or writes the bullets of an English document; thread-safe."""

    method: str
    """``extractive`` or ``abstractive``."""

    def summarize(self, document: Document, bullets: int) -> list[Bullet]:
        """At most ``bullets`` bullets, in document order, from an English document.

        A document with no sentence that can be a bullet gives an empty list.
        """
