"""Compares the numbers of a Dutch sentence with those of its translation."""

import re
from collections import Counter
from collections.abc import Sequence

from service.translation.guard.evidence import pair_up
from service.translation.guard.quantities import Number, values_of

_NEGATIVE = re.compile(r"(?<![\w.,)%°€$£])(?<![0-9%] )[-−][€$£]?([0-9]++(?:[.,][0-9]++)*+)")
_BELOW_ZERO = re.compile(
    r"\b(?:min|minus|negative|below|freezing|subzero|sub-zero|onder|vorst|vries\w*|vroor|vroren"
    r"|verlies|tekort|loss|deficit|down|lower|less|minder|lager|daal\w*|gedaald|fell|krimp\w*)\b",
    re.IGNORECASE,
)


def number_mismatch(
    source: str, target: str, dutch: Sequence[Number], english: Sequence[Number]
) -> str | None:
    """Evidence that a number was lost, added or changed.

    Args:
        source: the Dutch sentence.
        target: its translation.
        dutch: the numbers of the one.
        english: the numbers of the other.
    """
    in_source, in_target = values_of(dutch), values_of(english)
    lost = [number for number in dutch if not number.agrees_with(in_target)]
    new = [number for number in english if not number.agrees_with(in_source)]
    lost += _rarer(dutch, english)
    new += _rarer(english, dutch)
    missing = [number.text for number in lost if number.required]
    added = [number.text for number in new if number.required]
    # A count in words that has no counterpart may be said another way ("both", "a pair");
    # beside another number that came from nowhere, it was changed.
    lost_counts = [number.text for number in lost if number.cardinal]
    new_counts = [number.text for number in new if number.cardinal]
    if lost_counts and (added or new_counts):
        missing += lost_counts
    if new_counts and missing:
        added += new_counts
    missing += _lost_sign(source, target)
    added += _lost_sign(target, source)
    return pair_up(missing, added) if missing or added else None


def _rarer(numbers: Sequence[Number], others: Sequence[Number]) -> list[Number]:
    """Numbers that ``others`` has as well, but not as often."""
    counts = Counter(number.values for number in numbers if number.required)
    repeated = {values for values, count in counts.items() if count > 1}
    if not repeated:
        return []
    available = Counter(value for number in others for value in number.values)
    return [
        number
        for number in numbers
        if number.values in repeated
        and 0
        < max((available[value] for value in number.values), default=0)
        < counts[number.values]
    ]


def _lost_sign(text: str, other: str) -> list[str]:
    """Negative numbers of ``text``, where ``other`` has fewer and no word for below zero."""
    found = [match.group() for match in _NEGATIVE.finditer(text)]
    if len(found) <= len(_NEGATIVE.findall(other)) or _BELOW_ZERO.search(other):
        return []
    return found
