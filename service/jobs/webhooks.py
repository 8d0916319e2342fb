"""Webhooks: one receiver hears of every job that ended, signed as Standard Webhooks says.

The message names the job and its state, never an article: who wants results asks for them with a
key. A message is a row of ``webhook_delivery``, written in the transaction that ended the job and
deleted when the receiver has taken it; so it is sent at least once, through restarts and kills.

Standard Webhooks: spec/standard-webhooks.md of https://github.com/standard-webhooks.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import logging
import random
import re
import threading
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import SplitResult, urlsplit

import httpcore2
import sqlalchemy as sa

from service import __version__
from service.errors import InvalidSettings, ServiceError
from service.jobs.permitted_network import PermittedNetwork, is_public
from service.logs import Event, describe
from service.serving.metrics import Metrics
from service.settings import Settings
from service.storage.database import Database
from service.storage.tables import job, webhook_delivery

ATTEMPT_SECONDS = 15.0
"""Longest time of one attempt, from the name's lookup to the answer's status."""
RETRY_SECONDS = (30.0, 90.0, 270.0, 810.0, 2430.0, 7290.0, 21870.0, 65610.0, 86400.0, 86400.0)
"""From one attempt to the next: three times as long, at most a day; three days in all.

The first is longer than an attempt: no other server takes a message while it is being sent.
"""
JITTER = 0.2
"""Each of these waits is up to so much shorter or longer."""
POLL_SECONDS = 1.0
"""How often the database is asked for messages."""
MAX_BACKOFF_SECONDS = 30.0
"""Longest wait for a database that does not answer."""
CLOSE_SECONDS = 2.0
MIN_SECRET_BYTES = 24
MAX_SECRET_BYTES = 64
"""Standard Webhooks, "Signature scheme"."""

_VISIBLE = re.compile(r"[\x21-\x7e]+")
_random = random.SystemRandom()

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where messages go.

    Attributes:
        url: its parts; no user, password or fragment.
        secrets: each signs every message; at least one, of 24 to 64 bytes.
        private_addresses: whether the host may be on a private network.
    """

    url: SplitResult = field(repr=False)
    secrets: tuple[bytes, ...] = field(repr=False)
    private_addresses: bool

    @property
    def host(self) -> str:
        """Its name or address, for the log."""
        return self.url.hostname or ""

    def permits(self, address: str) -> bool:
        """Whether to connect to an address of the host.

        A public address only with TLS. A private one only where the operator allows it; there
        plain HTTP will do, for a network of one's own often has no certificates, the message has
        nothing to hide, and its signature is what the receiver must trust anyway.
        """
        if is_public(address):
            return self.url.scheme == "https"
        return self.private_addresses


def load_receiver(settings: Settings) -> Receiver | None:
    """The receiver that the operator set; ``None`` for none.

    Raises:
        InvalidSettings: the URL or the secret can't be used. The line quotes neither.
    """
    if settings.webhook_url is None:
        return None
    secret = settings.webhook_secret
    if secret is None or not secret.get_secret_value().strip():
        raise InvalidSettings(
            "setting webhook_secret (KORTOM_WEBHOOK_SECRET) is missing: webhooks are always signed"
        )
    return Receiver(
        _url(
            settings.webhook_url.get_secret_value(),
            private_addresses=settings.webhook_private_addresses,
        ),
        tuple(_secret(text) for text in secret.get_secret_value().split()),
        settings.webhook_private_addresses,
    )


def _url(text: str, *, private_addresses: bool) -> SplitResult:
    def refused(why: str) -> InvalidSettings:
        return InvalidSettings(f"setting webhook_url {why}")

    if not _VISIBLE.fullmatch(text):
        raise refused("must be ASCII without spaces (a host's name in its xn-- form)")
    try:
        url = urlsplit(text)
        is_whole = bool(url.hostname) and url.port != 0
    except ValueError:
        is_whole = False
    if not is_whole:
        raise refused("is not a URL with a host")
    if url.scheme != "https" and not (url.scheme == "http" and private_addresses):
        raise refused("must begin with https:// (http:// needs webhook_private_addresses)")
    if "@" in url.netloc:
        raise refused("must not hold a user or password")
    if "#" in text:
        raise refused("must not hold a fragment (#)")
    return url


def _secret(text: str) -> bytes:
    try:
        secret = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        secret = b""
    if not text.startswith("whsec_") or not MIN_SECRET_BYTES <= len(secret) <= MAX_SECRET_BYTES:
        raise InvalidSettings(
            "setting webhook_secret must be whsec_ and the base64 of "
            f"{MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} random bytes"
        )
    return secret


def sign(secrets: Iterable[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """The ``webhook-signature`` header: one signature per secret, with a space between.

    Args:
        secrets: the keys of HMAC-SHA256.
        message_id: the ``webhook-id`` header.
        timestamp: the ``webhook-timestamp`` header, in seconds since 1970 UTC.
        body: the bytes that are sent.
    """
    signed = f"{message_id}.{timestamp}.".encode() + body
    macs = (hmac.new(secret, signed, hashlib.sha256).digest() for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(mac).decode()}" for mac in macs)


@dataclass(frozen=True, slots=True)
class _Delivery:
    """A message that this server has claimed, and its attempts with the one to be made."""

    job_id: str
    state: str
    ended_at: float
    attempts: int

    def body(self) -> bytes:
        """The same in every attempt."""
        message = {
            "type": f"job.{self.state}",
            "timestamp": datetime.fromtimestamp(self.ended_at, UTC).isoformat(),
            "data": {"id": self.job_id},
        }
        return json.dumps(message).encode()


class Webhooks:
    """Sends what waits in the database, one message at a time, on a thread of its own.

    Several servers may share a database: whoever moves a message's next attempt ahead sends it.

    Args:
        database: where messages wait.
        receiver: where they go.
        metrics: where attempts are counted.
    """

    def __init__(self, database: Database, receiver: Receiver, metrics: Metrics) -> None:
        self._database = database
        self._receiver = receiver
        self._deliveries = metrics.webhook_deliveries

    def start(self) -> None:
        """Begin to send."""
        self._loop = asyncio.new_event_loop()
        self._work = self._loop.create_task(self._deliver())
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; a message that is on its way is given up and sent again later."""
        self._loop.call_soon_threadsafe(self._work.cancel)
        self._thread.join(CLOSE_SECONDS)

    async def deliver_next(self) -> str | None:
        """Try to send the message that is due for longest.

        Returns:
            What came of it, of :data:`service.serving.metrics.WEBHOOK_OUTCOMES`; ``None`` when no
            message is due.

        Raises:
            StorageFull, StorageUnavailable: see :meth:`Database.transaction`.
        """
        delivery = self._claim()
        if delivery is None:
            return None
        status: int | None = None
        reason: str | None = None
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                status = await self._send(delivery)
        except Exception as error:  # whatever stands between here and there is a failed attempt
            reason = type(error).__name__
        outcome = _outcome(status, delivery.attempts)
        self._deliveries.labels(outcome).inc()
        logger.log(
            logging.INFO if outcome == "delivered" else logging.WARNING,
            Event(
                "webhook",
                host=self._receiver.host,
                outcome=outcome,
                status=status,
                reason=reason,
                attempts=delivery.attempts,
            ),
        )
        if outcome != "failed":
            with self._database.transaction() as connection:
                row = webhook_delivery.c.job_id == delivery.job_id
                connection.execute(sa.delete(webhook_delivery).where(row))
        return outcome

    def _run(self) -> None:
        with closing(self._loop), suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._work)

    async def _deliver(self) -> None:
        pause_seconds = POLL_SECONDS
        while True:
            try:
                while await self.deliver_next() == "delivered":
                    pass  # a receiver that fails is not rushed
                pause_seconds = POLL_SECONDS
            except Exception as exc:  # a bug must not end the thread
                if pause_seconds == POLL_SECONDS:  # once per trouble
                    why = exc.detail if isinstance(exc, ServiceError) else describe(exc)
                    logger.warning("webhooks wait: %s", why)
                pause_seconds = min(2 * pause_seconds, MAX_BACKOFF_SECONDS)
            await asyncio.sleep(pause_seconds)

    def _claim(self) -> _Delivery | None:
        """The message that is due for longest, its next attempt moved ahead."""
        now = time.time()
        is_due = webhook_delivery.c.next_attempt_at <= now
        with self._database.reading() as connection:  # most often nothing is, and nobody must wait
            if not connection.scalar(sa.select(sa.exists().where(is_due))):
                return None
        oldest = (
            sa.select(webhook_delivery, job.c.state, job.c.ended_at)
            .join(job, job.c.id == webhook_delivery.c.job_id)
            .where(is_due)
            .order_by(webhook_delivery.c.next_attempt_at)
            .limit(1)
            .with_for_update(of=webhook_delivery, skip_locked=True)
        )
        with self._database.transaction() as connection:
            row = connection.execute(oldest).first()
            if row is None:
                return None
            wait_seconds = RETRY_SECONDS[min(row.attempts, len(RETRY_SECONDS) - 1)]
            wait_seconds *= _random.uniform(1 - JITTER, 1 + JITTER)
            connection.execute(
                sa.update(webhook_delivery)
                .where(webhook_delivery.c.job_id == row.job_id)
                .values(attempts=row.attempts + 1, next_attempt_at=now + wait_seconds)
            )
            return _Delivery(row.job_id, row.state, row.ended_at, row.attempts + 1)

    async def _send(self, delivery: _Delivery) -> int:
        """The status of the answer; no redirect is followed and no body is read."""
        url, body, now = self._receiver.url, delivery.body(), int(time.time())
        target = httpcore2.URL(
            scheme=url.scheme,
            host=self._receiver.host,
            port=url.port,
            target=(url.path or "/") + (f"?{url.query}" if url.query else ""),
        )
        headers: dict[str | bytes, str | bytes] = {
            "Host": url.netloc,
            "Content-Type": "application/json",
            "User-Agent": f"kortom/{__version__}",
            "Connection": "close",
            "webhook-id": delivery.job_id,
            "webhook-timestamp": str(now),
            "webhook-signature": sign(self._receiver.secrets, delivery.job_id, now, body),
        }
        network = PermittedNetwork(self._receiver.permits)
        # No proxy: httpcore does not look at the environment.
        async with (
            httpcore2.AsyncConnectionPool(network_backend=network) as pool,
            pool.stream("POST", target, headers=headers, content=body) as response,
        ):
            return response.status


def _outcome(status: int | None, attempts: int) -> str:
    """One of :data:`service.serving.metrics.WEBHOOK_OUTCOMES`."""
    if status is not None and 200 <= status < 300:
        return "delivered"
    if status == 410:
        return "gone"
    return "dropped" if attempts > len(RETRY_SECONDS) else "failed"
