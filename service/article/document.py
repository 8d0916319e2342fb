"""The document: an article as blocks of sentences with exact offsets into its text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice


class BlockKind(StrEnum):
    """What a block is for the reader."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST_ITEM = "list_item"
    QUOTE = "quote"
    CAPTION = "caption"
    TABLE_CELL = "table_cell"
    METADATA = "metadata"
    VERBATIM = "verbatim"

    @property
    def translatable(self) -> bool:
        """Whether the block's sentences go to the model; the others come out as they went in."""
        return self not in (BlockKind.METADATA, BlockKind.VERBATIM)


class Format(StrEnum):
    """How a document is written."""

    TEXT = "text"
    HTML = "html"
    MARKDOWN = "markdown"


@dataclass(frozen=True, slots=True)
class Markup:
    """Inline markup inside one sentence: emphasis, a link, code, an image, …

    Attributes:
        start: where its words begin in the sentence's text.
        end: where they end; ``start`` for what has no words (an image, a comment).
        opening: what stands before its words in the document, exactly; all of it if it has none.
        closing: what stands after them.
        verbatim: its words as they stand in the document, where these come out unchanged (code);
            ``None`` where they are translated.
    """

    start: int
    end: int
    opening: str
    closing: str = ""
    verbatim: str | None = None


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, without surrounding white space.

    Attributes:
        id: ``s1``, ``s2``, … in document order.
        start: its first code point in the document's text.
        end: one past its last; ``document.text[start:end]`` is the sentence as it stands there.
        text: what a reader reads: the same in plain text; without markup, escapes and entities in
            the other formats.
        markup: the inline markup in it, in document order: properly nested, an outer one before
            those inside it. Markup around whole sentences is not here but between the sentences.
        stray: markup that stands in the sentence without its partner and can't be kept.
    """

    id: str
    start: int
    end: int
    text: str
    markup: tuple[Markup, ...] = ()
    stray: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, heading, list item, table cell, … of one or more sentences.

    Attributes:
        kind: what it is.
        sentences: what it says.
        format: how it is written, where that is not the format of its document (HTML in Markdown).
    """

    kind: BlockKind
    sentences: tuple[Sentence, ...]
    format: Format | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """An article: its text and the blocks found in it.

    What lies between sentences (white space, blank lines, list markers) belongs to no sentence and
    is kept: ``"".join(document.slices()) == document.text``, character for character.
    """

    text: str
    blocks: tuple[Block, ...]
    format: Format = Format.TEXT

    def sentences(self) -> Iterator[Sentence]:
        """All sentences in document order."""
        return (sentence for block in self.blocks for sentence in block.sentences)

    def slices(self) -> Iterator[str]:
        """Gap, sentence, gap, sentence, …, gap: the whole text, cut at the sentence bounds."""
        position = 0
        for sentence in self.sentences():
            yield self.text[position : sentence.start]
            yield self.text[sentence.start : sentence.end]
            position = sentence.end
        yield self.text[position:]

    def render(self, targets: Sequence[str], forms: Sequence[str] | None = None) -> "Document":
        """The same document with other words: same blocks, ids and gaps, new text and offsets.

        Args:
            targets: what a reader reads of each sentence, in document order.
            forms: how each stands in the document, escaped and with its markup; ``None`` where that
                is the same.

        Raises:
            ValueError: ``targets`` or ``forms`` have another length than the document has
                sentences.
        """
        sentences = list(self.sentences())
        forms = targets if forms is None else forms
        if not len(sentences) == len(targets) == len(forms):
            raise ValueError(f"{len(targets)} targets for {len(sentences)} sentences")
        pieces: list[str] = []
        made: list[Sentence] = []
        source_position = target_position = 0
        for sentence, target, form in zip(sentences, targets, forms, strict=True):
            gap = self.text[source_position : sentence.start]
            start = target_position + len(gap)
            target_position = start + len(form)
            source_position = sentence.end
            pieces += (gap, form)
            made.append(Sentence(sentence.id, start, target_position, target))
        pieces.append(self.text[source_position:])
        remaining = iter(made)
        blocks = tuple(
            replace(block, sentences=tuple(islice(remaining, len(block.sentences))))
            for block in self.blocks
        )
        return Document("".join(pieces), blocks, self.format)
