"""What callers choose is a value to the database, never a part of a statement."""

import json

import pytest

from service.errors import NotFound, Unauthorized
from service.jobs.records import NewArticle
from service.jobs.store import JobStore
from service.keys.store import KeyStore
from service.storage.checks import check_database
from service.storage.database import Database

HOSTILE = [
    "' OR '1'='1",
    "x'; DROP TABLE job; --",
    '") UNION SELECT * FROM api_key --',
    "%",
    "_",
    "\\'",
    ":owner",
    "%(owner)s",
    "?",
    "${x}{0}",
]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_of_a_caller_is_no_sql(database: Database, value: str) -> None:
    store = JobStore(database, max_queued_articles=20, retention_seconds=3_600)
    keys = KeyStore(database)
    theirs = [NewArticle("1", "{}")]
    others, _ = store.submit("other", theirs, fingerprint="same", idempotency_key="key")

    assert store.jobs(value, 10) == []
    with pytest.raises(NotFound):
        store.job(value, others.id)
    with pytest.raises(NotFound):
        store.job("other", value)
    with pytest.raises(NotFound):
        store.cancel(value, others.id)
    for key in (value, f"kortom_{value}_{value}"):
        with pytest.raises(Unauthorized):
            keys.authenticate(key)

    article = NewArticle(value, json.dumps({"text": value}))
    job, _ = store.submit(value, [article], fingerprint=value, idempotency_key=value)
    again, _ = store.submit(value, [article], fingerprint=value, idempotency_key=value)
    assert again.id == job.id != others.id
    lease = store.open_lease()
    texts = set()
    while claim := store.claim(lease, suspect=False):
        texts.add(claim.request)
        assert store.finish(claim, answer=json.dumps(value))
    store.close_lease(lease)
    assert texts == {"{}", article.request}
    assert [(row.id, row.article) for _, row in store.results(value, job.id)] == [
        (value, json.dumps(value))
    ]
    assert set(check_database(database).values()) == {None}
