"""Receipts: which sentences a bullet is said to rest on, and how far they carry it."""

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted_bullets import bullets_of_others, english

from service.article.document import Block, BlockKind, Document, Sentence
from service.evaluation.seeds import load_seeds
from service.summarization.extractive import BULLET_KINDS
from service.summarization.receipts import MOST_SOURCES, Receipts
from service.summarization.words import content_words, stem

ARTICLES = load_seeds(Path(__file__).resolve().parents[2] / "seeds")

Blocks = Sequence[tuple[BlockKind, Sequence[str]]]


def make_document(blocks: Blocks) -> Document:
    """A document of these sentences, s1, s2, …; only ids, kinds and words matter here."""
    made: list[Block] = []
    number = 0
    for kind, sentences in blocks:
        inside: list[Sentence] = []
        for sentence in sentences:
            number += 1
            inside.append(Sentence(f"s{number}", 0, len(sentence), sentence))
        made.append(Block(kind, tuple(inside)))
    return Document("", tuple(made))


def article(*sentences: str) -> Receipts:
    return Receipts(make_document([(BlockKind.PARAGRAPH, sentences)]))


def without(document: Document, sources: Sequence[str]) -> Document:
    """The document without the sentences that ``sources`` names."""
    blocks = (
        Block(block.kind, tuple(s for s in block.sentences if s.id not in sources))
        for block in document.blocks
    )
    return Document(document.text, tuple(blocks))


WORDS = st.sampled_from(
    "the The mayor opened bridge Bridges Monday , 3,5 % — ?! not it two 2 Delft's don't".split()
)
SENTENCES = st.one_of(
    st.lists(WORDS, min_size=1, max_size=9).map(" ".join),
    st.text(min_size=1, max_size=30).filter(lambda text: bool(text.strip())).map(str.strip),
)
BLOCKS = st.lists(
    st.tuples(st.sampled_from(list(BlockKind)), st.lists(SENTENCES, min_size=1, max_size=5)),
    max_size=6,
)


@given(BLOCKS, st.one_of(SENTENCES, st.text(max_size=40)))
def test_promises_on_any_document_and_bullet(blocks: Blocks, bullet: str) -> None:
    document = make_document(blocks)
    receipt = Receipts(document).cite(bullet)
    assert 0.0 <= receipt.support <= 1.0
    assert len(receipt.sources) <= MOST_SOURCES
    assert bool(receipt.sources) == (receipt.support > 0)
    ids = [s.id for b in document.blocks if b.kind in BULLET_KINDS for s in b.sentences]
    positions = [ids.index(source) for source in receipt.sources]
    assert positions == sorted(set(positions))
    assert Receipts(document).cite(bullet) == receipt


@given(BLOCKS, st.data())
def test_a_sentence_of_the_article_rests_on_itself_alone(
    blocks: Blocks, data: st.DataObject
) -> None:
    document = make_document(blocks)
    citable = [s for b in document.blocks if b.kind in BULLET_KINDS for s in b.sentences]
    if not citable:
        return
    sentence = data.draw(st.sampled_from(citable))
    bullet = " ".join(sentence.text.split())
    first = next(s.id for s in citable if " ".join(s.text.split()) == bullet)
    receipt = Receipts(document).cite(bullet)
    assert (receipt.sources, receipt.support) == ((first,), 1.0)


@given(st.lists(st.integers(2, 6), min_size=1, max_size=6), st.data())
def test_taking_the_cited_sentences_out_lowers_the_support(
    lengths: list[int], data: st.DataObject
) -> None:
    # Every sentence has words of its own, so that nothing else can carry the bullet.
    own = [
        [f"q{chr(97 + i)}{chr(97 + j)}x" for j in range(length)] for i, length in enumerate(lengths)
    ]
    words = data.draw(
        st.lists(
            st.sampled_from([*(word for sentence in own for word in sentence), "zork", "plim"]),
            min_size=1,
            max_size=9,
        )
    )
    document = make_document([(BlockKind.PARAGRAPH, [" ".join(sentence) for sentence in own])])
    receipt = Receipts(document).cite(" ".join(words))
    lower = Receipts(without(document, receipt.sources)).cite(" ".join(words))
    assert lower.support < receipt.support or not receipt.sources


def test_taking_the_cited_sentences_out_lowers_the_support_of_every_reference_bullet() -> None:
    for seed in ARTICLES:
        document = english(seed)
        for bullet in seed.bullets:
            receipt = Receipts(document).cite(bullet)
            lower = Receipts(without(document, receipt.sources)).cite(bullet)
            assert lower.support < receipt.support


@given(SENTENCES, st.lists(SENTENCES, min_size=1, max_size=5))
def test_words_that_the_article_lacks_lower_the_support(bullet: str, sentences: list[str]) -> None:
    receipts = article(*sentences)
    support = receipts.cite(bullet).support
    invented = receipts.cite(f"{bullet} zorkling").support
    assert invented < support or support == 0


@pytest.mark.parametrize("kind", BlockKind)
def test_only_what_can_be_a_bullet_is_cited(kind: BlockKind) -> None:
    document = make_document([(kind, ["Mayor opens bridge", "It cost two million euros."])])
    receipt = Receipts(document).cite("The mayor opens a bridge.")
    assert receipt.sources == (("s1",) if kind in BULLET_KINDS else ())
    assert (receipt.support > 0) == (kind in BULLET_KINDS)


def test_a_heading_is_not_cited_beside_the_sentence_either() -> None:
    receipts = Receipts(
        make_document(
            [
                (BlockKind.HEADING, ["Mayor opens bridge over the canal"]),
                (BlockKind.PARAGRAPH, ["The mayor opened a bridge on Monday."]),
            ]
        )
    )
    assert receipts.cite("Mayor opens bridge over the canal").sources == ("s2",)


@pytest.mark.parametrize("bullet", ["", "  ", "\n", "…", "It is what they said.", "Zork plim."])
def test_nothing_is_cited_for_nothing(bullet: str) -> None:
    receipt = article("The mayor opened a bridge.", "It cost two million euros.").cite(bullet)
    assert (receipt.sources, receipt.support) == ((), 0.0)


def test_an_article_without_sentences_carries_nothing() -> None:
    receipt = Receipts(make_document([])).cite("The mayor opened a bridge.")
    assert (receipt.sources, receipt.support) == ((), 0.0)


NEWS = (
    "The mayor of Aalterdam, Ria Kolkman, opened a new bridge over the canal on Monday.",
    "Critics had warned for years that the bridge would be too narrow for buses.",
    "It cost 1,200 euros per metre, said Kolkman, who takes office again in 2 weeks.",
    "The ferry, which has sailed since 1950, stops running.",
    '"We shall miss it", said skipper Bas Twijnstra.',
)


@pytest.mark.parametrize(
    ("bullet", "sources", "least"),
    [
        ("Mayor Ria Kolkman opened a new bridge over the canal .", ("s1",), 0.95),
        ("She opened a bridge on Monday.", ("s1",), 0.85),
        ("A new bridge was opened in Aalterdam.", ("s1",), 0.6),
        ("Critics warn that the bridge will be too narrow for buses.", ("s2",), 0.8),
        ("The ferry stops running.", ("s4",), 0.7),
        ("Kolkman takes office again in two weeks.", ("s3",), 0.95),
        ("The bridge cost 1200 euros per metre.", ("s3",), 0.7),
        (
            "Ria Kolkman opened a new bridge on Monday and the ferry, which has sailed since 1950,"
            " stops running.",
            ("s1", "s4"),
            0.9,
        ),
    ],
)
def test_what_models_do_to_sentences(bullet: str, sources: tuple[str, ...], least: float) -> None:
    receipt = article(*NEWS).cite(bullet)
    assert receipt.sources == sources
    assert least <= receipt.support <= 1


def test_words_of_the_topic_alone_do_not_add_a_source() -> None:
    # "bridge", "ferry" and "skipper" stand in three sentences, and no two words stand together.
    receipt = article(*NEWS).cite("The skipper of the ferry wants to demolish the bridge.")
    assert len(receipt.sources) == 1
    assert receipt.support < 0.3


def test_reference_bullets_have_high_support_and_bullets_of_other_articles_low() -> None:
    receipts = {seed.name: Receipts(english(seed)) for seed in ARTICLES}
    own = [receipts[seed.name].cite(b).support for seed in ARTICLES for b in seed.bullets]
    others = [receipts[c.article].cite(c.bad).support for c in bullets_of_others(ARTICLES)]
    print(f"own: median {median(own):.2f}, least {min(own):.2f}; others: most {max(others):.2f}")
    assert median(own) > 0.85
    assert max(others) < 0.35


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("moves", "moving"),
        ("stopped", "stop"),
        ("Delft's", "Delft"),
        ("cities", "city"),
        ("café", "cafe"),
        ("passes", "pass"),
        ("agreed", "agree"),
    ],
)
def test_forms_of_a_word_have_one_stem(left: str, right: str) -> None:
    assert stem(left) == stem(right)


def test_function_words_are_left_out_and_numbers_are_digits() -> None:
    assert content_words("He said that two towns had spent 1,200.50 euros.") == [
        "2",
        "town",
        "spent",
        "1200.50",
        "euro",
    ]


@given(st.text(max_size=80))
def test_any_text_has_stems(text: str) -> None:
    assert all(content_words(text))
    assert stem(text) == stem(text)


@pytest.mark.parametrize(
    "piece", ["a", "a. ", '"', "1 ", "1,", "A b ", "é", "bridge ", "not ", "s's'"]
)
def test_hostile_text_takes_no_time(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    started = time.thread_time()
    receipts = article(text, "The mayor opened a bridge.")
    receipts.cite(text + "mayor")
    assert time.thread_time() - started < 1


def test_time_grows_with_the_document_and_not_with_its_square() -> None:
    def seconds(count: int) -> float:
        sentences = [
            f"In town {i} the council of {i % 97} took vote {i % 13} on the bridge of {i % 7}."
            for i in range(count)
        ]
        started = time.thread_time()
        article(*sentences).cite("The council of town 5 took a vote on the bridge of 3.")
        return time.thread_time() - started

    # Eight times the text: 8 when linear, 64 when quadratic.
    assert min(seconds(4_000) for _ in range(3)) < 24 * min(seconds(500) for _ in range(3))
