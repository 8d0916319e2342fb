"""``kortom keys create NAME | list | revoke NAME``."""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from service.flags import add_settings, format_columns, read_settings, whole_number

if TYPE_CHECKING:
    from service.keys.store import Key, KeyStore

MAX_CHARACTERS = 1_000_000_000
MAX_DAYS = 36_500


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command ``keys``; each of its commands sets ``run``, a function of the parsed
    arguments that returns the exit code and raises ServiceError."""
    parser = subparsers.add_parser(
        "keys", help="make, list and revoke keys", description="Keys of those who may ask."
    )
    common = argparse.ArgumentParser(add_help=False)
    add_settings(common, ("database_url",))
    commands = parser.add_subparsers(dest="keys_command", required=True, metavar="COMMAND")

    command = commands.add_parser(
        "create", parents=[common], help="make a key and print it, this once"
    )
    command.add_argument("name", metavar="NAME", help="letters, digits, points, dashes")
    for period in ("minute", "day"):
        command.add_argument(
            f"--characters-per-{period}",
            type=whole_number(1, MAX_CHARACTERS),
            metavar="N",
            help=f"most characters in a {period}; no limit unless given",
        )
    command.add_argument(
        "--expires-days",
        type=whole_number(1, MAX_DAYS),
        metavar="N",
        help="days until it is refused; never unless given",
    )
    command.set_defaults(run=_create)

    command = commands.add_parser("list", parents=[common], help="all keys, without their secrets")
    command.add_argument("--json", action="store_true", help="print them as JSON")
    command.set_defaults(run=_list)

    command = commands.add_parser("revoke", parents=[common], help="refuse a key from now on")
    command.add_argument("key", metavar="NAME|ID")
    command.set_defaults(run=_revoke)


@contextmanager
def _store(arguments: argparse.Namespace) -> "Iterator[KeyStore]":
    # Imported here: SQLAlchemy costs the other commands a part of a second.
    from service.keys.store import KeyStore
    from service.storage.database import open_database

    database = open_database(read_settings(arguments).database_url.get_secret_value())
    try:
        yield KeyStore(database)
    finally:
        database.close()


def _create(arguments: argparse.Namespace) -> int:
    with _store(arguments) as store:
        key, text = store.create(
            arguments.name,
            characters_per_minute=arguments.characters_per_minute,
            characters_per_day=arguments.characters_per_day,
            expires_days=arguments.expires_days,
        )
    print(text)
    print(
        f"This is the key {key.name} (id {key.id}). It is not shown again. "
        "Send it as Authorization: Bearer KEY.",
        file=sys.stderr,
    )
    return 0


def _list(arguments: argparse.Namespace) -> int:
    with _store(arguments) as store:
        keys = store.keys()
    now = time.time()
    if arguments.json:
        print(json.dumps([_facts(key, now) for key in keys], indent=2))
        return 0
    rows = [
        ("ID", "NAME", "PER MINUTE", "PER DAY", "CREATED", "EXPIRES", "STATE"),
        *(tuple(str(fact or "-") for fact in _facts(key, now).values()) for key in keys),
    ]
    print(format_columns(rows))
    return 0


def _revoke(arguments: argparse.Namespace) -> int:
    with _store(arguments) as store:
        key = store.revoke(arguments.key)
    print(f"{key.name} (id {key.id}) is refused since {_time(key.revoked_at)}", file=sys.stderr)
    return 0


def _facts(key: "Key", now: float) -> dict[str, str | int | None]:
    state = "usable" if key.is_usable(now) else "expired" if key.revoked_at is None else "revoked"
    return {
        "id": key.id,
        "name": key.name,
        "characters_per_minute": key.characters_per_minute,
        "characters_per_day": key.characters_per_day,
        "created_at": _time(key.created_at),
        "expires_at": _time(key.expires_at),
        "state": state,
    }


def _time(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
