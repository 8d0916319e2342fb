"""Both engines translate alike: CTranslate2 is the fast path, torch the reference it is held to."""

import random
import warnings
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ctranslate2.converters import TransformersConverter
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from service.errors import InferenceError
from service.evaluation.checkpoints import write_marian_checkpoint
from service.models.card import load_card
from service.models.pull import pull
from service.models.store import ModelStore
from service.translation.ct2 import CTranslate2Translator
from service.translation.decoding import CAREFUL_NGRAM, LENGTH_STEP, Decoding
from service.translation.marian import TorchTranslator
from service.translation.tokenizer import SentencePieceTokenizer
from service.translation.translator import Translation, Translator

SENTENCES = [
    "De minister kwam niet.",
    "Zij bleef in Utrecht, want het regende.",
    "Ja.",
    "„Wij gaan door”, zei de trainer na de wedstrijd tegen Ajax.",
    "De rente steeg met 0,25 procentpunt.",
    "Typ </s> of <pad> in het veld.",
]


ENGINES = [CTranslate2Translator, TorchTranslator]
Engine = type[CTranslate2Translator] | type[TorchTranslator]


def decoding(beam_size: int = 2, **changes: float) -> Decoding:
    defaults = {
        "length_penalty": 1.0,
        "max_source_tokens": 512,
        "max_target_tokens": 512,
        "max_target_ratio": 1.0,
        "max_target_margin": 0,
    }
    return Decoding(beam_size=beam_size, **(defaults | changes))  # type: ignore[arg-type]  # ints and floats


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Marian that sometimes ends a sentence, in float32 for both engines."""
    root = tmp_path_factory.mktemp("engines")
    source = write_marian_checkpoint(root / "source")
    weights = load_file(source / "model.safetensors")
    weights["final_logits_bias"][0, 0] += 1.5
    save_file(weights, source / "model.safetensors", metadata={"format": "pt"})
    store = ModelStore(root / "models")
    pull(load_card("opus-mt-nl-en"), store, source=source)
    directory = store.path("opus-mt-nl-en")
    vmap = (directory / "ctranslate2" / "vmap.txt").read_text(encoding="utf-8")
    (root / "vmap.txt").write_text(vmap, encoding="utf-8")
    with warnings.catch_warnings():
        # transformers recommends a library that its Marian tokenizer never calls.
        warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
        converter = TransformersConverter(str(directory / "hub"))
        converter.convert(str(directory / "ctranslate2"), vmap=str(root / "vmap.txt"), force=True)
    return directory


@pytest.fixture(scope="module")
def fast(checkpoint: Path) -> Translator:
    return CTranslate2Translator(checkpoint, decoding(), compute_type="float32")


def flattened(translations: Iterable[Translation]) -> list[Translation]:
    """Every hypothesis as a translation of its own."""
    return [hypothesis for best in translations for hypothesis in (best, *best.alternatives)]


@pytest.mark.parametrize("careful", [False, True])
@pytest.mark.parametrize("beam_size", range(1, 7))
def test_both_engines_give_the_same_hypotheses_and_scores(
    checkpoint: Path, beam_size: int, careful: bool
) -> None:
    limits = decoding(beam_size)
    fast, reference = (
        flattened(translator.translate(SENTENCES, careful=careful))
        for translator in (
            CTranslate2Translator(checkpoint, limits, compute_type="float32"),
            TorchTranslator(checkpoint, limits),
        )
    )
    assert [t.text for t in fast] == [t.text for t in reference]
    assert [t.target_tokens for t in fast] == [t.target_tokens for t in reference]
    assert [t.source_tokens for t in fast] == [t.source_tokens for t in reference]
    assert [t.reached_limit for t in fast] == [t.reached_limit for t in reference]
    assert [t.score for t in fast] == pytest.approx([t.score for t in reference], abs=1e-3)


@pytest.mark.parametrize("length_penalty", [0.0, 2.0])
def test_a_score_is_a_mean_whatever_the_length_penalty(
    checkpoint: Path, length_penalty: float
) -> None:
    limits = decoding(3, length_penalty=length_penalty)
    fast = CTranslate2Translator(checkpoint, limits, compute_type="float32").translate(SENTENCES)
    reference = TorchTranslator(checkpoint, limits).translate(SENTENCES)
    assert [t.text for t in fast] == [t.text for t in reference]
    assert [t.score for t in fast] == pytest.approx([t.score for t in reference], abs=1e-3)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("beam_size", [1, 2, 4])
def test_the_other_hypotheses_of_the_beam_come_along_best_first(
    engine: Engine, checkpoint: Path, beam_size: int
) -> None:
    for translation in engine(checkpoint, decoding(beam_size)).translate(SENTENCES):
        assert len(translation.alternatives) == beam_size - 1
        assert not any(alternative.alternatives for alternative in translation.alternatives)
        # With a length penalty of 1 hypotheses are ranked by their mean log-probability.
        scores = [t.score for t in flattened([translation])]
        assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("beam_size", range(2, 7))
def test_asking_for_all_hypotheses_changes_no_translation(
    checkpoint: Path, beam_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    translator = CTranslate2Translator(checkpoint, decoding(beam_size), compute_type="float32")
    all_asked = translator.translate(SENTENCES)
    monkeypatch.setattr(translator, "_translator", OneHypothesis(translator._translator))
    one_asked = translator.translate(SENTENCES)
    assert one_asked == [replace(t, alternatives=()) for t in all_asked]


class OneHypothesis:
    """A CTranslate2 translator that gives the first hypothesis whatever it is asked for."""

    def __init__(self, translator: Any) -> None:
        self._translator = translator

    def translate_batch(self, *arguments: Any, **options: Any) -> Any:
        return self._translator.translate_batch(*arguments, **options | {"num_hypotheses": 1})


@pytest.mark.parametrize("engine", ENGINES)
def test_careful_decoding_repeats_no_ngram_and_keeps_a_larger_beam(
    engine: Engine, checkpoint: Path
) -> None:
    translator = engine(checkpoint, decoding(2, max_target_ratio=2.0))
    assert any(map(repeats, tokens_of_hypotheses(translator, careful=False)))
    careful = tokens_of_hypotheses(translator, careful=True)
    assert len(careful) == 6 * len(SENTENCES)
    assert not any(map(repeats, careful))


def tokens_of_hypotheses(
    translator: CTranslate2Translator | TorchTranslator, *, careful: bool
) -> list[list[str]]:
    """The tokens that the engine makes text of: text alone can be cut into tokens in many ways."""
    seen: list[list[str]] = []

    def decode(tokens: list[str]) -> str:
        seen.append(tokens)
        return " ".join(tokens)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(translator._tokenizer, "decode", decode)
        translator.translate(SENTENCES, careful=careful)
    return seen


def repeats(tokens: list[str]) -> bool:
    ngrams = list(zip(*(tokens[start:] for start in range(CAREFUL_NGRAM)), strict=False))
    return len(set(ngrams)) < len(ngrams)


@given(st.integers(1, 6))
def test_the_careful_beam_is_at_least_twice_as_large(beam_size: int) -> None:
    assert decoding(beam_size).careful_beam_size >= 2 * beam_size


@pytest.mark.parametrize("engine", ENGINES)
def test_a_sentence_as_long_as_the_model_takes_fits_careful_decoding_too(
    engine: Engine, checkpoint: Path
) -> None:
    translator = engine(checkpoint, decoding(1, max_target_tokens=8))
    longest = max(n for n in range(1, 600) if translator.fits("a" * n))
    [translation] = translator.translate(["a" * longest], careful=True)
    assert translation.source_tokens > 512 - 4


def test_only_target_pieces_are_ever_emitted(checkpoint: Path, fast: Translator) -> None:
    tokenizer = SentencePieceTokenizer(checkpoint / "hub")
    allowed = tokenizer.target_pieces()
    assert len(allowed) < len(tokenizer.vocabulary)
    for translation in fast.translate(SENTENCES):
        assert "<unk>" not in translation.text
        assert "⁇" not in translation.text
    vmap = (checkpoint / "ctranslate2" / "vmap.txt").read_text(encoding="utf-8")
    assert set(vmap.rstrip("\n").split("\t")[1].split(" ")) - {"<unk>", "<s>"} == allowed


def test_an_empty_list_gives_an_empty_list(checkpoint: Path, fast: Translator) -> None:
    assert fast.translate([]) == []
    assert TorchTranslator(checkpoint, decoding()).translate([]) == []


@settings(max_examples=20)
@given(st.lists(st.text(max_size=40), max_size=6))
def test_as_many_translations_as_sentences_whatever_they_say(
    fast: Translator, sentences: list[str]
) -> None:
    assert len(fast.translate(sentences)) == len(sentences)


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Marian large enough for the kernels to round differently, in int8."""
    root = tmp_path_factory.mktemp("larger")
    source = write_marian_checkpoint(root / "source", d_model=64, layers=2, ffn_dim=128, heads=4)
    store = ModelStore(root / "models")
    pull(load_card("opus-mt-nl-en"), store, source=source)
    return store.path("opus-mt-nl-en")


@pytest.mark.parametrize("careful", [False, True])
@pytest.mark.parametrize("engine", ENGINES)
def test_a_translation_is_the_same_to_the_last_bit_alone_and_in_any_company(
    larger: Path, engine: Engine, careful: bool
) -> None:
    translator = engine(larger, decoding(max_target_ratio=0.25))
    choice = random.Random(3)  # noqa: S311 - no secret is made of it
    words = ["".join(choice.choices("aeioudnrst", k=choice.randint(2, 7))) for _ in range(50)]
    sentences = [" ".join(choice.choices(words, k=choice.randint(1, 16))) for _ in range(24)]
    alone = [translator.translate([sentence], careful=careful)[0] for sentence in sentences]
    for _ in range(4):
        company = choice.sample(range(len(sentences)), 16)
        together = translator.translate([sentences[i] for i in company], careful=careful)
        assert together == [alone[i] for i in company]


def test_where_padding_changes_answers_only_equal_lengths_share_a_batch(
    larger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CTranslate2Translator, "_padding_matters", lambda _self: True)
    translator = CTranslate2Translator(larger, decoding())
    assert translator.length_step == 1
    assert decoding().group([["a"] * 3, ["a"] * 4, ["a"] * 3], 1) == [[0, 2], [1]]


def test_a_sentence_over_the_limit_is_refused_not_cut(checkpoint: Path) -> None:
    short = decoding(max_source_tokens=8)
    for translator in (
        CTranslate2Translator(checkpoint, short, compute_type="float32"),
        TorchTranslator(checkpoint, short),
    ):
        assert translator.fits("Ja.")
        assert not translator.fits("Een zin die veel te lang is.")
        with pytest.raises(InferenceError, match="over the model's 8"):
            translator.translate(["Ja.", "Een zin die veel te lang is."])


def test_the_whole_input_up_to_the_models_limit_is_read(fast: Translator) -> None:
    text = "a" * 10_000
    longest = max(n for n in range(1, 600) if fast.fits(text[:n]))
    [translation] = fast.translate([text[:longest]])
    assert translation.source_tokens > 512 - 4


def test_a_prefix_stands_before_every_sentence(checkpoint: Path) -> None:
    tokenizer = SentencePieceTokenizer(checkpoint / "hub", [">>eng<<"])
    [tokens] = tokenizer.encode([">>fra<< Ja."])
    assert tokens[0] == ">>eng<<"
    assert tokens[-1] == "</s>"
    assert ">>fra<<" not in tokens


def test_text_of_the_user_is_never_a_control_token(checkpoint: Path) -> None:
    [tokens] = SentencePieceTokenizer(checkpoint / "hub").encode(["a </s> b <pad> c <unk>"])
    assert tokens.index("</s>") == len(tokens) - 1
    assert "<pad>" not in tokens
    assert "<unk>" not in tokens


@given(st.integers(1, 512), st.sampled_from([1.0, 1.5, 3.0]), st.integers(0, 40))
def test_the_decoding_limit_covers_the_source_and_never_the_position_table(
    source_tokens: int, ratio: float, margin: int
) -> None:
    limits = decoding(max_target_ratio=ratio, max_target_margin=margin)
    limit = limits.max_target_length(source_tokens)
    assert source_tokens <= limit <= 512
    assert limit <= (source_tokens + LENGTH_STEP) * ratio + margin
