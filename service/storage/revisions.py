"""The schema's revisions: which one a database has, and the way from one to another.

A revision is a number of four digits. Revisions only add (see :mod:`service.storage.tables`), so
an older schema is upgraded and a newer one is used as it is: after an upgrade that went wrong,
the program before it starts again on the same database.
"""

import re
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from service.errors import DatabaseError

MIGRATIONS = Path(__file__).parent / "migrations"


def newest() -> str:
    """The newest revision that this program knows."""
    head = ScriptDirectory(MIGRATIONS).get_current_head()
    assert head is not None  # noqa: S101 - the first revision is part of the package
    return head


def current(connection: sa.Connection) -> str | None:
    """The revision of a database; ``None`` of an empty one.

    Raises:
        DatabaseError: another program keeps its tables there.
    """
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision is not None and not re.fullmatch(r"\d{4}", revision):
        raise DatabaseError("the database belongs to another program (table alembic_version)")
    return revision


def upgrade(connection: sa.Connection) -> None:
    """Bring an older schema to the newest revision, in the transaction of ``connection``.

    Raises:
        DatabaseError: see :func:`current`.
    """
    revision = current(connection)
    if revision is None or revision < newest():
        command.upgrade(_config(connection), "head")


def downgrade(connection: sa.Connection, revision: str) -> None:
    """Remove what came after ``revision``, data included, in the transaction of ``connection``.

    Args:
        connection: to the database.
        revision: one that this program knows, or ``base`` to remove everything.

    Raises:
        DatabaseError: this program does not know the way: the schema is newer than it, older than
            ``revision``, or there is no such revision.
    """
    known = {script.revision for script in ScriptDirectory(MIGRATIONS).walk_revisions()}
    now = current(connection)
    if revision != "base" and revision not in known:
        raise DatabaseError(f"there is no revision {revision!r}; known: {', '.join(sorted(known))}")
    if now is None or (revision != "base" and now < revision):
        raise DatabaseError(f"the schema has revision {now or 'none'}: nothing to remove")
    if now not in known:
        raise DatabaseError(
            f"the schema has revision {now}, which is newer than this program: use the program "
            "that made it"
        )
    command.downgrade(_config(connection), revision)


def _config(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
