"""What the model gets to see of a sentence: one spelling for each quote, dash and space.

``MarianTokenizer`` normalises nothing itself, while its models were trained on normalised text.
Letters, numbers and words stay as they are: NFC and never NFKC, which would make ``m²`` into ``m2``
and ``5½`` into ``51⁄2``.
"""

import re
import unicodedata

_EMOJI = "\u2190-\u21ff\u2300-\u2328\u232b-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff"
_INVISIBLE = re.compile(
    rf"""
    [\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]                  # C0 and C1, less the white space
    | [\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u3164\uffa0]
    | [\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]
    | [\ud800-\udfff\U000e0000-\U000e007f]                  # lone surrogates, tag characters
    | (?<![{_EMOJI}\ufe0f])\u200d | \u200d(?![{_EMOJI}])    # joiners, but not inside an emoji
    """,
    re.VERBOSE,
)
_SPELLINGS = str.maketrans(
    dict.fromkeys("„“”‟«»", '"')
    | dict.fromkeys("‘’‚‛", "'")
    | {"…": "...", "ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
    | {"ĳ": "ij", "Ĳ": "IJ"}
    | {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}  # full-width forms
)
_GROUP_SPACE = re.compile(r"(?<=[0-9])[\u00a0\u2000-\u200a\u202f](?=[0-9]{3}(?![0-9]))")
_MARK = "".join(c for c in map(chr, range(0x300, 0x20000)) if unicodedata.combining(c))
_MARK_RUN = re.compile(rf"([{_MARK}]{{30}})[{_MARK}]++")
"""30 marks on one letter are enough for every language (Unicode Standard Annex 15, Stream-Safe Text
Format); sorting more of them, as NFC must, takes quadratic time."""
_BLANK = re.compile(rf"(?:\s|[\ufe0e\ufe0f]|{_INVISIBLE.pattern})*+", re.VERBOSE)
_TYPED_QUOTE = re.compile(r",,|''")
_SPACED_DASH = re.compile(r"(?<!\S)[–—]++(?!\S)")


def normalize(text: str) -> str:
    """Prepare one sentence for the translation model.

    Args:
        text: a sentence as the author typed it, hard line breaks and all.

    Returns:
        The sentence on one line, in NFC, with straight quotes, ``...``, `` - `` and single spaces,
        without control, zero-width and bidirectional characters. Doing it again changes nothing.
        Empty if nothing visible was there.
    """
    # First, so that nothing lies between a letter and its accent.
    text = _MARK_RUN.sub(r"\1", remove_invisible(text))
    text = unicodedata.normalize("NFC", text.translate(_SPELLINGS))
    text = _GROUP_SPACE.sub("", text)  # "12 500" is one number
    text = _TYPED_QUOTE.sub('"', text)
    text = _SPACED_DASH.sub("-", text)
    text = " ".join(text.split())
    # Marian models read ">>fra<<" at the start as the language to translate to.
    return f"> {text[1:]}" if text.startswith(">>") else text


def remove_invisible(text: str) -> str:
    """``text`` without control, zero-width and bidirectional characters; white space stays."""
    return _INVISIBLE.sub("", text)


def is_blank(text: str) -> bool:
    """Whether a reader sees nothing: white space, zero-width and control characters only."""
    return _BLANK.fullmatch(text) is not None
