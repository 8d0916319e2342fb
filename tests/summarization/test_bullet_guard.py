"""The guard of bullets: what it finds in spoilt bullets, and that it lets good ones pass."""

import random
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted_bullets import (
    BOILERPLATE,
    Case,
    bullets_of_others,
    english,
    foreign_names,
    invented,
    names_of_the_article,
    negations_added,
    negations_removed,
    numbers_changed,
    recombined,
)

from service.article.document import Block, BlockKind, Document, Sentence
from service.article.warnings import ArticleWarning, Severity, WarningCode
from service.evaluation.seeds import load_seeds
from service.summarization.extractive import BULLET_KINDS
from service.summarization.guard import check_bullet
from service.summarization.receipts import Receipts

ARTICLES = load_seeds(Path(__file__).resolve().parents[2] / "seeds")
RECEIPTS = {article.name: Receipts(english(article)) for article in ARTICLES}
ROUNDS = 3

NEWS = (
    "The mayor of Aalterdam, Ria Kolkman, opened a new bridge over the canal on Monday 4 May 2026.",
    "The United Nations and the European Commission paid 1.2 million euros for it.",
    "Two Libyan engineers had warned that the bridge was not safe for buses.",
    "Bas Twijnstra, skipper of the old ferry, has sailed here for 40 years.",
    "The council voted against a second ferry, by 19 votes to 12.",
    "The police denied that the bridge was closed in June.",
    "In the Netherlands, 30 percent of all bridges were built before 1950.",
)


def receipts_of(*sentences: str) -> Receipts:
    made = tuple(Sentence(f"s{i}", 0, len(text), text) for i, text in enumerate(sentences, 1))
    heading = Block(BlockKind.HEADING, (Sentence("s0", 0, 10, "Bridge of Queen Wilhelmina open"),))
    return Receipts(Document("", (heading, Block(BlockKind.PARAGRAPH, made))))


def check(bullet: str, receipts: Receipts) -> list[ArticleWarning]:
    return check_bullet(bullet, receipts.cite(bullet), receipts)


def found(bullet: str) -> dict[str, str]:
    return {str(warning.code): warning.evidence for warning in check(bullet, receipts_of(*NEWS))}


def rates(cases: Iterable[Case], name: str) -> tuple[float, float]:
    """Shares of the cases with a hard warning and with any."""
    warnings = [check(case.bad, RECEIPTS[case.article]) for case in cases]
    hard = mean(any(w.code.severity is Severity.HARD for w in found) for found in warnings)
    some = mean(map(bool, warnings))
    print(f"{name:<22}{len(warnings):5}  hard {hard:6.1%}  any {some:6.1%}")
    return hard, some


@pytest.mark.parametrize(
    ("plant", "least_hard", "least_any"),
    [
        (numbers_changed, 0.95, 0.97),
        (foreign_names, 0.85, 0.95),
        (names_of_the_article, 0.0, 0.4),
        (negations_added, 0.0, 0.7),
        (negations_removed, 0.0, 0.5),
    ],
)
def test_planted_errors_are_caught(
    plant: Callable[..., Iterable[Case]], least_hard: float, least_any: float
) -> None:
    choice = random.Random(7)  # noqa: S311
    cases = [case for _ in range(ROUNDS) for case in plant(ARTICLES, choice)]
    hard, some = rates(cases, plant.__name__)
    assert hard >= least_hard
    assert some >= least_any


def test_bullets_of_other_articles_are_caught() -> None:
    assert rates(bullets_of_others(ARTICLES), "bullets of others")[0] >= 0.99


def test_sentences_invented_in_the_words_of_the_topic_are_caught() -> None:
    assert rates(invented(ARTICLES), "invented sentences")[0] >= 0.95


def test_most_sentences_put_together_from_phrases_of_the_article_are_caught() -> None:
    # What the article does not say in words that it has: the limit of what overlap can tell.
    assert rates(recombined(ARTICLES), "recombined sentences")[0] >= 0.65


def test_reference_bullets_pass() -> None:
    cases = [Case(article.name, "", bullet) for article in ARTICLES for bullet in article.bullets]
    assert rates(cases, "reference bullets")[0] <= 0.05


def test_a_sentence_of_the_article_has_nothing_wrong() -> None:
    for article in ARTICLES:
        for block in english(article).blocks:
            for sentence in block.sentences:
                if block.kind in BULLET_KINDS:
                    assert check(sentence.text, RECEIPTS[article.name]) == []


@pytest.mark.parametrize("bullet", BOILERPLATE)
def test_sentences_of_the_training_data_are_known(bullet: str) -> None:
    assert "boilerplate" in found(bullet)


def test_an_article_about_a_helpline_may_have_a_bullet_about_it() -> None:
    receipts = receipts_of("The Samaritans opened a new office in Aalterdam on Monday evening.")
    assert check("The Samaritans opened a new office in Aalterdam.", receipts) == []


@pytest.mark.parametrize(
    "bullet",
    [
        "Mayor Kolkman opened a new bridge over the canal.",
        "Ria Kolkman's bridge over the canal was opened on Monday.",
        "The UN and the European Commission paid 1.2 million euros.",
        "The U.N. paid 1.2 million euros for it.",
        "The European Commission paid €1,200,000 for it.",
        "Engineers from Libya warned that the bridge was not safe for buses.",
        "2 Libyan engineers warned that the bridge was unsafe for buses.",
        "Skipper Twijnstra has sailed here for forty years.",
        "Thirty percent of all Dutch bridges were built before 1950.",
        "The council voted against a second ferry 19-12.",
        "Kolkman opened a new bridge over the canal on 4-5-2026.",
        "Police deny that the bridge was closed in June.",
        "The bridge was not closed in June, police say.",
        "The council did not vote for a second ferry.",
    ],
)
def test_the_same_said_otherwise_passes(bullet: str) -> None:
    assert found(bullet) == {}


@pytest.mark.parametrize(
    ("bullet", "code", "evidence"),
    [
        ("Ria Kolkman opened a new bridge over the canal on 5 May.", "number_mismatch", "5"),
        ("Kolkman opened a new bridge over the canal on 4 April.", "number_mismatch", "4, April"),
        ("Kolkman opened a new bridge on Tuesday.", "number_mismatch", "Tuesday"),
        ("They paid 1.3 million euros for it.", "number_mismatch", "1.3 million"),
        ("The European Commission paid 1 million euros.", "number_mismatch", "1 million"),
        ("They paid 1.2 billion euros for it.", "number_mismatch", "1.2 billion"),
        ("They paid 1.2 million dollars for it.", "number_mismatch", "dollars"),
        ("Twijnstra has sailed here for 19 years.", "number_mismatch", "19"),
        ("Three Libyan engineers had warned of it.", "number_mismatch", "Three"),
        ("Ria Dekkers opened a new bridge over the canal.", "name_mismatch", "Dekkers"),
        ("Dekker opened a new bridge over the canal.", "name_mismatch", "Dekker"),
        ("The US and the European Commission paid for it.", "name_mismatch", "US"),
        ("Two Tunisian engineers had warned of the bridge.", "name_mismatch", "Tunisian"),
        ("Ria Twijnstra opened a new bridge over the canal.", "source_elsewhere", "Twijnstra"),
        ("Wilhelmina opened a new bridge over the canal.", "source_elsewhere", "Wilhelmina"),
        ("Engineers warned that the bridge was safe for buses.", "negation_missing", "not safe"),
        ("Kolkman never opened a new bridge over the canal.", "negation_missing", "never opened"),
        ("The council voted for a second ferry.", "negation_missing", "voted for"),
        ("Kolkman closed a new bridge over the canal.", "negation_missing", "closed"),
        ("30 percent of all bridges were built after 1950.", "negation_missing", "after"),
        ("eBay opened a new bridge over the canal.", "name_mismatch", "eBay"),
        ("THE DEKKERS OPENED A NEW BRIDGE OVER THE CANAL.", "unsupported", "all in capitals"),
        ("Voters elected a poet who breeds sheep.", "unsupported", "support 0.00"),
    ],
)
def test_what_the_article_does_not_say_is_named(bullet: str, code: str, evidence: str) -> None:
    warnings = found(bullet)
    assert code in warnings
    assert warnings[code].startswith(evidence)


def test_a_plural_at_the_beginning_is_no_name() -> None:
    assert "name_mismatch" not in found("Shopkeepers said that the bridge was not safe for buses.")


@pytest.mark.parametrize(
    ("source", "bullet", "contradicts"),
    [
        ("Some of the roads had over 40 holes in May.", "The roads had under 40 holes.", True),
        (
            "The bridge under repair had 40 holes in May.",
            "A bridge over water had 40 holes.",
            False,
        ),
        ("The council did not approve the plan for a bridge.", "The council rejected it.", False),
        ("Prices of bread rose and those of milk fell in May.", "Prices of bread fell.", False),
    ],
)
def test_only_the_opposite_of_what_is_affirmed_contradicts(
    source: str, bullet: str, contradicts: bool
) -> None:
    warnings = check(bullet, receipts_of(source))
    assert ("negation_missing" in {warning.code for warning in warnings}) == contradicts


def test_titles_are_no_names() -> None:
    bullet = "Ria Kolkman, the Queen's friend and Mayor of Aalterdam, opened a bridge."
    assert "name_mismatch" not in found(bullet)


@given(st.text(max_size=60), st.lists(st.text(min_size=1, max_size=60), max_size=4))
def test_any_bullet_and_article_get_every_code_at_most_once_and_in_order(
    bullet: str, sentences: list[str]
) -> None:
    receipts = receipts_of(*sentences)
    warnings = check(bullet, receipts)
    codes = [warning.code for warning in warnings]
    assert codes == [code for code in WarningCode if code in codes]
    assert all(len(warning.evidence) < 80 for warning in warnings)
    assert check(bullet, receipts) == warnings


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "a. ",
        '"',
        ",",
        "1 ",
        "Aa ",
        "A ",
        "not ",
        "not a, ",
        "May 1 ",
        "CNN ",
        "U.S.",
        "é",
        "%",
    ],
)
def test_hostile_text_takes_no_time(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    started = time.thread_time()
    check("The mayor of Zorkdam did not open 9 bridges in May.", receipts_of(text, *NEWS))
    check(text + "mayor", receipts_of(*NEWS))
    assert time.thread_time() - started < 2
