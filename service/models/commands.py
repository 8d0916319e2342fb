"""``kortom models list | show NAME | pull NAME | verify [NAME] | path NAME``."""

import argparse
import sys
from pathlib import Path

from service.errors import ModelCorrupt, ModelNotInstalled
from service.flags import add_settings, format_columns, read_settings
from service.models.card import ModelCard, load_card, load_cards
from service.models.profiles import PROFILES
from service.models.store import WITHOUT_FILES, ModelStore


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command ``models``; each of its commands sets ``run``, a function of the parsed
    arguments that returns the exit code and raises ServiceError."""
    parser = subparsers.add_parser(
        "models", help="list, fetch and check models", description="Models of Kortom."
    )
    common = argparse.ArgumentParser(add_help=False)
    add_settings(common, ("models_dir", "cards_dir"))
    commands = parser.add_subparsers(dest="models_command", required=True, metavar="COMMAND")

    command = commands.add_parser(
        "list", parents=[common], help="the models Kortom knows and which are installed"
    )
    command.set_defaults(run=_list)

    command = commands.add_parser("show", parents=[common], help="a model's card")
    command.add_argument("name", metavar="NAME")
    command.set_defaults(run=_show)

    command = commands.add_parser(
        "pull", parents=[common], help="fetch, convert and install a model"
    )
    command.add_argument("name", metavar="NAME")
    origin = command.add_mutually_exclusive_group()
    origin.add_argument(
        "--revision", metavar="REV", help="branch, tag, ref or commit instead of the card's"
    )
    origin.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="DIRECTORY",
        help="take the files from a directory, not the hub",
    )
    command.set_defaults(run=_pull)

    command = commands.add_parser(
        "verify", parents=[common], help="check the files of installed models"
    )
    command.add_argument(
        "name", metavar="NAME", nargs="?", help="one model; all installed ones unless given"
    )
    command.set_defaults(run=_verify)

    command = commands.add_parser("path", parents=[common], help="print a model's directory")
    command.add_argument("name", metavar="NAME")
    command.set_defaults(run=_path)


def _list(arguments: argparse.Namespace) -> int:
    settings = read_settings(arguments)
    store = ModelStore(settings.models_dir)
    installed = set(store.installed())
    rows = [("NAME", "TASK", "LICENCE", "PROFILES", "INSTALLED")]
    for card in load_cards(settings.cards_dir).values():
        state = _state(store, card, card.name in installed)
        rows.append((card.name, card.task, card.license, _profiles(card.name), state))
    print(format_columns(rows))
    return 0


def _show(arguments: argparse.Namespace) -> int:
    settings = read_settings(arguments)
    card = load_card(arguments.name, settings.cards_dir)
    store = ModelStore(settings.models_dir)
    origin = f"{card.repository} at {card.revision}" if card.repository else "part of Kortom"
    facts = {
        "name": card.name,
        "task": card.task,
        "language": ", ".join(card.language),
        "licence": card.license,
        "repository": origin,
        "profiles": _profiles(card.name),
        "installed": _state(store, card, card.name in store.installed()),
    }
    if card.architecture != "extractive":
        facts["beam size"] = str(card.decoding.beam_size)
    for key, value in facts.items():
        print(f"{key + ':':12} {value}")
    print()
    print(card.text)
    return 0


def _pull(arguments: argparse.Namespace) -> int:
    from service.models.pull import pull

    settings = read_settings(arguments)
    store = ModelStore(settings.models_dir)
    pull(
        load_card(arguments.name, settings.cards_dir),
        store,
        arguments.revision,
        arguments.source,
        progress=_progress,
    )
    _progress(f"{arguments.name}: installed in {store.path(arguments.name)}")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    settings = read_settings(arguments)
    store = ModelStore(settings.models_dir)
    installed = store.installed()
    if arguments.name and arguments.name not in installed:
        load_card(arguments.name, settings.cards_dir)  # a name that is none is told as such
    for name in [arguments.name] if arguments.name else installed:
        store.verify(name)
        print(f"{name}: ok")
    return 0


def _path(arguments: argparse.Namespace) -> int:
    print(ModelStore(read_settings(arguments).models_dir).path(arguments.name))
    return 0


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _profiles(name: str) -> str:
    """The profiles that serve the model, for people."""
    serving = [
        profile
        for profile, models in PROFILES.items()
        if name in (models.translation, models.summarization)
    ]
    return ", ".join(serving) or "-"


def _state(store: ModelStore, card: ModelCard, installed: bool) -> str:
    if not installed:
        return "no"
    if card.name in WITHOUT_FILES:
        return "part of Kortom"
    try:
        where = store.path(card.name)
    except ModelNotInstalled:  # removed since it was listed
        return "no"
    if where.parent == store.bundled_dir:
        return "part of Kortom"
    try:
        return f"yes ({store.manifest(card.name).commit[:12]})"
    except ModelCorrupt:
        return "damaged"
