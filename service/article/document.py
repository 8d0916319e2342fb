"""The document: an article as blocks of sentences with exact offsets into its text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum


class BlockKind(StrEnum):
    """What a block is for the reader."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST_ITEM = "list_item"
    QUOTE = "quote"
    CAPTION = "caption"
    METADATA = "metadata"
    VERBATIM = "verbatim"

    @property
    def translatable(self) -> bool:
        """Whether the block's sentences go to the model; the others come out as they went in."""
        return self not in (BlockKind.METADATA, BlockKind.VERBATIM)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence: ``document.text[start:end] == text``, without surrounding white space.

    ``start`` and ``end`` count code points. ``id`` is ``s1``, ``s2``, … in document order.
    """

    id: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, heading, list item, … of one or more sentences."""

    kind: BlockKind
    sentences: tuple[Sentence, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """An article: its text and the blocks found in it.

    What lies between sentences (white space, blank lines, list markers) belongs to no sentence and
    is kept: ``"".join(document.slices()) == document.text``, character for character.
    """

    text: str
    blocks: tuple[Block, ...]

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

    def render(self, targets: Sequence[str]) -> "Document":
        """The same document with other words: same blocks, ids and gaps, new text and offsets.

        Args:
            targets: one text per sentence, in document order.

        Raises:
            ValueError: ``targets`` has another length than the document has sentences.
        """
        pieces: list[str] = []
        blocks: list[Block] = []
        remaining = iter(targets)
        source_position = target_position = 0
        try:
            for block in self.blocks:
                sentences: list[Sentence] = []
                for sentence in block.sentences:
                    gap = self.text[source_position : sentence.start]
                    target = next(remaining)
                    start = target_position + len(gap)
                    target_position = start + len(target)
                    source_position = sentence.end
                    pieces += (gap, target)
                    sentences.append(Sentence(sentence.id, start, target_position, target))
                blocks.append(Block(block.kind, tuple(sentences)))
        except StopIteration:
            raise ValueError("fewer targets than sentences") from None
        if next(remaining, None) is not None:
            raise ValueError("more targets than sentences")
        pieces.append(self.text[source_position:])
        return Document("".join(pieces), tuple(blocks))
