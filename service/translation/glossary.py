"""The glossary: Dutch terms whose English is given, and where they stand in a sentence.

Marian models take no lexical constraints in CTranslate2, so the terms are put into the finished
translation, by :mod:`service.translation.placement`.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from service.article.normalization import normalize
from service.errors import InvalidRequest, StartupError

MAX_TERMS = 1_000
MAX_TERM_CHARACTERS = 200
MAX_FILE_BYTES = 1_000_000
SHIPPED_DIRECTORY = Path(__file__).resolve().parent / "glossaries"
"""Glossaries that come with the package: ``NAME.json`` each."""

_CHUNK = re.compile(r"\S+")
_TOKEN = re.compile(r"\w+(?:\.\w+)*|[^\w\s]")
_ADDRESS = re.compile(r"#|www\.", re.IGNORECASE)
_LETTERS = re.compile(r"[^\W\d_]+")
_END = "\n"  # never a token


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A term in a Dutch sentence.

    Attributes:
        start: where it begins in the sentence.
        end: one past its last character.
        term: the term as it stands in the glossary.
        target: its English as it stands in the glossary.
    """

    start: int
    end: int
    term: str
    target: str


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    spaced: str
    """The same after a blank if there is white space before it."""
    start: int
    end: int


class Phrases:
    """Phrases with a value each, found as whole words: a trie over words and punctuation marks.

    Args:
        fold: capitals make no difference.
    """

    def __init__(self, *, fold: bool = False) -> None:
        self._fold = fold
        self._root: dict[str, Any] = {}

    def add(self, phrase: str, value: object) -> None:
        """Add a phrase; one that is there already keeps its value."""
        node = self._root
        for index, token in enumerate(_tokens(phrase, fold=self._fold)):
            node = node.setdefault(token.spaced if index else token.text, {})
        node.setdefault(_END, value)

    def find(self, text: str) -> Iterator[tuple[int, int, Any]]:
        """(start, end, value) of the phrases in ``text``: leftmost, longest, not overlapping."""
        tokens = _tokens(text, fold=self._fold)
        index = 0
        while index < len(tokens):
            node = self._root.get(tokens[index].text)
            after, value = index + 1, None
            ahead = index
            while node is not None:
                ahead += 1
                if _END in node:
                    after, value = ahead, node[_END]
                node = node.get(tokens[ahead].spaced) if ahead < len(tokens) else None
            if value is not None:
                yield tokens[index].start, tokens[after - 1].end, value
            index = after


def _tokens(text: str, *, fold: bool) -> list[_Token]:
    """Words and single punctuation marks; an address, handle or hashtag is one token."""
    found = []
    for chunk in _CHUNK.finditer(text):
        start, end = chunk.span()
        if "://" in chunk[0] or "@" in chunk[0] or _ADDRESS.match(chunk[0]):
            spans = [(start, end)]
        else:
            spans = [token.span() for token in _TOKEN.finditer(text, start, end)]
        for span in spans:
            token = text[slice(*span)]
            token = token.casefold() if fold else token
            found.append(_Token(token, f" {token}" if span[0] == start else token, *span))
    return found


@dataclass(frozen=True, slots=True)
class Glossary:
    """Dutch terms and the English that each must have. Immutable; shared between threads.

    Attributes:
        terms: English by Dutch term, both as :func:`service.article.normalization.normalize` spells
            them. Use :meth:`of` for terms that nobody has checked.
    """

    terms: Mapping[str, str]
    _phrases: Phrases = field(init=False, repr=False, compare=False, default_factory=Phrases)

    def __post_init__(self) -> None:
        # A term's own spelling goes before one derived from another: "Mark" is not a "mark".
        for spell in (str, _capitalized, _shouted):
            for term, target in self.terms.items():
                self._phrases.add(spell(term), (term, target))

    @classmethod
    def of(cls, terms: Mapping[str, str]) -> Self:
        """A glossary of a user's terms.

        Raises:
            InvalidRequest: there are more than 1,000; or a term or its English is blank, has no
                letter or digit, is longer than 200 characters or holds a line break or control
                character. The detail names the term by its number.
        """
        if len(terms) > MAX_TERMS:
            raise InvalidRequest(f"a glossary of {len(terms)} terms; at most {MAX_TERMS} are taken")
        checked = {}
        for number, (term, target) in enumerate(terms.items(), start=1):
            checked[_checked(term, f"glossary term {number}")] = _checked(
                target, f"the translation of glossary term {number}"
            )
        return cls(checked)

    def merged(self, other: "Glossary") -> "Glossary":
        """Both glossaries in one; where both have a term, ``other`` has its English."""
        return Glossary({**self.terms, **other.terms})

    def find(self, source: str) -> list[Occurrence]:
        """The terms in a Dutch sentence.

        A term is found as whole words, with any first capital or in capitals altogether if it is
        written in lower case itself: ``kabinet`` is in ``Kabinet valt`` and ``KABINET VALT``, while
        ``VS`` is not in ``Ajax vs PSV`` and ``Kamer`` is only in capitals or as it is. In a line of
        capitals, a term of up to three capitals can't be told from a word (``OM``, ``om``) and is
        not found.

        Returns:
            Occurrences in document order that don't overlap; the longest of those that begin at one
            word.
        """
        loud = is_loud(source)
        return [
            Occurrence(start, end, term, target)
            for start, end, (term, target) in self._phrases.find(source)
            if not (loud and term.isupper() and len(term) <= 3)
        ]


def load_glossary(name: str) -> Glossary:
    """Read a glossary at start.

    Args:
        name: ``dutch-news``, which comes with the package, or the path of a UTF-8 JSON file: one
            object with Dutch terms as names and their English as values, at most 1 MB.

    Raises:
        StartupError: the file can't be read or does not hold a glossary.
    """
    shipped = SHIPPED_DIRECTORY / f"{name}.json"
    path = shipped if name == shipped.stem and shipped.is_file() else Path(name)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise StartupError(f"glossary {name}: {reason}") from error
    if len(data) > MAX_FILE_BYTES:
        raise StartupError(f"glossary {name}: larger than {MAX_FILE_BYTES} bytes")
    try:
        terms = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_without_duplicates)
    except UnicodeDecodeError as error:
        raise StartupError(f"glossary {name}: not UTF-8") from error
    except RecursionError as error:
        raise StartupError(f"glossary {name}: nested too deeply") from error
    except ValueError as error:
        raise StartupError(f"glossary {name}: {error}") from error
    if not isinstance(terms, dict) or not all(isinstance(term, str) for term in terms.values()):
        raise StartupError(f"glossary {name}: not one JSON object of strings")
    try:
        return Glossary.of(terms)
    except InvalidRequest as error:
        raise StartupError(f"glossary {name}: {error.detail}") from error


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a term stands there twice")
    return made


def _checked(phrase: str, what: str) -> str:
    if len(phrase) > MAX_TERM_CHARACTERS:
        raise InvalidRequest(f"{what} is longer than {MAX_TERM_CHARACTERS} characters")
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in phrase):
        raise InvalidRequest(f"{what} holds a line break or control character")
    phrase = normalize(phrase)
    if not any(map(str.isalnum, phrase)):
        raise InvalidRequest(f"{what} has no letter or digit")
    return phrase


def _capitalized(phrase: str) -> str:
    """``phrase`` as at the start of a sentence; ``ij`` is one letter in Dutch."""
    letters = 2 if phrase.startswith("ij") else 1
    return phrase[:letters].upper() + phrase[letters:]


def _shouted(phrase: str) -> str:
    """``phrase`` as in a line of capitals; up to three letters would look like an abbreviation."""
    return phrase.upper() if len(phrase) > 3 else phrase


def is_loud(text: str) -> bool:
    """Whether a sentence of several words is all in capitals."""
    return text.isupper() and len(_LETTERS.findall(text)) > 1
