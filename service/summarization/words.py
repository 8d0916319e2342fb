"""The words of English text that say what it is about, alike in all their forms."""

import re
from functools import lru_cache

from service.translation.guard.number_words import INEXACT, english_number, fold

FUNCTION_WORDS = frozenset(
    """
    a about above after again against ago all almost along already also although always am among an
    and another any are around as at away be because become becomes became been before behind being
    below beside besides between both but by came can can't cannot come comes could couldn't did
    didn't do does doesn't doing don't done down during each either else even ever every few for
    from further get gets got had hadn't has hasn't have haven't having he he's he'd he'll her here
    hers herself him himself his how however i i'd i'll i'm i've if in into is isn't it it's its
    itself just least less let like made make makes many may me might mine more most much must my
    myself neither never no nobody none nor not nothing now of off often on once one one's only onto
    or other others our ours ourselves out over own per quite rather really same say saying says
    said she she's she'd she'll should shouldn't since so some still such than that that's the their
    theirs them themselves then there there's these they they're they've they'd they'll this those
    though through thus to together told too toward towards under until up upon us very via was
    wasn't we we're we've we'd we'll were weren't what when where whereas whether which while who
    who's whom whose why will with within without won't would wouldn't yet you you're you've your
    yours according
    """.split()
)
"""Words that say nothing of what a sentence is about, ``say`` and ``according`` among them: they
are added to a quotation and left out freely."""

_TOKEN = re.compile(r"[0-9]++(?:[.,:][0-9]++)*+|[^\W\d_]++(?:['’][^\W\d_]++)*+")
_GROUPED = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
_VOWELS = frozenset("aeiouy")
_LONGEST_WORD = 60


def content_words(text: str) -> list[str]:
    """The words of a text that are no function words, as stems, and its numbers as digits.

    ``Two towns spent 1,200 euros.`` gives ``2 town spent 1200 euro``.
    """
    words = (match.group().replace("’", "'") for match in _TOKEN.finditer(text))
    return [_content(word) for word in words if word.lower() not in FUNCTION_WORDS]


def _content(word: str) -> str:
    if word[0].isdigit():
        return _GROUPED.sub("", word)
    word = word.lower()
    value = None if word in INEXACT else english_number(word)
    return stem(word) if value is None else f"{value}"


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """``word`` without accents, genitive, plural and the endings of verbs.

    ``moves``, ``moved`` and ``moving`` have one stem, as have ``stopped`` and ``stop``; irregular
    forms keep their own.

    Args:
        word: in any case; longer ones than any English word are only put in lower case.
    """
    if len(word) > _LONGEST_WORD:
        return word.lower()
    word = fold(word).replace("’", "'").removesuffix("'s").rstrip("'")
    if len(word) > 4 and word.endswith("ies"):
        word = word[:-3] + "y"
    elif len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        rest = word.removesuffix(ending)
        if rest != word and len(rest) > 2 and not _VOWELS.isdisjoint(rest):
            word = rest
            break
    if len(word) > 3:
        word = word.rstrip("e")
    if len(word) > 3 and word[-1] == word[-2]:
        word = word[:-1]
    return word
