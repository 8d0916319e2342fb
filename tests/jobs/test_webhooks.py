"""Webhooks: what a receiver gets, how long it is tried, and where nothing is ever sent."""

import asyncio
import base64
import logging
import queue
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from fastapi import FastAPI
from pydantic import SecretStr
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from webhook_receiver import WAIT_SECONDS, Message, WebhookReceiver, webhook_receiver
from webhook_sending import OTHER_SECRET, SECRET, Sender, ended_job, make_due, waiting

from service.app import create_app
from service.errors import InvalidSettings
from service.jobs import webhooks
from service.jobs.webhooks import RETRY_SECONDS
from service.settings import Settings
from service.storage.database import Database, open_database

if TYPE_CHECKING:
    from loopback import Client

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    """A server's certificate, for the name ``localhost`` alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(open_database(f"sqlite:///{tmp_path / 'kortom.db'}")) as opened:
        yield opened


@pytest.fixture
def listener() -> Iterator[WebhookReceiver]:
    with webhook_receiver() as listening:
        yield listening


def verify(message: Message, secret: str = SECRET) -> Any:
    """What an independent library makes of it."""
    return Webhook(secret).verify(message.body, message.headers)


# What the receiver gets.


@pytest.mark.parametrize("state", ["done", "failed", "cancelled"])
def test_the_receiver_gets_the_id_of_an_ended_job(
    database: Database, listener: WebhookReceiver, state: str
) -> None:
    job_id = ended_job(database, state)
    assert Sender(database, listener.url).send() == "delivered"
    message = listener.message()
    told = verify(message)
    assert told.keys() == {"type", "timestamp", "data"}
    assert told["type"] == f"job.{state}"
    assert told["data"] == {"id": job_id}
    assert message.headers["webhook-id"] == job_id
    assert message.headers["Content-Type"] == "application/json"
    assert message.headers["Host"] == f"localhost:{listener.port}"
    assert message.path == "/hook?key=geheim-pad"
    assert waiting(database) == []


def test_a_changed_message_does_not_verify(database: Database, listener: WebhookReceiver) -> None:
    ended_job(database)
    Sender(database, listener.url).send()
    message = listener.message()
    forged = message.body.replace(b"job.done", b"job.lost")
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(forged, message.headers)


def test_while_a_secret_is_changed_both_verify(
    database: Database, listener: WebhookReceiver
) -> None:
    ended_job(database)
    Sender(database, listener.url, f"{SECRET} {OTHER_SECRET}").send()
    message = listener.message()
    assert verify(message, SECRET) == verify(message, OTHER_SECRET)
    with pytest.raises(WebhookVerificationError):
        verify(message, "whsec_" + base64.b64encode(bytes(24)).decode())


def test_tls_verifies_the_name_of_the_host(
    database: Database,
    tls: ssl.SSLContext,
    authority: trustme.CA,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    ended_job(database)
    with webhook_receiver(tls) as listener:
        assert Sender(database, listener.url).send() == "failed"  # nobody knows this authority
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        make_due(database)
        other_name = listener.url.replace("localhost", "127.0.0.1")
        assert Sender(database, other_name).send() == "failed"
        assert listener.messages.empty()
        make_due(database)
        assert Sender(database, listener.url).send() == "delivered"
        verify(listener.message())


def test_proxies_of_the_environment_are_not_used(
    database: Database, listener: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    ended_job(database)
    assert Sender(database, listener.url).send() == "delivered"


# How long it is tried.


def test_after_a_failure_it_is_tried_again_with_the_same_id(
    database: Database, listener: WebhookReceiver
) -> None:
    job_id = ended_job(database)
    sender = Sender(database, listener.url)
    listener.says("500 Broken")
    assert sender.send() == "failed"
    assert sender.send() is None  # not at once
    listener.says("200 OK")
    make_due(database)
    assert sender.send() == "delivered"
    first, second = listener.message(), listener.message()
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == job_id
    assert first.body == second.body
    assert verify(second) == verify(first)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect"])
def test_a_redirect_is_a_failure_and_never_followed(
    database: Database, listener: WebhookReceiver, status: str
) -> None:
    ended_job(database)
    with webhook_receiver() as elsewhere:
        listener.says(status, f"Location: {elsewhere.url}")
        assert Sender(database, listener.url).send() == "failed"
        assert elsewhere.messages.empty()
    assert listener.messages.qsize() == 1


def test_a_receiver_that_answers_410_is_left_alone(
    database: Database, listener: WebhookReceiver
) -> None:
    ended_job(database)
    listener.says("410 Gone")
    assert Sender(database, listener.url).send() == "gone"
    assert waiting(database) == []


def test_the_waits_grow_to_a_day_and_end_after_three(
    database: Database, listener: WebhookReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    job_id = ended_job(database)
    sender = Sender(database, listener.url)
    listener.says("503 Busy")
    waits = []
    while sender.send() == "failed":
        ((waiting_id, attempts, seconds),) = waiting(database)
        assert (waiting_id, attempts) == (job_id, len(waits) + 1)
        waits.append(seconds)
        make_due(database)
    assert waits == [
        pytest.approx(expected, rel=webhooks.JITTER + 0.05) for expected in RETRY_SECONDS
    ]
    assert min(waits) > webhooks.ATTEMPT_SECONDS
    assert 2.5 * 86_400 < sum(waits) < 4 * 86_400
    assert sender.outcomes() == {
        "delivered": 0,
        "failed": len(RETRY_SECONDS),
        "gone": 0,
        "dropped": 1,
    }
    assert waiting(database) == []
    assert "host=localhost outcome=dropped status=503 attempts=11" in caplog.text


def drip(connection: socket.socket) -> None:
    """A status line, and then a header that never ends."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    connection.settimeout(0.02)
    while True:
        connection.sendall(b"x")
        try:
            if not connection.recv(1):
                return
        except TimeoutError:
            pass


@pytest.mark.parametrize("secure", [False, True])
def test_an_answer_that_drips_is_given_up(
    database: Database,
    tls: ssl.SSLContext,
    authority: trustme.CA,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    secure: bool,
) -> None:
    monkeypatch.setattr(webhooks, "ATTEMPT_SECONDS", 0.3)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    ended_job(database)
    with webhook_receiver(tls if secure else None) as listener:
        listener.answer = drip
        start = time.monotonic()
        assert Sender(database, listener.url).send() == "failed"
        assert time.monotonic() - start < 5
        assert listener.messages.qsize() == 1


def test_a_slow_lookup_of_the_name_is_given_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "ATTEMPT_SECONDS", 0.2)
    answered = threading.Event()

    def fake_resolver(*_: Any, **__: Any) -> Any:
        answered.wait(WAIT_SECONDS)
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    monkeypatch.setattr("socket.getaddrinfo", fake_resolver)
    ended_job(database)
    start = time.monotonic()
    assert Sender(database, "https://receiver.example/hook").send() == "failed"
    assert time.monotonic() - start < 5
    answered.set()


def test_the_body_of_an_answer_is_not_read(database: Database, listener: WebhookReceiver) -> None:
    unread = threading.Event()

    def huge(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        try:
            for _ in range(1000):
                connection.sendall(bytes(1_000_000))
        except OSError:
            unread.set()

    listener.answer = huge
    ended_job(database)
    assert Sender(database, listener.url).send() == "delivered"
    assert unread.wait(WAIT_SECONDS)


def test_a_refused_connection_is_tried_again(database: Database, listener: WebhookReceiver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    ended_job(database)
    assert Sender(database, f"http://localhost:{port}/").send() == "failed"
    make_due(database)
    assert Sender(database, listener.url).send() == "delivered"


def test_no_log_line_holds_the_path_or_a_secret(
    database: Database, listener: WebhookReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ended_job(database)
    sender = Sender(database, listener.url)
    listener.says("500 Broken")
    sender.send()
    make_due(database)
    listener.says("200 OK")
    sender.send()
    signature = listener.message().headers["webhook-signature"].partition(",")[2]
    assert "host=localhost outcome=delivered status=200" in caplog.text
    for secret in ("geheim-pad", "/hook", SECRET.removeprefix("whsec_"), signature):
        assert secret not in caplog.text


# More than one server, and servers that die.


def test_two_servers_send_every_message_once(database_url: str, listener: WebhookReceiver) -> None:
    with closing(open_database(database_url)) as one, closing(open_database(database_url)) as two:
        jobs = {ended_job(one) for _ in range(20)}
        senders = [Sender(one, listener.url), Sender(two, listener.url)]
        start = threading.Barrier(2)

        def send_all(sender: Sender) -> None:
            start.wait(WAIT_SECONDS)
            while sender.send() is not None:
                pass

        threads = [threading.Thread(target=send_all, args=[sender]) for sender in senders]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT_SECONDS)
        assert waiting(one) == []
    sent = [listener.message().headers["webhook-id"] for _ in range(listener.messages.qsize())]
    assert sorted(sent) == sorted(jobs)
    assert sum(sender.outcomes()["delivered"] for sender in senders) == len(jobs)


SENDING = """
import sys, threading
from pydantic import SecretStr
from service.jobs.webhooks import Webhooks, load_receiver
from service.serving.metrics import Metrics
from service.settings import Settings
from service.storage.database import open_database

secret, url, database_url = sys.argv[1:]
to = load_receiver(Settings(
    webhook_url=SecretStr(url), webhook_secret=SecretStr(secret), webhook_private_addresses=True
))
Webhooks(open_database(database_url), to, Metrics()).start()
threading.Event().wait(60)
"""


def test_a_message_that_was_on_its_way_when_a_server_was_killed_is_sent_again(
    tmp_path: Path, database: Database, listener: WebhookReceiver
) -> None:
    job_id = ended_job(database)
    killed = threading.Event()
    listener.answer = lambda _: (killed.wait(WAIT_SECONDS), None)[1]
    arguments = (SECRET, listener.url, f"sqlite:///{tmp_path / 'kortom.db'}")
    with subprocess.Popen([sys.executable, "-c", SENDING, *arguments], cwd=ROOT) as process:
        try:
            first = listener.message()
        finally:
            process.kill()
    killed.set()
    sender = Sender(database, listener.url)
    assert sender.send() is None
    make_due(database)
    listener.says("200 OK")
    assert sender.send() == "delivered"
    second = listener.message()
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == job_id
    assert first.body == second.body


def test_a_message_that_was_on_its_way_when_a_server_stopped_is_sent_again(
    database: Database, listener: WebhookReceiver
) -> None:
    job_id = ended_job(database)
    stopped = threading.Event()
    listener.answer = lambda _: (stopped.wait(WAIT_SECONDS), None)[1]
    sender = Sender(database, listener.url)
    sender.webhooks.start()
    listener.message()
    start = time.monotonic()
    sender.webhooks.close()
    assert time.monotonic() - start < webhooks.CLOSE_SECONDS
    stopped.set()
    ((waiting_id, attempts, seconds),) = waiting(database)
    assert (waiting_id, attempts) == (job_id, 1)
    assert seconds > webhooks.ATTEMPT_SECONDS - 5
    make_due(database)
    listener.says("200 OK")
    assert Sender(database, listener.url).send() == "delivered"
    assert listener.message().headers["webhook-id"] == job_id


def test_a_message_is_sent_soon_after_its_job_ended(
    database: Database, listener: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "POLL_SECONDS", 0.01)
    sender = Sender(database, listener.url)
    sender.webhooks.start()
    try:
        assert ended_job(database) == listener.message().headers["webhook-id"]
        assert ended_job(database) == listener.message().headers["webhook-id"]
    finally:
        sender.webhooks.close()


def test_a_receiver_that_fails_is_not_rushed(
    database: Database, listener: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        ended_job(database)
    listener.says("500 Broken")
    pauses: queue.Queue[tuple[float, int]] = queue.Queue()
    sleep = asyncio.sleep

    async def counting_sleep(seconds: float) -> None:
        if threading.current_thread().name != "webhooks":  # a server of other tests
            return await sleep(seconds)
        pauses.put((seconds, listener.messages.qsize()))
        return await sleep(WAIT_SECONDS)

    monkeypatch.setattr("asyncio.sleep", counting_sleep)
    sender = Sender(database, listener.url)
    sender.webhooks.start()
    try:
        assert pauses.get(timeout=WAIT_SECONDS) == (webhooks.POLL_SECONDS, 1)
    finally:
        sender.webhooks.close()


def test_trouble_with_the_database_is_waited_out_and_told_once(
    database: Database, listener: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(webhooks, "MAX_BACKOFF_SECONDS", 0.02)
    told: queue.Queue[str] = queue.Queue()
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: told.put(record.getMessage())  # type: ignore[method-assign]
    asked = threading.Semaphore(0)
    reading = database.reading

    def counted() -> Any:
        asked.release()
        return reading()

    monkeypatch.setattr(database, "reading", counted)

    def rename(old: str, new: str) -> None:
        with database.transaction() as connection:
            connection.exec_driver_sql(f"ALTER TABLE {old} RENAME TO {new}")

    job_id = ended_job(database)
    rename("webhook_delivery", "hidden")
    webhooks.logger.addHandler(handler)
    sender = Sender(database, listener.url)
    sender.webhooks.start()
    try:
        for _ in range(3):
            assert asked.acquire(timeout=WAIT_SECONDS)
        rename("hidden", "webhook_delivery")
        assert listener.message().headers["webhook-id"] == job_id
    finally:
        sender.webhooks.close()
        webhooks.logger.removeHandler(handler)
    assert told.qsize() == 1
    assert told.get().startswith("webhooks wait: the database ")


# On a whole server.


def test_a_server_tells_of_its_jobs(
    settings: Settings,
    start_server: Callable[[FastAPI], AbstractContextManager["Client"]],
    tmp_path: Path,
    listener: WebhookReceiver,
) -> None:
    with start_server(create_app(telling(settings, tmp_path, listener.url))) as client:
        reply = client.post(
            "/v1/jobs", [{"id": "a", "text": "Het regent."}, {"id": "b", "text": ""}]
        )
        assert reply.status == 202
        told = verify(listener.message())
        assert told["type"] == "job.done"
        assert told["data"] == {"id": reply.json()["id"]}
        assert client.get(f"/v1/jobs/{told['data']['id']}").json()["state"] == "done"
        refused = client.post("/v1/jobs", [{"id": "a", "text": ""}])
        told = verify(listener.message())
        assert told["type"] == "job.failed"
        assert told["data"] == {"id": refused.json()["id"]}
    assert "webhooks" not in {thread.name for thread in threading.enumerate()}


def test_a_server_whose_webhook_can_not_be_used_does_not_start(
    settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(InvalidSettings):
        create_app(telling(settings, tmp_path, "ftp://receiver.example/"))


def telling(settings: Settings, directory: Path, url: str) -> Settings:
    return settings.model_copy(
        update={
            "database_url": SecretStr(f"sqlite:///{directory / 'kortom.db'}"),
            "webhook_url": SecretStr(url),
            "webhook_secret": SecretStr(SECRET),
            "webhook_private_addresses": True,
        }
    )
