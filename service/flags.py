"""What the commands of ``kortom`` share: settings as flags (``--max-body-bytes`` is
``max_body_bytes``), numbers within limits, and tables."""

import argparse
from collections.abc import Callable, Iterable, Sequence

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
        if isinstance(default, bool):
            default = str(default).lower()
        shown = "" if default in (None, ()) else f" [{default}]"
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


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """The ``type`` of a flag that takes a whole number from ``least`` to ``most``."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"not a number from {least} to {most}")
        return number

    return read


def format_columns(rows: Sequence[Sequence[str]]) -> str:
    """The rows, of which the first is the head, as lines with their cells one under the other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
