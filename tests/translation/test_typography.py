"""The reader gets English typography, and no number that the source does not vouch for."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.translation.typography import polish

ANY_TEXT = st.text(st.characters(codec=None))
WORDS = [
    *"\"'„”’…–—,.;:!?()%€$-/@#_ \xa0A1z",
    ",,",
    "''",
    "...",
    "-",
    "`",
    "van",
    "'s ",
    "a.m.",
    "Inc.",
]
WORDS += ["12.500", "1.250,75", "7,5", "7,50", "7.50", "20.45", "12,500", "12.5", "7,-", "-3,5"]
WORDS += [" uur", " hours", "om ", "art. ", "192.168.100.200", "iPhone", "&quot;", " :) "]
WORDS += ["https://a.nl/1.250", "www.a.nl", "a@b.nl", "@Jan", "\U000f0000", "\U000f0001"]
PIECES = st.lists(st.sampled_from(WORDS)).map("".join)


@pytest.mark.parametrize(
    ("target", "polished"),
    [
        ("„I won’t come”, he said…", '"I won\'t come", he said...'),
        (",,I won't come'', he said.", '"I won\'t come", he said.'),
        ("The law – of 2021 — holds.", "The law - of 2021 - holds."),
        ("The law—of 2021—holds.", "The law - of 2021 - holds."),
        ("From 1990–1995.", "From 1990–1995."),
        ("He came , saw ( and left ) .", "He came, saw (and left)."),
        ("Why ? Because ; well : no !", "Why? Because; well: no!"),
        ("He  waited\xa0a\u202fwhile\n.", "He waited a while."),
        ("It cost € 5 or $ 6, 5 % more.", "It cost €5 or $6, 5% more."),
        ('He said " no " and " yes ".', 'He said "no" and "yes".'),
        ('Away." And then he said: "I', 'Away." And then he said: "I'),
        ('A 5" nail and no more.', 'A 5" nail and no more.'),
        ("Well ... maybe .NET or .5.", "Well ... maybe .NET or .5."),
        ("It was 2 : 1 :) for us :-( .", "It was 2 : 1 :) for us :-(."),
        ("It was 0 :) . Or 1 :( !", "It was 0 :). Or 1 :(!"),
        ('It was 0 :) ."No"', 'It was 0 :)."No"'),
        ("It costs 7,- or 8,--.", "It costs 7 or 8."),
    ],
)
def test_quotes_dashes_and_spaces_are_those_of_english(target: str, polished: str) -> None:
    assert polish("Bron.", target) == polished


@pytest.mark.parametrize(
    ("source", "target", "polished"),
    [
        ("Er kwamen 12.500 mensen.", "12.500 people came.", "12,500 people came."),
        ("Dat is 1.250,75 euro.", "That is 1.250,75 euros.", "That is 1,250.75 euros."),
        ("Zo'n 3.125.000 à 3.500.000.", "Some 3.125.000-3.500.000.", "Some 3,125,000-3,500,000."),
        ("Een kracht van 7,5.", "A force of 7,5.", "A force of 7.5."),
        ("Het werd -3,5 °C.", "It was -3,5 °C.", "It was -3.5 °C."),
        ("Een dosis van 0,125 gram.", "A dose of 0,125 grams.", "A dose of 0.125 grams."),
        ("Het is 1,2 biljoen.", "It is €1,2 trillion.", "It is €1.2 trillion."),
        ("Met 1,5-2,5 procent.", "By 1,5-2,5 per cent.", "By 1.5-2.5 per cent."),
        ("Om 20.45 uur begint het.", "It starts at 20.45 hours.", "It starts at 20:45."),
        ("Om 20.45 begint het.", "It starts at 20.45.", "It starts at 20:45."),
        ("Het is 8.45 uur.", "It is 8.45 o’clock.", "It is 8:45."),
        ("Het is 8.45 uur.", "It is 8.45 pm.", "It is 8:45 pm."),
        ("Het is 8.45 uur.", "It is 8:45 uur.", "It is 8:45."),
        ("Van 9.30 tot 17.00 uur.", "From 9.30 to 17.00 hours.", "From 9:30 to 17:00."),
        ("Dat is € 5.000,--.", "That is € 5.000,--.", "That is €5,000."),
    ],
)
def test_a_number_left_in_dutch_is_made_english(source: str, target: str, polished: str) -> None:
    assert polish(source, target) == polished


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("Er kwamen 12.500 mensen.", "13.500 people came."),
        ("Er kwamen 12.500 mensen.", "12.500 or 12,500 people came."),
        ("De deadline is 03-04-2024.", "The deadline is 03-04-2024."),
        ("De deadline is 3.4.2024.", "The deadline is 3.4.2024."),
        ("Zie 1.2.3 en versie 1.250.", "See 1.2.3 and version 1.250."),
        ("Zie 12.500.1.", "See 12.500.1."),
        ("Het adres is 192.168.100.200.", "The address is 192.168.100.200."),
        ("Volgens art. 6:162 en artikel 7,5.", "Under art. 6:162 and article 7,5."),
        ("Zij liep 2.11,35.", "She ran 2.11,35."),
        ("Bel 0492-123.456 of +31 6 12.345.678.", "Call 0492-123.456 or +31 6 12.345.678."),
        ("In 2024 en de jaren '80.", "In 2024 and the '80s."),
        ("Het telt 12,500 meter.", "It counts 12,500 metres."),
        ("Om 7.50 uur kost het $7.50.", "At 7.50 hours it costs $7.50."),
        ("Om 7.50 uur kost het € 7,50.", "At 7:50 it costs €7.50."),
        ("Om 7.50 uur kost het € 7,50.", "At ten to eight it costs €7.50."),
        ("Een groei van 20.45.", "Growth of 20.45."),
        ("Van 12.500 naar v12.500.", "To v12.500."),
        ("Het duurt 3 uur.", "It lasts 3 hours."),
    ],
)
def test_a_number_that_may_mean_something_else_stays(source: str, target: str) -> None:
    assert polish(source, target) == target


@pytest.mark.parametrize(
    ("source", "target", "polished"),
    [
        ("Slag om Tripoli", "Battle of Tripoli.", "Battle of Tripoli"),
        ('"Slag om Tripoli"', '"Battle of Tripoli."', '"Battle of Tripoli"'),
        ("2020", "2020.", "2020"),
        ("Slag om Tripoli.", "Battle of Tripoli.", "Battle of Tripoli."),
        ("Slag om Tripoli", "Battle of Tripoli...", "Battle of Tripoli..."),
        ("Winst voor Apple", "Profit for Apple Inc.", "Profit for Apple Inc."),
        ("Dreiging vanuit VS", "Threat from the U.S.", "Threat from the U.S."),
        ("Dit zijn ze:", "These are they.", "These are they."),
        ("Plan B", "Plan B.", "Plan B"),
        ("Het", ".", "."),
    ],
)
def test_a_heading_gets_no_full_stop(source: str, target: str, polished: str) -> None:
    assert polish(source, target) == polished


@pytest.mark.parametrize(
    ("source", "target", "polished"),
    [
        ("De minister gaat.", "the minister leaves.", "The minister leaves."),
        ('"De minister gaat."', '"the minister leaves."', '"The minister leaves."'),
        ("'s Avonds gaat hij.", "in the evening he leaves.", "In the evening he leaves."),
        ("en hij gaat.", "and he leaves.", "and he leaves."),
        ("IPhone wordt duurder.", "iPhone gets dearer.", "iPhone gets dearer."),
        ("Apple.com is weg.", "www.apple.com is gone.", "www.apple.com is gone."),
        ("Piet zegt het.", "@piet says so.", "@piet says so."),
        ("20 doden.", "twenty dead.", "twenty dead."),
    ],
)
def test_a_sentence_begins_with_a_capital_if_its_source_does(
    source: str, target: str, polished: str
) -> None:
    assert polish(source, target) == polished


@pytest.mark.parametrize(
    "kept",
    [
        "print( 7,5 , “x” ) .",
        "https://a.nl/7,5/x(1)",
        "jan_7,5+x@b.nl",
        "@Jan",
        "#Dag1",
        ":-)",
        "\U000f0000",
    ],
)
def test_code_and_addresses_are_not_touched(kept: str) -> None:
    assert polish("Zie 7,5.", f"See {kept} and 7,5 .", ["print( 7,5 , “x” ) .", ""]) == (
        f"See {kept} and 7.5."
    )


def test_characters_without_meaning_are_not_mistaken_for_placeholders() -> None:
    target = "See \U000f0000 and @Jan and \U000f0001."
    assert polish("Zie.", target) == target


@given(ANY_TEXT | PIECES, ANY_TEXT | PIECES, st.lists(PIECES, max_size=2))
def test_doing_it_twice_changes_nothing(source: str, target: str, verbatim: list[str]) -> None:
    once = polish(source, target)
    assert polish(source, once) == once
    polish(source, target, verbatim)


@given(ANY_TEXT | PIECES, ANY_TEXT | PIECES)
def test_no_digit_is_lost_or_added(source: str, target: str) -> None:
    assert re.findall(r"\d", polish(source, target)) == re.findall(r"\d", target)


@given(PIECES)
def test_a_number_never_changes_without_the_sources_word(target: str) -> None:
    numbers = r"(?<![\w.,:/])[0-9]+(?:[.,:/][0-9]+)*"
    assert re.findall(numbers, polish("Geen getal.", target)) == re.findall(
        numbers, polish("", target)
    )


@given(PIECES, st.text("ab 7,5\"'-", min_size=3))
def test_what_is_verbatim_stays_as_it_is(target: str, words: str) -> None:
    assert words.strip() in polish(target, f"{target} {words.strip()} {target}", [words.strip()])


@given(ANY_TEXT | PIECES)
def test_no_low_quote_or_double_space_is_left(target: str) -> None:
    left = set(polish("Bron.", target)) - set("".join(re.findall(r"\S*(?:www|http|@)\S*", target)))
    assert not left & set("„“”‘’…\xa0\n")


HOSTILE = [
    "a",
    " ",
    '"',
    '" ',
    "'",
    ".",
    ". ",
    ".)",
    ",",
    "(",
    ") ",
    "€ ",
    "7,5 ",
    "20.45 tot ",
    "-",
]
HOSTILE += ["12.500", "1.", "2.500.", "0-", "@", "@a ", "a@", "+-", "www.", "https://", ":) ", "—"]
HOSTILE += ["\U000f0000", "om ", "'s ", "+1 "]


@pytest.mark.parametrize("unit", HOSTILE)
def test_a_hundred_thousand_of_one_thing_cost_no_time(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    start = time.process_time()
    polish(text, text, [unit])
    polish(f"A {text} 7,5", f"a {text} 7,5")
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("&quot;Yes,&quot; he said.", '"Yes," he said.'),
        ("It&#39;s done.", "It's done."),
        ("Jansen &amp; Sons", "Jansen & Sons"),
        ("It&amp;#39;s &amp;amp; done.", "It's & done."),
        ("AT&T; R&D;", "AT&T; R&D;"),
    ],
)
def test_entities_that_the_model_learned_from_the_web_are_read(target: str, expected: str) -> None:
    assert polish("Een zin.", target) == expected


def test_an_entity_that_the_author_wrote_stays() -> None:
    assert (
        polish("Typ &amp; in het veld.", "Type &amp; in the field.") == "Type &amp; in the field."
    )
