"""A text in another language than Dutch is told from Dutch, and only when that is sure."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.article.language import DetectedLanguage, LanguageIdentifier

SEEDS = Path(__file__).parents[2] / "seeds"
DUTCH = "De gemeenteraad stemde woensdagavond laat alsnog in met de bouw van een nieuwe brug."
OTHERS = {
    "en": "The city council finally agreed on Wednesday night to the building of a new bridge.",
    "de": "Der Stadtrat stimmte am Mittwochabend schließlich dem Bau einer neuen Brücke zu.",
    "fr": "Le conseil municipal a finalement approuvé mercredi soir la construction d'un pont.",
    "af": "Die stadsraad het Woensdagaand uiteindelik ingestem dat daar 'n nuwe brug gebou word.",
}


@pytest.fixture(scope="module")
def identifier() -> LanguageIdentifier:
    return LanguageIdentifier()


def test_dutch_is_dutch(identifier: LanguageIdentifier) -> None:
    detected = identifier.identify(DUTCH)
    assert detected.code == "nl"
    assert detected.confidence > 0.8
    assert not detected.suspect("nl")


@pytest.mark.parametrize("code", OTHERS)
def test_a_sentence_in_another_language_is_suspect(
    identifier: LanguageIdentifier, code: str
) -> None:
    detected = identifier.identify(OTHERS[code])
    assert detected.code == code
    assert detected.suspect("nl")
    assert not detected.suspect(code)


@pytest.mark.parametrize(
    "text", ["", " ", "12345", "AMSTERDAM", "😀", "Bitcoin", "Hello world", "\ud800", "\x00"]
)
def test_too_little_text_is_never_suspect(identifier: LanguageIdentifier, text: str) -> None:
    detected = identifier.identify(text)
    assert 0 <= detected.confidence <= 1
    assert not detected.suspect("nl")


@pytest.mark.parametrize(
    ("detected", "suspect"),
    [
        (DetectedLanguage("de", 0.8, enough_text=True), True),
        (DetectedLanguage("de", 0.79, enough_text=True), False),
        (DetectedLanguage("de", 1.0, enough_text=False), False),
        (DetectedLanguage("nl", 1.0, enough_text=True), False),
    ],
)
def test_suspicion_needs_confidence_and_text(detected: DetectedLanguage, suspect: bool) -> None:
    assert detected.suspect("nl") is suspect


@pytest.mark.parametrize(
    ("text", "enough"),
    [
        ("een " * 9, False),
        ("een " * 10, True),
        ("e " * 9 + "1 2 3", False),
        ("é" * 59, False),
        ("é" * 60, True),
    ],
)
def test_ten_words_or_sixty_letters_are_enough(
    identifier: LanguageIdentifier, text: str, enough: bool
) -> None:
    assert identifier.identify(text).enough_text is enough


@pytest.mark.parametrize(
    ("detected", "surely"),
    [
        (DetectedLanguage("en", 0.8, enough_text=True), True),
        (DetectedLanguage("en", 0.79, enough_text=True), False),
        (DetectedLanguage("en", 1.0, enough_text=False), False),
        (DetectedLanguage("nl", 1.0, enough_text=True), False),
    ],
)
def test_certainty_needs_confidence_and_text(detected: DetectedLanguage, surely: bool) -> None:
    assert detected.is_surely("en") is surely


@pytest.mark.parametrize(
    "sentence",
    [
        OTHERS["en"],
        "They have never been to the seaside.",
        "“We will not give up this town,”",
        '"We will not give up this town," the mayor said.',
        "I have a plan",
        "WE WILL NOT GIVE UP THIS TOWN.",
        "Mr. de Vries and his friend van Dam said that they had seen it all before.",
    ],
)
def test_an_english_sentence_in_a_dutch_article_is_seen(
    identifier: LanguageIdentifier, sentence: str
) -> None:
    assert identifier.is_english(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        DUTCH,
        OTHERS["de"],
        "",
        "12.500",
        "Het team won de Champions League",
        "Live: update over de deadline",
        "CEO van start-up geeft update in podcast",
        "IT, OR, AS en NO",
        "The Voice of Holland",
        "The Rolling Stones",
        "Never again",
        "Breaking news",
        "Manchester United - Real Madrid 2-1",
        "De band speelt vrijdag The End of All That and More in Paradiso.",
        '"We will not give up this town", aldus Smith.',
        "'We will not give up this town' klinkt het in koor",
        "Once upon a time er was een koning, and he had three sons in the kingdom.",
        "https://voorbeeld.nl/the-best-of-and-more",
    ],
)
def test_dutch_with_english_words_and_names_is_not_english(
    identifier: LanguageIdentifier, sentence: str
) -> None:
    assert not identifier.is_english(sentence)


def test_no_sentence_of_the_seeds_is_english(identifier: LanguageIdentifier) -> None:
    for pairs in SEEDS.glob("*.pairs.txt"):
        for line in pairs.read_text(encoding="utf-8").split("\n"):
            if line.startswith("nl: "):
                assert not identifier.is_english(line.removeprefix("nl: "))
                assert identifier.english_quotes(line) == []


@pytest.mark.parametrize(
    ("sentence", "quotes"),
    [
        ('Smith zei: "We will not give up."', ["We will not give up."]),
        ('"We will not give up," zei Smith.', ["We will not give up"]),
        ("„We will not give up”, zei hij. „Daar blijf ik bij.”", ["We will not give up"]),
        ("Hij riep 'we don't know what to do' naar oma's.", ["we don't know what to do"]),
        ("'s Avonds riep hij ‘we don’t know what to do’.", ["we don’t know what to do"]),
        ('"They are here now" en "we are with them".', ["They are here now", "we are with them"]),
        ('"We geven de stad niet op", zei hij.', []),
        ('De serie "The Crown" is terug.', []),
        ('Zij zei: "We will not give up.', []),
        ("Ze zei van niet.", []),
        ("", []),
    ],
)
def test_quotations_in_english_are_found(
    identifier: LanguageIdentifier, sentence: str, quotes: list[str]
) -> None:
    assert identifier.english_quotes(sentence) == quotes


@given(
    st.text(st.characters(codec=None))
    | st.lists(st.sampled_from([*"\"'„”, ", "the ", "and ", "will", "de "])).map("".join)
)
def test_quotations_are_words_of_the_sentence(
    identifier: LanguageIdentifier, sentence: str
) -> None:
    identifier.is_english(sentence)
    for quote in identifier.english_quotes(sentence):
        assert quote in sentence
        assert len(quote.split()) >= 4


@pytest.mark.parametrize(
    "unit", ["a", '"', '"a" ', "'", "'a ", "a' ", "the ", "a-", '"the and of"', "„", "'a b c d' "]
)
def test_a_hundred_thousand_of_one_thing_cost_no_time(
    identifier: LanguageIdentifier, unit: str
) -> None:
    text = unit * (100_000 // len(unit))
    start = time.process_time()
    identifier.is_english(text)
    identifier.english_quotes(text)
    assert time.process_time() - start < 1


def test_many_threads_get_the_same_answers(identifier: LanguageIdentifier) -> None:
    texts = [DUTCH, *OTHERS.values()] * 20
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(identifier.identify, texts))
    assert answers == [identifier.identify(text) for text in texts]


def test_a_long_text_is_judged_by_its_beginning(identifier: LanguageIdentifier) -> None:
    assert identifier.identify((DUTCH + " ") * 10_000).code == "nl"
