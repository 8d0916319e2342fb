"""Documents to English documents, handed out block by block to whoever listens."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Protocol

from service.article.document import Block, Document
from service.article.warnings import ArticleWarning
from service.translation.faithful import (
    CHECKPOINT_SENTENCES,
    Checkpoint,
    FaithfulTranslator,
    Source,
    TranslatedSentence,
)
from service.translation.glossary import Glossary
from service.translation.rendering import render, unmatched_words

FIRST_STEP_SENTENCES = 4
"""Least sentences translated before a listener hears of the first blocks; each step has twice those
of the one before it, up to ``CHECKPOINT_SENTENCES``: soon at first, then in fast large batches."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What the work amounted to.

    Attributes:
        characters: code points of the submitted text.
        sentences: sentences found in it.
        source_tokens: tokens given to the model for the translations in the answer.
        target_tokens: tokens that it made.
        extra_decodes: sentences and phrases that went through the model again, for repairs, for
            the glossary and to find the words of inline markup.
    """

    characters: int = 0
    sentences: int = 0
    source_tokens: int = 0
    target_tokens: int = 0
    extra_decodes: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.characters + other.characters,
            self.sentences + other.sentences,
            self.source_tokens + other.source_tokens,
            self.target_tokens + other.target_tokens,
            self.extra_decodes + other.extra_decodes,
        )


@dataclass(frozen=True, slots=True)
class TranslatedBlock:
    """A block and its translation.

    Attributes:
        source: the block.
        sentences: one translation for each of its sentences, in order.
        text: the translation as it stands in the English document, with its inline markup.
    """

    source: Block
    sentences: tuple[TranslatedSentence, ...]
    text: str


@dataclass(frozen=True, slots=True)
class TranslatedDocument:
    """A document, its English rendering and what is to be said of each sentence.

    ``sentences`` has one entry per sentence of ``source`` (and of ``target``), in order;
    ``warnings`` are about the language of a text that is no part of an article.
    """

    source: Document
    target: Document
    sentences: tuple[TranslatedSentence, ...]
    usage: Usage
    warnings: tuple[ArticleWarning, ...] = ()

    def blocks(self) -> Iterator[TranslatedBlock]:
        """The blocks in document order."""
        end = 0
        for source, target in zip(self.source.blocks, self.target.blocks, strict=True):
            start, end = end, end + len(source.sentences)
            text = self.target.text[target.sentences[0].start : target.sentences[-1].end]
            yield TranslatedBlock(source, self.sentences[start:end], text)


class Listener(Protocol):
    """Is told of one article's translation as it comes, on the thread that translates.

    Title and blocks come in document order, and again where the rest of the article changed them
    (names get one spelling): the last one holds. An error that a method raises ends the work.
    """

    def title(self, text: str) -> None:
        """The English title."""

    def block(self, index: int, block: TranslatedBlock) -> None:
        """A block of the body; ``index`` counts from 0."""


@dataclass(frozen=True, slots=True)
class Article:
    """What is translated together.

    Attributes:
        body: the text.
        title: its headline; ``None`` without one. It is translated first.
        in_english: the text is English already, up to single sentences.
    """

    body: Document
    title: Document | None = None
    in_english: bool = False


class DocumentTranslator:
    """Translates documents with their markup; thread-safe.

    Args:
        faithful: translates their sentences.
    """

    def __init__(self, faithful: FaithfulTranslator) -> None:
        self._faithful = faithful

    def translate(
        self,
        articles: Sequence[Article],
        *,
        glossary: Glossary,
        checkpoint: Checkpoint,
        listener: Listener | None = None,
    ) -> list[tuple[TranslatedDocument | None, TranslatedDocument]]:
        """Title and body of each article; the same whether or not anyone listens.

        Args:
            articles: what to translate, each on its own.
            glossary: terms that must hold.
            checkpoint: see ``faithful.Checkpoint``.
            listener: is told of the title and the blocks; for one article alone.

        Raises:
            InferenceError: the engine failed.
            ServiceError: whatever ``checkpoint`` raises.
        """
        works: list[_Work] = []
        total = 0
        for article in articles:
            works.append(_Work(article, total))
            total = works[-1].body.end
        told = None if listener is None else _Told(listener)
        sentences: dict[int, TranslatedSentence] = {}
        renderings: dict[str, str] = {}
        for step in self._faithful.translate(
            [work.sources() for work in works],
            glossary=glossary,
            checkpoint=checkpoint,
            pauses=list(works[0].pauses()) if told else (),
        ):
            sentences.update(step.sentences)
            for work, extra_decodes in zip(works, step.extra_decodes, strict=True):
                work.take(step.sentences, sentences, extra_decodes)
            # The words inside a link or emphasis are looked for in the translation; where they are
            # not there as they are, their own translation may be.
            wanted = {words for work in works for words in work.unmatched}
            renderings |= self._faithful.phrases(
                sorted(wanted - renderings.keys()), lambda: checkpoint(len(sentences), total)
            )
            if told:
                works[0].tell(told, step.sentences, sentences, renderings)
        if told:  # the words of a later block may place markup in an earlier one
            works[0].tell(told, sentences, sentences, renderings)
        return [work.translated(sentences, renderings) for work in works]


class _Told:
    """Passes on to a listener what it has not heard yet.

    Args:
        listener: hears of each title and block once, and again when it is another.
    """

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._title: str | None = None
        self._blocks: dict[int, TranslatedBlock] = {}

    def title(self, text: str) -> None:
        if text != self._title:
            self._title = text
            self._listener.title(text)

    def block(self, index: int, block: TranslatedBlock) -> None:
        if block != self._blocks.get(index):
            self._blocks[index] = block
            self._listener.block(index, block)


class _Part:
    """A document among the sentences of all that is translated together.

    Args:
        document: the document.
        first: the number of its first sentence.
    """

    def __init__(self, document: Document, first: int) -> None:
        self.document = document
        counts = (len(block.sentences) for block in document.blocks)
        self.spans = [range(*bounds) for bounds in pairwise(accumulate(counts, initial=first))]
        self.end = self.spans[-1].stop if self.spans else first

    def blocks(self, numbers: Container[int]) -> list[int]:
        """The blocks with any of these sentences."""
        return [
            index
            for index, span in enumerate(self.spans)
            if any(number in numbers for number in span)
        ]

    def excerpt(
        self, blocks: Sequence[int], sentences: Mapping[int, TranslatedSentence]
    ) -> tuple[Document, list[TranslatedSentence]]:
        """The document with these blocks only, and the translations of its sentences."""
        return (
            replace(self.document, blocks=tuple(self.document.blocks[index] for index in blocks)),
            [sentences[number] for index in blocks for number in self.spans[index]],
        )

    def translated(
        self,
        sentences: Mapping[int, TranslatedSentence],
        renderings: Mapping[str, str],
        *,
        blocks: Sequence[int] | None = None,
        extra_decodes: int = 0,
    ) -> TranslatedDocument:
        """The document in English, or these blocks of it; see ``rendering.render``."""
        blocks = range(len(self.spans)) if blocks is None else blocks
        source, translations = self.excerpt(blocks, sentences)
        target, rendered = render(source, translations, renderings)
        return TranslatedDocument(
            source=source,
            target=target,
            sentences=rendered,
            usage=Usage(
                characters=len(source.text),
                sentences=len(translations),
                source_tokens=sum(sentence.source_tokens for sentence in translations),
                target_tokens=sum(sentence.target_tokens for sentence in translations),
                extra_decodes=extra_decodes,
            ),
        )


class _Work:
    """An article at work.

    Args:
        article: the article.
        first: the number of its first sentence among those of all articles.
    """

    def __init__(self, article: Article, first: int) -> None:
        self.title = _Part(article.title, first) if article.title else None
        self.body = _Part(article.body, self.title.end if self.title else first)
        self.unmatched: set[str] = set()
        self._in_english = article.in_english
        self._extra_decodes = 0

    @property
    def _parts(self) -> list[_Part]:
        return [self.title, self.body] if self.title else [self.body]

    def sources(self) -> list[Source]:
        """The sentences to translate, the title's first."""
        return [
            Source(sentence, block.kind, in_english=self._in_english)
            for part in self._parts
            for block in part.document.blocks
            for sentence in block.sentences
        ]

    def pauses(self) -> Iterator[int]:
        """Ends of blocks after which enough is done to be handed out; none is in the title."""
        done, least = 0, FIRST_STEP_SENTENCES
        for span in self.body.spans:
            if span.stop - done >= least:
                yield span.stop
                done, least = span.stop, min(2 * least, CHECKPOINT_SENTENCES)

    def take(
        self,
        fresh: Container[int],
        sentences: Mapping[int, TranslatedSentence],
        extra_decodes: int,
    ) -> None:
        """Note what is to be looked up for the blocks of fresh sentences, and what it cost."""
        for part in self._parts:
            self.unmatched |= unmatched_words(*part.excerpt(part.blocks(fresh), sentences))
        self._extra_decodes = extra_decodes

    def tell(
        self,
        told: _Told,
        fresh: Container[int],
        sentences: Mapping[int, TranslatedSentence],
        renderings: Mapping[str, str],
    ) -> None:
        """Hand out what has fresh sentences."""
        if self.title and self.title.blocks(fresh):
            told.title(self.title.translated(sentences, renderings).target.text)
        blocks = self.body.blocks(fresh)
        translated = self.body.translated(sentences, renderings, blocks=blocks)
        for index, block in zip(blocks, translated.blocks(), strict=True):
            told.block(index, block)

    def translated(
        self, sentences: Mapping[int, TranslatedSentence], renderings: Mapping[str, str]
    ) -> tuple[TranslatedDocument | None, TranslatedDocument]:
        """Title and body, whole; what was translated again is in the body's usage."""
        extra_decodes = self._extra_decodes + len(self.unmatched & renderings.keys())
        title = self.title.translated(sentences, renderings) if self.title else None
        return title, self.body.translated(sentences, renderings, extra_decodes=extra_decodes)
