"""Fixed phrases of newspapers that no model should touch: datelines, bylines, credits, live times.

Translation models turn a byline into a sentence, a dateline into a noun and drop emoji; each of
these has one right English form, which the rules here give.
"""

import re
from dataclasses import dataclass

from service.article.document import BlockKind
from service.article.phrases import CREDITS, EXONYMS, KICKERS, POINTERS, ROLES
from service.article.segmentation import EMOJI, EMOJI_JOINERS


@dataclass(frozen=True, slots=True)
class Frame:
    """A sentence as what is left to translate and what stands around it.

    Attributes:
        prefix: English already, with the space that separates it from what follows.
        core: what is left to translate, a piece of the sentence; may be empty.
        suffix: English already, with the space that separates it from what precedes.
    """

    prefix: str
    core: str
    suffix: str


_AGENCIES = frozenset("afp anp ansa ap belga bloomberg dpa efe novum nu.nl reuters tass".split())
"""News agencies, in lower case."""

_NO_PLACES = frozenset(
    """
    achtergrond actie antwoord besluit gezocht gratis let let_op nieuw noot opgelet opmerking oproep
    ps reactie slot te te_koop tip uitslag vacature vraag waarschuwing
    """.replace("_", " ").split()
)
"""Words in capitals before a dash that are no dateline."""

_PARTICLES = frozenset(
    """
    't aan al bin da de del den der des di du el in la le les los op te ten ter tot uit van von zu
    zum zur
    """.split()
)
"""Small words inside a name: ``Sophie in 't Veld``."""

_NO_NAMES = frozenset(
    "aan al alle bij de deze die dit een geen het hoge in meer met nog of op te veel voor".split()
)
"""Words that no author's name begins with: ``Door De Nederlandsche Bank`` is no byline."""

_LONGEST_BYLINE = 200
_LONGEST_DATELINE = 60

_TIME = r"(?:[01]?[0-9]|2[0-3])[.:][0-5][0-9](?: ?uur\b)?"
_LIVE_TIME = re.compile(
    rf"(?P<time>{_TIME}(?: ?- ?{_TIME})?)(?P<mark>: | - | \| |\Z| (?=[\"'(]*[^\W\d_a-zß-öø-ÿ]))"
)
_UPDATE_TIME = re.compile(rf"(?P<label>update) (?P<time>{_TIME}): ", re.I)
_NAME_PART = re.compile(r"[,/&]|[^\s,/&]+")
_WORD = re.compile(r"(?:@|['’]|[dDlLO]['’])?(?P<first>[^\W\d_])[\w'’-]*(?:\.\w+)*")
_INITIALS = re.compile(r"(?:[^\W\d_]{1,2}\.-?)+")
_BYLINE = re.compile(r"door(?P<colon> ?:)? (?P<names>.+)", re.I)
_STAFF = re.compile(r"(?P<by>van|door) onze (?P<role>[a-z]+(?: redactie)?)(?P<rest> .*)?", re.I)
_CREDIT = re.compile(
    r"(?:(?P<label>[a-z']+(?: en [a-z']+)?)(?P<colon> ?: ?| )|(?P<sign>© ?(?:[0-9]{4} )?))"
    r"(?P<names>.*)",
    re.IGNORECASE,
)
_PLACE = re.compile(r"(?P<places>[^()]+?)(?P<agency> \([^()]{2,30}\))?")
_AGENCY_NAMES = re.compile(r"[A-Z][\w.]*(?:/[A-Z][\w.]*)*")
_EMOJI_RUN = re.compile(
    rf"(?:[0-9#*]\ufe0f?\u20e3|[{EMOJI}]|(?<=[{EMOJI}{EMOJI_JOINERS}])[{EMOJI_JOINERS}]|\s)*+"
)
_EMOJI_RUN_BACKWARDS = re.compile(rf"(?:\u20e3\ufe0f?[0-9#*]|[{EMOJI_JOINERS}]*+[{EMOJI}]|\s)*+")


def frame(text: str, kind: BlockKind) -> Frame:
    """Take the fixed phrases of newspapers off a sentence.

    * Emoji at the beginning and the end stay as they are.
    * A dash at the beginning (a list or someone speaking) stays.
    * Bylines (``Door Jan de Vries en Anna Bakker``, ``Van onze redacteur Jan de Vries``) and
      credits (``Foto: ANP``, ``© ANP``); a credit also after other words, in brackets or with ©.
    * Kickers that stand alone: ``Opinie``.
    * Live times, pointers and datelines at the beginning: ``20.45 uur - ``, ``Lees ook: ``,
      ``DEN HAAG (ANP) - ``.

    Args:
        text: one sentence as ``normalize`` gives it.
        kind: what its block is.

    Returns:
        The frame; ``Frame("", text, "")`` where no rule applies. ``core`` is a piece of ``text``,
        and the words around it are those of ``text``, the phrases above in English.
    """
    leading = _EMOJI_RUN.match(text)
    start = leading.end() if leading else 0
    trailing = _EMOJI_RUN_BACKWARDS.match(text[start:][::-1])
    end = len(text) - (trailing.end() if trailing else 0)
    prefix, core, suffix = text[:start], text[start:end], text[end:]
    if len(core) > 2 and core.startswith("- "):
        prefix, core = prefix + "- ", core[2:]
    english = byline(core) or credit(core) or _standing_alone(core, kind)
    if english is not None:
        return Frame(prefix + english, "", suffix)
    for opening in (_live_time, _pointer, _dateline):
        taken, made = opening(core, kind)
        prefix, core = prefix + made, core[taken:]
    core, made = split_credit(core)
    return Frame(prefix, core, made + suffix)


def byline(text: str) -> str | None:
    """The English of a line that only says who wrote the article; ``None`` for any other line.

    Strict, for a headline may begin with ``Door`` too: after it only full names of people, or a
    news agency.
    """
    if len(text) > _LONGEST_BYLINE:
        return None
    if staff := _STAFF.fullmatch(text):
        role = ROLES.get(staff["role"].lower())
        rest = staff["rest"] or ""
        before, at, place = rest.rpartition(" in ")
        names = before.strip() if at else rest.strip()
        if role is None or (at and not _is_names(place)) or (names and not _is_names(names)):
            return None
        by = "From" if staff["by"].lower() == "van" else "By"
        made = f"{by} our {role}"
        if text.isupper():
            made = made.upper()
        return made + _english_names(before if at else rest) + at + (_exonym(place) if at else "")
    match = _BYLINE.fullmatch(text)
    if match is None or text.isupper() or not _is_names(match["names"], authors=True):
        return None
    return f"By{match['colon'] or ''} {_english_names(match['names'])}"


def credit(text: str) -> str | None:
    """The English of a text that only says who made a picture (``Foto: ANP``), else ``None``."""
    if len(text) > _LONGEST_BYLINE:
        return None
    if text[:1] + text[-1:] in ("()", "[]"):
        made = credit(text[1:-1])
        return made and text[0] + made + text[-1]
    match = _CREDIT.fullmatch(text)
    if match is None:
        return None
    names = match["names"]
    if match["sign"]:
        return match["sign"] + _english_names(names) if _is_names(names) else None
    label = CREDITS.get(match["label"].lower())
    # Without a colon "Foto Rutte" may be a headline: a whole name or a name in capitals is needed.
    known = ":" in match["colon"] or " " in names or names.isupper()
    if label is None or not known or not _is_names(names):
        return None
    return f"{_with_capitals(label, match['label'])}: {_english_names(names)}"


def _standing_alone(text: str, kind: BlockKind) -> str | None:
    """The English of a kicker or pointer that is all there is, else ``None``."""
    word = text.rstrip(" :")
    english = POINTERS.get(word.lower())
    if english is None and kind is BlockKind.HEADING:
        english = KICKERS.get(word.lower())
    return english and _with_capitals(english, word) + text[len(word) :]


def _live_time(text: str, _kind: BlockKind) -> tuple[int, str]:
    """How much of ``text`` is the time of a live-blog entry, and its English."""
    match = _LIVE_TIME.match(text)
    if match is None:
        return 0, ""
    # "14.32" may be a sum of money or the number of a section.
    if not re.search("[:u]", match["time"]) and not re.match(" - ", match["mark"]):
        return 0, ""
    return match.end(), _english_time(match["time"]) + match["mark"]


def _pointer(text: str, kind: BlockKind) -> tuple[int, str]:
    """How much of ``text`` is ``Lees ook: `` or the like, and its English."""
    if match := _UPDATE_TIME.match(text):
        label = _with_capitals("Update", match["label"])
        return match.end(), f"{label} {_english_time(match['time'])}: "
    label, colon, _ = text[:_LONGEST_DATELINE].partition(": ")
    english = POINTERS.get(label.lower())
    if kind is BlockKind.CAPTION:
        english = english or CREDITS.get(label.lower())
    return (
        (len(label) + 2, _with_capitals(english, label) + colon) if colon and english else (0, "")
    )


def _dateline(text: str, kind: BlockKind) -> tuple[int, str]:
    """How much of ``text`` is a dateline, and its English."""
    head, dash, rest = text[:_LONGEST_DATELINE].partition(" - ")
    match = _PLACE.fullmatch(head)
    if match is None:
        return 0, ""
    places = match["places"]
    agency = (match["agency"] or "")[2:-1]
    by_agency = _AGENCY_NAMES.fullmatch(agency) is not None
    if agency and not by_agency:
        return 0, ""
    if places.isupper():
        words = places.lower().split()
        if words[0] in _NO_PLACES or places.lower() in KICKERS or places.lower() in POINTERS:
            return 0, ""
        if len(words) > 5 or sum(map(str.isalpha, places)) < 3 or any(map(str.isdigit, places)):
            return 0, ""
        # "PSV - Ajax 2-1" in a headline; "VVD - de grootste partij - wil"
        opens_text = kind in (BlockKind.PARAGRAPH, BlockKind.QUOTE) and not rest[:1].islower()
        if not by_agency and not (dash and opens_text and any(map(str.islower, text))):
            return 0, ""
    elif not agency or not _is_names(places) or not set(agency.lower().split("/")) <= _AGENCIES:
        return 0, ""
    if not dash and head != text:
        return 0, ""
    english = "/".join(map(_exonym, places.split("/")))
    return len(head) + len(dash), english + (match["agency"] or "") + dash


def split_credit(text: str) -> tuple[str, str]:
    """``text`` without a credit at its end (``… (foto: ANP).``), and the English of that credit."""
    for mark in (" (", " [", " ©"):
        position = text.rfind(mark)
        if position <= 0 or len(text) - position > _LONGEST_BYLINE:
            continue
        rest = text[position + 1 :]
        stop = rest[-1] if rest[-1] in ".!?" else ""
        made = credit(rest[: len(rest) - len(stop)])
        if made is not None:
            return text[:position], f" {made}{stop}"
    return text, ""


def _is_names(text: str, *, authors: bool = False) -> bool:
    """Whether ``text`` is a list of names and nothing else; authors have a first name."""
    names: list[list[str]] = [[]]
    for part in _NAME_PART.findall(text):
        if part in ",/&" or part in ("en", "EN", "via"):
            names.append([])
        else:
            names[-1].append(part)
    return all(_is_name(name, author=authors) for name in names)


def _is_name(words: list[str], *, author: bool) -> bool:
    """Whether these words are one name: capitals and particles, a capital last."""
    if not 0 < len(words) <= 6:
        return False
    if author and not (len(words) > 1 or words[0].lower() in _AGENCIES):
        return False
    if author and words[0].lower() in _NO_NAMES:
        return False
    return all(_is_capitalised(word) or word in _PARTICLES for word in words) and (
        _is_capitalised(words[-1]) and (_is_capitalised(words[0]) or not author)
    )


def _is_capitalised(word: str) -> bool:
    if _INITIALS.fullmatch(word):
        return word[0].isupper()
    match = _WORD.fullmatch(word.strip("()"))
    return match is not None and match["first"].isupper()


def _english_names(text: str) -> str:
    """A list of names with English ``and``."""
    return re.sub(r"(?<= )en(?= )", "and", re.sub(r"(?<= )EN(?= )", "AND", text))


def _english_time(text: str) -> str:
    """``20.45 uur`` as ``20:45``."""
    return re.sub(" ?uur", "", text).replace(".", ":")


def _exonym(place: str) -> str:
    """The English name of a city, in capitals if it was."""
    english = EXONYMS.get(place.strip().lower())
    return place if english is None else _with_capitals(english, place)


def _with_capitals(english: str, dutch: str) -> str:
    """``english`` with the capitals of ``dutch``: all, none or those that it has."""
    if dutch.isupper():
        return english.upper()
    return english.lower() if dutch.islower() else english
