"""The embedded store: one SQLite file, for one machine."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from sqlalchemy import ColumnElement, Connection, Integer, Table, func
from sqlalchemy.dialects import sqlite

from dagcatalog_server.catalog.ports import Store, StoreUnavailable
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
from dagcatalog_server.store.sql_tables import FOREVER
from dagcatalog_server.store.sqlite_engine import (
    READ_OPTIONS,
    WRITE_OPTIONS,
    sqlite_engine,
    translate,
)

# By the hundred one statement after the other: SQLite keeps what it has prepared.
_VALUES = DriverValues(bytes.fromhex, lambda moment: _utc(moment).isoformat(" ", "microseconds"))
_KEEP = """
INSERT INTO blob (hash, kind, codec, raw_bytes, stored_bytes, data, base_hash, kept_at)
VALUES (?, ?, ?, ?, ?, ?, ?, CURRENT_TIMESTAMP) ON CONFLICT DO NOTHING
"""
_OVERTAKE = f"""
UPDATE change SET until_revision = ?
WHERE revision = ? AND ordinal = ? AND until_revision = {FOREVER}
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
        overtake=_overtake,
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


def _overtake(connection: Connection, overtaken: Sequence[tuple[int, int, int]]) -> int:
    if not overtaken:
        return 0
    rows = [(until, revision, ordinal) for revision, ordinal, until in overtaken]
    return connection.exec_driver_sql(_OVERTAKE, rows).rowcount


def _insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    names = column_names(table)
    marks = ", ".join("?" * len(names))
    insert = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608 - our own names
    connection.exec_driver_sql(insert, list(map(tuple, driver_rows(table, rows, _VALUES))))


def _insert_blobs(connection: Connection, rows: Sequence[BlobRow]) -> None:
    made = [
        (
            bytes.fromhex(row.hash),
            *row[1:6],
            None if row.base_hash is None else bytes.fromhex(row.base_hash),
        )
        for row in rows
    ]
    connection.exec_driver_sql(_KEEP, made)


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
