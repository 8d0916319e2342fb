"""A checkpoint in hub layout -> safetensors and CTranslate2, tried out on one input.

Everything is read from a local directory; no code from a repository is ever run. torch,
transformers and ctranslate2 are imported when a conversion starts.
"""

import gc
import json
import math
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from service.errors import PullError, one_line
from service.models.card import Architecture, ModelCard

Progress = Callable[[str], None]
"""Takes one line for people before each long step."""

SMOKE_TOLERANCE = 0.5
"""Largest mean difference between log-probabilities of CTranslate2 int8 and torch float32, in nats.

Measured on 72 random checkpoints of both architectures, 32, 128 and 512 wide: 0.07 at most for a
good conversion; 0.98 at least when the embeddings of one engine are shifted by a row. One wrong
matrix inside a layer moves it by anything from 0.01 to 2: for those, loading refuses missing and
misshapen tensors. The room above 0.07 is for real weights, whose outliers random ones lack.
"""

_CLASSES: dict[Architecture, str] = {
    "marian": "MarianMTModel",
    "bart": "BartForConditionalGeneration",
}
_SMOKE_TEXT: dict[Architecture, str] = {
    "marian": "De gemeente bouwt volgend jaar 120 woningen.",
    "bart": "The town will build 120 homes next year. Work starts in March. The mayor is pleased.",
}
_SMOKE_LENGTH = 32
_FOREIGN_CODE = {
    "auto_map", "custom_pipelines",
    # transformers fetches kernels by such a name, from the hub (CVE-2026-4372).
    "attn_implementation", "_attn_implementation", "_attn_implementation_internal",
}  # fmt: skip
"""Keys of config.json that name code outside transformers."""
_WEIGHTS, _OLD_WEIGHTS = "model.safetensors", "pytorch_model.bin"


def check_config(hub: Path, card: ModelCard) -> None:
    """Refuses a checkpoint that is not what the card says.

    The list ``architectures`` decides: the first opus-mt configurations, of 2020, name a
    MarianMTModel but give ``bart`` as their ``model_type``.

    Args:
        hub: directory with ``config.json``.
        card: the model's card.

    Raises:
        PullError: the configuration can't be read, is of another architecture, or wants code of
            its own run.
    """
    config = _read_config(hub)
    expected = _CLASSES[card.architecture]
    architectures = config.get("architectures")
    if architectures != [expected]:
        raise PullError(
            f"{card.name}: config.json is of architecture {architectures}, "
            f"the card wants {expected}"
        )
    if config.get("model_type") not in (card.architecture, "bart"):
        raise PullError(
            f"{card.name}: config.json is of model type {config.get('model_type')}, "
            f"the card wants {card.architecture}"
        )
    if foreign := sorted(_FOREIGN_CODE & config.keys()):
        raise PullError(
            f"{card.name}: config.json asks for code outside transformers ({foreign[0]})"
        )


def convert(directory: Path, card: ModelCard, progress: Progress) -> None:
    """Turns ``directory/hub`` into an installed model and tries it out.

    Afterwards ``hub/`` holds ``model.safetensors`` (in the number format of the checkpoint: float16
    stays float16) and no ``.bin``; ``ctranslate2/`` holds the int8 model, for Marian with a
    vocabulary map that limits the output layer to pieces of ``target.spm``.

    Args:
        directory: the model's directory, with the checkpoint in ``hub/``.
        card: the model's card.
        progress: called before each long step.

    Raises:
        PullError: the checkpoint is incomplete or of another architecture, or the smoke test
            failed.
        OSError: the disk is full or can't be written.
    """
    hub, output = directory / "hub", directory / "ctranslate2"
    check_config(hub, card)
    _modernize_config(hub, card.architecture)
    with _quiet():
        if (hub / _OLD_WEIGHTS).is_file():
            progress(f"{card.name}: rewriting {_OLD_WEIGHTS} as {_WEIGHTS}")
            _write_safetensors(hub, card)
        progress(f"{card.name}: converting to CTranslate2 int8")
        _write_ctranslate2(hub, output, card)
        progress(f"{card.name}: smoke test")
        difference = smoke_test(directory, card)
    if not difference <= SMOKE_TOLERANCE:
        raise PullError(
            f"{card.name}: smoke test failed: CTranslate2 and torch differ by {difference:.2f} "
            f"nats a token (allowed: {SMOKE_TOLERANCE}); the checkpoint or a library is broken"
        )


def smoke_test(directory: Path, card: ModelCard) -> float:
    """Writes one output with CTranslate2 and scores it with both engines.

    Args:
        directory: the model's directory, with ``hub/`` and ``ctranslate2/``.
        card: the model's card.

    Returns:
        Mean absolute difference of the log-probabilities of the output's tokens, in nats.

    Raises:
        PullError: no output, a score that is no number, or weights that are incomplete.
    """
    import ctranslate2

    hub = directory / "hub"
    source = _smoke_tokens(hub, card)
    start = [["<s>"]] if card.architecture == "bart" else None
    translator = ctranslate2.Translator(
        str(directory / "ctranslate2"), device="cpu", intra_threads=1
    )
    result = translator.translate_batch(
        [source],
        target_prefix=start,
        beam_size=1,
        max_decoding_length=_SMOKE_LENGTH,
        return_scores=True,
        use_vmap=card.architecture == "marian",
    )[0]
    target = result.hypotheses[0]
    if not target or not math.isfinite(result.scores[0]):
        raise PullError(f"{card.name}: smoke test failed: the converted model writes nothing")
    fast: list[float] = translator.score_batch([source], [target])[0].log_probs[: len(target)]
    exact = _torch_scores(hub, card, source, target)
    return sum(abs(a - b) for a, b in zip(fast, exact, strict=True)) / len(target)


def _read_config(hub: Path) -> dict[str, Any]:
    try:
        config = json.loads((hub / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise PullError(f"{hub / 'config.json'} can't be read: {one_line(error)}") from error
    if not isinstance(config, dict):
        raise PullError(f"{hub / 'config.json'} is not a JSON object")
    return config


def _modernize_config(hub: Path, architecture: Architecture) -> None:
    """Fills in what transformers 5 and CTranslate2 read and old configurations lack."""
    config = _read_config(hub)
    # CTranslate2's BART loader reads normalize_before; BART and Marian always normalise after.
    modern = {"normalize_before": False} | config | {"model_type": architecture}
    if modern != config:
        (hub / "config.json").write_text(json.dumps(modern, indent=2) + "\n", encoding="utf-8")


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences what is no news: bars of loading from the disk, tables of missing weights, which are
    refused by their names, and MarianTokenizer asking for sacremoses, which it never calls
    (models.md 2.2)."""
    from transformers.utils import logging as library_logging

    logging: Any = library_logging  # its functions carry no annotations

    bars, verbosity = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Recommended: pip install sacremoses")
            yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _load_torch(hub: Path, card: ModelCard, *, safetensors: bool, dtype: str) -> Any:
    """The model in torch, complete and with its tied weights tied.

    ``.bin`` files go through torch's unpickler for plain tensors alone (``weights_only``).
    """
    import transformers

    model_class = getattr(transformers, _CLASSES[card.architecture])
    try:
        model, info = model_class.from_pretrained(
            hub,
            dtype=dtype,
            local_files_only=True,
            output_loading_info=True,
            trust_remote_code=False,
            use_safetensors=safetensors,
            weights_only=True,
        )
    except OSError as error:
        if error.errno is not None:
            raise
        raise PullError(f"{card.name}: the weights can't be loaded: {one_line(error)}") from error
    except Exception as error:  # whatever a damaged file makes torch, pickle or safetensors raise
        raise PullError(f"{card.name}: the weights can't be loaded: {one_line(error)}") from error
    for problem in ("missing_keys", "mismatched_keys"):
        if info[problem]:
            raise PullError(
                f"{card.name}: incomplete weights: {problem}: {min(map(str, info[problem]))}"
            )
    shared = model.model.shared.weight
    tied = (model.model.encoder.embed_tokens, model.model.decoder.embed_tokens, model.lm_head)
    if not all(bool((layer.weight == shared).all()) for layer in tied):
        raise PullError(
            f"{card.name}: embeddings and output layer differ: transformers loaded them wrongly"
        )
    if card.architecture == "marian" and bool(shared[model.config.pad_token_id].any()):
        # CTranslate2 starts decoding from zeros, transformers from the <pad> row.
        raise PullError(
            f"{card.name}: the embedding of <pad> is not zero; this is no Marian checkpoint"
        )
    return model.eval()


def _write_safetensors(hub: Path, card: ModelCard) -> None:
    import safetensors.torch

    model = _load_torch(hub, card, safetensors=False, dtype="auto")
    state: dict[str, Any] = {}
    seen: set[int] = set()
    # A tied tensor is written once, under its first name; loading ties the rest again.
    for name, tensor in model.state_dict().items():
        if tensor.data_ptr() not in seen:
            seen.add(tensor.data_ptr())
            state[name] = tensor.contiguous()
    partial = hub / f"{_WEIGHTS}.partial"
    safetensors.torch.save_file(state, partial, metadata={"format": "pt"})
    # safetensors makes files that only their owner may read; the server can be another user.
    shutil.copymode(hub / "config.json", partial)
    partial.replace(hub / _WEIGHTS)
    (hub / _OLD_WEIGHTS).unlink()
    del model, state
    gc.collect()


def _write_ctranslate2(hub: Path, output: Path, card: ModelCard) -> None:
    from ctranslate2.converters import TransformersConverter

    vmap = hub.parent / "vmap.txt" if card.architecture == "marian" else None
    try:
        if vmap:
            vmap.write_text(_vocabulary_map(hub), encoding="utf-8")
        converter = TransformersConverter(str(hub))
        converter.convert(
            str(output), vmap=str(vmap) if vmap else None, quantization="int8", force=True
        )
    except OSError:
        raise
    except (
        Exception
    ) as error:  # the converter raises whatever a strange checkpoint makes it stumble on
        shutil.rmtree(output, ignore_errors=True)
        raise PullError(
            f"{card.name}: the conversion failed: {type(error).__name__}: {one_line(error)}"
        ) from error
    finally:
        if vmap:
            vmap.unlink(missing_ok=True)
        gc.collect()


def _vocabulary_map(hub: Path) -> str:
    """One line: the empty source n-gram, a tab, every piece that the model ever learned to write.

    ``vocab.json`` joins the pieces of both languages; leaving the Dutch ones out of the output
    layer about halves its cost (models.md 3.4).
    """
    import sentencepiece

    vocabulary = json.loads((hub / "vocab.json").read_text(encoding="utf-8"))
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(hub / "target.spm"))
    target = (str(pieces.id_to_piece(index)) for index in range(pieces.get_piece_size()))
    # A line of the map is split at spaces and tabs, so a piece holding one could not be written.
    usable = (piece for piece in target if piece in vocabulary and not set(piece) & set(" \t\r\n"))
    return "\t" + " ".join(dict.fromkeys([*usable, "</s>"])) + "\n"


def _smoke_tokens(hub: Path, card: ModelCard) -> list[str]:
    text = _SMOKE_TEXT[card.architecture]
    if card.architecture == "marian":
        import sentencepiece

        pieces = sentencepiece.SentencePieceProcessor(model_file=str(hub / "source.spm"))
        return [*card.prefix, *pieces.encode(text, out_type=str), "</s>"]
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(
        hub, local_files_only=True, trust_remote_code=False
    )
    return list(tokenizer.convert_ids_to_tokens(tokenizer(text).input_ids))


def _torch_scores(
    hub: Path, card: ModelCard, source: Sequence[str], target: Sequence[str]
) -> list[float]:
    """Log-probability of each target token given those before it."""
    import torch

    model = _load_torch(hub, card, safetensors=True, dtype="float32")
    vocabulary: dict[str, int] = json.loads((hub / "vocab.json").read_text(encoding="utf-8"))
    if missing := [token for token in card.prefix if token not in vocabulary]:
        raise PullError(f"{card.name}: the card's prefix {missing[0]} is not in vocab.json")
    unknown = vocabulary["<unk>"]
    source_ids = torch.tensor([[vocabulary.get(token, unknown) for token in source]])
    target_ids = torch.tensor([[vocabulary.get(token, unknown) for token in target]])
    start = torch.tensor([[model.config.decoder_start_token_id]])
    with torch.inference_mode():
        logits = model(
            input_ids=source_ids, decoder_input_ids=torch.cat([start, target_ids[:, :-1]], 1)
        ).logits
        scores: list[float] = (
            logits.log_softmax(-1).gather(-1, target_ids[..., None])[0, :, 0].tolist()
        )
    return scores
