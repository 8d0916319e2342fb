"""Dutch sentences are cut where a reader would cut them, and long ones are made to fit."""

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.article.segmentation import split_sentences, split_to_fit

DUTCH_LIKE = st.lists(
    st.sampled_from(
        [
            "De",
            "het",
            "kabinet",
            "o.a.",
            "A.",
            "J.P.",
            "3",
            "jan.",
            "nr.",
            "'s",
            "Avonds",
            "VS.",
            ".",
            "!",
            "?",
            "...",
            "…",
            "„",
            "”",
            '"',
            "''",
            ",,",
            "(",
            ")",
            "—",
            "mln.",
            "Chr.",
            " ",
            " ",
            " ",
            "\n",
            "\xa0",
            "  ",
            ",",
            ";",
            ":",
            "–",
            "en",
            "é",
            "😀",
            "\u200b",
            "U.S.",
            "G.",
            "nos.nl",
            "@NOS",
            "[",
            "]",
            ": ",
        ]
    )
).map("".join)

ONE_SENTENCE = [
    "Volgens o.a. Amnesty is dat niet waar.",
    "Dat zegt prof. dr. Els de Vries.",
    "Mevr. Jansen en dhr. Pietersen wonen er al jaren.",
    "De wedstrijd begint om 20.45 uur.",
    "De partij van J.P. Balkenende verloor.",
    "Hij sprak met Willem A. van Buren.",
    "Volgens Jan A. De Boer klopt het.",
    "Volgens J.P. De Wit klopt het.",
    "Het bedrag van 3 mln. Amerikaanse dollars is overgemaakt.",
    "Op 3 jan. 2020 ging de winkel dicht.",
    "Zie art. 6 van de wet.",
    "Dossier nr. 27 is zoek.",
    "Rome werd in 753 v. Chr. gesticht.",
    "„Waarom?” vroeg ze.",
    "Hij aarzelde … maar ging toch.",
    "Zoekmachine Yahoo! Japan groeit.",
    "De maatregel, d.w.z. het verbod, geldt t/m 31 dec. a.s.",
    "1. Inleiding",
    "1. PSV 84 punten; 2. Ajax 78 punten; 3. Feyenoord 68 punten.",
    "Neem b.v. Utrecht.",
    "De winst is ca. 5 procent, m.a.w. Philips doet het goed.",
    "De minister heeft gisteren\nbesloten om te gaan.",
    "Volgens het U.S. Drought Monitor is het droog.",
    "Het U.S. Army Corps bouwt dijken.",
    "De zaak ligt bij het D.C. District Hof.",
    "Het hof (afgekort D.C.) District Hof is streng.",
    "Krant (o.a.) De Telegraaf schrijft erover.",
    "Het kost 3 mln. Zweedse kronen.",
    "Lees meer op https://www.nos.nl/a/1-b?x=1.",
    "Mail naar jan.de.vries@voorbeeld.nl voor info.",
    "Volgens bijv. nos.nl klopt dat.",
    "Volgens art. 6:162 lid 2 BW is dat onrechtmatig.",
    "De brief t.a.v. de heer A. de Boer m.b.t. dossier nr. 27.",
    "Burg. Jansen opende de brug van Gebr. Bakker.",
    "Rutte: ‘Ik blijf gewoon premier’",
    "AMSTERDAM (ANP) - De beurs sloot hoger.",
    "Wat een dag! 😀👍🏽 🇳🇱",
]
TWO_SENTENCES = [
    ("Neem bijv. Rotterdam.", "Daar daalde de prijs."),
    ("Hij verhuisde naar de VS.", "Zij bleef in de EU."),
    ("Zij werkt bij een B.V.", "De directeur is haar broer."),
    ("Hij at appels, peren, enz.", "Daarna ging hij slapen."),
    ("„We gaan door.”", "Daarna liep hij weg."),
    ("„Ik stop.", "Het is mooi geweest.”"),
    ("De zon ging onder.", "'s Avonds werd het koud."),
    ("Hij riep iets.", "„'s Nachts slapen we”, zei ze."),
    ("De trainer was boos.", ",,Dat was niet de bedoeling'', zei hij."),
    ("Ze twijfelde … maar ging toch.", "En toen..."),
    ("En toen...", "Niemand weet het."),
    ("Wat nu?!", "Niemand die het weet."),
    ("Dat was in 2019.", "In 2020 kwam de rest."),
    ("Het kostte veel geld.", "€ 500 mln om precies te zijn."),
    ("Hij houdt van moderne art.", "Zijn vrouw niet."),
    ("Dat meldt de Koninklijke A.N.W.B.", "De bond telt miljoenen leden."),
    ("Ze slikt vitamine C.", "Dat helpt niet."),
    ("Hij liep 10 km.", "Daarna was hij moe."),
    ("(Dat bleek al eerder.)", "Nu is het zeker."),
    ("Onder leiding van de N.V.", "Philips groeide het dorp."),
    ("Hij verhuisde naar de U.S.", "Trump bleef thuis."),
    ("Ze won de Super G.", "De Zuid-Koreaanse werd tweede."),
    ("Er is geen plan B.", "Utrecht wil dat nu wel."),
    ("De winst was 3 mln.", "De omzet daalde."),
    ("De zitting is op 31 dec. a.s.", "De rechter heeft haast."),
    ("Graag stilte a.u.b.", "De film begint."),
    ("Er waren dieren (honden, katten e.d.)", "De rest bleef weg."),
    ("Hij vertrok.", "'s-Gravenhage bleef achter."),
    ("Dat is alles.", "nos.nl meldt niets meer."),
    ("Dat is alles.", "https://nos.nl meldt niets meer."),
    ("Dat is alles.", "@NOS meldt niets meer."),
    ("Dat is alles.", "#formatie is nu trending."),
    ("Dat is alles.", "iPhone-bezitters klagen."),
    ("De brug bij Zwolle.", "© ANP"),
    ("Kijk op nos.nl.", "Daar staat het."),
    ("Lees https://www.nos.nl/a?b=1.", "Daar staat het."),
    ("Hij begint om 20.45 uur.", "Om 21.00 uur is het klaar."),
    ("Wat een dag! 😀👍🏽 🇳🇱", "Morgen weer."),
    ("Einde.\u200b", "\u200bNog een zin."),
    ("„Wij gaan door.", "Wij stoppen niet.”"),
    ("„Kom je?”", "„Nee.”"),
    ("Dat zei hij „luid”.", "Niemand hoorde het."),
]


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("text", ONE_SENTENCE)
def test_a_stop_inside_a_sentence_does_not_end_it(text: str) -> None:
    assert sentences(text) == [text]


@pytest.mark.parametrize(("first", "second"), TWO_SENTENCES)
@pytest.mark.parametrize("space", [" ", "  ", "\n", "\u00a0"])
def test_two_sentences_are_two(first: str, second: str, space: str) -> None:
    assert sentences(first + space + second) == [first, second]


def test_text_without_words_has_no_sentences() -> None:
    assert sentences("") == sentences(" \n\t ") == []


@given(st.text() | DUTCH_LIKE)
def test_every_character_but_white_space_is_in_exactly_one_sentence(text: str) -> None:
    position = 0
    for start, end in split_sentences(text):
        assert position <= start < end <= len(text)
        assert not text[position:start].strip()
        assert text[start:end] == text[start:end].strip()
        position = end
    assert not text[position:].strip()


@pytest.mark.parametrize(
    "unit",
    [
        "a. ",
        ".",
        '"',
        "A. ",
        '. "',
        "?!",
        '."',
        "(",
        ",,",
        " ",
        ". ( ",
        "1. ",
        ". 's ",
        "a.b.",
        ". 😀",
        ".\u200b",
        "U.S. A",
    ],
)
def test_hostile_text_takes_no_time(unit: str) -> None:
    text = (unit * 100_000)[:100_000]
    start = time.process_time()
    found = sentences(text)
    assert time.process_time() - start < 5
    assert squeezed(" ".join(found)) == squeezed(text)


def at_most(length: int) -> Callable[[str], bool]:
    return lambda text: len(text) <= length


def test_a_sentence_that_fits_stays_whole() -> None:
    assert split_to_fit("Hij ging, zij bleef.", at_most(100)) == (["Hij ging, zij bleef."], False)


def test_a_long_sentence_is_cut_after_semicolons_before_commas() -> None:
    text = "Hij ging, zij bleef; wij keken toe, zoals altijd."
    parts, cut_in_clause = split_to_fit(text, at_most(30))
    assert parts == ["Hij ging, zij bleef;", "wij keken toe, zoals altijd."]
    assert not cut_in_clause


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Hij ging weg, zij bleef hier.", ["Hij ging weg,", "zij bleef hier."]),
        ("Hij ging weg omdat zij bleef.", ["Hij ging weg", "omdat zij bleef."]),
        ("Hij ging weg – zij bleef hier.", ["Hij ging weg –", "zij bleef hier."]),
        ("Hij zei dit: zij blijft hier.", ["Hij zei dit:", "zij blijft hier."]),
        ("„Ik ga weg,” zei hij tegen ons.", ["„Ik ga weg,”", "zei hij tegen ons."]),
    ],
)
def test_clauses_are_the_places_to_cut(text: str, parts: list[str]) -> None:
    assert split_to_fit(text, at_most(18)) == (parts, False)


@pytest.mark.parametrize(
    ("text", "length", "parts"),
    [
        (
            "Hij ging weg, zij (Els, de buurvrouw) bleef thuis.",
            40,
            ["Hij ging weg,", "zij (Els, de buurvrouw) bleef thuis."],
        ),
        (
            "De loterij trok vandaag, 1, 5, 7 en verder helemaal niets.",
            30,
            ["De loterij trok vandaag,", "1, 5, 7", "en verder helemaal niets."],
        ),
        (
            "In de finale, werd het 2 - 1 voor ons, zei hij.",
            29,
            ["In de finale,", "werd het 2 - 1 voor ons,", "zei hij."],
        ),
        (
            "Ja: hij ging gisteren naar huis, en zij bleef hier.",
            40,
            ["Ja: hij ging gisteren naar huis,", "en zij bleef hier."],
        ),
        (
            "Hij ging eten en slapen, zij bleef nog thuis.",
            38,
            ["Hij ging eten en slapen,", "zij bleef nog thuis."],
        ),
    ],
)
def test_brackets_and_numbers_stay_whole_and_parts_are_no_scraps(
    text: str, length: int, parts: list[str]
) -> None:
    assert split_to_fit(text, at_most(length))[0] == parts


def test_an_address_stays_whole_where_it_can() -> None:
    parts, _ = split_to_fit("Kijk op https://www.nos.nl/artikel/123,456;789 en zo.", at_most(40))
    assert "https://www.nos.nl/artikel/123,456;789" in parts


def test_short_clauses_share_a_part() -> None:
    parts, _ = split_to_fit("; ".join(["een twee"] * 40), at_most(100))
    assert len(parts) == 4


def test_a_cut_inside_a_clause_is_told() -> None:
    assert split_to_fit("een twee drie", at_most(9)) == (["een twee", "drie"], True)
    assert split_to_fit("abcdefgh", at_most(3)) == (["abc", "def", "gh"], True)


def test_blank_text_has_no_parts() -> None:
    assert split_to_fit("  ", at_most(0)) == ([], False)


def test_a_model_that_takes_not_even_one_character_is_an_error() -> None:
    with pytest.raises(ValueError, match="single character"):
        split_to_fit("abc", at_most(0))


@given(st.text() | DUTCH_LIKE, st.integers(min_value=1, max_value=40))
def test_parts_fit_and_give_the_text_back(text: str, length: int) -> None:
    parts, cut_in_clause = split_to_fit(text, at_most(length))
    assert all(part == part.strip() and 0 < len(part) <= length for part in parts)
    assert squeezed(" ".join(parts)) == squeezed(text)
    if not cut_in_clause:
        assert " ".join(" ".join(parts).split()) == " ".join(text.split())


@given(DUTCH_LIKE, st.integers(min_value=1, max_value=8))
def test_parts_fit_a_model_that_counts_words(text: str, words: int) -> None:
    parts, _ = split_to_fit(text, lambda part: len(part.split()) <= words)
    assert all(len(part.split()) <= words for part in parts)
    assert " ".join(" ".join(parts).split()) == " ".join(text.split())


@pytest.mark.parametrize("length", [1, 7, 500])
@pytest.mark.parametrize(
    "text", ["a" * 100_000, "a " * 50_000, "a, " + "a" * 100_000, "a " * 50_000 + "; a"]
)
def test_the_model_is_asked_about_little_more_than_the_text(text: str, length: int) -> None:
    asked = 0

    def fits(part: str) -> bool:
        nonlocal asked
        asked += len(part)
        return len(part) <= length

    split_to_fit(text, fits)
    assert asked < 20 * len(text)
