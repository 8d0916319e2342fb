"""Lines written in capitals: in small letters for the model, in capitals again for the reader.

A model translates ``BRAND IN HAVEN`` badly or copies it. Which words keep a capital can't be told
from such a line; acronyms and the commonest names are in the tables below, the rest is small.
"""

import re
import unicodedata

_ACRONYMS = frozenset(
    # Parties, state and justice
    """
    AIVD BBB CDA CDU CSU FVD MIVD NAVO NCTV NSC PVDA PVDD PVV SGP SPD VVD VN VS VK EU EVRM FIOD
    COA IND UWV SVB DNB AFM ACM CPB CBS PBL SCP SER RIVM KNMI GGD GGZ CBR RDW NVWA TNO KB OV
    """
    # Abroad
    """
    ANC AKP BRICS CIA DDR ECB ETA FBI GOP IAEA ICC IDF IMF IPCC IRA KGB NASA NATO NSA OESO OPEC
    OVSE PKK PLO UAE UK UN UNESCO UNHCR UNICEF UNRWA USA USSR VAE WEF WHO WTO YPG
    """
    # Firms, unions and media
    """
    ABN AMRO ANP ANWB ASML BBC BMW BNN CNN CNV DPG EO FNV IBM IKEA ING KLM KPN KRO LTO MKB NCW NOS
    NPO NRC NS NTR NXP RTL SBS SNCF TUI VARA VNO VPRO VW WNL
    """
    # Sport
    """
    ADO ATP AZ EK FC FIFA IOC KNVB NAC NBA NEC NFL NOC NSF PEC PSV RKC SC TT UCI UEFA VAR VVV WK WTA
    """
    # Everyday
    """
    AED AI AIDS AOW AWBZ BTW BV CAO CEO CFO COVID DJ DNA EHBO GPS GSM HAVO HBO HBS HIV IC ICT
    IQ IT LED LHBTI MBO MRI NV PC PGB ROC SOA SUV TBS TV VMBO VR VWO WAO WOZ WW ZZP
    II III IV VI VII VIII IX XI XII
    """.split()
)
"""Acronyms of Dutch news. Not here: those that are as often a word (IS, OM, SP, ME, DENK)."""

_NAMES = {
    name.lower(): name
    for name in " ".join(
        """
        PvdA, PvdD, FvD, GroenLinks, Tweede Kamer, Eerste Kamer, Hoge Raad, Raad van State,
        Europese Unie, Europees Parlement, Verenigde Naties, Verenigde Staten,
        Nederland, Nederlander, Nederlanders, Nederlandse, België, Belgische, Duitsland, Duitse,
        Frankrijk, Franse, Engeland, Engelse, Groot-Brittannië, Britse, Britten, Spanje, Spaanse,
        Italië, Italiaanse, Polen, Poolse, Rusland, Russen, Russische, Oekraïne, Oekraïners,
        Oekraïense, Turkije, Turkse, Israël, Israëlische, Gaza, Iran, Iraanse, Irak, Syrië,
        Syrische, Saudi-Arabië, Midden-Oosten, China, Chinese, Japan, India, Noord-Korea,
        Zuid-Korea, Amerika, Amerikanen, Amerikaanse, Europa, Europese, Afrika, Zuid-Afrika,
        Amsterdam, Amsterdamse, Rotterdam, Rotterdamse, Den Haag, Den Bosch, Utrecht, Eindhoven,
        Groningen, Arnhem, Nijmegen, Maastricht, Tilburg, Breda, Haarlem, Almere, Zwolle, Schiphol,
        IJmuiden, IJssel, IJsselmeer, Limburg, Zeeland, Friesland, Drenthe, Gelderland, Flevoland,
        Brabant, Noord-Holland, Zuid-Holland, Brussel, Londen, Parijs, Berlijn, Moskou, Kyiv,
        Washington, New York, Madrid, Rome, Peking, Ajax, Feyenoord, Heerenveen, Twente
        """.split()
    ).split(", ")
}
"""Names that are no other Dutch word, with their capitals."""

_ABBREVIATED = frozenset(
    "cm dhr dr drs hr kg km lt ml mld mln mm mr mrd mrs mw nr nrs pct st vgl zgn".split()
)
"""Words without a vowel that are no acronyms."""

_PROSECUTION = re.compile(r"(?:\bHET )?\bOM(?= (?:EIST|WIL|VERVOLGT|IN BEROEP|GAAT|SEPONEERT)\b)")
"""The Openbaar Ministerie, and not the word ``om``."""

_WORD = re.compile(
    "|".join(rf"\b{re.escape(name)}\b" for name in _NAMES if " " in name or "-" in name)
    + r"|(?<=['’‘`])[snktm]\b|[^\W_]+",
    re.IGNORECASE,
)
_FIRST_WORD = re.compile(r"(?:\W*?['’‘`][snktm]\s)?[\W_]*(?P<letters>ij|[^\W\d_])", re.IGNORECASE)
_LETTERS = re.compile(r"[^\W_]+")
_TOKEN = re.compile(r"\S+")
_ADDRESS = re.compile(
    r"://|@|#\w|^\W*www\.|\w\.(?:be|com|de|eu|fr|info|io|net|nl|org|uk)(?!\w)", re.IGNORECASE
)
_CAPITAL_SHARE = 0.7
_LONG_WORD = 8
_PLAIN_WORD = 4


def is_capitals(text: str) -> bool:
    """Whether a line is written in capitals, and not just made of acronyms.

    Args:
        text: a sentence or a heading.

    Returns:
        Whether at least 70 % of its letters are capitals and enough of them are in words: several
        words, or one of 8 letters or more.
    """
    letters = [character for character in text if character.lower() != character.upper()]
    capitals = sum(map(str.isupper, letters))
    if not letters or capitals < _CAPITAL_SHARE * len(letters):
        return False
    words = [word for word in map(re.Match.group, _LETTERS.finditer(text)) if word.isupper()]
    words = [word for word in words if not _keeps_capitals(word)]
    plain = sum(len(word) >= _PLAIN_WORD for word in words)
    if capitals < len(letters):  # "IKEA en UNICEF" has small letters too
        return plain >= 3
    return any(len(word) >= _LONG_WORD for word in words) or (plain >= 1 and len(words) >= 2)


def sentence_case(text: str) -> str:
    """A line in capitals as a sentence: a capital at the start, small letters after it.

    Args:
        text: a line for which :func:`is_capitals` holds.

    Returns:
        The same with other letter case only, code point by code point. Acronyms, initials, words
        with digits and the commonest names keep their capitals.
    """
    prosecution = {match.end() - 2 for match in _PROSECUTION.finditer(text)}
    text = _WORD.sub(
        lambda word: word[0] if word.start() in prosecution else _small(word[0], text, word.end()),
        text,
    )
    first = _FIRST_WORD.match(text)
    if first is None:
        return text
    start, end = first.span("letters")
    return text[:start] + _upper(text[start:end]) + text[end:]


def to_capitals(text: str) -> str:
    """An English sentence in capitals again; web and e-mail addresses, handles and tags stay.

    Only letter case changes, code point by code point: ``ß`` has no capital of one letter and
    stays.
    """
    return _TOKEN.sub(
        lambda token: token[0] if _ADDRESS.search(token[0]) else _upper(token[0]), text
    )


def _small(word: str, text: str, end: int) -> str:
    """A word of a line in capitals as it stands inside a sentence; ``end`` is where it ends."""
    name = _NAMES.get(word.lower())
    if name is not None:
        return name if len(name) == len(word) else word
    if len(word) == 1 and text[end : end + 1] == "." and text[end + 1 :].strip():
        return word  # an initial
    return word if _keeps_capitals(word) else _lower(word)


def _keeps_capitals(word: str) -> bool:
    """Whether a word has its capitals in the middle of a sentence, too."""
    if word.upper() in _ACRONYMS or any(map(str.isdigit, word)):
        return True
    small = word.lower()
    if len(word) == 1:
        return small not in "ustnkm"
    vowel = any(letter[0] in "aeiouy" for letter in unicodedata.normalize("NFD", small))
    return not vowel and small not in _ABBREVIATED


def _lower(text: str) -> str:
    if text.isascii():
        return text.lower()
    return "".join(_same_letter(character, character.lower()) for character in text)


def _upper(text: str) -> str:
    if text.isascii():
        return text.upper()
    return "".join(_same_letter(character, character.upper()) for character in text)


def _same_letter(character: str, other: str) -> str:
    """``other`` if it is one letter and ``character`` in another case; ``SS`` for ``ß`` is not."""
    same = len(other) == 1 and other.casefold() == character.casefold()
    return other if same else character
