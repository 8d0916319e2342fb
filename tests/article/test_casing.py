"""Lines in capitals reach the model as sentences and the reader in capitals again."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.article.casing import is_capitals, sentence_case, to_capitals

ANY_TEXT = st.text(st.characters(codec=None))
CAPITALS = st.lists(
    st.sampled_from(["'S", "OM", "EIST", "DEN HAAG", "ẞ", "ß", "İ", "I", "ŉ", "ǅ", "Σ", "K", "U."])
    | st.text("ABCDEÉIJKNVS'-. 19ſıµ", max_size=8)
).map(" ".join)


@pytest.mark.parametrize(
    "line",
    [
        "BRAND IN HAVEN VAN ROTTERDAM",
        "DODE BIJ BRAND",
        "KIJK UIT",
        "VERKEERSCHAOS",
        "AMSTERDAM (ANP)",
        "„IK GA NIET WEG”",
        "5 DODEN NA STORM IN DE VS",
        "VVD EN CDA STEUNEN PLAN VAN KABINET NIET meer",
        "PRIJS VAN ÉÉN EI STIJGT",
    ],
)
def test_a_line_in_capitals_is_seen(line: str) -> None:
    assert is_capitals(line)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "12.500",
        "NAVO",
        "VS-EU",
        "ANP",
        "NOS ANP RTL",
        "PVV, VVD en NSC",
        "ASML en NXP",
        "IKEA en UNICEF",
        "HEINEKEN en UNILEVER",
        "COVID-19",
        "U",
        "OK",
        "Brand in haven",
        "LIVE | Brand in haven van Rotterdam",
        "De NAVO en de EU",
        "中文字",
    ],
)
def test_acronyms_and_sentences_are_no_line_in_capitals(line: str) -> None:
    assert not is_capitals(line)


@pytest.mark.parametrize(
    ("capitals", "sentence"),
    [
        ("BRAND IN HAVEN VAN ROTTERDAM", "Brand in haven van Rotterdam"),
        ("NAVO WIL MEER GELD VAN DE VS", "NAVO wil meer geld van de VS"),
        ("„IK GA NIET WEG”, ZEGT J. DE BOER", "„Ik ga niet weg”, zegt J. de boer"),
        ("'S AVONDS IS HET KOUD", "'s Avonds is het koud"),
        ("HET IS ZO'N 3 KM NAAR 'T GOOI", "Het is zo'n 3 km naar 't gooi"),
        ("PVDA EN D66 BIJEEN IN DEN HAAG", "PvdA en D66 bijeen in Den Haag"),
        ("G20-TOP IN ZUID-KOREA OVER COVID-19", "G20-top in Zuid-Korea over COVID-19"),
        ("OM EIST VIJF JAAR OM DRUGS", "OM eist vijf jaar om drugs"),
        ("HET OM WIL DOOR OM TE WINNEN", "Het OM wil door om te winnen"),
        ("IJS BREEKT BIJ IJMUIDEN", "IJs breekt bij IJmuiden"),
        ("DHR. JANSEN, MR. A. SMIT", "Dhr. jansen, mr. A. smit"),
        ("20-JARIGE OPGEPAKT OP A12", "20-jarige opgepakt op A12"),
        ("T/M MEI KUNT U BELLEN", "T/m mei kunt u bellen"),
        ("STRAẞE İN ÉÉN", "Straße İn één"),
        ("", ""),
    ],
)
def test_the_model_sees_a_sentence(capitals: str, sentence: str) -> None:
    assert sentence_case(capitals) == sentence


@pytest.mark.parametrize(
    ("english", "capitals"),
    [
        ("Fire in the port of Rotterdam", "FIRE IN THE PORT OF ROTTERDAM"),
        ("It's Klöcker's straße", "IT'S KLÖCKER'S STRAßE"),
        (
            "See https://nos.nl/Aap, www.nos.nl, Voorbeeld.nl or a@b.nl",
            "SEE https://nos.nl/Aap, www.nos.nl, Voorbeeld.nl OR a@b.nl",
        ),
        ("Ask @Piet about #DeDag", "ASK @Piet ABOUT #DeDag"),
    ],
)
def test_the_reader_sees_capitals_again(english: str, capitals: str) -> None:
    assert to_capitals(english) == capitals


@given(ANY_TEXT | CAPITALS)
def test_only_letter_case_changes(text: str) -> None:
    is_capitals(text)
    for changed in (sentence_case(text), to_capitals(text)):
        assert len(changed) == len(text)
        assert [c.casefold() for c in changed] == [c.casefold() for c in text]


@given(ANY_TEXT | CAPITALS)
def test_capitals_stay_capitals(text: str) -> None:
    assert to_capitals(to_capitals(text)) == to_capitals(text)


@pytest.mark.parametrize(
    "unit",
    ["A", "A ", "'S ", "'", "_", " ", ".", "A.", "@", "HET OM ", "DEN ", "://", "A-", "1", "İ"],
)
def test_a_hundred_thousand_of_one_thing_cost_no_time(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    start = time.process_time()
    is_capitals(text)
    to_capitals(sentence_case(text))
    assert time.process_time() - start < 1
