"""The shapes of native requests and answers; what OpenAPI shows."""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from service import __version__
from service.api import examples
from service.article.document import BlockKind
from service.article.normalization import is_blank
from service.article.warnings import Severity, WarningCode
from service.errors import InvalidRequest
from service.translation.glossary import MAX_TERM_CHARACTERS, MAX_TERMS, Glossary

MAX_TITLE_CHARACTERS = 1_000
MAX_BULLETS = 10
MIN_BULLET_WORDS = 5
MAX_BULLET_WORDS = 100
MAX_DEADLINE_MS = 3_600_000


def _visible(text: str) -> str:
    try:
        # A strict str without other constraints is passed on unread, surrogates and all.
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise PydanticCustomError("invalid_unicode", "holds a lone surrogate") from None
    if is_blank(text):
        raise PydanticCustomError("text_empty", "holds no visible text")
    return text


VISIBLE = {
    "type": "string",
    "minLength": 1,
    "pattern": r"[^\s\x00-\x1f\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e"
    r"\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb]",
}
"""JSON Schema of a text that shows something, in what all dialects of regular expressions know."""

Text = Annotated[str, AfterValidator(_visible), WithJsonSchema(VISIBLE)]
Title = Annotated[
    str,
    Field(max_length=MAX_TITLE_CHARACTERS),
    AfterValidator(_visible),
    WithJsonSchema(VISIBLE | {"maxLength": MAX_TITLE_CHARACTERS}),
]


class _Request(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)


class _Answer(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class _Summary(_Request):
    bullets: int = Field(default=3, ge=1, le=MAX_BULLETS)
    """Most bullets to make."""
    method: Literal["auto", "abstractive", "extractive"] = "auto"
    """How; auto takes the served profile's own."""
    max_words: int | None = Field(default=None, ge=MIN_BULLET_WORDS, le=MAX_BULLET_WORDS)
    """Most words of a bullet; null for no limit."""
    headline: bool = False
    """Whether to make a headline of at most 12 words as well."""


class SummaryOptions(_Summary):
    """What summary is wanted."""


DeadlineMs = Annotated[int, Field(ge=1, le=MAX_DEADLINE_MS)]


def _glossary(terms: dict[str, str]) -> dict[str, str]:
    try:
        Glossary.of(terms)
    except InvalidRequest as error:
        raise PydanticCustomError(
            "glossary_invalid", "{detail}", {"detail": error.detail}
        ) from None
    return terms


_PLAIN = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]"
_TERM = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_TERM_CHARACTERS,
    "pattern": rf"^{_PLAIN}*[0-9A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f]{_PLAIN}*$",
}
"""JSON Schema of a term in Latin script; the server takes letters and digits of any."""
GlossaryTerms = Annotated[
    dict[str, str],
    AfterValidator(_glossary),
    WithJsonSchema(
        {
            "type": "object",
            "maxProperties": MAX_TERMS,
            "propertyNames": _TERM,
            "additionalProperties": _TERM,
        }
    ),
]


def _only(field: str) -> dict[str, Any]:
    """JSON Schema of an article in ``field`` and in no other."""
    kinds = {
        name: {"type": "string" if name == field else "null"}
        for name in ("text", "html", "markdown")
    }
    return {"required": [field], "properties": kinds}


class ArticleRequest(_Request):
    """A Dutch article to translate and sum up: exactly one of text, html and markdown."""

    text: Text | None = None
    """The article as plain text; blank lines separate paragraphs."""
    html: Text | None = None
    """The article as HTML: a fragment, or a whole page, of which the main text is taken."""
    markdown: Text | None = None
    """The article as Markdown (CommonMark with tables and strikethrough)."""
    main_text: bool = True
    """Of a whole web page only the article (needs kortom[web]); false translates all of it."""
    title: Title | None = None
    """Its headline; translated on its own, never a bullet."""
    source_language: Literal["nl", "auto"] = "nl"
    """Language of the text; auto refuses what is clearly neither Dutch nor English."""
    glossary: GlossaryTerms = Field(default_factory=dict)
    """Dutch terms with the English ones that must stand for them."""
    summary: SummaryOptions | None = Field(default_factory=SummaryOptions)
    """Summary options, or null for no summary."""
    alignment: bool = True
    """Whether the answer lists every sentence with its source."""
    deadline_ms: DeadlineMs | None = None
    """What is not ready after this many milliseconds is answered 504."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [_only("text"), _only("html"), _only("markdown")],
            "examples": [
                {
                    "title": "Slag op Tripoli",
                    "text": "De troepen rukken op.\n\nIn Brussel kwamen de ministers bijeen.",
                    "summary": {"bullets": 2},
                }
            ],
        }
    )


class TranslateRequest(_Request):
    """Texts to translate, each on its own."""

    texts: Annotated[list[Text], Field(min_length=1), FailFast()]
    """The texts; the answer has one translation per text, in the same order."""
    format: Literal["text", "html", "markdown"] = "text"
    """How all of them are written."""
    glossary: GlossaryTerms = Field(default_factory=dict)
    """Dutch terms with the English ones that must stand for them."""
    deadline_ms: DeadlineMs | None = None
    """What is not ready after this many milliseconds is answered 504."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"texts": ["Goedemorgen.", "Het regent in Utrecht."]}]}
    )


class SummarizeRequest(_Summary):
    """A text to sum up, English or Dutch."""

    text: Text
    """The text; a Dutch one is translated first."""
    source_language: Literal["auto", "en", "nl"] = "auto"
    """Language of the text; auto finds out."""
    deadline_ms: DeadlineMs | None = None
    """What is not ready after this many milliseconds is answered 504."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"text": "The council met. It voted for the bridge.", "bullets": 1}]
        }
    )


class WarningAnswer(_Answer):
    """Something to know about a sentence, a bullet or the whole answer."""

    code: WarningCode
    """Stable code; the README explains each."""
    severity: Severity
    """hard: probably wrong; soft: worth a look; notice: how the answer was made."""
    evidence: str
    """The words, numbers or markup that it rests on; may be empty."""


class Language(_Answer):
    """The language that the text looks to be in."""

    code: str
    """ISO 639-1 code."""
    confidence: float
    """Between 0 and 1."""


class AppliedTerm(_Answer):
    """Where a term of the glossary stands."""

    term: str
    """The Dutch term, as in the glossary."""
    start: int
    """First code point of the English term in the sentence's target."""
    end: int
    """One past its last."""


class AlignedSentence(_Answer):
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


class AlignedBlock(_Answer):
    """A paragraph, heading, list item, …"""

    kind: BlockKind
    """What the block is."""
    sentences: list[AlignedSentence]
    """Its sentences in order."""


class TranslationAnswer(_Answer):
    """The English text."""

    text: str
    """The whole translation, in the structure of the source."""
    blocks: list[AlignedBlock] | None
    """The same, sentence by sentence; null when alignment was false."""


class BulletAnswer(_Answer):
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


class SummaryAnswer(_Answer):
    """The bullets."""

    method: str
    """abstractive if a model wrote any of them, else extractive."""
    headline: str | None
    """At most 12 words; null when none was asked for."""
    bullets: list[BulletAnswer]
    """In document order."""


class SummarySource(_Answer):
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


class ServedModel(_Answer):
    """A model that had a part in the answer."""

    card: str
    """Name of its card in model_cards/."""
    revision: str | None
    """Commit that it was pulled at; null where there are no weights."""
    engine: str
    """Engine and arithmetic, or the method."""


class ServedModels(_Answer):
    """The models behind the answer."""

    translation: ServedModel
    """The translation model."""
    summarization: ServedModel
    """The summarizer."""


class UsageAnswer(_Answer):
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


class TimingAnswer(_Answer):
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


class PageAnswer(_Answer):
    """What was taken from a web page."""

    html: str
    """Its main text, in Dutch; the sentences' offsets point into it."""
    title: str | None
    """Its title, in Dutch."""
    author: str | None
    """Who wrote it."""
    date: str | None
    """When it was published, as YYYY-MM-DD."""


class ArticleAnswer(_Answer):
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


class TranslatedText(_Answer):
    """One translated text."""

    text: str
    """The English text, in the structure of the source."""
    warnings: list[WarningAnswer]
    """What was found about it and about any of its sentences."""


class TranslateAnswer(_Answer):
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


class SummarizeAnswer(_Answer):
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


class ModelAnswer(_Answer):
    """A model card in short."""

    name: str
    """Name of the card."""
    task: str
    """translation or summarization."""
    license: str
    """SPDX-like licence id of the weights."""
    revision: str | None
    """Commit served; null when the model is not being served or has no weights."""
    served: bool
    """Whether this server answers with it."""
    notice: str | None
    """What one must know before using it."""


class ModelsAnswer(_Answer):
    """All models that this server knows."""

    profile: str
    """The served profile."""
    models: list[ModelAnswer]
    """One per card."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.MODELS]})


class LimitsAnswer(_Answer):
    """What this server accepts."""

    max_article_characters: int
    """Longest text in code points."""
    max_title_characters: int
    """Longest title in code points."""
    max_texts_per_request: int
    """Most texts per /v1/translate."""
    max_body_bytes: int
    """Largest body."""
    max_queued_requests: int
    """Places for requests."""
    max_markup_marks: int
    """Most marks of markup in one text of HTML or Markdown."""
    max_glossary_terms: int
    """Most terms in a request's glossary."""
    max_bullets: int
    """Most bullets."""
    max_deadline_ms: int
    """Longest deadline."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.LIMITS]})


class VersionAnswer(_Answer):
    """What runs here."""

    version: str
    """Version of Kortom."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"version": __version__}]})


class HealthAnswer(_Answer):
    """State of the server."""

    status: Literal["ok"]
    """Always ok; anything else is a problem."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok"}]})


class FieldError(_Answer):
    """What is wrong with one field."""

    loc: str
    """Path of the field."""
    code: str
    """Stable code."""
    detail: str
    """For people."""


class Problem(_Answer):
    """Every error, by RFC 9457."""

    type: str
    """URN of the code."""
    title: str
    """Name of the class of errors."""
    status: int
    """HTTP status."""
    detail: str
    """What is wrong and what to do."""
    code: str
    """Stable code for programs."""
    instance: str
    """The request id."""
    errors: list[FieldError] | None = None
    """Per field, where fields are wrong."""


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI entries for the errors of a route (``problems.install`` sets their media type)."""
    return {status: {"model": Problem, **examples.problems(status)} for status in statuses}
