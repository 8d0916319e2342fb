"""The order of the steps from a Dutch article to English text and bullets; synchronous."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

from service.article.document import BlockKind, Document
from service.article.formats.text import parse_text
from service.article.language import DetectedLanguage, LanguageIdentifier
from service.article.normalization import normalize, remove_invisible
from service.article.segmentation import split_to_fit
from service.article.warnings import WarningCode
from service.errors import InferenceError
from service.summarization.summarizer import Bullet, Summarizer
from service.translation import guard
from service.translation.translator import Translation, Translator

SOURCE_LANGUAGE = "nl"
TARGET_LANGUAGE = "en"
CHECKPOINT_SENTENCES = 32
"""Sentences given to the engine between two checkpoints: one or two seconds of work on a CPU, so
that work nobody waits for any more ends soon, in batches still large enough to be fast."""

Checkpoint = Callable[[int, int], None]
"""Called before every batch with the number of segments done and of all segments; raises to end
work that nobody waits for any more."""


def _go_on(_done: int, _total: int) -> None:
    """The checkpoint of work that always goes on."""


@dataclass(frozen=True, slots=True)
class TranslatedSentence:
    """One sentence of a translated document: its English text, score and warnings."""

    target: str
    score: float | None
    """Mean log-probability of the target tokens; ``None`` where no model was asked."""
    warnings: tuple[WarningCode, ...]


@dataclass(frozen=True, slots=True)
class Usage:
    """What the work amounted to; characters are code points of the submitted text."""

    characters: int = 0
    sentences: int = 0
    source_tokens: int = 0
    target_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.characters + other.characters,
            self.sentences + other.sentences,
            self.source_tokens + other.source_tokens,
            self.target_tokens + other.target_tokens,
        )


@dataclass(frozen=True, slots=True)
class TranslatedDocument:
    """A document, its English rendering and what is to be said of each sentence.

    ``sentences`` has one entry per sentence of ``source`` (and of ``target``), in order.
    """

    source: Document
    target: Document
    sentences: tuple[TranslatedSentence, ...]
    usage: Usage


@dataclass(frozen=True, slots=True)
class TranslatedArticle:
    """A translated article with its bullets; ``bullets`` is ``None`` when none were asked for."""

    title: TranslatedDocument | None
    body: TranslatedDocument
    language: DetectedLanguage
    bullets: list[Bullet] | None
    warnings: tuple[WarningCode, ...]
    translation_seconds: float
    summarization_seconds: float

    @property
    def usage(self) -> Usage:
        """Usage of title and body together."""
        return self.body.usage + (self.title.usage if self.title else Usage())


@dataclass(frozen=True, slots=True)
class Summary:
    """Bullets of a text, with the language that the text was taken to be in."""

    document: Document
    language: DetectedLanguage
    bullets: list[Bullet]
    warnings: tuple[WarningCode, ...]
    usage: Usage


class ArticlePipeline:
    """Dutch text in, English text and bullets out; thread-safe as its parts are.

    Args:
        translator: translates sentences.
        summarizer: makes bullets of an English document.
        identifier: tells the language of a text.
        notices: warnings that every answer carries (``demo_model``).
    """

    def __init__(
        self,
        translator: Translator,
        summarizer: Summarizer,
        identifier: LanguageIdentifier,
        notices: Sequence[WarningCode] = (),
    ) -> None:
        self.translator = translator
        self.summarizer = summarizer
        self._identifier = identifier
        self._notices = tuple(notices)

    def translate_article(
        self,
        text: str,
        *,
        title: str | None = None,
        bullets: int | None = None,
        checkpoint: Checkpoint = _go_on,
    ) -> TranslatedArticle:
        """Translate a plain-text article and, if asked, sum it up.

        Args:
            text: the Dutch article.
            title: its headline, translated on its own.
            bullets: most bullets to make; ``None`` for no summary.
            checkpoint: see :data:`Checkpoint`.

        Raises:
            InferenceError: a model failed.
            ServiceError: whatever ``checkpoint`` raises.
        """
        start = time.perf_counter()
        language = self._identifier.identify(text)
        documents = [parse_text(text)] + ([] if title is None else [parse_text(title)])
        body, *headline = self._translate_documents(documents, checkpoint)
        translated = time.perf_counter()
        made = None if bullets is None else self.summarizer.summarize(body.target, bullets)
        return TranslatedArticle(
            title=headline[0] if headline else None,
            body=body,
            language=language,
            bullets=made,
            warnings=self._notices + _language_warnings(language, SOURCE_LANGUAGE),
            translation_seconds=translated - start,
            summarization_seconds=time.perf_counter() - translated,
        )

    def summarize(
        self,
        text: str,
        *,
        source_language: str | None,
        bullets: int,
        checkpoint: Checkpoint = _go_on,
    ) -> Summary:
        """Bullets of an English or Dutch text; a Dutch one is translated first.

        Args:
            text: the article.
            source_language: ``en``, ``nl``, or ``None`` to find out.
            bullets: most bullets to make.
            checkpoint: see :data:`Checkpoint`.
        """
        language = self._identifier.identify(text)
        expected = source_language or (
            TARGET_LANGUAGE if language.code == TARGET_LANGUAGE else SOURCE_LANGUAGE
        )
        document = parse_text(text)
        if expected == TARGET_LANGUAGE:
            english = document
            usage = Usage(characters=len(text), sentences=sum(1 for _ in document.sentences()))
        else:
            [translated] = self._translate_documents([document], checkpoint)
            english, usage = translated.target, translated.usage
        return Summary(
            document=document,
            language=language,
            bullets=self.summarizer.summarize(english, bullets),
            warnings=self._notices + _language_warnings(language, expected),
            usage=usage,
        )

    def translate_texts(
        self, texts: Sequence[str], *, checkpoint: Checkpoint = _go_on
    ) -> tuple[list[TranslatedDocument], tuple[WarningCode, ...]]:
        """One translated document per text, in order, and the warnings that hold for all."""
        documents = [parse_text(text) for text in texts]
        return self._translate_documents(documents, checkpoint), self._notices

    def _translate_documents(
        self, documents: Sequence[Document], checkpoint: Checkpoint
    ) -> list[TranslatedDocument]:
        """Translate the sentences of all documents together, in document order."""
        segments = [
            self._segment(sentence.text, block.kind)
            for document in documents
            for block in document.blocks
            for sentence in block.sentences
        ]
        parts = (part for segment in segments for part in segment.parts)
        translations = iter(self._translate(list(parts), checkpoint))
        results = []
        remaining = iter(segments)
        for document in documents:
            own = list(islice(remaining, sum(1 for _ in document.sentences())))
            made = [list(islice(translations, len(segment.parts))) for segment in own]
            sentences = tuple(map(_join, own, made))
            results.append(
                TranslatedDocument(
                    source=document,
                    target=document.render([sentence.target for sentence in sentences]),
                    sentences=sentences,
                    usage=Usage(
                        characters=len(document.text),
                        sentences=len(sentences),
                        source_tokens=sum(t.source_tokens for group in made for t in group),
                        target_tokens=sum(t.target_tokens for group in made for t in group),
                    ),
                )
            )
        return results

    def _segment(self, text: str, kind: BlockKind) -> "_Segment":
        """What the model is to see of one sentence."""
        if not kind.translatable:
            return _Segment(remove_invisible(text), (), hard_split=False)
        source = normalize(text)
        if not source:
            return _Segment("", (), hard_split=False)
        if self.translator.fits(source):
            return _Segment(source, (source,), hard_split=False)
        parts, hard_split = split_to_fit(source, self.translator.fits)
        return _Segment(source, tuple(parts), hard_split)

    def _translate(self, parts: Sequence[str], checkpoint: Checkpoint) -> list[Translation]:
        """Translations of all parts, a checkpoint before every batch."""
        translations: list[Translation] = []
        for start in range(0, len(parts), CHECKPOINT_SENTENCES):
            checkpoint(start, len(parts))
            translations += self.translator.translate(parts[start : start + CHECKPOINT_SENTENCES])
        if len(translations) != len(parts):
            raise InferenceError("the translation engine returned another number of sentences")
        return translations


@dataclass(frozen=True, slots=True)
class _Segment:
    """One sentence as the model sees it: in one part, or in several when it is too long.

    Without parts there is nothing to translate and the text is the target.
    """

    text: str
    parts: tuple[str, ...]
    hard_split: bool


def _join(segment: _Segment, translations: Sequence[Translation]) -> TranslatedSentence:
    """The parts of one sentence as one, with the warnings of each part once."""
    if not translations:
        return TranslatedSentence(segment.text, None, ())
    warnings = [WarningCode.HARD_SPLIT] if segment.hard_split else []
    for part, translation in zip(segment.parts, translations, strict=True):
        warnings += guard.check(part, translation)
    return TranslatedSentence(
        target=" ".join(translation.text for translation in translations),
        score=sum(translation.score for translation in translations) / len(translations),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _language_warnings(language: DetectedLanguage, expected: str) -> tuple[WarningCode, ...]:
    return (WarningCode.SOURCE_LANGUAGE_SUSPECT,) if language.suspect(expected) else ()
