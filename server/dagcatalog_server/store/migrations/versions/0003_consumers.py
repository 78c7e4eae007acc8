"""Consumers: who watches, and what each has applied."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "consumer",
        sa.Column("namespace", TEXT, primary_key=True),
        sa.Column("consumer_id", TEXT, primary_key=True),
        sa.Column("epoch", TEXT, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
    )
    if op.get_context().dialect.name == "postgresql":
        # Rows are rewritten all the time: with room in their page that touches no index.
        op.execute("ALTER TABLE consumer SET (fillfactor = 50)")


def downgrade() -> None:
    """Drop it: consumers register again."""
    op.drop_table("consumer")
