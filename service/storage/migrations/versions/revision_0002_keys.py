"""Keys and what they have spent."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the tables of keys."""
    op.create_table(
        "api_key",
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
    op.create_table(
        "key_usage",
        sa.Column("key_id", sa.Text, sa.ForeignKey("api_key.id", ondelete="CASCADE")),
        sa.Column("period", sa.Text),
        sa.Column("started", sa.BigInteger, nullable=False),
        sa.Column("characters", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("key_id", "period"),
    )


def downgrade() -> None:
    """Remove them."""
    for table in ("key_usage", "api_key"):
        op.drop_table(table)
