"""Where Dutch sentences end, and where a sentence that is too long for a model may be cut.

The rules look at the word before a full stop and the word after it; they need no model, keep exact
offsets and take linear time on any input. Abbreviations are written in the tables below in lower
case without their last full stop.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

_NEVER_LAST = frozenset(
    # Titles: a name follows.
    """
    dhr mevr mw mej mr mrs ms dr drs prof ir ing ds jhr jkvr mgr st ste kapt lt lkol sgt zr kard
    bc msc mme lic burg weth fa gebr
    """
    # Abbreviations in the middle of a phrase: what they introduce follows.
    """
    a.d.h.v a.g.v a.h.w alg afb afd afk betr bez bijv bijz blz bv.b bvb ca cf d.d d.w.z dd
    div dtv eig evt excl fig geb gesch gest hfst hoogl i.c i.h.a i.h.b i.h.k.v i.o.m i.p.v i.s.m
    i.t.t i.v.m incl inz lett m.a.w m.b.t m.b.v m.i.v m.n m.u.v n.a.v n.l ned nieuwz nr nrs o.a
    o.b.v o.i.v o.l.v ong oorspr opm pag plm pp resp s.l.z sect t.a.v t.b.v
    t.g.v t.n.v t.o.v t.w t.z.t v.a v.w.t verg verl vgl viz vnl voorz vs w.o w.v wed z.g z.g.n z.s.m
    zgn
    """.split()
)
"""Abbreviations that no sentence ends with."""

_LAST_UNLESS_NUMBER = frozenset(
    """
    art ed eng ev fr gem kl km max min nam nl no oud par past pr red ref spec sub tab tel temp ver
    wo
    """.split()
)
"""Abbreviations that are also whole words: ``art. 6`` goes on, ``moderne art.`` ends."""

_LAST_BEFORE_STARTER = frozenset(
    "a.s a.u.b b.v gen hr kap kol m maj milj mld mln mrd n p p.p v".split()
)
"""Abbreviations that a name may follow: the sentence ends only before a common first word."""

_MAY_BE_LAST = frozenset(
    """
    a.i a.m c.s chr d.c e.a e.d e.u i.d m.i n.v o.i.d p.j p.m p.p.p.d p.u p.w u.k u.s v.s
    """.split()
)
"""Abbreviations that often end a sentence, so that the capital after them decides."""

_ENGLISH_NAMES = {
    "u.s": frozenset(
        """
        agency air army attorney bank border bureau census central coast congress corps court
        customs department district dollar drought federal food forest geological house marine
        marines marshals men men's mint national naval navy open postal secret senate soccer special
        state steel supreme treasury women women's
        """.split()
    ),
    "d.c": frozenset("circuit comics council district superior united".split()),
}
"""What goes on after ``U.S.`` and ``D.C.`` in a name: ``het U.S. Army Corps``."""

_LETTERED = frozenset(
    "bijlage categorie generatie groep hepatitis klasse model plan poule serie super type vak "
    "vitamine".split()
)
"""Words that a single letter belongs to: ``plan B.`` ends a sentence, ``Willem B.`` goes on."""

_DATE_WORDS = frozenset(
    """
    jan feb febr mrt apr jun jul aug sep sept okt nov dec ma di wo do vr za zo
    """.split()
)
"""Months and weekdays, which go on before a number: ``3 jan. 2020``."""

_NAMES_WITH_STOP = frozenset({"yahoo!", "jumbo!", "joh!", "jeopardy!"})
"""Names that are written with an exclamation mark."""

_STARTERS = frozenset(
    """
    aan alle alles als antwoord bij bovendien daar daarbij daardoor daarin daarmee daarna daarom dan
    dat de deze die dinsdag dit donderdag door doordat dus echter een eerder en enkele er geen
    gisteren haar het hier hierbij hierdoor hiermee hij hoe hoewel hun iedereen iemand ik in
    inmiddels ja je jij jullie koffie later maandag maar met mijn morgen na naar nadat nee niemand
    niet niets nu of om omdat onder ons onze ook op over sinds sindsdien sommige tegen ten terwijl
    tijdens toch toen tot u uit van vandaag veel verder vervolgens volgens voor voordat vrijdag waar
    waarom wanneer wat we wel wie wij woensdag zaterdag ze zij zijn zo zondag zonder zowel
    """.split()
)
"""Words that often open a Dutch sentence and seldom follow an abbreviation or initial."""

_NAME_PARTICLES = frozenset("de den der van het ten ter te von le la du des el al".split())
"""Words of a surname: in ``J. De Boer`` a capital does not begin a sentence."""

OPENING_MARKS = "\"'“”„‚‘’‛«»‹›([¿¡*_—–-"
"""What may stand before the first letter of a sentence."""

CLOSING_MARKS = "\"'“”‘’»›)]*_"
"""What may stand between the last punctuation of a sentence and the white space."""

EMOJI = "\u2190-\u21ff\u2300-\u2328\u232b-\u23ff\u25a0-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff"
"""Pictures, arrows and their parts (flags, skin tones), as a set for a regular expression."""

EMOJI_JOINERS = "\u200d\ufe0e\ufe0f\U000e0020-\U000e007f"
"""What stands between or after the parts of one emoji, as a set for a regular expression."""

_UNSEEN = "\u00ad\u200b\u200c\u200e\u200f\u2060\ufeff"

_STOP = re.compile(
    rf"""
    (?<![.!?…])  # the whole run of marks, so that each is read once
    (?P<marks>[.!?…]++)
    (?P<closing>[{re.escape(CLOSING_MARKS)}{_UNSEEN}]*+)
    (?:\s*+[{EMOJI}][{EMOJI}{EMOJI_JOINERS}]*+)*+  # belong to the sentence that they follow
    (?P<space>\s++)
    (?=
        (?:,,)?\s?[{re.escape(OPENING_MARKS)}{_UNSEEN}]*+  # ",," is a low quote in old typing
        (?P<following>\S{{0,24}})
    )
    """,
    re.VERBOSE,
)
_WORD = re.compile(r"\w+")
_CLITIC = re.compile(
    rf"[{re.escape(OPENING_MARKS)}]{{0,3}}?['’‘`][snktm](?:-|\s{{1,3}})(?P<first>\w)"
)
_SMALL_OPENING = re.compile(r"[a-z][A-Z]|https?://|www\.|[a-z0-9-]++\.(?:nl|be|com|org|eu|net)\b")
"""Words that begin a sentence with a small letter: ``iPhone``, ``nos.nl``."""
_DOTTED = re.compile(r"(?:[a-z]\.)+[a-z]")
_INITIALS = re.compile(r"[A-ZÀ-Þ]|(?:[A-ZÀ-Þ][a-z]?\.-?)+[A-ZÀ-Þ][a-z]?|Chr|IJ|Jac|Joh|Ph|Th")
_LONGEST_TOKEN = 40


def split_sentences(text: str) -> Iterator[tuple[int, int]]:
    """Find the sentences of one block of Dutch text.

    Args:
        text: a paragraph; line breaks in it count as spaces.

    Yields:
        ``(start, end)`` of each sentence without the white space around it; every other character
        of ``text`` is in exactly one sentence.
    """
    start = len(text) - len(text.lstrip())
    for stop in _STOP.finditer(text):
        if _ends_sentence(text, stop):
            yield start, stop.start("space")
            start = stop.end()
    end = len(text.rstrip())
    if start < end:
        yield start, end


def _ends_sentence(text: str, stop: re.Match[str]) -> bool:
    """Whether the marks that ``_STOP`` found are the end of a sentence."""
    following = stop["following"]
    if not following or not _may_begin(text, stop.end(), following):
        return False
    position, token = _token_before(text, stop.start())
    # A word in capitals is an acronym: "VS." is not "vs."
    word = token if len(token) > 1 and token.isalpha() and token.isupper() else token.lower()
    if stop["marks"] != ".":
        return word + stop["marks"] not in _NAMES_WITH_STOP
    # "(afgekort D.C.) District": a stop before a bracket may still be that of an abbreviation.
    if stop["closing"].lstrip(_UNSEEN)[:1] not in ("", ")", "]"):
        return True
    return _word_ends_sentence(text, position, token, word, following)


def _may_begin(text: str, position: int, following: str) -> bool:
    """Whether a sentence may begin at ``position``, with ``following`` after any opening quotes."""
    first = following[0]
    if first.isupper() or first.isdigit() or first in "€$£#@©" or _SMALL_OPENING.match(following):
        return True
    clitic = _CLITIC.match(text, position)  # "'s Avonds": the second word has the capital
    return clitic is not None and clitic["first"].isupper()


def _token_before(text: str, end: int) -> tuple[int, str]:
    """Where the token that ends at ``end`` starts, and the token without opening quotes."""
    window = text[max(0, end - _LONGEST_TOKEN) : end]
    token = "" if not window or window[-1].isspace() else window.split()[-1]
    return end - len(token), token.lstrip(OPENING_MARKS + _UNSEEN)


def _word_ends_sentence(text: str, position: int, token: str, word: str, following: str) -> bool:
    """Whether a sentence ends at the full stop after ``token``, given that a capital follows.

    ``word`` is the token in lower case (an acronym stays in capitals); ``position`` is where the
    token starts in ``text``; ``following`` begins with the next word.
    """
    before_number = following[0].isdigit()
    if word in _NEVER_LAST:
        return False
    if word in _LAST_UNLESS_NUMBER:
        return not before_number
    if before_number and word in _DATE_WORDS:
        return False
    next_word = _WORD.match(following)
    if word in _MAY_BE_LAST:
        return next_word is None or next_word[0].lower() not in _ENGLISH_NAMES.get(word, ())
    before_starter = next_word is not None and next_word[0].lower() in _STARTERS
    if word in _LAST_BEFORE_STARTER or _DOTTED.fullmatch(token):
        return before_starter
    if _INITIALS.fullmatch(token):
        if len(token) == 1 and _word_before(text, position).lower() in _LETTERED:
            return True
        if not before_starter:
            return False
        # "Jan A. De Boer" goes on; "vitamine A. De arts" and "bij de A.N.W.B. De" end.
        in_name = next_word is not None and next_word[0].lower() in _NAME_PARTICLES
        return not in_name or len(token) > 3 or _word_before(text, position)[:1].islower()
    opens_item = position == 0 or text[position - 1] in "\r\n" or text.endswith("; ", 0, position)
    return not (opens_item and token.isdigit())  # "1. Inleiding", "1. PSV; 2. Ajax"


def _word_before(text: str, position: int) -> str:
    """The word before ``position``, or nothing."""
    words = text[max(0, position - _LONGEST_TOKEN) : position].split()
    return words[-1] if words else ""


_CLAUSE_ENDS = (
    re.compile(rf"[;:][{re.escape(CLOSING_MARKS)}]*+(?=\s)|(?<![0-9]\s)(?<=\s)[-–—](?=\s)"),
    # Not the comma between two numbers, which may be one number with a space in it.
    re.compile(
        rf"""
        (?<![0-9]),[{re.escape(CLOSING_MARKS)}]*+(?=\s)
        | ,[{re.escape(CLOSING_MARKS)}]*+(?=\s++[^0-9\s])
        """,
        re.VERBOSE,
    ),
    re.compile(
        r"""
        (?<=\S)(?=\s(?:
          en|of|maar|want|dus|omdat|doordat|zodat|terwijl|hoewel|nadat|voordat|toen|wanneer|als|dat
          |die
        )\s)
        """,
        re.VERBOSE,
    ),
)
"""Where clauses end, the clearest ends first."""
_BRACKETS = re.compile(r"[(\[][^()\[\]]*+[)\]]")
_WORD_END = re.compile(r"(?<=\S)(?=\s)")


def split_to_fit(text: str, fits: Callable[[str], bool]) -> tuple[list[str], bool]:
    """Cut a sentence that is too long for a model into parts that fit.

    Each part ends, by preference, after ``;``, ``:`` or a dash, else after a comma, else before a
    conjunction; outside brackets if there is such a place; and not in the first third of what fits,
    for models do badly on scraps. A clause that does not fit is cut between words, and a word that
    does not fit is cut between characters.

    Args:
        text: one sentence.
        fits: whether the model takes a text whole; what fits must fit without its last words too.
            It may take time linear in its argument: the arguments together stay near
            ``len(text) * log(len(text))`` characters.

    Returns:
        The parts in order, which are ``text`` again up to white space when joined by a space, and
        whether a cut had to be made inside a clause. Blank text has no parts.

    Raises:
        ValueError: a single character does not fit.
    """
    text = text.strip()
    clause_ends = _clause_ends(text)
    words = [match.end() for match in _WORD_END.finditer(text)]
    parts: list[str] = []
    cut_in_clause = False
    start = 0
    while start < len(text):
        limit = end = _longest_fit(text, start, words, fits)
        if limit < len(text):
            floors = (start + (limit - start) // 3, start)
            ends = (
                _last_within(cuts, floor, limit)
                for place in clause_ends
                for floor in floors
                for cuts in place
            )
            # Asked again, for a count of tokens is not quite monotone in the length.
            clauses = (cut for cut in ends if cut == limit or (cut and fits(text[start:cut])))
            end = next(clauses, 0)
            if not end:
                cut_in_clause = True
                end = limit
        parts.append(text[start:end])
        start = end
        while start < len(text) and text[start].isspace():
            start += 1
    return parts, cut_in_clause


def _clause_ends(text: str) -> tuple[list[list[int]], list[list[int]]]:
    """The ends of clauses outside brackets and inside, in each the clearest ends first."""
    brackets = [match.span() for match in _BRACKETS.finditer(text)]
    starts = [start for start, _ in brackets]
    outside: list[list[int]] = []
    inside: list[list[int]] = []
    for pattern in _CLAUSE_ENDS:
        cuts: tuple[list[int], list[int]] = ([], [])
        for match in pattern.finditer(text):
            index = bisect_right(starts, match.start()) - 1
            cuts[index >= 0 and match.start() < brackets[index][1]].append(match.end())
        outside.append(cuts[False])
        inside.append(cuts[True])
    return outside, inside


def _longest_fit(text: str, start: int, words: Sequence[int], fits: Callable[[str], bool]) -> int:
    """The end of the longest run of whole words from ``start`` that fits, or of a piece of a word.

    Doubles the length until it is too much and halves from there, so that ``fits`` never sees much
    more than what fits. ``words`` are the ends of all words but the last.
    """

    def end_within(length: int) -> int:
        end = start + length
        return end if end >= len(text) else _last_within(words, start, end) or end

    def length_fits(length: int) -> bool:
        return fits(text[start : end_within(length)])

    longest = len(text) - start
    good, bad = 0, 1
    while length_fits(bad):
        good = bad
        if good == longest:
            return len(text)
        bad = min(2 * bad, longest)
    if not good:
        raise ValueError("a single character does not fit")
    while bad - good > 1:
        middle = (good + bad) // 2
        if length_fits(middle):
            good = middle
        else:
            bad = middle
    return end_within(good)


def _last_within(cuts: Sequence[int], start: int, end: int) -> int:
    """The last of the sorted ``cuts`` after ``start`` and up to ``end``, or 0."""
    index = bisect_right(cuts, end)
    return cuts[index - 1] if index and cuts[index - 1] > start else 0
