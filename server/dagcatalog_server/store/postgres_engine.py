"""SQLAlchemy on PostgreSQL: limits and errors as the store needs them."""

from typing import Any

import psycopg2
from psycopg2 import errorcodes
from sqlalchemy import Engine, create_engine, event, make_url

from dagcatalog_server.catalog.ports import StoreConflict, StoreFull, StoreUnavailable
from dagcatalog_server.store.sql_errors import translate_errors

_CONFLICTS = {
    errorcodes.UNIQUE_VIOLATION,
    errorcodes.SERIALIZATION_FAILURE,
    errorcodes.DEADLOCK_DETECTED,
}
_UNAVAILABLE = {
    errorcodes.LOCK_NOT_AVAILABLE,
    errorcodes.IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    errorcodes.READ_ONLY_SQL_TRANSACTION,  # a primary that became a standby
    errorcodes.IO_ERROR,
}
_UNAVAILABLE_CLASSES = {
    errorcodes.CLASS_CONNECTION_EXCEPTION,
    errorcodes.CLASS_INSUFFICIENT_RESOURCES,
    errorcodes.CLASS_OPERATOR_INTERVENTION,  # shutdown, crash, cancelled by a timeout
}


def postgres_engine(
    url: str,
    *,
    pool_size: int = 1,
    pool_timeout_s: float = 10.0,
    connect_timeout_s: int = 5,
    settings: dict[str, str] | None = None,
) -> Engine:
    """Make an engine; `settings` are set on each new connection."""
    in_force = {"timezone": "UTC", **(settings or {})}
    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg2"),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=pool_timeout_s,
        hide_parameters=True,  # errors are logged; what is stored is not
        pool_pre_ping=True,
        isolation_level="READ COMMITTED",
        connect_args={"connect_timeout": connect_timeout_s, "client_encoding": "utf8"},
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            for name, value in in_force.items():
                cursor.execute("SELECT set_config(%s, %s, false)", (name, value))
        connection.commit()

    translate_errors(engine, translate)
    return engine


def translate(error: BaseException) -> Exception | None:
    """Give the store's exception for one of the driver's; None: it is a bug, let it be seen."""
    if not isinstance(error, psycopg2.Error):
        return None
    code = error.pgcode
    if code is None:
        lost = isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError)
        return StoreUnavailable(str(error).strip()) if lost else None
    if code in _CONFLICTS:
        return StoreConflict(str(error).strip())
    if code == errorcodes.DISK_FULL:
        return StoreFull(str(error).strip())
    if code in _UNAVAILABLE or code[:2] in _UNAVAILABLE_CLASSES:
        return StoreUnavailable(str(error).strip())
    return None
