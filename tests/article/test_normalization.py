"""The model sees one spelling of quotes, dashes and spaces, and the author's words."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.article.normalization import is_blank, normalize

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
        ("Het kost 12\u202f500 of 1\u00a0234\u2009567 euro.", "Het kost 12500 of 1234567 euro."),
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


@given(st.text("abcdefghijklmnopqrstuvwxyzéëïöü .,?!:;()1234567890"))
def test_ordinary_words_stay_as_they_are(text: str) -> None:
    assert normalize(text).replace('"', ",,") == " ".join(text.split())


@pytest.mark.parametrize(
    "text", ["", " \n\t", "\u00a0\u2003", "\u200b\u2060\ufeff", "\x00\x1b", "\ufe0f"]
)
def test_what_no_one_can_see_is_blank(text: str) -> None:
    assert is_blank(text)


@pytest.mark.parametrize("text", ["a", ".", " 1 ", "\u200b-\u200b", "😀", "²"])
def test_what_can_be_seen_is_not_blank(text: str) -> None:
    assert not is_blank(text)


def test_a_letter_under_a_heap_of_marks_costs_no_time() -> None:
    # Sorting them as NFC must takes minutes; the test's time limit is the guard.
    heap = "a" + "\u0301\u0316" * 100_000
    assert len(normalize(heap)) <= 31
    assert not is_blank(heap)
    assert is_blank("\u200b" * 500_000)


def test_as_many_marks_as_a_language_needs_stay() -> None:
    assert normalize("ấ") == "ấ"
    assert normalize("a" + "\u0316" * 30) == "a" + "\u0316" * 30
