"""The order of the steps from a Dutch article to English text and bullets; synchronous."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from service import tracing
from service.article import webpage
from service.article.document import Document, Format
from service.article.formats import parse
from service.article.language import DetectedLanguage, LanguageIdentifier
from service.article.warnings import ArticleWarning, WarningCode
from service.errors import ContentTooLarge, InvalidRequest
from service.summarization.extractive import ExtractiveSummarizer
from service.summarization.shortening import headline
from service.summarization.summarizer import Bullet, Summarizer, SummaryOptions
from service.translation import documents
from service.translation.documents import (
    Article,
    DocumentTranslator,
    TranslatedDocument,
    Usage,
)
from service.translation.faithful import Checkpoint, FaithfulTranslator
from service.translation.glossary import Glossary
from service.translation.translator import Translator

MAX_MARKS = 100_000
"""Most marks of markup in one text. Reading HTML or Markdown takes some 50 µs for each of them and
next to nothing for other characters, so that no body keeps a thread busy for much over 5 s."""
_MARKS = {Format.TEXT: "", Format.HTML: "<&", Format.MARKDOWN: "<&*_~`[|\\\n"}
"""What markup begins with."""

SOURCE_LANGUAGE = "nl"
TARGET_LANGUAGE = "en"


def _go_on(_done: int, _total: int) -> None:
    """The checkpoint of work that always goes on."""


@dataclass(frozen=True, slots=True)
class TranslatedArticle:
    """A translated article with its summary; ``None`` when none was asked for.

    ``page`` is what was taken from a web page; ``body`` is then its main text.
    """

    title: TranslatedDocument | None
    body: TranslatedDocument
    page: webpage.Page | None
    language: DetectedLanguage
    summary: "Bullets | None"
    warnings: tuple[ArticleWarning, ...]
    translation_seconds: float
    summarization_seconds: float

    @property
    def usage(self) -> Usage:
        """Usage of title and body together."""
        return self.body.usage + (self.title.usage if self.title else Usage())


@dataclass(frozen=True, slots=True)
class Bullets:
    """The bullets of a document.

    Attributes:
        method: ``abstractive`` if a model wrote any of them, else ``extractive``.
        bullets: in document order.
        headline: at most 12 words; ``None`` when none was asked for.
    """

    method: str
    bullets: list[Bullet]
    headline: str | None


@dataclass(frozen=True, slots=True)
class Summary:
    """Bullets of a text, with the language that the text was taken to be in."""

    document: Document
    language: DetectedLanguage
    summary: Bullets
    warnings: tuple[ArticleWarning, ...]
    usage: Usage
    translation_seconds: float
    summarization_seconds: float


class Listener(documents.Listener, Protocol):
    """Is told of one article as it comes, on the thread that works on it: bullets come last."""

    def bullet(self, index: int, bullet: Bullet) -> None:
        """A bullet of the summary; ``index`` counts from 0."""


class ArticlePipeline:
    """Dutch text in, English text and bullets out; thread-safe as its parts are.

    Args:
        translator: translates sentences.
        summarizer: makes bullets of an English document.
        identifier: tells the language of a text.
        glossary: terms that hold in every answer, under those of a request.
        repairs: whether sentences that fail a hard check are translated again.
        max_characters: longest article or text, counted as a reader reads it, without markup.
        notices: warnings that every answer carries (``demo_model``).
    """

    def __init__(
        self,
        translator: Translator,
        summarizer: Summarizer,
        identifier: LanguageIdentifier,
        *,
        glossary: Glossary | None = None,
        repairs: bool = True,
        max_characters: int = 200_000,
        notices: Sequence[ArticleWarning] = (),
    ) -> None:
        self._documents = DocumentTranslator(
            FaithfulTranslator(translator, identifier, repairs=repairs)
        )
        self._summarizer = summarizer
        self._extractive = ExtractiveSummarizer()
        self._identifier = identifier
        self._glossary = glossary or Glossary({})
        self._max_characters = max_characters
        self._notices = tuple(notices)

    def translate_article(
        self,
        text: str,
        *,
        format: Format = Format.TEXT,
        main_text: bool = True,
        title: str | None = None,
        source_language: str = SOURCE_LANGUAGE,
        glossary: Glossary | None = None,
        summary: SummaryOptions | None = None,
        checkpoint: Checkpoint = _go_on,
        listener: Listener | None = None,
    ) -> TranslatedArticle:
        """Translate an article and, if asked, sum it up.

        Args:
            text: the Dutch article.
            format: how it is written.
            main_text: take only the article out of a whole web page, and its title where ``title``
                is not given.
            title: its headline as plain text, translated on its own.
            source_language: ``nl``, or ``auto`` to refuse what is neither Dutch nor English.
            glossary: terms that must hold in this article.
            summary: what summary is wanted; ``None`` for none.
            checkpoint: see ``faithful.Checkpoint``.
            listener: is told of the title, the blocks and the bullets when they are ready; the
                result is the same with and without. What it raises ends the work.

        Raises:
            ContentTooLarge: the article is over ``max_characters``.
            InvalidRequest: the summary's method is not served.
            InvalidRequest: ``auto``, and the text is clearly in a language that is not served.
            InferenceError: a model failed.
            ServiceError: whatever ``checkpoint`` raises.
        """
        start = time.perf_counter()
        if summary is not None:
            self._summarizer_for(summary)  # before any work
        warnings = list(self._notices)
        page = None
        self._check_size(text, format, format)
        if format is Format.HTML and main_text and webpage.is_page(text):
            page = webpage.main_text(text)
            if page is None:
                warnings.append(ArticleWarning(WarningCode.WHOLE_PAGE))
            else:
                text, title = page.html, title or page.title
        document = self._parse(text, format, format)
        heading = None if title is None else self._parse(title, Format.TEXT, "title")
        language = self._identifier.identify(_plain_text(document))
        warnings += _language_warnings(language, source_language)
        [(english_title, body)] = self._translate(
            [(heading, document, language)], glossary, checkpoint, listener
        )
        translated = time.perf_counter()
        made = None
        if summary is not None:
            words = english_title.target.text if english_title else None
            made = self._sum_up(body.target, words, summary, checkpoint)
        if listener and made:
            for index, bullet in enumerate(made.bullets):
                listener.bullet(index, bullet)
        return TranslatedArticle(
            title=english_title,
            body=body,
            page=page,
            language=language,
            summary=made,
            warnings=tuple(warnings),
            translation_seconds=translated - start,
            summarization_seconds=time.perf_counter() - translated,
        )

    def summarize(
        self,
        text: str,
        *,
        source_language: str | None,
        options: SummaryOptions,
        checkpoint: Checkpoint = _go_on,
    ) -> Summary:
        """Bullets of an English or Dutch text; a Dutch one is translated first.

        Args:
            text: the article as plain text.
            source_language: ``en``, ``nl``, or ``None`` to find out.
            options: what is wanted.
            checkpoint: see ``faithful.Checkpoint``.

        Raises:
            InvalidRequest: the method is not served.
        """
        start = time.perf_counter()
        self._summarizer_for(options)  # before any work
        language = self._identifier.identify(text)
        expected = source_language or (
            TARGET_LANGUAGE if language.code == TARGET_LANGUAGE else SOURCE_LANGUAGE
        )
        document = self._parse(text, Format.TEXT, "text")
        warnings = list(self._notices)
        if expected == TARGET_LANGUAGE:
            english = document
            usage = Usage(characters=len(text), sentences=sum(1 for _ in document.sentences()))
            if language.suspect(expected):
                warnings.append(ArticleWarning(WarningCode.SOURCE_LANGUAGE_SUSPECT, language.code))
        else:
            [(_, body)] = self._translate([(None, document, language)], None, checkpoint)
            english, usage = body.target, body.usage
            warnings += _language_warnings(language, expected)
            first: dict[WarningCode, ArticleWarning] = {}  # of each code
            for sentence in body.sentences:
                for warning in sentence.warnings:
                    first.setdefault(warning.code, warning)
            warnings += first.values()
        translated = time.perf_counter()
        return Summary(
            document=document,
            language=language,
            summary=self._sum_up(english, None, options, checkpoint),
            warnings=tuple(warnings),
            usage=usage,
            translation_seconds=translated - start,
            summarization_seconds=time.perf_counter() - translated,
        )

    def translate_texts(
        self,
        texts: Sequence[str],
        *,
        format: Format = Format.TEXT,
        source_language: str = SOURCE_LANGUAGE,
        glossary: Glossary | None = None,
        checkpoint: Checkpoint = _go_on,
    ) -> tuple[list[TranslatedDocument], tuple[ArticleWarning, ...]]:
        """One translated document per text, in order, and the warnings that hold for all.

        Each text is an article of its own: what comes with it does not change its translation.
        Arguments and errors are those of :meth:`translate_article`; a text that is refused is so
        before any is translated.
        """
        parsed = [self._parse(text, format, f"texts.{index}") for index, text in enumerate(texts)]
        languages = [self._identifier.identify(_plain_text(document)) for document in parsed]
        warnings = [_language_warnings(language, source_language) for language in languages]
        translated = self._translate(
            [
                (None, document, language)
                for document, language in zip(parsed, languages, strict=True)
            ],
            glossary,
            checkpoint,
        )
        return [
            replace(document, warnings=tuple(about))
            for (_, document), about in zip(translated, warnings, strict=True)
        ], self._notices

    def _summarizer_for(self, options: SummaryOptions) -> Summarizer:
        if options.method in ("auto", self._summarizer.method):
            return self._summarizer
        if options.method == self._extractive.method:
            return self._extractive
        raise InvalidRequest(
            f"method {options.method} is not served: this profile has no model for it",
            code="method_not_served",
        )

    def _sum_up(
        self,
        document: Document,
        title: str | None,
        options: SummaryOptions,
        checkpoint: Checkpoint,
    ) -> Bullets:
        """The bullets of an English document, and its headline."""
        done = sum(1 for _ in document.sentences())
        summarizer = self._summarizer_for(options)
        with tracing.span("summarization", sentences=done):
            bullets = summarizer.summarize(
                document,
                options.bullets,
                max_words=options.max_words,
                checkpoint=lambda: checkpoint(done, done),
            )
        # A summarizer that writes falls back to the article's own sentences.
        written = any(bullet.written for bullet in bullets)
        return Bullets(
            summarizer.method if written else self._extractive.method,
            bullets,
            headline(title, bullets) if options.headline else None,
        )

    def _parse(self, text: str, format: Format, name: str) -> Document:
        """The document, if it is not too long; ``name`` is the field that holds it."""
        self._check_size(text, format, name)
        document = parse(text, format)
        self._check_length(len(_plain_text(document)), name)
        return document

    def _check_size(self, text: str, format: Format, name: str) -> None:
        """Refuse what would take long only to read."""
        if format is Format.TEXT:
            self._check_length(len(text), name)
        marks = sum(map(text.count, _MARKS[format]))
        if marks > MAX_MARKS:
            raise ContentTooLarge(
                f"{name} has {marks} marks of markup; at most {MAX_MARKS} are taken"
            )

    def _check_length(self, length: int, name: str) -> None:
        if length > self._max_characters:
            raise ContentTooLarge(
                f"{name} has {length} characters; at most {self._max_characters} are taken"
            )

    def _translate(
        self,
        articles: Sequence[tuple[Document | None, Document, DetectedLanguage]],
        glossary: Glossary | None,
        checkpoint: Checkpoint,
        listener: Listener | None = None,
    ) -> list[tuple[TranslatedDocument | None, TranslatedDocument]]:
        """Translate title and body of every article, which are in the languages given."""
        return self._documents.translate(
            [
                Article(body, title, in_english=language.is_surely(TARGET_LANGUAGE))
                for title, body, language in articles
            ],
            glossary=self._glossary if glossary is None else self._glossary.merged(glossary),
            checkpoint=checkpoint,
            listener=listener,
        )


def _plain_text(document: Document) -> str:
    """What a reader reads of a document."""
    if document.format is Format.TEXT:
        return document.text
    return "\n".join(sentence.text for sentence in document.sentences())


def _language_warnings(language: DetectedLanguage, expected: str) -> list[ArticleWarning]:
    """What is to be said of an article in ``language`` that should be in ``expected``.

    Raises:
        InvalidRequest: ``expected`` is ``auto`` and the language is not served.
    """
    english = language.is_surely(TARGET_LANGUAGE)
    warnings = [ArticleWarning(WarningCode.ALREADY_ENGLISH)] if english else []
    if not language.suspect(SOURCE_LANGUAGE):
        return warnings
    if expected == SOURCE_LANGUAGE:
        warnings.append(ArticleWarning(WarningCode.SOURCE_LANGUAGE_SUSPECT, language.code))
    elif not english:
        raise InvalidRequest(
            f"the text looks like {language.code}: only Dutch (nl) is translated",
            code="language_not_served",
        )
    return warnings
