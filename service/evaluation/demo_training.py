"""Training of ``demo-nl-en``, the tiny MarianMT that is shipped inside the package.

``python -m service.evaluation.demo_training`` (``make demo-model``) learns the sentence pairs in
``seeds/`` by heart and nothing else, writes the checkpoint in the file layout of
Helsinki-NLP/opus-mt-nl-en, installs it as ``kortom models pull`` installs any other, checks that
both engines give every reference word for word, and writes the weights' checksum into the card.

CPU only. Every random choice comes from one seed: the same machine, library versions and number of
threads give the same weights.
"""

import argparse
import hashlib
import io
import json
import math
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ctranslate2
import sentencepiece
import torch
from tqdm import tqdm
from transformers import GenerationConfig, MarianConfig, MarianMTModel

from service.errors import ModelError
from service.evaluation.seeds import SeedArticle, SeedError, load_seeds
from service.models.card import load_card
from service.models.pull import pull
from service.models.store import BUNDLED_DIRECTORY, ModelStore

REPOSITORY = Path(__file__).resolve().parents[2]
NAME = "demo-nl-en"
CARD = REPOSITORY / "model_cards" / f"{NAME}.md"

SEED = 20200108
"""Of every random choice."""

PIECES = 1300
"""Sentencepiece pieces a side: most words of the seeds are then one or two pieces."""

POSITIONS = 128
"""Longest input and output in tokens, as in the card; the longest seed sentence has 59."""

WIDTH = 128
FEED_FORWARD = 256
HEADS = 4
LAYERS = 2
"""Of the encoder and of the decoder, each; with these four the installed model takes 5 MB."""

BATCH = 32
PEAK_LEARNING_RATE = 1.5e-3
WARMUP_STEPS = 200
EPOCHS = 480
WRONG_TOKENS = 0.2
"""Share of the decoder's input tokens that training replaces by others of the same sentence. The
model then goes on at the right word after a wrong one, and no hypothesis of a beam search ends
early by skipping some: the search stops when enough hypotheses have ended, be there a better one or
not."""

SMOOTHING = 0.02
"""Share of the answer that label smoothing spreads over all tokens but ``</s>``, which so becomes
the least likely wrong token, for the same reason."""

THREADS = 1
"""More gain little at this size, and two threads that share a busy core wait for each other."""

BEAM_SIZES = range(1, 7)
"""Beam sizes that must give every reference."""


class TrainingError(RuntimeError):
    """The trained model does not know its sentences, or there is nothing to train it on."""


@dataclass(frozen=True, slots=True)
class Example:
    """A sentence pair as token ids, ``</s>`` included on both sides."""

    source: list[int]
    target: list[int]


class Vocabulary:
    """Two sentencepiece models and their joint token ids, as opus-mt has them.

    ``</s>`` is 0, ``<unk>`` 1, ``<pad>``, which also begins every output, comes last.
    """

    def __init__(self, sources: Sequence[str], targets: Sequence[str]) -> None:
        self.models = [_sentencepiece_model(side) for side in (sources, targets)]
        self._processors = [
            sentencepiece.SentencePieceProcessor(model_proto=model) for model in self.models
        ]
        tokens = dict.fromkeys(["</s>", "<unk>"])
        for processor in self._processors:
            for index in range(processor.get_piece_size()):
                if not processor.is_control(index):
                    tokens.setdefault(processor.id_to_piece(index))
        tokens["<pad>"] = None
        self.tokens = list(tokens)
        self.ids = {token: index for index, token in enumerate(self.tokens)}
        self.end, self.pad = 0, len(self.tokens) - 1

    def example(self, source: str, target: str) -> Example:
        """Token ids of a sentence pair.

        Raises:
            TrainingError: the target does not survive tokenization.
        """
        pieces = self.source_pieces(source)[:-1], self._processors[1].encode(target, out_type=str)
        if self.text(pieces[1]) != target:
            raise TrainingError(f"the tokenizer changes {target!r} into {self.text(pieces[1])!r}")
        ids = [[*(self.ids[piece] for piece in side), self.end] for side in pieces]
        return Example(*ids)

    def source_pieces(self, source: str) -> list[str]:
        """Source tokens of a sentence, ``</s>`` included."""
        return [*self._processors[0].encode(source, out_type=str), "</s>"]

    def text(self, pieces: Sequence[str]) -> str:
        """The text of target pieces."""
        return str(self._processors[1].decode(list(pieces)))


def _sentencepiece_model(sentences: Sequence[str]) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_writer=model,
        model_type="bpe",
        vocab_size=PIECES,
        character_coverage=1.0,
        # The service normalises sentences itself, and the default rule takes 240 kB a side.
        normalization_rule_name="identity",
        num_threads=1,
        minloglevel=2,
    )
    return model.getvalue()


def build(vocabulary: Vocabulary) -> MarianMTModel:
    """An untrained model of the demo's shape for a vocabulary."""
    pad = vocabulary.pad
    config = MarianConfig(
        vocab_size=len(vocabulary.tokens),
        d_model=WIDTH,
        encoder_layers=LAYERS,
        decoder_layers=LAYERS,
        encoder_attention_heads=HEADS,
        decoder_attention_heads=HEADS,
        encoder_ffn_dim=FEED_FORWARD,
        decoder_ffn_dim=FEED_FORWARD,
        max_position_embeddings=POSITIONS,
        activation_function="swish",
        dropout=0.0,
        scale_embedding=True,
        share_encoder_decoder_embeddings=True,
        tie_word_embeddings=True,
        pad_token_id=pad,
        eos_token_id=vocabulary.end,
        bos_token_id=vocabulary.end,
        decoder_start_token_id=pad,
        forced_eos_token_id=vocabulary.end,
        # Embeddings scaled by sqrt(d_model) then begin with unit variance.
        init_std=WIDTH**-0.5,
    )
    model = MarianMTModel(config)
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]  # untyped upstream
        num_beams=6,
        max_length=POSITIONS,
        bad_words_ids=[[pad]],
        pad_token_id=pad,
        eos_token_id=vocabulary.end,
        bos_token_id=vocabulary.end,
        decoder_start_token_id=pad,
        forced_eos_token_id=vocabulary.end,
        renormalize_logits=True,
    )
    clear_pad(model, pad)
    return model


def clear_pad(model: MarianMTModel, pad: int) -> None:
    """Zero the embedding of ``<pad>``: CTranslate2 begins every output with a zero vector.

    ``padding_idx`` keeps the row out of the input side only; the tied output layer still moves it.
    """
    with torch.no_grad():
        model.model.shared.weight[pad] = 0


def loss_of(model: MarianMTModel, examples: Sequence[Example], pad: int) -> torch.Tensor:
    """Mean smoothed cross entropy per target token, ``</s>`` included, given some wrong inputs."""
    sources = _padded([example.source for example in examples], pad)
    targets = _padded([example.target for example in examples], pad)
    inputs = torch.cat([torch.full_like(targets[:, :1], pad), targets[:, :-1]], dim=1)
    wrong = torch.rand(inputs.shape).lt(WRONG_TOKENS) & inputs.ne(pad)
    elsewhere = inputs.gather(1, torch.randint_like(inputs, inputs.shape[1]))
    logits = model(
        input_ids=sources,
        attention_mask=sources.ne(pad),
        decoder_input_ids=torch.where(wrong, elsewhere, inputs),
        use_cache=False,
    ).logits
    # <pad>, the last token, is never an answer; </s>, the first, is not one of the smoothed ones.
    scores = logits[..., :pad].log_softmax(-1)
    real = targets.ne(pad)
    right = scores[real].gather(-1, targets[real][:, None]).mean()
    loss: torch.Tensor = -((1 - SMOOTHING) * right + SMOOTHING * scores[real][:, 1:].mean())
    return loss


def _batches(examples: Sequence[Example], order: random.Random) -> list[list[Example]]:
    """All examples in batches of about equal lengths, other ones in every epoch."""
    by_length = sorted(examples, key=lambda example: len(example.target) + order.uniform(0, 10))
    batches = [by_length[start : start + BATCH] for start in range(0, len(by_length), BATCH)]
    order.shuffle(batches)
    return batches


def _padded(rows: Sequence[Sequence[int]], pad: int) -> torch.Tensor:
    return torch.nn.utils.rnn.pad_sequence(
        [torch.tensor(row) for row in rows], batch_first=True, padding_value=pad
    )


def train(model: MarianMTModel, examples: Sequence[Example], pad: int) -> None:
    """Train ``model`` in place on ``examples``, with a progress bar."""
    order = random.Random(SEED)  # noqa: S311 - no secret is made of it
    steps = EPOCHS * math.ceil(len(examples) / BATCH)
    optimizer = torch.optim.Adam(model.parameters(), lr=PEAK_LEARNING_RATE, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min(
            (step + 1) / WARMUP_STEPS, 0.5 * (1 + math.cos(math.pi * min(step / steps, 1)))
        ),
    )
    model.train()
    with tqdm(range(EPOCHS), desc="train", unit="epoch") as epochs:
        for _ in epochs:
            for batch in _batches(examples, order):
                loss = loss_of(model, batch, pad)
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                clear_pad(model, pad)
            epochs.set_postfix(loss=f"{loss.item():.4f}")
    model.train(False)


def write_checkpoint(model: MarianMTModel, vocabulary: Vocabulary, directory: Path) -> None:
    """Write model and tokenizer in the file layout of the hub's opus-mt repositories."""
    model.save_pretrained(directory)
    for name, spm in zip(("source.spm", "target.spm"), vocabulary.models, strict=True):
        (directory / name).write_bytes(spm)
    _write_json(directory / "vocab.json", vocabulary.ids)
    _write_json(directory / "tokenizer_config.json", {"source_lang": "nl", "target_lang": "en"})


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


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
    ids = _padded([[vocabulary.ids[piece] for piece in row] for row in sources], vocabulary.pad)
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
