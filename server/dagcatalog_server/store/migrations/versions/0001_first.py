"""Clock, blobs, the change log, remembered requests and parse errors."""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TIME = sa.DateTime(timezone=True)
HASH = sa.LargeBinary()
IS_HEAD = sa.text("until_revision = 9223372036854775807")
IS_SUPERSEDED = sa.text("until_revision < 9223372036854775807")


def upgrade() -> None:
    """Make every table, and the clock's row with a fresh epoch."""
    _make_clock()
    _make_blob()
    _make_change()
    _make_change_indexes()
    _make_request()
    _make_parse_error()


def downgrade() -> None:
    """Drop every table."""
    for table in ("parse_error", "request", "change", "blob", "clock"):
        op.drop_table(table)


def _make_clock() -> None:
    clock = op.create_table(
        "clock",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", TEXT, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("compacted_revision", sa.BigInteger, nullable=False),
        sa.CheckConstraint("id = 1", name="clock_is_one_row"),
    )
    row = {"id": 1, "epoch": uuid4().hex, "revision": 0, "compacted_revision": 0}
    op.bulk_insert(clock, [row])


def _make_blob() -> None:
    op.create_table(
        "blob",
        sa.Column("hash", HASH, primary_key=True),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("codec", sa.SmallInteger, nullable=False),
        sa.Column("raw_bytes", sa.BigInteger, nullable=False),
        sa.Column("stored_bytes", sa.BigInteger, nullable=False),
        sa.Column("data", HASH, nullable=False),
    )
    op.create_index("blob_sizes", "blob", ["stored_bytes", "raw_bytes"])
    if op.get_context().dialect.name == "postgresql":
        # It is compressed already: out of line, and no second attempt.
        op.execute("ALTER TABLE blob ALTER COLUMN data SET STORAGE EXTERNAL")


def _make_change() -> None:
    op.create_table(
        "change",
        sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("ordinal", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("until_revision", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("classes", TEXT, nullable=False),
        sa.Column("namespace", TEXT, nullable=False),
        sa.Column("dag_id", TEXT, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("delete_reason", TEXT, nullable=False),
        sa.Column("content_hash", HASH, nullable=False),
        sa.Column("definition_hash", HASH, nullable=False),
        sa.Column("structure_hash", HASH, nullable=False),
        sa.Column("schedule_hash", HASH, nullable=False),
        sa.Column("metadata_hash", HASH, nullable=False),
        sa.Column("placement_hash", HASH, nullable=False),
        sa.Column("source_hash", HASH, nullable=False),
        sa.Column("document_bytes", sa.BigInteger, nullable=False),
        sa.Column("source_bytes", sa.BigInteger, nullable=False),
        sa.Column("bundle_name", TEXT, nullable=False),
        sa.Column("bundle_version", TEXT, nullable=False),
        sa.Column("file", TEXT, nullable=False),
        sa.Column("labels", TEXT, nullable=False),
        sa.Column("actor", TEXT, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("version_revision", sa.BigInteger, nullable=False),
        sa.Column("version_actor", TEXT, nullable=False),
        sa.Column("version_created_at", TIME, nullable=False),
        *_projection_columns(),
    )


def _projection_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("display_name", TEXT, nullable=False),
        sa.Column("description", TEXT, nullable=False),
        sa.Column("tags", TEXT, nullable=False),
        sa.Column("owners", TEXT, nullable=False),
        sa.Column("operators", TEXT, nullable=False),
        sa.Column("dependencies", TEXT, nullable=False),
        sa.Column("schedule_kind", sa.SmallInteger, nullable=False),
        sa.Column("schedule_text", TEXT, nullable=False),
        sa.Column("schedule_timezone", TEXT, nullable=False),
        sa.Column("schedule_timetable", TEXT, nullable=False),
        sa.Column("fileloc", TEXT, nullable=False),
        sa.Column("task_count", sa.Integer, nullable=False),
        sa.Column("start_date", TIME),
        sa.Column("end_date", TIME),
        sa.Column("catchup", sa.Boolean),
        sa.Column("paused_at_creation", sa.Boolean),
        sa.Column("serialization_version", sa.BigInteger, nullable=False),
    ]


def _make_change_indexes() -> None:
    key = ["namespace", "dag_id"]
    live = ["deleted", *key, "revision", "until_revision"]
    versions = [*key, "version", "revision", "ordinal", "deleted"]
    content = ["namespace", "content_hash", "revision", "ordinal"]
    _index("change_head", key, IS_HEAD, unique=True)
    _index("change_live", live, IS_HEAD)
    _index("change_recent", ["revision", *key], IS_HEAD)
    _index("change_of_file", ["namespace", "bundle_name", "file"], IS_HEAD)
    _index("change_superseded", ["until_revision"], IS_SUPERSEDED)
    _index("change_history", [*key, "revision", "ordinal"])
    _index("change_versions", versions)
    _index("change_content", content)


def _index(
    name: str,
    columns: list[str],
    where: sa.TextClause | None = None,
    *,
    unique: bool = False,
) -> None:
    op.create_index(
        name,
        "change",
        columns,
        unique=unique,
        sqlite_where=where,
        postgresql_where=where,
    )


def _make_request() -> None:
    op.create_table(
        "request",
        sa.Column("namespace", TEXT, primary_key=True),
        sa.Column("request_id", TEXT, primary_key=True),
        sa.Column("fingerprint", TEXT, nullable=False),
        sa.Column("outcome", TEXT, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
    )
    op.create_index("request_created_at", "request", ["created_at"])


def _make_parse_error() -> None:
    op.create_table(
        "parse_error",
        sa.Column("namespace", TEXT, primary_key=True),
        sa.Column("bundle_name", TEXT, primary_key=True),
        sa.Column("file", TEXT, primary_key=True),
        sa.Column("bundle_version", TEXT, nullable=False),
        sa.Column("kind", sa.SmallInteger, nullable=False),
        sa.Column("message", TEXT, nullable=False),
        sa.Column("stack_trace", TEXT, nullable=False),
        sa.Column("line", sa.BigInteger, nullable=False),
        sa.Column("first_at", TIME, nullable=False),
        sa.Column("last_at", TIME, nullable=False),
        sa.Column("actor", TEXT, nullable=False),
    )
