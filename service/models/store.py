"""Installed models: where they lie and whether their files are what the manifest says.

    <models_dir>/NAME/manifest.json
    <models_dir>/NAME/hub/            config.json, tokenizer files, model.safetensors
    <models_dir>/NAME/ctranslate2/    model.bin, config.json, shared_vocabulary.json, vmap.txt

Models that are part of the package lie in the same layout in ``service/models/bundled/``; a model
of the same name in ``models_dir`` wins over them.
"""

import hashlib
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from service.errors import ModelCorrupt, ModelError, ModelNotInstalled
from service.models.card import NAME, check_name

BUNDLED_DIRECTORY = Path(__file__).resolve().parent / "bundled"
MANIFEST = "manifest.json"
WITHOUT_FILES = frozenset({"extractive"})
"""Models that are code alone: nothing to pull, always installed."""

Engine = Literal["ctranslate2", "torch"]
_WEIGHTS: dict[Engine, str] = {
    "ctranslate2": "ctranslate2/model.bin",
    "torch": "hub/model.safetensors",
}


def _inside(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or "\\" in path or ".." in pure.parts or str(pure) != path or path == ".":
        raise ValueError("not a plain relative path")
    return path


class ManifestFile(BaseModel):
    """Size in bytes and SHA-256 (hexadecimal) of one file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class Manifest(BaseModel):
    """What was installed, from where, made with what.

    Attributes:
        repository: hub id, or none for weights that Kortom trained itself.
        revision: what was asked for: a branch, tag, ref or commit, or ``local``.
        commit: the commit it stood for, 40 hexadecimal digits, or ``local`` for a plain directory.
        created: when the model was installed, UTC.
        versions: versions of the libraries that converted it.
        files: every file by its path relative to the manifest, ``/`` as separator.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str | None
    revision: str
    commit: str
    created: datetime
    versions: dict[str, str]
    files: dict[Annotated[str, AfterValidator(_inside)], ManifestFile]


def describe_files(directory: Path) -> dict[str, ManifestFile]:
    """Size and checksum of every file below ``directory`` but the manifest itself."""
    return {
        path: ManifestFile(size=(directory / path).stat().st_size, sha256=_sha256(directory / path))
        for path in _list_files(directory)
    }


class ModelStore:
    """The installed models.

    Args:
        models_dir: directory of the pulled models; it need not exist.
        bundled_dir: directory of the models that are part of the package.
    """

    def __init__(self, models_dir: Path, bundled_dir: Path = BUNDLED_DIRECTORY) -> None:
        self.models_dir = models_dir
        self.bundled_dir = bundled_dir

    def path(self, name: str) -> Path:
        """Directory of the installed model, unverified.

        Raises:
            ModelNotInstalled: there is none; says the command that makes one.
            ModelError: ``name`` can't be a model's name, or the model has no files.
        """
        check_name(name)
        if name in WITHOUT_FILES:
            raise ModelError(f"{name} has no files: it is part of the program")
        for directory in (self.models_dir / name, self.bundled_dir / name):
            if (directory / MANIFEST).is_file():
                return directory
        raise ModelNotInstalled(
            f"model {name} is not installed in {self.models_dir}: run `kortom models pull {name}`"
        )

    def manifest(self, name: str) -> Manifest:
        """The manifest of the installed model.

        Raises:
            ModelNotInstalled: the model is not there.
            ModelCorrupt: the manifest can't be read, or names a path outside the model's directory.
        """
        path = self.path(name) / MANIFEST
        try:
            return Manifest.model_validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            reason = f"{place}: {first['msg']}" if place else first["msg"]
            raise self._damaged(name, path, reason) from error
        except OSError as error:
            raise self._damaged(name, path, error.strerror or "can't be read") from error

    def installed(self) -> list[str]:
        """Names of all models that are there, in alphabetical order; no file is verified."""
        names = set(WITHOUT_FILES)
        for directory in (self.models_dir, self.bundled_dir):
            if directory.is_dir():
                names.update(path.parent.name for path in directory.glob(f"*/{MANIFEST}"))
        return sorted(filter(NAME.fullmatch, names))

    def verify(self, name: str, engine: Engine | None = None) -> None:
        """Holds the files against the manifest: none missing, none more, same size, same checksum.

        Args:
            name: the model.
            engine: look only at the files that this engine loads; all files unless given.

        Raises:
            ModelNotInstalled: the model is not there.
            ModelCorrupt: a file differs; it is named.
        """
        if name in WITHOUT_FILES:
            return
        directory = self.path(name)
        manifest = self.manifest(name)
        present = {p for p in _list_files(directory) if _loads(engine, p)}
        expected = {p: f for p, f in manifest.files.items() if _loads(engine, p)}
        needed = [_WEIGHTS[engine]] if engine else list(_WEIGHTS.values())
        for path in needed:
            if path not in expected:
                raise self._damaged(name, directory / path, "not in the manifest")
        if unknown := present - expected.keys():
            raise self._damaged(name, directory / min(unknown), "not in the manifest")
        for path, file in expected.items():
            full = directory / path
            if path not in present or not full.resolve().is_relative_to(directory.resolve()):
                raise self._damaged(name, full, "missing")
            try:
                size = full.stat().st_size
                if size != file.size:
                    raise self._damaged(name, full, f"{size} bytes instead of {file.size}")
                if _sha256(full) != file.sha256:
                    raise self._damaged(name, full, "wrong checksum")
            except OSError as error:
                raise self._damaged(name, full, error.strerror or "can't be read") from error

    def _damaged(self, name: str, path: Path, reason: str) -> ModelCorrupt:
        """What is wrong with a file of the model, and what helps."""
        if path.is_relative_to(self.bundled_dir):
            advice = "install Kortom again"
        elif (self.bundled_dir / name / MANIFEST).is_file():
            advice = f"remove {self.models_dir / name}, it is part of Kortom"
        else:
            advice = f"run `kortom models pull {name}` again"
        return ModelCorrupt(f"model {name} is damaged: {path}: {reason}; {advice}")


def _loads(engine: Engine | None, path: str) -> bool:
    if engine == "ctranslate2":
        return not path.endswith(".safetensors")
    if engine == "torch":
        return not path.startswith("ctranslate2/")
    return True


def _list_files(directory: Path) -> list[str]:
    files = (p.relative_to(directory).as_posix() for p in directory.rglob("*") if not p.is_dir())
    return sorted(f for f in files if f != MANIFEST)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
