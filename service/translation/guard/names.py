"""Names of people and places, and addresses, which a translation keeps."""

import re
from itertools import pairwise

from service.translation.guard.evidence import pair_up, shorten
from service.translation.guard.number_words import fold

_PART = re.compile(r"[^\W\d_]+")
_GENITIVE = re.compile(r"['’]s?$")
_NAME = re.compile(r"[^\W\d_]++(?:['’-][^\W\d_]++)*+")
_OPENERS = ".!?:…\"“„‘'’«([-–—|/"
_DUTCH_WORDS = frozenset(
    """
    de het een hij zij ze dat dit die deze er in op aan bij met van voor na naar om over onder tegen
    tijdens volgens ook maar en of toen nu dan daar ik we wij je jij u zo als wanneer omdat hoewel
    terwijl wat waar wie hoe niet geen alle veel haar zijn mijn ons onze hun meer mr mrs ms dhr mevr
    dr drs ir prof sint heilige god bijbel koran internet
    ministerie minister raad kamer zaken staten hof huis universiteit hogeschool vereniging bond
    partij commissie instituut dienst bank nationale nationaal koninklijke koninklijk internationale
    internationaal algemene algemeen openbaar verenigde vereniging unie europese europeaan
    gemeenschap eerste tweede derde nieuwe nieuw oude grote groot kleine witte rode zwarte groene
    gouden hoge lage noord zuid oost west noordelijke zuidelijke oostelijke westelijke midden
    noordelijk zuidelijk oostelijk westelijk centraal centrale wereldoorlog oorlog republiek
    koninkrijk koning koningin prins prinses keizer keizerin paus graaf hertog president kanselier
    buitenlandse binnenlandse justitie veiligheid onderwijs volksgezondheid economische financien
    defensie landbouw natuur milieu klimaat sociale werkgelegenheid volkskrant kerk kathedraal
    kasteel paleis museum eiland eilanden zee oceaan rivier meer berg bergen gebergte straat plein
    brug laan weg haven stad dorp provincie staat kust baai kanaal poolcirkel evenaar spelen
    olympische paralympische wereldkampioenschap wereldkampioenschappen beker prijs dag nacht
    middeleeuwen renaissance verlichting kerst kerstmis pasen pinksteren ramadan vrede vrijheid
    goede vrijdag bureau statistiek den haag bosch prinsjesdag koningsdag bevrijdingsdag
    miljoenennota
    """.split()
)
"""Dutch words that are written with a capital in names of institutions and get translated."""
_INSTITUTION = re.compile(
    "(?:dienst|raad|bond|bank|kamer|partij|fonds|school|huis|wet|plan|akkoord|bureau|centrum|dag)$"
)
"""What compounds of the same kind end in: ``Rijksdienst``, ``Gezondheidsraad``."""
_EXONYMS = (
    "nederland holland vlaanderen vlaam vlaming belg duits frans frankrijk spaans spanje zweed"
    " zwed zwitser oostenrijk griek hongar polen pool noorwegen noor turk verenigde groot"
    " brit engel schot ierland ier wels europ amerika rus moskou chine china japan kore tsjech"
    " kroati egypt liban syri israel indones jood joods jod rome romein ital portug parijs londen"
    " brussel wenen praag genua veneti venetie keul munchen berlijn athen boekarest warschau"
    " lissabon kopenhagen geneve bazel florence milaan napels turijn krakau sint-petersburg kiev"
    " oekrai roemen bulgar servi bosn alban maced letland lets litouw est fin deens deen denemark"
    " ijsland luxemburg marok algeri tunes libi ethiop somal keni zuid noord oost west nieuw"
    " afrika afrikaan azi austral brazil chil argent colomb mexic mexi canad cuba antillen iran"
    " irak saoed arab afghan palest jorda georg armen kauka siber mongol vietnam filip thai birma"
    " maleis singap himalaya alpen pyren rijn maas schelde donau theems seine atlant stille"
    " middelland kaap hebreeuws latijn islam moslim christen katholiek protestant boeddh hindoe"
    " luik namen gent antwerp doornik rijsel duinkerk straatsburg tokio peking"
    " navo vn vs vk eu wo wk ek"
).split()
_EXONYM = re.compile(f"(?:{'|'.join(sorted(_EXONYMS, reverse=True))})")
"""How names begin that English spells in another way: countries, peoples, cities, seas, faiths."""
_RESPELLINGS = (
    ("tsj", "ch"), ("sj", "sh"), ("oe", "u"), ("ij", "y"), ("dzj", "j"), ("ph", "f"), ("th", "t"),
    ("ck", "k"), ("c", "k"), ("w", "v"), ("z", "s"), ("j", "y"),
)  # fmt: skip
_KEY = 4
"""Letters of a respelled name that must agree."""

_ADDRESS = re.compile(
    r"""
    (?:https?://|www\.)[^\s<>"“”„]++                        # web
    | (?<![\w.+@-])[\w.+-]++@[\w-]++(?:\.[\w-]++)++         # e-mail
    | (?<![\w/&])[@#]\w{2,}                                # handle, hashtag
    | (?<![\w.@/-])[\w-]++(?:\.[\w-]++)++(?![@\w])          # bare domain, told by its ending
    """,
    re.VERBOSE | re.IGNORECASE,
)
_PERHAPS_ADDRESS = re.compile(r"[@#]|\w\.\w|://|www", re.IGNORECASE)
"""What every address has, and few sentences."""
_TOP_LEVEL = frozenset("com nl be org net eu uk gov edu info io de fr tv app dev news".split())


def url_mismatch(source: str, target: str) -> str | None:
    """Evidence that an address, a handle or a hashtag is missing, was added or changed."""
    in_source, in_target = ([address.lower() for address in addresses(t)] for t in (source, target))
    missing = [address for address in dict.fromkeys(in_source) if address not in in_target]
    added = [address for address in dict.fromkeys(in_target) if address not in in_source]
    return pair_up(missing, added) if missing or added else None


def addresses(text: str) -> list[str]:
    """The web and e-mail addresses, bare domains, handles and hashtags in a text, in order."""
    found: list[str] = []
    if not _PERHAPS_ADDRESS.search(text):
        return found
    for match in _ADDRESS.finditer(text):
        address = match.group().rstrip(".,;:!?'’)]*_")
        if "/" not in address and "@" not in address and "#" not in address:
            host, _, ending = address.rpartition(".")
            ending = ending.partition("-")[0]
            if ending.lower() not in _TOP_LEVEL or not any(map(str.isalpha, host)):
                continue
            address = f"{host}.{ending}"
        found.append(address)
    return found


def without_addresses(text: str) -> str:
    """``text`` without its addresses, whose words and numbers are of no language."""
    for address in dict.fromkeys(addresses(text)):
        text = text.replace(address, " ")
    return text


def name_missing(source: str, target: str) -> str | None:
    """Names of the source that the translation has in no similar spelling.

    One lost word says little, for Dutch institutions and places have English names of their own:
    it takes a first and a last name, or two names that are half of all.
    """
    names = _names(source)
    if len(names) < 2:
        return None
    keys = [_key(part) for part in _PART.findall(target)]
    present = {key[:_KEY] for key in keys} | {key[: _KEY - 1] for key in keys if len(key) <= _KEY}
    missing = [name for name in names if not _is_present(name, present)]
    together = any(
        left in missing and right in missing and source.find(f"{left} {right}") >= 0
        for left, right in pairwise(names)
    )
    if len(missing) >= 2 and (together or 2 * len(missing) >= len(names)):
        return shorten(", ".join(missing))
    return None


def _is_present(name: str, present: set[str]) -> bool:
    return any(_key(part)[:_KEY] in present for part in _PART.findall(name) if len(part) > 2)


def _names(source: str) -> list[str]:
    """Capitalised words inside the sentence that are no Dutch words or exonyms."""
    found: dict[str, None] = {}
    end = 0
    opened = True
    for match in _NAME.finditer(source):
        word, gap = match.group(), source[end : match.start()].strip()
        first = gap[-1:] in _OPENERS if gap else opened
        end, opened = match.end(), False
        if first or not word[0].isupper() or word.isupper() or len(word) < 3:
            continue
        folded = fold(word)
        translated = folded in _DUTCH_WORDS or _INSTITUTION.search(folded)
        if not translated and not _EXONYM.match(folded):
            found[_GENITIVE.sub("", word)] = None
    return list(found)


def _key(word: str) -> str:
    """``word`` as it sounds, roughly: ``Poetin`` and ``Putin`` are alike."""
    key = fold(word)
    for dutch, plain in _RESPELLINGS:
        key = key.replace(dutch, plain)
    return re.sub(r"(.)\1+", r"\1", key)
