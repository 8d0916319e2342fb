"""Which language a text is in, by py3langid, and which sentences of a Dutch text are English."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

_LANGUAGES = ("nl", "en", "de", "fr", "af", "fy", "lb", "da", "sv")
"""What a Dutch text could be taken for; fewer candidates make short texts surer."""

_SURE = 0.8
_ENOUGH_WORDS = 10
_ENOUGH_LETTERS = 60
_READ_CHARACTERS = 20_000

ENGLISH_WORDS = frozenset(
    """
    about after again always an and any are aren't around at be because been before being between
    both but by can can't could did didn't do does doesn't doing don't during each even every
    everything first for from get going great has hasn't have haven't he he's her him his how i i'd
    i'll i'm i've if into isn't it it's its just know last let's like made make many may might more
    most much must my need never not nothing on one only or other our ourselves people really right
    said say says she she's should since so some something still such than that that's the their
    them then there there's these they they're thing things think this those through to two until
    up very wasn't we'll we're we've well were what what's when where which while who why will with
    within without won't would year years you you're your
    """.split()
)
"""Common English words that are no Dutch ones."""

_DUTCH_WORDS = frozenset(
    """
    aan aldus alle alleen als altijd andere bij daar daarom dat de deze dit dus een eerste en er
    gaan gaat geen geweest goed heb hebben heeft hem het hier hij hoe hun ik ja jaar je jij jullie
    kan komen komt kunnen kunt maar maken mensen mijn moet moeten na naar nee niet nog nooit nu ook
    om onder ons onze op riep schreef stelt te tegen tijdens toch toen tot tussen uit van veel
    vertelde volgens voor waar waarom wat weer wel werd werden wie wij wil wordt worden zal ze zegt
    zei zelf zich zij zijn zo zoals zou zullen één
    """.split()
)
"""Common Dutch words that are no English ones, but for names such as ``de Gaulle``."""

_WORD = re.compile(r"[^\W\d_]++(?:['-][^\W\d_]++)*+")
_FEWEST_WORDS = 3
_FEW_WORDS = 5
_SURE_OF_FEW = 0.9
_SHORTEST_QUOTE = 4
_QUOTES = str.maketrans(dict.fromkeys("„“”‟«»", '"') | dict.fromkeys("‘’‚‛‹›", "'"))
_SINGLE_MARK = re.compile(r"(?P<closing>(?<=\S)'(?!\w))|(?P<opening>(?<!\w)'(?=\S))")


@dataclass(frozen=True, slots=True)
class DetectedLanguage:
    """The likeliest language of a text.

    Attributes:
        code: ISO 639-1 code.
        confidence: from 0 to 1; low for short texts, names and numbers.
        enough_text: the text is long enough (10 words or 60 letters) to rely on the confidence.
    """

    code: str
    confidence: float
    enough_text: bool

    def is_surely(self, language: str) -> bool:
        """Whether the text is clearly in ``language`` (an ISO 639-1 code)."""
        return self.code == language and self.confidence >= _SURE and self.enough_text

    def suspect(self, expected: str) -> bool:
        """Whether the text is clearly in another language than ``expected`` (an ISO 639-1 code)."""
        return self.code != expected and self.is_surely(self.code)


class LanguageIdentifier:
    """Tells Dutch from its relatives and neighbours; loads 90 MB once; thread-safe."""

    def __init__(self) -> None:
        # Imported here, for it brings numpy along.
        from py3langid import langid

        self._model = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
        self._model.set_languages(_LANGUAGES)  # nothing in the model changes after this

    def identify(self, text: str) -> DetectedLanguage:
        """The language of a whole text, judged by its first 20,000 characters."""
        text = text[:_READ_CHARACTERS]
        code, confidence = self._model.classify(text)
        return DetectedLanguage(code, min(max(float(confidence), 0.0), 1.0), _has_enough(text))

    def is_english(self, sentence: str) -> bool:
        """Whether one sentence of a Dutch text is English already.

        The commonest words of both languages decide first, and the model has to agree. Titles and
        names of a few English words are not taken for sentences.
        """
        around = _around(sentence, _quoted(sentence))
        if any(map(str.islower, _WORD.findall(around))):
            english, dutch = _count(_words(around))
            if english <= dutch:
                return False  # "aldus Smith" beside an English quotation
        return self._reads_english(sentence)

    def english_quotes(self, sentence: str) -> list[str]:
        """The quotations of four or more words in a Dutch sentence that are English.

        Returns:
            Their words as they stand in ``sentence``, in order, without the quotation marks and
            without a comma at the end.
        """
        quotes = (sentence[start:end].rstrip(" ,") for start, end in _quoted(sentence))
        return [
            quote
            for quote in quotes
            if len(_words(quote)) >= _SHORTEST_QUOTE and self._reads_english(quote)
        ]

    def _reads_english(self, text: str) -> bool:
        """Whether ``text`` is English, whatever it is quoted in."""
        words = _words(text)
        english, dutch = _count(words)
        if english <= 3 * dutch:
            return False
        if len(words) < _FEW_WORDS and (english < 2 or len(words) < _FEWEST_WORDS):
            return False
        sure = _SURE if len(words) >= _FEW_WORDS and english >= 2 else _SURE_OF_FEW
        code, confidence = self._model.classify(text[:_READ_CHARACTERS])
        return bool(code == "en" and confidence >= sure)


def _words(text: str) -> list[str]:
    """The words in small letters, without acronyms: ``IT`` is not ``it``."""
    words: list[str] = _WORD.findall(text.replace("’", "'"))
    if not text.isupper():
        words = [word for word in words if len(word) == 1 or not word.isupper()]
    return [word.lower() for word in words]


def _count(words: Sequence[str]) -> tuple[int, int]:
    """How many of the words are surely English, and how many surely Dutch."""
    english = sum(word in ENGLISH_WORDS for word in words)
    return english, sum(word in _DUTCH_WORDS for word in words)


def _quoted(text: str) -> list[tuple[int, int]]:
    """Where the words of quotations stand, in order."""
    plain = text.translate(_QUOTES)
    return sorted({*_double_quoted(plain), *_single_quoted(plain)})


def _around(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """``text`` without its ``spans``, which are in order and may overlap."""
    pieces = []
    position = 0
    for start, end in spans:
        pieces.append(text[position:start])
        position = max(position, end)
    return " ".join([*pieces, text[position:]])


def _double_quoted(text: str) -> Iterator[tuple[int, int]]:
    """Where words stand between two double quotation marks."""
    marks = [index for index, character in enumerate(text) if character == '"']
    for start, end in pairwise(marks):
        if start + 1 < end and not text[start + 1].isspace() and not text[end - 1].isspace():
            yield start + 1, end


def _single_quoted(text: str) -> Iterator[tuple[int, int]]:
    """Where words stand between two single quotation marks that are no apostrophes."""
    start = None
    for mark in _SINGLE_MARK.finditer(text):
        if mark["closing"] and start is not None:
            yield start, mark.start()
            start = None
        elif mark["opening"]:
            start = mark.end()


def _has_enough(text: str) -> bool:
    words = sum(1 for word in text.split() if any(map(str.isalpha, word)))
    letters = sum(map(str.isalpha, text))
    return words >= _ENOUGH_WORDS or letters >= _ENOUGH_LETTERS
