"""From text to translated article: nothing lost on the way, and every oddity marked."""

from collections.abc import Sequence

import pytest
from fakes import FakeGenerator, FakeTranslator
from hypothesis import given, settings
from hypothesis import strategies as st

from service.article.document import BlockKind, Format
from service.article.language import LanguageIdentifier
from service.article.warnings import ArticleWarning, WarningCode
from service.errors import InferenceError
from service.pipeline import ArticlePipeline
from service.summarization.abstractive import AbstractiveSummarizer
from service.summarization.extractive import ExtractiveSummarizer
from service.summarization.summarizer import SummaryOptions
from service.translation.translator import Translation

IDENTIFIER = LanguageIdentifier()


def marking() -> FakeTranslator:
    return FakeTranslator("<{}>".format)


def codes(warnings: Sequence[ArticleWarning]) -> list[WarningCode]:
    return [warning.code for warning in warnings]


def pipeline(translator: FakeTranslator) -> ArticlePipeline:
    return ArticlePipeline(translator, ExtractiveSummarizer(), IDENTIFIER)


def test_the_translation_keeps_the_structure_of_the_source() -> None:
    translator = marking()
    text = "Kop\n\nEen zin. Nog een zin.\n\n- punt een\n- punt twee\n"
    article = pipeline(translator).translate_article(text)
    assert article.body.target.text == (
        "<Kop>\n\n<Een zin.> <Nog een zin.>\n\n- <punt een>\n- <punt twee>\n"
    )
    assert [block.kind for block in article.body.target.blocks] == [
        BlockKind.HEADING, BlockKind.PARAGRAPH, BlockKind.LIST_ITEM, BlockKind.LIST_ITEM,
    ]  # fmt: skip


def test_the_model_sees_normalised_text_and_the_answer_keeps_the_source() -> None:
    translator = marking()
    article = pipeline(translator).translate_article("„Ja”,\u00a0zei\u200b hij.\x00")
    assert translator.seen[0] == '"Ja", zei hij.'
    [sentence] = article.body.source.sentences()
    assert sentence.text == "„Ja”,\u00a0zei\u200b hij.\x00"


def test_a_date_stamp_numbers_and_addresses_never_reach_the_model() -> None:
    translator = marking()
    text = "date 2020-01 Een zin.\n\n***\n\nhttps://voorbeeld.nl/a\n\n12 - 7\n"
    article = pipeline(translator).translate_article(text)
    assert set(translator.seen) == {"Een zin."}
    assert article.body.target.text == text.replace("Een zin.", "<Een zin.>")
    assert [s.score for s in article.body.sentences] == [None, -0.5, None, None, None]


def test_a_sentence_that_does_not_fit_is_split_at_clauses_and_rejoined() -> None:
    translator = FakeTranslator("<{}>".format, max_characters=30)
    article = pipeline(translator).translate_article(
        "De minister ging weg, de Kamer bleef zitten, en niemand zei iets."
    )
    parts = [part for batch in translator.batches for part in batch]
    assert len(parts) > 1
    assert " ".join(parts) == "De minister ging weg, de Kamer bleef zitten, en niemand zei iets."
    [sentence] = article.body.sentences
    assert sentence.target == " ".join(f"<{part}>" for part in parts)
    assert WarningCode.HARD_SPLIT not in codes(sentence.warnings)


def test_a_cut_where_no_clause_ends_is_marked() -> None:
    article = pipeline(FakeTranslator("<{}>".format, max_characters=10)).translate_article("a" * 35)
    assert WarningCode.HARD_SPLIT in codes(article.body.sentences[0].warnings)
    assert article.body.target.text.count("<") == 4


def test_an_empty_translation_is_marked() -> None:
    article = pipeline(FakeTranslator(lambda _sentence: "")).translate_article("Een zin.")
    assert codes(article.body.sentences[0].warnings) == [WarningCode.EMPTY_TRANSLATION]


def test_the_title_is_translated_on_its_own_and_never_a_bullet() -> None:
    article = pipeline(marking()).translate_article(
        "Dit is een zin.", title="Een titel", summary=SummaryOptions()
    )
    assert article.title is not None
    assert article.title.target.text == "<Een titel>"
    assert [bullet.text for bullet in article.summary.bullets] == ["<Dit is een zin.>"]
    assert article.usage.sentences == 2


def test_an_engine_that_returns_too_few_sentences_is_an_error_not_a_shift() -> None:
    class Dropping(FakeTranslator):
        def translate(self, sentences: Sequence[str]) -> list[Translation]:
            return super().translate(sentences)[1:]

    with pytest.raises(InferenceError, match="another number of sentences"):
        pipeline(Dropping()).translate_article("Een zin. Nog een zin.")


def test_a_text_in_another_language_is_marked() -> None:
    german = "Der Präsident hat am Mittwoch ein neues Gesetz unterzeichnet, sagte er in Berlin."
    article = pipeline(marking()).translate_article(german)
    assert article.language.code == "de"
    assert article.warnings == (ArticleWarning(WarningCode.SOURCE_LANGUAGE_SUSPECT, "de"),)


def test_english_is_summed_up_without_translating_it() -> None:
    translator = marking()
    summary = pipeline(translator).summarize(
        "The council met on Monday. It voted for the new bridge over the river.",
        source_language=None,
        options=SummaryOptions(bullets=1),
    )
    assert translator.batches == []
    assert summary.summary.bullets[0].text.startswith(("The council", "It voted"))
    dutch = pipeline(translator).summarize(
        "De raad kwam bijeen.", source_language=None, options=SummaryOptions(bullets=1)
    )
    assert dutch.summary.bullets[0].text == "<De raad kwam bijeen.>"


@settings(max_examples=150)
@given(st.lists(st.text(max_size=80), max_size=4))
def test_as_many_texts_out_as_in_and_no_visible_character_lost(texts: list[str]) -> None:
    translator = FakeTranslator(max_characters=20)
    documents, _ = pipeline(translator).translate_texts(texts)
    assert len(documents) == len(texts)
    for document, text in zip(documents, texts, strict=True):
        assert document.source.text == text
        assert len(document.sentences) == sum(1 for _ in document.target.sentences())


def test_what_is_translated_again_for_inline_markup_is_counted() -> None:
    targets = {"De vrolijke kat slaapt.": "The cheerful cat sleeps.", "vrolijke kat": "happy cat"}
    translator = FakeTranslator(lambda sentence: targets.get(sentence, sentence))
    article = pipeline(translator).translate_article(
        "<p>De <b>vrolijke kat</b> slaapt.</p>", format=Format.HTML
    )
    assert translator.seen == ["De vrolijke kat slaapt.", "vrolijke kat"]
    assert article.usage.extra_decodes == 1


def test_each_of_several_texts_says_that_it_is_not_dutch() -> None:
    english = "The prime minister said on Thursday that he would not resign after the vote."
    french = "Le gouvernement a annoncé hier soir que les impôts seraient augmentés pour tous."
    dutch = "De premier zei donderdag dat hij na de stemming in de Kamer niet zou opstappen."
    documents, _ = pipeline(marking()).translate_texts([english, french, dutch])
    assert [codes(document.warnings) for document in documents] == [
        [WarningCode.ALREADY_ENGLISH, WarningCode.SOURCE_LANGUAGE_SUSPECT],
        [WarningCode.SOURCE_LANGUAGE_SUSPECT],
        [],
    ]
    assert documents[0].target.text == english


ENGLISH = (
    "The council of Ede agreed to a new bridge over the canal on Tuesday night. The old bridge "
    "from 1931 has been closed to lorries since a barge hit it. Mayor Hanna Vermeer called the "
    "decision a relief for every shop in the harbour. The works will cost 14 million euros, of "
    "which the province pays half. Cyclists have to take a ferry for eighteen months while the "
    "piers are built."
)


@pytest.mark.parametrize("max_words", [None, 5])
@pytest.mark.parametrize(
    ("written", "method"),
    [
        ("", "extractive"),
        ("Astronauts of another planet landed beside some surprised kangaroos.", "extractive"),
        ("The works will cost 14 million euros.", "abstractive"),
    ],
)
def test_a_summary_is_called_abstractive_only_if_a_model_wrote_some_of_it(
    written: str, method: str, max_words: int | None
) -> None:
    """Sentences of the article stay that when they are shortened."""
    made = ArticlePipeline(
        marking(),
        AbstractiveSummarizer(FakeGenerator(lambda _: written), min_length=56, max_length=142),
        IDENTIFIER,
    ).summarize(
        ENGLISH, source_language="en", options=SummaryOptions(bullets=3, max_words=max_words)
    )
    if max_words and method == "abstractive":
        method = "extractive"  # the model's sentence has no clause to be shortened at
    assert len(made.summary.bullets) == 3
    assert made.summary.method == method
