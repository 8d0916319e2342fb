"""The store: files are held against the manifest, and nothing outside the store is touched."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from service.errors import ModelCorrupt, ModelError, ModelNotInstalled
from service.models.store import Engine, ModelStore

FILES = {
    "hub/config.json": b"{}",
    "hub/model.safetensors": b"weights",
    "ctranslate2/model.bin": b"converted",
    "ctranslate2/vmap.txt": b"\tpieces\n",
}


def install(directory: Path, name: str, files: dict[str, bytes] | None = None) -> Path:
    model = directory / name
    files = FILES if files is None else files
    for path, content in files.items():
        (model / path).parent.mkdir(parents=True, exist_ok=True)
        (model / path).write_bytes(content)
    write_manifest(model, files)
    return model


def write_manifest(model: Path, files: dict[str, bytes]) -> None:
    manifest = {
        "repository": "owner/name",
        "revision": "main",
        "commit": "0" * 40,
        "created": "2026-11-23T12:00:00Z",
        "versions": {"kortom": "0.1.0"},
        "files": {
            path: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for path, content in files.items()
        },
    }
    (model / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models", tmp_path / "bundled")


def test_an_installed_model_is_found_and_verified(store: ModelStore) -> None:
    model = install(store.models_dir, "a-model")
    assert store.path("a-model") == model
    assert store.manifest("a-model").commit == "0" * 40
    assert store.installed() == ["a-model", "extractive"]
    for engine in (None, "ctranslate2", "torch"):
        store.verify("a-model", engine)


def test_a_missing_model_is_refused_with_the_command_that_helps(store: ModelStore) -> None:
    for attempt in (store.path, store.manifest, store.verify):
        with pytest.raises(ModelNotInstalled, match="kortom models pull a-model"):
            attempt("a-model")


def test_a_pulled_model_wins_over_a_bundled_one(store: ModelStore) -> None:
    bundled = install(store.bundled_dir, "a-model")
    assert store.path("a-model") == bundled
    pulled = install(store.models_dir, "a-model")
    assert store.path("a-model") == pulled
    assert store.installed() == ["a-model", "extractive"]


def test_the_extractive_summarizer_needs_no_files(store: ModelStore) -> None:
    assert store.installed() == ["extractive"]
    store.verify("extractive")
    with pytest.raises(ModelError, match="no files"):
        store.path("extractive")


@pytest.mark.parametrize(
    ("path", "content", "reason"),
    [
        ("ctranslate2/model.bin", b"convertex", "wrong checksum"),
        ("ctranslate2/model.bin", b"conv", "4 bytes instead of 9"),
        ("ctranslate2/model.bin", b"", "0 bytes instead of 9"),
        ("ctranslate2/model.bin", None, "missing"),
        ("hub/config.json", b"[]", "wrong checksum"),
        ("hub/tokenizer.json", b"{}", "not in the manifest"),
    ],
)
@pytest.mark.parametrize("engine", [None, "ctranslate2"])
def test_a_changed_file_is_refused(
    store: ModelStore, path: str, content: bytes | None, reason: str, engine: Engine | None
) -> None:
    model = install(store.models_dir, "a-model")
    if content is None:
        (model / path).unlink()
    else:
        (model / path).write_bytes(content)
    with pytest.raises(ModelCorrupt, match=reason) as caught:
        store.verify("a-model", engine)
    assert path in caught.value.detail
    assert "\n" not in caught.value.detail


def test_the_advice_for_a_damaged_model_can_be_followed(store: ModelStore) -> None:
    """What is part of the package can't be pulled."""

    def advice() -> str:
        with pytest.raises(ModelCorrupt) as caught:
            store.verify("a-model")
        return caught.value.detail.rpartition("; ")[2]

    pulled = install(store.models_dir, "a-model")
    (pulled / "hub/config.json").unlink()
    assert advice() == "run `kortom models pull a-model` again"
    bundled = install(store.bundled_dir, "a-model")
    assert advice() == f"remove {pulled}, it is part of Kortom"
    shutil.rmtree(pulled)
    (bundled / "hub/config.json").unlink()
    assert advice() == "install Kortom again"


def test_a_directory_that_is_no_model_does_not_end_the_list(store: ModelStore) -> None:
    for name in ("a-model", "A Model", ".partial", "a-model~"):
        install(store.models_dir, name)
    assert store.installed() == ["a-model", "extractive"]


def test_an_engine_is_held_to_its_own_files_only(store: ModelStore) -> None:
    model = install(store.models_dir, "a-model")
    (model / "hub/model.safetensors").write_bytes(b"damaged")
    store.verify("a-model", "ctranslate2")
    with pytest.raises(ModelCorrupt):
        store.verify("a-model", "torch")
    install(store.models_dir, "a-model")
    (model / "ctranslate2/model.bin").unlink()
    store.verify("a-model", "torch")
    with pytest.raises(ModelCorrupt):
        store.verify("a-model", "ctranslate2")


def test_a_manifest_without_weights_is_refused(store: ModelStore) -> None:
    install(store.models_dir, "a-model", {"hub/config.json": b"{}"})
    with pytest.raises(ModelCorrupt, match=r"model\.bin: not in the manifest"):
        store.verify("a-model", "ctranslate2")


@pytest.mark.parametrize(
    "path", ["../secret", "/etc/passwd", "hub/../../secret", "hub\\x", "", ".", "hub//x"]
)
def test_a_manifest_that_points_outside_is_refused(store: ModelStore, path: str) -> None:
    model = install(store.models_dir, "a-model")
    write_manifest(model, FILES | {path: b""})
    with pytest.raises(ModelCorrupt, match="plain relative path"):
        store.verify("a-model")


def test_a_link_that_leads_outside_is_refused(store: ModelStore, tmp_path: Path) -> None:
    model = install(store.models_dir, "a-model")
    (tmp_path / "outside").write_bytes(FILES["hub/config.json"])
    (model / "hub/config.json").unlink()
    (model / "hub/config.json").symlink_to(tmp_path / "outside")
    with pytest.raises(ModelCorrupt, match=r"hub/config\.json"):
        store.verify("a-model")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": {}}', "\x00"])
def test_an_unreadable_manifest_is_refused(store: ModelStore, text: str) -> None:
    model = install(store.models_dir, "a-model")
    (model / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(ModelCorrupt, match=r"manifest\.json") as caught:
        store.verify("a-model")
    assert "\n" not in caught.value.detail
    assert ": :" not in caught.value.detail


@pytest.mark.parametrize("name", ["../a-model", "/srv", ".partial", "", "a/b", "a\x00b"])
def test_a_name_that_is_a_path_is_refused(store: ModelStore, name: str) -> None:
    with pytest.raises(ModelError, match="not a model name"):
        store.path(name)
