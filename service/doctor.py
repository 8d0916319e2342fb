"""``kortom doctor``: whether this machine and these settings let the server do its work.

Every check is one line: ``ok``, ``warn`` (it works, not as well as it could) or ``FAIL`` (something
that the settings promise does not work), with what is the matter and what to do. No data is
changed, and a running server is not disturbed.
"""

import json
import math
import os
import resource
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from service.errors import ServiceError, StartupError, one_line
from service.jobs.webhooks import load_receiver
from service.keys.store import Key, KeyStore
from service.machine import RESERVED_FILES, memory_limit_bytes, parallel_batches, usable_cores
from service.models.card import load_card
from service.models.profiles import PROFILES
from service.models.store import WITHOUT_FILES, Engine, ModelStore
from service.settings import Settings
from service.storage import revisions
from service.storage.database import Database, connect, needed_directory, opening
from service.translation.glossary import load_glossary

PROGRAM_BYTES = 400_000_000
"""Resident memory of the server beside its weights; docs/performance.md: 457 MB with 80 MB."""
BATCH_BYTES = 50_000_000
"""Room for one batch in one engine."""
PULL_BYTES = 4_000_000_000
"""What the largest model of the profiles needs on disk while it is fetched and converted."""
ANSWER_FACTOR = 10
"""Articles and then answers: a job needs several times the bytes of its body."""
LEAST_LEASE_SECONDS = 5.0
"""A busy disk or a paused virtual machine holds a process up for a second or two."""
EXPIRY_DAYS = 14
"""How long before its end a key is mentioned."""

_MAY_CREATE = "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)"
"""Only the owner of a database may, unless others are allowed to:
https://www.postgresql.org/docs/current/ddl-schemas.html#DDL-SCHEMAS-PATTERNS."""

EXIT_OK = 0
EXIT_FAILED = 1


class Status(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes:
        check: what was looked at.
        status: how it came out.
        detail: what is so and, where it should not be, what to do; no secret.
    """

    check: str
    status: Status
    detail: str


Statements = Iterator[tuple[Status, str]]


def run(settings: Settings, *, as_json: bool) -> int:
    """Print the report on standard output.

    Args:
        settings: see :func:`examine`.
        as_json: one JSON array instead of lines for people.

    Returns:
        The exit code: 1 when a check failed, else 0.
    """
    findings = []
    for finding in examine(settings):
        findings.append(finding)
        if not as_json:
            print(f"{finding.status:<4}  {finding.check:<8}  {finding.detail}", flush=True)
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    failed = any(finding.status is Status.FAIL for finding in findings)
    return EXIT_FAILED if failed else EXIT_OK


def examine(settings: Settings) -> Iterator[Finding]:
    """All checks, one after the other.

    Args:
        settings: those that the server has or would have.
    """
    for name, check in CHECKS.items():
        said: dict[Status, list[str]] = {status: [] for status in Status}
        try:
            for status, line in check(settings):
                said[status].append(line)
        except ServiceError as error:
            said[Status.FAIL].append(error.detail)
        except OSError as error:
            said[Status.FAIL].append(f"{error.filename}: {error.strerror or one_line(error)}")
        worst = next(s for s in (Status.FAIL, Status.WARN, Status.OK) if said[s])
        troubles = said[Status.FAIL] + said[Status.WARN]
        yield Finding(name, worst, "; ".join(troubles or said[Status.OK]))


def _models(settings: Settings) -> Statements:
    for name in _served(settings):
        try:
            load_card(name, settings.cards_dir)
            _store(settings).verify(name, _engine(settings))
        except StartupError as error:
            yield Status.FAIL, error.detail
        else:
            if name not in WITHOUT_FILES:
                yield Status.OK, f"{name} is installed, its files are those of its manifest"
    if settings.glossary:
        terms = load_glossary(settings.glossary).terms
        yield Status.OK, f"the glossary {settings.glossary} has {len(terms)} terms"


def _database(settings: Settings) -> Statements:
    if not _keeps_records(settings):
        yield Status.OK, "not used: KORTOM_JOBS is off and no keys are required"
        return
    with closing(_connect(settings)) as database:
        file = Path(database.name) if database.is_sqlite else None
        if file is None or file.exists():
            with opening(database):
                yield from _content(database)
        elif (needed := needed_directory(file)) and not needed.is_dir():
            yield Status.FAIL, f"{file} can't be made: there is no directory {needed}"
        elif os.access(_existing(file), os.W_OK | os.X_OK):
            yield Status.OK, f"{file} is made when the server starts"
        else:
            yield Status.FAIL, f"{file} can't be made: {_existing(file)} is not writable"


def _content(database: Database) -> Statements:
    with database.reading() as connection:
        sound = not database.is_sqlite or (
            connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one() == "ok"
        )
        revision = revisions.current(connection) if sound else None
        may_create = database.is_sqlite or connection.exec_driver_sql(_MAY_CREATE).scalar_one()
    if not sound:
        yield Status.FAIL, f"{database.name} is damaged: stop the server and restore a backup"
        return
    if revision is None:
        if may_create:
            yield Status.OK, f"{database.name} is empty: its tables are made when the server starts"
        else:
            yield Status.FAIL, f"{database.name} is empty, and its user may not make tables there"
        return
    database.check()
    if revision < revisions.newest():
        yield (
            Status.WARN,
            f"{database.name} has schema {revision}, older than this program's "
            f"{revisions.newest()}: back it up before the server starts and upgrades it",
        )
    elif revision > revisions.newest():
        yield (
            Status.WARN,
            f"{database.name} has schema {revision}, newer than this program's "
            f"{revisions.newest()}: it works, but belongs to a newer program",
        )
    else:
        yield Status.OK, f"{database.name} is sound and can be written, schema {revision}"


def _disk(settings: Settings) -> Statements:
    free = shutil.disk_usage(_existing(settings.models_dir)).free
    line = f"{_size(free)} free for models"
    if free < PULL_BYTES and set(_served(settings)) - set(_store(settings).installed()):
        yield Status.WARN, f"{line} in {settings.models_dir}: too little to pull a large one"
    else:
        yield Status.OK, line
    if not _keeps_records(settings):
        return
    with closing(_connect(settings)) as database:
        if not database.is_sqlite:
            return
        free = shutil.disk_usage(_existing(Path(database.name))).free
    line = f"{_size(free)} free for the database"
    if free < settings.max_job_bytes:
        yield Status.FAIL, f"{line}, less than one job of KORTOM_MAX_JOB_BYTES: make room"
    elif free < ANSWER_FACTOR * settings.max_job_bytes:
        yield Status.WARN, f"{line}: a few jobs of KORTOM_MAX_JOB_BYTES fill it; make room"
    else:
        yield Status.OK, line


def _threads(settings: Settings) -> Statements:
    if settings.device == "cuda":
        yield Status.OK, "the models run on a CUDA device"
        return
    cores = usable_cores()
    batches = parallel_batches(settings.inter_threads, settings.intra_threads, "cpu")
    threads = batches * settings.intra_threads
    line = f"{threads} threads for each model ({batches} x {settings.intra_threads}), {cores} cores"
    if threads > cores:
        yield (
            Status.WARN,
            f"{line}: they hold each other up; unset KORTOM_INTER_THREADS, or make its product "
            f"with KORTOM_INTRA_THREADS {cores} at most",
        )
    else:
        yield Status.OK, line


def _memory(settings: Settings) -> Statements:
    store = _store(settings)
    kind = ".safetensors" if _engine(settings) == "torch" else ".bin"
    installed = (set(_served(settings)) & set(store.installed())) - WITHOUT_FILES
    least = PROGRAM_BYTES + sum(
        file.size
        for name in installed
        for path, file in store.manifest(name).files.items()
        if path.endswith(kind)
    )
    batches = parallel_batches(settings.inter_threads, settings.intra_threads, "cpu")
    wanted = least + batches * len(installed) * BATCH_BYTES
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    allowed = min(memory_limit_bytes(), machine)
    line = f"{_size(allowed)} allowed, some {_size(wanted)} needed by the models installed"
    if allowed < least:
        yield Status.FAIL, f"{line}: allow more, or serve a smaller profile"
    elif allowed < wanted:
        yield Status.WARN, f"{line} under load: allow more, or lower KORTOM_INTER_THREADS"
    else:
        yield Status.OK, line


def _limits(settings: Settings) -> Statements:
    if settings.max_body_bytes < settings.max_article_characters:
        yield (
            Status.FAIL,
            "KORTOM_MAX_BODY_BYTES has no room for an article of KORTOM_MAX_ARTICLE_CHARACTERS",
        )
    if settings.max_queued_tokens < settings.max_article_characters // 4:
        yield (
            Status.WARN,
            "KORTOM_MAX_QUEUED_TOKENS is less than a quarter of KORTOM_MAX_ARTICLE_CHARACTERS: "
            "the longest articles are taken only while nothing else is worked on",
        )
    if settings.jobs and settings.max_job_bytes < settings.max_body_bytes:
        yield (
            Status.FAIL,
            "KORTOM_MAX_JOB_BYTES is less than KORTOM_MAX_BODY_BYTES: an article that is taken "
            "alone is refused in a job",
        )
    if settings.jobs and settings.max_queued_articles < settings.max_job_articles:
        yield (
            Status.FAIL,
            "KORTOM_MAX_QUEUED_ARTICLES is less than KORTOM_MAX_JOB_ARTICLES: the largest jobs "
            "are always refused",
        )
    if settings.jobs and settings.lease_seconds < LEAST_LEASE_SECONDS:
        yield (
            Status.WARN,
            f"KORTOM_LEASE_SECONDS is less than {LEAST_LEASE_SECONDS:g}: a server that stalls for "
            "a moment is taken for dead, and its articles are done again",
        )
    wanted = settings.max_queued_requests + RESERVED_FILES
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if files != resource.RLIM_INFINITY and files < wanted:
        yield Status.WARN, f"{files} open files allowed, {wanted} wanted: raise `ulimit -Hn`"
    yield Status.OK, "they fit together"


def _keys(settings: Settings) -> Statements:
    address = f"{settings.host} port {settings.port}"
    if not settings.keys_required:
        if not settings.model_copy(update={"require_keys": None}).keys_required:
            yield Status.OK, f"not required: only this machine reaches {address}"
        else:
            yield (
                Status.WARN,
                f"not required: everybody who reaches {address} may use it; unset "
                "KORTOM_REQUIRE_KEYS unless a proxy in front asks who they are",
            )
        return
    now = time.time()
    usable = [key for key in _stored_keys(settings) if key.is_usable(now)]
    if not usable:
        yield Status.FAIL, f"{address} asks for a key and there is none: `kortom keys create NAME`"
        return
    for key in usable:
        if key.expires_at is not None and key.expires_at < now + EXPIRY_DAYS * 86_400:
            hours = math.ceil((key.expires_at - now) / 3_600)
            yield Status.WARN, f"the key {key.name} expires within {hours} hours: create another"
    yield Status.OK, f"{len(usable)} usable key{'' if len(usable) == 1 else 's'} for {address}"


def _webhook(settings: Settings) -> Statements:
    receiver = load_receiver(settings)
    if receiver is None:
        yield Status.OK, "none"
        return
    yield Status.OK, f"goes to {receiver.host}, signed"
    if not settings.jobs:
        yield Status.WARN, "KORTOM_JOBS is off: there is nothing to send"


CHECKS: dict[str, Callable[[Settings], Statements]] = {
    "models": _models,
    "database": _database,
    "disk": _disk,
    "threads": _threads,
    "memory": _memory,
    "limits": _limits,
    "keys": _keys,
    "webhook": _webhook,
}
"""What is looked at, in this order."""


def _served(settings: Settings) -> list[str]:
    profile = PROFILES[settings.profile]
    return [profile.translation, profile.summarization]


def _engine(settings: Settings) -> Engine:
    return "torch" if settings.engine == "torch" else "ctranslate2"


def _store(settings: Settings) -> ModelStore:
    return ModelStore(settings.models_dir)


def _connect(settings: Settings) -> Database:
    return connect(settings.database_url.get_secret_value())


def _existing(path: Path) -> Path:
    """The first of a path and the directories around it that there is."""
    return next(place for place in (path, *path.parents) if place.exists())


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB"


def _keeps_records(settings: Settings) -> bool:
    return settings.jobs or settings.keys_required


def _stored_keys(settings: Settings) -> list[Key]:
    with closing(_connect(settings)) as database:
        if database.is_sqlite and not Path(database.name).exists():
            return []
        with database.reading() as connection:
            if revisions.current(connection) is None:
                return []
        return KeyStore(database).keys()
