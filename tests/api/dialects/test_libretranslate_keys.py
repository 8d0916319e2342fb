"""LibreTranslate's clients with a key of Kortom's, where they put it, and with a wrong one."""

from typing import TYPE_CHECKING
from urllib.error import HTTPError

import pytest
from deep_translator import LibreTranslator
from deep_translator.exceptions import AuthorizationException
from libretranslate_aio import LibreTranslate, LibreTranslateError
from libretranslatepy import LibreTranslateAPI

from service.keys.store import KeyStore
from service.settings import Settings

if TYPE_CHECKING:
    from loopback import Client

WANTED = {"q": "Dag.", "source": "nl", "target": "en"}


@pytest.fixture(scope="module")
def small(with_keys: Settings) -> Settings:
    return with_keys


@pytest.fixture
def url(kortom: "Client") -> str:
    return f"http://127.0.0.1:{kortom.port}/"


def test_a_form_may_hold_the_key(url: str, keys: KeyStore) -> None:
    _, text = keys.create("form")
    client = LibreTranslateAPI(url, api_key=text)
    assert client.translate("Dag.", "nl", "en") == "DAG."
    assert client.detect("Dat schrijven de leiders in een verklaring.")[0]["language"] == "nl"
    with LibreTranslate(url, api_key=text) as other:
        assert other.translate("Dag.", "nl", "en").translated_text == "DAG."


def test_a_json_object_or_a_header_may_hold_the_key(kortom: "Client", keys: KeyStore) -> None:
    _, text = keys.create("json")
    assert kortom.post("/translate", {**WANTED, "api_key": text}).status == 200
    assert kortom.post("/translate", WANTED, {"Authorization": f"Bearer {text}"}).status == 200
    both = {"Authorization": "Bearer wrong"}
    assert kortom.post("/translate", {**WANTED, "api_key": text}, both).status == 403


@pytest.mark.parametrize("key", [None, "wrong", "kortom_000000000000_" + "A" * 43])
def test_a_wrong_key_is_refused_as_libretranslate_refuses_it(url: str, key: str | None) -> None:
    client = LibreTranslateAPI(url, api_key=key)
    assert client.languages()[1]["code"] == "nl"
    for call in (lambda: client.translate("Dag.", "nl", "en"), lambda: client.detect("Dag.")):
        with pytest.raises(HTTPError) as caught:
            call()
        with caught.value as answer:
            assert answer.code == 403
            assert answer.read() == b'{"error": "Invalid API key"}'
    with LibreTranslate(url, api_key=key) as other, pytest.raises(LibreTranslateError):
        other.translate("Dag.", "nl", "en")


@pytest.mark.parametrize("key", [7, None, [], {"a": 1}, "é", "\ud800", ["a", "b"]])
def test_odd_keys(kortom: "Client", key: object) -> None:
    reply = kortom.post("/translate", {**WANTED, "api_key": key})
    assert (reply.status, reply.json()) == (403, {"error": "Invalid API key"})


def test_a_key_in_the_address_is_none(url: str, kortom: "Client", keys: KeyStore) -> None:
    """There it would stand in the log of every proxy on the way."""
    _, text = keys.create("address")
    client = LibreTranslator(source="auto", target="en", api_key=text, custom_url=url)
    with pytest.raises(AuthorizationException):
        client.translate("Dag.")
    body = {**WANTED, "api_key": text}
    assert kortom.post(f"/translate?api_key={text}", body).status == 403


def test_a_file_is_fetched_by_its_secret_name_alone(kortom: "Client", keys: KeyStore) -> None:
    _, text = keys.create("file", characters_per_day=4)
    parts = {"source": "nl", "target": "en", "api_key": text}
    head = "".join(
        f'--grens\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in parts.items()
    )
    body = (
        f'{head}--grens\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
        "Dag.\r\n--grens--\r\n"
    ).encode()
    request = kortom.request(
        "POST", "/translate_file", body, {"Content-Type": "multipart/form-data; boundary=grens"}
    )
    made = kortom.send(request)
    assert made.status == 200
    path = "/" + made.json()["translatedFileUrl"].split("/", 3)[3]
    assert kortom.get(path).body == b"DAG."
    refused = kortom.send(request)
    assert refused.status == 429
    assert "a day" in refused.json()["error"]
