"""What the model gets to see of a sentence: one spelling for each quote, dash and space.

``MarianTokenizer`` normalises nothing itself, while its models were trained on normalised text.
Letters, numbers and words stay as they are: NFC and never NFKC, which would make ``m²`` into ``m2``
and ``5½`` into ``51⁄2``. The exceptions are common abbreviations, which small models copy instead
of translating, and ways of writing numbers and money that they seldom saw.

The control tokens of a model (``</s>``, ``<pad>``) need nothing: the tokenizer reads them as text.
"""

import re
import unicodedata

from service.article.segmentation import EMOJI

_WITH_VARIANTS = rf"{EMOJI}#*0-9\u00a9\u00ae\u203c\u2049\u2122\u2139\u24c2\u3030\u303d\u3297\u3299"
"""What may have an emoji form and a text form (Unicode: emoji-variation-sequences.txt)."""

_ESCAPE_SEQUENCE = r"""
    \x1b(?: \[[0-?]*+[!-/]*+[@-~] | \][^\x07\x1b]*+(?:\x07|\x1b\\) )  # ECMA-48: colours, links
"""
_UNSEEN = rf"""
    [\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]                  # C0 and C1, less the white space
    | [\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u3164\uffa0]
    | [\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]
    | [\ud800-\udfff\ufe00-\ufe0d\U000e0000-\U000e01ef]     # lone surrogates, tags, variants
    | (?<![{EMOJI}])(?<![{EMOJI}]\ufe0f)\u200d | \u200d(?![{EMOJI}])  # joiners outside an emoji
    | (?<![{_WITH_VARIANTS}])[\ufe0e\ufe0f]
"""
_FLAG = r"(?P<flag>\U0001f3f4[\U000e0030-\U000e007a]{1,6}\U000e007f)"
_INVISIBLE = re.compile(rf"{_FLAG} | {_ESCAPE_SEQUENCE} | {_UNSEEN}", re.VERBOSE)
"""What no reader sees, and the flags of England, Scotland and Wales, which are spelt with tags."""

STRAIGHT = (
    dict.fromkeys("„“”‟«»《》「」", '"')
    | dict.fromkeys("‘’‚‛‹›ʻʼ´\u1ffd", "'")
    | dict.fromkeys("‐‑‒−", "-")
    | {"…": "..."}
)
"""Quotes, hyphens and ellipses of typographers, and what a keyboard has for them."""

_ARROWS = (
    (re.compile(r"(?<!\S)[»›](?!\S)"), ">", re.compile("[«‹]")),
    (re.compile(r"(?<!\S)[«‹](?!\S)"), "<", re.compile("[»›]")),
)
"""Guillemets that stand alone and point somewhere, as in ``Lees verder »``: what they look like,
what is written for them, and the partners that make quotation marks of them."""

_SPELLINGS = str.maketrans(
    STRAIGHT
    | {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
    | {"ĳ": "ij", "Ĳ": "IJ", "ŉ": "'n", "\u1fef": "`"}
    | {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}  # full-width forms
    # sentencepiece writes a space so; as a character of the text it would become one.
    | {"▁": "_"}
)
_MARK = "".join(c for c in map(chr, range(0x300, 0x20000)) if unicodedata.combining(c))
_MARK_RUN = re.compile(rf"([{_MARK}]{{30}})[{_MARK}]++")
"""30 marks on one letter are enough for every language (Unicode Standard Annex 15, Stream-Safe Text
Format); sorting more of them, as NFC must, takes quadratic time."""
_BLANK = re.compile(rf"(?:\s | [\ufe0e\ufe0f] | {_ESCAPE_SEQUENCE} | {_UNSEEN})*+", re.VERBOSE)

_LINE_HYPHEN = re.compile(
    r"(?<!\w)(?P<before>\w++)(?P<mark>[-\u00ad\u2010])[^\S\r\n]*+[\r\n]\s*+(?=(?P<after>[^\W\d_]++-?))"
)
_SUSPENDED = frozenset("als alsmede alsook and en evenals maar noch of ofwel or tot".split())
"""What follows a hyphen that stands for a part of a word: ``haven- en spoorbedrijven``."""
_HYPHENATED_PREFIXES = frozenset("ex hbo hiv mbo niet non oud vice vmbo vwo".split())
"""What keeps its hyphen: ``oud-minister``."""
_NO_PREFIX = re.compile(
    "ex(?:c[eu]|clu|pan|pe[dr]|pl[io]|po[nrs]|press|tern|tra(?!i)|tre)|oud(?:heid|st)"
)
"""Words that only begin like those: ``extra``, ``oudste``."""
_SYLLABLE = re.compile("(?=..).*?[aeiouyà-ý]", re.IGNORECASE)
"""How what stands before a syllable break begins; ``e`` and ``tv`` are no part of a longer word."""
_CLASHES = frozenset("aa ae ai au ee ei ii ij oe oi oo ou ui uu".split())
"""Vowels that would be read as one, so that a compound has a hyphen between them: ``auto-ongeluk``
(Woordenlijst Nederlandse Taal, Leidraad 6). Less ``eu`` and ``ie``, between which ``muse-um`` and
``financi-eel`` have a syllable break."""

_GROUP_SPACE = "\u00a0\u2000-\u200a\u202f"
_NUMBER = re.compile(
    rf"""
    (?<![0-9.,])(?<![0-9+][{_GROUP_SPACE} ])[1-9][0-9]{{0,2}}
    (?:[{_GROUP_SPACE}][0-9]{{3}})++(?![0-9]|[.{_GROUP_SPACE} ][0-9])
    """,
    re.VERBOSE,
)
"""``12 500`` with spaces that do not break, for ``12.500``; but no telephone number."""
_SPACED_NUMBER = re.compile(
    r"""
    (?: (?P<money>[€$£][ ]?)[1-9][0-9]{0,2}(?:[ ][0-9]{3})++
      | (?<![0-9.,])(?<![0-9+][ ])[1-9][0-9]{0,2}(?:[ ][0-9]{3}){2,}+ )
    (?![. ]?[0-9])
    """,
    re.VERBOSE,
)
"""The same with plain spaces where it can't be two numbers: ``1 234 567``, ``€ 12 500``."""
_SPACE = re.compile(r"\s")

TYPED_QUOTE = re.compile(r"(?<![\w,]),,(?!,)|''|(?<!`)``(?!`)")
"""Double quotes of old newspaper typing, ``,,so''``, and of LaTeX."""

_TYPED_APOSTROPHE = re.compile(r"(?<=[^\W\d_])`(?=[^\W\d_])|(?<![\w`])`(?=[kmnst]\b(?!`))")
_LOST_APOSTROPHE = re.compile(r"(?<=[aeiouy])\ufffd(?=[ns]\b)")
"""``foto�s``: an apostrophe of Windows-1252 that was read as UTF-8."""
_LOST_CHARACTER = re.compile(r"(?<=\w)\ufffd++|(?<!\ufffd)\ufffd++(?=\w)")
SPACED_DASH = re.compile(r"(?<!\S)(?:[–—―]++|--++)(?!\S)")
"""A dash as a word of its own."""

_DASH_FOR_MINUS = re.compile(r"(?<!\S)–(?=[0-9])")
NO_CENTS = re.compile(r"(?<=[0-9]),(?:-{1,2}+|[–—=])(?![\w–—=-]|,[–—=-]|\s[0-9])")
"""The end of a round amount: ``7,-``."""

_EURO_NO_CENTS = re.compile(r"€(?=[0-9.]++,[–—=-])")

_CLOCK = re.compile(r"(?<![\w.,:])([01]?[0-9]|2[0-4])u([0-5][0-9])?(?!\w|-[^\W\d]|\s?uur\b)")
"""``18u30`` and ``18u``, as Flemish newspapers write ``18.30 uur`` and ``18 uur``."""

_ABBREVIATIONS = {
    "a.h.w.": "als het ware",
    "bijv.": "bijvoorbeeld",
    "ca.": "circa",
    "d.m.v.": "door middel van",
    "d.w.z.": "dat wil zeggen",
    "dhr.": "de heer",
    "excl.": "exclusief",
    "i.h.b.": "in het bijzonder",
    "i.p.v.": "in plaats van",
    "i.s.m.": "in samenwerking met",
    "i.t.t.": "in tegenstelling tot",
    "i.v.m.": "in verband met",
    "incl.": "inclusief",
    "m.a.w.": "met andere woorden",
    "m.b.t.": "met betrekking tot",
    "m.b.v.": "met behulp van",
    "m.i.v.": "met ingang van",
    "m.n.": "met name",
    "m.u.v.": "met uitzondering van",
    "mevr.": "mevrouw",
    "n.a.v.": "naar aanleiding van",
    "o.a.": "onder andere",
    "o.b.v.": "op basis van",
    "o.l.v.": "onder leiding van",
    "o.m.": "onder meer",
    "t.b.v.": "ten behoeve van",
    "t.o.v.": "ten opzichte van",
    "t/m": "tot en met",
}
"""Abbreviations with one meaning that no sentence ends with. ``t.a.v.`` (ten aanzien van, ter
attentie van) and ``t.g.v.`` have two; ``bv.`` is a company too."""

_ABBREVIATION = re.compile(
    rf"(?<![\w.@/-])(?:{'|'.join(map(re.escape, _ABBREVIATIONS))})(?=[ ,:)])",
    re.IGNORECASE,
)


def normalize(text: str) -> str:
    """Prepare one sentence for the translation model.

    Args:
        text: a sentence as the author typed it, hard line breaks and all.

    Returns:
        The sentence on one line, in NFC, with straight quotes, ``...``, `` - `` and single spaces,
        with words whole that were hyphenated at the end of a line, without control, zero-width and
        bidirectional characters. Doing it again changes nothing. Empty if nothing visible was
        there.
    """
    # First, so that nothing lies between a letter and its accent.
    text = _MARK_RUN.sub(r"\1", remove_invisible(unhyphenated(text)))
    for arrow, written, partner in _ARROWS:
        if not partner.search(text):
            text = arrow.sub(written, text)
    text = _LOST_APOSTROPHE.sub("'", text.translate(_SPELLINGS))
    text = unicodedata.normalize("NFC", _LOST_CHARACTER.sub("", text))
    text = _NUMBER.sub(lambda number: _SPACE.sub(".", number[0]), text)
    text = TYPED_QUOTE.sub('"', _TYPED_APOSTROPHE.sub("'", text))
    text = _DASH_FOR_MINUS.sub("-", SPACED_DASH.sub("-", " ".join(text.split())))
    text = _SPACED_NUMBER.sub(_join_groups, text)
    text = NO_CENTS.sub("", _EURO_NO_CENTS.sub("€ ", text))
    text = _CLOCK.sub(_with_hour_word, text)
    text = _ABBREVIATION.sub(_expand, text)
    # Marian models read ">>fra<<" at the start as the language to translate to.
    return f"> {text[1:]}" if text.startswith(">>") else text


def unhyphenated(text: str) -> str:
    """``text`` with the words whole again that a hyphen parts at the end of a line.

    ``minis-`` and ``ter`` are one word, ``Noord-`` and ``Holland``, ``auto-`` and ``ongeluk``,
    ``tv-`` and ``serie`` keep their hyphen, and ``haven-`` before ``en`` stands alone.
    """
    return _LINE_HYPHEN.sub(_rejoined, text)


def _rejoined(hyphen: re.Match[str]) -> str:
    before, mark, after = hyphen.groups()
    if mark == "\u00ad":
        return before
    if after.lower() in _SUSPENDED:
        return hyphen[0]
    is_part = (
        before.isalpha()
        and not before.isupper()
        and after[0].islower()
        and after.removesuffix("-") not in _SUSPENDED  # "kant-en-klaar"
        and (before.lower() not in _HYPHENATED_PREFIXES or _NO_PREFIX.match(before.lower() + after))
        and before[-1] + after[0] not in _CLASHES
        and _SYLLABLE.match(before)
    )
    return before if is_part else f"{before}-"


def _join_groups(number: re.Match[str]) -> str:
    """A number with full stops, as Dutch has them, between its groups of three digits."""
    money = number["money"] or ""
    return money + number[0][len(money) :].replace(" ", ".")


def _with_hour_word(clock: re.Match[str]) -> str:
    hour, minutes = clock.groups()
    return f"{hour}.{minutes} uur" if minutes else f"{hour} uur"


def _expand(abbreviation: re.Match[str]) -> str:
    """The words of an abbreviation, with its capital if only its first letter has one."""
    short = abbreviation[0]
    if short != short.lower() and short[1:] != short[1:].lower():
        return short  # "O.M." is the prosecutor
    words = _ABBREVIATIONS[short.lower()]
    return words if short[0].islower() else words[0].upper() + words[1:]


def remove_invisible(text: str) -> str:
    """``text`` without control, zero-width and bidirectional characters; white space stays.

    Terminal escape sequences go whole. What joins and colours an emoji stays.
    """
    return _INVISIBLE.sub(r"\g<flag>", text)


def is_blank(text: str) -> bool:
    """Whether a reader sees nothing: white space, zero-width and control characters only."""
    return _BLANK.fullmatch(text) is not None
