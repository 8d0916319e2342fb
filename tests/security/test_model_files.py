"""A model from a stranger: no code of it runs, and whatever is broken in it is one line."""

import json
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from service.errors import PullError, StartupError
from service.evaluation.checkpoints import write_marian_checkpoint
from service.loading import load_pipeline
from service.models.card import load_card
from service.models.pull import pull
from service.models.store import MANIFEST, Manifest, ModelStore, describe_files
from service.settings import Settings

NAME = "opus-mt-nl-en"
EVIL = "import pathlib; pathlib.Path({!r}).touch()\nclass Model: pass\n"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("checkpoint") / "hub"
    return write_marian_checkpoint(directory, d_model=16, layers=1, ffn_dim=32, heads=2)


@pytest.fixture
def model(settings: Settings, tmp_path: Path) -> Path:
    """An installed model that an attacker may write; its checksums are made to fit after."""
    return shutil.copytree(settings.models_dir / NAME, tmp_path / "models" / NAME)


def load(settings: Settings, model: Path, engine: str) -> None:
    manifest = Manifest.model_validate_json((model / MANIFEST).read_bytes())
    fitting = manifest.model_copy(update={"files": describe_files(model)})
    (model / MANIFEST).write_text(fitting.model_dump_json())
    changed = settings.model_copy(update={"models_dir": model.parent, "engine": engine})
    load_pipeline(changed).close()


@pytest.mark.parametrize(
    "config",
    [
        {"auto_map": dict.fromkeys(["AutoConfig", "AutoModel", "AutoTokenizer"], "evil.Model")},
        {"_attn_implementation_internal": "evil/kernel"},
        {"_attn_implementation": "evil/kernel"},
        {"custom_pipelines": {"translation": {"impl": "evil.Model"}}},
    ],
    ids=lambda config: next(iter(config)),
)
def test_no_code_that_a_configuration_names_is_run(
    settings: Settings, model: Path, tmp_path: Path, config: dict[str, object]
) -> None:
    owned = tmp_path / "owned"
    for place in (model / "hub", model):
        (place / "evil.py").write_text(EVIL.format(str(owned)))
    path = model / "hub" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))
    for engine in ("torch", "ctranslate2"):
        with suppress(StartupError):
            load(settings, model, engine)
    assert not owned.exists()


@pytest.mark.parametrize(
    ("name", "engine"),
    [
        ("hub/model.safetensors", "torch"),
        ("hub/config.json", "torch"),
        ("hub/source.spm", "torch"),
        ("hub/vocab.json", "torch"),
        ("ctranslate2/model.bin", "ctranslate2"),
        ("ctranslate2/config.json", "ctranslate2"),
        ("ctranslate2/shared_vocabulary.json", "ctranslate2"),
        ("hub/source.spm", "ctranslate2"),
    ],
)
@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff" * 50, b"[" * 100_000], ids=["empty", "no", "deep"]
)
def test_a_broken_file_with_the_right_checksum_stops_the_start_in_one_line(
    settings: Settings, model: Path, name: str, engine: str, content: bytes
) -> None:
    (model / name).write_bytes(content)
    with pytest.raises(StartupError) as caught:
        load(settings, model, engine)
    assert "\n" not in caught.value.detail


@pytest.mark.parametrize("name", ["config.json", "vocab.json", "source.spm", "target.spm"])
@pytest.mark.parametrize("content", [b"\x00\xff" * 50, b"[" * 100_000], ids=["no", "deep"])
def test_a_checkpoint_with_a_broken_file_is_refused_in_one_line(
    checkpoint: Path, tmp_path: Path, name: str, content: bytes
) -> None:
    broken = shutil.copytree(checkpoint, tmp_path / "broken")
    (broken / name).write_bytes(content)
    store = ModelStore(tmp_path / "models", tmp_path / "bundled")
    with pytest.raises(PullError) as caught:
        pull(load_card(NAME), store, source=broken)
    assert "\n" not in caught.value.detail
    assert store.installed() == ["extractive"]


@pytest.mark.parametrize(
    "key", ["auto_map", "custom_pipelines", "attn_implementation", "_attn_implementation"]
)
def test_a_checkpoint_that_names_code_is_refused(
    checkpoint: Path, tmp_path: Path, key: str
) -> None:
    """transformers would fetch an attention kernel from the hub by such a name."""
    naming = shutil.copytree(checkpoint, tmp_path / "naming")
    config = json.loads((naming / "config.json").read_text())
    (naming / "config.json").write_text(json.dumps(config | {key: "evil/kernel"}))
    with pytest.raises(PullError, match=rf"code outside transformers \({key}\)"):
        pull(load_card(NAME), ModelStore(tmp_path / "models"), source=naming)


def test_a_link_in_a_checkpoint_is_copied_and_not_followed_later(
    checkpoint: Path, tmp_path: Path
) -> None:
    linked = shutil.copytree(checkpoint, tmp_path / "linked")
    (tmp_path / "secret").write_text("not for the model")
    (linked / "generation_config.json").unlink(missing_ok=True)
    (linked / "generation_config.json").symlink_to(tmp_path / "secret")
    store = ModelStore(tmp_path / "models", tmp_path / "bundled")
    with suppress(PullError):
        pull(load_card(NAME), store, source=linked)
    assert not any(path.is_symlink() for path in (tmp_path / "models").rglob("*"))
