"""The guard: checks on one translated sentence that need no model."""

import re
from html import unescape

from service.article.warnings import ArticleWarning, WarningCode
from service.translation.guard import (
    amounts,
    dates,
    leftovers,
    loops,
    names,
    numbers,
    reading,
    wording,
)

MAX_CHARACTERS = 5_000
"""Of a longer text only the length is judged: no model takes such a sentence whole, and reading all
numbers of 100,000 characters takes seconds."""

_WORD = re.compile(r"\w")

_CHECKS = (
    (WarningCode.LENGTH_RATIO, wording.length_ratio),
    (WarningCode.REPETITION, loops.repetition),
    (WarningCode.UNTRANSLATED, leftovers.untranslated),
    (WarningCode.CURRENCY_MISMATCH, amounts.currency_mismatch),
    (WarningCode.DATE_MISMATCH, dates.date_mismatch),
    (WarningCode.NEGATION_MISSING, wording.negation_missing),
    (WarningCode.NAME_MISSING, names.name_missing),
    (WarningCode.QUOTES_MISMATCH, wording.quotes_mismatch),
    (WarningCode.QUESTION_MISMATCH, wording.question_mismatch),
)
_NUMBER_CHECKS = (
    (WarningCode.NUMBER_MISMATCH, numbers.number_mismatch),
    (WarningCode.SCALE_MISMATCH, amounts.scale_mismatch),
    (WarningCode.PERCENT_MISMATCH, amounts.percent_mismatch),
)
_ON_THEIR_OWN = {
    WarningCode.EMPTY_TRANSLATION,
    WarningCode.SOURCE_COPIED,
    WarningCode.UNKNOWN_PIECE,
    WarningCode.URL_MISMATCH,
}

CODES = tuple(
    code
    for code in WarningCode
    if code in _ON_THEIR_OWN or code in dict(_CHECKS) or code in dict(_NUMBER_CHECKS)
)
"""Every code that :func:`check` can give."""


def check(source: str, target: str) -> list[ArticleWarning]:
    """What is wrong, or may be, with one translated sentence.

    Args:
        source: the Dutch sentence, normalised.
        target: its English translation.

    Returns:
        Every code at most once, in the order of :class:`WarningCode`, each with the few words or
        numbers that it rests on. Nothing else is said of a translation that is empty or is the
        source, or longer than :data:`MAX_CHARACTERS`. Never raises; takes time in proportion to
        the two lengths.
    """
    if _WORD.search(source) and not _WORD.search(target):
        return [ArticleWarning(WarningCode.EMPTY_TRANSLATION)]
    if len(source) > MAX_CHARACTERS or len(target) > MAX_CHARACTERS:
        lengths = wording.length_ratio(source, target)
        return [] if lengths is None else [ArticleWarning(WarningCode.LENGTH_RATIO, lengths)]
    found = {
        WarningCode.UNKNOWN_PIECE: leftovers.unknown_piece(source, target),
        WarningCode.URL_MISMATCH: names.url_mismatch(source, target),
    }
    # An entity or an address is judged as such: it holds no number, word or quotation mark.
    source, target = (names.without_addresses(unescape(text)) for text in (source, target))
    if (copied := leftovers.source_copied(source, target)) is not None:
        return [ArticleWarning(WarningCode.SOURCE_COPIED, copied)]
    found |= {code: evidence(source, target) for code, evidence in _CHECKS}
    dutch, english = reading.read_dutch(source), reading.read_english(target)
    found |= {code: evidence(source, target, dutch, english) for code, evidence in _NUMBER_CHECKS}
    return [
        ArticleWarning(code, evidence)
        for code in WarningCode
        if (evidence := found.get(code)) is not None
    ]
