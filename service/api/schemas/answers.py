"""What is made of an article, of texts and of a summary."""

from pydantic import BaseModel, ConfigDict

from service.api import examples
from service.article.document import BlockKind
from service.article.warnings import Severity, WarningCode


class Answer(BaseModel):
    """What the server says; each field is described by the docstring below it."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class WarningAnswer(Answer):
    """Something to know about a sentence, a bullet or the whole answer."""

    code: WarningCode
    """Stable code; docs/api.md explains each."""
    severity: Severity
    """hard: probably wrong; soft: worth a look; notice: how the answer was made."""
    evidence: str
    """The words, numbers or markup that it rests on; may be empty."""


class Language(Answer):
    """The language that the text looks to be in."""

    code: str
    """ISO 639-1 code."""
    confidence: float
    """Between 0 and 1."""


class AppliedTerm(Answer):
    """Where a term of the glossary stands."""

    term: str
    """The Dutch term, as in the glossary."""
    start: int
    """First code point of the English term in the sentence's target."""
    end: int
    """One past its last."""


class AlignedSentence(Answer):
    """One sentence, source and target."""

    id: str
    """s1, s2, … in document order."""
    start: int
    """First code point of the sentence in the submitted text, or in page.html."""
    end: int
    """One past its last code point."""
    source: str
    """What a reader reads of the sentence: without markup and entities."""
    target: str
    """Its English translation, likewise."""
    score: float | None
    """Mean log-probability of the target tokens; null where nothing was translated."""
    warnings: list[WarningAnswer]
    """What the guard found."""
    terms: list[AppliedTerm]
    """Terms of the glossary in target."""


class AlignedBlock(Answer):
    """A paragraph, heading, list item, …"""

    kind: BlockKind
    """What the block is."""
    sentences: list[AlignedSentence]
    """Its sentences in order."""


class TranslationAnswer(Answer):
    """The English text."""

    text: str
    """The whole translation, in the structure of the source."""
    blocks: list[AlignedBlock] | None
    """The same, sentence by sentence; null when alignment was false."""


class BulletAnswer(Answer):
    """One bullet and what it rests on."""

    text: str
    """The bullet."""
    sources: list[str]
    """Ids of the sentences that it rests on."""
    support: float
    """Between 0 and 1: how far those sentences carry it."""
    written: bool
    """Whether a model wrote it; else it is a sentence of the article."""
    warnings: list[WarningAnswer]
    """What was found about it."""


class SummaryAnswer(Answer):
    """The bullets."""

    method: str
    """abstractive if a model wrote any of them, else extractive."""
    headline: str | None
    """At most 12 words; null when none was asked for."""
    bullets: list[BulletAnswer]
    """In document order."""


class SummarySource(Answer):
    """A sentence that a bullet rests on."""

    id: str
    """As in the bullets' sources."""
    start: int
    """First code point in the submitted text, or in page.html."""
    end: int
    """One past the last."""
    source: str
    """What a reader reads of the sentence."""


class ArticleSummaryAnswer(SummaryAnswer):
    """The bullets of an article."""

    sources: list[SummarySource] | None
    """The sentences that the bullets name; null where translation.blocks has them."""


class ServedModel(Answer):
    """A model that had a part in the answer."""

    card: str
    """Name of its card in model_cards/."""
    revision: str | None
    """Commit that it was pulled at; null where there are no weights."""
    engine: str
    """Engine and arithmetic, or the method."""


class ServedModels(Answer):
    """The models behind the answer."""

    translation: ServedModel
    """The translation model."""
    summarization: ServedModel
    """The summarizer."""


class UsageAnswer(Answer):
    """How much work it was."""

    characters: int
    """Code points submitted."""
    sentences: int
    """Sentences found."""
    source_tokens: int
    """Tokens given to the model."""
    target_tokens: int
    """Tokens that it made."""
    extra_decodes: int
    """Sentences and phrases translated again: repairs, glossary, words of inline markup."""


class TimingAnswer(Answer):
    """Milliseconds; translation and summarization are made of the three above them and the rest."""

    queue: int
    """Waiting for a thread, and for engines busy with other requests."""
    tokenization: int
    """Counting tokens."""
    inference: int
    """In the engines."""
    translation: int
    """Splitting, translating and checking."""
    summarization: int
    """Making bullets."""
    total: int
    """From acceptance to answer."""


class PageAnswer(Answer):
    """What was taken from a web page."""

    html: str
    """Its main text, in Dutch; the sentences' offsets point into it."""
    title: str | None
    """Its title, in Dutch."""
    author: str | None
    """Who wrote it."""
    date: str | None
    """When it was published, as YYYY-MM-DD."""


class ArticleAnswer(Answer):
    """A translated article."""

    id: str
    """The request id."""
    title: str | None
    """The translated headline; null when none was sent and the page has none."""
    page: PageAnswer | None
    """Main text and metadata of a web page; null when none was submitted or told apart."""
    language: Language
    """Language of the text."""
    translation: TranslationAnswer
    """The English text."""
    summary: ArticleSummaryAnswer | None
    """The bullets; null when none were asked for."""
    warnings: list[WarningAnswer]
    """Warnings about the whole answer, and about the title."""
    models: ServedModels
    """What made it."""
    usage: UsageAnswer
    """How much work it was."""
    timing_ms: TimingAnswer
    """How long it took."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.ARTICLE]})


class TranslatedText(Answer):
    """One translated text."""

    text: str
    """The English text, in the structure of the source."""
    warnings: list[WarningAnswer]
    """What was found about it and about any of its sentences."""


class TranslateAnswer(Answer):
    """Translations in the order of the texts."""

    id: str
    """The request id."""
    translations: list[TranslatedText]
    """One per text."""
    warnings: list[WarningAnswer]
    """Warnings about the whole answer."""
    models: ServedModels
    """What made it."""
    usage: UsageAnswer
    """How much work it was."""
    timing_ms: TimingAnswer
    """How long it took."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.TRANSLATE]})


class SummarizeAnswer(Answer):
    """Bullets of a text."""

    id: str
    """The request id."""
    language: Language
    """Language of the text."""
    summary: SummaryAnswer
    """The bullets."""
    sources: list[SummarySource]
    """The sentences that the bullets name."""
    warnings: list[WarningAnswer]
    """Warnings about the whole answer, and about the sentences of a Dutch text, each code once."""
    models: ServedModels
    """What made it."""
    usage: UsageAnswer
    """How much work it was."""
    timing_ms: TimingAnswer
    """How long it took."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.SUMMARIZE]})
