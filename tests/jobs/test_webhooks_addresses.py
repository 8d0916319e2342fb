"""Webhooks: where nothing is ever sent, and settings that are refused before the server starts."""

import base64
import ipaddress
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpcore2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from webhook_receiver import WebhookReceiver, webhook_receiver
from webhook_sending import SECRET, Sender, ended_job, make_due, webhook_settings

from service.errors import InvalidSettings
from service.jobs.permitted_network import is_public
from service.jobs.webhooks import load_receiver
from service.storage.database import Database, open_database

PUBLIC_ADDRESS = "93.184.215.14"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(open_database(f"sqlite:///{tmp_path / 'kortom.db'}")) as opened:
        yield opened


@pytest.fixture
def listener() -> Iterator[WebhookReceiver]:
    with webhook_receiver() as listening:
        yield listening


# Where nothing is ever sent.


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.0", "255.255.255.255", "224.0.0.1", "198.18.0.1", "192.0.2.1",  # noqa: S104
        "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "2002:7f00:1::", "fe80::1%2",
        "192.0.0.192", "::ffff:192.0.0.192", "2002:c000:c0::", "3fff::1", "fec0::1",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["93.184.215.14", "2606:4700::1111", "::ffff:93.184.215.14", "64:ff9b::5db8:d70e"],
)
def test_an_address_that_is_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_an_ipv6_one_is_as_public_as_itself(
    address: ipaddress.IPv4Address,
) -> None:
    number = int(address)
    for prefix, shift in ("::ffff:0:0", 0), ("64:ff9b::", 0), ("2002::", 80):
        inside = ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) | number << shift)
        assert is_public(str(inside)) == is_public(str(address))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]"])
def test_without_leave_no_private_address_is_connected_to(
    database: Database, host: str, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        ended_job(database)
        assert Sender(database, f"https://{host}:{port}/", private=False).send() == "failed"
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.accept()
    assert "AddressNotAllowed" in caplog.text


class FakeResolver:
    """Answers one list of addresses after the other, and counts the questions."""

    def __init__(self, *answers: list[str]) -> None:
        self.questions = 0
        self._answers = answers

    def __call__(self, _: str, port: int, *__: Any, **___: Any) -> list[Any]:
        answer = self._answers[min(self.questions, len(self._answers) - 1)]
        self.questions += 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in answer]


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a fake network was asked to connect to; it never does."""
    asked: list[str] = []

    async def fake_connect(_: Any, host: str, *__: Any, **___: Any) -> Any:
        asked.append(host)
        raise httpcore2.ConnectError

    monkeypatch.setattr(httpcore2.AnyIOBackend, "connect_tcp", fake_connect)
    return asked


def test_a_name_that_changes_its_address_is_looked_up_once_per_attempt(
    database: Database, dialled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver = FakeResolver([PUBLIC_ADDRESS], ["127.0.0.1"])
    monkeypatch.setattr("socket.getaddrinfo", resolver)
    ended_job(database)
    sender = Sender(database, "https://rebinding.example/", private=False)
    assert sender.send() == "failed"
    assert (resolver.questions, dialled) == (1, [PUBLIC_ADDRESS])
    make_due(database)
    assert sender.send() == "failed"
    assert (resolver.questions, dialled) == (2, [PUBLIC_ADDRESS])


def test_the_connection_goes_to_the_address_that_was_looked_up(
    database: Database, listener: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver = FakeResolver(["127.0.0.1"], ["127.0.0.2"])
    monkeypatch.setattr("socket.getaddrinfo", resolver)
    ended_job(database)
    url = listener.url.replace("localhost", "receiver.example")
    assert Sender(database, url).send() == "delivered"
    assert resolver.questions == 1
    assert listener.message().headers["Host"] == f"receiver.example:{listener.port}"


def test_one_private_address_among_public_ones_is_enough_to_refuse(
    database: Database, dialled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.getaddrinfo", FakeResolver([PUBLIC_ADDRESS, "10.0.0.1"]))
    ended_job(database)
    assert Sender(database, "https://mixed.example/", private=False).send() == "failed"
    assert dialled == []


def test_a_public_address_is_never_spoken_to_without_tls(
    database: Database, dialled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.getaddrinfo", FakeResolver([PUBLIC_ADDRESS]))
    ended_job(database)
    assert Sender(database, "http://receiver.example/", private=True).send() == "failed"
    assert dialled == []


def test_the_next_address_gets_its_chance(
    database: Database, dialled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.getaddrinfo", FakeResolver([PUBLIC_ADDRESS, "93.184.215.15"]))
    ended_job(database)
    Sender(database, "https://receiver.example/", private=False).send()
    assert dialled == [PUBLIC_ADDRESS, "93.184.215.15"]


# What can't be used is refused before the server starts.


@pytest.mark.parametrize(
    "url",
    [
        "http://receiver.example/",
        "ftp://receiver.example/",
        "receiver.example/hook",
        "https://",
        "https:///hook",
        "https://user:geheim@receiver.example/",
        "https://receiver.example/#geheim",
        "https://receiver.example:99999/",
        "https://receiver.example:0/",
        "https://receiver.example/a b",
        "https://receiver.example/\r\nX: y",
        "https://ontvanger.éxample/",
        "https://[::1/",
    ],
)
def test_a_url_that_is_refused(url: str) -> None:
    with pytest.raises(InvalidSettings) as raised:
        load_receiver(webhook_settings(url, private=False))
    assert raised.value.detail.startswith("setting webhook_url ")
    assert "geheim" not in raised.value.detail
    assert "\n" not in raised.value.detail


@pytest.mark.parametrize(
    "secret",
    [
        None,
        " ",
        "geheim",
        "whsec_",
        "whsec_geheim!",
        SECRET.removeprefix("whsec_"),
        "whsec_" + base64.b64encode(bytes(23)).decode(),
        "whsec_" + base64.b64encode(bytes(65)).decode(),
        f"{SECRET} geheim",
    ],
)
def test_a_secret_that_is_refused(secret: str | None) -> None:
    with pytest.raises(InvalidSettings) as raised:
        load_receiver(webhook_settings("https://receiver.example/", secret, private=False))
    assert raised.value.detail.startswith("setting webhook_secret ")
    assert "geheim" not in raised.value.detail


@pytest.mark.parametrize("size", [24, 64])
def test_secrets_of_24_to_64_bytes_are_taken(size: int) -> None:
    secret = "whsec_" + base64.b64encode(bytes(size)).decode()
    made = load_receiver(webhook_settings("https://receiver.example", secret, private=False))
    assert made is not None
    assert made.secrets == (bytes(size),)
    assert secret not in repr(made)


def test_without_a_url_nothing_is_sent() -> None:
    assert load_receiver(webhook_settings(None, None, private=False)) is None
