"""Plain text becomes blocks and sentences, and no character of it gets lost."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.article.document import BlockKind, Document
from service.article.formats.text import parse_text

ARTICLE = """ date 2020-01 De raad stemt donderdag over de nieuwe brug. Die kost 3 mln. euro.

„Het is genoeg geweest”, zegt wethouder J. de Wit. „We beginnen in mei.”

Een brug te ver

Volgens o.a. de bewoners is de brug te duur. 's Avonds wordt er gedemonstreerd.
"""

ANY_TEXT = st.text(st.characters(codec=None))  # with control characters and lone surrogates
ARTICLE_LIKE = st.lists(
    st.sampled_from(
        [
            "De raad stemt. ",
            "En dan",
            "Kop",
            "- ",
            "* ",
            "• ",
            "1. ",
            "2) ",
            "20. ",
            "***",
            "2020",
            "\n",
            "\r\n",
            "\r",
            "\n\n",
            " ",
            "\t",
            "\xa0",
            "\u200b",
            "\x00",
            "\x1c",
            "\x85",
            "https://a.nl",
            "a@b.nl",
            "date 2020-01 ",
            "\u2028",
            "😀",
            "�",
            "o.a. ",
            "„",
            "”",
        ]
    )
).map("".join)


def outline(text: str) -> list[tuple[str, list[str]]]:
    return [
        (block.kind.value, [s.text for s in block.sentences]) for block in parse_text(text).blocks
    ]


def kinds(text: str) -> list[str]:
    return [block.kind.value for block in parse_text(text).blocks]


def identity(document: Document) -> list[str]:
    return [sentence.text for sentence in document.sentences()]


def test_an_article_is_a_date_paragraphs_and_a_heading() -> None:
    assert outline(ARTICLE) == [
        ("metadata", ["date 2020-01"]),
        ("paragraph", ["De raad stemt donderdag over de nieuwe brug.", "Die kost 3 mln. euro."]),
        (
            "paragraph",
            ["„Het is genoeg geweest”, zegt wethouder J. de Wit.", "„We beginnen in mei.”"],
        ),
        ("heading", ["Een brug te ver"]),
        (
            "paragraph",
            ["Volgens o.a. de bewoners is de brug te duur.", "'s Avonds wordt er gedemonstreerd."],
        ),
    ]


@pytest.mark.parametrize("text", ["", " ", "\n \r\n\t\r", "\u00a0\u2003"])
def test_white_space_has_no_blocks(text: str) -> None:
    assert parse_text(text) == Document(text, ())


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_blank_lines_separate_paragraphs_and_line_breaks_do_not(newline: str) -> None:
    text = newline.join(["De minister heeft", "besloten.", " \t", "", "Dat was", "nodig."])
    assert outline(text) == [
        ("paragraph", [f"De minister heeft{newline}besloten."]),
        ("paragraph", [f"Dat was{newline}nodig."]),
    ]


def test_each_list_item_is_a_block_without_its_marker() -> None:
    text = "Te doen:\n- Melk halen.\n* Brood kopen\n  bij de bakker\n• Slapen\n1. Opstaan\n2) Eten"
    assert outline(text) == [
        ("paragraph", ["Te doen:"]),
        ("list_item", ["Melk halen."]),
        ("list_item", ["Brood kopen\n  bij de bakker"]),
        ("list_item", ["Slapen"]),
        ("list_item", ["Opstaan"]),
        ("list_item", ["Eten"]),
    ]
    document = parse_text(text)
    assert document.render(["x"] * 6).text == "x\n- x\n* x\n• x\n1. x\n2) x"


def test_a_number_at_the_start_of_a_wrapped_line_is_no_list_item() -> None:
    assert outline("De wet geldt vanaf bladzijde\n20. Daarna niet.") == [
        ("paragraph", ["De wet geldt vanaf bladzijde\n20. Daarna niet."])
    ]


@pytest.mark.parametrize("text", ["-5 graden is koud.", "*vet* is dik.", "1.5 is half.", "1."])
def test_a_marker_needs_a_space_and_words_after_it(text: str) -> None:
    assert "list_item" not in kinds(text)


@pytest.mark.parametrize(
    "text", ["Slag op Tripoli", "Rutte: ‘Ik blijf gewoon premier’", "Door Jan de Vries", "Live (3)"]
)
def test_a_short_line_without_final_punctuation_is_a_heading(text: str) -> None:
    assert kinds(text) == ["heading"]


@pytest.mark.parametrize(
    "text",
    ["Hij ging.", "Wie wint?", "„We gaan door.”", "Te doen:", "Nu dan,", "En toen…", "woord " * 20],
)
def test_other_lines_are_paragraphs(text: str) -> None:
    assert kinds(text) == ["paragraph"]


def test_a_heading_may_touch_its_paragraph() -> None:
    text = (
        "De strijd duurt al maanden en er komt voorlopig geen einde aan.\n"
        "Slag op Tripoli\n"
        "Met name rond de hoofdstad is de gewapende strijd opgelaaid."
    )
    assert kinds(text) == ["paragraph", "heading", "paragraph"]


def test_a_short_line_of_a_wrapped_paragraph_is_no_heading() -> None:
    assert kinds("Hij woont in\nDen Haag en zij woont\nIn Assen.") == ["paragraph"]


def test_a_short_line_within_a_sentence_is_no_heading() -> None:
    text = "De minister sprak lang met de pers over\nde reis naar\nDen Haag en wat daarna volgde."
    assert kinds(text) == ["paragraph"]


@pytest.mark.parametrize(
    "text",
    [
        "***",
        "---",
        "* * *",
        "2020",
        "- 3\n- 4",
        "😀",
        "https://nos.nl/a?b=1",
        "www.nos.nl",
        "<https://nos.nl>",
        "jan.de.vries+nieuws@voorbeeld.nl",
    ],
)
def test_what_can_not_be_translated_is_verbatim(text: str) -> None:
    assert outline(text) == [("verbatim", [text])]


def test_invisible_characters_stand_on_their_own() -> None:
    assert outline("Hij ging.\n\u200b\nZij bleef.") == [
        ("paragraph", ["Hij ging."]),
        ("verbatim", ["\u200b"]),
        ("paragraph", ["Zij bleef."]),
    ]


@pytest.mark.parametrize("stamp", ["date 2020-01", "date 2020-01-31"])
def test_a_date_stamp_at_the_start_is_metadata(stamp: str) -> None:
    assert outline(f" {stamp} Hij ging.") == [("metadata", [stamp]), ("paragraph", ["Hij ging."])]
    assert outline(stamp) == [("metadata", [stamp])]


@pytest.mark.parametrize(
    "text", ["Op date 2020-01 ging hij.", "date 2020-011 is niets.", "date 20-01"]
)
def test_other_dates_are_text(text: str) -> None:
    assert "metadata" not in kinds(text)


@given(ANY_TEXT | ARTICLE_LIKE)
def test_nothing_is_lost(text: str) -> None:
    document = parse_text(text)
    assert document.text == text
    assert "".join(document.slices()) == text
    assert document.render(identity(document)) == document
    position = 0
    for number, sentence in enumerate(document.sentences(), 1):
        assert sentence.id == f"s{number}"
        assert position <= sentence.start < sentence.end <= len(text)
        assert sentence.text == text[sentence.start : sentence.end] == sentence.text.strip()
        position = sentence.end
    assert all(block.sentences for block in document.blocks)
    for gap in list(document.slices())[::2]:
        assert re.fullmatch(r"\s*(?:(?:[-*•]|\d{1,3}[.)])\s+)?", gap)


@given(ARTICLE_LIKE)
def test_other_words_leave_the_gaps_alone(text: str) -> None:
    document = parse_text(text)
    rendered = document.render([f"<{s.id}>" for s in document.sentences()])
    assert list(rendered.slices())[::2] == list(document.slices())[::2]


@given(ARTICLE_LIKE)
def test_verbatim_blocks_are_one_sentence(text: str) -> None:
    for block in parse_text(text).blocks:
        if block.kind in (BlockKind.VERBATIM, BlockKind.METADATA):
            assert len(block.sentences) == 1


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "unit",
    [
        "\n",
        "\r",
        " ",
        "A\n",
        "- a\n",
        "1. a\n",
        "A.\nB\n",
        "A. ",
        ".",
        '"',
        "a@.",
        "http://",
        "(",
        "\u200b\n",
        "\u200d",
        "a",
        "date 2020-01 ",
        "Ab\nCd ef gh\n",
    ],
)
def test_hostile_text_takes_no_time(unit: str) -> None:
    text = (unit * 200_000)[:200_000]
    assert "".join(parse_text(text).slices()) == text
