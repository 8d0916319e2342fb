"""What a text states that can be checked word by word: numbers, dates, units and names."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from service.summarization.words import FUNCTION_WORDS, content_words, stem
from service.translation.guard.names import without_addresses
from service.translation.guard.quantities import Number, Value, values_of
from service.translation.guard.reading import read_english

_UNITS = re.compile(
    r"(?P<percent>%|\bper ?cent\b|\bpercentage|\bpct\b)"
    r"|(?P<EUR>€|\beuros?\b|\bEUR\b)"
    r"|(?P<USD>\$|\bdollars?\b|\bUSD\b)"
    r"|(?P<GBP>£|\bpounds?\b|\bGBP\b)"
    r"|(?P<JPY>¥|\byen\b)"
    r"|\b(?P<monday>mondays?)\b|\b(?P<tuesday>tuesdays?)\b|\b(?P<wednesday>wednesdays?)\b"
    r"|\b(?P<thursday>thursdays?)\b|\b(?P<friday>fridays?)\b|\b(?P<saturday>saturdays?)\b"
    r"|\b(?P<sunday>sundays?)\b",
    re.IGNORECASE,
)
"""Per cent, the currencies that Dutch news is about most, and the days of the week."""
_MONTHS = frozenset(
    "january february march april may june july august september october november december".split()
)
_DAYS = frozenset("monday tuesday wednesday thursday friday saturday sunday".split())
_DATE_GAP = re.compile(r"(?:st|nd|rd|th)?,? (?:of )?")
_CONTEXT = 2
"""Content words on each side of a number that say what it counts."""
_CONTEXT_CHARACTERS = 80
_NO_NAMES = (
    FUNCTION_WORDS
    | _MONTHS
    | _DAYS
    | frozenset(
        """
        mondays tuesdays wednesdays thursdays fridays saturdays sundays mr mrs ms miss dr sir lord
        lady madam president vice minister prime premier king queen prince princess pope mayor
        professor chancellor secretary general captain coach judge senator chief director chairman
        chairwoman government parliament state police god internet
        """.split()
    )
)
"""Words that may have a capital inside a sentence without naming anybody: titles, above all. Days
and months are checked as dates."""

_WORD = re.compile(r"(?:[A-Z]\.){2,6}|[^\W\d_]++(?:['’][^\W\d_]++)*+")
_GENITIVE = re.compile(r"['’]s?$")
_OPENERS = frozenset(".!?:…\"“„‘'’«([-–—|/•*")
_ABBREVIATION = 3
"""Letters of ``Dr.`` and initials: a stop after them ends no sentence."""
_ACRONYM = 3
"""Letters of an acronym that may be another word, too: ``US`` and ``us``."""
_LONGEST_RUN = 6
"""Words of a name whose initials can be an acronym."""
_INSIDE_NAMES = frozenset("of the and for".split())
_SINGULAR = re.compile(r"['’]s\b|,? (?:is|was|has|does|says|[A-ZÀ-Þ])")
_VERB = re.compile(r" (?:had|will|would|can|could|may|might|must|did|said|told|[a-z]{2,}ed)\b")
"""What may follow a name that begins a sentence."""
_INNER_CAPITAL = re.compile(r"[a-zß-öø-ÿ][A-ZÀ-ÖØ-Þ]")
"""As in ``eBay`` and ``VolkerWessels``: a name wherever it stands."""
_NO_NAME = re.compile(r"(?:ly|ing|ion|ment|ness|ity|ance|ence|ism|ship|men|people)$", re.IGNORECASE)
"""Endings of adverbs, participles and nouns that begin a sentence without an article before."""

_SAME = """
    US USA america american states
    UK GB britain british briton kingdom
    EU europe european
    netherlands dutch holland
    belgium belgian
    germany german
    france french frenchman frenchwoman
    spain spanish spaniard
    portugal portuguese
    italy italian
    greece greek
    turkey turkish turk
    denmark danish dane
    sweden swedish swede
    norway norwegian
    finland finnish finn
    iceland icelandic
    poland polish pole
    hungary hungarian
    serbia serbian serb
    croatia croatian croat
    switzerland swiss
    ireland irish
    england english
    scotland scottish scot
    wales welsh
    ukraine ukrainian
    china chinese
    japan japanese
    afghanistan afghan
    egypt egyptian
    morocco moroccan
    suriname surinamese
    canada canadian
    mexico mexican
    brazil brazilian
    argentina argentine
"""
"""Names of one country and its people on each line: a bullet may take any of them for another.
Where the one is the other and ``n`` or ``i``, as in ``Libyan`` and ``Iraqi``, no line is needed."""
_LINES = [line.split() for line in _SAME.strip().splitlines()]


@dataclass(frozen=True, slots=True)
class Name:
    """A word that is, or may be, a name or a part of one.

    Attributes:
        text: as it is written, without a genitive.
        keys: a text that has any of these has the name.
    """

    text: str
    keys: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    end: int
    opens: bool
    """Whether a sentence or a quotation begins with it."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number, date, unit or day of the week of a bullet.

    Attributes:
        text: as it is written.
        values: everything that it may stand for.
        parts: it may stand for all of these together, too: a date in digits, a fraction.
        beside: where it is a day of a month or the month of a day, what the other may stand for.
        context: stems of the content words around it; none for a number that is rarely the same as
            another by chance: a year, a decimal, any number of three digits or more.
    """

    text: str
    values: frozenset[Value]
    parts: tuple[frozenset[Value], ...]
    beside: frozenset[Value]
    context: frozenset[str]


class Facts:
    """What one sentence states, to look the quantities and names of a bullet up in."""

    def __init__(self, text: str) -> None:
        """Reads the sentence, in time linear in its length."""
        plain = without_addresses(text)
        self._values = values_of(_numbers(plain)) | {unit for unit, _ in _units(plain)}
        self._content = frozenset(content_words(text))
        words = _words(text)
        self._words = {_key(word.text) for word in words}
        initials = {letters for run in _runs(words) for _, letters in _initials(run)}
        self._words.update(map(_key, initials))

    def has_quantity(self, quantity: Quantity) -> bool:
        """Whether the sentence has the same number or date, said of something alike.

        Something alike means that one of the content words around it is in the sentence, too: 12
        votes are not 12 minutes.
        """
        if quantity.values.isdisjoint(self._values):
            return bool(quantity.parts) and not any(map(self._values.isdisjoint, quantity.parts))
        if quantity.beside:
            return not quantity.beside.isdisjoint(self._values)
        return not quantity.context or not quantity.context.isdisjoint(self._content)

    def has_name(self, name: Name) -> bool:
        """Whether the sentence has the name, another form of it, or its acronym."""
        return not name.keys.isdisjoint(self._words)


def quantities(text: str) -> list[Quantity]:
    """The numbers, dates, units and days of the week of a bullet.

    Words that name an amount loosely (``both``, ``half``, ``dozens``) and numbers in web addresses
    are left out.
    """
    text = without_addresses(text)
    numbers = _numbers(text)
    found: list[Quantity] = []
    for index, number in enumerate(numbers):
        if not (number.required or number.cardinal or _is_month(number)):
            continue
        beside = frozenset[Value]()
        for other in numbers[max(index - 1, 0) : index + 2]:
            gap = text[min(number.end, other.end) : max(number.start, other.start)]
            if _is_month(number) != _is_month(other) and _DATE_GAP.fullmatch(gap):
                beside |= other.values.union(*other.parts)
        small = all(isinstance(v, str) or (v < 100 and v % 1 == 0) for v in number.values)
        near = _context(text, number.start, number.end) if small else frozenset[str]()
        found.append(Quantity(number.text, number.values, number.parts, beside, near))
    for unit, match in _units(text):
        near = _context(text, *match.span()) if unit in _DAYS else frozenset[str]()
        found.append(Quantity(match.group(), frozenset({unit}), (), frozenset(), near))
    return found


def _context(text: str, start: int, end: int) -> frozenset[str]:
    """The stems of the content words nearest to a place in the text."""
    before = content_words(text[max(start - _CONTEXT_CHARACTERS, 0) : start])
    after = content_words(text[end : end + _CONTEXT_CHARACTERS])
    return frozenset((*before[-_CONTEXT:], *after[:_CONTEXT]))


def _numbers(text: str) -> list[Number]:
    """The numbers and months of a text, without the verbs ``may`` and ``march``."""
    return [
        number for number in read_english(text) if not _is_month(number) or number.text[0].isupper()
    ]


def _is_month(number: Number) -> bool:
    return number.text.lower() in _MONTHS


def _units(text: str) -> list[tuple[str, re.Match[str]]]:
    """Per cent, currencies (as ISO 4217 codes) and days of the week, each where it stands."""
    return [(match.lastgroup or "", match) for match in _UNITS.finditer(text)]


def names(text: str) -> list[Name]:
    """The words of a bullet that name somebody or something, in order.

    Words with a capital that are no titles, days or months. At the beginning of a sentence any word
    has a capital: there it must stand before a verb in the singular or another capital, or before
    any verb when it is no plural, and must not end as common nouns do. A text all in capitals has
    no names.
    """
    found: list[Name] = []
    if text.isupper():
        return found
    for run in _runs(_words(text)):
        acronyms = list(_initials(run))
        for index, word in enumerate(run):
            bare = _GENITIVE.sub("", word.text)
            if len(bare) < 2 or (bare.lower() in _NO_NAMES and not bare.isupper()):
                continue
            if word.opens and not _opens_as_name(bare, text, word.end - len(word.text) + len(bare)):
                continue
            around = {_key(it) for start, it in acronyms if start <= index < start + len(it)}
            found.append(Name(bare, _forms(_key(bare)) | around))
    return found


def _forms(key: str) -> frozenset[str]:
    """Keys of the same name: ``libyan`` and ``libya``."""
    forms = {key} | _ALIASES.get(key, frozenset())
    if len(key) > 3:
        forms |= {f"{key}n", f"{key}i"}
    if len(key) > 4 and key.endswith(("an", "i")):
        forms.add(key[:-1])
    return frozenset(forms)


def _opens_as_name(word: str, text: str, end: int) -> bool:
    if _INNER_CAPITAL.search(word):
        return True
    if _NO_NAME.search(word):
        return False
    plural = word.endswith("s") and not word.isupper()
    return bool(_SINGULAR.match(text, end) or (not plural and _VERB.match(text, end)))


def _words(text: str) -> list[_Word]:
    found: list[_Word] = []
    end = 0
    for match in _WORD.finditer(text):
        gap = text[end : match.start()]
        opens = not found or (gap != "-" and gap.strip()[-1:] in _OPENERS and gap.strip() != "")
        if opens and found and gap == ". ":
            last = found[-1].text
            opens = not (last[0].isupper() and len(last) <= _ABBREVIATION)
        end = match.end()
        found.append(_Word(match.group(), end, opens))
    return found


def _runs(words: list[_Word]) -> list[list[_Word]]:
    """The words with a capital, at their beginning or inside (``eBay``), those together that only
    small words stand between."""
    runs: list[list[_Word]] = []
    joined = False
    for word in words:
        if word.text != word.text.lower() and (word.text.isupper() or not _is_function_word(word)):
            if joined and not word.opens:
                runs[-1].append(word)
            else:
                runs.append([word])
            joined = True
        elif word.text not in _INSIDE_NAMES:
            joined = False
    return runs


def _is_function_word(word: _Word) -> bool:
    return word.text.lower() in FUNCTION_WORDS


def _initials(run: list[_Word]) -> Iterator[tuple[int, str]]:
    """The initials of each part of a run of two words or more, with where the part begins."""
    letters = "".join(word.text[0] for word in run)
    for start in range(len(run) - 1):
        for end in range(start + 2, min(start + _LONGEST_RUN, len(run)) + 1):
            yield start, letters[start:end]


def _key(word: str) -> str:
    """The same for all forms of a word, but another for ``US`` than for ``us``."""
    plain = _GENITIVE.sub("", word).replace(".", "")
    return plain if plain.isupper() and len(plain) <= _ACRONYM else stem(plain)


_ALIASES = {_key(word): frozenset(map(_key, line)) for line in _LINES for word in line}
