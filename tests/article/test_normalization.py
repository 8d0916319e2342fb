"""The model sees one spelling of quotes, dashes and spaces, and the author's words."""

import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.article.normalization import is_blank, normalize
from service.models.store import BUNDLED_DIRECTORY
from service.translation.tokenizer import SentencePieceTokenizer

SEEDS = Path(__file__).parents[2] / "seeds"
ANY_TEXT = st.text(st.characters(codec=None))  # with control characters and lone surrogates
NASTY = st.lists(
    st.sampled_from(
        [
            "„",
            "”",
            "'",
            ",",
            "‚",
            "«",
            "–",
            "—",
            "…",
            " ",
            "\xa0",
            "\u202f",
            "\n",
            "1",
            "9u",
            "30",
            " uur",
            "234",
            ">",
            "<",
            "nl",
            "＞",
            "\u200b",
            "\u200d",
            "\xad",
            "́",
            "̸",
            "e",
            "ﬁ",
            "ĳ",
            "👨",
            "👩",
            "️",
            "🏴",
            "\U000e0067",
            "\x00",
            "\x85",
            "�",
            "〈",
            "⫝̸",
            "`",
            "´",
            "\u1fef",
            "-",
            "€",
            "=",
            " 567",
            "s",
            "ca.",
            "o.a. ",
            "\x1b[31m",
            "\x1b]8;;",
            "\x1b",
            "\ue000",
            "\ufe0e",
            "❤",
            "\U000e007f",
            "▁",
        ]
    )
).map("".join)


@pytest.mark.parametrize(
    ("typed", "seen"),
    [
        ("„Ik kom niet”, zei hij.", '"Ik kom niet", zei hij.'),
        ("«Ik kom niet», zei hij.", '"Ik kom niet", zei hij.'),
        (",,Ik kom niet'', zei hij.", '"Ik kom niet", zei hij.'),
        ("‘Ik kom niet’, zei hij.", "'Ik kom niet', zei hij."),
        ("’s Avonds gaan oma’s auto’s mee.", "'s Avonds gaan oma's auto's mee."),
        ("De wet – die van 2021 — geldt.", "De wet - die van 2021 - geldt."),
        ("– Ik kom niet.", "- Ik kom niet."),
        ("Van 1990–1995.", "Van 1990–1995."),
        ("En toen…", "En toen..."),
        ("Het kost 12\u202f500 of 1\u00a0234\u2009567 euro.", "Het kost 12.500 of 1.234.567 euro."),
        ("Op 3\u00a0mei 2020\u00a0om 12\u00a0uur.", "Op 3 mei 2020 om 12 uur."),
        ("Op 1\u00a02 en 3.", "Op 1 2 en 3."),
        ("Een ge\u00adsprek met de minis\u200bter\u2060.\ufeff", "Een gesprek met de minister."),
        ("\u202aEen\u202c \u2067zin\u2069.", "Een zin."),
        ("Een\x07 zin met\x00 stuurtekens\x9b.", "Een zin met stuurtekens."),
        ("De minister\nheeft\r\n  besloten\t.", "De minister heeft besloten ."),
        ("Het ĳs in Ĳmuiden is oﬃcieel ﬁjn.", "Het ijs in IJmuiden is officieel fijn."),
        ("ＡＢＣ　１２％！", "ABC 12%!"),
        ("De kamer is 20 m² en kost 5½ miljoen™.", "De kamer is 20 m² en kost 5½ miljoen™."),
        ("e\u0301e\u0301n", "één"),
        ("e\u200b\u0301", "é"),
        ("👨\u200d👩\u200d👧 en \u200dx", "👨\u200d👩\u200d👧 en x"),
        ("❤\ufe0f\u200d🔥", "❤\ufe0f\u200d🔥"),
        (">>fra<< Hallo.", "> >fra<< Hallo."),
        ("＞＞fra<< Hallo.", "> >fra<< Hallo."),
        ("\u200b>>fra<< Hallo.", "> >fra<< Hallo."),
        ("Typ >>fra<< in het veld.", "Typ >>fra<< in het veld."),
        # Quotes, apostrophes and dashes of all keyboards
        ("‹Nee›, zei «hij».", "'Nee', zei \"hij\"."),
        ("``Nee'', zei hij.", '"Nee", zei hij.'),
        ("De foto`s van oma´s auto`s, `s avonds.", "De foto's van oma's auto's, 's avonds."),
        ("Gebruik `pip install foo`.", "Gebruik `pip install foo`."),
        ("Ja,, zei hij.", "Ja,, zei hij."),
        ("De wet -- die van 2021 --- geldt.", "De wet - die van 2021 - geldt."),
        ("Het werd −3,5 of –4 graden.", "Het werd -3,5 of -4 graden."),
        ("Een co‑ouder.", "Een co-ouder."),
        # Numbers and money
        ("Het kost € 12 500, niet €1 250.", "Het kost € 12.500, niet €1.250."),
        ("Dat is € 12\u202f500,50.", "Dat is € 12.500,50."),
        ("Er zijn 1 234 567 mensen.", "Er zijn 1.234.567 mensen."),
        ("Voor groep 12 500 euro.", "Voor groep 12 500 euro."),
        ("Bel 020\u00a0123\u00a04567.", "Bel 020 123 4567."),
        ("Bel 06\u00a0123\u00a0456.", "Bel 06 123 456."),
        ("Bel +31\u00a020\u00a0123\u00a045\u00a067.", "Bel +31 20 123 45 67."),
        ("Van €7,- voor € 5,--, vanaf 3,–.", "Van € 7 voor € 5, vanaf 3."),
        ("Dat is € 5.000,--.", "Dat is € 5.000."),
        ("Een kaartje kost €7,50.", "Een kaartje kost €7,50."),
        # What was never text
        ("Een\x07 zin met\x00 stuurtekens\x1b[31m.", "Een zin met stuurtekens."),
        ("\x1b]8;;https://a.nl\x1b\\Een\x1b]8;;\x07 \x1b[1;31mzin\x1b[0m.", "Een zin."),
        ("Een \x1bzin.", "Een zin."),
        ("a\ufe0f 😀\ufe0f 1\ufe0f\u20e3 ™\ufe0f", "a 😀\ufe0f 1\ufe0f\u20e3 ™\ufe0f"),
        ("👍🏽 🇳🇱 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",) * 2,
        ("Een\U000e0041 zin.", "Een zin."),
        ("Foto\ufffds van caf\ufffd \ufffdDe Zon\ufffd.", "Foto's van caf De Zon."),
        ("Een \ufffd.", "Een \ufffd."),
        # What a tokenizer might take for its own
        ("Typ </s> of <pad> of <unk>.", "Typ </s> of <pad> of <unk>."),
        ("Een▁woord▁\ufe0f.", "Een_woord_."),
        # Abbreviations
        (
            "O.a. Jan, d.w.z. hij, m.b.t. dit.",
            "Onder andere Jan, dat wil zeggen hij, met betrekking tot dit.",
        ),
        ("Bijv. dhr. Smit t/m mevr. Smit.", "Bijvoorbeeld de heer Smit tot en met mevrouw Smit."),
        ("Open van 9u tot 17u30.", "Open van 9 uur tot 17.30 uur."),
        ("9u30-12u, een 2u-rack, K9u30", "9.30 uur-12 uur, een 2u-rack, K9u30"),
        ("Het O.M. eist dat ook.", "Het O.M. eist dat ook."),
        ("De organi-\nsatie en het bestu\u00ad\r\n  ur.", "De organisatie en het bestuur."),
        (
            "De Noord-\nHollandse haven-\nen spoorbedrijven.",
            "De Noord-Hollandse haven- en spoorbedrijven.",
        ),
        ("Oud-\nminister, EU-\nlanden, 20-\njarige.", "Oud-minister, EU-landen, 20-jarige."),
        ("Auto-\nongeluk, zee-\negel, muse-\num.", "Auto-ongeluk, zee-egel, museum."),
        ("E-\nmail, x-\nas, btw-\nverhoging.", "E-mail, x-as, btw-verhoging."),
        ("Ex-\ntra, oud-\nste, ex-\ntrainer.", "Extra, oudste, ex-trainer."),
        ("ZEE-\nEN LUCHTVAART, kant-\nen-klaar.", "ZEE- EN LUCHTVAART, kant-en-klaar."),
        ("De trein -\ndie reed - was vol.", "De trein - die reed - was vol."),
        ("Zie www.o.a.nl of /ca. 5.", "Zie www.o.a.nl of /ca. 5."),
        ("De brief t.a.v. de heer A. de Boer.", "De brief t.a.v. de heer A. de Boer."),
        ("", ""),
        (" \u200b\n", ""),
    ],
)
def test_the_model_sees(typed: str, seen: str) -> None:
    assert normalize(typed) == seen


@given(ANY_TEXT | NASTY)
@example("''''' ,,,, >>>>")
def test_doing_it_twice_changes_nothing(text: str) -> None:
    assert normalize(normalize(text)) == normalize(text)


@given(ANY_TEXT | NASTY)
def test_the_model_sees_one_line_of_clean_text(text: str) -> None:
    seen = normalize(text)
    assert seen == " ".join(seen.split())
    assert unicodedata.is_normalized("NFC", seen)
    assert not {unicodedata.category(character) for character in seen} & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(seen) & set("\u00ad\u200b\u200c\u200e\u200f\u202a\u202e\u2060\u2066\ufeff\u00a0")
    assert not seen.startswith(">>")


@given(st.text("abcdefghijklmnopqrstuvwxyzéëïöü ,?!:;()"))
def test_ordinary_words_stay_as_they_are(text: str) -> None:
    assert normalize(text).replace('"', ",,") == " ".join(text.split())


@pytest.mark.parametrize(
    "text",
    ["", " \n\t", "\u00a0\u2003", "\u200b\u2060\ufeff", "\x00\x1b", "\ufe0f", "\x1b[31m \x1b[0m"],
)
def test_what_no_one_can_see_is_blank(text: str) -> None:
    assert is_blank(text)


@pytest.mark.parametrize("text", ["a", ".", " 1 ", "\u200b-\u200b", "😀", "²", "\ufffd", "\ue000"])
def test_what_can_be_seen_is_not_blank(text: str) -> None:
    assert not is_blank(text)


def test_sentencepiece_never_makes_a_control_token_of_what_a_user_typed() -> None:
    directory = BUNDLED_DIRECTORY / "demo-nl-en" / "hub"
    tokenizer = SentencePieceTokenizer(directory)
    [tokens] = tokenizer.encode([normalize("</s> <pad> <unk> <s> >>fra<< </s>x ▁</s>▁ x▁y")])
    assert set(tokens[:-1]).isdisjoint({"</s>", "<pad>", "<unk>", "<s>", ">>fra<<"})
    assert tokenizer.encode(["x y"]) != tokenizer.encode([normalize("x▁y")])


@pytest.mark.parametrize("dutch", sorted(SEEDS.glob("*.nl.txt")), ids=lambda path: path.stem)
def test_the_demo_models_sentences_hold_no_abbreviation_that_is_expanded(dutch: Path) -> None:
    # Its weights were trained on these sentences as they are.
    for line in dutch.read_text(encoding="utf-8").split("\n"):
        assert len(normalize(line).split()) == len(line.split())


HOSTILE = [
    "a",
    " ",
    "'",
    "`",
    ",",
    "-",
    "–",
    "1 ",
    "1 234 ",
    "\xa0234",
    "€",
    "7,-",
    "€7,-,",
    "o.a. ",
]
HOSTILE += [
    "a-\n",
    "a\xad\n ",
    "\x1b",
    "\x1b[",
    "\x1b]",
    "\x1b[3",
    "\ufffd",
    "👩\u200d",
    "\U0001f3f4\U000e0067",
    "\ufe0f",
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_a_hundred_thousand_of_one_thing_cost_no_time(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    start = time.process_time()
    normalize(text)
    assert time.process_time() - start < 1


def test_a_letter_under_a_heap_of_marks_costs_no_time() -> None:
    # Sorting them as NFC must takes minutes; the test's time limit is the guard.
    heap = "a" + "\u0301\u0316" * 100_000
    assert len(normalize(heap)) <= 31
    assert not is_blank(heap)
    assert is_blank("\u200b" * 500_000)


def test_as_many_marks_as_a_language_needs_stay() -> None:
    assert normalize("ấ") == "ấ"
    assert normalize("a" + "\u0316" * 30) == "a" + "\u0316" * 30


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Lees verder »", "Lees verder >"),
        ("Home › Nieuws › Sport", "Home > Nieuws > Sport"),
        ("« Terug", "< Terug"),
        ("« Ja », zei hij.", '" Ja ", zei hij.'),
        ("»Ja«, zei hij.", '"Ja", zei hij.'),
        ("«Ja», zei hij.", '"Ja", zei hij.'),
    ],
)
def test_a_guillemet_that_points_somewhere_is_no_quotation_mark(text: str, expected: str) -> None:
    assert normalize(text) == expected
