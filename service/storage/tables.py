"""The tables, as the newest revision of the schema has them.

Times are seconds since 1970 UTC, for people, retention and quotas; nothing that must be right
depends on them. Texts of articles and answers are JSON. Revisions only add tables, columns that
may be empty, and indexes, so that the program of one revision works on every later schema.
"""

import sqlalchemy as sa

metadata = sa.MetaData()

lease = sa.Table(
    "lease",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("renewals", sa.BigInteger, nullable=False),
    sa.Column("holder", sa.Text),
)
"""A runner that is alive: it adds to ``renewals``; ``holder`` is for people: host and process."""

job = sa.Table(
    "job",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("idempotency_key", sa.Text),
    sa.Column("fingerprint", sa.Text),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("articles", sa.Integer, nullable=False),
    sa.Column("done", sa.Integer, nullable=False),
    sa.Column("failed", sa.Integer, nullable=False),
    sa.Column("turn", sa.BigInteger, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("started_at", sa.Double),
    sa.Column("ended_at", sa.Double),
    sa.Column("expires_at", sa.Double),
    sa.UniqueConstraint("owner", "idempotency_key", name="uq_job_idempotency_key"),
)
"""A job; ``owner`` is the id of a key, or empty without keys."""

NOBODY = "nobody"
"""The owner of a job whose rows are being deleted, some at a time; no key has this id."""

sa.Index("ix_job_owner", job.c.owner, job.c.created_at)
sa.Index("ix_job_expires_at", job.c.expires_at)
sa.Index(
    "ix_job_turn",
    job.c.turn,
    job.c.created_at,
    sqlite_where=job.c.ended_at.is_(None),
    postgresql_where=job.c.ended_at.is_(None),
)

SUSPECT = sa.text("attempts > 0")
"""The condition of an index, in words that SQLite finds again in a query."""

job_article = sa.Table(
    "job_article",
    metadata,
    sa.Column("job_id", sa.Text, sa.ForeignKey("job.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("article_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("lease_id", sa.Text),
    sa.Column("request", sa.Text),
    sa.Column("answer", sa.Text),
    sa.Column("error", sa.Text),
    sa.UniqueConstraint("job_id", "article_id", name="uq_job_article_id"),
)
"""An article of a job. ``attempts`` counts the runners that died while they worked on it."""

sa.Index(
    "ix_job_article_state",
    job_article.c.job_id,
    job_article.c.state,
    job_article.c.attempts,
    job_article.c.position,
)
sa.Index(
    "ix_job_article_lease_id",
    job_article.c.lease_id,
    sqlite_where=job_article.c.lease_id.is_not(None),
    postgresql_where=job_article.c.lease_id.is_not(None),
)
sa.Index(
    "ix_job_article_suspect", job_article.c.job_id, sqlite_where=SUSPECT, postgresql_where=SUSPECT
)

api_key = sa.Table(
    "api_key",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("characters_per_minute", sa.BigInteger),
    sa.Column("characters_per_day", sa.BigInteger),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("expires_at", sa.Double),
    sa.Column("revoked_at", sa.Double),
    sa.UniqueConstraint("name", name="uq_api_key_name"),
)
"""A key; only a digest of its secret is kept. Limits are in characters; empty for none."""

key_usage = sa.Table(
    "key_usage",
    metadata,
    sa.Column("key_id", sa.Text, sa.ForeignKey("api_key.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("period", sa.Text, primary_key=True),
    sa.Column("started", sa.BigInteger, nullable=False),
    sa.Column("characters", sa.BigInteger, nullable=False),
)
"""Characters that a key has spent in its present ``minute`` and ``day``."""

webhook_delivery = sa.Table(
    "webhook_delivery",
    metadata,
    sa.Column("job_id", sa.Text, sa.ForeignKey("job.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_attempt_at", sa.Double, nullable=False),
)
"""A message about an ended job that has not been delivered yet."""

sa.Index("ix_webhook_delivery_next_attempt_at", webhook_delivery.c.next_attempt_at)
