"""SQLAlchemy on a SQLite file: transactions, durability and errors as the store needs them."""

import sqlite3
import time
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, FromClause, create_engine, event
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler

from dagcatalog_server.catalog.ports import StoreConflict, StoreFull, StoreUnavailable
from dagcatalog_server.store.sql_errors import translate_errors

READ_OPTIONS = {"dagcatalog_begin": "BEGIN DEFERRED"}
WRITE_OPTIONS = {"dagcatalog_begin": "BEGIN IMMEDIATE"}

WAL_TIMEOUT_S = 10.0
WAL_RETRY_S = 0.01
_PRIMARY_CODE = 0xFF
_CONFLICTS = {sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY}
_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PROTOCOL,
}


def sqlite_engine(
    path: Path,
    *,
    pool_size: int = 1,
    pool_timeout_s: float = 10.0,
    busy_timeout_s: float = 10.0,
) -> Engine:
    """Make an engine; a connection's options say how its transactions begin."""
    engine = create_engine(
        URL.create("sqlite+pysqlite", database=str(path)),
        pool_size=pool_size,
        max_overflow=0,
        # The connection that wrote last has the pages of the next write in its cache; in the others
        # the write made the whole cache stale.
        pool_use_lifo=True,
        pool_timeout=pool_timeout_s,
        hide_parameters=True,  # errors are logged; what is stored is not
        # Autocommit to the driver: otherwise it begins transactions by itself, too late for a
        # snapshot and not IMMEDIATE. _begin does it instead, as SQLAlchemy's manual describes.
        connect_args={"timeout": busy_timeout_s, "isolation_level": None},
    )
    engine.dialect.statement_compiler = _Compiler
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    translate_errors(engine, translate)
    return engine


def translate(error: BaseException) -> Exception | None:
    """Give the store's exception for one of the driver's; None: it is a bug, let it be seen."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return None
    if code in _CONFLICTS:
        return StoreConflict(str(error))
    if code & _PRIMARY_CODE == sqlite3.SQLITE_FULL:
        return StoreFull(str(error))
    if code & _PRIMARY_CODE in _UNAVAILABLE:
        return StoreUnavailable(str(error))
    return None


class _Compiler(SQLiteCompiler):
    """Writes a table's hint after its name: INDEXED BY, which SQLAlchemy leaves out for SQLite."""

    def get_from_hint_text(self, _table: FromClause, text: str | None) -> str | None:
        return text


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    cursor = connection.cursor()
    _use_wal(cursor)
    cursor.execute("PRAGMA synchronous = FULL")  # a commit survives a power cut
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _use_wal(cursor: sqlite3.Cursor) -> None:
    """Switch the file to WAL. A new file must be had alone for that, and SQLite does not wait."""
    give_up = time.monotonic() + WAL_TIMEOUT_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & _PRIMARY_CODE == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > give_up:
                raise
            time.sleep(WAL_RETRY_S)
        else:
            return


def _begin(connection: Connection) -> None:
    begin = connection.get_execution_options()["dagcatalog_begin"]
    connection.exec_driver_sql(begin)
