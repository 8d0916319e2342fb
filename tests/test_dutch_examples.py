"""The 52 Dutch inputs of ``data/dutch_examples.tsv``: what must hold without a trained model.

The engine is a fake that copies, or does what a row says. What only a trained model can do (the
right English words) is not asked here; what the rest of the service must do about it is: what the
engine gets to see, what never reaches it, what the guard says of a good and of a bad translation.
"""

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import FakeTranslator

from service.article.document import BlockKind, Format
from service.article.language import LanguageIdentifier
from service.article.warnings import Severity, WarningCode
from service.errors import InvalidRequest
from service.pipeline import ArticlePipeline, TranslatedArticle
from service.summarization.extractive import ExtractiveSummarizer
from service.translation import guard

IDENTIFIER = LanguageIdentifier()
Row = Callable[[str], None]


def load_rows() -> dict[str, str]:
    path = Path(__file__).parent / "data" / "dutch_examples.tsv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return {row["id"]: unescape(row["dutch"]) for row in rows}


def unescape(text: str) -> str:
    named = {"\\n": "\n", "\\r": "\r"}
    return re.sub(
        r"\\[nr]|\\u([0-9a-fA-F]{4})",
        lambda match: named.get(match[0]) or chr(int(match[1], 16)),
        text,
    )


ROWS = load_rows()
CHECKS: dict[str, Row] = {}


def row(*ids: str) -> Callable[[Row], Row]:
    """Registers the check of one or more rows."""

    def register(check: Row) -> Row:
        CHECKS.update(dict.fromkeys(ids, check))
        return check

    return register


@pytest.mark.parametrize("name", ROWS)
def test_the_property_of_each_example_holds(name: str) -> None:
    CHECKS[name](ROWS[name])


def run(
    text: str, engine: FakeTranslator | None = None, format: Format = Format.TEXT
) -> TranslatedArticle:
    pipeline = ArticlePipeline(engine or FakeTranslator(), ExtractiveSummarizer(), IDENTIFIER)
    return pipeline.translate_article(text, format=format)


def copied(text: str, format: Format = Format.TEXT) -> str:
    """The rendering when the engine copies every sentence."""
    return run(text, format=format).body.target.text


def sentences(text: str) -> list[str]:
    return [sentence.text for sentence in run(text).body.source.sentences()]


def hard(source: str, target: str) -> set[WarningCode]:
    found = guard.check(source, target)
    return {warning.code for warning in found if warning.code.severity is Severity.HARD}


def codes(source: str, target: str) -> set[WarningCode]:
    return {warning.code for warning in guard.check(source, target)}


@row("nl001", "nl003")
def quotes_of_any_style_become_one_pair(text: str) -> None:
    target = copied(text)
    assert target.count('"') == 2
    assert not set(target) & set("„”⁇")
    assert not target.startswith(",")


@row("nl005")
def quotes_over_sentences_stay_paired(text: str) -> None:
    assert copied(text).count('"') == 2
    assert len(sentences(text)) == 3


@row("nl007")
def a_leading_apostrophe_is_no_quote(text: str) -> None:
    target = copied(text)
    assert '"' not in target
    assert target.startswith("'s")
    assert WarningCode.QUOTES_MISMATCH not in codes(
        text, "In the evening the photos of grandmas' cars come along."
    )


@row("nl009")
def dashes_in_pairs_survive(text: str) -> None:
    target = copied(text)
    assert target.count(" - ") + target.count("–") + target.count("—") == 2
    assert target.count("2021") == 1


@row("nl011")
def ranges_keep_their_numbers(text: str) -> None:
    assert re.findall(r"\d+", copied(text)) == ["9", "12", "6", "12"]
    good = "The training lasts from 9 to 12 hours, for 6- to 12-year-olds."
    assert not hard(text, good)
    assert WarningCode.NUMBER_MISMATCH in hard(text, good.replace("9 to", "8 to"))


@row("nl013")
def a_thin_space_does_not_cut_a_number(text: str) -> None:
    assert re.search(r"(?<!\d)12,?500(?!\d)", copied(text))


@row("nl015")
def zero_width_characters_change_nothing(text: str) -> None:
    assert copied(text) == copied("Een gesprek met de minister.")


@row("nl017")
def the_ij_ligature_becomes_letters(text: str) -> None:
    target = copied(text)
    assert "IJmuiden" in target
    assert "ijs" in target


@row("nl019")
def superscripts_and_fractions_stay(text: str) -> None:
    target = copied(text)
    assert "m²" in target
    assert "5½" in target
    assert not hard(text, "The room is 20 m² and costs 5.5 million.")
    assert hard(text, "The room is 20 m² and costs 51/2 million.")


@row("nl021")
def a_hard_wrap_does_not_end_a_sentence(text: str) -> None:
    assert len(sentences(text)) == 1
    assert copied(text) == copied(text.replace("\n", " "))


@row("nl023")
def paragraphs_stay_apart_and_in_order(text: str) -> None:
    article = run(text)
    assert [block.sentences[0].text for block in article.body.target.blocks] == [
        "Eerste.", "Tweede.",
    ]  # fmt: skip
    assert article.body.target.text == text


@row("nl025")
def thousands_get_an_english_separator(text: str) -> None:
    assert "12,500" in copied(text)


@row("nl027")
def decimals_get_an_english_point(text: str) -> None:
    assert "7.5" in copied(text)


@row("nl029")
def biljoen_is_trillion(text: str) -> None:
    assert not hard(text, "The national debt is 1.2 trillion dollars.")
    assert hard(text, "The national debt is 1.2 billion dollars.")


@row("nl031")
def number_words_are_numbers(text: str) -> None:
    good = "Sirte lies more than four hundred kilometres east of Tripoli."
    assert not hard(text, good)
    assert not hard(text, good.replace("four hundred", "400"))
    assert WarningCode.NUMBER_MISMATCH in hard(text, good.replace("four hundred", "500"))


@row("nl033")
def one_and_a_half_is_not_two(text: str) -> None:
    good = "The journey takes an hour and a half, back two and a half."
    assert not hard(text, good)
    assert not hard(text, "The journey takes 1.5 hours, back 2.5.")
    assert hard(text, "The journey takes 2 hours, back 3.")


@row("nl035")
def currencies_are_not_swapped(text: str) -> None:
    good = "He paid $1,500, £20 and 1,000 Swiss francs."
    assert not hard(text, good)
    assert WarningCode.CURRENCY_MISMATCH in hard(text, good.replace("$", "€"))


@row("nl037")
def percentage_points_keep_their_number(text: str) -> None:
    assert "0.25" in copied(text)
    assert not hard(text, "Interest rates rose by 0.25 percentage points.")


@row("nl039")
def a_numeric_date_keeps_its_order(text: str) -> None:
    assert "03-04-2024" in copied(text)
    assert not hard(text, "The deadline is 3 April 2024.")


@row("nl041")
def decades_may_be_written_in_english(text: str) -> None:
    assert not hard(text, "In the 1960s and the 1980s everything changed.")
    assert not hard(text, "In the sixties and the eighties everything changed.")


@row("nl043")
def a_time_is_no_decimal(text: str) -> None:
    assert len(sentences(text)) == 1
    assert "20:45" in copied(text)
    for good in ("at 8.45 p.m.", "at 8:45 pm", "at 20:45"):
        assert not hard(text, f"The match starts {good}.".replace("..", "."))


@row("nl045")
def a_duration_stays_in_order(text: str) -> None:
    assert re.findall(r"\d+", copied(text)) == ["2", "11", "35"]


@row("nl047")
def a_minus_sign_stays(text: str) -> None:
    assert "-3.5" in copied(text)


@row("nl049")
def phone_numbers_stay(text: str) -> None:
    target = copied(text)
    assert "0800-1234" in target
    assert "+31 (0)20 123 45 67" in target


@row("nl051")
def a_reference_to_a_law_stays(text: str) -> None:
    assert "6:162" in copied(text)
    assert len(sentences(text)) == 1


@row("nl053", "nl059", "nl061")
def two_sentences_are_found(text: str) -> None:
    assert len(sentences(text)) == 2
    assert copied(text).count("...") == (2 if "…" in text else 0)


@row("nl055", "nl057")
def abbreviations_do_not_end_a_sentence(text: str) -> None:
    assert len(sentences(text)) == 1
    for kept in ("31", "27", "de Boer"):
        assert kept not in text or kept in copied(text)


@row("nl063")
def a_byline_never_reaches_the_engine(text: str) -> None:
    engine = FakeTranslator()
    assert run(text, engine).body.target.text == "By Jan de Vries and Anna Bakker"
    assert engine.seen == []


@row("nl065")
def a_dateline_never_reaches_the_engine(text: str) -> None:
    engine = FakeTranslator(lambda _sentence: "The stock market closed higher.")
    article = run(text, engine)
    assert engine.seen == ["De beurs sloot hoger."]
    assert article.body.target.text == "AMSTERDAM (ANP) - The stock market closed higher."
    assert len(article.body.sentences) == 1


@row("nl067")
def a_heading_gets_no_full_stop(text: str) -> None:
    engine = FakeTranslator(lambda sentence: sentence.removesuffix(".") + ".")
    article = run(text, engine)
    assert [block.kind for block in article.body.source.blocks] == [
        BlockKind.HEADING, BlockKind.PARAGRAPH,
    ]  # fmt: skip
    assert article.body.target.text.split("\n\n")[0] == "Slag op Tripoli"


@row("nl069")
def colon_and_quotes_of_a_headline_stay(text: str) -> None:
    assert copied(text) == "Rutte: 'Ik blijf gewoon premier'"


@row("nl071")
def list_items_stay_list_items(text: str) -> None:
    first, second = copied(text).split("\n")
    assert first.startswith("- Utrecht")
    assert "20,000" in first
    assert second.startswith("- Zwolle")
    assert "10,000" in second


@row("nl073")
def tables_keep_their_shape(text: str) -> None:
    for format in (Format.TEXT, Format.MARKDOWN):
        target = copied(text, format)
        assert [line.count("|") for line in target.split("\n")] == [3, 3, 3]
        assert target.split("\n")[1] == "|---|---|"
        assert "2024" in target


@row("nl075")
def code_is_copied_whatever_the_engine_does(text: str) -> None:
    for engine in (
        FakeTranslator(),
        FakeTranslator(lambda _: "Use it."),
        FakeTranslator(str.upper),
    ):
        assert "`pip install foo`" in run(text, engine, Format.MARKDOWN).body.target.text


@row("nl077")
def entities_are_read_in_html_and_left_in_text(text: str) -> None:
    assert "&amp;amp;" not in copied(text)
    engine = FakeTranslator()
    article = run(text, engine, Format.HTML)
    assert engine.seen[0].startswith("Jansen & Zn.")
    assert "€" in engine.seen[0]
    assert "&amp; Zn." in article.body.target.text
    assert "&amp;amp;" not in article.body.target.text


@row("nl079", "nl081")
def addresses_come_out_whatever_the_engine_does(text: str) -> None:
    [address] = re.findall(r"https\S+(?=\.$)|\S+@\S+\w", text)
    for whole in (f"Look at {address} for more.", "Look there for more."):
        engine = FakeTranslator(lambda seen, whole=whole: whole if address in seen else "See more")
        assert address in run(text, engine).body.target.text


@row("nl083")
def emoji_come_out_unbroken(text: str) -> None:
    for rewrite in (str, lambda sentence: sentence.encode("ascii", "ignore").decode()):
        target = run(text, FakeTranslator(rewrite)).body.target.text
        assert all(emoji in target for emoji in text.split("! ")[1].split())


@row("nl085")
def letters_are_not_lost_in_names(text: str) -> None:
    assert copied(text).startswith("Çavuşoğlu, Klöcker en Ürümqi")
    assert codes(text, "?avu?o?lu, Kl?cker and ?r?mqi stay.")


@row("nl087")
def names_reach_the_engine_as_they_are(text: str) -> None:
    engine = FakeTranslator()
    run(text, engine)
    assert engine.seen[0] == text
    assert not codes(text, "Minister Wiebes and MP De Groot support Baudet.")


@row("nl089")
def a_lost_negation_is_marked(text: str) -> None:
    assert not codes(text, "He did not steal the money, but did not give it back either.")
    assert WarningCode.NEGATION_MISSING in codes(text, "He stole the money and gave it back.")


@row("nl091")
def only_new_repetition_is_a_loop(text: str) -> None:
    assert WarningCode.REPETITION not in codes(text, "No, no, no, no, no, no!")
    assert WarningCode.REPETITION in codes(text, "No, " * 20 + "no!")


@row("nl093")
def a_number_alone_never_reaches_the_engine(text: str) -> None:
    engine = FakeTranslator()
    assert run(text, engine).body.target.text == "2020"
    assert engine.seen == []


@row("nl095")
def nothing_becomes_nothing(text: str) -> None:
    engine = FakeTranslator()
    article = run(text, engine)
    assert article.body.source.blocks == ()
    assert article.body.target.text.strip() == ""
    assert engine.seen == []


@row("nl097")
def another_language_is_told(text: str) -> None:
    assert run(text).language.code == "de"
    pipeline = ArticlePipeline(FakeTranslator(), ExtractiveSummarizer(), IDENTIFIER)
    with pytest.raises(InvalidRequest, match="looks like de"):
        pipeline.translate_article(f"{text} {text}", source_language="auto")


@row("nl099")
def control_tokens_in_the_text_are_text(text: str) -> None:
    engine = FakeTranslator()
    run(text, engine)
    assert engine.seen[0].startswith("Typ ")
    assert engine.seen[0].endswith(" in het veld.")


@row("nl101")
def no_control_character_comes_out(text: str) -> None:
    assert not re.search(r"[\x00-\x1f\x7f]", copied(text))


@row("nl103")
def no_clause_of_a_long_sentence_is_lost(text: str) -> None:
    clause = text.split(" (×40")[0].rstrip(".")
    long = "; ".join(f"{clause} {number}" for number in range(40)) + "."
    engine = FakeTranslator(max_characters=500)
    article = run(long, engine)
    assert len(article.body.sentences) == 1
    target = article.body.target.text
    assert [int(n) for n in re.findall(r"betaald werd (\d+)", target)] == list(range(40))
    assert WarningCode.HARD_SPLIT not in {w.code for w in article.body.sentences[0].warnings}
