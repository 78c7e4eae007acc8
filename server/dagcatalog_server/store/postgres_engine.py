"""SQLAlchemy on PostgreSQL: transactions, limits and errors as the store needs them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2 import errorcodes
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.exc import InvalidatePoolError

from dagcatalog_server.catalog.ports import StoreConflict, StoreFull, StoreUnavailable
from dagcatalog_server.store.postgres_connection import PostgresConnection
from dagcatalog_server.store.postgres_patience import PatienceWatch
from dagcatalog_server.store.postgres_reach import CONNECT_TIMEOUT_S, Reach, connect_arguments
from dagcatalog_server.store.sql_errors import translate_errors

WRITE_OPTIONS = {"dagcatalog_begin": "BEGIN ISOLATION LEVEL READ COMMITTED;"}
READ_OPTIONS = {"dagcatalog_begin": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"}

OLDEST_VERSION = 14_00_00
ENCODING = "UTF8"
GRACE_S = 2.0

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


class DatabaseUnfit(Exception):
    """A PostgreSQL that cannot hold a catalog, in one sentence for the operator."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresLimits:
    """How long a transaction may take, in seconds; 0 is without limit."""

    statement_s: float = 0.0
    """Of one statement, waiting for locks included. Counted here too, with a grace of 2 s, in case
    the server cannot."""
    lock_s: float = 0.0
    """Of waiting for one lock; also of a commit, which may wait for a synchronous standby."""
    idle_s: float = 0.0
    """Between two statements: a replica that is paused in a write must not stop the others."""

    def statements(self) -> str:
        """Give the SQL that sets them for the transaction under way."""
        # Below WARNING a commit would not tell that no standby has it (PostgresConnection.commit).
        return (
            f"SET LOCAL statement_timeout={self.statement_s * 1000:.0f};"
            f"SET LOCAL lock_timeout={self.lock_s * 1000:.0f};"
            f"SET LOCAL idle_in_transaction_session_timeout={self.idle_s * 1000:.0f};"
            "SET LOCAL client_min_messages=warning;"
        )


def postgres_engine(
    url: str,
    *,
    pool_size: int = 1,
    pool_timeout_s: float = 10.0,
    connect_timeout_s: int = CONNECT_TIMEOUT_S,
    limits: PostgresLimits = PostgresLimits(),
) -> Engine:
    """Make an engine; a connection's options say how its transactions begin.

    No session keeps a setting, so that a pooler may give every transaction another one.

    Raises, when it connects:
        DatabaseUnfit: an older release of PostgreSQL, or a database that is not UTF-8.

    """
    parsed = make_url(url).set(drivername="postgresql+psycopg2")
    engine = create_engine(
        parsed,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=pool_timeout_s,
        hide_parameters=True,  # errors are logged; what is stored is not
        isolation_level="AUTOCOMMIT",  # transactions are begun by _begin
        use_native_hstore=False,  # looked up in a round trip of every new connection
        connect_args={
            **connect_arguments(parsed, connect_timeout_s=connect_timeout_s),
            "connection_factory": PostgresConnection,
        },
        execution_options=WRITE_OPTIONS,
    )
    _Sessions(limits).listen_to(engine)
    translate_errors(engine, translate)
    return engine


class _Sessions:
    """What is done at each turn of the life of a pool's connections."""

    def __init__(self, limits: PostgresLimits) -> None:
        self._limits = limits
        self._set_limits = limits.statements()
        self._reach = Reach()
        self._watch = PatienceWatch()

    def listen_to(self, engine: Engine) -> None:
        event.listen(engine, "do_connect", self._connect)
        event.listen(engine, "connect", self._configure)
        event.listen(engine, "checkout", self._look)
        event.listen(engine, "begin", self._begin)
        event.listen(engine, "handle_error", self._notice)
        event.listen(engine, "engine_disposed", self._dispose)

    def _connect(
        self, _dialect: object, _record: object, given: Sequence[Any], named: Mapping[str, Any]
    ) -> PostgresConnection:
        def open_one() -> PostgresConnection:
            opened: PostgresConnection = psycopg2.connect(*given, **named)
            return opened

        return self._reach.connect(open_one)

    def _configure(self, connection: PostgresConnection, _record: object) -> None:
        encoding = connection.info.parameter_status("server_encoding")
        require_fit(connection.info.server_version, encoding)
        if self._limits.statement_s:
            connection.patience.statement_s = self._limits.statement_s + GRACE_S
        connection.patience.commit_s = self._limits.lock_s
        self._watch.watch(connection)

    def _look(self, connection: PostgresConnection, _record: object, _proxy: object) -> None:
        if not (connection.is_quiet() or _answers(connection)):
            self._reach.doubt()
            raise InvalidatePoolError  # a new one is made for this use, and for each of the others

    def _begin(self, connection: Connection) -> None:
        options = connection.get_execution_options()
        driver: Any = connection.connection.dbapi_connection
        if options.get("isolation_level") != "AUTOCOMMIT":
            driver.begin(options["dagcatalog_begin"] + self._set_limits)

    def _notice(self, context: ExceptionContext) -> None:
        code = getattr(context.original_exception, "pgcode", None)
        # What was the primary may stay connected: behind a pooler, or a name that has moved.
        if code == errorcodes.READ_ONLY_SQL_TRANSACTION:
            context.is_disconnect = True
        if context.is_disconnect:
            self._reach.doubt()

    def _dispose(self, _engine: Engine) -> None:
        self._watch.stop()


def require_fit(version: int, encoding: str | None) -> None:
    """Raise DatabaseUnfit unless a catalog can live there; `version` is 160002 for 16.2."""
    if version < OLDEST_VERSION:
        found = f"{version // 10_000}.{version % 10_000}"
        raise DatabaseUnfit(f"PostgreSQL is {found}; dagcatalog needs {OLDEST_VERSION // 10_000}")
    if encoding != ENCODING:
        raise DatabaseUnfit(
            f"the database is encoded in {encoding}, which cannot hold every text; "
            f"make one with CREATE DATABASE … ENCODING '{ENCODING}' TEMPLATE template0"
        )


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


def _answers(connection: PostgresConnection) -> bool:
    """Ask a server that has said something unasked: a changed setting, or good-bye."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except psycopg2.Error:
        return False
    return True
