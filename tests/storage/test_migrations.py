"""The schema: every way between revisions leads to the tables that the program thinks it has."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from postgresql import PostgreSQL

from service.errors import DatabaseError
from service.storage import revisions
from service.storage.checks import check_database
from service.storage.database import Database, migration, open_database
from service.storage.tables import metadata


def tables(database: Database) -> set[str]:
    with database.reading() as connection:
        return set(sa.inspect(connection).get_table_names())


def indexes(database: Database) -> set[tuple[str, str]]:
    with database.reading() as connection:
        inspector = sa.inspect(connection)
        return {
            (name, str(index["name"]))
            for name in metadata.tables
            for index in inspector.get_indexes(name)
            if not index.get("duplicates_constraint")
        }


def set_revision(database: Database, revision: str) -> None:
    with database.transaction() as connection:
        connection.execute(
            sa.text("UPDATE alembic_version SET version_num = :it"), {"it": revision}
        )


def test_the_migrations_make_the_tables_of_the_program(database: Database) -> None:
    with database.reading() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata) == []
    assert indexes(database) == {
        (table.name, str(index.name)) for table in metadata.tables.values()
        for index in table.indexes
    }  # fmt: skip
    assert revisions.newest() == "0003"


def test_down_and_up_again_leads_to_the_same_schema(database: Database) -> None:
    with database.transaction() as connection:
        connection.exec_driver_sql("INSERT INTO lease VALUES ('a', 1, 'b')")
    for revision, gone in (("0002", "webhook_delivery"), ("0001", "api_key"), ("base", "job")):
        with migration(database) as connection:
            revisions.downgrade(connection, revision)
        assert gone not in tables(database)
        if revision != "base":
            with database.reading() as connection:
                assert connection.exec_driver_sql("SELECT id FROM lease").scalar() == "a"
    assert tables(database) == {"alembic_version"}
    with migration(database) as connection:
        revisions.upgrade(connection)
    test_the_migrations_make_the_tables_of_the_program(database)


def test_an_older_schema_is_upgraded_when_it_is_opened(database_url: str) -> None:
    with closing(open_database(database_url)) as database:
        with migration(database) as connection:
            revisions.downgrade(connection, "0001")
        assert check_database(database)["schema"] == (
            "revision 0001 is older than this program; kortom database upgrade"
        )
    with closing(open_database(database_url)) as database:
        assert set(metadata.tables) < tables(database)


def test_a_newer_schema_is_used_as_it_is(database_url: str) -> None:
    with closing(open_database(database_url)) as database:
        set_revision(database, "0099")
    with closing(open_database(database_url)) as database:
        database.check()
        assert set(check_database(database).values()) == {None}
        with (
            pytest.raises(DatabaseError, match="0099, which is newer"),
            migration(database) as connection,
        ):
            revisions.downgrade(connection, "0001")


def test_a_database_of_another_program_is_left_alone(database_url: str) -> None:
    with closing(open_database(database_url)) as database:
        set_revision(database, "3fa4b1c2d3e4")
    with pytest.raises(DatabaseError, match="belongs to another program"):
        open_database(database_url)


@pytest.mark.parametrize(
    ("revision", "says"),
    [("0042", "no revision '0042'; known: 0001, 0002, 0003"), ("0003", "nothing to remove")],
)
def test_a_way_back_that_there_is_not_is_named(tmp_path: Path, revision: str, says: str) -> None:
    with closing(open_database(f"sqlite:///{tmp_path / 'k.db'}")) as database:
        with migration(database) as connection:
            revisions.downgrade(connection, "0002")
        with pytest.raises(DatabaseError, match=says), migration(database) as connection:
            revisions.downgrade(connection, revision)


START = """
import sys
from service.storage.database import open_database
print("ready", flush=True)
sys.stdin.readline()
database = open_database(sys.argv[1])
database.check()
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_servers_that_start_at_once_on_an_empty_database_share_it(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'kortom.db'}"
    if kind == "postgresql":
        server: PostgreSQL = request.getfixturevalue("postgresql")
        url = server.create(migrated=False)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", START, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, trouble = process.communicate(timeout=60)
        assert (process.returncode, trouble) == (0, "")
    with closing(open_database(url)) as database:
        assert set(check_database(database).values()) == {None}
