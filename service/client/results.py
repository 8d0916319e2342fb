"""What the server answers, as frozen dataclasses with the fields of its interface description.

Codes and kinds are plain strings and unknown fields are left out: a newer server may know more of
them. Offsets count code points.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class ArticleWarning:
    """Something to know about a sentence, a bullet or the whole answer."""

    code: str
    severity: str
    """hard: probably wrong; soft: worth a look; notice: how the answer was made."""
    evidence: str
    """The words, numbers or markup that it rests on; may be empty."""


@dataclass(frozen=True, slots=True)
class Term:
    """Where the English term for a Dutch one of the glossary stands in a sentence's target."""

    term: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, source and target; ``start`` and ``end`` point into the submitted text."""

    id: str
    start: int
    end: int
    source: str
    target: str
    score: float | None
    """Mean log-probability of the target tokens; ``None`` where nothing was translated."""
    warnings: tuple[ArticleWarning, ...]
    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, heading, list item, …, with its sentences in order."""

    kind: str
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class Translation:
    """The English text, and the same sentence by sentence unless ``alignment`` was false."""

    text: str
    blocks: tuple[Block, ...] | None


@dataclass(frozen=True, slots=True)
class Bullet:
    """One bullet and the ids of the sentences that it rests on."""

    text: str
    sources: tuple[str, ...]
    support: float
    """Between 0 and 1: how far those sentences carry it."""
    written: bool
    """Whether a model wrote it; else it is a sentence of the article."""
    warnings: tuple[ArticleWarning, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """The bullets, and a headline if one was asked for."""

    method: str
    headline: str | None
    bullets: tuple[Bullet, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A sentence that a bullet rests on, as a reader reads it."""

    id: str
    start: int
    end: int
    source: str


@dataclass(frozen=True, slots=True)
class ArticleSummary(Summary):
    """The bullets of an article, and the sentences that they name where ``blocks`` has none."""

    sources: tuple[Source, ...] | None


@dataclass(frozen=True, slots=True)
class Language:
    """The language that the text looks to be in (ISO 639-1), with a confidence of 0 to 1."""

    code: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Model:
    """A model that had a part in the answer."""

    card: str
    revision: str | None
    engine: str


@dataclass(frozen=True, slots=True)
class Models:
    """The models behind the answer."""

    translation: Model
    summarization: Model


@dataclass(frozen=True, slots=True)
class Usage:
    """How much work it was."""

    characters: int
    sentences: int
    source_tokens: int
    target_tokens: int
    extra_decodes: int


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds."""

    queue: int
    tokenization: int
    inference: int
    translation: int
    summarization: int
    total: int


@dataclass(frozen=True, slots=True)
class Page:
    """What was taken from a web page, in Dutch; the sentences' offsets point into ``html``."""

    html: str
    title: str | None
    author: str | None
    date: str | None


@dataclass(frozen=True, slots=True)
class Article:
    """A translated article."""

    id: str
    title: str | None
    page: Page | None
    language: Language
    translation: Translation
    summary: ArticleSummary | None
    warnings: tuple[ArticleWarning, ...]
    models: Models
    usage: Usage
    timing_ms: Timing


@dataclass(frozen=True, slots=True)
class TranslatedText:
    """One translated text, in the structure of its source."""

    text: str
    warnings: tuple[ArticleWarning, ...]


@dataclass(frozen=True, slots=True)
class Translations:
    """One translation per text, in the same order."""

    id: str
    translations: tuple[TranslatedText, ...]
    warnings: tuple[ArticleWarning, ...]
    models: Models
    usage: Usage
    timing_ms: Timing


@dataclass(frozen=True, slots=True)
class Summarized:
    """Bullets of a text, and the sentences that they name."""

    id: str
    language: Language
    summary: Summary
    sources: tuple[Source, ...]
    warnings: tuple[ArticleWarning, ...]
    models: Models
    usage: Usage
    timing_ms: Timing


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it was when the server was asked."""

    id: str
    state: str
    """queued, running, done (at least one article has an answer), failed (none has), cancelled."""
    articles: int
    done: int
    failed: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    expires_at: datetime | None
    """From when on the server forgets it and its results; ``None`` until it has ended."""
    location: str
    results: str


@dataclass(frozen=True, slots=True)
class TitleEvent:
    """The translated title; one that comes later replaces it."""

    title: str


@dataclass(frozen=True, slots=True)
class BlockEvent:
    """A translated block; one with the same ``index`` that comes later replaces it."""

    index: int
    """Place in ``translation.blocks``, from 0."""
    kind: str
    sentences: tuple[Sentence, ...] | None = None
    """``None`` when ``alignment`` was false."""
    text: str | None = None
    """Its English text when ``alignment`` was false."""


@dataclass(frozen=True, slots=True)
class BulletEvent:
    """A bullet and its place in ``summary.bullets``, from 0."""

    index: int
    bullet: Bullet


@dataclass(frozen=True, slots=True)
class ArticleEvent:
    """The last event: all of it put together, equal to what ``article`` returns."""

    article: Article


Event: TypeAlias = TitleEvent | BlockEvent | BulletEvent | ArticleEvent
