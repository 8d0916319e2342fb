"""Dutch that stayed Dutch, and marks that no reader should see."""

import re
from collections import Counter

from service.article.language import ENGLISH_WORDS
from service.translation.guard.evidence import shorten

WINDOW = 8
"""Words of the translation that are looked at together."""
DUTCH_IN_WINDOW = 3
"""This many surely Dutch words among them are no accident."""
COPIED_RUN = 4
"""From so many words of the source in a row on, a part may have been copied."""
DUTCH_IN_RUN = 2
"""It was, when so many of them are surely Dutch,"""
LONG_RUN = 6
"""or when it is as long as this, and one of them is."""
SMALL_WORDS = 3
"""A translation of the very words of its source is a copy when so many of them are in small letters
and none of them is surely English or of a name in another language."""
COPIED_SHARE = 0.9
"""A translation is its source when this share of its words stand there, too."""

_WORDS = frozenset(
    """
    aan aangezien achter allemaal alles altijd andere anders behalve beide bij bijna binnen blijft
    blijven boven buiten daar daarna daarom daarvoor deden deze dezelfde dit doen doet dus echter
    een eens eerder eerst eerste enige enkele erg ergens ervan gaan gaat gaf geeft geen gehad
    geleden gemaakt genoeg geven geweest geworden ging gingen goed goede graag groot grote hadden
    hebben hebt heeft heel hele het hier hij hoe hoewel hun iedere iedereen iemand iets immers
    inmiddels jaar jaren jarige jouw jullie konden komen komt kreeg krijgen krijgt kunnen kunt kwam
    kwamen laat laatste liet maakt maakte maar maken meer meest meeste mensen mij mijn moest moesten
    moet moeten mogen naar naast nadat nemen niemand niet niets nieuwe nog nooit nu omdat onder
    ondanks ongeveer onze ook opnieuw overal precies sinds slechts soms steeds straks tegen terug
    terwijl tijd tijdens toch toen tussen uit uw vaak vanaf vandaag vanuit vanwege veel verder
    verschillende vijf volgens volgende voor vooral voordat vorig vorige vrij vroeg waar waarbij
    waarin waarom waaronder waarop waarvan waren weinig werd werden weten wij wilde willen worden
    wordt zal zeer zegt zei zeker zelf zelfs zich zien ziet zij zijn zoals zodat zonder zou zouden
    zowel zullen
    elkaar kan kost kosten krijgt ligt reageren sprak spreekt staat stapt stelt vindt waarschuwt
    wint woont zoekt
    maandag dinsdag woensdag donderdag vrijdag zaterdag zondag januari februari maart juni juli
    augustus oktober
    """.split()
)
"""Frequent Dutch words that are no English ones."""
_AMBIGUOUS = frozenset("dat die een er ik je met om op wat wel ze".split())
"""Frequent Dutch words that mean something else in English, or are parts of its words."""
_PARTICLES = frozenset("de den der en het te ten ter van".split())
"""Frequent Dutch words that stand in names, too."""
_FREQUENT = _WORDS | _AMBIGUOUS | _PARTICLES
_FOREIGN_PARTICLES = frozenset("al da del di du el la las le los von zu".split())
"""What other languages have between the words of a name."""
_SPELLING = re.compile(
    r"ij(?!ad|b|in)|aa[tnkld]|uu[rt]|eeu|oek|sch(?=r|ij)|[ai]tie$|\w\wheid$|lijke?$|eerd$|erden$|\w\wingen$"
)
"""Letters that English words hardly ever have in this order."""
_WORD = re.compile(r"[^\W\d_]+")
_UNKNOWN = re.compile(
    r"<unk>|</?s>|<pad>|<0x[0-9A-F]{2}>|[\u2047\u2581\ufffd]|@-@|@@(?!\w)"
    r"|&(?:quot|amp|lt|gt|apos|nbsp|#x?[0-9a-f]{1,6});|(?<=[^\W\d_])\?(?=[^\W\d_])"
    r"|(?<![\w?])\?(?=[^\W\d_])",
    re.IGNORECASE,
)


def unknown_piece(source: str, target: str) -> str | None:
    """Marks of letters that the model does not know, or of its own inner spelling."""
    present = {match.lower() for match in _UNKNOWN.findall(source)}
    if "?" in present:
        target = target.replace("?", "")
    found = [mark for mark in _UNKNOWN.findall(target) if mark.lower() not in present]
    return shorten(" ".join(dict.fromkeys(found))) if found else None


def source_copied(source: str, target: str) -> str | None:
    """Evidence that the translation is the source: its Dutch words.

    A line of names, or of words that both languages have, may stay as it is.
    """
    words = _WORD.findall(target)
    known = Counter(_WORD.findall(source.lower()))
    shared = sum((Counter(word.lower() for word in words) & known).values())
    if not words or shared < COPIED_SHARE * len(words) or 2 * len(words) < known.total():
        return None
    dutch = [word for word, counts in zip(words, _dutch(words), strict=True) if counts]
    identical = shared == len(words) == known.total()
    if identical and not dutch:
        dutch = _small_words(target, words)
    needed = 1 if identical else 1 + len(words) // 6
    return shorten(" ".join(dutch)) if len(dutch) >= needed else None


def _small_words(text: str, words: list[str]) -> list[str]:
    """The words in small letters if there are enough to tell a Dutch line from names and a list."""
    small = [word for word in words if word.islower() and len(word) > 2]
    foreign = not ENGLISH_WORDS.union(_FOREIGN_PARTICLES).isdisjoint(small)
    return [] if foreign or "," in text or len(small) < SMALL_WORDS else small


def untranslated(source: str, target: str) -> str | None:
    """The words of the translation that are still Dutch, where there are several together."""
    words = _WORD.findall(target)
    sure = [word in _WORDS for word in words]
    for start in range(len(words)):
        window = sure[start : start + WINDOW]
        if sure[start] and sum(window) >= DUTCH_IN_WINDOW:
            return shorten(" ".join(words[start : start + WINDOW]))
    return _copied_part(_WORD.findall(source), words)


def _copied_part(source: list[str], target: list[str]) -> str | None:
    """A run of source words that stand in the target in the same order, and are Dutch."""
    grams = {tuple(source[start : start + COPIED_RUN]) for start in range(len(source))}
    dutch = _dutch(target)
    run = 0
    for end in range(COPIED_RUN, len(target) + 1):
        copied = tuple(target[end - COPIED_RUN : end]) in grams
        run = (run + 1 if run else COPIED_RUN) if copied else 0
        found = sum(dutch[end - run : end]) if run <= LONG_RUN else 0
        if found >= DUTCH_IN_RUN or (found and run == LONG_RUN):
            return shorten(" ".join(target[end - run : end]))
    return None


def _dutch(words: list[str]) -> list[bool]:
    """Per word, whether it is surely Dutch and no part of a name."""
    found = []
    name_follows = False
    for index, word in reversed(list(enumerate(words))):
        lower = word.lower()
        if word[0].isupper():
            found.append(index == 0 and not name_follows and lower in _FREQUENT)
            name_follows = True
        elif word in _PARTICLES or word in _FOREIGN_PARTICLES:
            # "van de" before "Vries" is a part of the name
            found.append(word in _PARTICLES and not name_follows)
        else:
            dutch = word in _FREQUENT or (len(word) < 40 and _SPELLING.search(word) is not None)
            found.append(dutch)
            name_follows = False
    return found[::-1]
