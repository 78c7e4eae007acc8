"""The embedded store: one SQLite file, for one machine."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock

from sqlalchemy import ColumnElement, Connection, Integer, func
from sqlalchemy.dialects import sqlite

from dagcatalog_server.catalog.ports import Store, StoreUnavailable
from dagcatalog_server.store.schema import upgrade
from dagcatalog_server.store.sql_dialect import SqlDialect
from dagcatalog_server.store.sql_store import SqlStore
from dagcatalog_server.store.sql_tables import FOREVER
from dagcatalog_server.store.sqlite_engine import (
    READ_OPTIONS,
    WRITE_OPTIONS,
    sqlite_engine,
    translate,
)

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
        now=lambda _: datetime.now(UTC),  # they share a machine
        lock_consumers=lambda _: None,  # who writes is alone
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
