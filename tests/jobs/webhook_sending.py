"""Messages of ended jobs, and the sending of them step by step."""

import asyncio
import base64
import time
import uuid
from typing import Any

import sqlalchemy as sa
from pydantic import SecretStr

from service.jobs.webhooks import Webhooks, load_receiver
from service.serving.metrics import WEBHOOK_OUTCOMES, Metrics
from service.settings import Settings
from service.storage.database import Database
from service.storage.tables import job, webhook_delivery

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdefghijklmnop").decode()
OTHER_SECRET = "whsec_" + base64.b64encode(b"ponmlkjihgfedcba9876543210").decode()


def webhook_settings(
    url: str | None, secret: str | None = SECRET, *, private: bool = True
) -> Settings:
    return Settings(
        webhook_url=None if url is None else SecretStr(url),
        webhook_secret=None if secret is None else SecretStr(secret),
        webhook_private_addresses=private,
    )


class Sender:
    """Sends what is due, one message at a time, without a thread of its own."""

    def __init__(self, database: Database, url: str, secret: str = SECRET, **options: Any) -> None:
        found = load_receiver(webhook_settings(url, secret, **options))
        assert found is not None
        self.metrics = Metrics()
        self.webhooks = Webhooks(database, found, self.metrics)

    def send(self) -> str | None:
        """The outcome of one attempt; ``None`` when nothing was due."""
        before = self.outcomes()
        outcome = asyncio.run(self.webhooks.deliver_next())
        counted = before if outcome is None else before | {outcome: before[outcome] + 1}
        assert self.outcomes() == counted
        return outcome

    def outcomes(self) -> dict[str, float]:
        name = "kortom_webhook_deliveries_total"
        value = self.metrics.registry.get_sample_value
        return {outcome: value(name, {"outcome": outcome}) or 0 for outcome in WEBHOOK_OUTCOMES}


def ended_job(database: Database, state: str = "done") -> str:
    """A job that has just ended, its message due."""
    job_id, now = str(uuid.uuid4()), time.time()
    row = {"id": job_id, "owner": "", "state": state, "articles": 1, "done": 1, "failed": 0}
    times = {"turn": 1, "created_at": now, "started_at": now, "ended_at": now}
    with database.transaction() as connection:
        connection.execute(sa.insert(job).values(**row, **times, expires_at=now + 1000))
        message = {"job_id": job_id, "attempts": 0, "next_attempt_at": now}
        connection.execute(sa.insert(webhook_delivery).values(**message))
    return job_id


def waiting(database: Database) -> list[tuple[str, int, float]]:
    """The messages: job, attempts, and seconds until the next one."""
    with database.reading() as connection:
        rows = connection.execute(sa.select(webhook_delivery)).all()
    return [(row.job_id, row.attempts, row.next_attempt_at - time.time()) for row in rows]


def make_due(database: Database) -> None:
    """As if the time until the next attempt had passed."""
    with database.transaction() as connection:
        connection.execute(sa.update(webhook_delivery).values(next_attempt_at=time.time()))
