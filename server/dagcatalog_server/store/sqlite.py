"""The embedded store: one SQLite file, for one machine."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import TypeVar

import orjson
from sqlalchemy import ColumnElement, Connection, Integer, Table, func
from sqlalchemy.dialects import sqlite

from dagcatalog_server.catalog.ports import Store, StoreUnavailable
from dagcatalog_server.store.kept_changes import HeadMark
from dagcatalog_server.store.schema import upgrade
from dagcatalog_server.store.sql_dialect import SqlDialect
from dagcatalog_server.store.sql_inserts import (
    BlobRow,
    DriverValues,
    Row,
    column_names,
    driver_rows,
)
from dagcatalog_server.store.sql_store import SqlStore
from dagcatalog_server.store.sql_tables import FOREVER, HEAD
from dagcatalog_server.store.sqlite_engine import (
    READ_OPTIONS,
    WRITE_OPTIONS,
    sqlite_engine,
    translate,
)

T = TypeVar("T")

MAX_ROWS = 64  # a statement
_VALUES = DriverValues(bytes.fromhex, lambda moment: _utc(moment).isoformat(" ", "microseconds"))
_KEEP = """
INSERT INTO blob (hash, kind, codec, raw_bytes, stored_bytes, data, base_hash, kept_at)
VALUES {values} ON CONFLICT DO NOTHING
"""
_KEPT = "(?, ?, ?, ?, ?, ?, ?, CURRENT_TIMESTAMP)"
_OVERTAKE = f"""
UPDATE change SET until_revision = json_extract(seen.value, '$[2]')
FROM json_each(?) AS seen
WHERE revision = json_extract(seen.value, '$[0]') AND ordinal = json_extract(seen.value, '$[1]')
AND until_revision = {FOREVER}
"""  # noqa: S608 - a number of our own


def open_sqlite(
    path: Path,
    *,
    pool_size: int = 8,
    pool_timeout_s: float = 10.0,
    busy_timeout_s: float = 10.0,
) -> Store:
    """Open the store in a file; it is made, or migrated, if need be.

    Raises:
        SchemaMismatch: a newer release made the file.
        StoreUnavailable: the file cannot be opened, or another process holds it.
        StoreFull: there is no room to make or migrate it.

    """
    engine = sqlite_engine(
        path,
        pool_size=pool_size,
        pool_timeout_s=pool_timeout_s,
        busy_timeout_s=busy_timeout_s,
    )
    dialect = SqlDialect(
        name="sqlite",
        insert=sqlite.insert,
        contains=_contains,
        translate=translate,
        read_options=READ_OPTIONS,
        write_options=WRITE_OPTIONS,
        marker="?",
        head_marks=_head_marks,
        overtake=_overtake,
        now=lambda _: datetime.now(UTC),  # they share a machine
        lock_consumers=lambda _: None,  # who writes is alone
        insert_rows=_insert_rows,
        insert_blobs=_insert_blobs,
        blobs_first=False,
        writer_turn=_turns(busy_timeout_s),
    )
    try:
        with engine.execution_options(**WRITE_OPTIONS).begin() as connection:
            revision = upgrade(connection)
    except BaseException:
        engine.dispose()
        raise
    return SqlStore(engine, dialect, schema_revision=revision)


def _contains(text: ColumnElement[str], part: str) -> ColumnElement[bool]:
    position: ColumnElement[int] = func.instr(text, part, type_=Integer)
    return position > 0


# One row, however many heads: for each row the driver would leave the interpreter's lock and take it.
_MARKS = f"""
SELECT json_group_array(
  json_array(dag_id, revision, ordinal, version, lower(hex(content_hash)))
) FROM change INDEXED BY {HEAD.name}
WHERE until_revision = {FOREVER} AND namespace = ?
AND dag_id IN (SELECT value FROM json_each(?))
"""  # noqa: S608 - a number and a name of our own


def _head_marks(connection: Connection, namespace: str, dag_ids: Sequence[str]) -> list[HeadMark]:
    asked = (namespace, orjson.dumps(dag_ids).decode())
    told: str = connection.exec_driver_sql(_MARKS, asked).scalar_one()
    return [HeadMark(*each) for each in orjson.loads(told)]


def _overtake(connection: Connection, overtaken: Sequence[tuple[int, int, int]]) -> int:
    if not overtaken:
        return 0
    return connection.exec_driver_sql(_OVERTAKE, (orjson.dumps(overtaken).decode(),)).rowcount


def _insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    names = ", ".join(column_names(table))
    one = f"({', '.join('?' * len(table.columns))})"
    insert = f"INSERT INTO {table.name} ({names}) VALUES "  # noqa: S608 - our own names
    for part in _in_powers(list(driver_rows(table, rows, _VALUES))):
        values = ", ".join([one] * len(part))
        connection.exec_driver_sql(insert + values, tuple(chain.from_iterable(part)))


def _in_powers(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut into parts of few sizes, so that few statements are prepared.

    A statement for each row would take the interpreter's lock anew for each, from an event loop that
    has more to do.
    """
    start = 0
    while left := len(rows) - start:
        size = min(MAX_ROWS, 1 << (left.bit_length() - 1))
        yield rows[start : start + size]
        start += size


def _insert_blobs(connection: Connection, rows: Sequence[BlobRow]) -> None:
    made = [
        (
            bytes.fromhex(row.hash),
            *row[1:6],
            None if row.base_hash is None else bytes.fromhex(row.base_hash),
        )
        for row in rows
    ]
    for part in _in_powers(made):
        values = ", ".join([_KEPT] * len(part))
        keep = _KEEP.format(values=values)
        connection.exec_driver_sql(keep, tuple(chain.from_iterable(part)))


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _turns(timeout_s: float) -> Callable[[], AbstractContextManager[None]]:
    """Queue this process's writers: SQLite's own waiting polls, and is not fair."""
    lock = Lock()

    @contextmanager
    def turn() -> Iterator[None]:
        if not lock.acquire(timeout=timeout_s):
            raise StoreUnavailable(f"no turn to write within {timeout_s:g} s")
        try:
            yield
        finally:
            lock.release()

    return turn
