"""A number as the set of its possible values.

A number that can be read in several ways has several values: ``20.45`` is 20.45 and a clock time,
``'80`` is 80 and 1980. Two numbers agree when they share a value. Points and commas are read by the
rules of the sentence's language, so ``12,5`` in an English sentence agrees with nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

Value = Decimal | str
"""A quantity, or ``clock 405`` (minutes of a 12-hour dial), ``month 3``, ``code 3.11.2``."""

_MAX_DIGITS = 40
"""Longer strings of digits are compared as they stand."""

_MARK = re.compile(r"[.,:]")


@dataclass(frozen=True, slots=True)
class Number:
    """One number of a sentence.

    Attributes:
        text: as it is written.
        start: offset of its first character.
        end: offset after its last character, scale word included.
        values: everything it may stand for.
        parts: agrees, too, when each of these agrees (a fraction, a date).
        required: it must have a counterpart: written in digits, or a clock time in words.
        cardinal: a count in words, from two on.
        scale: power of ten of its scale word (6 in ``3 miljoen``), or 0.
    """

    text: str
    start: int
    end: int
    values: frozenset[Value]
    parts: tuple[frozenset[Value], ...] = ()
    required: bool = False
    cardinal: bool = False
    scale: int = 0

    def agrees_with(self, pool: set[Value]) -> bool:
        """Whether one of its values, or each of its parts, is in ``pool``."""
        if not self.values.isdisjoint(pool):
            return True
        return bool(self.parts) and all(not part.isdisjoint(pool) for part in self.parts)


def values_of(numbers: Sequence[Number]) -> set[Value]:
    """Everything that any of the numbers, or a part of it, may stand for."""
    return {
        value for number in numbers for values in (number.values, *number.parts) for value in values
    }


def readings(
    digits: str, *, thousands: str, point: str
) -> tuple[set[Value], tuple[frozenset[Value], ...]]:
    """What a string of digits, points, commas and colons may stand for: its values and parts.

    Args:
        digits: ASCII digits with single marks between them.
        thousands: the mark between groups of three digits.
        point: the mark before the decimals.
    """
    if len(digits) > _MAX_DIGITS:
        return {f"code {digits}"}, ()
    values: set[Value] = set()
    if digits.isdigit():
        values.add(Decimal(digits))
        if len(digits) == 4 and digits < "2460" and digits[2] < "6":
            values.add(_clock(digits[:2], digits[2:]))
        return values, ()
    groups = _MARK.split(digits)
    marks = "".join(_MARK.findall(digits))
    grouped = 1 <= len(groups[0]) <= 3 and groups[0] != "0"
    whole = marks.rstrip(point) if marks.count(point) == 1 else marks
    if set(whole) <= {thousands} and all(len(group) == 3 for group in groups[1 : len(whole) + 1]):
        if not whole or grouped:
            fraction = groups[len(whole) + 1 :]
            values.add(Decimal("".join(groups[: len(whole) + 1]) + "." + "".join(fraction)))
    elif marks == "." == thousands:
        values.add(Decimal(digits))  # an English decimal, as in "versie 1.5"
    clock = marks in (".", ":") and len(groups[0]) <= 2 and len(groups[1]) == 2
    if clock and int(groups[0]) <= 24 and groups[1] < "60":
        values.add(_clock(*groups))
    decimal_comma = thousands == "," and marks.endswith(",") and set(marks) != {","}
    if values or marks in (",", ".") or decimal_comma:
        return values, ()
    values.add(f"code {digits}")
    numbers = [Decimal(group) for group in groups]
    parts = [frozenset[Value]({n} | ({f"month {n}"} if 1 <= n <= 12 else set())) for n in numbers]
    return values, tuple(parts)


def _clock(hours: str, minutes: str) -> str:
    return f"clock {(60 * int(hours) + int(minutes)) % 720}"


def full_hours(values: set[Value]) -> set[Value]:
    """The clock times that the values are where ``uur`` or ``pm`` follows."""
    hours = [value for value in values if isinstance(value, Decimal) and value <= 24]
    return {f"clock {60 * int(hour) % 720}" for hour in hours if hour == int(hour)}


def short_years(values: set[Value]) -> set[Value]:
    """The last two digits of years: ``1960s`` are ``60s``."""
    years = [value for value in values if isinstance(value, Decimal) and 1800 <= value < 2100]
    return {year % 100 for year in years}


def months(number: Number) -> set[Value]:
    """The months that a number may be in a date."""
    found = [value for value in number.values if isinstance(value, Decimal)]
    return {f"month {int(month)}" for month in found if month in range(1, 13)}
