"""The sentences of a summary that a model wrote, one for each bullet."""

import re

from service.article.normalization import remove_invisible
from service.article.segmentation import CLOSING_MARKS, OPENING_MARKS, split_sentences
from service.summarization.generator import Generated

_WORD = re.compile(r"[^\W_]+")
_SPACE_BEFORE_STOP = re.compile(r"""\s++(?=[.,;:!?]["'”’)]?(?:\s|\Z))""")
_ENDED = re.compile(rf"[.!?…][{re.escape(CLOSING_MARKS)}]*\Z")

_NEVER_LAST = frozenset(
    """
    adm ald atty ave brig capt cmdr col cpl dept dist e.g gov hon i.e insp lt maj messrs mt pfc ph.d
    pres prof pvt rep reps rev sen sens sgt st supt
    """.split()
)
"""English abbreviations that no sentence ends with, beside those of the Dutch rules."""

_MAY_BE_LAST = frozenset("a.m b.c d.c e.u p.m u.k u.n u.s u.s.a co corp inc jr ltd sr".split())
"""English abbreviations that a sentence may end with or a name may follow."""

_MONTHS = frozenset("apr aug dec feb jan jul jun mar nov oct sep sept".split())
"""Months that go on before a number: ``Oct. 5``."""

_STARTERS = frozenset(
    """
    a after all an and as at both but by during each even every few for from he her here his how i
    if in instead it its last later many meanwhile more most no not now on once one only other our
    she since so some still such that the their then there these they this those though two under
    until we what when where while who why with yet you
    """.split()
)
"""Words that often open an English sentence and seldom follow an abbreviation in it."""


def model_sentences(written: Generated) -> list[str]:
    """The sentences of a summary, on one line each, in order.

    Invisible characters and the space that models write before a full stop go; so does what holds
    no letter or digit, and a last sentence that the length limit cut off.
    """
    text = " ".join(remove_invisible(written.text).split())
    spans: list[tuple[int, int]] = []
    for start, end in split_sentences(text):
        if spans and _goes_on(
            text[max(0, spans[-1][1] - 20) : spans[-1][1]], text[start : start + 40]
        ):
            start = spans.pop()[0]
        spans.append((start, end))
    sentences = [_SPACE_BEFORE_STOP.sub("", text[start:end]) for start, end in spans]
    if written.reached_limit and sentences and not _ENDED.search(sentences[-1]):
        sentences.pop()
    return [sentence for sentence in sentences if _WORD.search(sentence)]


def _goes_on(before: str, after: str) -> bool:
    """Whether an English abbreviation at the end of ``before`` belongs to what comes ``after``.

    :func:`split_sentences` knows Dutch, and cuts at some abbreviations of English.
    """
    last = before.split()[-1]
    if not last.endswith(".") or not after:
        return False
    abbreviation = last.rstrip(".").lstrip(OPENING_MARKS).lower()
    if abbreviation in _NEVER_LAST:
        return True
    if abbreviation in _MONTHS:
        return after[0].isdigit()
    first = _WORD.search(after)
    return abbreviation in _MAY_BE_LAST and first is not None and first[0].lower() not in _STARTERS
