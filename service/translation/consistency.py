"""One spelling for a name in all sentences of an article.

A model translates each sentence on its own, and now and then misspells a name in one of them or
leaves the Dutch form of a name in one and writes the English form in the others. Both are put right
where the article itself says how. Place names and words made from them (``Turkije``, ``Turkse``,
``Turkey``, ``Turkish``) and other related words (``Instituut``, ``Institute``) look much like
misspellings of each other, so whatever could be such a pair is left alone.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

MIN_LETTERS = 5
"""Shorter words are near to too many others."""
MAX_LETTERS = 40
LONG_NAME_LETTERS = 8
"""From this length on two letters may differ, below it one."""
MAX_PAIRS = 100
"""A sentence with more pairs of a missing name and a word that might be it is not looked at."""

_WORD = re.compile(r"[^\W\d_]+")
_OPENS_SENTENCE = re.compile(r"""(?:\A|[.!?:]\s|["'(\[„“‘«])[^\w.!?:]*\Z""")
_OPENING_WINDOW = 6

_UNFOLDED = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "æ": "ae", "œ": "oe", "þ": "th"})
_TREMA = re.compile("[aeiou][aeiou]\u0308")
"""The Dutch mark of a new syllable, in NFD: English drops it (``Israël``), but no umlaut."""

_EXONYMS = {
    "afrika": "africa", "amerika": "america", "athene": "athens", "bagdad": "baghdad",
    "bazel": "basel", "belgie": "belgium", "belgrado": "belgrade", "berlijn": "berlin",
    "boekarest": "bucharest", "brugge": "bruges", "cambodja": "cambodia", "chili": "chile",
    "engeland": "england", "europa": "europe", "geneve": "geneva", "genua": "genoa",
    "groenland": "greenland",
    "hannover": "hanover", "hongarije": "hungary", "ierland": "ireland", "ijsland": "iceland",
    "istanboel": "istanbul", "jeruzalem": "jerusalem", "karabach": "karabakh", "kenia": "kenya",
    "libanon": "lebanon", "lissabon": "lisbon", "londen": "london", "luxemburg": "luxembourg",
    "malediven": "maldives", "mekka": "mecca", "milaan": "milan", "moskou": "moscow",
    "napels": "naples", "palestina": "palestine", "parijs": "paris", "polen": "poland",
    "schotland": "scotland", "servie": "serbia", "sicilie": "sicily", "sovjet": "soviet",
    "spanje": "spain", "teheran": "tehran", "theems": "thames", "tokio": "tokyo",
    "turkije": "turkey", "warschau": "warsaw", "zeeland": "zealand",
}  # fmt: skip
"""English of place names that keep their first letter, both folded."""
_TRANSLITERATIONS = (("tsj", "ch"), ("sj", "sh"), ("oe", "u"))
"""Dutch and English spelling of sounds in names from other scripts: Poetin, Putin."""

_RELATED_SPELLING = re.compile(r"aa|ee|oo|uu|ou|oe|ie|ph|[cgk]h|[yjkqzw]")
_RELATED_SPELLINGS = {
    "aa": "a", "ee": "e", "oo": "o", "uu": "u", "ou": "u", "oe": "u", "ie": "i",
    "y": "i", "j": "i", "ph": "f", "ch": "g", "gh": "g", "kh": "g", "k": "c", "q": "c", "z": "s",
    "w": "v",
}  # fmt: skip
_DUTCH_ENDING = re.compile(
    r"[aeo]|ie|ij|j?[ns]|en|es|e?rs|zen|as|ans|i?aanse?|s?se|i?sche?|a?at|[ou]t|op|i?ek|ur|um|m|aar|je"
)
_ENGLISH_ENDING = re.compile(
    r"[aey]|ia|ia?ns?|i?ons?|an[ds]?|e?[ns]|ns|e?se|[ct]e|i?cs?|ca|ish|ey|re|e[rs]|or|i?um|pe|k"
)


def unify_names(sources: Sequence[str], targets: Sequence[str]) -> dict[int, str]:
    """Give each name of an article one spelling in its translation.

    A name is a capitalised word of five letters or more that stands in at least two sentences, not
    only where sentences begin. The form that a sentence's translation has of it is the name itself
    or else the one word there that is spelled nearly the same. Where the article has several forms
    of a name:

    * if the translation has the name as the source has it, and no other form more often, the other
      forms become that, unless they can be an English form of it or a related word;
    * if it has an English form of it (``Putin``) at least twice and more often than the source's
      (``Poetin``), the latter becomes the former.

    A word that is itself in the Dutch article, or in the translation in lower case, never changes.
    A possessive ending stays.

    Args:
        sources: the Dutch sentences of one article.
        targets: their translations, as many.

    Returns:
        The translations that change, by index. Doing it again changes nothing.
    """
    names, written = _names(sources)
    ordinary = {word for target in targets for word in _words(target) if word[0].islower()}
    forms: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, wanted in names.items():
        used = {word for word in _words(targets[index]) if _like_a_name(word, MIN_LETTERS - 1)}
        free = [word for word in sorted(used - written) if word.casefold() not in ordinary]
        absent = [name for name in wanted if name not in used]
        if len(absent) * len(free) > MAX_PAIRS:
            continue
        pairs = [(name, name) for name in wanted if name in used]
        near = [(name, word) for name in absent for word in free if _near(name, word)]
        times = Counter(side for pair in near for side in pair)
        pairs += [pair for pair in near if times[pair[0]] == times[pair[1]] == 1]
        for name, form in pairs:
            forms[name][form].append(index)
    changes: dict[int, dict[str, str]] = defaultdict(dict)
    for name, used_in in forms.items():
        for form, unified in _unified(name, {form: len(used_in[form]) for form in used_in}):
            for index in used_in[form]:
                changes[index][form] = unified
    return {
        index: _WORD.sub(lambda word: change.get(word[0], word[0]), targets[index])  # noqa: B023
        for index, change in sorted(changes.items())
    }


def _names(sources: Sequence[str]) -> tuple[dict[int, list[str]], set[str]]:
    """The names in each sentence that has any, and every word of the article."""
    written: set[str] = set()
    inside: set[str] = set()
    sentences: dict[str, dict[int, None]] = defaultdict(dict)
    for index, source in enumerate(sources):
        for match in _WORD.finditer(source):
            word, start = match[0], match.start()
            written.add(word)
            if _like_a_name(word, MIN_LETTERS):
                sentences[word][index] = None
                if not _OPENS_SENTENCE.search(source, max(0, start - _OPENING_WINDOW), start):
                    inside.add(word)
    names: dict[int, list[str]] = defaultdict(list)
    for name, indices in sentences.items():
        if len(indices) > 1 and name in inside and name.lower() not in written:
            for index in indices:
                names[index].append(name)
    return names, written


def _words(text: str) -> Iterator[str]:
    return (match[0] for match in _WORD.finditer(text))


def _like_a_name(word: str, min_letters: int) -> bool:
    return min_letters <= len(word) <= MAX_LETTERS and word[0].isupper() and not word.isupper()


def _unified(name: str, counts: dict[str, int]) -> Iterator[tuple[str, str]]:
    """(form, what to write for it) of the forms that change, from how often each is used."""
    own = counts.get(name, 0)
    if own == 0 or len(counts) == 1:
        return
    if own == max(counts.values()):
        for form in counts:
            if form != name and not _may_be_related(name, form):
                yield form, name
        return
    english = Counter({form: n for form, n in counts.items() if _is_english_form(name, form)})
    (form, count), (_, second) = [*english.most_common(2), ("", 0), ("", 0)][:2]
    if count > max(own, second):
        yield name, form


def _fold(word: str) -> str:
    """``word`` in lower case without accents."""
    if word.isascii():
        return word.lower()
    letters = unicodedata.normalize("NFD", word.casefold().translate(_UNFOLDED))
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def _near(name: str, word: str) -> bool:
    """Whether a word of a translation may be the name in another spelling."""
    a, b = _fold(name), _fold(word)
    if a[0] != b[0]:
        return False
    if a == b or _is_english_form(name, word):
        return True
    if a.startswith(b) or b.startswith(a):
        return False
    return _within(2 if min(len(a), len(b)) >= LONG_NAME_LETTERS else 1, a, b)


def _is_english_form(name: str, form: str) -> bool:
    """Whether ``form`` is surely the English of a Dutch name."""
    a, b = _fold(name), _fold(form)
    if a == b:
        spelled = unicodedata.normalize("NFD", name.casefold())
        return _TREMA.search(spelled) is not None and name != form
    if name.endswith("ië"):
        return b in (f"{a[:-1]}a", f"{a[:-2]}y")
    if _EXONYMS.get(a) == b:
        return True
    for dutch, english in _TRANSLITERATIONS:
        a = a.replace(dutch, english)
    return a == b


def _may_be_related(name: str, form: str) -> bool:
    """Whether ``form`` may be right: English of the name or of a word related to it."""
    if _is_english_form(name, form):
        return True
    a, b = _fold(name), _fold(form)
    if a == b:
        return False
    if any(map(a.startswith, _EXONYMS)) or (_simplified(a) == _simplified(b) and len(a) >= len(b)):
        return True
    shared = len(_shared_start(a, b))
    return bool(_DUTCH_ENDING.fullmatch(a, shared) and _ENGLISH_ENDING.fullmatch(b, shared))


def _simplified(folded: str) -> str:
    return _RELATED_SPELLING.sub(lambda spelling: _RELATED_SPELLINGS[spelling[0]], folded)


def _shared_start(a: str, b: str) -> str:
    for index, (left, right) in enumerate(zip(a, b, strict=False)):
        if left != right:
            return a[:index]
    return min(a, b, key=len)


def _within(limit: int, a: str, b: str) -> bool:
    """Whether at most ``limit`` letters were added, left out, changed or swapped with the next."""
    shared = len(_shared_start(a, b))
    a, b = a[shared:], b[shared:]
    if limit == 0 or not a or not b:
        return len(a) + len(b) <= limit
    return (
        _within(limit - 1, a[1:], b[1:])
        or _within(limit - 1, a[1:], b)
        or _within(limit - 1, a, b[1:])
        or (a[:2] == b[1::-1] and _within(limit - 1, a[2:], b[2:]))
    )
