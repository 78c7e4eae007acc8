"""The stores that the contract is for. A new store is one more entry here."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from dagcatalog_server.catalog.ports import Store
from dagcatalog_server.store.memory import MemoryStore
from dagcatalog_server.store.postgres import open_postgres
from dagcatalog_server.store.sql_dialect import SqlDialect
from dagcatalog_server.store.sql_store import SqlStore
from dagcatalog_server.store.sqlite import open_sqlite

Opener = Callable[[], Store]


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Give what opens the test's store, once more each time: a replica beside the others."""
    opened: list[Store] = []
    opener = _opener(request, tmp_path, request.param)

    def open_another() -> Store:
        store = opener()
        opened.append(store)
        return store

    yield open_another
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Opener) -> Store:
    """Give a fresh store."""
    return open_store()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Engine, SqlDialect]]:
    """Give the engine and the dialect below a SQL store."""
    if request.param == "sqlite":
        opened = open_sqlite(tmp_path / "catalog.db")
    else:
        opened = open_postgres(request.getfixturevalue("postgres_url"))
    assert isinstance(opened, SqlStore)
    yield opened._writers, opened._dialect
    opened.close()


def _opener(request: pytest.FixtureRequest, folder: Path, name: str) -> Opener:
    match name:
        case "sqlite":
            return lambda: open_sqlite(folder / "catalog.db")
        case "postgresql":
            url: str = request.getfixturevalue("postgres_url")
            return lambda: open_postgres(url)
        case _:
            memory = MemoryStore()  # the one process that there is shares it
            return lambda: memory
