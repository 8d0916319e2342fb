"""Plain text becomes blocks and sentences, and no character of it gets lost."""

import re
import time

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
            "Live | ",
            "Video – ",
            "|",
            "| a | b |",
            "|---|---|",
            "+--+",
            "\t",
            "14:32 - ",
            "14.32 uur",
            "20.45 uur – ",
            "Door Jan de Vries",
            "Foto: ANP",
            "(foto: ANP)",
            "> ",
            ">",
            "a) ",
            "b) ",
            "– ",
            "— ",
            "▪ ",
            "5 km",
            "@NOS",
            "nos.nl",
            "de ",
        ]
    )
).map("".join)
GAP = re.compile(
    r"""
    [\s|]*                                                        # white space, ends of cells
    (?:>[\s>]*)?                                                  # e-mail quoting
    (?:
        (?:[-–—*•‣◦▪●○■·►→✓✔]|\d{1,3}[.)]|[a-z]\))\s+             # a list marker, a kicker's dash
        | \d{1,2}[:.]\d\d(?:\s?[-–—]\s?\d{1,2}[:.]\d\d)?\s*[-–—|:]?\s+  # the time of an entry
    )?
    [\s|]*
    """,
    re.VERBOSE,
)
"""What may stand outside sentences."""


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


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("„Ik kom niet”, zei de minister.", [["„Ik kom niet”, zei de minister."]]),
        (
            ",,Dat was niet de bedoeling'', zegt de trainer.",
            [[",,Dat was niet de bedoeling'', zegt de trainer."]],
        ),
        (
            "„We gaan door. We stoppen niet.” Daarna liep hij weg.",
            [["„We gaan door.", "We stoppen niet.”", "Daarna liep hij weg."]],
        ),
        (
            "'s Avonds gaan de foto's van oma's auto's mee.",
            [["'s Avonds gaan de foto's van oma's auto's mee."]],
        ),
        (
            "De wet – die in 2021 inging – wordt geëvalueerd.",
            [["De wet – die in 2021 inging – wordt geëvalueerd."]],
        ),
        (
            "De training duurt van 9-12 uur, voor 6- tot 12-jarigen.",
            [["De training duurt van 9-12 uur, voor 6- tot 12-jarigen."]],
        ),
        (
            "Slag op Tripoli\n\nMet name rond de hoofdstad is gevochten.",
            [["Slag op Tripoli"], ["Met name rond de hoofdstad is gevochten."]],
        ),
        (
            "Gebruik `pip install foo` om te beginnen.",
            [["Gebruik `pip install foo` om te beginnen."]],
        ),
        (
            "Jansen &amp; Zn. betaalde &euro; 5.",
            [["Jansen &amp; Zn. betaalde &euro; 5."]],
        ),
        ("Eerste.\n\n\n\nTweede.", [["Eerste."], ["Tweede."]]),
    ],
)
def test_short_examples_are_cut_as_a_reader_would(text: str, cut: list[list[str]]) -> None:
    assert [sentences for _, sentences in outline(text)] == cut


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
        "nos.nl",
        "@NOS #formatie",
        "https://nos.nl/a\nhttps://nos.nl/b",
        "|---|---|",
        "+----+----+",
        "3-1\n2-2\n0-4",
        "12,5 %\n21 °C\n€ 500\n10 km",
    ],
)
def test_what_can_not_be_translated_is_verbatim(text: str) -> None:
    assert outline(text) == [("verbatim", [text])]


@pytest.mark.parametrize(
    "text", ["5 mensen", "Kijk op nos.nl", "€ 500 mln", "km", "@NOS meldt dit"]
)
def test_a_single_word_is_enough_to_be_translated(text: str) -> None:
    assert "verbatim" not in kinds(text)


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("Live | Ajax wint van PSV", ["Live", "Ajax wint van PSV"]),
        ("Brand in loods | Zwolle | 112", ["Brand in loods", "Zwolle", "112"]),
        ("Live - Kabinet valt", ["Live", "Kabinet valt"]),
        ("VIDEO – Brug stort in", ["VIDEO", "Brug stort in"]),
        ("Kijk terug — Debat over de brug", ["Kijk terug", "Debat over de brug"]),
        ("Opinie | Wie betaalt de brug?", ["Opinie", "Wie betaalt de brug?"]),
    ],
)
def test_kicker_and_headline_are_two_sentences(text: str, sides: list[str]) -> None:
    assert outline(text) == [("heading", sides)]


@pytest.mark.parametrize(
    "text",
    [
        "De wet - die in 2021 inging - wordt geëvalueerd",
        "Ajax - Feyenoord 2-1",
        "Amsterdam – Utrecht in een kwartier",
        "Live-muziek op het plein",
    ],
)
def test_a_dash_in_a_headline_is_no_separator(text: str) -> None:
    assert outline(text) == [("heading", [text])]


def test_a_title_is_cut_like_a_headline() -> None:
    document = parse_text("Live | Brand in de haven")
    assert document.render(["Live", "Fire in the harbour"]).text == "Live | Fire in the harbour"


def test_every_entry_of_a_live_blog_is_a_paragraph_and_its_time_is_left_alone() -> None:
    text = (
        "14:32 - De brandweer rukt uit\n"
        "14:40 De weg is dicht. Rijd om via de\nhaven.\n"
        "14.55 – Het vuur is uit.\n"
        "15:10 - 15:30 | Persconferentie"
    )
    assert outline(text) == [
        ("paragraph", ["De brandweer rukt uit"]),
        ("paragraph", ["De weg is dicht.", "Rijd om via de\nhaven."]),
        ("paragraph", ["Het vuur is uit."]),
        ("paragraph", ["Persconferentie"]),
    ]
    rendered = parse_text(text).render(["x"] * 5).text
    assert rendered == "14:32 - x\n14:40 x x\n14.55 – x\n15:10 - 15:30 | x"


def test_a_time_above_its_entry_opens_it_too() -> None:
    text = "14:40\nDe weg naar de haven is dicht\n14:32\nDe brandweer rukt nu uit"
    assert outline(text) == [
        ("verbatim", ["14:40"]),
        ("heading", ["De weg naar de haven is dicht"]),
        ("verbatim", ["14:32"]),
        ("heading", ["De brandweer rukt nu uit"]),
    ]


def test_an_entry_may_follow_a_quote() -> None:
    text = "„De weg is dicht.”\n14:32 - De brandweer rukt nu uit."
    assert outline(text) == [
        ("paragraph", ["„De weg is dicht.”"]),
        ("paragraph", ["De brandweer rukt nu uit."]),
    ]


def test_a_time_with_a_word_in_it_belongs_to_the_sentence() -> None:
    text = "20.45 uur – Er is brand.\n21.10 uur De weg is dicht.\n22.05 uur\nHet is voorbij."
    assert outline(text) == [
        ("paragraph", ["20.45 uur – Er is brand."]),
        ("paragraph", ["21.10 uur De weg is dicht."]),
        ("heading", ["22.05 uur"]),
        ("paragraph", ["Het is voorbij."]),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "De wedstrijd begint om\n20.45 uur in Rotterdam.",
        "Het debat duurt tot\n14:32 - Daarna is er koffie.",
        "14:32 was het zover.",
        "14.32 euro kost het.",
    ],
)
def test_a_time_within_a_sentence_opens_nothing(text: str) -> None:
    assert outline(text) == [("paragraph", [text])]


def test_list_items_may_be_nested_and_marked_in_many_ways() -> None:
    text = "Te doen:\na) melk halen\nb) brood\n   – bij de bakker\n\t· of elders\n▪ slapen\n→ eten"
    assert outline(text) == [
        ("paragraph", ["Te doen:"]),
        ("list_item", ["melk halen"]),
        ("list_item", ["brood"]),
        ("list_item", ["bij de bakker"]),
        ("list_item", ["of elders"]),
        ("list_item", ["slapen"]),
        ("list_item", ["eten"]),
    ]


def test_letters_with_a_full_stop_mark_items_in_their_order() -> None:
    assert outline(
        "Regels:\na. Kom op tijd.\n- of niet\nb. de munt is uit 44\nv. Chr. en oud\nc. Let op"
    ) == [
        ("paragraph", ["Regels:"]),
        ("list_item", ["Kom op tijd."]),
        ("list_item", ["of niet"]),
        ("list_item", ["de munt is uit 44\nv. Chr. en oud"]),
        ("list_item", ["Let op"]),
    ]
    assert kinds("Dat staat in lid 2, onder\na. Dat is de wet.") == ["paragraph"]


def test_letters_go_on_after_a_blank_line() -> None:
    text = "a. Kom op tijd.\n\nb. Let op\n\nc. Stop"
    assert kinds(text) == ["list_item"] * 3
    assert kinds("a. Kom op tijd.\n\nv. Chr. is oud.") == ["list_item", "paragraph"]


@pytest.mark.parametrize("dash", "-–—")
def test_lines_of_a_dialogue_are_items_without_their_dash(dash: str) -> None:
    text = f"{dash} Ga je mee?\n{dash} Nee, zei zij."
    assert outline(text) == [("list_item", ["Ga je mee?"]), ("list_item", ["Nee, zei zij."])]


@pytest.mark.parametrize("dash", "-–—")
def test_a_dash_at_a_line_break_within_a_sentence_is_no_list(dash: str) -> None:
    text = f"De wet\n{dash} die in 2021 inging {dash}\nwordt geëvalueerd."
    assert outline(text) == [("paragraph", [text])]


def test_a_list_needs_no_colon_before_it() -> None:
    text = "Dit moet nog\n- melk halen\n- brood kopen"
    assert kinds(text) == ["heading", "list_item", "list_item"]


@pytest.mark.parametrize(
    "line",
    [
        "Door Jan de Vries en Anna Bakker",
        "Van onze redacteur",
        "Van onze verslaggever Jan de Vries",
        "Door ANP",
    ],
)
def test_a_byline_is_a_block_of_its_own(line: str) -> None:
    text = f"Brug gaat later open dan gepland\n{line}\nZWOLLE - De brug gaat pas in mei open."
    assert outline(text) == [
        ("heading", ["Brug gaat later open dan gepland"]),
        ("heading", [line]),
        ("paragraph", ["ZWOLLE - De brug gaat pas in mei open."]),
    ]


def test_a_sentence_that_begins_like_a_byline_is_not_one() -> None:
    text = "De weg is dicht.\nDoor de storm vielen bomen om."
    assert outline(text) == [
        ("paragraph", ["De weg is dicht.", "Door de storm vielen bomen om."]),
    ]


@pytest.mark.parametrize(
    "line", ["Foto: ANP", "Foto ANP", "Beeld: Jan de Vries / ANP", "(Foto: Jan de Vries)", "© ANP"]
)
def test_a_credit_is_a_caption(line: str) -> None:
    assert outline(line) == [("caption", [line])]
    assert outline(f"De brug is oud.\n{line}\nHij gaat weg.") == [
        ("paragraph", ["De brug is oud."]),
        ("caption", [line]),
        ("paragraph", ["Hij gaat weg."]),
    ]


def test_a_line_that_ends_with_a_credit_is_a_caption() -> None:
    text = "De brug bij Zwolle (foto: ANP)."
    assert outline(text) == [("caption", [text])]


def test_quotes_over_several_paragraphs_stay_paragraphs() -> None:
    text = "„Wij gaan door. Altijd.\n\n„Dat is zeker.”"
    assert outline(text) == [
        ("paragraph", ["„Wij gaan door.", "Altijd."]),
        ("paragraph", ["„Dat is zeker.”"]),
    ]


def test_e_mail_quoting_is_a_quotation_without_its_marks() -> None:
    text = "> De brug komt er. Zeker.\n>\n>> Wie betaalt?\n\nNiemand."
    assert outline(text) == [
        ("quote", ["De brug komt er.", "Zeker."]),
        ("quote", ["Wie betaalt?"]),
        ("paragraph", ["Niemand."]),
    ]
    assert parse_text(text).render(["x"] * 4).text == "> x x\n>\n>> x\n\nx"


def test_a_chunk_with_other_lines_is_no_quotation() -> None:
    assert kinds("> De brug komt er.\nWie betaalt?") == ["paragraph"]


def test_a_markdown_table_keeps_its_lines_and_pipes() -> None:
    text = "| Jaar | Bedrag |\n|---|---|\n| 2024 | € 500 mln |"
    assert outline(text) == [
        ("table_cell", ["Jaar"]),
        ("table_cell", ["Bedrag"]),
        ("verbatim", ["|---|---|"]),
        ("verbatim", ["2024"]),
        ("table_cell", ["€ 500 mln"]),
    ]
    rendered = parse_text(text).render(["Year", "Amount", "|---|---|", "2024", "€500 million"])
    assert rendered.text == "| Year | Amount |\n|---|---|\n| 2024 | €500 million |"


@pytest.mark.parametrize(
    "text",
    [
        "Naam\tStad\nAnna\tZwolle",
        "Naam | Stad\nAnna | Zwolle",
        "+------+------+\n| Naam | Stad |\n+------+------+\n| Anna | Zwolle |",
    ],
)
def test_tables_may_be_drawn_in_other_ways(text: str) -> None:
    cells = [(kind, sentences) for kind, sentences in outline(text) if kind != "verbatim"]
    assert cells == [("table_cell", [word]) for word in ("Naam", "Stad", "Anna", "Zwolle")]


@pytest.mark.parametrize("rule", ["***", "---", "* * *", "=====", "—————"])
def test_a_rule_between_lines_is_verbatim(rule: str) -> None:
    text = f"De brug is oud.\n{rule}\nHij gaat weg."
    assert kinds(text) == ["paragraph", "verbatim", "paragraph"]


def test_an_address_on_a_line_of_its_own_is_verbatim() -> None:
    text = "Lees meer op:\nhttps://nos.nl/a?b=1\nDaar staat alles."
    assert kinds(text) == ["paragraph", "verbatim", "paragraph"]


@pytest.mark.parametrize(
    "text", ["De wet geldt sinds\n2021. Dat is lang.", "Kijk op\nhttps://nos.nl/a\nvoor meer."]
)
def test_numbers_and_addresses_within_a_sentence_stay_in_it(text: str) -> None:
    assert kinds(text) == ["paragraph"]


def test_emoji_after_a_finished_sentence_do_not_make_it_a_heading() -> None:
    assert outline("Wat een dag! 😀👍🏽 🇳🇱") == [("paragraph", ["Wat een dag! 😀👍🏽 🇳🇱"])]


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
        assert GAP.fullmatch(gap)


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
        "|",
        "| ",
        "a|b\n",
        "a\tb\n",
        "> ",
        ">\n",
        "14:32 - ",
        "20.45 uur\n",
        "Door Aa Bb\n",
        "Foto: A\n",
        "Live - ",
        "---\n",
        "a) b\n",
        "a. b\n",
        "A:\nB 1\n",
        "😀",
    ],
)
def test_hostile_text_takes_no_time(unit: str) -> None:
    text = (unit * 100_000)[:100_000]
    start = time.process_time()
    document = parse_text(text)
    assert time.process_time() - start < 10
    assert "".join(document.slices()) == text


@pytest.mark.parametrize(
    "lines",
    [
        ["Ajax - PSV 2-1", "Feyenoord - AZ 0-0", "FC Utrecht - Vitesse 3-2"],
        ["Ajax - PSV 2-1", "Feyenoord - AZ 0-0"],
        ["Rijksmuseum", "Museumstraat 1", "1071 XX Amsterdam"],
    ],
)
def test_rows_of_results_and_addresses_keep_their_line_breaks(lines: list[str]) -> None:
    document = parse_text("\n".join(lines))
    assert [block.kind for block in document.blocks] == [BlockKind.LIST_ITEM] * len(lines)
    assert [sentence.text for sentence in document.sentences()] == lines


def test_a_line_with_a_colon_may_stand_above_rows() -> None:
    assert outline("Uitslagen:\nAjax - PSV 2-1\nAZ - NEC 0-0\n\nHij zei:\nik ga\nnaar huis") == [
        ("paragraph", ["Uitslagen:"]),
        ("list_item", ["Ajax - PSV 2-1"]),
        ("list_item", ["AZ - NEC 0-0"]),
        ("paragraph", ["Hij zei:\nik ga\nnaar huis"]),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "De minister sprak met\nRutte en met\nKaag in Den Haag.",
        "Minister spreekt met\nRutte over begroting",
        "KABINET VALT\nOVER DE\nBEGROTING",
    ],
)
def test_a_wrapped_sentence_or_headline_is_one(text: str) -> None:
    assert [sentence.text for sentence in parse_text(text).sentences()] == [text]
