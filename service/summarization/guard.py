"""Checks on one bullet that need no model: whether the article carries it.

Measured on the reference bullets and the sentences of the 14 articles in ``seeds/``, with errors
planted in them ten times at random (``tests/summarization/planted_bullets.py``):

=========================================  =====  ======  ===========
planted error                              cases  hard    any warning
=========================================  =====  ======  ===========
number, month or day changed                1030  98.6 %  99.1 %
name of another article                      690  98.6 %  98.7 %
another name of the same article             690   3.6 %  51.4 %
negation added                               890   1.1 %  77.8 %
negation removed                             130   0.0 %  61.5 %
bullet of another article                    533   100 %   100 %
invented, in words of the topic               42  95.2 %  97.6 %
invented, of names and phrases of the text    28  71.4 %  75.0 %
=========================================  =====  ======  ===========

Two of the 41 reference bullets (4.9 %) get a hard warning. The checks look at words: who did what
to whom, and a claim put together from the article's own phrases, are mostly beyond them. Of verbs
that turn a fact round they know those of :data:`_OPPOSITES`.
"""

import re
from collections.abc import Iterable, Sequence

from service.article.warnings import ArticleWarning, WarningCode
from service.summarization.facts import Facts, names, quantities
from service.summarization.receipts import Receipt, Receipts
from service.summarization.words import content_words
from service.translation.guard.evidence import shorten

MAX_CHARACTERS = 2_000
"""Of a longer bullet only the beginning is judged: no model writes such a sentence."""
LEAST_SUPPORT = 0.5
"""A bullet with less support is not carried by its sources. The reference bullets of ``seeds/``
have 0.37, 0.43, 0.53 and more (median 0.94); bullets of other articles have at most 0.30."""
BOILERPLATE_SUPPORT = 0.8
"""An article may be about a helpline: a sentence with this support is its own."""
_SCOPE = 2
"""Content words after a negation that it is taken to deny."""
_SCOPE_CHARACTERS = 40
_MOST_NEGATIONS = 20
"""A text with more of them is no news sentence."""

_BOILERPLATE = re.compile(
    r"\b(?:CNN|iReport(?:er)?s?)\b.{0,60}\b(?:gallery|snapshots?|feature|newsquiz|student|iReport)"
    r"|\bCNN(?:\.com|'s)"
    r"|\b(?:daily ?mail|mail ?online|femail)\b"
    r"|\bsamaritans\b|\bsuicide prevention (?:life|help)line\b"
    r"|\b(?:for )?confidential (?:support|help)\b.{0,40}\bcall\b"
    r"|\bclick here\b|\bscroll down\b|\bback to (?:mail|the page|home)\b|\bvisit the page\b"
    r"|\b(?:all )?(?:photographs?|photos|pictures) (?:courtesy|by kind permission)\b"
    r"|\b(?:please )?(?:share your|join the) (?:thoughts|conversation|comments)\b|\bfollow us on\b"
    r"|\b(?:e-?mail|tweet) us\b|\bcomments below\b|\buse(?:s|d)? the weekly newsquiz\b"
    r"|\bwatch the (?:full )?(?:video|interview) (?:here|above|below)\b",
    re.IGNORECASE,
)
"""Sentences that models trained on the CNN/DailyMail data write about any article."""

_NOT = re.compile(
    r"\b(?:not(?! (?:only|just|least)\b)|never|nobody|none|nothing|nowhere|neither|nor|without"
    r"|cannot|no(?! (?:less|fewer|more than)\b|\. ?[0-9]))\b|n['’]t\b",
    re.IGNORECASE,
)
_DENIAL = re.compile(
    r"\b(?:den(?:y|ie[ds]|ying)|refus(?:e[sd]?|ing|al)|fail(?:s|ed|ing|ure)?|lack(?:s|ed|ing)?"
    r"|unable|hardly|barely|scarcely|rul(?:es?|ed|ing) out|reject(?:s|ed|ing)?|instead|rather"
    r"|prevent(?:s|ed|ing)?|avoid(?:s|ed|ing)?|stop(?:s|ped|ping)?|against|oppos(?:e[ds]?|ing)"
    r"|far from|few(?:er)?|little|less"
    r"|un(?!i|der|til)\w{4,}|im(?:possible|mobile)|in(?:capable|ability|sufficient)\w*"
    r"|miss(?:ed|es|ing)?|free|absent|absence|non)\b",
    re.IGNORECASE,
)
"""Other words that may say the same as a negation."""
_OPPOSITES = [
    tuple(re.compile(rf"\b(?:{side})\b", re.IGNORECASE) for side in pair.split(" / "))
    for pair in (
        "(?:approv|adopt|accept)(?:e[ds]?|s|ing|al) / (?:reject|veto|refus)(?:e[ds]?|s|ing|ion|al)",
        "succe(?:eds?|eded|ss|ssful|ssfully) / fail(?:s|ed|ing|ure)?",
        "w[io]ns?|won|winning|victory / los(?:es?|t|ing)|defeat(?:ed)?",
        "rises?|rose|risen|rising|increas(?:e[ds]?|ing)|gr[eo]ws?|grown|growth|higher"
        " / falls?|fell|fallen|falling|decreas(?:e[ds]?|ing)|drop(?:s|ped)?|declin(?:e[ds]?|ing)"
        "|shr[aiu]nks?|lower",
        "more than|over(?= ?[€$£0-9])|at least / fewer than|less than|under(?= ?[€$£0-9])|at most",
        "(?:in favou?r of|vote[ds]? for) / against",
        "arrest(?:s|ed)?|detain(?:s|ed)?|jail(?:s|ed)? / releas(?:e[ds]?|ing)|free[ds]?",
        "guilty|convicted / innocent|acquitted",
        "m[ae]n|boys?|sons?|fathers?|brothers? / wom[ae]n|girls?|daughters?|mothers?|sisters?",
        "before(?= [12][0-9]{3}) / after(?= [12][0-9]{3})",
        "opens?|opened / clos(?:e[ds]?|ing)",
    )
]
"""Words that turn a statement round: one of them in the bullet and only its opposite in the
sources, both in clauses without a negation, is a contradiction, or may be."""
_CLAUSE_END = re.compile(
    r"(?<![,;:.!?…—–])[,;:.!?…—–]++[\"'”’]?\s|\n|\s(?:but|while|whereas|although|because|whether|if)\s"
)


def check_bullet(bullet: str, receipt: Receipt, receipts: Receipts) -> list[ArticleWarning]:
    """What is wrong, or may be, with one bullet.

    Args:
        bullet: an English sentence that a model wrote about the article.
        receipt: what ``receipts`` cites for it.
        receipts: those of the article.

    Returns:
        Each code at most once, in the order of :class:`WarningCode`:

        * ``number_mismatch``: a number, date, unit or day of the week that the article does not
          have; a rounded number is another number;
        * ``unsupported``: support below :data:`LEAST_SUPPORT`, or a bullet all in capitals, whose
          names can't be told from its other words;
        * ``name_mismatch``: a name that the article does not have;
        * ``boilerplate``: a sentence of the training data;
        * ``negation_missing``: the bullet denies what the cited sentences affirm, or the reverse,
          or has the opposite of a word of theirs;
        * ``source_elsewhere``: a number or name that only other sentences have.

        Takes time linear in the bullet and its sources; the first bullet with a number or name that
        is not in its sources has the whole article read.
    """
    sources = receipts.cited(receipt)
    if [" ".join(text.split()) for text in sources] == [" ".join(bullet.split())]:
        return []
    bullet = bullet[:MAX_CHARACTERS]
    cited = [Facts(text) for text in sources]
    wrong_numbers: list[str] = []
    wrong_names: list[str] = []
    elsewhere: list[str] = []
    for quantity in dict.fromkeys(quantities(bullet)):
        if not any(facts.has_quantity(quantity) for facts in cited):
            known = any(facts.has_quantity(quantity) for facts in receipts.facts)
            (elsewhere if known else wrong_numbers).append(quantity.text)
    for name in dict.fromkeys(names(bullet)):
        if not any(facts.has_name(name) for facts in cited):
            known = any(facts.has_name(name) for facts in receipts.facts)
            (elsewhere if known else wrong_names).append(name.text)
    found = {
        WarningCode.NUMBER_MISMATCH: _list(wrong_numbers),
        WarningCode.NAME_MISMATCH: _list(wrong_names),
        WarningCode.SOURCE_ELSEWHERE: _list(elsewhere),
        WarningCode.NEGATION_MISSING: negation_mismatch(bullet, sources),
    }
    if receipt.support < LEAST_SUPPORT:
        found[WarningCode.UNSUPPORTED] = f"support {receipt.support:.2f}"
    elif bullet.isupper():
        found[WarningCode.UNSUPPORTED] = "all in capitals"
    if receipt.support < BOILERPLATE_SUPPORT and (match := _BOILERPLATE.search(bullet)):
        found[WarningCode.BOILERPLATE] = shorten(match.group())
    return [
        ArticleWarning(code, evidence)
        for code in WarningCode
        if (evidence := found.get(code)) is not None
    ]


def _list(words: Iterable[str]) -> str | None:
    return shorten(", ".join(dict.fromkeys(words))) or None


def negation_mismatch(bullet: str, sources: Sequence[str]) -> str | None:
    """Evidence that a bullet denies what its sources affirm, or affirms what they deny.

    Two texts disagree when the content words that follow a negation in one stand in a clause of the
    other, and no such clause has a negation or a word like ``refuse``; and when the bullet has a
    word of which the sources have the opposite alone.

    Args:
        bullet: the bullet.
        sources: the sentences that it rests on.
    """
    together = "\n".join(sources)
    return (
        _denied_only_by(bullet, together)
        or _denied_only_by(together, bullet)
        or _opposite(bullet, together)
    )


def _denied_only_by(text: str, other: str) -> str | None:
    """A negation of ``text``, with what it denies, that ``other`` affirms."""
    negations = list(_NOT.finditer(text))[:_MOST_NEGATIONS]
    if not negations:
        return None
    clauses = [(set(content_words(clause)), clause) for clause in _CLAUSE_END.split(other)]
    for match in negations:
        scope = text[match.end() : match.end() + _SCOPE_CHARACTERS]
        denied = content_words(_CLAUSE_END.split(scope)[0])[:_SCOPE]
        said = [clause for words, clause in clauses if words.issuperset(denied)]
        if denied and said and not any(_NOT.search(it) or _DENIAL.search(it) for it in said):
            return shorten(match.group() + scope)
    return None


def _opposite(bullet: str, sources: str) -> str | None:
    """A word of the bullet, of which the sources have the opposite alone."""
    affirmed, known = (
        "\n".join(clause for clause in _CLAUSE_END.split(text) if not _NOT.search(clause))
        for text in (bullet, sources)
    )
    for left, right in _OPPOSITES:
        for said, opposite in ((left, right), (right, left)):
            match = said.search(affirmed)
            if (
                match
                and opposite.search(known)
                and not said.search(sources)
                and not opposite.search(bullet)
            ):
                return shorten(match.group())
    return None
