"""Connections to a database for what is done to it as a whole: backup, restore, check."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, make_url, text

from dagcatalog_server.store import postgres_engine as postgres
from dagcatalog_server.store import sqlite_engine as sqlite

_OTHERS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


@contextmanager
def reading(url: str) -> Iterator[Connection]:
    """Open one snapshot of a database; writers go on meanwhile."""
    if (path := sqlite_path(url)) is None:
        engine, options = postgres.postgres_engine(url), postgres.READ_OPTIONS
    else:
        if not path.exists():
            raise FileNotFoundError(f"there is no database {path}")
        engine, options = sqlite.sqlite_engine(path), sqlite.READ_OPTIONS
    with _disposed(engine), engine.execution_options(**options).begin() as connection:
        yield connection


@contextmanager
def writing(url: str) -> Iterator[Connection]:
    """Open one writing transaction, committed when the block ends well."""
    if (path := sqlite_path(url)) is None:
        engine, options = postgres.postgres_engine(url), postgres.WRITE_OPTIONS
    else:
        engine, options = sqlite.sqlite_engine(path), sqlite.WRITE_OPTIONS
    with _disposed(engine), engine.execution_options(**options).begin() as connection:
        yield connection


def in_use(url: str) -> str:
    """Tell who else has a database open, as far as can be told; empty: nobody is known to.

    Behind a pooler only the pooler's own connections can be seen.
    """
    if (path := sqlite_path(url)) is None:
        with reading(url) as connection:
            others: int = connection.execute(_OTHERS).scalar_one()
        return f"{others} other connections" if others else ""
    return "another process" if path.exists() and not _is_alone(path) else ""


def sqlite_path(url: str) -> Path | None:
    """Give the file of a SQLite URL; None: it is another database's."""
    parsed = make_url(url)
    return Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None


def _is_alone(path: Path) -> bool:
    """Leave WAL for a moment: SQLite lets only the one connection that there is do that."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                return False
            raise
        connection.execute("PRAGMA journal_mode = WAL")
    return True


@contextmanager
def _disposed(engine: Engine) -> Iterator[None]:
    try:
        yield
    finally:
        engine.dispose()
