"""Random-weight checkpoints in the exact file layout of the hub, for tests and the benchmark.

They translate to nonsense, but through the same files, tokenizers, shapes and code as real ones:
:func:`write_marian_checkpoint` has the layout of Helsinki-NLP/opus-mt-nl-en,
:func:`write_bart_checkpoint` that of sshleifer/distilbart-cnn-12-6. The keys and values of the
configuration files follow those repositories (main branch; see ``model_cards/``); only the
dimensions are the caller's.
"""

import itertools
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

Language = Literal["nl", "en"]
WeightsFormat = Literal["safetensors", "bin"]

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_DIGITS = "0123456789"
_PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~–—‘’“”„…«»€£°•"
_DIACRITICS = "áàâäãåæçéèêëíìîïñóòôöõøœßúùûüýÿÁÀÂÄÅÆÇÉÈÊËÍÎÏÑÓÔÖØÚÛÜčćěğłńřşšžČŁŠŽ"
_CHARACTERS = f"▁{_LETTERS}{_DIGITS}{_PUNCTUATION}{_DIACRITICS}"

_SYLLABLES = {
    "nl": "aan|be|de|der|een|ge|ver|lijk|heid|ing|ijs|oor|ou|sch|tje|uit|van|waar|zo|bij",
    "en": "the|er|ing|tion|ly|ment|un|re|con|ship|th|ough|ness|wh|at|ow|ick|ful|able|ed",
}
_SAMPLE_SENTENCES = (
    "De gemeente bouwt volgend jaar 120 woningen.",
    "The town will build 120 homes next year.",
)

_NEVER = -1e4
"""Logit bias that rules a token out; finite, because beam search adds logits up."""


def write_marian_checkpoint(
    directory: Path,
    *,
    d_model: int = 32,
    layers: int = 2,
    ffn_dim: int = 64,
    heads: int = 4,
    pieces: int = 256,
    vocab_size: int | None = None,
    positions: int = 512,
    weights: WeightsFormat = "safetensors",
    prefix_tokens: Sequence[str] = (),
    never_ends: bool = False,
    half_precision: bool = False,
    seed: int = 0,
) -> Path:
    """Write a random MarianMT checkpoint as Helsinki-NLP/opus-mt-nl-en lays it out.

    The vocabulary is the union of both sides' pieces between ``</s>`` (0), ``<unk>`` (1) and
    ``<pad>`` (last). Every Latin letter, digit and common punctuation mark is a piece of its own on
    both sides, so any Latin text tokenizes without ``<unk>``.

    Args:
        directory: where to write; made if missing.
        d_model: width of the model.
        layers: layers of the encoder and of the decoder, each.
        ffn_dim: width of the feed-forward blocks.
        heads: attention heads.
        pieces: sentencepiece pieces of each side; at least one per covered character (about 180).
        vocab_size: pad the vocabulary with unused entries up to this size, ``<pad>`` included.
        positions: longest input and output in tokens.
        weights: ``model.safetensors`` or ``pytorch_model.bin``.
        prefix_tokens: language tokens such as ``>>eng<<``, for models with several targets.
        never_ends: never make ``</s>``, so that the output is as long as the decoding limit says.
            ``forced_eos_token_id`` is left out then.
        half_precision: store the weights as float16.
        seed: of the weights.

    Returns:
        ``directory``.

    Raises:
        ValueError: ``pieces`` or ``vocab_size`` is too small.
    """
    from transformers import MarianConfig, MarianMTModel

    directory.mkdir(parents=True, exist_ok=True)
    source_pieces = _sentencepiece_pieces("nl", pieces)
    target_pieces = _sentencepiece_pieces("en", pieces)
    (directory / "source.spm").write_bytes(_sentencepiece_model(source_pieces))
    (directory / "target.spm").write_bytes(_sentencepiece_model(target_pieces))

    tokens = ["</s>", "<unk>", *dict.fromkeys([*source_pieces, *target_pieces, *prefix_tokens])]
    if vocab_size is None:
        vocab_size = len(tokens) + 1
    elif vocab_size <= len(tokens):
        raise ValueError(
            f"vocab_size must be at least {len(tokens) + 1} for {pieces} pieces a side"
        )
    tokens += [f"<unused{index}>" for index in range(vocab_size - 1 - len(tokens))]
    tokens.append("<pad>")
    pad = vocab_size - 1
    _write_json(directory / "vocab.json", {token: index for index, token in enumerate(tokens)})
    _write_json(directory / "tokenizer_config.json", {"source_lang": "nl", "target_lang": "en"})

    generation: dict[str, Any] = {
        "bad_words_ids": [[pad]],
        "bos_token_id": 0,
        "decoder_start_token_id": pad,
        "eos_token_id": 0,
        "max_length": positions,
        "num_beams": 6,
        "pad_token_id": pad,
    }
    if not never_ends:
        generation["forced_eos_token_id"] = 0
    dtype = "float16" if half_precision else "float32"
    config: dict[str, Any] = {
        "activation_dropout": 0.0,
        "activation_function": "swish",
        "add_bias_logits": False,
        "add_final_layer_norm": False,
        "architectures": ["MarianMTModel"],
        "attention_dropout": 0.0,
        "classifier_dropout": 0.0,
        "d_model": d_model,
        "decoder_attention_heads": heads,
        "decoder_ffn_dim": ffn_dim,
        "decoder_layerdrop": 0.0,
        "decoder_layers": layers,
        "dropout": 0.1,
        "encoder_attention_heads": heads,
        "encoder_ffn_dim": ffn_dim,
        "encoder_layerdrop": 0.0,
        "encoder_layers": layers,
        # With this deviation, embeddings scaled by sqrt(d_model) have unit variance at every width:
        # the output then depends on the input, which it hardly does with the hub's 0.02.
        "init_std": d_model**-0.5,
        "is_encoder_decoder": True,
        "max_position_embeddings": positions,
        "model_type": "marian",
        "normalize_before": False,
        "normalize_embedding": False,
        "num_hidden_layers": layers,
        "scale_embedding": True,
        "static_position_embeddings": True,
        "torch_dtype": dtype,
        "use_cache": True,
        "vocab_size": vocab_size,
    }
    _write_json(directory / "config.json", config | generation)
    _write_json(directory / "generation_config.json", generation | {"renormalize_logits": True})

    model = _random_model(MarianMTModel, MarianConfig(**(config | _token_ids(generation))), seed)
    # As in real models: CTranslate2 drops <pad> and starts decoding from zeros instead.
    model.model.shared.weight.data[pad].zero_()
    if never_ends:
        model.final_logits_bias[0, 0] = _NEVER
    _write_weights(model, directory, weights, half_precision)
    return directory


def write_bart_checkpoint(
    directory: Path,
    *,
    d_model: int = 32,
    encoder_layers: int = 2,
    decoder_layers: int = 1,
    ffn_dim: int = 64,
    heads: int = 4,
    vocab_size: int | None = None,
    positions: int = 1024,
    weights: WeightsFormat = "safetensors",
    half_precision: bool = False,
    seed: int = 0,
) -> Path:
    """Write a random BART checkpoint as sshleifer/distilbart-cnn-12-6 lays it out.

    As there, the generation settings stand in ``config.json``, there is no
    ``generation_config.json``, and ``vocab.json`` holds one token (``<mask>``) more than the model.

    Args:
        directory: where to write; made if missing.
        d_model: width of the model.
        encoder_layers: layers of the encoder.
        decoder_layers: layers of the decoder.
        ffn_dim: width of the feed-forward blocks.
        heads: attention heads.
        vocab_size: pad the model's vocabulary with unused entries up to this size.
        positions: longest input in tokens.
        weights: ``model.safetensors`` or ``pytorch_model.bin``.
        half_precision: store the weights as float16.
        seed: of the weights.

    Returns:
        ``directory``.

    Raises:
        ValueError: ``vocab_size`` is too small.
    """
    from transformers import BartConfig, BartForConditionalGeneration

    directory.mkdir(parents=True, exist_ok=True)
    merges = ["Ġ t", "h e", "Ġt he", "i n", "Ġ a", "in g", "e r", "Ġa n", "Ġan d"]
    merged = [merge.replace(" ", "") for merge in merges]
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *_byte_symbols(), *merged]
    if vocab_size is None:
        vocab_size = len(tokens)
    elif vocab_size < len(tokens):
        raise ValueError(f"vocab_size must be at least {len(tokens)}")
    tokens += [f"madeupword{index:04d}" for index in range(vocab_size - len(tokens))]
    tokens.append("<mask>")
    _write_json(directory / "vocab.json", {token: index for index, token in enumerate(tokens)})
    merge_lines = ["#version: 0.2", *merges]
    (directory / "merges.txt").write_text("\n".join(merge_lines) + "\n", encoding="utf-8")
    _write_json(directory / "tokenizer_config.json", {"model_max_length": positions})

    summarization = {
        "early_stopping": True,
        "length_penalty": 2.0,
        "max_length": 142,
        "min_length": 56,
        "no_repeat_ngram_size": 3,
        "num_beams": 4,
    }
    generation: dict[str, Any] = summarization | {
        "bos_token_id": 0,
        "decoder_start_token_id": 2,
        "eos_token_id": 2,
        "forced_bos_token_id": 0,
        "forced_eos_token_id": 2,
        "pad_token_id": 1,
    }
    config: dict[str, Any] = {
        "activation_dropout": 0.0,
        "activation_function": "gelu",
        "add_bias_logits": False,
        "add_final_layer_norm": False,
        "architectures": ["BartForConditionalGeneration"],
        "attention_dropout": 0.0,
        "classifier_dropout": 0.0,
        "d_model": d_model,
        "decoder_attention_heads": heads,
        "decoder_ffn_dim": ffn_dim,
        "decoder_layerdrop": 0.0,
        "decoder_layers": decoder_layers,
        "dropout": 0.1,
        "encoder_attention_heads": heads,
        "encoder_ffn_dim": ffn_dim,
        "encoder_layerdrop": 0.0,
        "encoder_layers": encoder_layers,
        "init_std": d_model**-0.5,
        "is_encoder_decoder": True,
        "max_position_embeddings": positions,
        "model_type": "bart",
        "normalize_before": False,
        "normalize_embedding": True,
        "num_hidden_layers": encoder_layers,
        "prefix": " ",
        "scale_embedding": False,
        "static_position_embeddings": False,
        "task_specific_params": {"summarization": summarization},
        "use_cache": True,
        "vocab_size": vocab_size,
    }
    if half_precision:
        config["torch_dtype"] = "float16"
    _write_json(directory / "config.json", config | generation)

    model = _random_model(
        BartForConditionalGeneration, BartConfig(**(config | _token_ids(generation))), seed
    )
    _write_weights(model, directory, weights, half_precision)
    return directory


def pseudo_words(language: Language) -> Iterator[str]:
    """Endless distinct lower-case pseudo-words, shortest first, always the same.

    The pieces of a checkpoint of :func:`write_marian_checkpoint` are the first of them, each as one
    piece with a leading space, so a sentence of n of them has a known number of tokens.
    """
    syllables = _SYLLABLES[language].split("|")
    seen: set[str] = set()
    for length in itertools.count(1):
        words = ["".join(parts) for parts in itertools.product(syllables, repeat=length)]
        random.Random(length).shuffle(words)  # noqa: S311 - no secret is made of it
        for word in words:
            if word not in seen:
                seen.add(word)
                yield word


def _sentencepiece_pieces(language: Language, count: int) -> list[str]:
    """``count`` pieces: every covered character, then whole pseudo-words."""
    if count < len(_CHARACTERS):
        raise ValueError(f"pieces must be at least {len(_CHARACTERS)}, one per covered character")
    words = itertools.islice(pseudo_words(language), count - len(_CHARACTERS))
    return [*_CHARACTERS, *(f"▁{word}" for word in words)]


def _sentencepiece_model(pieces: Sequence[str]) -> bytes:
    """A unigram model of exactly ``pieces``, with sentencepiece's default normalizer.

    The pieces are put in directly: training 32,000 of them would need a real corpus and minutes.
    """
    import io

    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2

    message: Any = sentencepiece_model_pb2
    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(_SAMPLE_SENTENCES),
        model_writer=trained,
        vocab_size=100,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    model = message.ModelProto.FromString(trained.getvalue())
    special = 3  # <unk>, <s>, </s>
    del model.pieces[special:]
    for rank, piece in enumerate(pieces):
        # A whole word is likelier than its characters, an early word likelier than a late one.
        model.pieces.add(piece=piece, score=-20.0 if len(piece) == 1 else -5.0 - rank / len(pieces))
    model.trainer_spec.vocab_size = len(model.pieces)
    serialized: bytes = model.SerializeToString()
    return serialized


def _byte_symbols() -> list[str]:
    """The 256 characters that byte-level BPE writes for bytes (Radford et al. 2019, GPT-2)."""
    printable = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    others = 256 - len(printable)
    return [chr(code) for code in printable] + [chr(256 + index) for index in range(others)]


def _token_ids(generation: Mapping[str, Any]) -> dict[str, Any]:
    """Those generation settings that a transformers 5 configuration still takes: the token ids."""
    names = ("bos_token_id", "decoder_start_token_id", "eos_token_id", "pad_token_id")
    return {name: generation[name] for name in names}


def _random_model(model_class: Any, config: Any, seed: int) -> Any:
    """A model with random weights that leaves the caller's random state as it was."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return model_class(config).eval()


def _write_weights(
    model: Any, directory: Path, weights: WeightsFormat, half_precision: bool
) -> None:
    """Write the state: all names to ``.bin``, each shared tensor once to ``.safetensors``."""
    import safetensors.torch
    import torch

    state = {
        name: tensor.half() if half_precision else tensor
        for name, tensor in model.state_dict().items()
    }
    if weights == "bin":
        torch.save(state, directory / "pytorch_model.bin")
        return
    shared = {
        "lm_head.weight",
        "model.encoder.embed_tokens.weight",
        "model.decoder.embed_tokens.weight",
    }
    unique = {name: tensor.contiguous() for name, tensor in state.items() if name not in shared}
    safetensors.torch.save_file(unique, directory / "model.safetensors", metadata={"format": "pt"})


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
