"""What the numbers count: millions or billions, per cent, and which currency."""

import re
from collections.abc import Mapping, Sequence

from service.translation.guard.evidence import pair_up
from service.translation.guard.quantities import Number, Value, values_of

_SMALLEST_SCALE = 6
_DUTCH_SCALE = re.compile(r"miljo(?:en|n)|miljard|biljoen|biljard|triljoen(?!en)", re.IGNORECASE)
_ENGLISH_SCALE = re.compile(
    r"(?:m|b|tr|quadr|quint)illion|(?<=[0-9 ])(?:mn|bn|tn)\b", re.IGNORECASE
)
"""``Triljoenen`` is left out: in newspapers it means very many, and is ``trillions``."""
_POWER = {
    "miljoen": 6, "miljon": 6, "miljard": 9, "biljoen": 12, "biljard": 15, "triljoen": 18,
    "million": 6, "mn": 6, "billion": 9, "bn": 9, "trillion": 12, "tn": 12,
    "quadrillion": 15, "quintillion": 18,
}  # fmt: skip

_PERCENT = re.compile(r"%|procent(?!u)|percent(?!ile)|per cent\b|\bpct\b", re.IGNORECASE)
_PERCENT_AFTER = re.compile(r"[ -]?(?:%|procent|percent|per cent\b|pct\b)", re.IGNORECASE)
_ENUMERATION = re.compile(
    r",? ?(?:-|–|tot|en|of|à|naar|tegen|respectievelijk|to|and|or|versus|from)? ?(?:van )?",
    re.IGNORECASE,
)

_COUNTED = r"(?:[0-9]|lion|bn|mn|hundred|thousand|joen|jard|honderd|duizend|ml[nd]\.?)[ -]"
_DUTCH_MONEY = r"\beuro(?!p)|\bton(?:nen)?\b|\btientjes?\b|\bbriefjes? van\b"
"""Words for amounts of euros: ``twee ton`` is €200,000."""
_CURRENCIES: Mapping[str, tuple[str, str, str, str]] = {
    "EUR": (r"€|\beuro(?:['’]?s)?\b|\beur\b", _DUTCH_MONEY, r"€|\beuros?\b|\beur\b", r"\beuro"),
    "USD": (r"\$|\bdollars?\b|\busd\b", "dollar", r"\$|\bdollars?\b|\busd\b", "buck"),
    "GBP": (
        rf"£|\bgbp\b|{_COUNTED}pond\b", r"\bpond", rf"£|\bgbp\b|{_COUNTED}pounds?\b",
        r"\bpounds?\b|sterling|quid",
    ),
    "JPY": (r"¥|\byen\b", r"\bjpy\b|\byen", r"¥|\byen\b", r"\bjpy\b"),
    "CNY": (r"\byuan\b", "¥|yuan|renminbi", r"\byuan\b", "¥|renminbi"),
    "CHF": (rf"{_COUNTED}frank\b|\bchf\b", "frank", rf"{_COUNTED}francs?\b|\bchf\b", "franc"),
    "RUB": (r"\broebels?\b", "roebel", r"\brou?bles?\b", r"rou?bles?"),
    "INR": (r"\broepies?\b", "roepie|₹", r"\brupees?\b", "rupee|₹"),
    "SEK": (
        rf"{_COUNTED}kro(?:on|nen)\b", r"\bkro(?:on|nen|na)", rf"{_COUNTED}kron[aeo]r?\b",
        r"\bkron[aeo]|crowns?",
    ),
    "NLG": (rf"{_COUNTED}gulden\b", "gulden", rf"{_COUNTED}guilders?\b", "guilder"),
}  # fmt: skip
"""By ISO 4217 code: Dutch that surely means it, other Dutch that may, and the same in English.

Some are weights, headdresses or first names too: a number before them makes them sure. Danish and
Norwegian crowns count as Swedish ones."""
_CURRENCY_PATTERNS = [
    (
        code,
        re.compile(dutch, re.IGNORECASE),
        re.compile(f"{dutch}|{other_dutch}", re.IGNORECASE),
        re.compile(english, re.IGNORECASE),
        re.compile(f"{english}|{other_english}", re.IGNORECASE),
    )
    for code, (dutch, other_dutch, english, other_english) in _CURRENCIES.items()
]
_ANY_DUTCH, _ANY_ENGLISH = (
    re.compile("|".join(f"{sure}|{unsure}" for sure, unsure in sides), re.IGNORECASE)
    for sides in zip(*((row[:2], row[2:]) for row in _CURRENCIES.values()), strict=True)
)
"""Most sentences have no money in them: one look tells."""
_TOURNAMENT = re.compile(r"\bEuro (?=(?:19|20)[0-9]{2}\b)")


def scale_mismatch(
    source: str, target: str, dutch: Sequence[Number], english: Sequence[Number]
) -> str | None:
    """Evidence that millions became billions, or the like.

    ``miljard`` is billion and ``biljoen`` is trillion. A scale word that is written out in digits,
    as in ``3,500,000``, is not missing.
    """
    source_scales = {_POWER[word.lower()]: word for word in _DUTCH_SCALE.findall(source)}
    target_scales = {_POWER[word.lower()]: word for word in _ENGLISH_SCALE.findall(target)}
    in_source, in_target = values_of(dutch), values_of(english)
    lost = _unmatched_scales(dutch, in_target, target_scales)
    new = _unmatched_scales(english, in_source, source_scales)
    if not lost and not new:
        # Numbers that agree may have another scale word: "1.000 miljard", "1 trillion".
        shared = (source_scales.keys() & target_scales) | {n.scale for n in (*dutch, *english)}
        swapped_from = [word for power, word in source_scales.items() if power not in shared]
        swapped_to = [word for power, word in target_scales.items() if power not in shared]
        if swapped_from and swapped_to:
            lost, new = swapped_from, swapped_to
    return pair_up(lost, new) if lost or new else None


def _unmatched_scales(
    numbers: Sequence[Number], pool: set[Value], scales: Mapping[int, str]
) -> list[str]:
    return [
        number.text
        for number in numbers
        if number.scale >= _SMALLEST_SCALE
        and number.scale not in scales
        and not number.agrees_with(pool)
    ]


def percent_mismatch(
    source: str, target: str, dutch: Sequence[Number], english: Sequence[Number]
) -> str | None:
    """Evidence that a percentage is one no more, or that another number became one."""
    missing = _not_percent(source, dutch, target, english)
    added = _not_percent(target, english, source, dutch)
    if not missing and not added:
        source_mark, target_mark = _PERCENT.search(source), _PERCENT.search(target)
        if source_mark and not target_mark:
            missing = [source_mark.group()]
        elif target_mark and not source_mark and "procentue" not in source.lower():
            added = [target_mark.group()]
    return pair_up(missing, added) if missing or added else None


def _not_percent(
    text: str, numbers: Sequence[Number], other_text: str, others: Sequence[Number]
) -> list[str]:
    """Percentages of ``text`` that stand in ``other_text`` as plain numbers."""
    direct = [number for number in numbers if _PERCENT_AFTER.match(text, number.end)]
    if not direct:
        return []
    percentages = values_of(_percentages(other_text, others))
    plain = values_of(others)
    return [
        f"{number.text}%"
        for number in direct
        if number.required and number.agrees_with(plain) and not number.agrees_with(percentages)
    ]


def _percentages(text: str, numbers: Sequence[Number]) -> list[Number]:
    """Numbers with a percent sign or word after them, or after a list that they belong to."""
    found: list[Number] = []
    following: Number | None = None
    for number in reversed(numbers):
        joined = following is not None and _ENUMERATION.fullmatch(text, number.end, following.start)
        following = number if joined or _PERCENT_AFTER.match(text, number.end) else None
        if following:
            found.append(number)
    return found


def currency_mismatch(source: str, target: str) -> str | None:
    """Evidence that a currency is missing or was added, as ISO 4217 codes."""
    if not _ANY_DUTCH.search(source) and not _ANY_ENGLISH.search(target):
        return None
    source, target = (_TOURNAMENT.sub("", text) for text in (source, target))
    missing = []
    added = []
    for code, dutch, any_dutch, english, any_english in _CURRENCY_PATTERNS:
        if dutch.search(source):
            if not any_english.search(target):
                missing.append(code)
        elif english.search(target) and not any_dutch.search(source):
            added.append(code)
    return pair_up(missing, added) if missing or added else None
