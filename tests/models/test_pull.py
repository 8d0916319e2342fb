"""Pull: from a hub that speaks the real protocol to a verified, converted, tried-out model."""

import argparse
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import safetensors.torch
from hub import Hub, Repository

from service.errors import PullError
from service.evaluation.checkpoints import write_bart_checkpoint, write_marian_checkpoint
from service.models import commands
from service.models.card import load_card
from service.models.conversion import SMOKE_TOLERANCE, smoke_test
from service.models.pull import pull
from service.models.store import ModelStore

OPUS, TC_BIG, BART = "opus-mt-nl-en", "opus-mt-tc-big-gmw-gmw", "distilbart-cnn-12-6"
CLUTTER = (
    "README.md",
    ".gitattributes",
    "tf_model.h5",
    "rust_model.ot",
    "flax_model.msgpack",
    "model.onnx",
)
"""What the real repositories hold besides, none of it needed."""
SHARED = ["config.json", "source.spm", "target.spm", "vocab.json"]
MARIAN = [*SHARED, "generation_config.json", "tokenizer_config.json"]


@pytest.fixture(scope="session")
def checkpoints() -> Iterator[dict[str, Path]]:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        yield {
            "bin": write_marian_checkpoint(root / "bin", weights="bin"),
            "safetensors": write_marian_checkpoint(root / "safetensors", seed=1),
            "tc-big": write_marian_checkpoint(
                root / "tc-big", weights="bin", prefix_tokens=[">>eng<<"], half_precision=True
            ),
            "bart": write_bart_checkpoint(root / "bart", weights="bin"),
        }


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, checkpoints: dict[str, Path]) -> Iterator[Hub]:
    for variable in (
        "HF_TOKEN",
        "HF_HUB_OFFLINE",
        "http_proxy",
        "HTTP_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1,localhost")
    with Hub() as hub:
        opus = Repository()
        opus.commit("main", checkpoints["bin"], CLUTTER)
        opus.commit("refs/pr/2", checkpoints["safetensors"], (*CLUTTER, "pytorch_model.bin"))
        hub.repositories["Helsinki-NLP/opus-mt-nl-en"] = opus
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models", tmp_path / "bundled")


def add(hub: Hub, repository: str, checkpoint: Path) -> str:
    hub.repositories[repository] = Repository()
    return hub.repositories[repository].commit("main", checkpoint, CLUTTER)


def names(directory: Path) -> set[str]:
    return {path.name for path in directory.iterdir()}


def assert_nothing_half_made(store: ModelStore, name: str = OPUS) -> None:
    assert not (store.models_dir / name).exists()
    assert store.installed() == ["extractive"]


def test_a_bin_only_repository_is_pulled(hub: Hub, store: ModelStore) -> None:
    lines: list[str] = []
    manifest = pull(load_card(OPUS), store, progress=lines.append)

    assert sorted(hub.fetched()) == sorted([*MARIAN, "pytorch_model.bin"])
    assert manifest == store.manifest(OPUS)
    assert manifest.commit == hub.repositories["Helsinki-NLP/opus-mt-nl-en"].refs["main"]
    assert (manifest.repository, manifest.revision) == ("Helsinki-NLP/opus-mt-nl-en", "main")
    assert set(manifest.versions) == {"ctranslate2", "kortom", "torch", "transformers"}
    model = store.path(OPUS)
    assert names(model) == {"ctranslate2", "hub", "manifest.json"}
    assert names(model / "hub") == {*MARIAN, "model.safetensors"}
    modes = {path.stat().st_mode for path in model.rglob("*") if path.is_file()}
    assert len(modes) == 1, "the server may run as another user than the pull"
    assert names(model / "ctranslate2") == {
        "config.json",
        "model.bin",
        "shared_vocabulary.json",
        "vmap.txt",
    }
    store.verify(OPUS)
    assert [line.split(":")[1].split()[0] for line in lines] == [
        "fetching", "rewriting", "converting", "smoke", "checksums",
    ]  # fmt: skip
    assert names(store.models_dir / ".partial") <= {f"{OPUS}.lock"}


def test_safetensors_are_preferred_and_a_ref_is_resolved(hub: Hub, store: ModelStore) -> None:
    manifest = pull(load_card(OPUS), store, revision="refs/pr/2")
    assert sorted(hub.fetched()) == sorted([*MARIAN, "model.safetensors"])
    assert manifest.revision == "refs/pr/2"
    assert manifest.commit == hub.repositories["Helsinki-NLP/opus-mt-nl-en"].refs["refs/pr/2"]
    assert all(manifest.commit in call.path for call in hub.calls if "/resolve/" in call.path)


def test_the_vocabulary_map_is_one_line_of_target_pieces(hub: Hub, store: ModelStore) -> None:
    import sentencepiece

    pull(load_card(OPUS), store)
    model = store.path(OPUS)
    content = (model / "ctranslate2/vmap.txt").read_text(encoding="utf-8")
    assert content.count("\n") == 1
    assert content.startswith("\t")
    target = sentencepiece.SentencePieceProcessor(model_file=str(model / "hub/target.spm"))
    vocabulary = json.loads((model / "hub/vocab.json").read_text(encoding="utf-8"))
    pieces = {target.id_to_piece(index) for index in range(target.get_piece_size())}
    assert set(content.strip().split(" ")) == (pieces & vocabulary.keys()) | {"</s>"}
    assert "</s>" in content


def test_a_float16_model_with_a_prefix_is_pulled(
    hub: Hub, store: ModelStore, checkpoints: dict[str, Path]
) -> None:
    add(hub, "Helsinki-NLP/opus-mt-tc-big-gmw-gmw", checkpoints["tc-big"])
    pull(load_card(TC_BIG), store)
    weights = safetensors.torch.load_file(store.path(TC_BIG) / "hub/model.safetensors")
    assert {str(tensor.dtype) for tensor in weights.values()} == {"torch.float16"}


def test_a_model_without_the_cards_prefix_is_refused(
    hub: Hub, store: ModelStore, checkpoints: dict[str, Path]
) -> None:
    add(hub, "Helsinki-NLP/opus-mt-tc-big-gmw-gmw", checkpoints["bin"])
    with pytest.raises(PullError, match=">>eng<<"):
        pull(load_card(TC_BIG), store)
    assert_nothing_half_made(store, TC_BIG)


def test_bart_with_old_configuration_keys_is_pulled(
    hub: Hub, store: ModelStore, checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    old = shutil.copytree(checkpoints["bart"], tmp_path / "old")
    config = json.loads((old / "config.json").read_text())
    del config["normalize_before"]
    (old / "config.json").write_text(json.dumps(config))
    add(hub, "sshleifer/distilbart-cnn-12-6", old)
    pull(load_card(BART), store)
    assert {"config.json", "merges.txt", "vocab.json", "pytorch_model.bin"} <= set(hub.fetched())
    assert not set(CLUTTER) & set(hub.fetched())
    model = store.path(BART)
    assert json.loads((model / "hub/config.json").read_text())["num_beams"] == 4
    assert not (model / "ctranslate2/vmap.txt").exists()
    assert smoke_test(model, load_card(BART)) < SMOKE_TOLERANCE


def test_a_marian_of_2020_that_calls_itself_bart_is_pulled(
    store: ModelStore, checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    old = shutil.copytree(checkpoints["bin"], tmp_path / "old")
    config = json.loads((old / "config.json").read_text())
    (old / "config.json").write_text(json.dumps(config | {"model_type": "bart"}))
    pull(load_card(OPUS), store, source=old)
    assert json.loads((store.path(OPUS) / "hub/config.json").read_text())["model_type"] == "marian"


def test_a_directory_is_pulled_without_a_hub(
    store: ModelStore, checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    manifest = pull(load_card(OPUS), store, source=checkpoints["safetensors"])
    assert (manifest.commit, manifest.revision) == ("local", "local")
    store.verify(OPUS)
    assert names(store.models_dir / ".partial") <= {f"{OPUS}.lock"}


def test_a_broken_download_leaves_no_model_and_the_next_pull_goes_on(
    hub: Hub, store: ModelStore, checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The client keeps whole chunks, of 10 MB by default; these weights are far smaller.
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 65_536)
    hub.break_after = (checkpoints["bin"] / "pytorch_model.bin").stat().st_size - 1000
    with pytest.raises(PullError, match="broke off") as caught:
        pull(load_card(OPUS), store)
    assert "again" in caught.value.detail
    assert "\n" not in caught.value.detail
    assert_nothing_half_made(store)

    hub.heal()
    pull(load_card(OPUS), store)
    store.verify(OPUS)
    assert hub.fetched() == ["pytorch_model.bin"]
    ranges = [call.headers["Range"] for call in hub.calls if "Range" in call.headers]
    assert ranges
    assert all(
        wanted.startswith("bytes=") and not wanted.startswith("bytes=0-") for wanted in ranges
    )


def test_a_damaged_download_is_refused_and_fetched_anew(hub: Hub, store: ModelStore) -> None:
    hub.spoil = True
    with pytest.raises(PullError, match="arrived damaged"):
        pull(load_card(OPUS), store)
    assert_nothing_half_made(store)
    hub.heal()
    pull(load_card(OPUS), store)


@pytest.mark.parametrize("page", [b"<h1>Log in first</h1>", b"<p>" * 100_000])
def test_a_page_in_place_of_a_file_does_not_spoil_the_next_pull(
    hub: Hub, store: ModelStore, page: bytes
) -> None:
    hub.page = page
    with pytest.raises(PullError, match=r"config\.json .* arrived damaged") as caught:
        pull(load_card(OPUS), store)
    assert "\n" not in caught.value.detail
    assert_nothing_half_made(store)
    hub.heal()
    pull(load_card(OPUS), store)
    store.verify(OPUS)


@pytest.mark.parametrize("size", [-1, 10**15, "many", 1.5])
def test_a_size_that_can_not_be_is_refused(hub: Hub, store: ModelStore, size: object) -> None:
    hub.size = size
    with pytest.raises(PullError, match="no possible size for"):
        pull(load_card(OPUS), store)
    assert hub.fetched() == []


def test_a_file_that_the_hub_does_not_give_is_said_with_its_status(
    hub: Hub, store: ModelStore
) -> None:
    hub.fail = 500
    with pytest.raises(PullError, match=r"config\.json .* broke off \(.* answered 500\)") as caught:
        pull(load_card(OPUS), store)
    assert "\n" not in caught.value.detail
    assert_nothing_half_made(store)


def test_a_failed_pull_keeps_the_installed_version(
    hub: Hub, store: ModelStore, checkpoints: dict[str, Path]
) -> None:
    first = pull(load_card(OPUS), store)
    hub.break_after = 50_000
    with pytest.raises(PullError):
        pull(load_card(OPUS), store, revision="refs/pr/2")
    assert store.manifest(OPUS) == first
    store.verify(OPUS)

    hub.heal()
    second = pull(load_card(OPUS), store, revision="refs/pr/2")
    assert store.manifest(OPUS) == second != first
    store.verify(OPUS)
    assert names(store.models_dir) == {OPUS, ".partial"}
    assert names(store.models_dir / ".partial") <= {f"{OPUS}.lock"}

    hub.heal()
    assert pull(load_card(OPUS), store, revision="refs/pr/2") == second
    assert hub.fetched() == []

    (store.path(OPUS) / "ctranslate2/model.bin").write_bytes(b"damaged")
    pull(load_card(OPUS), store, revision="refs/pr/2")
    store.verify(OPUS)


def test_a_full_disk_while_fetching_leaves_nothing(hub: Hub, store: ModelStore) -> None:
    commit = hub.repositories["Helsinki-NLP/opus-mt-nl-en"].refs["main"]
    staging = store.models_dir / ".partial" / f"{OPUS}-{commit[:12]}" / "hub"
    staging.mkdir(parents=True)
    (staging / "pytorch_model.bin.incomplete").symlink_to("/dev/full")
    with pytest.raises(PullError, match=r"disk .* is full"):
        pull(load_card(OPUS), store)
    assert_nothing_half_made(store)
    assert not staging.exists()


@pytest.fixture
def small_disk(tmp_path: Path, checkpoints: dict[str, Path]) -> Iterator[Path]:
    """A disk that the checkpoint just fits on."""
    size = sum(path.stat().st_size for path in checkpoints["safetensors"].iterdir()) // 1024 + 80
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount") or "mount"
    if subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", disk], check=False
    ).returncode:
        pytest.skip("may not mount a file system")
    yield disk
    subprocess.run([shutil.which("umount") or "umount", disk], check=True)


def test_a_full_disk_while_converting_leaves_nothing(
    small_disk: Path, checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    store = ModelStore(small_disk / "models", tmp_path / "bundled")
    lines: list[str] = []
    with pytest.raises(PullError, match=r"disk .* is full"):
        pull(load_card(OPUS), store, source=checkpoints["safetensors"], progress=lines.append)
    assert "converting" in lines[-1]
    assert_nothing_half_made(store)
    assert names(store.models_dir / ".partial") <= {f"{OPUS}.lock"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"architectures": ["T5ForConditionalGeneration"]}, "T5ForConditionalGeneration"),
        (
            {"architectures": ["BartForConditionalGeneration"], "model_type": "bart"},
            "BartForConditionalGeneration",
        ),
        ({"architectures": None}, "architecture None"),
        ({"model_type": "t5"}, "model type t5"),
        ({"auto_map": {"AutoModel": "evil.Model"}}, "auto_map"),
        ({"_attn_implementation_internal": "evil/kernel"}, "_attn_implementation_internal"),
    ],
)
def test_a_configuration_of_another_kind_is_refused_before_the_weights_come(
    hub: Hub,
    store: ModelStore,
    checkpoints: dict[str, Path],
    tmp_path: Path,
    change: dict[str, object],
    reason: str,
) -> None:
    other = shutil.copytree(checkpoints["bin"], tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | change))
    add(hub, "Helsinki-NLP/opus-mt-nl-en", other)
    with pytest.raises(PullError, match=reason):
        pull(load_card(OPUS), store)
    assert hub.fetched() == ["config.json"]
    assert_nothing_half_made(store)


def change_weights(checkpoint: Path, target: Path, how: str) -> Path:
    shutil.copytree(checkpoint, target)
    weights = safetensors.torch.load_file(target / "model.safetensors")
    if how == "missing":
        del weights["model.decoder.layers.0.fc1.weight"]
    elif how == "shape":
        weights["model.decoder.layers.0.fc1.weight"] = weights["model.decoder.layers.0.fc1.weight"][
            :5
        ].clone()
    elif how == "pad":
        weights["model.shared.weight"][-1] = 1.0
    elif how == "nan":
        weights["model.decoder.layers.0.fc1.weight"][:] = float("nan")
    safetensors.torch.save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    if how == "truncated":
        content = (target / "model.safetensors").read_bytes()
        (target / "model.safetensors").write_bytes(content[:1000])
    return target


@pytest.mark.parametrize("how", ["missing", "shape", "pad", "nan", "truncated"])
def test_broken_weights_are_refused(
    store: ModelStore, checkpoints: dict[str, Path], tmp_path: Path, how: str
) -> None:
    broken = change_weights(checkpoints["safetensors"], tmp_path / "broken", how)
    with pytest.raises(PullError) as caught:
        pull(load_card(OPUS), store, source=broken)
    assert "\n" not in caught.value.detail
    assert_nothing_half_made(store)


def test_a_pickle_that_runs_code_is_refused(
    store: ModelStore, checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    import torch

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return Path.touch, (tmp_path / "owned",)

    evil = shutil.copytree(checkpoints["bin"], tmp_path / "evil")
    torch.save({"model.shared.weight": Evil()}, evil / "pytorch_model.bin")
    with pytest.raises(PullError, match="can't be loaded"):
        pull(load_card(OPUS), store, source=evil)
    assert not (tmp_path / "owned").exists()


def test_the_smoke_test_sees_swapped_embeddings(
    store: ModelStore, checkpoints: dict[str, Path]
) -> None:
    pull(load_card(OPUS), store, source=checkpoints["safetensors"])
    model = store.path(OPUS)
    assert smoke_test(model, load_card(OPUS)) < SMOKE_TOLERANCE / 5
    weights = safetensors.torch.load_file(model / "hub/model.safetensors")
    weights["model.shared.weight"][:-1] = weights["model.shared.weight"][:-1].roll(1, 0)
    safetensors.torch.save_file(weights, model / "hub/model.safetensors", metadata={"format": "pt"})
    assert smoke_test(model, load_card(OPUS)) > SMOKE_TOLERANCE


@pytest.mark.parametrize(
    "missing", ["config.json", "source.spm", "vocab.json", "pytorch_model.bin"]
)
def test_an_incomplete_repository_is_refused(
    hub: Hub, store: ModelStore, checkpoints: dict[str, Path], tmp_path: Path, missing: str
) -> None:
    part = shutil.copytree(checkpoints["bin"], tmp_path / "part")
    (part / missing).unlink()
    add(hub, "Helsinki-NLP/opus-mt-nl-en", part)
    with pytest.raises(PullError, match=missing):
        pull(load_card(OPUS), store)
    with pytest.raises(PullError, match=missing):
        pull(load_card(OPUS), store, source=part)
    assert hub.fetched() == []


def test_without_a_hub_one_line_says_what_to_do(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(PullError) as caught:
        pull(load_card(OPUS), store)
    for advice in ("HF_ENDPOINT", f"kortom models pull {OPUS} --from DIRECTORY", "--profile demo"):
        assert advice in caught.value.detail
    assert "\n" not in caught.value.detail
    assert_nothing_half_made(store)


def test_what_the_hub_refuses_is_said_in_one_line(
    hub: Hub, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PullError, match="no revision v9"):
        pull(load_card(OPUS), store, revision="v9")
    with pytest.raises(PullError, match="no repository"):
        pull(load_card(TC_BIG), store)
    hub.repositories["Helsinki-NLP/opus-mt-nl-en"].gated = True
    with pytest.raises(PullError, match=r"gated.*HF_TOKEN"):
        pull(load_card(OPUS), store)
    hub.answer = 503
    with pytest.raises(PullError, match="503"):
        pull(load_card(OPUS), store)
    hub.answer = 200
    with pytest.raises(PullError, match="not answer as a hub"):
        pull(load_card(OPUS), store)
    monkeypatch.setenv("HF_ENDPOINT", "http://[")
    with pytest.raises(PullError, match="no hub at"):
        pull(load_card(OPUS), store)
    assert_nothing_half_made(store)


def test_a_token_goes_to_the_hub_and_to_no_other_host(
    hub: Hub, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repositories["Helsinki-NLP/opus-mt-nl-en"].gated = True
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    pull(load_card(OPUS), store)
    cdn = [call for call in hub.calls if call.path.startswith("/cdn/")]
    assert cdn
    assert all("Authorization" not in call.headers for call in cdn)


def test_a_commit_that_is_a_path_is_refused(
    hub: Hub, store: ModelStore, checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    repository = hub.repositories["Helsinki-NLP/opus-mt-nl-en"]
    repository.commits["../../x"] = repository.commits[repository.refs["main"]]
    repository.refs["main"] = "../../x"
    with pytest.raises(PullError, match="names no commit"):
        pull(load_card(OPUS), store)
    assert hub.fetched() == []


@pytest.mark.parametrize("name", ["extractive", "demo-nl-en"])
def test_what_is_part_of_the_package_is_not_pulled(store: ModelStore, name: str) -> None:
    with pytest.raises(PullError, match="nothing to pull"):
        pull(load_card(name), store)


def test_two_pulls_of_one_model_do_not_meet(
    store: ModelStore, checkpoints: dict[str, Path]
) -> None:
    import filelock

    (store.models_dir / ".partial").mkdir(parents=True)
    with (
        filelock.FileLock(store.models_dir / ".partial" / f"{OPUS}.lock"),
        pytest.raises(PullError, match="another process"),
    ):
        pull(load_card(OPUS), store, source=checkpoints["bin"])


def test_a_failed_exchange_puts_the_old_version_back(
    store: ModelStore, checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pull(load_card(OPUS), store, source=checkpoints["safetensors"])
    rename = Path.rename

    def refuse(source: Path, target: Path) -> Path:
        if source.name == f"{OPUS}-local":
            raise PermissionError(13, "Permission denied")
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(PullError, match="Permission denied"):
        pull(load_card(OPUS), store, source=checkpoints["bin"])
    assert store.manifest(OPUS) == first
    store.verify(OPUS)


def test_the_commands(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KORTOM_MODELS_DIR", str(tmp_path / "models"))
    parser = argparse.ArgumentParser()
    commands.add_parser(parser.add_subparsers())

    def run(*arguments: str) -> str:
        parsed = parser.parse_args(["models", *arguments])
        assert parsed.run(parsed) == 0
        return capsys.readouterr().out

    before = run("list")
    assert run("pull", OPUS) == ""
    after = run("list")
    commit = hub.repositories["Helsinki-NLP/opus-mt-nl-en"].refs["main"]
    assert commit[:12] not in before
    assert commit[:12] in after
    assert run("path", OPUS) == f"{tmp_path / 'models' / OPUS}\n"
    assert f"{OPUS}: ok" in run("verify").splitlines()
    assert run("verify", OPUS) == f"{OPUS}: ok\n"
    assert "Helsinki-NLP/opus-mt-nl-en at main" in run("show", OPUS)
    (tmp_path / "models" / OPUS).rename(tmp_path / "models" / "ours")
    assert run("verify", "ours") == "ours: ok\n"  # without a card
    other = tmp_path / "elsewhere"
    assert f"{OPUS}: ok" not in run("verify", "--models-dir", str(other)).splitlines()
