"""What a line of plain text begins with or consists of: markers, times, kickers, addresses."""

import re

from service.article.conventions import byline, credit, split_credit
from service.article.document import BlockKind
from service.article.formats.tables import Span
from service.article.normalization import normalize
from service.article.phrases import KICKERS

_RULE = re.compile(r"(?=.*[-_=*~+#─━═])[-_=*~+#|:.•·–—─━═┼│\s]{3,}+")

_DASHES = "-–—"
_MARKER = re.compile(
    r"(?:(?P<bullet>[-–—*•‣◦▪●○■·►→✓✔])|(?P<number>[0-9]{1,3})[.)]|(?P<letter>[a-z])(?P<stop>[.)]))"
    r"[^\S\r\n]++(?=\S)"
)
_QUOTE_MARKER = re.compile(r">(?:[^\S\r\n]?>)*+(?:[^\S\r\n]++|\Z)")

_CLOCK = r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9]"
_DOTTED_CLOCK = r"(?:[01][0-9]|2[0-3])\.[0-5][0-9]"
_HOUR_WORD = r"(?:[01]?[0-9]|2[0-3])(?:[.:][0-5][0-9]\s?uur\b|u[0-5][0-9]\b)"
_BEFORE_CAPITAL = r"[^\S\r\n]+(?=[\"'“”„‘’(]*[^\W\d_a-zß-öø-ÿ])"
_AFTER_TIME = r"(?:[^\S\r\n]+[-–—|]|:)[^\S\r\n]+(?=\S)"
_RANGE = r"(?:\s?[-–—]\s?{0})?"
_LIVE_TIME = re.compile(
    rf"{_CLOCK}{_RANGE.format(_CLOCK)}(?:{_AFTER_TIME}|{_BEFORE_CAPITAL})"
    rf"|{_DOTTED_CLOCK}{_RANGE.format(_DOTTED_CLOCK)}{_AFTER_TIME}"
)
_LIVE_HOUR = re.compile(rf"{_HOUR_WORD}(?:{_AFTER_TIME}|{_BEFORE_CAPITAL})")
_TIME_ALONE = re.compile(rf"{_CLOCK}|{_HOUR_WORD}")

_KICKER = re.compile(r"(?P<kicker>[^\s\-–—|][^|\-–—\r\n]{0,25}?)\s+[-–—]\s+(?=\S)")
_BETWEEN_PIPES = re.compile(r"[^|\s][^|]*+")

_FURNITURE = re.compile(
    r"[(\[]?(?:door|van|foto|beeld|bron|illustratie|teken|tekst|©)", re.IGNORECASE
)
_LONGEST_CAPTION = 300

_UNITS = frozenset(
    """
    °C °F cl cm cm² dB EUR g GB GBP GHz GW GWh h ha Hz kB kg kHz km km² km/h kW kWh l m m² m³ mA MB
    mg MHz min ml mm MW MWh ms s t TB USD V W
    """.split()
)
_ADDRESS = re.compile(
    r"""
    [<("'„“]*+
    (?:
        (?:https?://|www\.)\S+
        | [^\s@]++@[^\s@]++
        | (?:[a-z0-9-]++\.)++(?:nl|be|com|org|eu|net|nu|info|de|uk|io|tv)(?:/\S*)?
        | [@\#][\w.]++
    )
    [>)"'”.,;]*
    """,
    re.VERBOSE | re.IGNORECASE,
)


def nothing_to_translate(text: str) -> bool:
    """Whether ``text`` has no words: only addresses, handles, hashtags, numbers and units."""
    before_is_number = False
    for token in text.split():
        is_number = not any(map(str.isalpha, token))
        if not (is_number or (before_is_number and token in _UNITS) or _ADDRESS.fullmatch(token)):
            return False
        before_is_number = is_number and any(map(str.isdigit, token))
    return True


def is_rule(line: str) -> bool:
    """Whether a line only separates: ``***``, ``---``, ``|---|---|``, ``+---+``."""
    return _RULE.fullmatch(line) is not None


def list_marker(
    line: str, following: str, *, in_paragraph: bool, in_sentence: bool, letter: str = ""
) -> int:
    """The length of the list marker that ``line`` begins with, spaces included; 0 without one.

    Args:
        line: a line without outer white space.
        following: the line after it, or nothing.
        in_paragraph: whether the line before belongs to a paragraph; then no number but 1 is a
            marker, for ``20.`` can also be the end of a sentence.
        in_sentence: whether that line ends within a sentence of a paragraph; then a single dash
            before a small letter is none, for it can also be that of ``de wet – die inging –``, nor
            is ``a.``.
        letter: the last one that marked a list item before, or nothing. With a full stop only
            ``a.`` and the next one are markers, for ``v. Chr.`` is none.
    """
    marker = _MARKER.match(line)
    if marker is None:
        return 0
    if in_paragraph and (marker["number"] or "1", marker["letter"] or "a") != ("1", "a"):
        return 0
    next_letter = chr(ord(letter) + 1) if letter else "a"
    if marker["stop"] == "." and (in_sentence or marker["letter"] not in ("a", next_letter)):
        return 0
    is_dash = marker["bullet"] is not None and marker["bullet"] in _DASHES
    single = not following.startswith(tuple(_DASHES))
    if in_sentence and is_dash and single and line[marker.end()].islower():
        return 0
    return marker.end()


def quote_marker(line: str) -> int:
    """The length of the ``> `` of e-mail quoting, spaces included; 0 without it."""
    marker = _QUOTE_MARKER.match(line)
    return marker.end() if marker else 0


def live_time(line: str) -> int | None:
    """The length of the time that opens a live-blog entry, with its separator.

    ``None`` if the line is no such entry; 0 if the time is in words (``20.45 uur – ``) and so
    belongs to the sentence.
    """
    if _LIVE_HOUR.match(line):
        return 0
    time = _LIVE_TIME.match(line)
    return time.end() if time else None


def is_time(line: str) -> bool:
    """Whether a line is only a time, as above an entry of a live blog."""
    return _TIME_ALONE.fullmatch(line) is not None


def furniture_kind(line: str) -> BlockKind | None:
    """The kind of a line that names only a writer or the maker of a picture, else ``None``."""
    if not _FURNITURE.match(line):
        return None
    line = normalize(line)
    if byline(line) is not None:
        return BlockKind.HEADING
    return None if credit(line) is None else BlockKind.CAPTION


def ends_with_credit(line: str) -> bool:
    """Whether the line is a caption: it ends like ``(foto: ANP)``."""
    return len(line) <= _LONGEST_CAPTION and split_credit(normalize(line))[1] != ""


def headline_parts(line: str) -> list[Span]:
    """The sides of a headline's separators, without white space: ``Live | Ajax wint``.

    A ``|`` always separates. A dash does only after a kicker of a closed list (``Live - …``), for
    it may as well stand between two teams or two halves of a sentence.
    """
    kicker = _KICKER.match(line)
    if "|" not in line and kicker is None:
        return [(0, len(line))]
    parts = []
    start = 0
    if kicker and kicker["kicker"].lower() in KICKERS:
        parts.append(kicker.span("kicker"))
        start = kicker.end()
    for match in _BETWEEN_PIPES.finditer(line, start):
        parts.append((match.start(), match.start() + len(match[0].rstrip())))
    return parts
