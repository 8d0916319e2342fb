"""A document keeps every character of the article and gives it back in other words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.article.document import Block, BlockKind, Document, Sentence

ANY_TEXT = st.text(st.characters(codec=None))  # with control characters and lone surrogates


def two_items() -> Document:
    text = " - Hij ging. Zij bleef.\n - Klaar. \n"
    return Document(
        text,
        (
            Block(
                BlockKind.LIST_ITEM,
                (Sentence("s1", 3, 12, "Hij ging."), Sentence("s2", 13, 23, "Zij bleef.")),
            ),
            Block(BlockKind.LIST_ITEM, (Sentence("s3", 27, 33, "Klaar."),)),
        ),
    )


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Documents with any text in and between their sentences."""
    blocks: list[Block] = []
    text = draw(ANY_TEXT)
    count = 0
    for sources in draw(st.lists(st.lists(ANY_TEXT.filter(bool), min_size=1), max_size=4)):
        sentences: list[Sentence] = []
        for source in sources:
            count += 1
            sentences.append(Sentence(f"s{count}", len(text), len(text) + len(source), source))
            text += source + draw(ANY_TEXT)
        blocks.append(Block(draw(st.sampled_from(BlockKind)), tuple(sentences)))
    return Document(text, tuple(blocks))


def gaps(document: Document) -> list[str]:
    return list(document.slices())[::2]


def test_sentences_come_in_the_order_of_the_text() -> None:
    assert [sentence.id for sentence in two_items().sentences()] == ["s1", "s2", "s3"]


def test_slices_are_gaps_and_sentences_in_turn() -> None:
    slices = [" - ", "Hij ging.", " ", "Zij bleef.", "\n - ", "Klaar.", " \n"]
    assert list(two_items().slices()) == slices


def test_a_document_without_sentences_is_one_gap() -> None:
    assert list(Document(" \n", ()).slices()) == [" \n"]
    assert Document(" \n", ()).render([]) == Document(" \n", ())


def test_list_markers_and_line_breaks_stay_in_the_translation() -> None:
    rendered = two_items().render(["He left.", "She stayed.", "Done."])
    assert rendered.text == " - He left. She stayed.\n - Done. \n"
    assert [block.kind for block in rendered.blocks] == [BlockKind.LIST_ITEM] * 2


@pytest.mark.parametrize("targets", [[], ["a", "b"], ["a", "b", "c", "d"], ["a", "b", "c", ""]])
def test_another_number_of_translations_than_sentences_is_refused(targets: list[str]) -> None:
    with pytest.raises(ValueError, match="targets for 3 sentences"):
        two_items().render(targets)


def test_metadata_and_verbatim_blocks_are_not_translated() -> None:
    kept = {kind for kind in BlockKind if not kind.translatable}
    assert kept == {BlockKind.METADATA, BlockKind.VERBATIM}


@given(documents())
def test_the_slices_are_the_text(document: Document) -> None:
    assert "".join(document.slices()) == document.text


@given(documents())
def test_translating_every_sentence_into_itself_changes_nothing(document: Document) -> None:
    assert document.render([sentence.text for sentence in document.sentences()]) == document


@given(documents(), st.data())
def test_other_words_keep_blocks_ids_and_gaps(document: Document, data: st.DataObject) -> None:
    count = sum(1 for _ in document.sentences())
    targets = data.draw(st.lists(ANY_TEXT, min_size=count, max_size=count))
    rendered = document.render(targets)
    assert gaps(rendered) == gaps(document)
    assert [block.kind for block in rendered.blocks] == [block.kind for block in document.blocks]
    assert [s.id for s in rendered.sentences()] == [s.id for s in document.sentences()]
    assert [s.text for s in rendered.sentences()] == targets
    assert all(rendered.text[s.start : s.end] == s.text for s in rendered.sentences())
    assert "".join(rendered.slices()) == rendered.text
