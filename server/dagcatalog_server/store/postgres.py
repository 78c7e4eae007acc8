"""The production store: a PostgreSQL database, shared by any number of replicas."""

from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, Integer, Table, func, text
from sqlalchemy.dialects import postgresql

from dagcatalog_server.catalog.ports import Store
from dagcatalog_server.store.kept_changes import HeadMark
from dagcatalog_server.store.postgres_engine import (
    READ_OPTIONS,
    WRITE_OPTIONS,
    PostgresLimits,
    postgres_engine,
    translate,
)
from dagcatalog_server.store.postgres_reach import CONNECT_TIMEOUT_S
from dagcatalog_server.store.schema import require_current
from dagcatalog_server.store.sql_dialect import SqlDialect
from dagcatalog_server.store.sql_inserts import (
    BlobRow,
    DriverValues,
    Row,
    column_names,
    driver_rows,
)
from dagcatalog_server.store.sql_store import SqlStore
from dagcatalog_server.store.sql_tables import FOREVER


def open_postgres(
    url: str,
    *,
    pool_size: int = 8,
    pool_timeout_s: float = 5.0,
    connect_timeout_s: int = CONNECT_TIMEOUT_S,
    statement_timeout_s: float = 10.0,
    lock_timeout_s: float = 5.0,
    idle_in_transaction_timeout_s: float = 10.0,
) -> Store:
    """Open the store in a database that `schema.migrate` has prepared.

    `url` is postgresql://user:password@host/database; several hosts and every other parameter of
    libpq go into its query, where they come before those that are set here.

    Raises:
        SchemaMismatch: the database is behind, or at a revision that this release does not know.
        DatabaseUnfit: PostgreSQL is too old, or the database not UTF-8.
        StoreUnavailable: it cannot be reached.

    """
    engine = postgres_engine(
        url,
        pool_size=pool_size,
        pool_timeout_s=pool_timeout_s,
        connect_timeout_s=connect_timeout_s,
        limits=PostgresLimits(
            statement_s=statement_timeout_s,
            lock_s=lock_timeout_s,
            idle_s=idle_in_transaction_timeout_s,
        ),
    )
    try:
        with engine.connect() as connection:
            revision = require_current(connection)
    except BaseException:
        engine.dispose()
        raise
    return SqlStore(engine, _DIALECT, schema_revision=revision)


def _contains(column: ColumnElement[str], part: str) -> ColumnElement[bool]:
    position: ColumnElement[int] = func.strpos(column, part, type_=Integer)
    return position > 0


_MARKS = f"""
SELECT dag_id, revision, ordinal, version, encode(content_hash, 'hex') FROM change
WHERE until_revision = {FOREVER} AND namespace = %s AND dag_id = ANY(%s::text[])
"""  # noqa: S608 - a number of our own


def _head_marks(connection: Connection, namespace: str, dag_ids: Sequence[str]) -> list[HeadMark]:
    rows = connection.exec_driver_sql(_MARKS, (namespace, list(dag_ids)))
    return [HeadMark(*row) for row in rows]


_OVERTAKE = f"""
UPDATE change SET until_revision = seen.until_revision
FROM unnest(%s::bigint[], %s::integer[], %s::bigint[]) AS seen (revision, ordinal, until_revision)
WHERE change.revision = seen.revision AND change.ordinal = seen.ordinal
AND change.until_revision = {FOREVER}
"""  # noqa: S608 - a number of our own


def _overtake(connection: Connection, overtaken: Sequence[tuple[int, int, int]]) -> int:
    if not overtaken:
        return 0
    columns = tuple(list(column) for column in zip(*overtaken, strict=True))
    return connection.exec_driver_sql(_OVERTAKE, columns).rowcount


# "dagd". Not a lock of the table, for which autovacuum would have to give way again and again.
_CONSUMERS_LOCK = 0x64616764


def _lock_consumers(connection: Connection) -> None:
    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_CONSUMERS_LOCK,))


def _now(connection: Connection) -> datetime:
    # Not now(), which is when the transaction began: before it waited for a lock.
    told: datetime = connection.execute(_CLOCK_TIMESTAMP).scalar_one()
    return told.astimezone(UTC)


_CLOCK_TIMESTAMP = text("SELECT clock_timestamp()")


# One parameter, however many rows: parsing a list of values for each column of each row takes
# PostgreSQL longer than keeping them.
_VALUES = DriverValues("\\x".__add__, lambda moment: moment.astimezone(UTC).isoformat())


def _insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    names = column_names(table)
    told = [dict(zip(names, row, strict=True)) for row in driver_rows(table, rows, _VALUES)]
    listed = ", ".join(names)
    insert = (
        f"INSERT INTO {table.name} ({listed}) SELECT {listed} "  # noqa: S608 - our own names
        f"FROM json_populate_recordset(NULL::{table.name}, %s)"
    )
    connection.exec_driver_sql(insert, (orjson.dumps(told).decode(),))


_KEEP = """
INSERT INTO blob (hash, kind, codec, raw_bytes, stored_bytes, data, base_hash, kept_at)
SELECT made.*, now() FROM unnest(
  %s::bytea[], %s::smallint[], %s::smallint[], %s::bigint[], %s::bigint[], %s::bytea[], %s::bytea[]
) AS made
ON CONFLICT DO NOTHING
"""


def _insert_blobs(connection: Connection, rows: Sequence[BlobRow]) -> None:
    columns: list[list[Any]] = [list(column) for column in zip(*rows, strict=True)]
    for place in (0, 6):
        columns[place] = [None if each is None else bytes.fromhex(each) for each in columns[place]]
    connection.exec_driver_sql(_KEEP, tuple(columns))


_DIALECT = SqlDialect(
    name="postgresql",
    insert=postgresql.insert,
    contains=_contains,
    translate=translate,
    read_options=READ_OPTIONS,
    write_options=WRITE_OPTIONS,
    marker="%s",
    head_marks=_head_marks,
    overtake=_overtake,
    now=_now,
    lock_consumers=_lock_consumers,
    insert_rows=_insert_rows,
    insert_blobs=_insert_blobs,
    blobs_first=True,
    writer_turn=nullcontext,
)
