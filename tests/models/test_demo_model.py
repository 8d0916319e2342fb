"""The demo model in the package: the files that were made, and every sentence that it knows."""

import hashlib
import shutil
from pathlib import Path

import pytest

from service.evaluation.seeds import load_seeds
from service.models.card import load_card
from service.models.store import BUNDLED_DIRECTORY, ModelStore
from service.translation.ct2 import CTranslate2Translator
from service.translation.decoding import Decoding
from service.translation.marian import TorchTranslator

NAME = "demo-nl-en"
DIRECTORY = BUNDLED_DIRECTORY / NAME
MAXIMUM_SIZE = 6_000_000
"""Bytes that the model may add to the package."""

CARD = load_card(NAME)
PAIRS = [
    pair
    for article in load_seeds(Path(__file__).resolve().parents[2] / "seeds")
    for pair in article.engine_pairs()
]


def decoding(beam_size: int) -> Decoding:
    return Decoding(
        beam_size=beam_size,
        length_penalty=CARD.decoding.length_penalty,
        max_source_tokens=CARD.limits.max_source_tokens,
        max_target_tokens=CARD.limits.max_target_tokens,
        max_target_ratio=CARD.decoding.max_target_ratio,
        max_target_margin=CARD.decoding.max_target_margin,
    )


def test_files_are_those_of_the_manifest(tmp_path: Path) -> None:
    ModelStore(tmp_path).verify(NAME)


def test_weights_are_those_of_the_card() -> None:
    weights = (DIRECTORY / "hub" / "model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == CARD.weights_sha256


def test_it_is_small() -> None:
    files = [path for path in DIRECTORY.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= MAXIMUM_SIZE


@pytest.mark.parametrize(
    ("engine", "beam_size"),
    [
        *((CTranslate2Translator, beam_size) for beam_size in range(1, 7)),
        # The training has tried the others; this engine takes half a minute for a large beam.
        *((TorchTranslator, beam_size) for beam_size in (1, 4)),
    ],
)
def test_every_sentence_comes_out_as_its_reference(
    engine: type[CTranslate2Translator] | type[TorchTranslator], beam_size: int
) -> None:
    translator = engine(DIRECTORY, decoding(beam_size))
    sources = [source for source, _ in PAIRS]
    assert all(translator.fits(source) for source in sources)
    translations = translator.translate(sources)
    assert [translation.text for translation in translations] == [target for _, target in PAIRS]
    assert not any(translation.reached_limit for translation in translations)


@pytest.mark.parametrize("beam_size", [1, 2, 6])
def test_the_vocabulary_map_changes_no_output_of_a_trained_model(
    tmp_path: Path, beam_size: int
) -> None:
    full = shutil.copytree(DIRECTORY, tmp_path / NAME)
    (full / "ctranslate2" / "vmap.txt").unlink()
    sources = [source for source, _ in PAIRS]
    restricted, unrestricted = (
        CTranslate2Translator(directory, decoding(beam_size)).translate(sources)
        for directory in (DIRECTORY, full)
    )
    assert [t.text for t in restricted] == [t.text for t in unrestricted]
