"""Leases, jobs and their articles."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Add the tables of jobs."""
    op.create_table(
        "lease",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("renewals", sa.BigInteger, nullable=False),
        sa.Column("holder", sa.Text),
    )
    op.create_table(
        "job",
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
    op.create_index("ix_job_owner", "job", ["owner", "created_at"])
    op.create_index("ix_job_expires_at", "job", ["expires_at"])
    _partial_index("ix_job_turn", "job", ["turn", "created_at"], "ended_at IS NULL")
    op.create_table(
        "job_article",
        sa.Column("job_id", sa.Text, sa.ForeignKey("job.id", ondelete="CASCADE")),
        sa.Column("position", sa.Integer),
        sa.Column("article_id", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("lease_id", sa.Text),
        sa.Column("request", sa.Text),
        sa.Column("answer", sa.Text),
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("job_id", "position"),
        sa.UniqueConstraint("job_id", "article_id", name="uq_job_article_id"),
    )
    op.create_index(
        "ix_job_article_state", "job_article", ["job_id", "state", "attempts", "position"]
    )
    _partial_index("ix_job_article_lease_id", "job_article", ["lease_id"], "lease_id IS NOT NULL")
    _partial_index("ix_job_article_suspect", "job_article", ["job_id"], "attempts > 0")


def downgrade() -> None:
    """Remove them."""
    for table in ("job_article", "job", "lease"):
        op.drop_table(table)


def _partial_index(name: str, table: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
