"""What can be wrong with a database that answers."""

import sqlalchemy as sa

from service.storage import revisions
from service.storage.database import Database
from service.storage.tables import NOBODY

# Of a job that is being deleted, a part of the articles is gone.
_MISCOUNTED = f"""
SELECT count(*) FROM job JOIN (
  SELECT job.id AS id, count(a.position) AS articles,
    sum(CASE WHEN a.state = 'done' THEN 1 ELSE 0 END) AS done,
    sum(CASE WHEN a.state = 'failed' THEN 1 ELSE 0 END) AS failed,
    sum(CASE WHEN a.state IN ('queued', 'running') THEN 1 ELSE 0 END) AS unended
  FROM job LEFT JOIN job_article AS a ON a.job_id = job.id GROUP BY job.id
) AS counted ON counted.id = job.id
WHERE job.owner <> '{NOBODY}' AND (
  job.articles <> counted.articles OR job.done <> counted.done OR job.failed <> counted.failed
  OR (job.ended_at IS NULL) <> (counted.unended > 0)
)
"""  # noqa: S608 - a constant
_UNHELD = """
SELECT count(*) FROM job_article AS a
WHERE (a.state = 'running') <> (a.lease_id IS NOT NULL)
  OR a.lease_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM lease WHERE lease.id = a.lease_id)
"""


def check_database(database: Database) -> dict[str, str | None]:
    """Look at everything, which takes a while for a large database; servers may go on working.

    Returns:
        What was looked at, and what is wrong with it; ``None`` where nothing is.

    Raises:
        DatabaseError: another program keeps its tables there.
        StorageUnavailable: see :meth:`Database.reading`.
    """
    with database.reading() as connection:
        found = {"schema": _schema(connection)}
        if database.is_sqlite:
            found |= {"file": _file(connection)}
        if found["schema"] is None:
            found |= {"jobs": _jobs(connection)}
        return found


def _schema(connection: sa.Connection) -> str | None:
    revision = revisions.current(connection)
    if revision is None:
        return "there is none; kortom database upgrade makes it"
    if revision < revisions.newest():
        return f"revision {revision} is older than this program; kortom database upgrade"
    return None


def _file(connection: sa.Connection) -> str | None:
    (found,) = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalars()
    if found != "ok":
        return "its pages are damaged; restore a backup"
    if connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
        return "rows refer to rows that are not there; restore a backup"
    return None


def _jobs(connection: sa.Connection) -> str | None:
    if miscounted := connection.exec_driver_sql(_MISCOUNTED).scalar():
        return f"{miscounted} count their articles wrongly"
    if unheld := connection.exec_driver_sql(_UNHELD).scalar():
        return f"{unheld} articles are under way in no server's hands"
    return None
