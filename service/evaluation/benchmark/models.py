"""The benchmark's models and inputs: made once and kept, of exact shapes and lengths."""

import itertools
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.errors import ModelNotInstalled
from service.evaluation.benchmark.ending import end_with_source

TRANSLATION = "opus-mt-nl-en"
"""The benchmark's model and card take the place of this one, which the profile ``light`` serves."""

SUMMARIZATION = "distilbart-cnn-12-6"
"""The benchmark's model takes the place of this one, under the shipped card."""

SENTENCE_TOKENS = 31
"""Tokens of every source and of every target, ``</s>`` included, where lengths are not mixed."""

MIXED_TOKENS = (10, 60)
"""Fewest and most tokens of sources of mixed lengths, ``</s>`` included."""

ARTICLE_SENTENCES = 20
PARAGRAPH_SENTENCES = 5
ARTICLE_TOKENS = ARTICLE_SENTENCES * SENTENCE_TOKENS
"""Tokens of the English article that is summed up, ``<s>`` and ``</s>`` included."""

VERSION = 2
"""Of the models that are written here: another one, and they are made anew."""

_CARD = f"""---
language: [nl, en]
license: apache-2.0
kortom:
  task: translation
  repository: Helsinki-NLP/opus-mt-nl-en
  revision: main
  architecture: marian
  decoding: {{beam_size: %d, max_target_ratio: 2.0, max_target_margin: 8}}
  limits: {{max_source_tokens: 512, max_target_tokens: 512}}
  notice: Random weights of {TRANSLATION}'s shape, made by `kortom bench`; it translates nothing.
---
The benchmark's stand-in: output is as long as the input.
"""


@dataclass(frozen=True)
class Shapes:
    """Dimensions of the models: arguments of the writers in :mod:`service.evaluation.checkpoints`.

    Attributes:
        marian: of ``write_marian_checkpoint``.
        bart: of ``write_bart_checkpoint``.
    """

    marian: Mapping[str, Any]
    bart: Mapping[str, Any]


REAL_SHAPES = Shapes(
    marian={
        "d_model": 512,
        "layers": 6,
        "ffn_dim": 2048,
        "heads": 8,
        "pieces": 32_000,
        "vocab_size": 67_028,
        "positions": 512,
    },
    bart={
        "d_model": 1024,
        "encoder_layers": 12,
        "decoder_layers": 6,
        "ffn_dim": 4096,
        "heads": 16,
        "vocab_size": 50_264,
        "positions": 1024,
    },
)
"""Those of the two models on the hub."""


@dataclass(frozen=True)
class Prepared:
    """Where the models and cards lie."""

    models_dir: Path
    cards_dir: Path

    @property
    def translation(self) -> Path:
        """The directory of the translation model."""
        return self.models_dir / TRANSLATION

    @property
    def summarization(self) -> Path:
        """The directory of the summarization model."""
        return self.models_dir / SUMMARIZATION


def prepare(cache_dir: Path, beams: int, shapes: Shapes = REAL_SHAPES) -> Prepared:
    """The benchmark's models and cards, made where missing.

    Args:
        cache_dir: where they lie; deleting it makes the next run build them anew.
        beams: beam size in the translation card.
        shapes: dimensions of models that are made.
    """
    from service.evaluation.checkpoints import write_bart_checkpoint, write_marian_checkpoint

    cards_dir = cache_dir / "cards"
    cards_dir.mkdir(parents=True, exist_ok=True)
    (cards_dir / f"{TRANSLATION}.md").write_text(_CARD % beams, encoding="utf-8")
    prepared = Prepared(cache_dir / f"models-{VERSION}", cards_dir)

    def write_translation(directory: Path) -> Path:
        write_marian_checkpoint(directory, **shapes.marian)
        end_with_source(directory, shapes.marian["heads"])
        return directory

    _install(TRANSLATION, prepared, write_translation)
    _install(
        SUMMARIZATION,
        prepared,
        lambda directory: write_bart_checkpoint(directory, **shapes.bart),
    )
    return prepared


def _install(name: str, prepared: Prepared, write: Callable[[Path], Path]) -> None:
    from service.models.card import load_card
    from service.models.pull import pull
    from service.models.store import ModelStore

    store = ModelStore(prepared.models_dir)
    try:
        store.path(name)
    except ModelNotInstalled:
        with tempfile.TemporaryDirectory(dir=prepared.cards_dir.parent) as temporary:
            _log(f"writing a random checkpoint of {name}'s shape")
            checkpoint = write(Path(temporary))
            pull(load_card(name, prepared.cards_dir), store, source=checkpoint, progress=_log)


def _log(line: str) -> None:
    print(line, file=sys.stderr)


def make_sentences(
    source_spm: Path,
    seed: int = 0,
    tokens: tuple[int, int] = (SENTENCE_TOKENS, SENTENCE_TOKENS),
) -> Iterator[str]:
    """Endless Dutch-looking sentences.

    Args:
        source_spm: the sentencepiece model of the benchmark's checkpoint.
        seed: of the choice of words and lengths.
        tokens: fewest and most tokens of a sentence, ``</s>`` included; at least 8.
    """
    import sentencepiece

    from service.evaluation.checkpoints import pseudo_words

    tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(source_spm))
    # Long enough not to be an abbreviation such as "ing.", after which no sentence ends.
    words = [word for word in itertools.islice(pseudo_words("nl"), 5_000) if len(word) > 5]
    choice = random.Random(seed)  # noqa: S311 - no secret is made of it
    # "Het" and "." are not single pieces with what is before them; the rest are, one each.
    fixed = len(tokenizer.encode("Het.")) + 1
    while True:
        length = choice.randint(*tokens)
        sentence = f"Het {' '.join(choice.choices(words, k=length - fixed))}."
        if len(tokenizer.encode(sentence)) + 1 == length:
            yield sentence


def join_sentences(sentences: Sequence[str], paragraph_sentences: int = PARAGRAPH_SENTENCES) -> str:
    """An article of these sentences, so many in a paragraph."""
    starts = range(0, len(sentences), paragraph_sentences)
    return "\n\n".join(" ".join(sentences[i : i + paragraph_sentences]) for i in starts)


def make_article(count_tokens: Callable[[str], int]) -> str:
    """A text of exactly :data:`ARTICLE_TOKENS` tokens of the summarizer.

    Args:
        count_tokens: counts them, ``<s>`` and ``</s>`` included.
    """
    # No merge of the benchmark's vocabulary has a "k": each is a token.
    return "k" * (1 + ARTICLE_TOKENS - count_tokens("k"))
