"""The network of ``demo-nl-en``: a tiny MarianMT and its training.

Every random choice comes from one seed: the same machine, library versions and number of threads
give the same weights.
"""

import io
import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from tqdm import tqdm
from transformers import GenerationConfig, MarianConfig, MarianMTModel

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
    sources = padded([example.source for example in examples], pad)
    targets = padded([example.target for example in examples], pad)
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


def padded(rows: Sequence[Sequence[int]], pad: int) -> torch.Tensor:
    """Token ids as one tensor, a row each, filled up with ``<pad>``."""
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
