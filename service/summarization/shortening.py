"""Bullets and headlines within a number of words.

A sentence is shortened only where a clause ends: what remains is its beginning, which says the same
with less. The rules know commas, the word after them and the forms of common verbs, no grammar; in
doubt they refuse, and the caller takes another sentence or cuts with a visible ``...``.
"""

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

from service.summarization.summarizer import Bullet

FEWEST_WORDS = 4
"""A beginning of fewer words ("The mayor said.") says too little to be a bullet."""

HEADLINE_WORDS = 12
"""Most words of a headline."""

_BASE_VERBS = """
    accuse act add agree aim announce appear apply argue arrest arrive ask attack believe belong
    call carry cause change claim close collapse comment concern confirm consider contain continue
    cost count create damage decide decline decrease deliver demand deny depend describe destroy
    develop die differ discover discuss earn elect employ end enjoy enter escape expand expect
    explain express face fail fear finish follow force found gather grant happen help hope identify
    improve include increase inform injure introduce invest investigate invite involve join kill
    last launch lead like list live look lose love maintain manage mean measure move need occur
    offer open oppose order organise organize own pay plan play point prefer prevent produce promise
    propose protect prove provide publish pull push raise reach receive reduce refuse reject release
    remain remember remove replace report represent require rescue resign resume return reveal rise
    run save say seek seem sell send serve show sign speak spend stand start state stay stop suffer
    suggest support suspect take talk tell thank think threaten train treat turn use visit vote wait
    want warn welcome win work worry write
"""
_SURE_VERBS = frozenset(
    """
    am are is was were has have had does do did will would can could may might shall should must
    isn't aren't wasn't weren't hasn't haven't hadn't doesn't don't didn't won't wouldn't can't
    couldn't cannot he's she's it's they're we're i'm you're that's there's
    ate began became blew broke came chose did drew drove fell flew forgot gave grew hid knew rang
    ran rose said sang sank saw says shook spoke stole swam threw took went woke wore wrote
    """.split()
)
"""Words that are the verb of a clause and not its participle."""
_IRREGULAR = frozenset(
    """
    bought brought built caught cost cut dealt felt fought found got heard held hit hurt kept laid
    left lent let lost made meant met paid put read sent set shot showed shut sold spent split
    spread stood struck taught thought told understood won become begin come fall find get give go
    grow hold keep know leave make meet see goes makes gives gets finds comes falls leaves keeps
    holds knows begins becomes grows sees meets builds build sets wins
    """.split()
)
_VERBS = (
    _SURE_VERBS
    | _IRREGULAR
    | {verb + ending for verb in _BASE_VERBS.split() for ending in ("", "s", "es")}
    | {verb.removesuffix("y") + "ies" for verb in _BASE_VERBS.split() if verb.endswith("y")}
)
"""Words that may be the verb of a clause; some are nouns or participles too."""

_NOT_VERBS = frozenset(
    "bed breed exceed feed greed hundred indeed naked need red sacred seed shed speed weed".split()
)
"""Words in -ed that are no past tense."""

_NOT_MAIN = frozenset(
    """
    after although as because before even given if lest once provided since that though
    till unless until what when whenever where whereas wherever whether while who why how
    """.split()
)
"""First words of a sentence that opens with a clause: its main clause comes later."""

_ADVERBIAL = frozenset(
    """
    at by during for from in meanwhile on today tomorrow tuesday under with yesterday monday
    wednesday thursday friday saturday sunday
    """.split()
)
"""First words of a sentence whose first comma often stands before its subject."""

_DANGLING = frozenset(
    """
    a about after also an and are around as at because before but by during for from her his if in
    include included includes into is its like my nor of on or our over since so than that the their
    then these this those through to under until was were when where which while who with without
    your
    """.split()
)
"""Words that no sentence should be left to end with."""

_RESERVATION = re.compile(
    r"""
    \b(?:
      although | but | except | excluding | fails? | failed | hardly | however | if | never
      | neither | no | none | nor | not | nothing | only | otherwise | provided | rather | though
      | unless | until | whereas | without | yet | cannot | den(?:y|ies|ied)
      | alleg(?:edly|e[ds]?|ing|ations?) | reportedly | claim(?:s|ed|ing)? | suspected | later
      | supposed(?:ly)? | assum(?:e[ds]?|ing) | suggest(?:s|ed)? | rumou?r(?:s|ed)?
      | (?:false|wrong|incorrect|mistaken)(?:ly)? | lie[ds]? | jok(?:e[ds]?|ing) | story
      | depend(?:s|ed|ing) | as\slong\sas | in\scase | exceptions? | apart\sfrom
      | annulled | cancelled | overturned | reversed | revoked | vetoed | withdrawn | withdrew
    )\b | n['’]t\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""What takes back, limits or doubts what was said before: a clause with it is never dropped."""

_SAYING = (
    r"(?:said|says|say|added|adds|told|tells|reported|reports|wrote|writes|announced|confirmed"
    r"|explained|believes|thinks|stressed)\b"
)
_PLACE = re.compile(
    rf"""
    (?P<semicolon>;)(?=\s)
    | (?P<dash>(?<=[^\s0-9])\s[-–—](?=\s[^\W\d]))
    | ,(?P<quote>["”]?+)(?=\s(?:
        (?P<saying>{_SAYING}|according\sto\b)
        | (?P<speaker>(?:\S{{1,30}}+\s){{1,8}}?{_SAYING})
        | (?P<tail>
            (?:which|who|whose|whom|where|when)\b
            | (?!(?:according|during|nothing|something|anything|everything|evening|morning)\b)
              [a-z]{{2,20}}ing\b
            | (?:because|after|before|since|so|as|while|including|especially|during|following|due
              |thanks|such|with|among)\b
            | and\s(?:he|she|it|they|we|you|I|there|this|that|these|those)\b
          )
        | (?P<apposition>(?:a|an|the|his|her|its|their|one|and)\b)
      ))
    """,
    re.VERBOSE,
)
"""Where a sentence may end before its end."""

# In "Jan B. (29)." one full stop is enough.
_BRACKETS = re.compile(r"\.?+\s*+\([^()]*+\)(?=\.)|\s*+\([^()]*+\)")
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*+")
_END = re.compile(r"[.!?…]++[\"”'’»)\]]*+\Z")
_QUOTATION_MARKS = re.compile(
    r"""
    (?P<straight>") | [“„«(\[”»)\]]
    | (?P<single>(?P<opens>(?<![^\W_])['‘](?=\w)) | ['’](?!\w))
    """,
    re.VERBOSE,
)
_INITIALS = re.compile(r"(?:\w\.)+\w\.\Z")


def count_words(text: str) -> int:
    """Words of a text as the word limit counts them: what stands between white space."""
    return len(text.split())


def shorten(sentence: str, max_words: int) -> str | None:
    """The sentence, or a beginning of it that is a sentence too, in at most ``max_words`` words.

    Left out are parentheses and what follows a clause: who said it, a relative clause, a participle
    or an apposition with all that comes after. Nothing is cut inside a quotation, a name or a
    number, and no clause goes that limits what stands before it ("but", "if", "not").

    Args:
        sentence: one English sentence; its white space is collapsed.
        max_words: most words of the answer.

    Returns:
        As much of the sentence as fits, with its end mark, or ``None`` where no such beginning of
        at least :data:`FEWEST_WORDS` words is found.
    """
    sentence = " ".join(sentence.split())
    if count_words(sentence) <= max_words:
        return sentence
    sentence = _without_brackets(sentence)
    if FEWEST_WORDS <= count_words(sentence) <= max_words:
        return sentence
    short = next(_beginnings(sentence, max_words), "")
    return short if count_words(short) >= FEWEST_WORDS else None


def cut(text: str, max_words: int) -> str:
    """The first ``max_words`` words and ``...``: the last resort where nothing shorter is honest.

    Numbers at the end, of which more may follow, are left out. A text within the limit is returned
    as it is, its white space collapsed.
    """
    words = text.split()
    if len(words) <= max_words:
        return " ".join(words)
    kept = words[:max_words]
    # "Cost 120..." of "cost 120 million euros" would be another amount.
    while len(kept) > 1 and kept[-1][-1].isdigit():
        kept.pop()
    beginning = " ".join(kept)
    beginning = (beginning.rstrip(" ,;:.!?…-–—") or beginning) + "..."
    return beginning + ('"' if beginning.count('"') % 2 else "")


def headline(title: str | None, bullets: Sequence[Bullet]) -> str:
    """A headline of at most :data:`HEADLINE_WORDS` words, without a full stop at its end.

    Args:
        title: the article's English title, if it has one.
        bullets: its summary.

    Returns:
        The title if it is short enough; else the bullet with most support, of equals the first,
        shortened; else the title shortened. Empty where there is neither.
    """
    title = " ".join((title or "").split())
    text = title
    if bullets and (not title or count_words(title) > HEADLINE_WORDS):
        text = max(bullets, key=lambda bullet: bullet.support).text
    short = shorten(text, HEADLINE_WORDS) or cut(text, HEADLINE_WORDS)
    if short.endswith("...") or _INITIALS.search(short):
        return short
    return re.sub(r" ?(?<!\.)\.([\"”'’)]?)\Z", r"\1", short)


def _without_brackets(sentence: str) -> str:
    """The sentence without parentheses, but for those in quotations and those that limit it."""
    inside = _quotations(sentence)

    def keep(match: re.Match[str]) -> str:
        return match[0] if inside[match.end()] or _RESERVATION.search(match[0]) else ""

    return " ".join(_BRACKETS.sub(keep, sentence).split())


def _beginnings(sentence: str, max_words: int) -> Iterator[str]:
    """The beginnings of a sentence that are sentences and within the limit, longest first."""
    words = [(match.start(), match.end(), match[0]) for match in _WORD.finditer(sentence)]
    if not words:
        return
    ends = [end for _, end, _ in words]
    first = words[0][2].lower()
    opens_with_clause = first in _NOT_MAIN or first.endswith(("ing", "ed"))
    verb = _first_position(words[1:], _is_verb)
    sure_verb = _first_position(words[1:], _is_sure_verb)
    first_comma = _comma(sentence, 0)
    # Up to here there is no clause but the one that the sentence begins with.
    main = _comma(sentence, first_comma + 1) if first in _ADVERBIAL else first_comma
    last_comma = sentence.rfind(", ")
    that_clause = sentence.rfind(", that ")
    colon = sentence.find(":")
    last_reservation = max((match.start() for match in _RESERVATION.finditer(sentence)), default=-1)
    inside = _quotations(sentence)

    def stands(place: re.Match[str]) -> bool:
        """Whether what stands before ``place`` is a sentence that says nothing else."""
        end = place.start()
        quoted = bool(place["saying"] and place["quote"])
        before = bisect_right(ends, end) - 1
        if (
            before < 0
            or words[before][2].lower() in _DANGLING
            or last_reservation > end
            or (inside[end] and not quoted)
            or (opens_with_clause and not (place["saying"] or place["semicolon"]))
            # A comma or colon before it: this may be the next item of a list.
            or (place["apposition"] and (first_comma < end or 0 <= colon < end))
            # "It is said by some, among them Jansen, that": what was said comes after it.
            or that_clause > end
        ):
            return False
        # "The mayor of Ede, who was ill, said it": a comma before or after may belong to a clause
        # in the middle, and the verb before it to that clause.
        nested = last_comma > end or place["apposition"] or place["dash"]
        after_opening = first in _ADVERBIAL and end == first_comma
        of_inner_clause = (place["saying"] or place["speaker"]) and first_comma < end and not quoted
        if nested or after_opening or of_inner_clause:
            return sure_verb < min(main, end)
        return verb < end

    end_mark = _END.search(sentence)
    mark = end_mark[0][0].replace("…", ".") if end_mark else ""
    limit = _end_of_words(sentence, max_words)
    for place in reversed([place for place in _PLACE.finditer(sentence) if place.start() <= limit]):
        if stands(place):
            beginning = sentence[: place.start()].rstrip(" ,;:-–—")
            closing = "" if beginning.endswith(("!", "?", ".")) else mark
            # The first words of a quotation may stand in the sentence before.
            quotation_mark = place["quote"] if inside[place.start()] else ""
            yield beginning + closing + (quotation_mark or "")


def _comma(text: str, start: int) -> int:
    """Where the first comma with a space after it stands, or the end of the text."""
    position = text.find(", ", start)
    return len(text) if position < 0 else position


def _end_of_words(text: str, count: int) -> int:
    """Where the first ``count`` words of a text without other white space than spaces end."""
    position = -1
    for _ in range(count):
        position = text.find(" ", position + 1)
        if position < 0:
            return len(text)
    return position


def _first_position(words: Sequence[tuple[int, int, str]], wanted: Callable[[str], bool]) -> float:
    return next((start for start, _, word in words if wanted(word)), math.inf)


def _is_sure_verb(word: str) -> bool:
    # With a capital it is a name: May, Will.
    return word.replace("’", "'") in _SURE_VERBS


def _is_verb(word: str) -> bool:
    return (
        _is_sure_verb(word)
        or word in _VERBS
        or (word.endswith("ed") and word[0].islower() and word not in _NOT_VERBS)
    )


def _quotations(text: str) -> list[bool]:
    """For every position of ``text``, and its end, whether a quotation or bracket is open there."""
    inside = []
    straight = False
    depth = single = 0
    marks = {match.start(): match for match in _QUOTATION_MARKS.finditer(text)}
    for position in range(len(text) + 1):
        match = marks.get(position)
        if match is not None and match["straight"]:
            straight = not straight
        elif match is not None and match["single"]:
            single = max(0, single + (1 if match["opens"] is not None else -1))
        elif match is not None:
            depth = max(0, depth + (1 if match[0] in "“„«([" else -1))
        inside.append(straight or depth > 0 or single > 0)
    return inside
