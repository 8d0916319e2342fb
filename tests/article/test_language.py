"""A text in another language than Dutch is told from Dutch, and only when that is sure."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from service.article.language import DetectedLanguage, LanguageIdentifier

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


def test_many_threads_get_the_same_answers(identifier: LanguageIdentifier) -> None:
    texts = [DUTCH, *OTHERS.values()] * 20
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(identifier.identify, texts))
    assert answers == [identifier.identify(text) for text in texts]


def test_a_long_text_is_judged_by_its_beginning(identifier: LanguageIdentifier) -> None:
    assert identifier.identify((DUTCH + " ") * 10_000).code == "nl"
