"""What may be asked: articles, texts and summaries, with the options of each."""

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

from service.article.normalization import is_blank
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
                    "title": "Buurtbatterij voor 850 huishoudens gaat in juni open",
                    "text": "De aansluiting is het eerste jaar gratis.\n\n"
                    "Storingen worden binnen 24 uur verholpen.",
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
        json_schema_extra={
            "examples": [
                {
                    "texts": [
                        "De aansluiting is het eerste jaar gratis.",
                        "Storingen worden binnen 24 uur verholpen.",
                    ]
                }
            ]
        }
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
