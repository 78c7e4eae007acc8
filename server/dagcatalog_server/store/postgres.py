"""The production store: a PostgreSQL database, shared by any number of replicas."""

from contextlib import nullcontext

from sqlalchemy import ColumnElement, Integer, func
from sqlalchemy.dialects import postgresql

from dagcatalog_server.catalog.ports import Store
from dagcatalog_server.store.postgres_engine import postgres_engine
from dagcatalog_server.store.schema import require_current
from dagcatalog_server.store.sql_dialect import SqlDialect
from dagcatalog_server.store.sql_store import SqlStore


def open_postgres(
    url: str,
    *,
    pool_size: int = 8,
    pool_timeout_s: float = 10.0,
    connect_timeout_s: int = 5,
    statement_timeout_s: float = 30.0,
    lock_timeout_s: float = 10.0,
    idle_in_transaction_timeout_s: float = 30.0,
) -> Store:
    """Open the store in a database that `schema.migrate` has prepared.

    `url` is postgresql://user:password@host/database; several hosts and every other parameter of
    libpq go into its query.

    Raises:
        SchemaMismatch: the database is behind, or at a revision that this release does not know.
        StoreUnavailable: it cannot be reached.

    """
    engine = postgres_engine(
        url,
        pool_size=pool_size,
        pool_timeout_s=pool_timeout_s,
        connect_timeout_s=connect_timeout_s,
        settings={
            "statement_timeout": f"{statement_timeout_s * 1000:.0f}ms",
            "lock_timeout": f"{lock_timeout_s * 1000:.0f}ms",
            "idle_in_transaction_session_timeout": f"{idle_in_transaction_timeout_s * 1000:.0f}ms",
        },
    )
    try:
        with engine.connect() as connection:
            revision = require_current(connection)
    except BaseException:
        engine.dispose()
        raise
    return SqlStore(engine, _DIALECT, schema_revision=revision)


def _contains(text: ColumnElement[str], part: str) -> ColumnElement[bool]:
    position: ColumnElement[int] = func.strpos(text, part, type_=Integer)
    return position > 0


_DIALECT = SqlDialect(
    name="postgresql",
    insert=postgresql.insert,
    contains=_contains,
    read_options={
        "isolation_level": "REPEATABLE READ",
        "postgresql_readonly": True,
    },
    write_options={},
    writer_turn=nullcontext,
)
