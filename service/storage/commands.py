"""``kortom database check | upgrade | downgrade REVISION | backup FILE``."""

import argparse
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from service.errors import DatabaseError, one_line
from service.flags import add_settings, read_settings

if TYPE_CHECKING:
    from service.storage.database import Database


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command ``database``; each of its commands sets ``run``, a function of the parsed
    arguments that returns the exit code and raises ServiceError."""
    parser = subparsers.add_parser(
        "database",
        help="check, migrate and back up the database",
        description="The database of jobs and keys. Servers migrate it themselves when they start.",
    )
    common = argparse.ArgumentParser(add_help=False)
    add_settings(common, ("database_url",))
    commands = parser.add_subparsers(dest="database_command", required=True, metavar="COMMAND")

    command = commands.add_parser(
        "check", parents=[common], help="say whether it is whole; exit code 1 when it is not"
    )
    command.set_defaults(run=_check)

    command = commands.add_parser(
        "upgrade", parents=[common], help="bring its schema up to date; make it if there is none"
    )
    command.set_defaults(run=_upgrade)

    command = commands.add_parser(
        "downgrade", parents=[common], help="bring its schema back to an older revision"
    )
    command.add_argument(
        "revision",
        metavar="REVISION",
        help="four digits; what came later is deleted with its data. base: everything is deleted",
    )
    command.set_defaults(run=_downgrade)

    command = commands.add_parser(
        "backup", parents=[common], help="copy an SQLite database, also while servers use it"
    )
    command.add_argument("file", type=Path, metavar="FILE", help="a new file")
    command.set_defaults(run=_backup)


@contextmanager
def _database(arguments: argparse.Namespace, *, there: bool = True) -> "Iterator[Database]":
    """The database of the settings; with ``there``, one that is not made now.

    Raises:
        DatabaseError: there is none, it can't be used, or see
            :func:`service.storage.database.connect`.
    """
    # Imported here: SQLAlchemy and Alembic cost the other commands a part of a second.
    from service.storage.database import connect, opening

    database = connect(read_settings(arguments).database_url.get_secret_value())
    if there and database.is_sqlite and not Path(database.name).exists():
        raise DatabaseError(f"database {database.name}: there is no such file")
    with closing(database), opening(database):
        yield database


def _check(arguments: argparse.Namespace) -> int:
    from service.storage.checks import check_database

    with _database(arguments) as database:
        found = check_database(database)
    for name, fault in found.items():
        print(f"{name}: {fault or 'ok'}")
    return 1 if any(found.values()) else 0


def _upgrade(arguments: argparse.Namespace) -> int:
    from service.storage import revisions
    from service.storage.database import migration

    with _database(arguments, there=False) as database, migration(database) as connection:
        revisions.upgrade(connection)
        revision = revisions.current(connection)
    print(f"schema: revision {revision}")
    return 0


def _downgrade(arguments: argparse.Namespace) -> int:
    from service.storage import revisions
    from service.storage.database import migration

    with _database(arguments) as database, migration(database) as connection:
        revisions.downgrade(connection, arguments.revision)
    print(f"schema: revision {arguments.revision}")
    return 0


def _backup(arguments: argparse.Namespace) -> int:
    with _database(arguments) as database:
        if not database.is_sqlite:
            raise DatabaseError(
                "PostgreSQL is backed up with its own program: "
                "pg_dump --format=custom --file=FILE postgresql://USER@HOST/NAME"
            )
        _copy(Path(database.name), arguments.file)
    print(f"{arguments.file}: ok")
    return 0


def _copy(source: Path, target: Path) -> None:
    """Copy an SQLite database as it is at this moment; the whole copy or none.

    Raises:
        DatabaseError: it can't be copied, or the copy is not whole.
    """
    if target.exists():
        raise DatabaseError(f"{target}: this file exists")
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.touch(mode=0o600, exist_ok=False)
        with closing(sqlite3.connect(source)) as connection:
            connection.execute("VACUUM INTO ?", (str(part),))
        with closing(sqlite3.connect(part)) as copy:
            (found,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
        if found != "ok":
            raise DatabaseError("its pages are damaged")
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.rename(target)
    except sqlite3.Error as error:
        raise DatabaseError(one_line(error)) from None
    except OSError as error:
        raise DatabaseError(f"{target}: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
