"""Fetching a model: one snapshot from the hub or a directory, converted, tried out, installed.

All work is done in ``<models_dir>/.partial/NAME-COMMIT``; the model's own name appears by one
rename when everything is done. What a broken download fetched stays there, and the next pull goes
on from it.
"""

import errno
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Collection
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import service
from service.errors import ModelError, PullError, one_line
from service.models.card import ModelCard
from service.models.conversion import Progress, check_config, convert
from service.models.store import MANIFEST, Manifest, ModelStore, describe_files

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoSibling

SAFETENSORS, PICKLE = "model.safetensors", "pytorch_model.bin"
REQUIRED: dict[str, tuple[str, ...]] = {
    "marian": ("config.json", "source.spm", "target.spm", "vocab.json"),
    "bart": ("config.json", "merges.txt", "vocab.json"),
}
"""Files without which a checkpoint of the architecture can't be used; weights come on top."""
OPTIONAL = (
    "generation_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
)

_ENDPOINT = "https://huggingface.co"
_TIMEOUT_SECONDS = 10
_COMMIT = re.compile(r"[0-9a-f]{40}")
_COMMIT_DIGITS = 12
_MOST_BYTES = 20_000_000_000
"""Of one file: no model of this kind comes near."""


class _BrokenDownloadError(PullError):
    """What came over so far is right and worth keeping."""


def pull(
    card: ModelCard,
    store: ModelStore,
    revision: str | None = None,
    source: Path | None = None,
    progress: Progress = lambda _: None,
) -> Manifest:
    """Installs a model in ``store.models_dir``; an older version is replaced at the end, or kept.

    The hub is ``HF_ENDPOINT`` of the environment (``https://huggingface.co``), read at every call;
    ``HF_TOKEN`` is used where the hub wants one.

    Args:
        card: the model's card.
        store: where to install.
        revision: branch, tag, ref or commit; the card's unless given.
        source: a plain directory in hub layout to take the files from instead; no network is used.
        progress: called with one line before each long step.

    Returns:
        The manifest of the installed model.

    Raises:
        PullError: the hub can't be reached or refuses, the download broke off, the disk is full,
            the checkpoint is not what the card says, or the smoke test failed. Nothing half-made
            stands under the model's name.
    """
    import filelock

    if card.architecture == "extractive":
        raise PullError(f"{card.name} is part of the program: there is nothing to pull")
    if source is not None:
        revision = "local"
    elif card.repository is None:
        raise PullError(f"{card.name} is part of the package: there is nothing to pull")
    else:
        revision = revision or card.revision or "main"
    partial = store.models_dir / ".partial"
    staging = partial / card.name
    try:
        partial.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(partial / f"{card.name}.lock", timeout=0):
            if source is not None:
                commit, staging = "local", partial / f"{card.name}-local"
                _copy(card, source, staging, progress)
            else:
                commit, files = _resolve(card, revision)
                if installed := _installed(store, card, commit):
                    progress(f"{card.name}: commit {commit} is installed already")
                    return installed
                staging = partial / f"{card.name}-{commit[:_COMMIT_DIGITS]}"
                _download(card, commit, files, staging / "hub", progress)
            convert(staging, card, progress)
            progress(f"{card.name}: checksums")
            manifest = Manifest(
                repository=card.repository,
                revision=revision,
                commit=commit,
                created=datetime.now(UTC).replace(microsecond=0),
                versions={name: version(name) for name in ("ctranslate2", "torch", "transformers")}
                | {"kortom": service.__version__},
                files=describe_files(staging),
            )
            (staging / MANIFEST).write_text(
                manifest.model_dump_json(indent=2) + "\n", encoding="utf-8"
            )
            _install(staging, store.models_dir / card.name)
            _clean(partial, card.name)
    except filelock.Timeout as error:
        raise PullError(f"{card.name} is being pulled by another process") from error
    except _BrokenDownloadError:
        raise
    except Exception as error:
        # What could not be converted now can't be next time, and a full disk needs the room.
        shutil.rmtree(staging, ignore_errors=True)
        if _disk_full(error):
            raise PullError(
                f"the disk of {store.models_dir} is full: free some space or choose another "
                f"--models-dir, then run `kortom models pull {card.name}` again"
            ) from error
        if isinstance(error, OSError):
            raise PullError(
                f"{card.name} can't be installed in {store.models_dir}: {one_line(error)}"
            ) from error
        raise
    return manifest


def _resolve(card: ModelCard, revision: str) -> tuple[str, "list[RepoSibling]"]:
    """The commit that ``revision`` stands for now and the files of it that are needed."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (  # type: ignore[attr-defined]  # HTTPError: re-exported
        GatedRepoError,
        HfHubHTTPError,
        HTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    repository = card.repository or ""
    try:
        info = HfApi(endpoint=_endpoint()).model_info(
            repository, revision=revision, files_metadata=True, timeout=_TIMEOUT_SECONDS
        )
    except GatedRepoError as error:
        raise PullError(
            f"{repository} is gated: accept its terms on the hub and set HF_TOKEN"
        ) from error
    except RevisionNotFoundError as error:
        raise PullError(f"{repository} has no revision {revision}") from error
    except RepositoryNotFoundError as error:
        raise PullError(
            f"{_endpoint()} has no repository {repository}, or it is private: set HF_TOKEN"
        ) from error
    except HfHubHTTPError as error:
        raise PullError(
            f"{_endpoint()} answered {error.response.status_code}: try again later"
        ) from error
    except (HTTPError, ConnectionError) as error:
        raise PullError(
            f"no hub at {_endpoint()} ({one_line(error)}): set HF_ENDPOINT to a mirror, "
            f"run `kortom models pull {card.name} --from DIRECTORY`, or use `--profile demo`"
        ) from error
    except Exception as error:  # the page of a captive portal, an HF_ENDPOINT that is no address
        raise PullError(
            f"{_endpoint()} does not answer as a hub does: {one_line(error)}"
        ) from error
    # The commit becomes part of a path.
    if not _COMMIT.fullmatch(info.sha or ""):
        raise PullError(f"{_endpoint()} names no commit for {repository} at {revision}")
    siblings = {sibling.rfilename: sibling for sibling in info.siblings or ()}
    chosen = choose_files(card, siblings.keys(), f"{repository} at {revision}")
    files = [siblings[name] for name in chosen]
    for file in files:
        size: object = file.size  # whatever the hub wrote
        if size is not None and not (isinstance(size, int) and 0 <= size <= _MOST_BYTES):
            raise PullError(
                f"{_endpoint()} names no possible size for {file.rfilename} of {repository}"
            )
    return info.sha or "", files


def choose_files(card: ModelCard, present: Collection[str], origin: str) -> list[str]:
    """Names of the files to fetch: what torch and CTranslate2 need and nothing else.

    Args:
        card: the model's card.
        present: names of the files on offer.
        origin: where they are, for the error.

    Raises:
        PullError: a needed file is not on offer.
    """
    required = REQUIRED[card.architecture]
    weights = SAFETENSORS if SAFETENSORS in present else PICKLE
    for name in (*required, weights):
        if name not in present:
            wanted = f"{SAFETENSORS} or {PICKLE}" if name == PICKLE else name
            raise PullError(
                f"{origin} has no {wanted}: it is no checkpoint that {card.name} can be made from"
            )
    # The small files first: a wrong configuration is refused before the weights are fetched.
    return [*required, *(name for name in OPTIONAL if name in present), weights]


def _download(
    card: ModelCard, commit: str, files: "list[RepoSibling]", hub: Path, progress: Progress
) -> None:
    hub.mkdir(parents=True, exist_ok=True)
    size = sum(file.size or 0 for file in files)
    progress(
        f"{card.name}: fetching {len(files)} files, {size / 1e6:.0f} MB, "
        f"from {card.repository} at {commit}"
    )
    for file in files:
        _fetch(card, commit, file, hub / file.rfilename)
        if file.rfilename == "config.json":
            check_config(hub, card)


def _fetch(card: ModelCard, commit: str, file: "RepoSibling", target: Path) -> None:
    """One file into ``target``, from where an earlier attempt broke off.

    ``huggingface_hub.snapshot_download`` throws away what a broken download fetched (every
    attempt has a file name of its own), so its own ``http_get`` is called here: it shows the
    progress, retries, and goes on with a Range request.
    """
    from huggingface_hub import hf_hub_url
    from huggingface_hub.errors import (  # type: ignore[attr-defined]  # HTTPError: re-exported
        HfHubHTTPError,
        HTTPError,
    )
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils._headers import build_hf_headers

    # Checksums are of the file as it is on the hub, which a finished conversion may have replaced.
    if target.is_file() and _matches(target, file):
        return
    partial = target.with_name(f"{target.name}.incomplete")
    if partial.is_file() and file.size is not None and partial.stat().st_size > file.size:
        partial.unlink()
    url = hf_hub_url(card.repository or "", file.rfilename, revision=commit, endpoint=_endpoint())
    headers = build_hf_headers(library_name="kortom", library_version=service.__version__)
    try:
        with partial.open("ab") as output:
            http_get(
                url,
                output,
                resume_size=output.tell(),
                # Sizes and ranges are of the file itself, so it may not be compressed on the way.
                headers=headers | {"Accept-Encoding": "identity"},
                expected_size=file.size,
                displayed_filename=file.rfilename,
            )
        arrived = _matches(partial, file)
    except HfHubHTTPError as error:
        status = error.response.status_code
        raise _broken_off(card, file, f"{_endpoint()} answered {status}") from error
    except (HTTPError, ConnectionError, TimeoutError) as error:
        raise _broken_off(card, file, one_line(error)) from error
    except OSError as error:
        if error.errno is not None:
            raise
        arrived = False  # http_get got to the end of another number of bytes than the hub had named
    if not arrived:
        partial.unlink()
        raise _BrokenDownloadError(
            f"{file.rfilename} of {card.repository} arrived damaged (wrong size or checksum): "
            f"run `kortom models pull {card.name}` again"
        )
    partial.replace(target)


def _broken_off(card: ModelCard, file: "RepoSibling", reason: str) -> _BrokenDownloadError:
    return _BrokenDownloadError(
        f"the download of {file.rfilename} of {card.repository} broke off ({reason}): "
        f"run `kortom models pull {card.name}` again, it goes on from there"
    )


def _matches(path: Path, file: "RepoSibling") -> bool:
    """Whether the file is the hub's: by SHA-256 for large files, by git's blob id for others."""
    if file.size is not None and path.stat().st_size != file.size:
        return False
    with path.open("rb") as content:
        if file.lfs is not None:
            return hashlib.file_digest(content, "sha256").hexdigest() == file.lfs.sha256
        if file.blob_id is not None:
            data = content.read()
            blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False)
            return blob.hexdigest() == file.blob_id
    return True


def _copy(card: ModelCard, source: Path, staging: Path, progress: Progress) -> None:
    if not source.is_dir():
        raise PullError(f"--from {source}: not a directory")
    names = choose_files(
        card, {path.name for path in source.iterdir() if path.is_file()}, str(source)
    )
    progress(f"{card.name}: copying {len(names)} files from {source}")
    shutil.rmtree(staging, ignore_errors=True)
    (staging / "hub").mkdir(parents=True)
    for name in names:
        shutil.copyfile(source / name, staging / "hub" / name)
        if name == "config.json":
            check_config(staging / "hub", card)


def _installed(store: ModelStore, card: ModelCard, commit: str) -> Manifest | None:
    """The manifest of exactly this commit, when it is installed in ``models_dir`` and whole."""
    try:
        manifest = store.manifest(card.name)
        store.verify(card.name)
    except ModelError:
        return None
    pulled = store.path(card.name).parent == store.models_dir
    same = (manifest.repository, manifest.commit) == (card.repository, commit)
    return manifest if pulled and same else None


def _install(staging: Path, final: Path) -> None:
    """Puts ``staging`` in the place of ``final``, which is put back if that fails."""
    aside = staging.parent / f"{final.name}-old-{uuid.uuid4().hex}"
    replaces = final.exists()
    if replaces:
        final.rename(aside)
    try:
        staging.rename(final)
    except OSError:
        if replaces:
            aside.rename(final)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _clean(partial: Path, name: str) -> None:
    """Removes what earlier pulls of ``name`` left: other commits, and versions put aside."""
    for path in partial.glob(f"{name}-*"):
        suffix = path.name.removeprefix(f"{name}-").removeprefix("old-")
        if suffix == "local" or set(suffix) <= set("0123456789abcdef"):
            shutil.rmtree(path, ignore_errors=True)


def _endpoint() -> str:
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or _ENDPOINT


def _disk_full(error: BaseException) -> bool:
    # safetensors writes in Rust, CTranslate2 partly in C++: their errors carry the text alone.
    codes = (errno.ENOSPC, errno.EDQUOT)
    return getattr(error, "errno", None) in codes or os.strerror(errno.ENOSPC) in str(error)
