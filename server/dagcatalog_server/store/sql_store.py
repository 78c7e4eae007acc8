"""A store in a SQL database, whichever it is."""

# ruff: noqa: D102 - catalog.ports documents the methods

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import TimeoutError as PoolTimeout

from dagcatalog_server.catalog.model import Blob
from dagcatalog_server.catalog.ports import StoreUnavailable
from dagcatalog_server.store.sql_blobs import blob_values, known_hashes
from dagcatalog_server.store.sql_dialect import SqlDialect
from dagcatalog_server.store.sql_reading import SqlSnapshot
from dagcatalog_server.store.sql_tables import blob
from dagcatalog_server.store.sql_writing import SqlTransaction


class SqlStore:
    """Implements `ports.Store`; made by `open_sqlite` and `open_postgres`."""

    def __init__(self, engine: Engine, dialect: SqlDialect, *, schema_revision: str) -> None:
        self._engine = engine
        self._readers = engine.execution_options(**dialect.read_options)
        self._writers = engine.execution_options(**dialect.write_options)
        self._dialect = dialect
        self._schema_revision = schema_revision

    @property
    def name(self) -> str:
        return self._dialect.name

    @property
    def schema_revision(self) -> str:
        return self._schema_revision

    def put_blobs(self, blobs: Iterable[Blob]) -> None:
        by_hash = {each.hash: each for each in blobs}
        if not by_hash:
            return
        with _pool_bound(), self._readers.connect() as connection:
            known = known_hashes(connection, by_hash)
        # Compressed outside of the writing transaction, and sorted, so that two writers of the same
        # blobs cannot wait for each other in a circle.
        rows = [blob_values(by_hash[each]) for each in sorted(by_hash.keys() - known)]
        if rows:
            kept = self._dialect.insert(blob).on_conflict_do_nothing()
            with self._dialect.writer_turn(), _pool_bound(), self._writers.begin() as connection:
                connection.execute(kept, rows)

    @contextmanager
    def read(self) -> Iterator[SqlSnapshot]:
        with _pool_bound(), self._readers.connect() as connection:
            yield SqlSnapshot(connection, self._dialect)

    @contextmanager
    def write(self) -> Iterator[SqlTransaction]:
        with self._dialect.writer_turn(), _pool_bound(), self._writers.begin() as connection:
            yield SqlTransaction(connection, self._dialect)

    def close(self) -> None:
        self._engine.dispose()


@contextmanager
def _pool_bound() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise StoreUnavailable("every database connection is in use") from error
