"""Words and letters that go round in circles."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from service.translation.guard.evidence import shorten

NGRAM = 4
MAX_EXTRA_REPEATS = 2
"""A 4-gram may occur this much more often in the target than in the source, after the top n-gram
count of Raunak et al. 2021 (arXiv 2104.06683) for oscillating translations."""
MAX_RUN = 3
"""More than this many times the same word in a row, and more than the source has, is a loop."""
MAX_COPIES = 2
"""The same of two words or more in a row."""
LONGEST_PERIOD = 40
"""Words of the longest phrase whose copies side by side are looked for."""
LONG_PHRASE = 6
"""From this many words on, one copy too many is a loop: it says the same thing twice."""

_WORD = re.compile(r"\w+")
_STUTTER = re.compile(r"([^\W\d_]{1,6}?)\1{5,}+|([^\w\s] ?)\2{5,}+")
"""The same few letters or the same sign six times or more: ``nananananana``, ``- - - - - -``."""


def repetition(source: str, target: str) -> str | None:
    """Evidence that the translation repeats what the source does not: the repeated words."""
    words = _WORD.findall(target.lower())
    source_words = _WORD.findall(source.lower())
    if (stutter := _STUTTER.search(target)) and not _STUTTER.search(source):
        return shorten(stutter.group())
    if (phrase := _copied_phrase(words)) is not None:
        start, period, copies = phrase
        _, _, source_copies = _copied_phrase(source_words) or (0, 0, 1)
        if copies > source_copies:
            return shorten(f"{' '.join(words[start : start + period])} (x{copies})")
    ngram, count = _top_ngram(words)
    if count - _top_ngram(source_words)[1] > MAX_EXTRA_REPEATS:
        return shorten(f"{ngram} (x{count})")
    return None


def _copied_phrase(words: Sequence[str]) -> tuple[int, int, int] | None:
    """The phrase with most copies side by side: where it begins, its words, how many copies."""
    best: tuple[int, int, int] | None = None
    if len(set(pairwise(words))) == len(words) - 1:
        return None  # no two words stand together twice
    for period in range(1, min(LONGEST_PERIOD, len(words) // 2) + 1):
        allowed = MAX_RUN if period == 1 else 1 if period >= LONG_PHRASE else MAX_COPIES
        same = 0
        for index in range(period, len(words)):
            same = same + 1 if words[index] == words[index - period] else 0
            copies = same // period + 1
            if copies > allowed and (best is None or copies > best[2]):
                best = index - same - period + 1, period, copies
    return best


def _top_ngram(words: Sequence[str]) -> tuple[str, int]:
    counts = Counter(zip(*(words[start:] for start in range(NGRAM)), strict=False))
    if not counts:
        return "", 0
    [(ngram, count)] = counts.most_common(1)
    return " ".join(ngram), count
