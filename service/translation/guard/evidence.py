"""How the evidence of a warning is written: ``12.500 -> missing; missing -> 7``."""

from collections.abc import Sequence
from itertools import zip_longest

LONGEST = 79
"""Characters of evidence at most; the rest is cut off and marked with ``...``."""


def pair_up(missing: Sequence[str], added: Sequence[str]) -> str:
    """What the source has and the translation lacks, beside what only the translation has."""
    missing, added = list(dict.fromkeys(missing)), list(dict.fromkeys(added))
    pairs = zip_longest(missing, added, fillvalue="missing")
    return shorten("; ".join(f"{left} -> {right}" for left, right in pairs))


def shorten(text: str) -> str:
    """``text`` on one line and in at most :data:`LONGEST` characters."""
    line = " ".join(text[: 4 * LONGEST].split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."
