"""The seed articles: their reader, and that text, pairs and splitter agree on every one of them."""

import hashlib
from pathlib import Path

import pytest

from service.article.document import BlockKind
from service.article.formats.text import parse_text
from service.evaluation.seeds import SeedArticle, SeedError, load_seeds

SEEDS = Path(__file__).resolve().parents[2] / "seeds"
SAMPLE_SHA256 = "b2a31da56263f966d44c02fa6c3a86f752ef2f33aa59a280b83ff9671159ceb1"
"""sha256 of the article that the project's user supplied."""

ARTICLES = load_seeds(SEEDS)


def write(directory: Path, pairs: str | bytes, text: str = "Een brug.\n") -> Path:
    data = pairs if isinstance(pairs, bytes) else pairs.encode()
    (directory / "brug.pairs.txt").write_bytes(data)
    (directory / "brug.nl.txt").write_bytes(text.encode())
    return directory


def test_reads_blocks_pairs_and_bullets(tmp_path: Path) -> None:
    pairs = """# who wrote it
kind: heading
nl: Nieuws: brug
en: News: bridge

kind: paragraph
# a comment inside
nl: Een brug.
en: A bridge.
nl: Nog een.
en: Another.

kind: metadata
nl: Door Jan
en: Door Jan


bullet: A bridge.
bullet: Another bridge.
"""
    (article,) = load_seeds(write(tmp_path, pairs, "Nieuws: brug\r\n"))
    assert article.name == "brug"
    assert article.text == "Nieuws: brug\r\n"
    assert [block.kind for block in article.blocks] == ["heading", "paragraph", "metadata"]
    assert list(article.pairs()) == [
        ("Nieuws: brug", "News: bridge"),
        ("Een brug.", "A bridge."),
        ("Nog een.", "Another."),
    ]
    assert article.references()[-1] == "Door Jan"
    assert article.bullets == ("A bridge.", "Another bridge.")


@pytest.mark.parametrize(
    ("pairs", "line", "message"),
    [
        ("kind: verse\nnl: a\nen: b\n\nbullet: c\n", 1, "kind 'verse'"),
        ("nl: a\nen: b\n", 1, "begins with"),
        ("kind: paragraph\n\nbullet: c\n", 1, "without sentences"),
        ("kind: paragraph\nen: a\n", 2, "'nl:' expected"),
        ("kind: paragraph\nnl: a\nnl: b\n", 3, "'en:' expected"),
        ("kind: paragraph\nnl: a\n\nbullet: b\n", 2, "without its 'en:'"),
        ("kind: paragraph\nnl: a\nen:\n", 3, "without a text"),
        ("kind: paragraph\nnl a\n", 2, "expected"),
        ("kind: paragraph\nnl: a\nen: b\n\nbullet: c\nnl: d\n", 6, "'bullet:' expected"),
        ("bullet: c\n\nkind: paragraph\nnl: a\nen: b\n", 3, "may follow"),
        ("kind: paragraph\nnl: a\nen: b\n", 4, "without any bullets"),
        ("", 1, "without any blocks"),
        (b"kind: paragraph\nnl: \xff\n", 2, "not UTF-8"),
    ],
)
def test_error_names_file_and_line(
    tmp_path: Path, pairs: str | bytes, line: int, message: str
) -> None:
    with pytest.raises(SeedError) as caught:
        load_seeds(write(tmp_path, pairs))
    assert str(caught.value).startswith(f"{tmp_path / 'brug.pairs.txt'}:{line}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize("suffix", [".nl.txt", ".pairs.txt"])
def test_article_without_its_other_file(tmp_path: Path, suffix: str) -> None:
    write(tmp_path, "kind: paragraph\nnl: a\nen: b\n\nbullet: c\n")
    (tmp_path / f"brug{suffix}").unlink()
    with pytest.raises(SeedError, match="missing"):
        load_seeds(tmp_path)


def test_directory_without_articles(tmp_path: Path) -> None:
    with pytest.raises(SeedError, match="no seed articles"):
        load_seeds(tmp_path)


def test_there_are_enough_articles() -> None:
    assert len(ARTICLES) >= 13


def test_sample_article_is_the_users_own() -> None:
    digest = hashlib.sha256((SEEDS / "sample-article.nl.txt").read_bytes()).hexdigest()
    assert digest == SAMPLE_SHA256


@pytest.mark.parametrize("article", ARTICLES, ids=lambda article: article.name)
def test_two_or_three_bullets(article: SeedArticle) -> None:
    assert len(article.bullets) in (2, 3)


@pytest.mark.parametrize("article", ARTICLES, ids=lambda article: article.name)
def test_metadata_stays_as_it_is(article: SeedArticle) -> None:
    for block in article.blocks:
        if block.kind is BlockKind.METADATA:
            assert all(dutch == english for dutch, english in block.pairs)


@pytest.mark.parametrize("article", ARTICLES, ids=lambda article: article.name)
def test_splitter_finds_exactly_the_pairs(article: SeedArticle) -> None:
    found = [
        (block.kind, [sentence.text for sentence in block.sentences])
        for block in parse_text(article.text).blocks
    ]
    expected = [(block.kind, [dutch for dutch, _ in block.pairs]) for block in article.blocks]
    assert found == expected


def test_a_dutch_sentence_has_one_translation() -> None:
    translations: dict[str, str] = {}
    for article in ARTICLES:
        for dutch, english in article.pairs():
            assert translations.setdefault(dutch, english) == english, article.name
