"""The warnings that an answer may carry: stable codes, each with a meaning and a severity."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a warning matters."""

    HARD = "hard"
    """Probably wrong: the sentence should be read beside its source."""
    SOFT = "soft"
    """Often right: worth a look."""
    NOTICE = "notice"
    """A fact about how the answer was made."""


class WarningCode(StrEnum):
    """A code in a ``warnings`` list; docs/api.md explains each."""

    severity: Severity

    def __new__(cls, code: str, severity: Severity) -> "WarningCode":
        """A member that is the string ``code`` and knows its severity."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.severity = severity
        return member

    EMPTY_TRANSLATION = "empty_translation", Severity.HARD
    """The model gave nothing for this sentence."""
    LENGTH_LIMIT = "length_limit", Severity.HARD
    """The model was stopped by the length limit; the end may be missing or invented."""
    LENGTH_RATIO = "length_ratio", Severity.HARD
    """The translation is far shorter or longer than its source."""
    REPETITION = "repetition", Severity.HARD
    """Words repeat in the translation that do not repeat in the source."""
    SOURCE_COPIED = "source_copied", Severity.HARD
    """The translation is the Dutch sentence."""
    UNTRANSLATED = "untranslated", Severity.HARD
    """A part of the translation is still Dutch."""
    UNKNOWN_PIECE = "unknown_piece", Severity.HARD
    """The translation holds marks of characters or pieces that the model does not know."""
    NUMBER_MISMATCH = "number_mismatch", Severity.HARD
    """A number of the source is missing, or one was added."""
    SCALE_MISMATCH = "scale_mismatch", Severity.HARD
    """Million, billion and trillion do not agree with miljoen, miljard and biljoen."""
    PERCENT_MISMATCH = "percent_mismatch", Severity.HARD
    """A percentage is missing or was added."""
    CURRENCY_MISMATCH = "currency_mismatch", Severity.HARD
    """A currency is missing or was added."""
    DATE_MISMATCH = "date_mismatch", Severity.HARD
    """A month or a day of the week is missing or was added."""
    URL_MISMATCH = "url_mismatch", Severity.HARD
    """A web or e-mail address, handle or hashtag is missing or was added."""
    UNSUPPORTED = "unsupported", Severity.HARD
    """The sentences of the article do not carry the bullet."""
    NAME_MISMATCH = "name_mismatch", Severity.HARD
    """A bullet has a name that the article does not have."""
    BOILERPLATE = "boilerplate", Severity.HARD
    """A bullet is a sentence of the summarizer's training data."""
    NEGATION_MISSING = "negation_missing", Severity.SOFT
    """The source denies something and the translation does not seem to."""
    NAME_MISSING = "name_missing", Severity.SOFT
    """Names of the source can't be found in the translation."""
    QUOTES_MISMATCH = "quotes_mismatch", Severity.SOFT
    """Quotation marks are missing or were added."""
    QUESTION_MISMATCH = "question_mismatch", Severity.SOFT
    """Only one of source and translation has a question mark."""
    SOURCE_ELSEWHERE = "source_elsewhere", Severity.SOFT
    """A number or name of a bullet stands in the article, but not in the sentences it names."""
    HARD_SPLIT = "hard_split", Severity.SOFT
    """A sentence over the model's limit was cut where no clause ends."""
    GLOSSARY_UNAPPLIED = "glossary_unapplied", Severity.SOFT
    """A term of the glossary stands in the source and could not be put into the translation."""
    MARKUP_DROPPED = "markup_dropped", Severity.SOFT
    """Inline markup was left out, for its words could not be found in the translation."""
    MARKUP_MOVED = "markup_moved", Severity.NOTICE
    """An image, code or other inline object stands at the end of its sentence now."""
    SOURCE_LANGUAGE_SUSPECT = "source_language_suspect", Severity.SOFT
    """The text does not look like the language it was said to be."""
    ALREADY_ENGLISH = "already_english", Severity.NOTICE
    """Was English already and is left as it was."""
    BULLET_REPLACED = "bullet_replaced", Severity.NOTICE
    """The model's bullet failed a check; this is a sentence of the article in its place."""
    SHORTENED = "shortened", Severity.NOTICE
    """A bullet was cut at a clause, or else with ``...``, to keep the word limit."""
    REPAIRED = "repaired", Severity.NOTICE
    """The first translation failed a check; this is another one, which passes."""
    WHOLE_PAGE = "whole_page", Severity.NOTICE
    """No main text was told from the rest of the web page: all of it was translated."""
    DEMO_MODEL = "demo_model", Severity.NOTICE
    """Translated by the demo model, which knows only the articles in ``seeds/``."""


@dataclass(frozen=True, slots=True)
class ArticleWarning:
    """One warning about a sentence or about a whole answer.

    Attributes:
        code: what it is about; its severity is ``code.severity``.
        evidence: the words, numbers or markup that it rests on, in a few words; may be empty.
            Holds text of the article: for the answer, never for a log.
    """

    code: WarningCode
    evidence: str = ""
