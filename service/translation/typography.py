"""English typography of a translated sentence: quotes, numbers, spaces, full stop and capital.

Models trained on text from the web copy Dutch forms now and then: ``12.500``, ``7,5``, ``20.45``,
„low quotes”. What a form means is read in the source; where that leaves a doubt, nothing changes.
"""

import re
from collections import Counter
from collections.abc import Sequence
from html import unescape
from itertools import chain

from service.article.normalization import NO_CENTS, SPACED_DASH, STRAIGHT, TYPED_QUOTE

_STRAIGHT = str.maketrans(STRAIGHT)
_NAME = r"(?:quot|lt|gt|apos|nbsp|\#(?!0*38;|x0*26;)x?[0-9a-f]{1,6});"
_ENTITY = re.compile(rf"&(?:amp;)++(?P<escaped>{_NAME})?|&(?P<name>{_NAME})", re.IGNORECASE)
"""HTML entities, which models learn from text of the web; escaped twice, too."""
_TIGHT_DASH = re.compile(r"(?<=\w)—(?=\w)")

_PRIVATE_USE = (range(0xF0000, 0xFFFFE), range(0x100000, 0x10FFFE))
"""Code points that mean nothing and stand for what must stay as it is."""

_UNTOUCHED = re.compile(
    r"""
    (?P<emoticon>(?<!\S)(?:[<>]?[:;=]['-]?[()DPpOo/|\]\[*3]|<3)(?!\w))
    | https?://[^\s"<>“”„]++ | (?<!\w)www\.[^\s"<>“”„]++
    | (?<![\w.+-])[\w.+-]++@[\w.-]++ | (?<![\w@#])[@\#]\w++
    """,
    re.VERBOSE,
)
_SENTENCE_MARKS = ".,;:!?)'"
"""What ends a sentence rather than the address before it."""

_NUMBER = r"(?<![\w.,:/])[0-9]++(?:[.,:/][0-9]++)*+"
_NUMBER_TOKEN = re.compile(_NUMBER)
_GROUPED = re.compile(r"[1-9][0-9]{0,2}(?:\.[0-9]{3})+(?:,[0-9]+)?")
_DECIMAL = re.compile(r"[0-9]+,[0-9]+")
_EITHER = re.compile(r"[1-9][0-9]{0,2},[0-9]{3}")
"""12.5 in Dutch, thousands where an English number was copied into the Dutch."""
_ADDRESS = re.compile(r"(?:(?!000)[0-2][0-9]{2}\.){3}(?!000)[0-2][0-9]{2}")
"""An IP address that looks like thousands."""
_CLOCK = r"(?:[01]?[0-9]|2[0-4])\.[0-5][0-9](?![0-9]|[.,:][0-9])"
_CLOCKS = re.compile(
    rf"""
    (?P<at>\b[Oo]m\s)?(?<![\w.,:/]){_CLOCK}
    (?:\s?(?:-|–|en|of|tot|tot\sen\smet)\s?{_CLOCK})*+
    (?P<hour>\s?(?:uur|u)\b)?
    """,
    re.VERBOSE,
)
"""Clock times of the source: ``20.45 uur``, ``9.30 - 17.00 uur``, ``om 20.45``."""
_NUMBER_AND_HOURS = re.compile(
    rf"(?P<number>{_NUMBER})(?P<hours>(?:\s(?:hours|hrs|o'clock|uur)\b)*+)"
)
_REFERENCE = re.compile(
    r"""
    (?: \b(?:art|artikel|dossier|hfst|hoofdstuk|ip|kenmerk|lid|nrs?|nummer|par|paragraaf|sectie|tel
          |telefoon|telefoonnummer|v|versie|zaak)\.?:?\s?
      | §\s? | \+[0-9][0-9 ()-]* | (?<![0-9.,])0[0-9]{1,3}[ -] )\Z
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""Before a number that names something instead of counting it, and inside telephone numbers."""
_REFERENCE_WINDOW = 17
_SWAPPED = str.maketrans(".,", ",.")

_LOOSE_SPACE = re.compile(
    r"""
    [ ](?=(?:[,;)]|[!?]++|\.(?!\.)|:(?![ ][0-9]))(?:["')\]\s]|\Z))  # word , word
    | (?<=\()[ ]
    | (?<![0-9][ ][€$£¥])(?<=[€$£¥])[ ](?=[0-9])
    | (?<=[0-9])[ ](?=%(?!\w))
    """,
    re.VERBOSE,
)
_BEFORE_QUOTE = " ([-"
_AFTER_QUOTE = " ,.;:!?)]-"
_CLOSING = "\"')]"
_UNFINISHED = ".!?…:;,-–—/"
"""Ends of a source after which nothing is known of a full stop in English."""
_ABBREVIATION = re.compile(
    r"(?:\.\w|\b(?:al|approx|Bros|Co|Corp|Dr|etc|Inc|Jr|Ltd|Mr|Mrs|No|Sr|St|vs))\.\Z"
)
_ABBREVIATION_WINDOW = 10
_FIRST_LETTER = re.compile(r"(?:\W*?'[kmnst]\s)?[^\w&\U000f0000-\U0010ffff]*(?P<letter>[^\W_])")
_WORD = re.compile(r"[^\W_]++")


def polish(source: str, target: str, verbatim: Sequence[str] = ()) -> str:
    """Put a translated sentence into English typography.

    Args:
        source: the Dutch sentence, as :func:`~service.article.normalization.normalize` gives it.
        target: its English translation.
        verbatim: what must stay as it is in ``target`` (code, quoted English); web and e-mail
            addresses, handles and emoticons always do.

    Returns:
        ``target`` on one line without HTML entities, with straight quotes, ``...``, English
        numbers and English spacing, with a capital and without a full stop where ``source`` has it
        so. Doing it again changes nothing. A number changes only if ``source`` has it in exactly
        the form that was copied.
    """
    if not _ENTITY.search(source):
        target = _ENTITY.sub(_decoded, target)
    text, kept = _set_aside(target, verbatim)
    text = TYPED_QUOTE.sub('"', text.translate(_STRAIGHT))
    text = SPACED_DASH.sub("-", _TIGHT_DASH.sub(" - ", text))
    text = " ".join(text.split())
    text = _english_numbers(source, NO_CENTS.sub("", text))
    text = _tight_quotes(_LOOSE_SPACE.sub("", text))
    text = _without_added_stop(source, text)
    return _with_capital(source, text).translate(kept)


def _decoded(entity: re.Match[str]) -> str:
    name = entity["escaped"] or entity["name"]
    return unescape(f"&{name}") if name else "&"


def unended(source: str, target: str) -> str:
    """``target`` without a full stop that a model puts after a part of a sentence that has none.

    A comma, colon or semicolon at the end of ``source`` takes its place. The full stop of an
    abbreviation in letters (``a.m.``) and an ellipsis stay.

    Args:
        source: a part of a Dutch sentence that is not its last.
        target: the translation of the part.
    """
    last_word = target.rsplit(" ", 1)[-1]
    if source.endswith(".") or not target.endswith(".") or "." in last_word[:-1]:
        return target
    return target[:-1] + (source[-1] if source[-1] in ",;:" else "")


def _set_aside(target: str, verbatim: Sequence[str]) -> tuple[str, dict[int, str]]:
    """``target`` with a placeholder for each thing that stays as it is, and what they stand for."""
    present = set(target)
    placeholders = (code for code in chain(*_PRIVATE_USE) if chr(code) not in present)
    kept: dict[int, str] = {}
    for words in sorted(set(verbatim) - {""}, key=lambda words: (-len(words), words)):
        if words in target and (code := next(placeholders, None)) is not None:
            kept[code] = words
            target = target.replace(words, chr(code))
    codes: dict[str, int] = {}

    def set_aside(match: re.Match[str]) -> str:
        words = match["emoticon"] or match[0].rstrip(_SENTENCE_MARKS)
        code = codes.get(words) or next(placeholders, None)
        if code is None:
            return match[0]
        codes[words] = code
        return chr(code) + match[0][len(words) :]

    target = _UNTOUCHED.sub(set_aside, target)
    return target, kept | {code: words.translate(kept) for words, code in codes.items()}


def _english_numbers(source: str, text: str) -> str:
    """``text`` with the numbers in English form that it has in the Dutch form of ``source``.

    A number that also stands in English form is taken to be translated already.
    """
    english = _dutch_numbers(source)
    if not english:
        return text
    clocks = {number for number in english.values() if ":" in number}
    wanted = Counter(match[0] for match in _NUMBER_TOKEN.finditer(source))
    done = Counter(match[0] for match in _NUMBER_TOKEN.finditer(text))
    left = {dutch: wanted[dutch] - done[number] for dutch, number in english.items()}

    def convert(match: re.Match[str]) -> str:
        number = match["number"]
        if left.get(number, 0) > 0:
            left[number] -= 1
            number = english[number]
        return number if number in clocks else number + match["hours"]

    return _NUMBER_AND_HOURS.sub(convert, text)


def _dutch_numbers(source: str) -> dict[str, str]:
    """The numbers of ``source`` that are surely Dutch, and their English forms."""
    clocks = Counter(
        number[0]
        for run in _CLOCKS.finditer(source)
        if run["hour"] or run["at"]
        for number in _NUMBER_TOKEN.finditer(run[0])
    )
    counts: Counter[str] = Counter()
    references = set()
    for match in _NUMBER_TOKEN.finditer(source):
        if match[0].isdigit():
            continue
        counts[match[0]] += 1
        if _REFERENCE.search(source[max(0, match.start() - _REFERENCE_WINDOW) : match.start()]):
            references.add(match[0])
    english = {
        number: form
        for number, count in counts.items()
        if number not in references and (form := _english(number, clocks[number], count))
    }
    # "7.50" is the English form of "7,50" and can't be a clock time in the same sentence.
    taken = set(english.values())
    return {number: form for number, form in english.items() if number not in taken}


def _english(number: str, clocks: int, count: int) -> str | None:
    """The English form of a number, of whose ``count`` places ``clocks`` are times of day."""
    if clocks:
        return number.replace(".", ":") if clocks == count else None
    if _GROUPED.fullmatch(number) and not _ADDRESS.fullmatch(number):
        return number.translate(_SWAPPED)
    if _DECIMAL.fullmatch(number) and not _EITHER.fullmatch(number):
        return number.replace(",", ".")
    return None


def _tight_quotes(text: str) -> str:
    """``" so "`` as ``"so"`` if every quotation mark of the sentence has its partner."""
    pieces = text.split('"')
    outside, inside = pieces[::2], pieces[1::2]
    if len(outside) != len(inside) + 1 or not all(
        map(_may_be_quoted, outside, inside, outside[1:])
    ):
        return text
    pieces[1::2] = [words.strip() for words in inside]
    return '"'.join(pieces)


def _may_be_quoted(before: str, words: str, after: str) -> bool:
    """Whether ``words`` are a quotation, and not what lies between two of them."""
    opens = not before or before[-1] in _BEFORE_QUOTE
    closes = not after or after[0] in _AFTER_QUOTE
    return opens and closes and bool(words.strip())


def _without_added_stop(source: str, text: str) -> str:
    """``text`` without its full stop if ``source``, a heading, has nothing like it."""
    end = source.rstrip(_CLOSING)
    sentence = text.rstrip(_CLOSING)
    rest = sentence[:-1].rstrip(_CLOSING)
    if not end or end[-1] in _UNFINISHED or not sentence.endswith(".") or not rest:
        return text
    if rest.endswith(".") or _ABBREVIATION.search(sentence[-_ABBREVIATION_WINDOW:]):
        return text
    return sentence[:-1] + text[len(sentence) :]


def _with_capital(source: str, text: str) -> str:
    """``text`` with a capital at the start if ``source`` has one, but ``iPhone`` as it is."""
    dutch, first = _FIRST_LETTER.match(source), _FIRST_LETTER.match(text)
    if dutch is None or first is None or not dutch["letter"].isupper():
        return text
    start, end = first.span("letter")
    word = _WORD.match(text, start)
    capital = text[start].upper()
    if word is None or word[0] != word[0].lower() or len(capital) > 1:
        return text
    return text[:start] + capital + text[end:]
