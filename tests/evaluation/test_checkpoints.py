"""The random checkpoints are laid out as on the hub and behave alike in both engines."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from service.evaluation.checkpoints import (
    WeightsFormat,
    write_bart_checkpoint,
    write_marian_checkpoint,
)

TEXT = "De café's van 's-Hertogenbosch: 12,5% méér „gasten” in 2024!"

MARIAN_FILES = {
    "config.json",
    "generation_config.json",
    "source.spm",
    "target.spm",
    "tokenizer_config.json",
    "vocab.json",
}
BART_FILES = {"config.json", "merges.txt", "tokenizer_config.json", "vocab.json"}
WEIGHTS_FILE: dict[WeightsFormat, str] = {
    "safetensors": "model.safetensors",
    "bin": "pytorch_model.bin",
}


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def encode(directory: Path) -> Any:
    """The text through transformers' own tokenizer, as a batch of one."""
    from transformers import AutoTokenizer

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
        tokenizer: Any = AutoTokenizer.from_pretrained(directory)
    return tokenizer, tokenizer(TEXT, return_tensors="pt")


def convert(directory: Path, output: Path) -> Any:
    import ctranslate2

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
        ctranslate2.converters.TransformersConverter(str(directory)).convert(str(output))
    return ctranslate2.Translator(str(output), compute_type="float32")


@pytest.mark.parametrize("weights", WEIGHTS_FILE)
def test_marian_files_are_those_of_the_hub(tmp_path: Path, weights: WeightsFormat) -> None:
    write_marian_checkpoint(tmp_path, weights=weights, prefix_tokens=[">>eng<<"])
    assert {path.name for path in tmp_path.iterdir()} == MARIAN_FILES | {WEIGHTS_FILE[weights]}
    vocabulary = read_json(tmp_path / "vocab.json")
    config = read_json(tmp_path / "config.json")
    assert list(vocabulary.values()) == list(range(config["vocab_size"]))
    tokens = list(vocabulary)
    assert (tokens[:2], tokens[-1]) == (["</s>", "<unk>"], "<pad>")
    assert ">>eng<<" in tokens
    pad = len(tokens) - 1
    assert config["pad_token_id"] == config["decoder_start_token_id"] == pad
    assert read_json(tmp_path / "generation_config.json")["bad_words_ids"] == [[pad]]


@pytest.mark.parametrize("weights", WEIGHTS_FILE)
def test_bart_files_are_those_of_the_hub(tmp_path: Path, weights: WeightsFormat) -> None:
    write_bart_checkpoint(tmp_path, weights=weights)
    assert {path.name for path in tmp_path.iterdir()} == BART_FILES | {WEIGHTS_FILE[weights]}
    config = read_json(tmp_path / "config.json")
    assert config["normalize_before"] is False
    assert (config["num_beams"], config["min_length"], config["max_length"]) == (4, 56, 142)


def test_vocabulary_is_padded(tmp_path: Path) -> None:
    write_marian_checkpoint(tmp_path, vocab_size=1_000)
    assert len(read_json(tmp_path / "vocab.json")) == 1_000
    with pytest.raises(ValueError, match="vocab_size must be at least"):
        write_marian_checkpoint(tmp_path, vocab_size=300)
    with pytest.raises(ValueError, match="pieces must be at least"):
        write_marian_checkpoint(tmp_path, pieces=96)


@pytest.mark.parametrize("beams", [1, 2, 4])
@pytest.mark.parametrize(("weights", "half_precision"), [("safetensors", False), ("bin", True)])
def test_marian_writes_the_same_in_both_engines_and_never_ends(
    tmp_path: Path, weights: WeightsFormat, half_precision: bool, beams: int
) -> None:
    import torch
    from transformers import MarianMTModel

    length = 40
    directory = write_marian_checkpoint(
        tmp_path / "hub", weights=weights, half_precision=half_precision, never_ends=True
    )
    tokenizer, inputs = encode(directory)
    tokens = tokenizer.convert_ids_to_tokens(inputs.input_ids[0])
    assert "<unk>" not in tokens
    model: Any = MarianMTModel.from_pretrained(directory, dtype=torch.float32)
    output = model.generate(**inputs, num_beams=beams, max_new_tokens=length)[0, 1:]
    translator = convert(directory, tmp_path / "ctranslate2")
    [result] = translator.translate_batch([tokens], beam_size=beams, max_decoding_length=length)
    assert result.hypotheses[0] == tokenizer.convert_ids_to_tokens(output)
    assert len(result.hypotheses[0]) == length


def test_bart_writes_the_same_in_both_engines(tmp_path: Path) -> None:
    from transformers import BartForConditionalGeneration

    directory = write_bart_checkpoint(tmp_path / "hub", weights="bin")
    tokenizer, inputs = encode(directory)
    tokens = tokenizer.convert_ids_to_tokens(inputs.input_ids[0])
    model: Any = BartForConditionalGeneration.from_pretrained(directory)
    # The old configuration's settings are still read; they are no part of this comparison.
    assert model.generation_config.no_repeat_ngram_size == 3
    output = model.generate(
        **inputs,
        num_beams=1,
        max_new_tokens=31,
        min_length=0,
        no_repeat_ngram_size=0,
        early_stopping=False,
    )
    translator = convert(directory, tmp_path / "ctranslate2")
    [result] = translator.translate_batch(
        [tokens], target_prefix=[["<s>"]], beam_size=1, max_decoding_length=30
    )
    # transformers forces </s> at the end; its decoder starts with one, too.
    assert result.hypotheses[0] == tokenizer.convert_ids_to_tokens(output[0, 1:-1])


def test_same_seed_same_weights(tmp_path: Path) -> None:
    import torch

    state = torch.random.get_rng_state()
    one, two, other = (
        (
            write_marian_checkpoint(tmp_path / str(index), seed=seed) / "model.safetensors"
        ).read_bytes()
        for index, seed in enumerate((1, 1, 2))
    )
    assert one == two != other
    assert torch.equal(state, torch.random.get_rng_state())
