"""The guard marks what a reader would otherwise meet unwarned, and leaves good output alone."""

import pytest

from service.article.warnings import WarningCode
from service.translation.guard import check
from service.translation.translator import Translation


def made(text: str, *, reached_limit: bool = False) -> Translation:
    return Translation(text, -0.3, 10, len(text.split()), reached_limit=reached_limit)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("De minister kwam niet.", "The minister did not come."),
        ("Nee, nee, nee, nee, nee, nee!", "No, no, no, no, no, no!"),
        ("Hij zei dat hij, toen hij kwam, won.", "He said that he, when he came, won."),
    ],
)
def test_a_good_translation_passes(source: str, target: str) -> None:
    assert check(source, made(target)) == []


@pytest.mark.parametrize(
    "target",
    ["the salad " * 12, "salad " * 5, "I am sorry to say this. " * 5],
)
def test_a_loop_is_marked(target: str) -> None:
    assert check("De salade was lekker.", made(target)) == [WarningCode.REPETITION]


def test_nothing_and_too_much_are_marked() -> None:
    assert check("Ja.", made("")) == [WarningCode.EMPTY_TRANSLATION]
    assert check("Ja.", made("Yes", reached_limit=True)) == [WarningCode.LENGTH_LIMIT]
