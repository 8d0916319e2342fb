"""Length, negation, quotation marks and question marks."""

import re

SHORTEST = 20
"""Characters of source from which on the ratio means something."""
LOWEST_RATIO = 0.54
HIGHEST_RATIO = 1.57
"""English characters per Dutch character: 99.6 % or more of the sentences of NTREX and FLORES lie
between these (median 0.88)."""
HIGHEST_MARGIN = 15
"""A few words may be long in English: ``levenslang`` is ``life imprisonment``."""
SHORT_FACTOR = 3
SHORT_MARGIN = 10
"""A shorter source may have a translation of three times its length and ten characters more."""
LOWEST_RATIO_OF_SEVERAL = 0.72
"""Of a source of several sentences whose translation has fewer; its own sentences would have to be
merged without loss."""

_ENDING = re.compile(r"(?<=[^\W\d_]{3})(?:[.!?]++[\"'”’)]*+\s++[\"'“‘(]*+[A-ZÀ-Þ]|[!?]\s)")
"""The end of a sentence that another one follows; after three letters, not in ``J. de Vries``."""
_NEGATION = re.compile(
    r"\b(niet(?! alleen\b| enkel\b| zozeer\b| slechts\b| te vergeten)|geen|nooit|niemand|niets"
    r"|nergens|noch|zonder|evenmin|geenszins)\b",
    re.IGNORECASE,
)
_DENIAL = re.compile(
    r"\b(?:not|no|never|nobody|none|nothing|nowhere|neither|nor|without|cannot|unable|non|free"
    r"|fail(?:s|ed|ing|ure)?|lack(?:s|ed|ing)?|refus(?:e[sd]?|ing|al)|den(?:y|ie[ds])|less|absent"
    r"|rather|instead|hardly|barely|few(?:er)?|little|away|far from"
    r"|avoid(?:s|ed|ing)?|ever|un(?!i|der|til)\w{4,}"
    r"|in(?:capable|sufficient|correct|visible|adequate|complete|ability|ac)\w*"
    r"|im(?:possible|mobile|proper|partial)\w*|il(?:legal|legible)\w*|ir(?:r|reg)\w{4,}"
    r"|dis(?!c|t)\w{4,}|miss(?:ed|es|ing)?|stop(?:s|ped)?|except\w*|prevent\w*)\b"
    r"|n['’]t\b|less\b",
    re.IGNORECASE,
)
"""Words that may stand for a Dutch negation; ``ever`` for ``nooit`` after a comparison."""
_INNER_APOSTROPHE = re.compile(r"(?<=\w)['’`´](?=\w)|(?<!\w)['’‘](?=(?:s|t|n|k|m|r|er|em|[0-9])\b)")
_GENITIVE = re.compile(r"(?<=[szxSZX])['’](?=\s\w)|(?<=\b[Oo])['’]")
_QUOTE = re.compile(r"[\"“”„‟«»‘’']")
_OPENING_SINGLE = re.compile(r"(?<!\S)['‘]\w")


def length_ratio(source: str, target: str) -> str | None:
    """Evidence that much was left out or added: the two lengths in characters."""
    lengths = f"{len(source)} -> {len(target)} characters"
    if len(source) < SHORTEST:
        return lengths if len(target) > SHORT_FACTOR * len(source) + SHORT_MARGIN else None
    ratio = (len(target) + 5) / (len(source) + 5)  # 5: short texts vary more
    if ratio < LOWEST_RATIO or len(target) > HIGHEST_RATIO * len(source) + HIGHEST_MARGIN:
        return lengths
    sentences = len(_ENDING.findall(source))
    if ratio < LOWEST_RATIO_OF_SEVERAL and sentences > len(_ENDING.findall(target)):
        return lengths
    return None


def negation_missing(source: str, target: str) -> str | None:
    """The Dutch negation for which the translation has no word that could stand for it."""
    match = _NEGATION.search(source)
    return match.group() if match and not _DENIAL.search(target) else None


def quotes_mismatch(source: str, target: str) -> str | None:
    """Evidence that all quotation marks were lost, or that there were none in the source."""
    before, after = _quotes(source), _quotes(target)
    if (before >= 2 and not after) or (after >= 2 and not before):
        return f"{before} -> {after} quotation marks"
    return None


def _quotes(text: str) -> int:
    text = _INNER_APOSTROPHE.sub("", text)
    if not _OPENING_SINGLE.search(text):
        text = _GENITIVE.sub("", text)
    return len(_QUOTE.findall(text))


def question_mismatch(source: str, target: str) -> str | None:
    """Evidence that a question became a statement, or a statement a question."""
    asked, asks = "?" in source, "?" in target
    return f"{'?' if asked else '.'} -> {'?' if asks else '.'}" if asked != asks else None
