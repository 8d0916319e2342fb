"""Whoever listens hears of the article in its order, soon, and of nothing but the answer."""

import re
from collections.abc import Sequence

import pytest
from fakes import FakeTranslator
from hypothesis import given, settings
from hypothesis import strategies as st

from service.article.document import Format
from service.article.language import LanguageIdentifier
from service.article.warnings import WarningCode
from service.errors import InferenceError
from service.pipeline import ArticlePipeline, TranslatedArticle
from service.summarization.extractive import ExtractiveSummarizer
from service.summarization.summarizer import Bullet, SummaryOptions
from service.translation.documents import FIRST_STEP_SENTENCES, TranslatedBlock
from service.translation.faithful import CHECKPOINT_SENTENCES
from service.translation.glossary import Glossary

IDENTIFIER = LanguageIdentifier()
ENGLISH = {
    "De": "The", "raad": "council", "kwam": "came", "bijeen": "together", "in": "in",
    "Minister": "Minister", "sprak": "spoke", "gisteren": "yesterday", "niet": "not",
    "Toen": "Then", "vertrok": "left", "Daarna": "After that", "ook": "too", "Het": "It",
    "kabinet": "government", "stemde": "voted", "tegen": "against", "Kamer": "chamber",
    "zaal": "room", "betaalde": "paid", "euro": "euros", "regent": "rains", "vandaag": "today",
    "slaapt": "sleeps", "vrolijke": "cheerful", "kat": "cat", "weer": "again",
}  # fmt: skip
TERMS = Glossary.of({"Kamer": "House", "kabinet": "cabinet"})


def english(dutch: str) -> str:
    """Word for word; no more than enough for the guard to have nothing against it."""
    return re.sub(r"[^\W\d_]+", lambda word: ENGLISH.get(word[0], word[0]), dutch)


def careless(dutch: str) -> str:
    """A model that misspells a name in denials, gets amounts wrong and says a phrase otherwise."""
    if dutch == "vrolijke kat":
        return "happy cat"
    translation = english(dutch)
    if "niet" in dutch:
        translation = translation.replace("Klöcker", "Klocker")
    return re.sub(r"\d+", lambda number: f"{number[0]}7", translation)


def careful(dutch: str) -> str:
    """The same model, right about even amounts when it looks twice."""
    return english(dutch) if re.search(r"[02468]\b", dutch) else careless(dutch)


def article_pipeline(translator: FakeTranslator) -> ArticlePipeline:
    return ArticlePipeline(translator, ExtractiveSummarizer(), IDENTIFIER)


class Ear:
    """Remembers what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int]] = []
        self.titles: list[str] = []
        self.blocks: dict[int, TranslatedBlock] = {}
        self.bullets: dict[int, Bullet] = {}

    def title(self, text: str) -> None:
        self.heard.append(("title", len(self.titles)))
        self.titles.append(text)

    def block(self, index: int, block: TranslatedBlock) -> None:
        assert block != self.blocks.get(index)
        self.heard.append(("block", index))
        self.blocks[index] = block

    def bullet(self, index: int, bullet: Bullet) -> None:
        self.heard.append(("bullet", index))
        self.bullets[index] = bullet


SENTENCES = st.one_of(
    st.sampled_from(
        [
            "Minister Klöcker sprak gisteren in de Kamer.",
            "Toen sprak Klöcker niet.",
            "Daarna vertrok Klöcker weer niet.",
            "Het kabinet stemde tegen.",
            "De Kamer stemde ook tegen.",
            "Het regent vandaag.",
            "De <b>vrolijke kat</b> slaapt.",
            "De vrolijke kat slaapt <i>vandaag</i> niet.",
            "Zie <a href='https://voorbeeld.nl/a'>de raad</a> en <code>x = 1</code>.",
            "We will win this election again.",
            "12:30",
        ]
    ),
    st.integers(1, 40).map("De raad betaalde {} euro.".format),
    st.text(max_size=30).map(lambda text: re.sub(r"[<>&]", "", text)),
)
PARAGRAPHS = st.lists(st.lists(SENTENCES, min_size=1, max_size=6), min_size=1, max_size=12)
TITLES = st.sampled_from(
    [None, "Klöcker sprak niet", "Kamer tegen kabinet", "De raad betaalde 3 euro", "Kop\n\nTwee."]
)


def same(article: TranslatedArticle, other: TranslatedArticle) -> bool:
    return all(
        getattr(article, name) == getattr(other, name)
        for name in ("title", "body", "language", "summary", "warnings", "usage")
    )


@settings(max_examples=60)
@given(PARAGRAPHS, TITLES, st.booleans(), st.booleans())
def test_what_is_handed_out_is_the_answer_and_listening_changes_nothing(
    paragraphs: list[list[str]], title: str | None, marked_up: bool, with_terms: bool
) -> None:
    if marked_up:
        format = Format.HTML
        text = "\n".join(f"<p>{' '.join(sentences)}</p>" for sentences in paragraphs)
    else:
        format = Format.TEXT
        plain = [re.sub("<.*?>", "", " ".join(sentences)) for sentences in paragraphs]
        text = "\n\n".join(plain)

    def translate(ear: Ear | None) -> TranslatedArticle:
        return article_pipeline(FakeTranslator(careless, careful=careful)).translate_article(
            text,
            format=format,
            title=title,
            glossary=TERMS if with_terms else None,
            summary=SummaryOptions(bullets=3),
            listener=ear,
        )

    alone = translate(None)
    ear = Ear()
    listened = translate(ear)
    assert same(listened, alone)

    assert (ear.titles[-1] if ear.titles else None) == (alone.title and alone.title.target.text)
    assert [ear.blocks[index] for index in sorted(ear.blocks)] == list(alone.body.blocks())
    assert alone.summary is not None
    assert list(ear.bullets.values()) == alone.summary.bullets
    # In order: the title first, then each block, and bullets last.
    first = list(dict.fromkeys(ear.heard))
    blocks, bullets = len(ear.blocks), len(ear.bullets)
    order = [("title", 0)] * bool(title) + [("block", index) for index in range(blocks)]
    order += [("bullet", index) for index in range(bullets)]
    assert [one for one in first if one != ("title", 1)] == order
    assert ear.heard[len(ear.heard) - bullets :] == order[len(order) - bullets :]


def long_article(paragraphs: int = 20) -> str:
    return "\n\n".join(
        " ".join(f"De raad kwam bijeen in zaal {4 * number + part}." for part in range(4))
        for number in range(paragraphs)
    )


def test_the_first_block_is_out_when_a_few_sentences_are_translated() -> None:
    translator = FakeTranslator(english)
    seen: list[int] = []

    class Watching(Ear):
        def block(self, index: int, block: TranslatedBlock) -> None:
            super().block(index, block)
            seen.append(len(translator.seen))

    article_pipeline(translator).translate_article(long_article(), title="Kop", listener=Watching())
    assert translator.seen[0] == "Kop"
    assert seen[0] == 1 + 4
    assert len(seen) == 20
    sizes = [len(batch) for batch in translator.batches]
    assert sizes == [5, 8, 16, 32, 20]


def test_without_a_listener_an_article_goes_through_the_engine_in_few_large_batches() -> None:
    translator = FakeTranslator(english)
    article_pipeline(translator).translate_article(long_article())
    sizes = [len(batch) for batch in translator.batches]
    assert sizes == [CHECKPOINT_SENTENCES, 80 - CHECKPOINT_SENTENCES]


def test_a_name_spelled_otherwise_later_on_changes_its_own_block_and_no_other() -> None:
    text = "Toen sprak Klöcker niet.\n\n" + long_article(6) + (
        "\n\nMinister Klöcker sprak gisteren. Daarna vertrok Klöcker weer."
    )  # fmt: skip
    ear = Ear()
    article_pipeline(FakeTranslator(careless)).translate_article(
        text, title="Minister Klöcker sprak niet", listener=ear
    )
    heard = [one for one in ear.heard if one[0] != "title"]
    assert heard == [("block", index) for index in range(8)] + [("block", 0)]
    assert ear.titles == ["Minister Klocker spoke not", "Minister Klöcker spoke not"]
    assert ear.blocks[0].text == "Then spoke Klöcker not."


@pytest.mark.parametrize("listening", [False, True])
def test_the_first_failing_sentences_are_repaired_and_the_others_marked(listening: bool) -> None:
    """A quarter of the article's sentences, whenever its blocks are handed out."""
    text = "\n\n".join(f"De raad betaalde {2 * number} euro." for number in range(40))
    article = article_pipeline(FakeTranslator(careless, careful=careful)).translate_article(
        text, listener=Ear() if listening else None
    )
    codes = [[warning.code for warning in one.warnings] for one in article.body.sentences]
    assert codes == [[WarningCode.REPAIRED]] * 10 + [[WarningCode.NUMBER_MISMATCH]] * 30
    assert article.usage.extra_decodes == 10


def test_a_term_is_translated_alone_once_for_an_article_however_it_is_handed_out() -> None:
    text = "\n\n".join(f"De Kamer stemde {number} keer tegen." for number in range(30))
    engine = FakeTranslator(lambda dutch: english(dutch).replace("chamber", "plenary"))
    listened = article_pipeline(engine).translate_article(text, glossary=TERMS, listener=Ear())
    alone = article_pipeline(FakeTranslator(engine._rewrite)).translate_article(
        text, glossary=TERMS
    )
    assert engine.seen.count("Kamer") == 1
    assert same(listened, alone)


def test_an_engine_that_fails_in_the_middle_leaves_what_was_handed_out() -> None:
    class Failing(FakeTranslator):
        def translate(self, sentences: Sequence[str], **options: bool) -> list:
            if len(self.batches) == 2:
                raise InferenceError("stop")
            return super().translate(sentences, **options)

    ear = Ear()
    with pytest.raises(InferenceError, match="stop"):
        article_pipeline(Failing(english)).translate_article(long_article(), listener=ear)
    assert sorted(ear.blocks) == [0, 1, 2]
    assert FIRST_STEP_SENTENCES == 4


def test_several_texts_share_batches_and_are_the_same_alone() -> None:
    texts = [long_article(1), "De Kamer stemde tegen.", "De raad betaalde 8 euro."]
    together = FakeTranslator(careless, careful=careful)
    documents, _ = article_pipeline(together).translate_texts(texts, glossary=TERMS)
    assert len(together.batches[0]) == 6
    for text, document in zip(texts, documents, strict=True):
        alone = article_pipeline(FakeTranslator(careless, careful=careful))
        assert alone.translate_texts([text], glossary=TERMS)[0] == [document]


def test_a_dutch_text_says_what_was_found_in_its_translation_once() -> None:
    text = "De raad betaalde 3 euro. De raad betaalde 5 euro. De raad kwam bijeen."
    made = article_pipeline(FakeTranslator(careless)).summarize(
        text, source_language="nl", options=SummaryOptions(bullets=1)
    )
    [warning] = made.warnings
    assert warning.code is WarningCode.NUMBER_MISMATCH
    assert "3" in warning.evidence
