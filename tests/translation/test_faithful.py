"""Sentences to checked English: what fails is repaired or marked, and nothing else is touched."""

import re
import time
from collections.abc import Iterator

import pytest
from fakes import FakeTranslator
from hypothesis import given
from hypothesis import strategies as st

from service.article.document import Document, Format
from service.article.formats import parse
from service.article.language import LanguageIdentifier
from service.article.warnings import Severity, WarningCode
from service.errors import InferenceError
from service.translation.faithful import (
    CHECKPOINT_SENTENCES,
    REPAIRED_SHARE,
    FaithfulTranslator,
    Source,
    Step,
    TranslatedSentence,
)
from service.translation.glossary import Glossary

IDENTIFIER = LanguageIdentifier()
GOOD = "The minister paid 12,500 euros on Monday."
DUTCH = "De minister betaalde maandag 12.500 euro."


def sources(document: Document) -> list[Source]:
    return [
        Source(sentence, block.kind) for block in document.blocks for sentence in block.sentences
    ]


def translate(
    engine: FakeTranslator, text: str, terms: dict[str, str] | None = None
) -> tuple[list[TranslatedSentence], int]:
    return finish(
        FaithfulTranslator(engine, IDENTIFIER).translate(
            [sources(parse(text, Format.TEXT))],
            glossary=Glossary.of(terms or {}),
            checkpoint=lambda _done, _total: None,
        )
    )


def finish(steps: Iterator[Step]) -> tuple[list[TranslatedSentence], int]:
    """The sentences as they are after the last step, in order, and the extra decodes of all."""
    sentences: dict[int, TranslatedSentence] = {}
    for step in steps:
        sentences |= step.sentences
    assert list(sentences) == list(range(len(sentences)))
    return list(sentences.values()), sum(step.extra_decodes)


def codes(sentence: TranslatedSentence) -> set[WarningCode]:
    return {warning.code for warning in sentence.warnings}


def test_a_good_translation_is_left_alone() -> None:
    [sentence], extra = translate(FakeTranslator(lambda _: GOOD), DUTCH)
    assert sentence.target == GOOD
    assert sentence.warnings == ()
    assert extra == 0


def test_a_number_form_that_the_engine_copied_is_put_right() -> None:
    engine = FakeTranslator(lambda _: GOOD.replace("12,500", "12.500"))
    [sentence], extra = translate(engine, DUTCH)
    assert sentence.target == GOOD
    assert sentence.warnings == ()
    assert extra == 0


@pytest.mark.parametrize(
    "bad",
    [
        GOOD.replace("12,500", "12,600"),
        GOOD.replace("Monday", "Tuesday"),
        GOOD.replace("euros", "dollars"),
        "The minister " + "the minister of the minister " * 9,
        DUTCH,
        "",
    ],
    ids=["number", "weekday", "currency", "loop", "copy", "empty"],
)
def test_another_hypothesis_that_passes_is_taken(bad: str) -> None:
    engine = FakeTranslator(lambda _: bad, alternatives=lambda _: (bad, GOOD))
    [sentence], extra = translate(engine, DUTCH)
    assert sentence.target == GOOD
    assert codes(sentence) == {WarningCode.REPAIRED}
    assert extra == 0


def test_careful_decoding_comes_after_the_beam() -> None:
    engine = FakeTranslator(lambda _: "", careful=lambda _: GOOD, alternatives=lambda _: ("",))
    [sentence], extra = translate(engine, DUTCH)
    assert sentence.target == GOOD
    assert codes(sentence) == {WarningCode.REPAIRED}
    assert extra == 1


def test_what_cannot_be_repaired_keeps_its_translation_and_is_marked() -> None:
    bad = GOOD.replace("12,500", "12,600")
    [sentence], extra = translate(FakeTranslator(lambda _: bad), DUTCH)
    assert sentence.target == bad
    assert codes(sentence) == {WarningCode.NUMBER_MISMATCH}
    assert "12" in sentence.warnings[0].evidence
    assert 1 <= extra <= 2


def test_at_most_a_quarter_of_an_article_is_translated_again() -> None:
    engine = FakeTranslator(lambda _: "")
    text = " ".join(f"De raad vergaderde in zaal {number}." for number in range(40))
    _, extra = translate(engine, text)
    assert extra <= 2 * REPAIRED_SHARE * 40
    assert len(engine.seen) == 40 + extra


def test_the_same_sentence_is_translated_once() -> None:
    engine = FakeTranslator(lambda _: "It is raining in Utrecht today.")
    sentences, _ = translate(engine, "Het regent vandaag in Utrecht. " * 5)
    assert len(sentences) == 5
    assert len({sentence.target for sentence in sentences}) == 1
    assert len(engine.seen) == 1


def test_a_name_keeps_one_spelling() -> None:
    targets = {
        "Minister Klöcker kwam gisteren aan.": "Minister Klöcker arrived yesterday.",
        "Daarna sprak Klöcker de Kamer toe.": "Klöcker then addressed the House.",
        "De Kamer geloofde Klöcker niet.": "The House did not believe Klocker.",
    }
    sentences, _ = translate(FakeTranslator(targets.__getitem__), " ".join(targets))
    assert sentences[2].target == "The House did not believe Klöcker."


def test_a_line_in_capitals_is_lower_case_for_the_engine_and_capitals_again_after() -> None:
    engine = FakeTranslator(lambda _: "Cabinet falls over budget")
    [sentence], _ = translate(engine, "KABINET VALT OVER BEGROTING")
    assert engine.seen == ["Kabinet valt over begroting"]
    assert sentence.target == "CABINET FALLS OVER BUDGET"


def test_a_sentence_in_english_is_left_alone_and_marked() -> None:
    engine = FakeTranslator(lambda _: "The president said that yesterday.")
    english = '"We will not give up this fight for freedom."'
    sentences, _ = translate(engine, f"Dat zei de president gisteren. {english}")
    assert engine.seen == ["Dat zei de president gisteren."]
    assert sentences[1].target == english
    assert codes(sentences[1]) == {WarningCode.ALREADY_ENGLISH}


def test_a_quotation_in_english_comes_out_as_it_is() -> None:
    quote = "We will win this election again."
    engine = FakeTranslator(lambda _: "The president shouted yesterday:")
    [sentence], _ = translate(engine, f'De president riep gisteren: "{quote}"')
    assert sentence.target == f'The president shouted yesterday: "{quote}"'
    assert codes(sentence) == {WarningCode.ALREADY_ENGLISH, WarningCode.REPAIRED}


def test_a_term_of_the_glossary_holds_with_the_right_capitals() -> None:
    engine = FakeTranslator(
        {
            "De Tweede Kamer stemde tegen.": "The second chamber voted against.",
            "Tweede Kamer": "Second Chamber",
            "kabinet": "ministry",
            "Kabinet treedt af.": "Government resigns.",
            "Cabinet treedt af.": "Cabinet resigns.",
        }.__getitem__
    )
    terms = {"Tweede Kamer": "House of Representatives", "kabinet": "cabinet"}
    sentences, extra = translate(engine, "De Tweede Kamer stemde tegen. Kabinet treedt af.", terms)
    assert sentences[0].target == "The House of Representatives voted against."
    assert sentences[1].target == "Cabinet resigns."
    for sentence, term in zip(sentences, ("House of Representatives", "Cabinet"), strict=True):
        [applied] = sentence.terms
        assert sentence.target[applied.start : applied.end] == term
    assert extra >= 2


def test_a_term_that_cannot_be_put_in_is_a_warning() -> None:
    engine = FakeTranslator(
        {
            "De Tweede Kamer stemde tegen.": "The chamber voted against.",
            "Tweede Kamer": "Second Chamber",
            "De House of Representatives stemde tegen.": "They voted against.",
        }.__getitem__
    )
    [sentence], _ = translate(
        engine, "De Tweede Kamer stemde tegen.", {"Tweede Kamer": "House of Representatives"}
    )
    assert sentence.target == "The chamber voted against."
    assert WarningCode.GLOSSARY_UNAPPLIED in codes(sentence)
    assert sentence.terms == ()


def test_the_company_of_other_articles_changes_nothing() -> None:
    engine = FakeTranslator(lambda _: "", careful=lambda _: GOOD)
    faithful = FaithfulTranslator(engine, IDENTIFIER)

    def run(*texts: str) -> list[TranslatedSentence]:
        sentences, _ = finish(
            faithful.translate(
                [sources(parse(text, Format.TEXT)) for text in texts],
                glossary=Glossary({}),
                checkpoint=lambda _done, _total: None,
            )
        )
        return sentences

    [alone] = run(DUTCH)
    assert run("Het regent. Het waait. Het vriest.", DUTCH, DUTCH)[3:] == [alone, alone]


def test_every_batch_is_announced_and_a_checkpoint_that_raises_ends_the_work() -> None:
    engine = FakeTranslator()
    calls: list[tuple[int, int]] = []

    def checkpoint(done: int, total: int) -> None:
        calls.append((done, total))
        if done:
            raise InferenceError("stop")

    text = " ".join(f"De raad vergaderde in zaal {number}." for number in range(70))
    with pytest.raises(InferenceError, match="stop"):
        finish(
            FaithfulTranslator(engine, IDENTIFIER).translate(
                [sources(parse(text, Format.TEXT))], glossary=Glossary({}), checkpoint=checkpoint
            )
        )
    assert calls == [(0, 70), (CHECKPOINT_SENTENCES, 70)]
    assert len(engine.batches) == 1


MANGLERS = st.sampled_from(
    [
        str,
        str.upper,
        lambda _: "",
        lambda sentence: f"{sentence} {sentence} {sentence} {sentence}",
        lambda sentence: sentence[: len(sentence) // 2],
        lambda sentence: re.sub(r"\d", "7", sentence),
        lambda _: "?",
    ]
)


@given(st.lists(st.text(max_size=60), max_size=5), MANGLERS)
def test_as_many_sentences_out_as_in_whatever_the_engine_does(texts: list[str], rewrite) -> None:
    document = parse("\n\n".join(texts), Format.TEXT)
    first, _ = translate(FakeTranslator(rewrite), document.text)
    again, _ = translate(FakeTranslator(rewrite), document.text)
    assert len(first) == sum(1 for _ in document.sentences())
    assert first == again


@given(st.text(max_size=200))
def test_a_warning_never_comes_twice_for_one_sentence(text: str) -> None:
    for sentence in translate(FakeTranslator(lambda _: "7 7 7 7 7"), text)[0]:
        found = [warning.code for warning in sentence.warnings]
        assert len(found) == len(set(found))
        assert all(isinstance(code.severity, Severity) for code in found)


def test_an_english_quotation_in_a_line_of_capitals_needs_no_repair() -> None:
    engine = FakeTranslator(lambda text: text.replace("Verdachte riep", "Suspect shouted"))
    [sentence], extra = translate(engine, 'VERDACHTE RIEP: "WE WILL WIN THIS ELECTION AGAIN"')
    assert sentence.target == 'SUSPECT SHOUTED: "WE WILL WIN THIS ELECTION AGAIN"'
    assert codes(sentence) == {WarningCode.ALREADY_ENGLISH}
    assert extra == 0


def test_thousands_of_addresses_in_one_sentence_take_no_long_time() -> None:
    text = " ".join(f"zie www.a{number}.nl en @b{number}" for number in range(9_000))
    start = time.process_time()
    translate(FakeTranslator(max_characters=500), text)
    assert time.process_time() - start < 2


def test_a_name_keeps_one_spelling_in_a_sentence_translated_again_for_the_glossary() -> None:
    targets = {
        "Minister Klöcker kwam gisteren aan.": "Minister Klöcker arrived yesterday.",
        "Toen vertrok minister Klöcker weer.": "Then minister Klöcker left again.",
        "Gisteren sprak minister Klöcker met de Kamer.": "Yesterday Klöcker spoke with the room.",
        "Gisteren sprak minister Klöcker met de House.": "Yesterday Klocker spoke with the House.",
        "Kamer": "Chamber",
    }
    sentences, extra = translate(
        FakeTranslator(targets.__getitem__), " ".join(list(targets)[:3]), {"Kamer": "House"}
    )
    assert sentences[2].target == "Yesterday Klöcker spoke with the House."
    [term] = sentences[2].terms
    assert sentences[2].target[term.start : term.end] == "House"
    assert extra == 2


def test_repair_can_be_switched_off() -> None:
    engine = FakeTranslator(lambda _: "", careful=lambda _: GOOD)
    faithful = FaithfulTranslator(engine, IDENTIFIER, repairs=False)
    [sentence], _ = finish(
        faithful.translate(
            [sources(parse(DUTCH, Format.TEXT))],
            glossary=Glossary.of({}),
            checkpoint=lambda _done, _total: None,
        )
    )
    assert codes(sentence) == {WarningCode.EMPTY_TRANSLATION}
    assert engine.seen == [DUTCH]
