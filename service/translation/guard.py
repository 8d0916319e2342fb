"""The guard: checks on one translation that need no model."""

import re
from collections import Counter

from service.article.warnings import WarningCode
from service.translation.translator import Translation

NGRAM = 4
MAX_EXTRA_REPEATS = 2
"""A 4-gram may occur this much more often in the target than in the source, after the top n-gram
count of Raunak et al. 2021 (arXiv 2104.06683) for oscillating translations."""
MAX_RUN = 3
"""More than this many times the same word in a row, and more than the source has, is a loop."""

_WORD = re.compile(r"\w+")


def check(source: str, translation: Translation) -> list[WarningCode]:
    """Warnings about one translated sentence, empty when nothing was found."""
    warnings = []
    if source and not translation.text:
        warnings.append(WarningCode.EMPTY_TRANSLATION)
    if translation.reached_limit:
        warnings.append(WarningCode.LENGTH_LIMIT)
    if _repeats(source, translation.text):
        warnings.append(WarningCode.REPETITION)
    return warnings


def _repeats(source: str, target: str) -> bool:
    source_words, target_words = (_WORD.findall(text.lower()) for text in (source, target))
    extra = _top_ngram_count(target_words) - _top_ngram_count(source_words)
    run = _longest_run(target_words)
    return extra > MAX_EXTRA_REPEATS or run > max(MAX_RUN, _longest_run(source_words))


def _top_ngram_count(words: list[str]) -> int:
    ngrams = zip(*(words[start:] for start in range(NGRAM)), strict=False)
    return max(Counter(ngrams).values(), default=0)


def _longest_run(words: list[str]) -> int:
    longest = run = 0
    previous = None
    for word in words:
        run = run + 1 if word == previous else 1
        longest, previous = max(longest, run), word
    return longest
