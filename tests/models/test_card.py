"""Cards: the shipped ones are right, and a bad one is refused with its file and field."""

from pathlib import Path

import pytest

from service.errors import ModelError
from service.models.card import load_card, load_cards
from service.models.profiles import PROFILES

GOOD = """---
language: [nl, en]
license: apache-2.0
kortom:
  task: translation
  architecture: marian
  repository: owner/name
  revision: main
  decoding: {beam_size: 2, length_penalty: 1}
  limits: {max_source_tokens: 512, max_target_tokens: 512}
---
Prose.
"""


def write(directory: Path, text: str) -> Path:
    (directory / "some-model.md").write_text(text, encoding="utf-8")
    return directory


def test_the_shipped_cards_are_valid_and_complete() -> None:
    cards = load_cards()
    assert set(cards) == {
        "bart-large-cnn",
        "demo-nl-en",
        "distilbart-cnn-12-6",
        "extractive",
        "opus-mt-nl-en",
        "opus-mt-tc-big-gmw-gmw",
    }
    for card in cards.values():
        assert card.text.startswith(f"# {card.name}\n")
        assert "## Limits" in card.text
    for profile in PROFILES.values():
        assert cards[profile.translation].task == "translation"
        assert cards[profile.summarization].task == "summarization"


def test_the_shipped_cards_say_what_the_reference_says() -> None:
    cards = load_cards()
    assert cards["opus-mt-nl-en"].repository == "Helsinki-NLP/opus-mt-nl-en"
    assert cards["opus-mt-nl-en"].decoding.beam_size == 2
    assert "6 beams" in cards["opus-mt-nl-en"].text
    assert cards["opus-mt-tc-big-gmw-gmw"].prefix == (">>eng<<",)
    for name in ("distilbart-cnn-12-6", "bart-large-cnn"):
        decoding = cards[name].decoding
        assert (decoding.beam_size, decoding.length_penalty) == (4, 2.0)
        assert (decoding.min_length, decoding.max_length) == (56, 142)
        assert decoding.no_repeat_ngram_size == 3
    demo = cards["demo-nl-en"]
    assert demo.bundled
    assert demo.notice
    assert "only the articles in seeds/" in demo.notice
    assert "knows only the articles in `seeds/`" in demo.text


def test_a_card_is_read(tmp_path: Path) -> None:
    card = load_card("some-model", write(tmp_path, GOOD))
    assert (card.name, card.language, card.text) == ("some-model", ("nl", "en"), "Prose.")
    assert card.prefix == ()


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("beam_size: 2", "beam_size: 7", "kortom.decoding.beam_size"),
        ("beam_size: 2", "beam_size: 0", "kortom.decoding.beam_size"),
        ("beam_size: 2", "beam_size: two", "kortom.decoding.beam_size"),
        ("beam_size: 2", "beams: 2", "kortom.decoding.beams"),
        ("task: translation", "task: poetry", "kortom.task"),
        ("task: translation", "tasks: translation", "kortom.task"),
        ("architecture: marian", "architecture: t5", "kortom.architecture"),
        ("architecture: marian", "architecture: bart", "decoding.min_length must be given"),
        ("revision: main", "revision: ''", "kortom.revision"),
        ("repository: owner/name", "repository: ../name/x", "kortom.repository"),
        ("revision: main", "bundled: false", "repository and revision"),
        ("revision: main", "revision: main\n  bundled: true", "weights_sha256"),
        ("revision: main", "revision: main\n  text: x", "kortom.text"),
        ("license: apache-2.0", "licence: apache-2.0", "license"),
        ("language: [nl, en]", "language: {nl: en}", "language"),
        ("kortom:\n", "other:\n", "kortom: must be a mapping"),
        ("kortom:\n", "kortom: [\n", "front matter"),
        (
            "  limits: {max_source_tokens: 512, max_target_tokens: 512}\n",
            "",
            "limits must be given",
        ),
    ],
)
def test_a_bad_card_is_refused_with_file_and_field(
    tmp_path: Path, old: str, new: str, field: str
) -> None:
    with pytest.raises(ModelError) as caught:
        load_card("some-model", write(tmp_path, GOOD.replace(old, new)))
    assert str(tmp_path / "some-model.md") in caught.value.detail
    assert field in caught.value.detail
    assert "\n" not in caught.value.detail


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/passwd", "", ".", "a/b", "A", "a..b", "x\n", "no-such-card"]
)
def test_a_name_that_is_no_card_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError):
        load_card(name, tmp_path)
