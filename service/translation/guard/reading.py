"""Finds the numbers of a sentence, in digits and in words."""

import re
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import pairwise

from service.translation.guard.dates import MONTHS
from service.translation.guard.number_words import DUTCH, ENGLISH, Language, english_number
from service.translation.guard.quantities import (
    Number,
    Value,
    full_hours,
    months,
    readings,
    short_years,
)

_LARGEST = Decimal(10) ** 27
"""Larger numbers are not put together from words."""
_TOKEN = re.compile(r"[0-9]++(?:[.,:][0-9]++)*+|[^\W\d_]++|[½¼¾⅓⅔]")
_FRACTIONS = {
    "½": (Decimal("0.5"), 1, 2),
    "¼": (Decimal("0.25"), 1, 4),
    "¾": (Decimal("0.75"), 3, 4),
    "⅓": (Decimal("0.33"), 1, 3),
    "⅔": (Decimal("0.67"), 2, 3),
}
_POWER_OF = frozenset("km m cm mm dm hm mi ft in co h o no nox so".split())
"""After these a 2 or 3 is part of a unit or a formula (``km2``, ``CO2``), often spelled out."""
_SUFFIXES = frozenset("e de ste er st nd rd th s".split())
"""What is glued to the digits of an ordinal or a decade: ``21e``, ``3rd``, ``60s``."""
_CLOCK_AFTER = re.compile(
    r"\s?(?:uur|u|am|pm|a\.m|p\.m|o['’]clock|h|hrs|hours?|gmt|utc)\b", re.IGNORECASE
)
_MINUTES = {"kwart": 15, "vijf": 5, "tien": 10, "twintig": 20, "5": 5, "10": 10, "20": 20}
_SURE_MINUTES = frozenset({"kwart", "5", "10", "20"})
_CHAMBER = re.compile(r" Kamer\b")
"""``2e Kamer`` is the House of Representatives."""
_PLURAL = re.compile(r"['’]s\b")
_TON = re.compile(r" ton\b")
"""100,000 euros, or a weight."""
_UP_TO = re.compile(r" na\b")
_CENTURY = re.compile(r"[ -]eeuws?e?\b")
_MONTH_OF = {
    name: number
    for number, (dutch, (english, _)) in enumerate(MONTHS.items(), 1)
    for name in (dutch, english)
}


def read_dutch(text: str) -> list[Number]:
    """The numbers of a Dutch sentence, in order."""
    return _Reader(text, DUTCH).read()


def read_english(text: str) -> list[Number]:
    """The numbers of an English sentence, in order."""
    return _Reader(text, ENGLISH).read()


@dataclass(slots=True)
class _Reader:
    """Reads the numbers of one text from left to right."""

    text: str
    language: Language
    tokens: list[tuple[str, int, int]] = field(init=False)
    numbers: list[Number] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.tokens = [
            (match.group().lower(), match.start(), match.end())
            for match in _TOKEN.finditer(self.text)
        ]

    def read(self) -> list[Number]:
        position = 0
        while position < len(self.tokens):
            word = self.tokens[position][0]
            if "0" <= word[0] <= "9":
                clock = self._read_clock(position) if word in _MINUTES else None
                position = clock or self._read_digits(position)
            elif word in _FRACTIONS:
                value, above, below = _FRACTIONS[word]
                parts = (frozenset({Decimal(above)}), frozenset({Decimal(below)}))
                self._add(position, position + 1, {value}, parts=parts, required=True)
                position += 1
            else:
                position = self._read_word(position)
        return self._related()

    def _add(
        self,
        first: int,
        after: int,
        values: set[Value],
        *,
        parts: tuple[frozenset[Value], ...] = (),
        required: bool = False,
        cardinal: bool = False,
        scale: int = 0,
    ) -> None:
        start, end = self.tokens[first][1], self.tokens[after - 1][2]
        self.numbers.append(
            Number(
                self.text[start:end],
                start,
                end,
                frozenset(values),
                parts,
                required,
                cardinal,
                scale,
            )
        )

    def _word(self, position: int) -> str:
        """The token there in lower case, or nothing when it does not belong to the one before."""
        if not 0 < position < len(self.tokens):
            return ""
        gap = self.text[self.tokens[position - 1][2] : self.tokens[position][1]]
        return self.tokens[position][0] if gap in ("", " ", "-") else ""

    def _glued(self, position: int) -> bool:
        return (
            0 < position < len(self.tokens)
            and self.tokens[position - 1][2] == self.tokens[position][1]
        )

    def _read_digits(self, first: int) -> int:
        digits, start, _ = self.tokens[first]
        before = self.tokens[first - 1][0] if self._glued(first) else ""
        if digits in ("2", "3") and before in _POWER_OF:
            return first + 1
        values, parts = readings(
            digits, thousands=self.language.thousands, point=self.language.point
        )
        after = first + 1
        if self._glued(after) and (fraction := _FRACTIONS.get(self.tokens[after][0])):
            values = {value + fraction[0] for value in values if isinstance(value, Decimal)}
            after += 1
        elif self._glued(after) and self.tokens[after][0] in _SUFFIXES:
            if self.tokens[after][0] == "s":
                values |= short_years(values)
            after += 1
        elif _PLURAL.match(self.text, self.tokens[first][2]):
            values |= short_years(values)
            after += 1
        after, half = self._half(after)
        after, scale = self._scale(after)
        if half or scale:
            # "3 m" are metres, too.
            kept = values if self.tokens[after - 1][0] == "m" else set[Value]()
            values = kept | {
                (value + half).scaleb(scale) for value in values if isinstance(value, Decimal)
            }
        elif _CLOCK_AFTER.match(self.text, self.tokens[after - 1][2]):
            values |= full_hours(values)
        if self.text[start - 1 : start] in ("'", "’") and len(digits) == 2:
            values |= {Decimal(century + int(digits)) for century in (1800, 1900, 2000)}
        if first and self.tokens[first - 1][0] == "jaren":
            values |= short_years(values)
        required = _CHAMBER.match(self.text, self.tokens[after - 1][2]) is None
        self._add(first, after, values, parts=parts, required=required, scale=scale)
        return after

    def _half(self, position: int) -> tuple[int, Decimal]:
        """``en een half`` or ``and a half`` there: the position after it, and a half."""
        language = self.language
        if (
            self._word(position) == language.joiner
            and self._word(position + 1) in language.article
            and self._word(position + 2) in language.halves
        ):
            return position + 3, Decimal("0.5")
        return position, Decimal(0)

    def _scale(self, position: int) -> tuple[int, int]:
        """Scale words there: the position after them, and the power of ten that they make."""
        power = 0
        while (step := self.language.scales.get(self._word(position))) and power < 30:
            power += step
            position += 1
        return position, power

    def _read_word(self, first: int) -> int:
        language, word = self.language, self.tokens[first][0]
        if (month := _MONTH_OF.get(word)) is not None:
            self._add(first, first + 1, {f"month {month}"})
            return first + 1
        if (after := self._read_clock(first)) is not None:
            return after
        value = language.value_of(word)
        scale = language.scales.get(word)
        if value is None and word in language.article and self._word(first + 1) in language.scales:
            value = Decimal(1)
        elif value is None and scale and len(word) > 3:
            value, scale = Decimal(1).scaleb(scale), None
        if value is None:
            return first + 1
        return self._read_words(first, value)

    def _read_words(self, first: int, value: Decimal) -> int:
        """A number that begins with the word there, whose value is given."""
        language = self.language
        after, value = self._tens(first + 1, value)
        after, half = self._half(after)
        if value == Decimal("0.5") and self._word(after) in language.article:
            after += self._word(after + 1) in language.scales
        total, current, largest = Decimal(0), value + half, 0
        while total + current < _LARGEST:
            if step := language.scales.get(self._word(after)):
                if len(self._word(after)) < 2:
                    break
                current = (current or Decimal(1)).scaleb(step)
                largest = max(largest, step)
                after += 1
                if step > 2:
                    total, current = total + current, Decimal(0)
                continue
            skip = self._word(after) == language.joiner
            rest = language.value_of(self._word(after + skip)) if self._word(after + skip) else None
            hundreds = (total or current) % 100 == 0 and (total or current) >= 100
            if not hundreds or current % 100 or rest is None or not 1 <= rest < 100:
                break
            if skip and not largest:
                break
            after, rest = self._tens(after + skip + 1, rest)
            current += rest
        total += current
        if dozen := self._word(after) in ("dozen", "dozijn") and total > 0:
            total, after = 12 * total, after + 1
        counted = total >= 2 and total == total.to_integral_value()
        self._add(
            first,
            after,
            {total},
            cardinal=counted
            and not dozen
            and self.tokens[first][0] not in language.uncounted
            and self.tokens[first][0] not in language.scales,
            scale=largest if largest > 2 else 0,
        )
        return after

    def _tens(self, position: int, value: Decimal) -> tuple[int, Decimal]:
        """``twenty`` before ``five`` makes one number."""
        if self.language is ENGLISH and 20 <= value <= 90 and value % 10 == 0:
            unit = english_number(self._word(position)) if self._word(position) else None
            if unit is not None and 1 <= unit <= 9 and unit % 1 == 0:
                return position + 1, value + unit
        return position, value

    def _hour(self, position: int) -> int | None:
        """The hour from 1 to 12 that stands there, in words or digits."""
        word = self._word(position)
        if word.isascii() and word.isdigit() and len(word) < 3:
            value: Decimal | None = Decimal(word)
        else:
            value = self.language.value_of(word) if word else None
        return int(value) if value is not None and value in range(1, 13) else None

    def _read_clock(self, first: int) -> int | None:
        """A clock time in words that begins there: ``half zeven``, ``quarter past six``."""
        word, second = self.tokens[first][0], self._word(first + 1)
        if word in ("noon", "midday", "midnight", "middernacht"):
            self._add(first, first + 1, {"clock 0", Decimal(12)})
            return first + 1
        if self.language is ENGLISH:
            return self._read_english_clock(first, word, second)
        counted = self._word(first + 2) in self.language.scales  # "half een miljoen"
        if word == "half" and not counted and (hour := self._hour(first + 1)) is not None:
            self._add_clock(first, first + 2, 60 * hour - 30, required=True)
            return first + 2
        minutes = _MINUTES.get(word)
        if minutes is None or second not in ("voor", "over"):
            return None
        sign = 1 if second == "over" else -1
        if self._word(first + 2) == "half" and (hour := self._hour(first + 3)) is not None:
            self._add_clock(first, first + 4, 60 * hour - 30 + sign * minutes, required=True)
            return first + 4
        if (hour := self._hour(first + 2)) is None:
            return None
        # "Vijf voor twaalf" is a saying, too, and "tien over vijf" may be about ten things.
        surely = word in _SURE_MINUTES and (sign, hour) != (-1, 12)
        parts: tuple[frozenset[Value], ...] = ()
        if word != "kwart":  # "5 voor 10 euro"
            parts = frozenset({Decimal(minutes)}), frozenset({Decimal(hour)})
        time = 60 * hour + sign * minutes
        self._add_clock(first, first + 3, time, parts=parts, required=surely)
        return first + 3 if word in _SURE_MINUTES else None

    def _read_english_clock(self, first: int, word: str, second: str) -> int | None:
        if word == "half" and second == "past" and (hour := self._hour(first + 2)) is not None:
            self._add_clock(first, first + 3, 60 * hour + 30, required=True)
            return first + 3
        if word == "half" and second.isalpha() and (hour := self._hour(first + 1)) is not None:
            self._add_clock(first, first + 2, 60 * hour + 30)  # British; or the end of a match
            return None
        minutes = Decimal(15) if word == "quarter" else self.language.value_of(word)
        after, minutes = self._tens(first + 1, minutes or Decimal(0))
        sign = {"past": 1, "after": 1, "to": -1, "before": -1, "of": -1}.get(self._word(after))
        if sign and minutes in (5, 10, 15, 20, 25) and (hour := self._hour(after + 1)) is not None:
            self._add_clock(first, after + 2, 60 * hour + sign * int(minutes))
            return after + 2 if word == "quarter" else None
        if (hour := self._hour(first)) is not None and second in ("thirty", "fifteen"):
            self._add_clock(first, first + 2, 60 * hour + (30 if second == "thirty" else 15))
            return first + 2
        return None

    def _add_clock(
        self,
        first: int,
        after: int,
        minutes: int,
        *,
        parts: tuple[frozenset[Value], ...] = (),
        required: bool = False,
    ) -> None:
        self._add(first, after, {f"clock {minutes % 720}"}, parts=parts, required=required)

    def _related(self) -> list[Number]:
        """The numbers, with the values that they have by the words and numbers beside them."""
        numbers = [self._in_context(number) for number in self.numbers]
        for index, (left, right) in enumerate(pairwise(numbers)):
            gap = self.text[left.end : right.start]
            more_left: set[Value] = set()
            more_right: set[Value] = set()
            if right.scale and not left.scale and gap.strip() in self.language.connectors:
                more_left = {v.scaleb(right.scale) for v in left.values if isinstance(v, Decimal)}
            if gap in ("-", "/", "–", "-'", "/'") and left.required and right.required:
                more_left |= months(left)
                more_right |= months(right)
                if len(left.text) == 4 and len(right.text) == 2:
                    more_right.add(Decimal(f"{left.text[:2]}{right.text}"))
                if gap == "/" and left.text == "1":
                    more_left |= right.values  # "a third" has no 1
                if gap == "/" and right.text in ("2", "4"):
                    more_left.add(1 / Decimal(right.text))
                    more_right.add(1 / Decimal(right.text))
            if gap in (" meter ", " euro ") and len(right.text) == 2:
                more_left = more_right = {
                    whole + hundredths / 100
                    for whole in left.values
                    for hundredths in right.values
                    if isinstance(whole, Decimal) and isinstance(hundredths, Decimal)
                }
            if gap == " van de " and _CENTURY.match(self.text, right.end):
                decades = {v for v in left.values if isinstance(v, Decimal) and v < 100}
                starts = {v for v in right.values if isinstance(v, Decimal) and v >= 100}
                more_left = more_right = {v + start for v in decades for start in starts}
            if more_left:
                numbers[index] = replace(left, values=left.values | more_left)
            if more_right:
                numbers[index + 1] = replace(right, values=right.values | more_right)
        return numbers

    def _in_context(self, number: Number) -> Number:
        """``number``, as ``op twee na`` (the third), ``17e eeuw`` and ``3 ton`` make it."""
        if self.language is ENGLISH or len(number.values) != 1:
            return number
        [value] = number.values
        if not isinstance(value, Decimal) or value > 100:
            return number
        if _UP_TO.match(self.text, number.end) and self.text[: number.start].endswith("op "):
            return replace(number, values=frozenset({value, value + 1}))
        if _CENTURY.match(self.text, number.end):
            return replace(number, values=frozenset({value, 100 * value - 100}))
        if _TON.match(self.text, number.end):
            return replace(number, values=frozenset({value, 100_000 * value}))
        return number
