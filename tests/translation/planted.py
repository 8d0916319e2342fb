"""Errors planted in good translations, as translation models make them."""

import random
import re
from collections.abc import Callable

from service.article.warnings import WarningCode

Plant = Callable[[str, str, random.Random], str | None]
"""The translation with one error in it, by (source, target, randomness); ``None`` where there is
nothing to spoil."""

MONTHS = (
    "January February March April May June July August September October November December"
).split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
COUNTS = "two three four five six seven eight nine ten eleven twelve twenty thirty fifty".split()
CURRENCIES = {"€": "$", "$": "€", "£": "€", "euro": "dollar", "dollar": "euro", "pound": "euro"}
CURRENCIES |= {"euros": "dollars", "dollars": "euros", "pounds": "euros", "yen": "euros"}
MONTH = rf"\b(?:{'|'.join(MONTHS)})\b(?= [0-9])|(?<=[0-9] )(?:{'|'.join(MONTHS)})\b"
DAY = rf"\b(?:{'|'.join(DAYS)})\b"
NAME = r"(?<=[a-z,] )[A-Z][a-z]{2,} [A-Z][a-z]{2,}\b"


def replace_one(text: str, pattern: str, new: Callable[[str], str], choice: random.Random) -> str:
    """One of the pattern's matches, chosen at random, replaced."""
    match = choice.choice(list(re.finditer(pattern, text)))
    return text[: match.start()] + new(match.group()) + text[match.end() :]


def replacing(pattern: str, new: Callable[[str, random.Random], str]) -> Plant:
    def plant(_source: str, target: str, choice: random.Random) -> str | None:
        if not re.search(pattern, target):
            return None
        spoilt = replace_one(target, pattern, lambda found: new(found, choice), choice)
        return " ".join(spoilt.split())

    return plant


def other(words: list[str]) -> Callable[[str, random.Random], str]:
    return lambda found, choice: choice.choice([word for word in words if word != found])


def swap_marks(found: str, _choice: random.Random) -> str:
    return found.translate(str.maketrans(",.", ".,"))


def other_currency(found: str, _choice: random.Random) -> str:
    return CURRENCIES[found]


def loop(words: int, copies: int) -> Plant:
    def plant(_source: str, target: str, choice: random.Random) -> str | None:
        split = target.split()
        if len(split) < words + 2:
            return None
        start = choice.randrange(len(split) - words)
        phrase = split[start : start + words]
        return " ".join(split[:start] + phrase * copies + split[start + words :])

    return plant


def cut(kept: float) -> Plant:
    def plant(_source: str, target: str, _choice: random.Random) -> str | None:
        split = target.split()
        return " ".join(split[: int(len(split) * kept)]) if len(split) > 5 else None

    return plant


def half_dutch(source: str, target: str, _choice: random.Random) -> str | None:
    dutch, english = source.split(), target.split()
    if len(dutch) < 12:
        return None
    return " ".join(english[: len(english) // 2] + dutch[len(dutch) // 2 :])


def copied(source: str, _target: str, _choice: random.Random) -> str | None:
    return source


def twice(_source: str, target: str, _choice: random.Random) -> str | None:
    return f"{target} {target}"


def without_negation(_source: str, target: str, choice: random.Random) -> str | None:
    return replacing(r" not\b|n't\b|\bno |\bnever ", lambda *_: "")(_source, target, choice)


def nothing(_source: str, _target: str, _choice: random.Random) -> str | None:
    return ""


CODES = WarningCode
PLANTED: dict[str, tuple[Plant, WarningCode]] = {
    "digit changed": (
        replacing(r"[0-9]", other(list("123456789"))),
        CODES.NUMBER_MISMATCH,
    ),
    "number dropped": (
        replacing(r"(?<![\w.,])[0-9][0-9.,:]*(?<![.,:])", lambda *_: ""),
        CODES.NUMBER_MISMATCH,
    ),
    "point and comma swapped": (
        replacing(r"(?<![\w.,])[0-9]+(?:[.,][0-9]+)+", swap_marks),
        CODES.NUMBER_MISMATCH,
    ),
    "count in words changed": (
        replacing(rf"\b(?:{'|'.join(COUNTS)})\b", other(COUNTS)),
        CODES.NUMBER_MISMATCH,
    ),
    "minus lost": (replacing(r"(?<= )-(?=[0-9])", lambda *_: ""), CODES.NUMBER_MISMATCH),
    "month swapped": (replacing(MONTH, other(MONTHS)), CODES.DATE_MISMATCH),
    "weekday swapped": (replacing(DAY, other(DAYS)), CODES.DATE_MISMATCH),
    "currency changed": (
        replacing(r"[€$£]|\b(?:euros?|dollars?|pounds?|yen)\b", other_currency),
        CODES.CURRENCY_MISMATCH,
    ),
    "currency dropped": (
        replacing(r"[€$£] ?(?=[0-9])| (?:euros?|dollars|pounds|yen)\b", lambda *_: ""),
        CODES.CURRENCY_MISMATCH,
    ),
    "percent dropped": (
        replacing(r" ?(?:%|per ?cent(?:age points?)?\b)", lambda *_: ""),
        CODES.PERCENT_MISMATCH,
    ),
    "percent made money": (
        replacing(r" ?(?:%|per ?cent(?:age points?)?\b)", lambda *_: " euros"),
        CODES.PERCENT_MISMATCH,
    ),
    "million made billion": (
        replacing(r"\b[mb]illion", lambda found, _: {"m": "b", "b": "m"}[found[0]] + found[1:]),
        CODES.SCALE_MISMATCH,
    ),
    "loop of one word": (loop(1, 6), CODES.REPETITION),
    "loop of two words": (loop(2, 5), CODES.REPETITION),
    "loop of four words": (loop(4, 4), CODES.REPETITION),
    "loop of nine words": (loop(9, 3), CODES.REPETITION),
    "said twice": (twice, CODES.REPETITION),
    "source copied": (copied, CODES.SOURCE_COPIED),
    "second half Dutch": (half_dutch, CODES.UNTRANSLATED),
    "last 70 % cut": (cut(0.3), CODES.LENGTH_RATIO),
    "last 50 % cut": (cut(0.5), CODES.LENGTH_RATIO),
    "last 30 % cut": (cut(0.7), CODES.LENGTH_RATIO),
    "nothing": (nothing, CODES.EMPTY_TRANSLATION),
    "negation removed": (without_negation, CODES.NEGATION_MISSING),
    "quotes removed": (replacing(r'"(.*)"', lambda found, _: found[1:-1]), CODES.QUOTES_MISMATCH),
    "name replaced": (replacing(NAME, lambda *_: "Xu Qing"), CODES.NAME_MISSING),
    "question lost": (replacing(r"\?$", lambda *_: "."), CODES.QUESTION_MISMATCH),
    "address changed": (
        replacing(r"[\w.@-]+\.(?:nl|com|org)\b", lambda found, _: f"x{found}"),
        CODES.URL_MISMATCH,
    ),
    "unknown piece": (
        replacing(r"(?<=[a-z])[aeiou](?=[a-z])", lambda *_: "⁇"),
        CODES.UNKNOWN_PIECE,
    ),
}
"""The errors by name, each with the warning that it should get."""
