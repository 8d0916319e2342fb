"""The terms of a glossary hold in the output, and nothing else there changes."""

import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from service.errors import InvalidRequest, StartupError
from service.translation.glossary import SHIPPED_DIRECTORY, Glossary, load_glossary
from service.translation.placement import Placed, place, substitute

TERMS = {
    "Tweede Kamer": "House of Representatives",
    "Kamer": "House",
    "kabinet": "cabinet",
    "wethouder": "alderman",
    "VS": "US",
    "ijsbaan": "ice rink",
    "Provinciale Staten": "the Provincial Council",
    "N.V.": "PLC",
    "uitzending": "episode",
}
GLOSSARY = Glossary.of(TERMS)
RENDERINGS = {
    "Tweede Kamer": "Lower House",
    "kabinet": "The government.",
    "wethouder": "Councillor",
    "VS": "United States",
    "Provinciale Staten": "Provincial States",
    "uitzending": "broadcast",
}


def placed(source: str, target: str) -> Placed:
    return place(GLOSSARY.find(source), target, RENDERINGS)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("De Tweede Kamer en de Kamer stemmen.", ["Tweede Kamer", "Kamer"]),
        ("Het kabinet-Rutte viel; kabinetten vallen.", ["kabinet"]),
        ("Kabinet valt.", ["kabinet"]),
        ("KABINET VALT NA DEBAT TWEEDE KAMER", ["kabinet", "Tweede Kamer"]),
        ("Een kamer voor de tweede kamer, Ajax vs PSV.", []),
        ("De VS' leger, VS-president, „VS”.", ["VS", "VS", "VS"]),
        ("IJsbaan open.", ["ijsbaan"]),
        ("De N.V., een n.v.", ["N.V."]),
        ("Op https://x.nl/kabinet, @kabinet, #kabinet, kabinet@x.nl en kabinet.nl.", []),
        ("De Tweede\nKamer.", ["Tweede Kamer"]),
        ("WAT DE VS WIL", []),
    ],
)
def test_a_term_is_found_as_whole_words_in_its_capitals(source: str, found: list[str]) -> None:
    occurrences = GLOSSARY.find(source)
    assert [occurrence.term for occurrence in occurrences] == found
    for occurrence in occurrences:
        words = source[occurrence.start : occurrence.end]
        assert " ".join(words.split()).lower() == occurrence.term.lower()


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        # The English stands there already.
        ("De Tweede Kamer stemt.", "The house of representatives votes.",
         "The House of Representatives votes."),
        ("Kabinet valt.", "cabinet falls.", "Cabinet falls."),
        ("Het kabinet valt.", "The Cabinet falls.", "The cabinet falls."),
        ("De Kamer en huizen.", "The House on house prices.", "The House on house prices."),
        # The model's own rendering of the term alone, or the term itself, stands there.
        ("De Tweede Kamer stemt.", "The Lower House votes.", "The House of Representatives votes."),
        ("De Tweede Kamer stemt.", "The Tweede Kamer votes.",
         "The House of Representatives votes."),
        ("De Tweede Kamer zei", "the Lower House's vote", "the House of Representatives' vote"),
        ("Het kabinet zei", "the government's vote", "the cabinet's vote"),
        ("Een kabinet en dit kabinet.", "A government and this Government.",
         "A cabinet and this cabinet."),
        ("De VS en de VS.", "It helped us in the U.S. and the U.S.",
         "It helped us in the US and the US."),
        # A and an, the and the.
        ("Een uitzending.", "It was a broadcast.", "It was an episode."),
        ("Een uitzending.", "A broadcast.", "An episode."),
        ("Een VS-plan.", "An U.S. plan.", "A US plan."),
        ("Provinciale Staten stemden.", "The Provincial States voted.",
         "The Provincial Council voted."),
        ("Provinciale Staten stemden.", "So Provincial States voted.",
         "So the Provincial Council voted."),
        # Capitals.
        ("KABINET VALT", "GOVERNMENT FALLS", "CABINET FALLS"),
        ("Wethouder Jansen", "Councillor Jansen came.", "Alderman Jansen came."),
        ("Dus wethouder Jansen", "So Alderman Jansen came.", "So Alderman Jansen came."),
        ("Hij zei: „Kabinet valt.”", 'He said: "Government falls."', 'He said: "Cabinet falls."'),
        ("De N.V. is er.", "There is the N.V.", "There is the PLC."),
    ],
)  # fmt: skip
def test_a_term_holds_with_the_right_capitals(source: str, target: str, expected: str) -> None:
    result = placed(source, target)
    assert result.target == expected
    assert result.missing == ()
    assert len(result.spans) == len(GLOSSARY.find(source))
    for span in result.spans:
        words = expected[span.start : span.end]
        assert words.lower() == TERMS[span.term].lower()


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("De Kamer stemt.", "They vote."),
        ("Het kabinet valt.", "The government of governments: a government."),
        ("De Kamer en huizen.", "The house on house prices."),
        ("De VS valt aan.", "They attack us."),
        ("Een uitzending.", "See https://x.nl/broadcast and #broadcast."),
        ("De wethouder komt.", "The councillorship."),
    ],
)
def test_a_term_without_one_clear_place_is_missing(source: str, target: str) -> None:
    result = placed(source, target)
    assert result.target == target
    assert result.missing == tuple(GLOSSARY.find(source))
    assert result.spans == ()


def test_each_of_two_occurrences_must_hold() -> None:
    result = placed("Het kabinet zei dat het kabinet valt.", "The cabinet said that it falls.")
    assert [span.term for span in result.spans] == ["kabinet"]
    assert [occurrence.start for occurrence in result.missing] == [24]


def test_the_english_is_written_into_the_dutch_sentence_for_the_model_to_copy() -> None:
    source = "Kabinet wil dat de Provinciale Staten en Provinciale Staten stemmen."
    assert substitute(source, GLOSSARY.find(source)) == (
        "Cabinet wil dat de Provincial Council en the Provincial Council stemmen."
    )
    assert substitute("KABINET VALT", GLOSSARY.find("KABINET VALT")) == "CABINET VALT"


def test_a_term_keeps_capitals_of_its_own_at_the_start_of_a_sentence() -> None:
    glossary = Glossary.of({"mobieltje": "iPhone"})
    assert place(glossary.find("Mobieltje weg."), "IPhone gone.", {}).target == "iPhone gone."


def test_the_terms_of_a_request_win_over_those_of_the_server() -> None:
    merged = GLOSSARY.merged(Glossary.of({"kabinet": "government", "Ajax": "Ajax"}))
    assert merged.terms == {**TERMS, "kabinet": "government", "Ajax": "Ajax"}
    assert [o.target for o in merged.find("Het kabinet in de VS")] == ["government", "US"]


@pytest.mark.parametrize(
    ("terms", "detail"),
    [
        ({"": "x"}, "term 1 has no letter"),
        ({"a": "b", "c": " \t"}, "term 2 holds a line break"),
        ({"a": "  "}, "the translation of glossary term 1 has no letter"),
        ({"a\nb": "x"}, "line break"),
        ({"a": "b\u2028c"}, "line break"),
        ({"a" * 201: "x"}, "longer than 200"),
        ({"a": "x" * 201}, "longer than 200"),
        ({"!": "x"}, "no letter or digit"),
        ({str(number): "x" for number in range(1001)}, "at most 1000"),
    ],
)
def test_a_glossary_that_cannot_hold_is_refused(terms: dict[str, str], detail: str) -> None:
    with pytest.raises(InvalidRequest, match=detail):
        Glossary.of(terms)


def test_a_large_glossary_is_taken() -> None:
    assert len(Glossary.of({"a" * (1 + i % 199) + str(i): "x" for i in range(100)}).terms) == 100
    assert Glossary.of({"a" * 200: "x" * 200}).find("a" * 200)
    assert Glossary.of({}).find("Het kabinet valt.") == []


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b'{"a": "b", "a": "c"}', "twice"),
        (b'["a"]', "not one JSON object of strings"),
        (b'{"a": 1}', "not one JSON object of strings"),
        (b'{"a": "b"', "Expecting"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b'{"a": ""}', "translation of glossary term 1"),
        (b" " * 1_000_001, "larger"),
    ],
)
def test_a_file_that_is_no_glossary_ends_the_start_with_one_line(
    tmp_path: Path, content: bytes, detail: str
) -> None:
    path = tmp_path / "terms.json"
    path.write_bytes(content)
    with pytest.raises(StartupError, match=detail) as caught:
        load_glossary(str(path))
    assert "\n" not in caught.value.detail


@pytest.mark.parametrize("name", ["absent.json", ".", "a\0b", ""])
def test_a_file_that_is_not_there_ends_the_start(name: str) -> None:
    with pytest.raises(StartupError, match="glossary"):
        load_glossary(name)


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "terms.json"
    path.write_text('\ufeff{"raad": "council"}', encoding="utf-8")
    assert load_glossary(str(path)).terms == {"raad": "council"}


def test_the_shipped_glossary_is_sound() -> None:
    glossary = load_glossary("dutch-news")
    written = json.loads((SHIPPED_DIRECTORY / "dutch-news.json").read_text(encoding="utf-8"))
    assert glossary.terms == written
    assert 120 <= len(written) <= 200
    for term, english in written.items():
        assert [(o.term, o.target) for o in glossary.find(f"Toen {term}.")] == [(term, english)]
        held = place(glossary.find(f"Toen {term}."), f"Then {term}.", {})
        assert held.target == f"Then {english}."


OTHER_WORDS = ["a", "An", "the", "The", "said", "us", "U.S.", "U.S.'s", "HOUSE", "Lower House's"]
OTHER_WORDS += ["councillors", ".", '"', "(", "Jansen"]
SOURCE_WORDS = st.lists(st.sampled_from([*TERMS, "de", "De", "KABINET", "en", ".", '"'])).map(
    " ".join
)
TARGET_WORDS = st.lists(
    st.sampled_from([*TERMS.values(), *RENDERINGS.values(), *TERMS, *OTHER_WORDS])
).map(" ".join)
BESIDE = re.compile(r"(?:the|an?)\s\Z", re.IGNORECASE)


@given(SOURCE_WORDS, TARGET_WORDS)
def test_nothing_changes_but_the_terms_and_the_article_before_them(
    source: str, target: str
) -> None:
    occurrences = GLOSSARY.find(source)
    result = place(occurrences, target, RENDERINGS)
    assert len(result.spans) + len(result.missing) == len(occurrences)
    position = written = 0
    for span in result.spans:
        words = result.target[span.start : span.end]
        assert words.lower() == TERMS[span.term].lower()
        kept = BESIDE.sub("", result.target[written : span.start]).removeprefix("'")
        position = target.index(kept, position) + len(kept)
        written = span.end
    assert target.endswith(result.target[written:].removeprefix("'"))


@given(SOURCE_WORDS, TARGET_WORDS)
def test_the_capitals_of_a_term_are_right(source: str, target: str) -> None:
    result = place(GLOSSARY.find(source), target, RENDERINGS)
    assume(not target.isupper())
    for span in result.spans:
        words = result.target[span.start : span.end]
        if not any(map(str.isalnum, result.target[: span.start])):
            assert words[0].isupper()
        assert words[1:] == TERMS[span.term][1:] or words.istitle()


@given(st.text(), st.text(), st.dictionaries(st.sampled_from([*TERMS]), st.text()))
def test_any_text_is_taken(source: str, target: str, renderings: dict[str, str]) -> None:
    occurrences = GLOSSARY.find(source)
    place(GLOSSARY.find(f"kabinet VS {source}"), target, renderings)
    assert substitute(source, []) == source
    assert all(source[o.start : o.end] for o in occurrences)


@given(st.dictionaries(st.text(max_size=250), st.text(max_size=250), max_size=5))
def test_any_terms_are_taken_or_refused(terms: dict[str, str]) -> None:
    try:
        glossary = Glossary.of(terms)
    except InvalidRequest:
        return
    for term, english in glossary.terms.items():
        found = glossary.find(term)
        assert (found[0].start, found[0].term) == (0, term)
        assert english in substitute(f"Ja, {term}", glossary.find(f"Ja, {term}")) or term != (
            found[0].term
        )


@pytest.mark.parametrize("piece", ["a", "a ", "a. ", "a!", "'", '"', "<", "**", "1", "kabinet "])
def test_a_hostile_sentence_takes_no_long(piece: str) -> None:
    nested = {f"a{'!a' * (i % 90)}!{i}": f"b{i}" for i in range(990)}
    glossary = Glossary.of({**nested, "kabinet": "cabinet"})
    text = (piece * 20_000)[:20_000]
    started = time.process_time()
    occurrences = glossary.find(text)
    place(occurrences, text, {"kabinet": text[:100]})
    substitute(text, occurrences)
    assert time.process_time() - started < 2
