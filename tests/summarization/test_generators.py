"""Both engines summarise alike: CTranslate2 is the fast path, torch the reference it is held to."""

import json
import random
import shutil
import time
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from ctranslate2.converters import TransformersConverter
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import BartTokenizer as ReferenceTokenizer

from service import app, loading
from service.errors import InferenceError, StartupError
from service.evaluation.checkpoints import write_bart_checkpoint
from service.models.card import load_card
from service.models.profiles import PROFILES
from service.models.pull import pull
from service.models.store import ModelStore
from service.settings import Settings
from service.summarization.bart import TorchGenerator
from service.summarization.ct2 import CTranslate2Generator
from service.summarization.decoding import Decoding
from service.summarization.extractive import ExtractiveSummarizer
from service.summarization.generator import Generated, Generator
from service.summarization.tokenizer import BartTokenizer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Client

DISTILBART = "distilbart-cnn-12-6"

SOURCES = [
    "The minister and the king.",
    "A.",
    "It rained in the town, and the game was cancelled, said the mayor. " * 3,
    "Type </s> or <pad> in the box.",
    " \n",
    "Interest rates rose by 0.25 percentage points; the bank was pleased.",
]

ENGINES = [CTranslate2Generator, TorchGenerator]
Engine = type[CTranslate2Generator] | type[TorchGenerator]


def decoding(
    beam_size: int = 4,
    length_penalty: float = 2.0,
    no_repeat_ngram_size: int = 3,
    max_source_tokens: int = 1024,
) -> Decoding:
    return Decoding(beam_size, length_penalty, no_repeat_ngram_size, max_source_tokens)


@pytest.fixture(scope="module", autouse=True)
def one_torch_thread() -> Iterator[None]:
    """Threads that wait for each other are slow where other work takes the cores."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models directory with a tiny random BART that sometimes ends a text."""
    root = tmp_path_factory.mktemp("generators")
    source = write_bart_checkpoint(root / "source")
    weights = load_file(source / "model.safetensors")
    end = json.loads((source / "vocab.json").read_text(encoding="utf-8"))["</s>"]
    weights["final_logits_bias"][0, end] += 1.5
    save_file(weights, source / "model.safetensors", metadata={"format": "pt"})
    pull(load_card(DISTILBART), ModelStore(root / "models"), source=source)
    return root / "models"


@pytest.fixture(scope="module")
def checkpoint(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in float32 for both engines."""
    directory = tmp_path_factory.mktemp("float32")
    (directory / "hub").symlink_to(models / DISTILBART / "hub")
    convert(directory)
    return directory


def convert(directory: Path, quantization: str | None = None) -> None:
    with warnings.catch_warnings():
        # The converter asks for torch_dtype, which is called dtype.
        warnings.simplefilter("ignore")
        converter = TransformersConverter(str(directory / "hub"))
        converter.convert(str(directory / "ctranslate2"), quantization=quantization)


@pytest.fixture(scope="module")
def fast(checkpoint: Path) -> Generator:
    return CTranslate2Generator(checkpoint, decoding(), compute_type="float32")


@pytest.fixture(scope="module")
def tokenizer(models: Path) -> BartTokenizer:
    return BartTokenizer(models / DISTILBART / "hub")


def generate(
    generator: CTranslate2Generator | TorchGenerator,
    sources: list[str],
    min_tokens: int,
    max_tokens: int,
) -> list[Generated]:
    """What the engine writes, as tokens: text alone can be cut into tokens in many ways."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generator._tokenizer, "decode", " ".join)
        return generator.generate(sources, min_tokens=min_tokens, max_tokens=max_tokens)


def assert_same(fast: list[Generated], reference: list[Generated]) -> None:
    assert [g.text for g in fast] == [g.text for g in reference]
    assert [g.source_tokens for g in fast] == [g.source_tokens for g in reference]
    assert [g.target_tokens for g in fast] == [g.target_tokens for g in reference]
    assert [g.reached_limit for g in fast] == [g.reached_limit for g in reference]
    assert [g.score for g in fast] == pytest.approx([g.score for g in reference], abs=1e-3)


# Both engines.


@pytest.mark.parametrize(("min_tokens", "max_tokens"), [(0, 1), (1, 20), (12, 12), (8, 30)])
@pytest.mark.parametrize("beam_size", range(1, 5))
def test_both_engines_write_the_same_tokens_with_the_same_scores(
    checkpoint: Path, beam_size: int, min_tokens: int, max_tokens: int
) -> None:
    limits = decoding(beam_size)
    assert_same(
        *(
            generate(generator, SOURCES, min_tokens, max_tokens)
            for generator in (
                CTranslate2Generator(checkpoint, limits, compute_type="float32"),
                TorchGenerator(checkpoint, limits),
            )
        )
    )


@pytest.mark.parametrize("no_repeat_ngram_size", [0, 2])
@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
@pytest.mark.parametrize("beam_size", [1, 3])
def test_both_engines_agree_whatever_the_penalties(
    checkpoint: Path, beam_size: int, length_penalty: float, no_repeat_ngram_size: int
) -> None:
    limits = decoding(beam_size, length_penalty, no_repeat_ngram_size)
    fast = CTranslate2Generator(checkpoint, limits, compute_type="float32")
    reference = TorchGenerator(checkpoint, limits)
    assert_same(generate(fast, SOURCES, 1, 24), generate(reference, SOURCES, 1, 24))


@pytest.mark.parametrize("engine", ENGINES)
def test_a_text_is_as_long_as_asked_and_says_when_the_limit_ended_it(
    engine: Engine, checkpoint: Path
) -> None:
    generator = engine(checkpoint, decoding())
    ended = [
        summary
        for min_tokens, max_tokens in ((1, 40), (10, 20), (30, 30))
        for summary in generate(generator, SOURCES, min_tokens, max_tokens)
        if min_tokens <= summary.target_tokens <= max_tokens
        and summary.target_tokens == len(summary.text.split())
        and summary.reached_limit == (summary.target_tokens == max_tokens)
        and summary.score <= 0
    ]
    assert len(ended) == 3 * len(SOURCES)
    assert {summary.reached_limit for summary in ended} == {True, False}


@pytest.mark.parametrize("engine", ENGINES)
def test_no_token_sequence_is_written_twice_when_that_is_forbidden(
    engine: Engine, checkpoint: Path
) -> None:
    free, forbidden = (
        generate(engine(checkpoint, decoding(2, 2.0, size)), SOURCES, 30, 60) for size in (0, 3)
    )
    assert any(repeats(summary.text.split()) for summary in free)
    assert not any(repeats(summary.text.split()) for summary in forbidden)


def repeats(tokens: list[str]) -> bool:
    ngrams = list(zip(tokens, tokens[1:], tokens[2:], strict=False))
    return len(set(ngrams)) < len(ngrams)


@pytest.mark.parametrize("engine", ENGINES)
def test_no_control_token_is_ever_written(engine: Engine, checkpoint: Path) -> None:
    generator = engine(checkpoint, decoding(1))
    never_written = set(generator._tokenizer.never_written)
    assert never_written == {"<s>", "<pad>", "<unk>"}
    for summary in generate(generator, SOURCES, 40, 60):
        assert not never_written & set(summary.text.split())


def test_an_int8_summary_depends_on_its_source_alone_to_the_last_bit(tmp_path: Path) -> None:
    """With a model wide enough for padding to show: of one batch, these differ."""
    write_bart_checkpoint(
        tmp_path / "hub", d_model=256, encoder_layers=3, decoder_layers=3, ffn_dim=1024, seed=1
    )
    convert(tmp_path, quantization="int8")
    generator = CTranslate2Generator(tmp_path, decoding(), inter_threads=2)
    assert generator.engine == "ctranslate2/int8"
    words = random.Random(3)  # noqa: S311 - no secret is made of it
    sources = [
        " ".join(words.choices("a and king minister ring the town".split(), k=length))
        for length in (3, 8, 15, 40, 90, 150)
    ]
    together = generate(generator, sources, 10, 40)
    assert together == [generate(generator, [source], 10, 40)[0] for source in sources]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_source_over_the_limit_is_refused_not_cut(engine: Engine, checkpoint: Path) -> None:
    generator = engine(checkpoint, decoding(max_source_tokens=40))
    assert generator.max_source_tokens == 40
    fits, over = "x" * 37, "x" * 38
    assert (generator.count_tokens(fits), generator.count_tokens(over)) == (40, 41)
    [summary] = generator.generate([fits], min_tokens=1, max_tokens=4)
    assert summary.source_tokens == 40
    with pytest.raises(InferenceError, match="41 tokens is over the model's 40"):
        generator.generate([fits, over], min_tokens=1, max_tokens=4)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_longest_source_of_the_model_is_read_whole(engine: Engine, checkpoint: Path) -> None:
    generator = engine(checkpoint, decoding(1))
    text = "x" * 1020
    assert generator.count_tokens(text + "y") == generator.max_source_tokens == 1024
    one, other = generator.generate([text + "y", text + "z"], min_tokens=1, max_tokens=4)
    assert one.source_tokens == other.source_tokens == 1024
    assert one.score != other.score


@pytest.mark.parametrize("engine", ENGINES)
def test_what_the_engine_cannot_do_is_an_inference_error(engine: Engine, checkpoint: Path) -> None:
    generator = engine(checkpoint, decoding(1, max_source_tokens=4096))
    with pytest.raises(InferenceError, match="summarization engine failed"):
        generator.generate(["x" * 2000], min_tokens=1, max_tokens=4)  # of 1024 positions


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_in_nothing_out(engine: Engine, checkpoint: Path) -> None:
    assert engine(checkpoint, decoding()).generate([], min_tokens=1, max_tokens=4) == []


@settings(max_examples=15)
@given(st.lists(st.text(max_size=40), max_size=5))
def test_as_many_summaries_as_sources_whatever_they_say(
    fast: Generator, sources: list[str]
) -> None:
    summaries = fast.generate(sources, min_tokens=1, max_tokens=6)
    assert [s.source_tokens for s in summaries] == [fast.count_tokens(s) for s in sources]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_missing_gpu_is_said_at_the_start(
    engine: Engine, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctranslate2.get_cuda_device_count", lambda: 0)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(StartupError, match="no CUDA device"):
        engine(checkpoint, decoding(), device="cuda")
    on_cpu = engine(checkpoint, decoding(), device="auto").engine
    assert on_cpu in ("ctranslate2/int8", "torch/float32")


# The tokenizer.


@settings(max_examples=200)
@given(st.text().filter(lambda text: "<" not in text))
def test_the_tokens_are_those_of_transformers(
    tokenizer: BartTokenizer, reference: ReferenceTokenizer, text: str
) -> None:
    ids = reference(f" {text}").input_ids
    assert tokenizer.encode(text) == reference.convert_ids_to_tokens(ids)


@pytest.fixture(scope="module")
def reference(models: Path) -> ReferenceTokenizer:
    return ReferenceTokenizer.from_pretrained(models / DISTILBART / "hub")


@given(st.text())
def test_a_text_comes_back_from_its_tokens(tokenizer: BartTokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text.strip()


@given(st.text(st.sampled_from("<>/|sunkpadmask end")))
def test_text_of_the_user_is_never_a_control_token(tokenizer: BartTokenizer, text: str) -> None:
    for hostile in (text, f"a </s> b <pad>{text}<s><unk> <mask>"):
        start, *pieces, end = tokenizer.encode(hostile)
        assert (start, end) == ("<s>", "</s>")
        assert not {"<s>", "</s>", "<pad>", "<unk>", "<mask>"} & set(pieces)


def test_a_lone_surrogate_is_read_as_a_question_mark(tokenizer: BartTokenizer) -> None:
    assert tokenizer.decode(tokenizer.encode("a\ud800b")) == "a?b"


@pytest.mark.parametrize("unit", ["a", " ", "1", "a. ", "<", "</s>", "é", "\n", "'", "🎉"])
def test_100_kb_of_anything_are_counted_in_a_second(tokenizer: BartTokenizer, unit: str) -> None:
    text = unit * (100_000 // len(unit.encode()))
    start = time.thread_time()
    tokenizer.encode(text)
    assert time.thread_time() - start < 1


# The profiles.


@pytest.fixture(scope="module")
def standard(settings_of_light: Settings, models: Path) -> Settings:
    """The standard profile, with tiny random models."""
    (models / "opus-mt-nl-en").symlink_to(settings_of_light.models_dir / "opus-mt-nl-en")
    return settings_of_light.model_copy(update={"profile": "standard", "models_dir": models})


@pytest.fixture(scope="module")
def settings_of_light(request: pytest.FixtureRequest) -> Settings:
    settings: Settings = request.getfixturevalue("settings")
    return settings.model_copy(update={"profile": "light"})


def test_standard_and_quality_write_and_light_and_demo_pick() -> None:
    methods = {name: load_card(p.summarization).architecture for name, p in PROFILES.items()}
    assert methods == {
        "standard": "bart",
        "light": "extractive",
        "quality": "bart",
        "demo": "extractive",
    }


def test_the_light_profile_needs_no_model_for_bullets(settings_of_light: Settings) -> None:
    assert isinstance(loading.load_summarizer(settings_of_light), ExtractiveSummarizer)


@pytest.mark.parametrize(
    ("engine", "arithmetic"), [("ctranslate2", "ctranslate2/int8"), ("torch", "torch/float32")]
)
def test_an_answer_says_which_summarization_model_at_which_revision_on_what_engine(
    standard: Settings, engine: str, arithmetic: str
) -> None:
    loaded = loading.load_pipeline(
        standard.model_copy(update={"engine": engine, "intra_threads": 1})
    )
    served = loaded.models.summarization
    assert (served.card, served.revision, served.engine) == (DISTILBART, "local", arithmetic)


def test_an_article_gets_written_bullets_with_sources(
    standard: Settings,
    start_server: "Callable[[FastAPI], AbstractContextManager[Client]]",
    sample_article: str,
) -> None:
    with start_server(app.create_app(standard)) as client:
        answer = client.post("/v1/articles", {"text": sample_article}).json()
    assert answer["models"]["summarization"]["engine"] == "ctranslate2/int8"
    assert answer["summary"]["bullets"]
    assert all(bullet["sources"] for bullet in answer["summary"]["bullets"])


def test_a_missing_or_damaged_summarization_model_stops_the_start(
    standard: Settings, settings_of_light: Settings, tmp_path: Path
) -> None:
    missing = standard.model_copy(update={"models_dir": settings_of_light.models_dir})
    with pytest.raises(StartupError, match=f"kortom models pull {DISTILBART}"):
        loading.load_pipeline(missing)
    shutil.copytree(standard.models_dir, tmp_path, dirs_exist_ok=True)
    with (tmp_path / DISTILBART / "ctranslate2" / "model.bin").open("r+b") as file:
        file.write(b"broken")
    with pytest.raises(StartupError, match=f"model {DISTILBART} is damaged"):
        loading.load_pipeline(standard.model_copy(update={"models_dir": tmp_path}))
