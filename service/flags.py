"""Settings as flags of the ``kortom`` command: ``--max-body-bytes`` is ``max_body_bytes``."""

import argparse
from collections.abc import Iterable

from pydantic import SecretStr

from service import logs
from service.settings import Settings, load_settings

PIPELINE_SETTINGS = (
    "profile", "models_dir", "cards_dir", "engine", "device", "beam_size", "glossary",
    "inter_threads", "intra_threads", "max_article_characters", "log_level",
)  # fmt: skip
"""What a command may ask of the models that it runs itself."""


def add_settings(parser: argparse.ArgumentParser, names: Iterable[str]) -> None:
    """Add a flag for each of the settings ``names``; see :func:`read_settings`."""
    group = parser.add_argument_group("settings")
    for name in names:
        field = Settings.model_fields[name]
        default = field.get_default(call_default_factory=True)
        if isinstance(default, SecretStr):  # what is in the code is none
            default = default.get_secret_value()
        shown = "" if default is None else f" [{default}]"
        group.add_argument(
            f"--{name.replace('_', '-')}",
            dest=f"setting_{name}",
            metavar="VALUE",
            default=argparse.SUPPRESS,
            help=f"{field.description}{shown}".replace("%", "%%"),
        )


def read_settings(options: argparse.Namespace, *, json_log: bool = False) -> Settings:
    """The settings in force, flags first; the log goes to standard error from now on.

    Args:
        options: parsed arguments of a command with :func:`add_settings`.
        json_log: whether the log is for machines, see :func:`service.logs.configure`.

    Raises:
        InvalidSettings: see :func:`service.settings.load_settings`.
    """
    flags = {
        key.removeprefix("setting_"): value
        for key, value in vars(options).items()
        if key.startswith("setting_")
    }
    settings = load_settings(**flags)
    logs.configure(settings.log_level, json_lines=json_log)
    return settings
