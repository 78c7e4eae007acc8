"""Blobs may be kept as their difference from another, and say since when they are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

HAS_BASE = sa.text("base_hash IS NOT NULL")


def upgrade() -> None:
    """Add base and time, and find what is told from a base."""
    op.add_column("blob", sa.Column("base_hash", sa.LargeBinary))
    op.add_column("blob", sa.Column("kept_at", sa.DateTime(timezone=True)))
    op.create_index(
        "blob_base", "blob", ["base_hash"], sqlite_where=HAS_BASE, postgresql_where=HAS_BASE
    )


def downgrade() -> None:
    """Forget bases; what was told from one can no longer be read, so there must be none."""
    told = op.get_bind().scalar(sa.text(f"SELECT count(*) FROM blob WHERE {HAS_BASE.text}"))  # noqa: S608 - a constant
    if told:
        raise RuntimeError(f"{told} blobs are kept as differences: restore a backup instead")
    op.drop_index("blob_base", "blob")
    op.drop_column("blob", "kept_at")
    op.drop_column("blob", "base_hash")
