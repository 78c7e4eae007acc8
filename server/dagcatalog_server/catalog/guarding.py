"""Turns the failures of a store into errors of the catalog, wherever in a transaction they come."""

# ruff: noqa: D102 - catalog.ports documents the methods

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from dagcatalog_server.catalog.errors import CatalogFull, CatalogUnavailable
from dagcatalog_server.catalog.model import Blob, Clock
from dagcatalog_server.catalog.ports import (
    Snapshot,
    Store,
    StoreFull,
    StoreUnavailable,
    Transaction,
)


class GuardedStore:
    """Implements `ports.Store` over another; a StoreConflict passes, since it is to be retried."""

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def name(self) -> str:
        return self._store.name

    @property
    def schema_revision(self) -> str:
        return self._store.schema_revision

    @property
    def blobs_first(self) -> bool:
        return self._store.blobs_first

    def put_blobs(self, blobs: Iterable[Blob]) -> None:
        with _translated():
            self._store.put_blobs(blobs)

    def clock(self) -> Clock:
        with _translated():
            return self._store.clock()

    @contextmanager
    def read(self) -> Iterator[Snapshot]:
        with _translated(), self._store.read() as snapshot:
            yield snapshot

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        with _translated(), self._store.write() as transaction:
            yield transaction

    def close(self) -> None:
        self._store.close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except StoreUnavailable as error:
        raise CatalogUnavailable from error
    except StoreFull as error:
        raise CatalogFull from error
