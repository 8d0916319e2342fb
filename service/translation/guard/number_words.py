"""Numbers written in words, Dutch and English."""

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

_LONGEST_WORD = 45
"""Letters of ``negenhonderdnegenennegentigduizend`` and more; nothing longer is a number."""

_DUTCH_UNITS = "nul een twee drie vier vijf zes zeven acht negen".split()
_DUTCH_TEENS = (
    "tien elf twaalf dertien veertien vijftien zestien zeventien achttien negentien".split()
)
_DUTCH_TENS = "twintig dertig veertig vijftig zestig zeventig tachtig negentig".split()
_DUTCH = {word: value for value, word in enumerate(_DUTCH_UNITS + _DUTCH_TEENS)}
_DUTCH |= {word: 10 * value for value, word in enumerate(_DUTCH_TENS, 2)}
_DUTCH |= {
    f"{unit}en{ten}": 10 * tens + units
    for tens, ten in enumerate(_DUTCH_TENS, 2)
    for units, unit in enumerate(_DUTCH_UNITS)
    if units
}
_DUTCH_AMOUNTS = {
    word: Decimal(value)
    for value, words in {
        "0.25": "kwart",
        "0.5": "half halve helft",
        "1": "eerste eenmaal eens enige",
        "1.5": "anderhalf anderhalve",
        "2": "beide beiden allebei dubbel dubbele dubbelspel duo koppel paar verdubbeld verdubbelde"
        " tweeling halveren gehalveerd",
        "3": "derde derden trio verdrievoudigd",
        "6": "halfjaar",
        "10": "decennium decennia tientallen",
        "12": "dozijn",
        "100": "eeuw honderden",
        "1000": "duizenden millennium",
    }.items()
    for word in words.split()
}
_DUTCH_AMOUNTS |= {
    f"{ten}{ending}": Decimal(10 * n)
    for n, ten in enumerate(_DUTCH_TENS, 2)
    for ending in ("er", "ers")
}
_DUTCH_ENDINGS = tuple(
    "jarige jarig koppige koppig daagse daags delige delig voudige voudig tallen tal tjes lingen"
    " ling hoekige hoekig hoek maandelijkse weekse weken uurs persoons personen duims baans zits"
    " deurs mans kamp sterren gangen punter euro maal jaarlijkse baks assige ste de".split()
)
"""What follows a number in one word: ``twaalfjarige``, ``driekoppig``, ``zevental``, ``zesde``."""

_ENGLISH_UNITS = "zero one two three four five six seven eight nine".split()
_ENGLISH_TEENS = (
    "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
)
_ENGLISH_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_ENGLISH = {word: value for value, word in enumerate(_ENGLISH_UNITS + _ENGLISH_TEENS)}
_ENGLISH |= {word: 10 * value for value, word in enumerate(_ENGLISH_TENS, 2)}
_ENGLISH_ORDINALS = {
    "first": 1,
    "second": 2,
    "third": 3,
    "fifth": 5,
    "eighth": 8,
    "ninth": 9,
    "twelfth": 12,
}
_ENGLISH_ORDINALS |= {
    f"{word}th": value for word, value in _ENGLISH.items() if value not in {1, 2, 3, 5, 8, 9, 12}
}
_ENGLISH_ORDINALS |= {f"{word[:-1]}ieth": 10 * n for n, word in enumerate(_ENGLISH_TENS, 2)}
_ENGLISH_AMOUNTS = {
    word: Decimal(value)
    for value, words in {
        "0.25": "quarter quarters",
        "0.5": "half halves halved",
        "1": "once single",
        "2": "both double doubled doubles twice twins couple pair duo secondly",
        "3": "triple tripled thrice trio thirds",
        "4": "fourths quadruple",
        "5": "fifths",
        "10": "decade decades tens tenths",
        "12": "dozen dozens",
        "100": "century centuries hundreds",
        "1000": "thousands millennium",
    }.items()
    for word in words.split()
}
_ENGLISH_AMOUNTS |= {f"{word[:-1]}ies": Decimal(10 * n) for n, word in enumerate(_ENGLISH_TENS, 2)}

INEXACT = frozenset({*_DUTCH_AMOUNTS, *_ENGLISH_AMOUNTS} - {"eerste", "derde", "derden"})
"""Words that name an amount loosely or in one of many ways; ``both`` may stand for ``twee``."""

_DUTCH_SCALES = {
    "honderd": 2,
    "duizend": 3,
    "miljoen": 6,
    "miljoenen": 6,
    "mln": 6,
    "miljard": 9,
    "miljarden": 9,
    "mld": 9,
    "mrd": 9,
    "biljoen": 12,
    "biljoenen": 12,
    "biljard": 15,
    "triljoen": 18,
}
"""Powers of ten that a number before them is multiplied with, on the long scale."""

_ENGLISH_SCALES = {
    "hundred": 2,
    "thousand": 3,
    "k": 3,
    "million": 6,
    "millions": 6,
    "mn": 6,
    "mln": 6,
    "m": 6,
    "billion": 9,
    "billions": 9,
    "bn": 9,
    "trillion": 12,
    "trillions": 12,
    "tn": 12,
    "quadrillion": 15,
    "quintillion": 18,
}
"""The same on the short scale."""


def fold(word: str) -> str:
    """``word`` in lower case without accents."""
    decomposed = unicodedata.normalize("NFKD", word.lower())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


@lru_cache(maxsize=20_000)
def dutch_number(word: str) -> Decimal | None:
    """The value of one Dutch word: ``tweehonderdvijftig``, ``derde``, ``twaalfjarige``.

    Args:
        word: in lower case; accents don't matter.
    """
    if len(word) > _LONGEST_WORD:
        return None
    word = fold(word)
    if (amount := _DUTCH_AMOUNTS.get(word)) is not None:
        return amount
    if (value := _dutch_cardinal(word)) is not None:
        return Decimal(value)
    if word.endswith(("enhalf", "enhalve")):
        value = _dutch_cardinal(word[: word.rindex("enhal")])
        return None if value is None else value + Decimal("0.5")
    if not word.endswith(_DUTCH_ENDINGS):
        return None
    ending = next(ending for ending in _DUTCH_ENDINGS if word.endswith(ending))
    value = _dutch_cardinal(word.removesuffix(ending))
    return Decimal(value) if value else None


def _dutch_cardinal(word: str) -> int | None:
    """The value of one Dutch cardinal below a million."""
    if word in _DUTCH:
        return _DUTCH[word]
    for name, size in (("duizend", 1000), ("honderd", 100)):
        before, found, after = word.partition(name)
        if found:
            count = _dutch_cardinal(before) if before else 1
            rest = _dutch_cardinal(after.removeprefix("en") or after) if after else 0
            return None if count is None or rest is None else count * size + rest
    return None


def english_number(word: str) -> Decimal | None:
    """The value of one English word without a hyphen: ``twelve``, ``third``, ``dozen``.

    Args:
        word: in lower case.
    """
    value = _ENGLISH.get(word)
    if value is None:
        value = _ENGLISH_ORDINALS.get(word)
    return _ENGLISH_AMOUNTS.get(word) if value is None else Decimal(value)


@dataclass(frozen=True, slots=True)
class Language:
    """How a language writes numbers.

    Attributes:
        thousands: the mark between groups of three digits.
        point: the mark before the decimals.
        scales: powers of ten that a number before these words is multiplied with.
        value_of: the value of a number word.
        joiner: ``and`` within a number.
        article: what stands before a scale word for one.
        halves: words for a half after ``and a``.
        connectors: what stands between two numbers that share a scale word.
        uncounted: number words with another, common meaning.
    """

    thousands: str
    point: str
    scales: Mapping[str, int]
    value_of: Callable[[str], Decimal | None]
    joiner: str
    article: frozenset[str]
    halves: frozenset[str]
    connectors: frozenset[str]
    uncounted: frozenset[str]


DUTCH = Language(
    thousands=".",
    point=",",
    scales=_DUTCH_SCALES,
    value_of=dutch_number,
    joiner="en",
    article=frozenset({"een"}),
    halves=frozenset({"half", "halve"}),
    connectors=frozenset({"tot", "en", "of", "à", "naar", "-", "–", ","}),
    uncounted=INEXACT | frozenset({"vierde"}),
)
ENGLISH = Language(
    thousands=",",
    point=".",
    scales=_ENGLISH_SCALES,
    value_of=english_number,
    joiner="and",
    article=frozenset({"a", "an"}),
    halves=frozenset({"half"}),
    connectors=frozenset({"to", "and", "or", "-", "–", ","}),
    uncounted=INEXACT | frozenset({"second"}),
)
