"""Putting the terms of a glossary into a finished translation."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

from service.article.normalization import normalize
from service.translation.glossary import Occurrence, Phrases, is_loud

_ARTICLE = re.compile(r"(?:the|an?)\s+", re.IGNORECASE)
_ARTICLE_BEFORE = re.compile(r"(?<!\w)(the|an?)\s+\Z", re.IGNORECASE)
_DUTCH_ARTICLE_BEFORE = re.compile(r"(?<!\w)(?:de|het|een|'t)\s+\Z", re.IGNORECASE)
_ARTICLE_WINDOW = 6
"""Characters before a term in which an article, its space and the end of a word before it fit."""

_VOWEL_SOUND = re.compile(
    r"""
    (?! [Ee]u(?=[a-z]) | EU\b | [Uu]ni(?!n) | [Uu]s[aeu] | [Oo]nc?e\b | U[A-Z.] ) [AEIOUaeiou]
    | [Hh] (?: onest | onou?r | our(?!s?\w) | eir )
    | [FHLMNRSX] [BCDFGHJ-NP-TVWXZ]++ \b    # letters said one by one: an MP, an NHS doctor
    """,
    re.VERBOSE,
)
_OPENING = re.compile(r"""[.!?]["')\]]{0,2}\s["'(\[]?\Z|(?<!\w)["'(\[]\Z""")
_LETTERS = re.compile(r"[^\W\d_]+")
_CLOSED = re.compile(r"""["')\]]*\Z""")
_NEXT_LETTER = re.compile(r"\s([^\W\d_])")
_WORD_START = re.compile(r"(?<![\w'])[^\W\d_]")
_POSSESSIVE = re.compile(r"'[sS](?!\w)")
_REGULAR_PLURAL = re.compile(r"[^\W\d_szxyh](?<!man)\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Applied:
    """A term that holds in a translation.

    Attributes:
        term: the term as it stands in the glossary.
        start: where its English begins in the translation.
        end: one past its last character.
    """

    term: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Placed:
    """A translation after its terms were put in.

    Attributes:
        target: the translation.
        spans: the terms that hold, in the order of the translation.
        missing: the occurrences that do not, in the order of the source.
    """

    target: str
    spans: tuple[Applied, ...]
    missing: tuple[Occurrence, ...]


def place(occurrences: Sequence[Occurrence], target: str, renderings: Mapping[str, str]) -> Placed:
    """Put terms into a translation.

    Each occurrence needs a place of its own: one where the English stands already, whose capitals
    are put right; or one where the model's own rendering of the term stands, or the Dutch term
    itself, if there are no more of these than occurrences without a place. ``'s`` and a plural
    ``s`` after it stay. The English is written as in the glossary, with a capital at the start of
    the sentence, in capitals in a line of capitals, and with capitals before a name that the
    rendering was the title of (``Alderman Jansen``).

    Args:
        occurrences: from :meth:`Glossary.find`, for the sentence that was translated.
        target: its translation.
        renderings: by term, the model's translation of the term alone; may lack some.

    Returns:
        The translation, where nothing but the terms and an ``a``, ``an``, ``the`` or ``'s`` beside
        them has changed.
    """
    groups: dict[str, list[Occurrence]] = defaultdict(list)
    for occurrence in occurrences:
        groups[occurrence.target].append(occurrence)
    terms = {occurrence.term: occurrence.target for occurrence in occurrences}
    wordings = {
        term: _wordings(term, english, renderings.get(term, "")) for term, english in terms.items()
    }
    translation = _Translation(target, terms, wordings)
    chosen: list[_Choice] = []
    taken: set[_Match] = set()
    homeless: dict[str, list[Occurrence]] = defaultdict(list)
    for english, group in groups.items():
        held = [match for match in translation.standing(english) if match not in taken]
        if len(held) > len(group):
            # Some translate another word: "the House discussed house prices".
            held = [match for match in held if translation.is_right(match, english)]
        chosen += [_Choice(*pair, replaces=False) for pair in zip(held, group, strict=False)]
        taken.update(held[: len(group)])
        for occurrence in group[len(held) :]:
            homeless[occurrence.term].append(occurrence)
    missing: list[Occurrence] = []
    for term, group in homeless.items():
        standing = [match for wording in wordings[term] for match in translation.standing(wording)]
        found = sorted({match for match in standing if match not in taken})
        if len(found) > len(group):
            found = []
        chosen += [_Choice(*pair, replaces=True) for pair in zip(found, group, strict=False)]
        taken.update(found)
        missing += group[len(found) :]
    text, spans = translation.written(sorted(chosen, key=lambda choice: choice.match))
    return Placed(text, spans, tuple(sorted(missing, key=lambda occurrence: occurrence.start)))


def substitute(source: str, occurrences: Sequence[Occurrence]) -> str:
    """The Dutch sentence with the English of its terms in it, for the model to copy.

    Args:
        source: the sentence that the occurrences were found in.
        occurrences: those to write in English, in document order.
    """
    first = _first_letter(source)
    loud = is_loud(source)
    pieces: list[str] = []
    position = 0
    for occurrence in occurrences:
        english = occurrence.target
        if _DUTCH_ARTICLE_BEFORE.search(
            source, max(0, occurrence.start - _ARTICLE_WINDOW), occurrence.start
        ):
            english = _without_article(english)
        if loud:
            english = english.upper()
        elif occurrence.start <= first:
            english = _opened(english)
        pieces += (source[position : occurrence.start], english)
        position = occurrence.end
    pieces.append(source[position:])
    return "".join(pieces)


class _Match(NamedTuple):
    """A place in a translation where a phrase stands, without a plural ``s`` or final full stop."""

    start: int
    end: int


class _Choice(NamedTuple):
    match: _Match
    occurrence: Occurrence
    replaces: bool
    """Other words stand there than the English of the occurrence."""


class _Translation:
    """A translation, and where in it the English and the other wordings of terms stand."""

    def __init__(
        self,
        text: str,
        terms: Mapping[str, str],
        wordings: Mapping[str, Sequence[str]],
    ) -> None:
        self._text = text
        self._loud = is_loud(text)
        self._first = _first_letter(text)
        self._matches: dict[str, list[_Match]] = defaultdict(list)
        phrases = Phrases(fold=True)
        for phrase in (*terms.values(), *chain.from_iterable(wordings.values())):
            phrases.add(phrase, (phrase.casefold(), 0))
        for term, english in terms.items():
            if english.islower() and _REGULAR_PLURAL.search(english):  # a name has no plural
                for phrase in filter(_REGULAR_PLURAL.search, (english, *wordings[term])):
                    phrases.add(f"{phrase}s", (phrase.casefold(), 1))
        for start, end, (folded, ending) in phrases.find(text):
            if text[end - 1] == "." and _CLOSED.match(text, end):
                ending = 1  # the full stop of the sentence is not the abbreviation's
            self._matches[folded].append(_Match(start, end - ending))

    def standing(self, phrase: str) -> list[_Match]:
        """Where a phrase stands, in any capitals unless it is an abbreviation: us is not US."""
        matches = self._matches.get(phrase.casefold(), [])
        if phrase.isupper():
            return [match for match in matches if phrase.startswith(self._text[slice(*match)])]
        return matches

    def is_right(self, match: _Match, english: str) -> bool:
        """Whether the English stands there with the right capitals."""
        return self._text[slice(*match)] == self._cased(match, english)

    def _cased(self, match: _Match, english: str) -> str:
        """The English with the capitals that it needs in that place."""
        text = self._text
        found = text[slice(*match)]
        if self._loud:
            return english.upper()
        opening = _OPENING.search(text, max(0, match.start - 5), match.start)
        if match.start <= self._first or (opening and found[:1].isupper()):
            english = _opened(english)
        following = _NEXT_LETTER.match(text, match.end)
        if (
            following is not None
            and following[1].isupper()
            and english[1:].islower()
            and all(word[0].isupper() for word in _LETTERS.findall(found))
        ):
            return _WORD_START.sub(lambda letter: letter[0].upper(), english)
        return english

    def _agreeing(self, article: re.Match[str], english: str) -> str:
        """``a`` or ``an`` and the space after it, as the English that follows wants it."""
        word = article[1][0] + ("n" if _VOWEL_SOUND.match(english) else "")
        return (word.upper() if self._loud else word) + article[0][len(article[1]) :]

    def written(self, choices: Sequence[_Choice]) -> tuple[str, tuple[Applied, ...]]:
        """The translation with the terms in their places, and where they stand in it."""
        text = self._text
        pieces: list[str] = []
        spans = []
        position = length = 0
        for match, occurrence, replaces in choices:
            start, end = match
            english = self._cased(match, occurrence.target)
            before = text[position:start]
            ending = ""
            if replaces:
                article = _ARTICLE_BEFORE.search(
                    text, max(position, start - _ARTICLE_WINDOW), start
                )
                if article and _ARTICLE.match(english):
                    before = text[position : article.start()]
                    english = self._cased(_Match(article.start(), end), occurrence.target)
                elif article and article[1].lower() != "the":
                    before = text[position : article.start()] + self._agreeing(article, english)
                if english[-1] in "sS" and _POSSESSIVE.match(text, end):
                    ending, end = "'", end + 2
            if english[-1] == "." and text.startswith(".", end):
                end += 1  # one full stop for the abbreviation and the sentence
            length += len(before)
            spans.append(Applied(occurrence.term, length, length + len(english)))
            pieces += (before, english, ending)
            length += len(english) + len(ending)
            position = end
        pieces.append(text[position:])
        return "".join(pieces), tuple(spans)


def _wordings(term: str, english: str, rendering: str) -> list[str]:
    """What may stand for a term in a translation besides its English."""
    found = [term, _without_article(normalize(rendering).strip(" .,;:!?\"'"))]
    if english.isalpha() and english.isupper() and len(english) <= 5:
        found.append(".".join(english))  # the U.S.
    found += [f"{wording}." for wording in found if "." in wording]
    # Where the English stands within the wording nothing needs replacing.
    inside = f" {english.casefold()} "
    return [
        wording
        for wording in dict.fromkeys(found)
        if any(map(str.isalnum, wording)) and inside not in f" {wording.casefold()} "
    ]


def _without_article(english: str) -> str:
    article = _ARTICLE.match(english)
    return english[article.end() :] if article else english


def _opened(english: str) -> str:
    """``english`` as at the start of a sentence; ``iPhone`` keeps its own capitals."""
    first = english.split(maxsplit=1)[0]
    return english[0].upper() + english[1:] if first.islower() else english


def _first_letter(text: str) -> int:
    """Where the first word begins; 0 without any."""
    return next((index for index, character in enumerate(text) if character.isalnum()), 0)
