"""Bullets that a model writes, each checked against the article before anybody reads it.

One sentence of the model is one bullet. What the article does not carry is not repaired: a sentence
of the article stands in its place and says so.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from service.article.document import Document
from service.article.warnings import ArticleWarning, Severity, WarningCode
from service.summarization.extractive import (
    BULLET_KINDS,
    MINIMUM_WORDS,
    ExtractiveSummarizer,
    Ranking,
)
from service.summarization.generator import Generated, Generator
from service.summarization.guard import check_bullet
from service.summarization.receipts import Receipts
from service.summarization.sentences import model_sentences
from service.summarization.shortening import count_words, shorten
from service.summarization.summarizer import Bullet

FEWEST_SOURCE_WORDS = 60
"""Shorter articles get the extractive summary. Models trained on whole news articles invent when
they have less to go on: bart-large-cnn made a quotation of 50 words out of 20 words of input
(huggingface/transformers#3657)."""

MIN_SHARE = 0.3
"""Share of the source's tokens that a summary has at least, where that is less than the model's own
minimum: 56 tokens out of an article of 80 would be most of it, and partly invented."""

MAX_SHARE = 0.6
"""Share of the source's tokens that a summary has at most: a longer one is no summary."""

REPEATED = 0.6
"""Two bullets whose words overlap by more than this (Jaccard) say the same."""

NEARBY = 3
"""How many candidates before and after its place a bullet's replacement is looked for."""

_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class _Section:
    """A part of the article that the model reads at once."""

    text: str
    tokens: int
    sentences: tuple[str, ...]
    """Ids of its sentences, in document order."""


@dataclass(frozen=True, slots=True)
class _Draft:
    """A bullet of the model, with what speaks against it.

    Attributes:
        bullet: the bullet with its receipt; it may have no sources.
        place: the sentence of the article beside which it belongs, as an index.
        faults: codes of the checks that it failed.
    """

    bullet: Bullet
    place: int
    faults: tuple[WarningCode, ...]


class AbstractiveSummarizer:
    """Bullets in the words of a model, with the sentences of the article that carry each.

    An article over the model's input is summed up in sections that end where blocks end. A sentence
    that is itself over it is read by no model; it can be a bullet as it stands.

    Args:
        generator: writes the summaries.
        min_length: fewest target tokens of one, for a long source.
        max_length: most target tokens of one.
    """

    method = "abstractive"

    def __init__(self, generator: Generator, *, min_length: int, max_length: int) -> None:
        self.engine = generator.engine
        self._generator = generator
        self._min_length = min_length
        self._max_length = max_length
        self._extractive = ExtractiveSummarizer()

    def summarize(
        self,
        document: Document,
        bullets: int,
        *,
        max_words: int | None = None,
        checkpoint: Callable[[], None] = lambda: None,
    ) -> list[Bullet]:
        """At most ``bullets`` bullets, in document order, from an English document.

        A bullet of the model that fails a hard check or repeats another is replaced by a sentence
        of the article from the same place, with ``bullet_replaced``. Where the model gives fewer
        bullets than wanted, sentences of the article make up the number; where it gives more, those
        with most support are taken, spread over the article. An article of fewer than
        :data:`FEWEST_SOURCE_WORDS` words gets the extractive summary.

        Args:
            document: an English document.
            bullets: how many are wanted.
            max_words: most words of a bullet. A sentence of the model over it is shortened at a
                clause, or left out where that can't be done.
            checkpoint: called before every section and before every bullet that the model wrote is
                checked; raises to end the work.

        Raises:
            InferenceError: the model failed.
        """
        sections = self._sections(document)
        words = sum(count_words(section.text) for section in sections)
        if words < FEWEST_SOURCE_WORDS or bullets < 1:
            return self._extractive.summarize(
                document, bullets, max_words=max_words, checkpoint=checkpoint
            )
        generated: list[Generated] = []
        for section in sections:
            checkpoint()
            generated += self._generator.generate(
                [section.text],
                min_tokens=self._tokens(MIN_SHARE, self._min_length, section.tokens),
                max_tokens=self._tokens(MAX_SHARE, self._max_length, section.tokens),
            )
        places = {sentence.id: place for place, sentence in enumerate(document.sentences())}
        receipts = Receipts(document)
        drafts = []
        for section, written in zip(sections, generated, strict=True):
            for sentence, place in _placed(written, section, places):
                checkpoint()
                short = _within(sentence, max_words)
                if short is not None and count_words(short) >= MINIMUM_WORDS:
                    drafts.append(_draft(sentence, short, place, receipts, places))
        choice = _Choice(Ranking(document, max_words), bullets, places)
        choice.take(drafts)
        choice.fill()
        return choice.bullets()

    @staticmethod
    def _tokens(share: float, limit: int, source_tokens: int) -> int:
        """The share of the source, at most ``limit``."""
        return max(1, min(limit, int(share * source_tokens)))

    def _sections(self, document: Document) -> list[_Section]:
        """The running text of the document in parts that the model can take, of like size."""
        limit = self._generator.max_source_tokens
        pieces: list[list[_Section]] = []
        for block in document.blocks:
            if block.kind in BULLET_KINDS:
                sentences = [
                    self._section([sentence.id], " ".join(sentence.text.split()))
                    for sentence in block.sentences
                    if _WORD.search(sentence.text)
                ]
                readable = [sentence for sentence in sentences if sentence.tokens <= limit]
                # A block over the limit is divided between its sentences.
                whole = sum(sentence.tokens for sentence in readable) <= limit
                pieces += [readable] if whole else [[sentence] for sentence in readable]
        pieces = [piece for piece in pieces if piece]
        everything = [sentence for piece in pieces for sentence in piece]
        if not everything:
            return []
        # Counted together they are fewer tokens than the sum, which has special ones for each.
        if (article := self._joined(everything)).tokens <= limit:
            return [article]
        return [section for part in _packed(pieces, limit) for section in self._fitting(part)]

    def _fitting(self, sentences: Sequence[_Section]) -> Iterator[_Section]:
        """One section of these sentences, or more where together they are over the limit."""
        joined = self._joined(sentences)
        if joined.tokens <= self._generator.max_source_tokens:
            yield joined
        else:
            middle = len(sentences) // 2
            yield from self._fitting(sentences[:middle])
            yield from self._fitting(sentences[middle:])

    def _joined(self, sentences: Sequence[_Section]) -> _Section:
        if len(sentences) == 1:
            return sentences[0]
        ids = [one for sentence in sentences for one in sentence.sentences]
        return self._section(ids, " ".join(sentence.text for sentence in sentences))

    def _section(self, sentences: Sequence[str], text: str) -> _Section:
        return _Section(text, self._generator.count_tokens(text), tuple(sentences))


class _Choice:
    """The bullets of one summary as they are chosen, at most ``wanted`` and no two alike."""

    def __init__(self, ranking: Ranking, wanted: int, places: Mapping[str, int]) -> None:
        self._ranking = ranking
        self._wanted = wanted
        self._places = places
        self._chosen: list[Bullet] = []
        self._chosen_words: list[frozenset[str]] = []
        self._cited: set[str] = set()
        self._words = [_words(candidate.text) for candidate in ranking.candidates]
        self._candidate_places = [places[one.sentence.id] for one in ranking.candidates]
        self._free = list(range(len(ranking.candidates)))

    def bullets(self) -> list[Bullet]:
        """The chosen bullets in document order."""
        return sorted(
            self._chosen, key=lambda bullet: [self._places[source] for source in bullet.sources]
        )

    def take(self, drafts: Sequence[_Draft]) -> None:
        """Choose among the model's bullets, and replace failed ones as far as there is room."""
        drafts = sorted(drafts, key=lambda draft: draft.place)
        good = [draft for draft in drafts if not draft.faults]
        # The best of every part of the article, then the best of the others.
        count = min(self._wanted, len(good))
        parts = [
            good[part * len(good) // count : (part + 1) * len(good) // count]
            for part in range(count)
        ]
        for part in parts:
            best = next((d for d in sorted(part, key=_merit) if not self._repeats(d)), None)
            if best is not None:
                self._add(best.bullet)
        for draft in sorted(good, key=_merit):
            if self._room() and not self._repeats(draft):
                self._add(draft.bullet)
        taken = set(map(id, self._chosen))
        for draft in drafts:
            if id(draft.bullet) not in taken:
                self._add_sentence(draft)

    def fill(self) -> None:
        """Sentences of the article for the bullets that are still wanted."""
        while self._room() and self._free:
            self._add_sentence(None)

    def _add_sentence(self, failed: _Draft | None) -> None:
        """The best sentence of the article, for the place of ``failed`` if given.

        Adds nothing where there is no room or no other sentence.
        """
        if not self._room() or not self._free:
            return
        candidates = self._ranking.candidates
        # A sentence that a bullet rests on would tell the reader the same again.
        fresh = [i for i in self._free if candidates[i].sentence.id not in self._cited]
        among = fresh or self._free
        warnings: tuple[ArticleWarning, ...] = ()
        if failed is not None:
            own = [i for i in among if candidates[i].sentence.id in failed.bullet.sources]
            middle = bisect_left(self._candidate_places, failed.place)
            among = own or [i for i in among if abs(i - middle) <= NEARBY] or among
            faults = ", ".join(failed.faults or (WarningCode.REPETITION,))
            warnings = (ArticleWarning(WarningCode.BULLET_REPLACED, faults),)
        bullet = candidates[self._ranking.best(among)].bullet
        self._add(replace(bullet, warnings=(*warnings, *bullet.warnings)))

    def _add(self, bullet: Bullet) -> None:
        words = _words(bullet.text)
        self._chosen.append(bullet)
        self._chosen_words.append(words)
        self._cited.update(bullet.sources)
        self._ranking.avoid(bullet.text)
        self._free = [i for i in self._free if not _alike(self._words[i], words)]

    def _room(self) -> bool:
        return len(self._chosen) < self._wanted

    def _repeats(self, draft: _Draft) -> bool:
        """Whether a chosen bullet says the same."""
        words = _words(draft.bullet.text)
        return any(_alike(words, chosen) for chosen in self._chosen_words)


def _merit(draft: _Draft) -> tuple[bool, float]:
    """Sorts bullets: those that nothing is to be said of first, then by support."""
    return bool(draft.bullet.warnings), -draft.bullet.support


def _draft(
    sentence: str, text: str, place: int, receipts: Receipts, places: Mapping[str, int]
) -> _Draft:
    """A bullet with its receipt and checks.

    Args:
        sentence: what the model wrote.
        text: the same within the word limit.
        place: index of the sentence beside which it belongs if it rests on none.
        receipts: of the article.
        places: index of every sentence of the article by its id.
    """
    receipt = receipts.cite(text)
    warnings = check_bullet(text, receipt, receipts)
    faults = [warning.code for warning in warnings if warning.code.severity is Severity.HARD]
    if not receipt.sources and not faults:
        faults = [WarningCode.UNSUPPORTED]
    if text != sentence:
        warnings = [*warnings, ArticleWarning(WarningCode.SHORTENED)]
    return _Draft(
        Bullet(text, receipt.sources, receipt.support, tuple(warnings), written=True),
        places[receipt.sources[0]] if receipt.sources else place,
        tuple(faults),
    )


def _within(sentence: str, max_words: int | None) -> str | None:
    """The sentence within the word limit, or ``None`` where it can't be shortened."""
    return sentence if max_words is None else shorten(sentence, max_words)


def _placed(
    written: Generated, section: _Section, places: Mapping[str, int]
) -> Iterator[tuple[str, int]]:
    """The model's sentences, each with the index of the article's that stands as far along."""
    sentences = model_sentences(written)
    for index, sentence in enumerate(sentences):
        yield sentence, places[section.sentences[index * len(section.sentences) // len(sentences)]]


def _packed(pieces: Sequence[Sequence[_Section]], limit: int) -> list[list[_Section]]:
    """The pieces, in order, in as few parts of at most ``limit`` tokens as will do, of like size.

    Each piece is at most ``limit`` tokens.
    """
    sizes = [sum(sentence.tokens for sentence in piece) for piece in pieces]
    fewest = len(_filled(sizes, limit))
    # The least limit that gives no more parts spreads the tokens evenly over them.
    low, high = max(sizes), limit
    while low < high:
        middle = (low + high) // 2
        if len(_filled(sizes, middle)) <= fewest:
            high = middle
        else:
            low = middle + 1
    remaining = iter(pieces)
    return [
        [sentence for _ in range(count) for sentence in next(remaining)]
        for count in _filled(sizes, high)
    ]


def _filled(sizes: Iterable[int], limit: int) -> list[int]:
    """How many of the sizes go into each part, when every part takes as many as it can."""
    counts: list[int] = []
    room = -1
    for size in sizes:
        if size > room:
            counts.append(0)
            room = limit
        counts[-1] += 1
        room -= size
    return counts


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower()))


def _alike(left: frozenset[str], right: frozenset[str]) -> bool:
    """Whether two texts have more than :data:`REPEATED` of their words in common."""
    common = len(left & right)
    return common > REPEATED * (len(left) + len(right) - common)
