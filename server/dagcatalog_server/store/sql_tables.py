"""The tables of the SQL stores; `migrations/` makes exactly these.

`change` is the append-only change log and the state of every DAG at every revision in one: a row is
what was true from its `revision` until before its `until_revision`. Only `until_revision` is ever
updated, once, by the change that overtakes the row.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    literal_column,
)

from dagcatalog_server.store.sql_types import CodePointText, Sha256, UtcTime

FOREVER = 2**63 - 1
"""`until_revision` of a head: nothing has overtaken it."""

metadata = MetaData()

clock = Table(
    "clock",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", CodePointText, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("compacted_revision", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="clock_is_one_row"),
)

blob = Table(
    "blob",
    metadata,
    Column("hash", Sha256, primary_key=True),
    Column("kind", SmallInteger, nullable=False),
    Column("codec", SmallInteger, nullable=False),
    Column("raw_bytes", BigInteger, nullable=False),
    Column("stored_bytes", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
    # The blob that this one is told as a difference from (`blob_codec`); none: it is whole.
    Column("base_hash", Sha256),
    # By the database's clock; none: before there was such a column.
    Column("kept_at", UtcTime),
)
# A base goes only when nothing is told from it any more.
Index(
    "blob_base",
    blob.c.base_hash,
    sqlite_where=blob.c.base_hash.is_not(None),
    postgresql_where=blob.c.base_hash.is_not(None),
)
# Status adds sizes up from this index alone, without turning the blobs' pages.
Index("blob_sizes", blob.c.stored_bytes, blob.c.raw_bytes)

change = Table(
    "change",
    metadata,
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("until_revision", BigInteger, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("classes", CodePointText, nullable=False),
    Column("namespace", CodePointText, nullable=False),
    Column("dag_id", CodePointText, nullable=False),
    Column("version", Integer, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("delete_reason", CodePointText, nullable=False),
    Column("content_hash", Sha256, nullable=False),
    Column("definition_hash", Sha256, nullable=False),
    Column("structure_hash", Sha256, nullable=False),
    Column("schedule_hash", Sha256, nullable=False),
    Column("metadata_hash", Sha256, nullable=False),
    Column("placement_hash", Sha256, nullable=False),
    Column("source_hash", Sha256, nullable=False),
    Column("document_bytes", BigInteger, nullable=False),
    Column("source_bytes", BigInteger, nullable=False),
    Column("bundle_name", CodePointText, nullable=False),
    Column("bundle_version", CodePointText, nullable=False),
    Column("file", CodePointText, nullable=False),
    Column("labels", CodePointText, nullable=False),
    Column("actor", CodePointText, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("version_revision", BigInteger, nullable=False),
    Column("version_actor", CodePointText, nullable=False),
    Column("version_created_at", UtcTime, nullable=False),
    Column("display_name", CodePointText, nullable=False),
    Column("description", CodePointText, nullable=False),
    Column("tags", CodePointText, nullable=False),
    Column("owners", CodePointText, nullable=False),
    Column("operators", CodePointText, nullable=False),
    Column("dependencies", CodePointText, nullable=False),
    Column("schedule_kind", SmallInteger, nullable=False),
    Column("schedule_text", CodePointText, nullable=False),
    Column("schedule_timezone", CodePointText, nullable=False),
    Column("schedule_timetable", CodePointText, nullable=False),
    Column("fileloc", CodePointText, nullable=False),
    Column("task_count", Integer, nullable=False),
    Column("start_date", UtcTime),
    Column("end_date", UtcTime),
    Column("catchup", Boolean),
    Column("paused_at_creation", Boolean),
    Column("serialization_version", BigInteger, nullable=False),
)

# Written as a literal: neither database uses a partial index for a bound parameter.
_FOREVER: ColumnElement[int] = literal_column(str(FOREVER))
IS_HEAD = change.c.until_revision == _FOREVER
IS_SUPERSEDED = change.c.until_revision < _FOREVER

# One head a DAG: a second writer of a new DAG fails here.
HEAD = Index(
    "change_head",
    change.c.namespace,
    change.c.dag_id,
    unique=True,
    sqlite_where=IS_HEAD,
    postgresql_where=IS_HEAD,
)
# A page of the present, and its count from the index alone, however many tombstones there are.
# until_revision is the same in all its entries; SQLite counts from the index only if it is there.
LIVE = Index(
    "change_live",
    change.c.deleted,
    change.c.namespace,
    change.c.dag_id,
    change.c.revision,
    change.c.until_revision,
    sqlite_where=IS_HEAD,
    postgresql_where=IS_HEAD,
)
RECENT = Index(
    "change_recent",
    change.c.revision,
    change.c.namespace,
    change.c.dag_id,
    sqlite_where=IS_HEAD,
    postgresql_where=IS_HEAD,
)
OF_FILE = Index(
    "change_of_file",
    change.c.namespace,
    change.c.bundle_name,
    change.c.file,
    sqlite_where=IS_HEAD,
    postgresql_where=IS_HEAD,
)
# What a listing of the past needs besides the heads: few rows if that past is near.
SUPERSEDED = Index(
    "change_superseded",
    change.c.until_revision,
    sqlite_where=IS_SUPERSEDED,
    postgresql_where=IS_SUPERSEDED,
)
HISTORY = Index(
    "change_history",
    change.c.namespace,
    change.c.dag_id,
    change.c.revision,
    change.c.ordinal,
)
VERSIONS = Index(
    "change_versions",
    change.c.namespace,
    change.c.dag_id,
    change.c.version,
    change.c.revision,
    change.c.ordinal,
    change.c.deleted,
)
CONTENT = Index(
    "change_content",
    change.c.namespace,
    change.c.content_hash,
    change.c.revision,
    change.c.ordinal,
)

request = Table(
    "request",
    metadata,
    Column("namespace", CodePointText, primary_key=True),
    Column("request_id", CodePointText, primary_key=True),
    Column("fingerprint", CodePointText, nullable=False),
    Column("outcome", CodePointText, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)
Index("request_created_at", request.c.created_at)

# Who watches, and what each has applied: facts about running processes, so they are in no backup.
consumer = Table(
    "consumer",
    metadata,
    Column("namespace", CodePointText, primary_key=True),
    Column("consumer_id", CodePointText, primary_key=True),
    Column("epoch", CodePointText, nullable=False),
    Column("revision", BigInteger, nullable=False),
    # No index holds it: a heartbeat then rewrites the row in its page and nothing else.
    Column("heard_at", UtcTime, nullable=False),
)

parse_error = Table(
    "parse_error",
    metadata,
    Column("namespace", CodePointText, primary_key=True),
    Column("bundle_name", CodePointText, primary_key=True),
    Column("file", CodePointText, primary_key=True),
    Column("bundle_version", CodePointText, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("message", CodePointText, nullable=False),
    Column("stack_trace", CodePointText, nullable=False),
    Column("line", BigInteger, nullable=False),
    Column("first_at", UtcTime, nullable=False),
    Column("last_at", UtcTime, nullable=False),
    Column("actor", CodePointText, nullable=False),
)
