"""Settings: one frozen class; flags win over the environment, the environment over defaults."""

import os
import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

from platformdirs import user_cache_path, user_data_path
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretStr,
    ValidationError,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

from service.errors import InvalidSettings, one_line

ENVIRONMENT_PREFIX = "KORTOM_"
HIDDEN = "**********"
"""What is shown of a secret, as pydantic shows it."""
SECRETS_DIRECTORY = "KORTOM_SECRETS_DIR"
"""Names in the environment a directory in which a setting can stand in a file of the name of its
variable, in small letters: ``kortom_database_url``. So do systemd (``%d``), Docker
(``/run/secrets``) and Kubernetes hand secrets over: in no list of processes, and in no environment
that a child process inherits."""


def _absolute(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except RuntimeError:
        raise ValueError("names a home directory that there is not") from None


def _existing(path: Path) -> Path:
    if not path.is_dir():
        raise ValueError("is not a directory")
    if not os.access(path, os.R_OK | os.X_OK):
        raise ValueError("can't be read")
    return path


def _words(given: Any) -> Any:
    return given.split() if isinstance(given, str) else given


Directory = Annotated[Path, AfterValidator(_absolute)]
Origin = Annotated[str, Field(pattern=r"^https?://[a-z0-9.:\[\]-]+$")]
"""Exactly as browsers write it: neither ``*`` nor ``null``, no path, no capitals."""
Origins = Annotated[
    tuple[Origin, ...],
    NoDecode,
    BeforeValidator(_words),
    PlainSerializer(" ".join, return_type=str),
]


class Settings(BaseSettings):
    """What an operator can set: ``KORTOM_NAME`` in the environment, ``--name`` on a command."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX,
        frozen=True,
        extra="forbid",
        env_ignore_empty=True,
        use_attribute_docstrings=True,
    )

    profile: Literal["standard", "light", "quality", "demo"] = "standard"
    """Which models to serve; the README lists them."""
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    """Address to listen on."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """Port to listen on; 0 takes a free one."""
    models_dir: Directory = Field(default_factory=lambda: user_cache_path("kortom") / "models")
    """Directory of pulled models."""
    cards_dir: Annotated[Directory, AfterValidator(_existing)] | None = None
    """Directory of model cards of your own, looked at before the shipped ones."""
    engine: Literal["ctranslate2", "torch", "ray"] = "ctranslate2"
    """Engine of the models: ctranslate2 (fast), torch (the reference), ray (ctranslate2 in Ray)."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the models run; auto takes a CUDA device when there is one."""
    beam_size: Annotated[int, Field(ge=1, le=6)] | None = None
    """Beams per sentence, 1 to 6; unset takes the card's."""
    repair: bool = True
    """Whether sentences that fail a check are translated again, at most a quarter of an article."""
    glossary: Annotated[str, Field(min_length=1)] | None = None
    """Terms that hold in every answer: dutch-news (shipped) or the path of a JSON object file."""
    inter_threads: Annotated[int, Field(ge=1, le=256)] | None = None
    """Batches at the same time; unset takes the usable cores by intra_threads, or 1 on CUDA."""
    intra_threads: Annotated[int, Field(ge=1, le=256)] = 1
    """Threads inside one batch; inter x intra should not exceed the cores."""
    engine_timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 120.0
    """An engine that takes longer for one batch hangs: its requests fail and /livez is red."""
    max_article_characters: Annotated[int, Field(ge=1, le=10_000_000)] = 200_000
    """Longest article or text, in characters without markup; more is answered 413."""
    max_texts_per_request: Annotated[int, Field(ge=1, le=10_000)] = 256
    """Most texts in one /v1/translate request; more is answered 413."""
    max_body_bytes: Annotated[int, Field(ge=1_000, le=100_000_000)] = 2_000_000
    """Largest request body in bytes; larger is answered 413."""
    max_queued_requests: Annotated[int, Field(ge=1, le=1_000)] = 64
    """Requests worked on or waiting for it; one more is answered 503."""
    max_queued_tokens: Annotated[int, Field(ge=1_000, le=100_000_000)] = 200_000
    """Source tokens of those requests, a quarter of their characters; more is answered 503."""
    body_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0
    """Longest time a request's head, and then its body, may take to arrive; else 408."""
    drain_delay_seconds: Annotated[float, Field(ge=0, le=3600)] = 0.0
    """How long a stopping server, not ready any more, still takes requests."""
    drain_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    """How long a stopping server lets accepted requests finish."""
    libretranslate: bool = True
    """Whether to answer on LibreTranslate's paths (/translate, /languages, …) as it does."""
    deepl: bool = True
    """Whether to answer on DeepL's paths (/v2/translate, /v2/document, …) as DeepL does."""
    database_url: SecretStr = Field(
        default_factory=lambda: SecretStr(f"sqlite:///{user_data_path('kortom') / 'kortom.db'}")
    )
    """Where jobs and keys are kept: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME."""
    jobs: bool = True
    """Whether to take jobs and to work on them."""
    max_job_articles: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Most articles of one job; more is answered 413."""
    max_job_bytes: Annotated[int, Field(ge=1_000, le=1_000_000_000)] = 64_000_000
    """Largest body of POST /v1/jobs in bytes; larger is answered 413."""
    max_queued_articles: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000
    """Articles of all jobs that are not done; a job that would make them more is answered 503."""
    job_retention_hours: Annotated[float, Field(gt=0, le=87_600)] = 168.0
    """How long an ended job and its results can be read; then they are deleted."""
    lease_seconds: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """A server that says nothing for so long is taken for dead: others do its articles."""
    webhook_url: SecretStr | None = None
    """Where to POST the id of every job that ended, which may hold a token; unset: nowhere."""
    webhook_secret: SecretStr | None = None
    """Signs those messages (Standard Webhooks: whsec_…); two, with a space between, to rotate."""
    webhook_private_addresses: bool = False
    """Whether the webhook's host may be on a private network."""
    require_keys: bool | None = None
    """Whether requests need a key; unset: unless the host is a loopback address."""
    cors_origins: Origins = ()
    """Origins whose pages may ask this server, as https://a.example, with spaces between them."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe log lines to print."""

    @property
    def keys_required(self) -> bool:
        """Whether requests need a key: who reaches a loopback address is on this machine."""
        if self.require_keys is not None:
            return self.require_keys
        try:
            return not ip_address(self.host).is_loopback
        except ValueError:
            return self.host != "localhost"


def load_settings(**flags: Any) -> Settings:
    """Settings from flags, the environment, the directory of secrets, and defaults.

    Args:
        flags: values given on the command line, as strings or of the field's type.

    Raises:
        InvalidSettings: a value is not one that its setting can have; the line names it.
    """
    directory = os.environ.get(SECRETS_DIRECTORY) or None
    if directory is not None and not Path(directory).is_dir():
        raise InvalidSettings(f"{SECRETS_DIRECTORY}: {directory} is not a directory")
    try:
        return Settings(_secrets_dir=directory, **flags)
    except SettingsError as exc:
        raise InvalidSettings(one_line(exc)) from None
    except ValidationError as exc:
        first = exc.errors(include_url=False)[0]
        name = str(first["loc"][0])
        raise InvalidSettings(
            f"setting {name} (--{name.replace('_', '-')}, {ENVIRONMENT_PREFIX}{name.upper()}): "
            f"{first['msg'].removeprefix('Value error, ')}; got {str(first['input'])[:80]!r}"
        ) from None


def without_password(url: str) -> str:
    """A database's URL for people to read: all of it but what is secret.

    Args:
        url: as in ``Settings.database_url``; a password in it need not be escaped well.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return HIDDEN
    account, at, place = rest.rpartition("@")
    user, colon, _ = account.partition(":")
    if colon:
        account = f"{user}:{HIDDEN}"
    return re.sub(
        r"(?<=[?&])([^=&]*pass[^=&]*=)[^&]*", rf"\1{HIDDEN}", f"{scheme}://{account}{at}{place}"
    )
