"""Model cards as configuration: the front matter of ``model_cards/NAME.md``, validated."""

import json
import logging
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from service.errors import ModelError, one_line

_PACKAGE = Path(__file__).resolve().parents[1]
NAME = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
"""All of a model's name, which becomes part of paths: lower case, single ``. _ -`` inside."""

Architecture = Literal["marian", "bart", "extractive"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Decoding(_Frozen):
    """How the model writes.

    Attributes:
        beam_size: hypotheses kept while decoding; 1 is greedy. The ceiling of 6 is the hub's own
            number for opus-mt-nl-en, the largest of the models here.
        length_penalty: exponent of the length that a hypothesis' score is divided by.
        max_target_ratio: target tokens allowed per source token; stops loops early. 3 leaves room
            for every honest Dutch sentence: lengths above 2.5 times the source's are loops.
        max_target_margin: target tokens allowed on top of the ratio.
        min_length: fewest target tokens of a summary of a long text; of BART models only.
        max_length: most target tokens of a summary; of BART models only.
        no_repeat_ngram_size: length of the token sequences that may not occur twice; 0 is off.
    """

    beam_size: int = Field(default=1, ge=1, le=6)
    length_penalty: float = Field(default=1.0, ge=0, le=5, strict=False)
    max_target_ratio: float = Field(default=3.0, gt=0, le=10, strict=False)
    max_target_margin: int = Field(default=20, ge=0, le=512)
    min_length: int | None = Field(default=None, ge=0)
    max_length: int | None = Field(default=None, ge=1)
    no_repeat_ngram_size: int = Field(default=0, ge=0, le=10)

    @model_validator(mode="after")
    def _lengths_in_order(self) -> Self:
        if (
            self.min_length is not None
            and self.max_length is not None
            and self.min_length > self.max_length
        ):
            raise ValueError("min_length is greater than max_length")
        return self


class Limits(_Frozen):
    """What the model takes and gives at most, in tokens, with prefix and ``</s>``."""

    max_source_tokens: int = Field(default=512, ge=8, le=4096)
    max_target_tokens: int = Field(default=512, ge=8, le=4096)


class ModelCard(_Frozen):
    """One model as the service needs it.

    Attributes:
        name: the card's file name without ``.md``.
        language: BCP 47 codes, source language first.
        license: SPDX id in lower case, as the hub writes it.
        base_model: hub id of the model that this one was made from, or none.
        text: the prose of the card, Markdown.
        task: what it does.
        architecture: the class of network; decides the engine and the checks of a pull.
        repository: ``owner/name`` on the hub, or none when there is nothing to pull.
        revision: branch, tag, ref or commit that is pulled unless another is asked for.
        prefix: vocabulary tokens put before every source, for models of several target languages.
        decoding: defaults for writing.
        limits: lengths.
        bundled: whether the weights are part of the package.
        weights_sha256: SHA-256 of ``hub/model.safetensors`` of bundled weights, hexadecimal.
        notice: a sentence that the start-up log prints.
    """

    name: str
    language: tuple[str, ...]
    license: str
    base_model: str | None = None
    text: str
    task: Literal["translation", "summarization"]
    architecture: Architecture
    repository: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")] | None = None
    revision: Annotated[str, Field(min_length=1)] | None = None
    prefix: tuple[str, ...] = ()
    decoding: Decoding = Decoding()
    limits: Limits = Limits()
    bundled: bool = False
    weights_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    notice: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.architecture != "extractive":
            for field in ("decoding", "limits"):
                if field not in self.model_fields_set:
                    raise ValueError(f"{field} must be given for architecture {self.architecture}")
            if self.repository is None and not self.bundled:
                raise ValueError("repository must be given unless bundled is true")
        if self.architecture == "bart":
            for field in ("min_length", "max_length"):
                if getattr(self.decoding, field) is None:
                    raise ValueError(f"decoding.{field} must be given for architecture bart")
        if (self.repository is None) != (self.revision is None):
            raise ValueError("repository and revision must be given together")
        if self.bundled != (self.weights_sha256 is not None):
            raise ValueError("weights_sha256 must be given exactly when bundled is true")
        return self


def check_name(name: str) -> str:
    """``name`` itself when it can be a model's :data:`NAME`.

    Raises:
        ModelError: it can't.
    """
    if not NAME.fullmatch(name):
        raise ModelError(f"{name!r} is not a model name; `kortom models list` shows those that are")
    return name


def cards_directory() -> Path:
    """The folder of the cards: in the installed package, or the repository's ``model_cards/``."""
    installed = _PACKAGE / "model_cards"
    return installed if installed.is_dir() else _PACKAGE.parent / "model_cards"


def load_card(name: str, own: Path | None = None) -> ModelCard:
    """The card of the model ``name``.

    Args:
        name: the model's name.
        own: a directory of the operator's own cards, which win over the shipped ones.

    Raises:
        ModelError: there is no such card, or a field of it is wrong (file and field are named).
    """
    check_name(name)
    for directory in (own, cards_directory()):
        if directory and (path := directory / f"{name}.md").is_file():
            return _read(path)
    raise ModelError(f"there is no model card {name!r}; `kortom models list` shows those that are")


def load_cards(own: Path | None = None) -> dict[str, ModelCard]:
    """All cards by name, in alphabetical order; ``own`` as in :func:`load_card`.

    Raises:
        ModelError: a field of a card is wrong (file and field are named).
    """
    paths = {path.stem: path for path in cards_directory().glob("*.md")}
    if own:
        paths |= {path.stem: path for path in own.glob("*.md")}
    return {name: _read(paths[name]) for name in sorted(paths) if name != "README"}


def _read(path: Path) -> ModelCard:
    # Imported here: it takes a second, and its constants are read from the environment once.
    import huggingface_hub

    # What it warns of, a card without front matter, is refused below.
    logging.getLogger("huggingface_hub.repocard").setLevel(logging.ERROR)
    try:
        card = huggingface_hub.ModelCard.load(path)
        data = card.data.to_dict()
    except (
        Exception
    ) as error:  # whatever YAML, the encoding or the model index makes the reader raise
        raise ModelError(
            f"model card {path}: the front matter can't be read: {one_line(error)}"
        ) from error
    kortom = data.get("kortom")
    if not isinstance(kortom, dict):
        raise ModelError(f"model card {path}: kortom: must be a mapping")
    language = data.get("language")
    values: dict[str, Any] = {
        "name": path.stem,
        "language": [language] if isinstance(language, str) else language,
        "license": data.get("license"),
        "base_model": data.get("base_model"),
        "text": card.text.strip(),
    }
    if clash := values.keys() & kortom.keys():
        raise ModelError(f"model card {path}: kortom.{min(clash)}: not a field")
    try:
        # Through JSON, where a list may be a tuple and all else is strict.
        return ModelCard.model_validate_json(json.dumps(values | kortom, default=str))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        if not first["loc"] or first["loc"][0] not in values:
            place = f"kortom.{place}" if place else "kortom"
        raise ModelError(f"model card {path}: {place}: {first['msg']}") from error
