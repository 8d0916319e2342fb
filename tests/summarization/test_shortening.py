"""The word limit of a bullet and the headline: what remains is a sentence or shows its cut."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.article.document import BlockKind
from service.evaluation.seeds import load_seeds
from service.summarization.shortening import (
    FEWEST_WORDS,
    HEADLINE_WORDS,
    count_words,
    cut,
    headline,
    shorten,
)
from service.summarization.summarizer import Bullet

SEEDS = Path(__file__).resolve().parents[2] / "seeds"


@pytest.mark.parametrize(
    ("sentence", "max_words", "expected"),
    [
        (
            "The city builds a new bridge over the river, which will be ready in May.",
            9,
            "The city builds a new bridge over the river.",
        ),
        (
            "The bridge was opened on Monday by the mayor, who thanked the builders, and the king.",
            12,
            "The bridge was opened on Monday by the mayor.",
        ),
        (
            "Police arrested three men in Amsterdam, leaving two suspects on the run.",
            8,
            "Police arrested three men in Amsterdam.",
        ),
        (
            "The company (founded in 1990) was sold to a Belgian firm last week.",
            12,
            "The company was sold to a Belgian firm last week.",
        ),
        (
            "The court in Ede has heard the suspect Jan B. (29).",
            10,
            "The court in Ede has heard the suspect Jan B.",
        ),
        (
            "The firm was sold to a Belgian investor for 3,500 euros, the owner said on Friday.",
            12,
            "The firm was sold to a Belgian investor for 3,500 euros.",
        ),
        (
            '"We are very happy with the new bridge," said mayor Jan Jansen of Ede.',
            9,
            '"We are very happy with the new bridge."',
        ),
        (
            "“We are very happy with the new bridge,” said mayor Jan Jansen of Ede.",
            9,
            "“We are very happy with the new bridge.”",
        ),
        (
            'That is why we are all happy with the bridge," said the mayor of Ede.',
            10,
            "That is why we are all happy with the bridge.",
        ),
        (
            "The minister was asked about it on Monday; he gave the same answer as before.",
            9,
            "The minister was asked about it on Monday.",
        ),
        (
            "The prime minister was in Berlin - his third visit this year - to talk about gas.",
            8,
            "The prime minister was in Berlin.",
        ),
        (
            "Has the council agreed to the new bridge, which costs two million euros?",
            9,
            "Has the council agreed to the new bridge?",
        ),
        (
            "On Monday, the museum was closed for the day, because the roof leaked, a guard said.",
            10,
            "On Monday, the museum was closed for the day.",
        ),
    ],
)
def test_a_long_sentence_ends_where_a_clause_ends(
    sentence: str, max_words: int, expected: str
) -> None:
    assert shorten(sentence, max_words) == expected


@pytest.mark.parametrize(
    "sentence",
    [
        # What limits the first words would be lost.
        "The council voted for the plan, but the court blocked it on Friday morning.",
        "The bridge will be closed on Sunday, if the council agrees to the works.",
        "The bridge was opened in May, although the road to it is closed.",
        "The bridge was sold to a firm, which has not paid for it.",
        "The bridge was built by the city (but not by the mayor), which paid for it.",
        # What casts doubt on the first words, or takes them back, would be lost.
        "The old mayor of Ede took the money, the prosecutor of Utrecht alleged.",
        "The old mayor of Ede took the money, according to a false rumour.",
        "The old mayor of Ede took the money, the paper wrongly reported on Friday.",
        "The tax on houses goes down in May, as long as parliament agrees to it.",
        "All trains to the south were late, with the exception of those to Spain.",
        "The old club won the final match, which was annulled by the federation.",
        "The mayor was fined a million euros, a sum that was later reduced.",
        # What remains would be no sentence.
        "The mayor of the city of Utrecht, who was ill, said that the bridge would close.",
        "The firm in the old city of Utrecht, which was closed, because it rained, has moved.",
        "As the old bridge over the river closed, the mayor said it would reopen.",
        "Asked about the new bridge of the city, the mayor laughed, saying it was fine.",
        "In the centre of the city of Amsterdam, the mayor opened the bridge.",
        "The state of the bridge in Ede, the mayor said, is bad and will get worse.",
        "He bought a car, a boat, and a house in the south of France.",
        "In its report of the first of May, the bank said that prices in all shops were falling.",
        "It is believed in Ede by some, including the mayor, that the bridge was built too low.",
        "The city has water on three sides: the old river, the canal, the lake and the sea.",
        # Inside a quotation.
        'The mayor said: "We are tired of it, which is a great pity for all of us."',
        "The mayor said: 'We are tired of it, which is a great pity for all of us.'",
        # No clause at all.
        "The bridge over the river near the old mill in the village of Ede closed.",
        "word " * 30,
    ],
)
def test_no_honest_beginning_is_no_beginning(sentence: str) -> None:
    assert shorten(sentence, 11) is None


def test_a_sentence_within_the_limit_stays_as_it_is() -> None:
    assert shorten("The mayor (52) opened it.", 5) == "The mayor (52) opened it."
    assert shorten("Yes.", 1) == "Yes."


def test_the_last_resort_shows_that_words_are_missing() -> None:
    assert cut("The bridge over the river, near Ede, closed.", 5) == "The bridge over the river..."
    assert cut('He said: "The bridge over the river closed."', 4) == 'He said: "The bridge..."'
    assert cut("The bridge closed.", 3) == "The bridge closed."
    assert cut("- - - -", 2) == "- -..."


def test_a_text_is_never_cut_after_a_number_of_which_more_may_follow() -> None:
    """ "Cost 120..." of "cost 120 million euros" would be another amount."""
    assert cut("The bridge will cost 120 million euros.", 5) == "The bridge will cost..."
    assert cut("It grew from 1931 to 2031, the council said.", 6) == "It grew from 1931 to 2031..."
    assert cut("12 345 678 people came.", 2) == "12..."


def bare_words(text: str) -> set[str]:
    return {word.strip('.,"') for word in text.split()}


def test_the_beginning_of_real_sentences_is_their_own_words() -> None:
    sentences = [
        english
        for article in load_seeds(SEEDS)
        for block in article.blocks
        if block.kind is BlockKind.PARAGRAPH
        for _, english in block.pairs
    ]
    for sentence in sentences:
        for max_words in (8, 12):
            short = shorten(sentence, max_words)
            if short is not None and short != sentence:
                print(f"{max_words:>2} {short}   <-   {sentence}")
                assert bare_words(short) <= bare_words(sentence)


CLAUSES = st.sampled_from(
    [
        "The mayor was ill",
        ", which",
        " said",
        ", said Jan",
        "; ",
        " - ",
        '"',
        "'",
        "(",
        ")",
        ", and he",
        " was",
        "n't",
        " but",
        ", a",
        " 3,5",
        ".",
        "!",
        "\u2019",
        " U.S.",
        "\n",
        " building",
        "…",
    ]
)
TEXTS = st.one_of(st.lists(CLAUSES, max_size=25).map("".join), st.text(max_size=80))


@given(TEXTS, st.integers(1, 15))
def test_promises_on_any_text(text: str, max_words: int) -> None:
    short = shorten(text, max_words)
    assert short == shorten(text, max_words)
    if count_words(text) <= max_words:
        assert short == " ".join(text.split())
    elif short is not None:
        assert FEWEST_WORDS <= count_words(short) <= max_words
        assert short.count('"') % 2 == 0 or text.count('"') % 2
    assert count_words(cut(text, max_words)) <= max_words


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "a ",
        ", which was ",
        "; ",
        "(",
        ")(",
        '"',
        "'a ",
        ", a b c d e f g ",
        " - ",
        "n't ",
        ",",
        ", said ",
        "was, which is; ",
    ],
)
def test_hostile_text_takes_linear_time(unit: str) -> None:
    text = "The mayor was ill" + unit * (100_000 // len(unit))
    started = time.thread_time()
    for max_words in (5, 10_000):
        shorten(text, max_words)
        cut(text, max_words)
    assert time.thread_time() - started < 2


def bullet(text: str, support: float = 1.0) -> Bullet:
    return Bullet(text, ("s1",), support)


def test_a_short_title_is_the_headline() -> None:
    bullets = [bullet("The mayor opened the bridge.")]
    assert headline("Mayor  opens bridge.", bullets) == "Mayor opens bridge"
    assert headline("Protest in the U.S.", bullets) == "Protest in the U.S."
    assert headline("Is the bridge closed?", []) == "Is the bridge closed?"


def test_without_a_short_title_the_bullet_with_most_support_is_the_headline() -> None:
    bullets = [
        bullet("The bridge closed.", 0.5),
        bullet("The city builds a bridge over the river in Ede, which will be ready in May."),
        bullet("It costs a lot."),
    ]
    expected = "The city builds a bridge over the river in Ede"
    assert headline(None, bullets) == expected
    assert headline(" ", bullets) == expected
    assert headline("word " * 13, bullets) == expected


def test_nothing_to_say_is_an_empty_headline() -> None:
    assert headline(None, []) == ""
    assert headline(" \n", []) == ""
    assert headline("word " * 13, []) == "word " * 11 + "word..."


@given(st.none() | TEXTS, st.lists(st.builds(bullet, TEXTS, st.floats(0, 1)), max_size=3))
def test_a_headline_has_at_most_twelve_words(title: str | None, bullets: list[Bullet]) -> None:
    made = headline(title, bullets)
    assert count_words(made) <= HEADLINE_WORDS
    assert made == " ".join(made.split())
