"""Keys in a database: shown once, looked up, refused from the moment on that they are revoked."""

import hmac
import re
from typing import Any

import pytest
import sqlalchemy as sa
from fake_clock import MIDNIGHT, FakeClock

from service.errors import InvalidRequest, NotFound, Unauthorized
from service.keys.store import KeyStore
from service.storage.database import Database


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(database: Database, clock: FakeClock) -> KeyStore:
    return KeyStore(database, clock=clock)


def test_a_key_opens_and_its_database_does_not_hold_it(store: KeyStore, database: Database) -> None:
    key, text = store.create("redactie", characters_per_minute=100, characters_per_day=1_000)
    assert re.fullmatch(rf"kortom_{key.id}_[\w-]{{43}}", text)
    assert store.authenticate(text) == key
    assert store.keys() == [key]
    with database.reading() as connection:
        row = str(connection.execute(sa.text("select * from api_key")).one())
    assert text not in row
    assert text.split("_", 2)[2] not in row


def test_keys_are_not_alike(store: KeyStore) -> None:
    texts = {store.create(f"key-{number}")[1] for number in range(20)}
    assert len({text[20:] for text in texts}) == len(texts)


def test_whatever_is_wrong_with_a_key_the_answer_is_the_same(
    store: KeyStore, clock: FakeClock
) -> None:
    _, text = store.create("a")
    revoked, revoked_text = store.create("b")
    store.revoke(revoked.id)
    _, expired_text = store.create("c", expires_days=1)
    clock.now += 86_400
    wrong = text[:-1] + ("A" if text[-1] != "A" else "B")
    unknown = text.replace(text[7:19], "0" * 12)
    strange = ["", "kortom_", "é" * 63, text + " ", text.upper(), "kortom_" + "0" * 1_000_000]
    errors = set()
    for bad in [None, wrong, unknown, revoked_text, expired_text, *strange]:
        with pytest.raises(Unauthorized) as caught:
            store.authenticate(bad)
        error = caught.value
        errors.add((error.detail, error.code, str(error.headers)))
    assert len(errors) == 1
    assert "Bearer" in errors.pop()[2]
    assert store.authenticate(text)


def test_an_unknown_id_is_compared_as_a_wrong_secret_is(
    store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, text = store.create("a")
    compared: list[tuple[str, str]] = []
    compare = hmac.compare_digest

    def watched(given: Any, expected: Any) -> bool:
        compared.append((given, expected))
        return compare(given, expected)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    for bad in (text[:-2] + "xx", text.replace(text[7:19], "0" * 12)):
        with pytest.raises(Unauthorized):
            store.authenticate(bad)
    assert [(len(given), len(expected)) for given, expected in compared] == [(64, 64)] * 2


def test_a_key_is_revoked_at_once_and_for_good(store: KeyStore, clock: FakeClock) -> None:
    key, text = store.create("a")
    assert store.any_usable()
    assert store.revoke("a").revoked_at == MIDNIGHT
    clock.now += 1
    assert store.revoke(key.id).revoked_at == MIDNIGHT
    assert not store.any_usable()
    with pytest.raises(Unauthorized):
        store.authenticate(text)
    with pytest.raises(NotFound):
        store.revoke("b")


def test_a_key_expires_to_the_second(store: KeyStore, clock: FakeClock) -> None:
    _, text = store.create("a", expires_days=1)
    clock.now += 86_400 - 1
    assert store.authenticate(text)
    clock.now += 1
    assert not store.any_usable()
    with pytest.raises(Unauthorized):
        store.authenticate(text)


@pytest.mark.parametrize("name", ["", "a b", "é", "a\n", "x" * 65, "0123456789ab"])
def test_names_that_could_be_misread_are_refused(store: KeyStore, name: str) -> None:
    with pytest.raises(InvalidRequest):
        store.create(name)


def test_a_name_has_one_key(store: KeyStore) -> None:
    store.create("a")
    store.revoke("a")
    with pytest.raises(InvalidRequest, match="already"):
        store.create("a")
