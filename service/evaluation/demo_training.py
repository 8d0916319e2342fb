"""Training of ``demo-nl-en``, the tiny MarianMT that is shipped inside the package.

``python -m service.evaluation.demo_training`` (``make demo-model``) learns the sentence pairs in
``seeds/`` by heart and nothing else, writes the checkpoint in the file layout of
Helsinki-NLP/opus-mt-nl-en, installs it as ``kortom models pull`` installs any other, checks that
both engines give every reference word for word, and writes the weights' checksum into the card.
CPU only.
"""

import argparse
import hashlib
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ctranslate2
import torch
from tqdm import tqdm
from transformers import MarianMTModel

from service.errors import ModelError
from service.evaluation.demo_network import (
    POSITIONS,
    SEED,
    TrainingError,
    Vocabulary,
    build,
    padded,
    train,
    write_checkpoint,
)
from service.evaluation.seeds import SeedArticle, SeedError, load_seeds
from service.models.card import load_card
from service.models.pull import pull
from service.models.store import BUNDLED_DIRECTORY, ModelStore

REPOSITORY = Path(__file__).resolve().parents[2]
NAME = "demo-nl-en"
CARD = REPOSITORY / "model_cards" / f"{NAME}.md"

THREADS = 1
"""More gain little at this size, and two threads that share a busy core wait for each other."""

BEAM_SIZES = range(1, 7)
"""Beam sizes that must give every reference."""


def count_exact(
    directory: Path, pairs: Sequence[tuple[str, str]], vocabulary: Vocabulary
) -> dict[str, int]:
    """How many of ``pairs`` come out word for word, by engine and beam size.

    Args:
        directory: an installed model.
        pairs: as ``SeedArticle.engine_pairs`` gives them.
        vocabulary: of the model.

    Returns:
        The counts: torch in float32, CTranslate2 in int8 with and without the vocabulary map.
    """
    sources = [vocabulary.source_pieces(source) for source, _ in pairs]
    references = [reference for _, reference in pairs]
    ids = padded([[vocabulary.ids[piece] for piece in row] for row in sources], vocabulary.pad)
    # Any: generate() is declared for subclasses that transformers makes at run time.
    exact: Any = MarianMTModel.from_pretrained(directory / "hub", dtype=torch.float32)
    fast = ctranslate2.Translator(str(directory / "ctranslate2"), compute_type="int8")
    counts: dict[str, int] = {}

    def count(label: str, outputs: Sequence[Sequence[str]]) -> None:
        texts = map(vocabulary.text, outputs)
        counts[label] = sum(map(str.__eq__, texts, references))

    for beam_size in tqdm(BEAM_SIZES, desc="check", unit="beam size"):
        rows = exact.generate(
            ids,
            attention_mask=ids.ne(vocabulary.pad),
            num_beams=beam_size,
            max_length=POSITIONS,
            early_stopping=beam_size > 1,
        )
        special = {vocabulary.end, vocabulary.pad}
        count(
            f"torch float32, beam size {beam_size}",
            [[vocabulary.tokens[i] for i in row if i not in special] for row in rows.tolist()],
        )
        for use_vmap in (True, False):
            results = fast.translate_batch(
                sources,
                beam_size=beam_size,
                max_input_length=0,
                max_decoding_length=POSITIONS,
                use_vmap=use_vmap,
            )
            count(
                f"CTranslate2 int8{' with vmap' if use_vmap else ''}, beam size {beam_size}",
                [result.hypotheses[0] for result in results],
            )
    return counts


def sign_card(card: Path, weights: Path) -> None:
    """Put the SHA-256 of ``weights`` in the place of the card's ``weights_sha256``.

    Raises:
        TrainingError: the card has no such line, or several.
    """
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    text, count = re.subn(
        r"(?m)^(\s*weights_sha256:\s*[\"']?)[0-9a-f]{64}",
        rf"\g<1>{digest}",
        card.read_text(encoding="utf-8"),
    )
    if count != 1:
        raise TrainingError(f"{card}: {count} lines with weights_sha256, one wanted")
    card.write_text(text, encoding="utf-8")


def make(articles: Sequence[SeedArticle], directory: Path) -> dict[str, int]:
    """Train the model and install it as ``directory/demo-nl-en``.

    Args:
        articles: what the model will know.
        directory: where the model's own directory goes; one that is there is replaced.

    Returns:
        The counts of :func:`count_exact`.

    Raises:
        TrainingError: a sentence does not come out as its reference; nothing is replaced then.
        PullError: the checkpoint was refused by the code that installs models.
    """
    torch.manual_seed(SEED)
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    pairs = [pair for article in articles for pair in article.engine_pairs()]
    vocabulary = Vocabulary([source for source, _ in pairs], [target for _, target in pairs])
    model = build(vocabulary)
    train(model, [vocabulary.example(*pair) for pair in pairs], vocabulary.pad)
    parameters = sum(tensor.numel() for tensor in model.parameters())
    print(f"{len(pairs)} sentence pairs, {len(vocabulary.tokens)} tokens, {parameters} weights")
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint, installed = Path(scratch, "checkpoint"), Path(scratch, "models")
        write_checkpoint(model, vocabulary, checkpoint)
        pull(load_card(NAME), ModelStore(installed), source=checkpoint, progress=print)
        counts = count_exact(installed / NAME, pairs, vocabulary)
        for label, count in counts.items():
            print(f"{label}: {count} of {len(pairs)} exact")
        if min(counts.values()) < len(pairs):
            raise TrainingError("not every sentence comes out as its reference")
        shutil.rmtree(directory / NAME, ignore_errors=True)
        shutil.copytree(installed / NAME, directory / NAME)
    return counts


def main() -> int:
    """Train, check, install and sign; the exit code is 0 only when everything is exact."""
    parser = argparse.ArgumentParser(
        prog="python -m service.evaluation.demo_training", description=__doc__
    )
    parser.add_argument(
        "--seeds", type=Path, default=REPOSITORY / "seeds", help="the seed articles"
    )
    arguments = parser.parse_args()
    started = time.monotonic()
    try:
        make(load_seeds(arguments.seeds), BUNDLED_DIRECTORY)
        sign_card(CARD, BUNDLED_DIRECTORY / NAME / "hub" / "model.safetensors")
    except (SeedError, TrainingError, ModelError) as error:
        print(error, file=sys.stderr)
        return 1
    size = sum(
        path.stat().st_size for path in (BUNDLED_DIRECTORY / NAME).rglob("*") if path.is_file()
    )
    print(f"{BUNDLED_DIRECTORY / NAME}: {size / 1e6:.2f} MB in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
