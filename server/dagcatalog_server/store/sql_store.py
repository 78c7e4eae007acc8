"""A store in a SQL database, whichever it is."""

# ruff: noqa: D102 - catalog.ports documents the methods

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, PoolProxiedConnection
from sqlalchemy.exc import TimeoutError as PoolTimeout

from dagcatalog_server.catalog.model import Blob, Clock
from dagcatalog_server.catalog.ports import StoreUnavailable
from dagcatalog_server.store.kept_bases import KeptBases
from dagcatalog_server.store.kept_changes import KeptChanges
from dagcatalog_server.store.sql_blobs import insert_blobs, new_rows
from dagcatalog_server.store.sql_dialect import SqlDialect
from dagcatalog_server.store.sql_reading import READ_CLOCK, SqlSnapshot
from dagcatalog_server.store.sql_writing import SqlTransaction


class SqlStore:
    """Implements `ports.Store`; made by `open_sqlite` and `open_postgres`."""

    def __init__(self, engine: Engine, dialect: SqlDialect, *, schema_revision: str) -> None:
        self._engine = engine
        self._readers = engine.execution_options(**dialect.read_options)
        self._writers = engine.execution_options(**dialect.write_options)
        self._dialect = dialect
        self._schema_revision = schema_revision
        self._kept = KeptChanges()
        self._bases = KeptBases()

    @property
    def name(self) -> str:
        return self._dialect.name

    @property
    def schema_revision(self) -> str:
        return self._schema_revision

    @property
    def blobs_first(self) -> bool:
        return self._dialect.blobs_first

    def put_blobs(self, blobs: Iterable[Blob]) -> None:
        by_hash = {each.hash: each for each in blobs}
        if not by_hash:
            return
        with _pool_bound(), self._readers.connect() as connection:
            rows = new_rows(connection, by_hash, self._bases)
        if rows:
            with self._dialect.writer_turn(), _pool_bound(), self._writers.begin() as connection:
                insert_blobs(connection, self._dialect, rows, by_hash)

    def clock(self) -> Clock:
        # By the driver itself: around one short statement SQLAlchemy's own work is most of the time.
        with _pool_bound(), self._driver_connection() as connection:
            cursor = connection.cursor()
            try:
                cursor.execute(READ_CLOCK)
                found = cursor.fetchone()
            finally:
                cursor.close()
        if found is None:
            raise StoreUnavailable("the clock is not there")
        return Clock(*found)

    @contextmanager
    def read(self) -> Iterator[SqlSnapshot]:
        with _pool_bound(), self._readers.connect() as connection:
            yield SqlSnapshot(connection, self._dialect)

    @contextmanager
    def write(self) -> Iterator[SqlTransaction]:
        with self._dialect.writer_turn(), _pool_bound():
            with self._writers.begin() as connection:
                transaction = SqlTransaction(connection, self._dialect, self._kept, self._bases)
                yield transaction
            self._kept.keep(transaction.appended)

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _driver_connection(self) -> Iterator[PoolProxiedConnection]:
        connection = None
        try:
            connection = self._engine.raw_connection()
            yield connection
        except Exception as error:
            if connection is not None:
                connection.invalidate(error)
            if (told := self._dialect.translate(error)) is not None:
                raise told from error
            raise
        finally:
            if connection is not None:
                connection.close()


@contextmanager
def _pool_bound() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise StoreUnavailable("every database connection is in use") from error
