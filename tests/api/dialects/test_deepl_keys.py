"""DeepL's own client with a key of Kortom's, with a wrong one and with one that is used up."""

from contextlib import closing
from typing import TYPE_CHECKING

import deepl
import pytest
from gated_engine import GatedEngine

from service.api.dialects import deepl_documents
from service.keys.store import KeyStore
from service.settings import Settings

if TYPE_CHECKING:
    from loopback import Client


@pytest.fixture(scope="module")
def small(with_keys: Settings) -> Settings:
    return with_keys


def client_of(kortom: "Client", key: str) -> deepl.DeepLClient:
    return deepl.DeepLClient(key, server_url=f"http://127.0.0.1:{kortom.port}")


def test_a_key_translates_and_learns_what_it_has_used(kortom: "Client", keys: KeyStore) -> None:
    _, text = keys.create("good", characters_per_day=1_000)
    with closing(client_of(kortom, text)) as client:
        result = client.translate_text("Dag.", target_lang="EN-GB")
        assert not isinstance(result, list)
        assert result.text == "DAG."
        usage = client.get_usage()
    assert (usage.character.count, usage.character.limit) == (4, 1_000)


def test_a_key_without_a_limit_is_told_of_a_large_one(kortom: "Client", keys: KeyStore) -> None:
    _, text = keys.create("unlimited")
    with closing(client_of(kortom, text)) as client:
        usage = client.get_usage()
    assert usage.character.count == 0
    assert usage.character.limit is not None
    assert usage.character.limit > 10**9


def test_a_wrong_key_is_refused_as_deepl_refuses_it(kortom: "Client") -> None:
    with (
        closing(client_of(kortom, "a-key-of-deepl")) as client,
        pytest.raises(deepl.AuthorizationException),
    ):
        client.translate_text("Dag.", target_lang="EN-GB")
    reply = kortom.post("/v2/translate", {"text": ["Dag."], "target_lang": "EN-GB"})
    assert reply.status == 403
    assert set(reply.json()) == {"message"}
    assert reply.headers["x-trace-id"]


def test_a_key_is_not_taken_from_the_address_or_the_form(kortom: "Client", keys: KeyStore) -> None:
    _, text = keys.create("elsewhere")
    body = {"text": ["Dag."], "target_lang": "EN-GB", "auth_key": text}
    assert kortom.post("/v2/translate", body).status == 403
    assert kortom.get(f"/v2/usage?auth_key={text}").status == 403


def test_a_day_that_is_used_up_is_deepls_quota(kortom: "Client", keys: KeyStore) -> None:
    _, text = keys.create("small", characters_per_day=6)
    with closing(client_of(kortom, text)) as client:
        client.translate_text("Dag.", target_lang="EN-GB")
        with pytest.raises(deepl.QuotaExceededException):
            client.translate_text("Dag.", target_lang="EN-GB")
        with pytest.raises(deepl.QuotaExceededException):
            client.translate_document_upload(b"Dag.", target_lang="EN-GB", filename="brief.txt")
        usage = client.get_usage()
    assert usage.character.count == 4


def test_a_minute_that_is_used_up_is_one_to_wait_for(kortom: "Client", keys: KeyStore) -> None:
    _, text = keys.create("slow", characters_per_minute=6)
    header = {"Authorization": f"DeepL-Auth-Key {text}"}
    body = {"text": ["Dag."], "target_lang": "EN-GB"}
    replies = [kortom.post("/v2/translate", body, header) for _ in range(3)]
    refused = next(reply for reply in replies if reply.status != 200)
    assert refused.status == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert set(refused.json()) == {"message"}


def test_a_document_costs_its_text_and_is_given_back_when_it_fails(
    kortom: "Client", keys: KeyStore, engine: GatedEngine
) -> None:
    _, text = keys.create("documents", characters_per_day=1_000)
    with closing(client_of(kortom, text)) as client:
        handle = client.translate_document_upload(
            b"Dag.", target_lang="EN-GB", filename="brief.txt"
        )
        assert client.translate_document_wait_until_done(handle).done
        assert client.get_usage().character.count == 4
        engine.error = RuntimeError("the model failed")
        handle = client.translate_document_upload(
            b"Dag. Dag.", target_lang="EN-GB", filename="brief.txt"
        )
        assert not client.translate_document_wait_until_done(handle).ok
        assert client.get_usage().character.count == 4


def test_one_key_does_not_take_the_room_of_all_documents(
    kortom: "Client", keys: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deepl_documents, "MAX_DOCUMENTS", 12)
    part = b"--grens\r\nContent-Disposition: form-data; name="
    body = (
        part + b'"target_lang"\r\n\r\nEN-GB\r\n'
        + part + b'"file"; filename="a.txt"\r\n\r\nDag.\r\n--grens--\r\n'
    )  # fmt: skip

    def send(key: str) -> int:
        headers = {
            "Authorization": f"DeepL-Auth-Key {key}",
            "Content-Type": "multipart/form-data; boundary=grens",
        }
        return kortom.send(kortom.request("POST", "/v2/document", body, headers)).status

    (_, greedy), (_, modest) = keys.create("greedy"), keys.create("modest")
    assert [send(greedy) for _ in range(4)] == [200, 200, 200, 503]
    assert send(modest) == 200
    monkeypatch.setattr(deepl_documents, "MAX_BYTES", 30)
    assert send(modest) == 503
    monkeypatch.setattr(deepl_documents, "MAX_BYTES", 60)
    assert send(modest) == 200
