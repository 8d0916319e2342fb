"""Months and days of the week."""

import re

from service.translation.guard.evidence import pair_up

_DAYS = {
    "maandag": ("monday", "mon"),
    "dinsdag": ("tuesday", "tues?"),
    "woensdag": ("wednesday", "wed"),
    "donderdag": ("thursday", "thu(?:rs?)?"),
    "vrijdag": ("friday", "fri"),
    "zaterdag": ("saturday", "sat"),
    "zondag": ("sunday", "sun"),
}
MONTHS = {
    "januari": ("january", "jan"),
    "februari": ("february", "feb"),
    "maart": ("march", "mar"),
    "april": ("april", "apr"),
    "mei": ("may", "may"),
    "juni": ("june", "jun"),
    "juli": ("july", "jul"),
    "augustus": ("august", "aug"),
    "september": ("september", "sept?"),
    "oktober": ("october", "oct"),
    "november": ("november", "nov"),
    "december": ("december", "dec"),
}
"""In order: the Dutch name, the English one, and a pattern for short English."""
_DUTCH_DAY = re.compile("|".join(_DAYS), re.IGNORECASE)
_ENGLISH_DAY = re.compile(
    rf"\b(?:{'|'.join(f'({name})' for name, _ in _DAYS.values())})", re.IGNORECASE
)
_DUTCH_MONTH = re.compile(
    r"(?<!\w)(?:(januari|februari|april|augustus|september|oktober|november|december)\w*"
    r"|(maart|mei|juni|juli)(?:se|maand|dag(?:en)?|avond|ochtend|middag|nacht)?)(?!\w)"
    r"|(?<=[0-9] )(jan|febr?|mrt|apr|jun|jul|aug|sept?|okt|nov|dec)(?:\.|(?= [0-9]))",
    re.IGNORECASE,
)
_SHORT_MONTHS = dict(
    zip(
        "jan feb febr mrt apr jun jul aug sep sept okt nov dec".split(),
        "januari februari februari maart april juni juli augustus september september oktober"
        " november december".split(),
        strict=True,
    )
)
_ENGLISH_MONTH = re.compile(
    rf"\b(?:{'|'.join(f'({name.title()})' for name, _ in MONTHS.values())})\b"
)
_MAYBE_MONTH = re.compile(
    r"\b(?:[Ii]n|[Oo]f|[Bb]y|[Ss]ince|[Uu]ntil|[Ll]ast|[Nn]ext|[Tt]his|[Ee]arly|[Ll]ate|mid|and|to"
    r"|[Oo]n|[0-9]{1,2}(?:st|nd|rd|th)?(?: of)?),?[ -](?:May|March|August)\b"
    r"|\b(?:May|March|August)(?: of|,)? [0-9]"
)
"""``May``, ``March`` and ``August`` are a month for sure only beside such words."""
_NUMERIC_DATE = re.compile(
    r"(?<![0-9./-])([0-9]{1,4})([./-])([0-9]{1,2})(?:\2([0-9]{2,4}))?(?![0-9]|[./-][0-9])"
)
_EASTER = re.compile(r"paas|pasen|pinkster|kerstdag", re.IGNORECASE)
"""``Tweede paasdag`` is Easter Monday; no Dutch word names the day."""


def date_mismatch(source: str, target: str) -> str | None:
    """Evidence that a month or a day of the week is missing or was added.

    Compounds count (``maandagavond``), and a month in a numeric date agrees with its name.
    """
    missing: list[str] = []
    added: list[str] = []
    for lost, new in (_days(source, target), _months(source, target)):
        missing += lost
        added += new
    return pair_up(missing, added) if missing or added else None


def _days(source: str, target: str) -> tuple[list[str], list[str]]:
    dutch = dict.fromkeys(word.lower() for word in _DUTCH_DAY.findall(source))
    english = dict.fromkeys(match.group().lower() for match in _ENGLISH_DAY.finditer(target))
    missing = [
        day
        for day in dutch
        if _DAYS[day][0] not in english
        and not re.search(rf"\b{_DAYS[day][1]}\b", target, re.IGNORECASE)
    ]
    expected = {_DAYS[day][0] for day in dutch}
    if _EASTER.search(source):
        expected |= {"sunday", "monday"}
    return missing, [day.title() for day in english if _is_new(day, expected, source)]


def _months(source: str, target: str) -> tuple[list[str], list[str]]:
    dutch = {name: number for number, name in enumerate(MONTHS, 1)}
    found: dict[str, int] = {}
    for match in _DUTCH_MONTH.finditer(source):
        if match.group()[0].isupper() and match.group() in target:
            continue  # the emperor Augustus
        name = (match[1] or match[2] or match[3]).lower()
        name = _SHORT_MONTHS.get(name, name)
        found[name] = dutch[name]
    numeric_source, numeric_target = _numeric_months(source), _numeric_months(target)
    english = dict.fromkeys(match.group().lower() for match in _ENGLISH_MONTH.finditer(target))
    missing = [
        name
        for name, number in found.items()
        if MONTHS[name][0] not in english
        and number not in numeric_target
        and not re.search(rf"\b{MONTHS[name][1].title()}\b", target)
    ]
    expected = {MONTHS[name][0] for name in found}
    expected |= {MONTHS[name][0] for name, number in dutch.items() if number in numeric_source}
    if not _MAYBE_MONTH.search(target):
        expected |= {"may", "march", "august"}
    return missing, [month.title() for month in english if _is_new(month, expected, source)]


def _is_new(name: str, expected: set[str], source: str) -> bool:
    """A name that stands in the source as it is, as in ``Black Friday``, is not new."""
    return name not in expected and name not in source.lower()


def _numeric_months(text: str) -> set[int]:
    """Months of dates in digits, day first or month first or year first."""
    return {
        int(part)
        for first, mark, second, last in _NUMERIC_DATE.findall(text)
        if last or mark == "/"
        for part in (first, second)
        if 1 <= int(part) <= 12
    }
