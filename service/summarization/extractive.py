"""Bullets that are sentences of the document: nothing to download, nothing that can be invented.

A sentence scores for being about what the whole document is about (cosine with the centroid of all
TF-IDF vectors) and for standing early; Maximal Marginal Relevance (Carbonell and Goldstein 1998)
then keeps a bullet from repeating one that is already chosen. On 76 news articles with summaries by
freelance writers (Tiiiger/benchmark_llm_summarization, 3 sentences) this gave ROUGE-1/2 35.9/14.3,
where lead-3 gave 35.9/14.2, TextRank 29.8/9.4 and the centroid alone 29.7/9.5.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from service.article.document import BlockKind, Document, Sentence
from service.article.warnings import ArticleWarning, WarningCode
from service.summarization.shortening import count_words, cut, shorten
from service.summarization.summarizer import Bullet

BULLET_KINDS = frozenset({BlockKind.PARAGRAPH, BlockKind.LIST_ITEM, BlockKind.QUOTE})
"""Blocks whose sentences can be bullets: a heading or a caption does not stand on its own."""

MINIMUM_WORDS = 4
"""Shorter sentences ("Not yet.") become bullets only in a document that has no longer ones."""

CENTROID_WEIGHT = 0.5
POSITION_WEIGHT = 0.5
MMR_LAMBDA = 0.7
"""Share of a sentence's own score in MMR; the rest is its distance from the chosen bullets. The
three weights are those of the measurement above."""

_WORD = re.compile(r"[^\W_]+")

Vector = Mapping[str, float]


class Fit(IntEnum):
    """How a sentence keeps the word limit, the best way first."""

    WHOLE = 0
    SHORTENED = 1
    CUT = 2


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence that can be a bullet.

    Attributes:
        sentence: the sentence of the document.
        text: what the bullet says: the sentence, shortened to the word limit.
        fit: how it keeps the limit.
    """

    sentence: Sentence
    text: str
    fit: Fit

    @property
    def bullet(self) -> Bullet:
        """The sentence as a bullet, carried by itself."""
        whole = self.fit is Fit.WHOLE
        warnings = () if whole else (ArticleWarning(WarningCode.SHORTENED),)
        return Bullet(self.text, (self.sentence.id,), 1.0, warnings)


class ExtractiveSummarizer:
    """Picks the sentences that say most of what a document says; see the module for the method.

    Deterministic; time grows linearly with the document for a given number of bullets.
    """

    method = "extractive"
    engine = "extractive"

    def summarize(
        self,
        document: Document,
        bullets: int,
        *,
        max_words: int | None = None,
        checkpoint: Callable[[], None] = lambda: None,
    ) -> list[Bullet]:
        """At most ``bullets`` sentences of ``document`` as bullets, in document order.

        Args:
            document: an English document.
            bullets: how many are wanted; a document with fewer candidates gives all of them.
            max_words: most words of a bullet. Sentences within the limit are taken first, then
                those that can be shortened at a clause, then others cut between two words.
            checkpoint: called once, before the work.

        Returns:
            Bullets with the sentence's text (white space collapsed), its id as the only source and
            support 1. An empty document gives an empty list.
        """
        checkpoint()
        ranking = Ranking(document, max_words)
        free = dict.fromkeys(range(len(ranking.candidates)))
        chosen = set(free)
        if len(free) > bullets:
            chosen = set()
            while len(chosen) < bullets:
                best = ranking.best(free)
                del free[best]
                chosen.add(best)
                ranking.avoid(ranking.candidates[best].text)
        return [ranking.candidates[index].bullet for index in sorted(chosen)]


def lead(document: Document, bullets: int) -> list[Bullet]:
    """The first ``bullets`` sentences that can be bullets: the baseline of news summarization.

    With three bullets this is *lead-3*. Same candidates and same form of the bullets as
    :class:`ExtractiveSummarizer`.
    """
    return [candidate.bullet for candidate in _candidates(document, None)[: max(bullets, 0)]]


class Ranking:
    """The sentences of one document that can be bullets, and which of them is best; not shared.

    Args:
        document: an English document.
        max_words: most words of a bullet.

    Attributes:
        candidates: sentences that can be bullets, in document order, no two with the same text.
    """

    def __init__(self, document: Document, max_words: int | None = None) -> None:
        self.candidates = _candidates(document, max_words)
        counts = [_count(candidate.text) for candidate in self.candidates]
        self._frequency = Counter(word for count in counts for word in count)
        self._vectors = [self._vector(count) for count in counts]
        centroid: dict[str, float] = {}
        for vector in self._vectors:
            for word, weight in vector.items():
                centroid[word] = centroid.get(word, 0.0) + weight
        centroid_norm = math.sqrt(sum(weight * weight for weight in centroid.values()))
        self._scores = [
            CENTROID_WEIGHT * _dot(vector, centroid) / centroid_norm
            + POSITION_WEIGHT / math.sqrt(index + 1)
            for index, vector in enumerate(self._vectors)
        ]
        # Each candidate's likeness to the bullet that is most like it, kept up to date with every
        # new bullet, so that a choice costs one pass over the document.
        self._nearest = [0.0] * len(self._vectors)

    def best(self, among: Iterable[int]) -> int:
        """The best by MMR of the candidates with these indices, of which there is at least one.

        A sentence within the word limit comes before one that has to be shortened, and that before
        one that has to be cut; of equals, the first.
        """
        return max(
            among,
            key=lambda i: (
                -self.candidates[i].fit,
                MMR_LAMBDA * self._scores[i] - (1 - MMR_LAMBDA) * self._nearest[i],
            ),
        )

    def avoid(self, text: str) -> None:
        """Take note of a bullet: candidates like it are worth less from here on."""
        bullet = self._vector(_count(text))
        self._nearest = [
            max(near, _dot(vector, bullet))
            for near, vector in zip(self._nearest, self._vectors, strict=True)
        ]

    def _vector(self, count: Mapping[str, int]) -> Vector:
        """The TF-IDF vector, of length 1; the candidates are the documents of the IDF."""
        total = len(self.candidates)
        # Smoothed IDF, as if one more sentence held every word: no word weighs nothing.
        weights = {
            word: times * (1.0 + math.log((1 + total) / (1 + self._frequency[word])))
            for word, times in count.items()
        }
        norm = math.sqrt(sum(weight * weight for weight in weights.values()))
        return {word: weight / norm for word, weight in weights.items()}


def _candidates(document: Document, max_words: int | None) -> list[Candidate]:
    """Sentences that can be bullets, in document order, each text once."""
    texts: dict[str, Sentence] = {}
    for block in document.blocks:
        if block.kind in BULLET_KINDS:
            for sentence in block.sentences:
                texts.setdefault(" ".join(sentence.text.split()), sentence)
    fragments = {text: sentence for text, sentence in texts.items() if _WORD.search(text)}
    whole = {
        text: sentence for text, sentence in fragments.items() if count_words(text) >= MINIMUM_WORDS
    }
    candidates: dict[str, Candidate] = {}
    for text, sentence in (whole or fragments).items():
        short, fit = _within(text, max_words)
        # What two sentences have in common may be all that is left of them.
        if short in candidates or not _WORD.search(short):
            continue
        candidates[short] = Candidate(sentence, short, fit)
    return list(candidates.values())


def _within(text: str, max_words: int | None) -> tuple[str, Fit]:
    """The text in at most ``max_words`` words, and how it came there."""
    if max_words is None or count_words(text) <= max_words:
        return text, Fit.WHOLE
    shortened = shorten(text, max_words)
    return (cut(text, max_words), Fit.CUT) if shortened is None else (shortened, Fit.SHORTENED)


def _count(text: str) -> Counter[str]:
    return Counter(_WORD.findall(text.lower()))


def _dot(left: Vector, right: Vector) -> float:
    return sum(weight * right.get(word, 0.0) for word, weight in left.items())
