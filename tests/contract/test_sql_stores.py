"""What only the stores with a database promise: durability, plans, refusals, bounds."""

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from sqlalchemy import Engine, event

from dagcatalog_server.catalog.ports import Store, StoreConflict, StoreFull, StoreUnavailable
from dagcatalog_server.catalog.query import (
    Cursor,
    DagFilter,
    DeletedFilter,
    ListOrder,
    ListQuery,
)
from dagcatalog_server.store import postgres_engine, sqlite_engine
from dagcatalog_server.store.postgres import open_postgres
from dagcatalog_server.store.schema import migrate
from dagcatalog_server.store.sqlite import open_sqlite
from tests.support.postgres import Postgres, running_postgres
from tests.support.stored import append, blob, commit, key, state
from tests.support.waiting import wait_until

HEAD_INDEXES = ("change_head", "change_live", "change_recent", "change_of_file")


def test_sqlite_keeps_everything_when_it_is_opened_again(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path / "catalog.db")
    before = _write_something(store)
    store.close()
    reopened = open_sqlite(tmp_path / "catalog.db")
    assert _read_everything(reopened) == before
    assert commit(reopened, state(key("b"))) == 2
    reopened.close()


def test_postgresql_keeps_everything_when_it_is_opened_again(postgres_url: str) -> None:
    store = open_postgres(postgres_url)
    before = _write_something(store)
    store.close()
    reopened = open_postgres(postgres_url)
    assert _read_everything(reopened) == before
    assert commit(reopened, state(key("b"))) == 2
    reopened.close()


def test_sqlite_commits_survive_a_power_cut(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path / "catalog.db")
    with store.read() as snapshot:
        connection = snapshot._connection  # type: ignore[attr-defined]  # how it was set up
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    store.close()
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_a_full_disk_is_told_apart_and_reads_go_on(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path / "catalog.db", pool_size=1)
    commit(store, state(key("a")))
    with store.read() as snapshot:
        connection = snapshot._connection  # type: ignore[attr-defined]  # a disk as small as this
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreFull):
        commit(store, *(state(key(f"dag_{number}")) for number in range(500)))
    with store.read() as snapshot:
        assert snapshot.clock().revision == 1
        assert len(snapshot.heads([key("a")])) == 1
    store.close()


def test_another_process_that_holds_sqlite_makes_it_unavailable(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path / "catalog.db", busy_timeout_s=0.05)
    other = sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable):
        commit(store, state(key("a")))
    with store.read() as snapshot:
        assert snapshot.clock().revision == 0
    other.close()
    assert commit(store, state(key("a"))) == 1
    store.close()


def test_a_place_where_no_file_can_be_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        open_sqlite(tmp_path / "absent" / "catalog.db")


def test_more_readers_than_connections_wait_and_then_give_up(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path / "catalog.db", pool_size=1, pool_timeout_s=0.05)
    with store.read(), pytest.raises(StoreUnavailable), store.read():
        pass
    store.close()


def test_a_database_that_goes_away_and_comes_back_is_used_again() -> None:
    with running_postgres(durable=True) as cluster:
        migrate(cluster.url("postgres"))
        store = open_postgres(cluster.url("postgres"), connect_timeout_s=2)
        commit(store, state(key("a")))
        with pytest.raises(StoreUnavailable):
            _crash_inside_a_write(store, cluster)
        with pytest.raises(StoreUnavailable), store.read():
            pass
        with pytest.raises(StoreUnavailable):
            store.put_blobs([blob("x")])
        cluster.start()
        wait_until(lambda: _answers(store))  # it asks again after a pause, not at once
        assert commit(store, state(key("b"))) == 2
        store.close()


def test_a_database_that_is_not_there_is_unavailable(postgres: Postgres) -> None:
    with pytest.raises(StoreUnavailable):
        open_postgres("postgresql://postgres@127.0.0.1:1/absent", connect_timeout_s=2)
    with pytest.raises(StoreUnavailable):
        open_postgres(postgres.url("absent"))


def test_a_lock_that_is_held_too_long_is_unavailable(postgres_url: str) -> None:
    holder = open_postgres(postgres_url)
    waiting = open_postgres(postgres_url, lock_timeout_s=0.05)
    with holder.write() as transaction:
        transaction.lock()
        with pytest.raises(StoreUnavailable):
            commit(waiting, state(key("a")))
    holder.close()
    waiting.close()


def test_limits_are_in_force_on_every_connection(postgres_url: str) -> None:
    store = open_postgres(
        postgres_url,
        statement_timeout_s=7,
        lock_timeout_s=3,
        idle_in_transaction_timeout_s=11,
    )
    with store.read() as snapshot:
        connection = snapshot._connection  # type: ignore[attr-defined]  # how it was set up
        settings = {
            name: connection.exec_driver_sql(f"SHOW {name}").scalar()
            for name in (
                "statement_timeout",
                "lock_timeout",
                "idle_in_transaction_session_timeout",
                "transaction_isolation",
                "transaction_read_only",
                "client_min_messages",
            )
        }
    store.close()
    assert list(settings.values()) == ["7s", "3s", "11s", "repeatable read", "on", "warning"]


def test_two_writers_of_the_same_blobs_never_block_each_other_for_good(postgres_url: str) -> None:
    store = open_postgres(postgres_url)
    blobs = [blob(f"document {number}") for number in range(50)]
    start = threading.Barrier(4)

    def put(number: int) -> None:
        start.wait()
        store.put_blobs(blobs if number % 2 else reversed(blobs))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(put, range(4)))
    with store.read() as snapshot:
        assert snapshot.counts().blobs == 50
    store.close()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (sqlite3.SQLITE_FULL, StoreFull),
        (sqlite3.SQLITE_BUSY, StoreUnavailable),
        (sqlite3.SQLITE_IOERR_FSYNC, StoreUnavailable),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, StoreConflict),
        (sqlite3.SQLITE_CONSTRAINT_NOTNULL, None),
        (sqlite3.SQLITE_ERROR, None),
    ],
)
def test_sqlite_errors_are_translated(code: int, expected: type[Exception] | None) -> None:
    error = sqlite3.OperationalError("…")
    error.sqlite_errorcode = code
    _assert_translated(sqlite_engine.translate(error), expected)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("53100", StoreFull),
        ("53300", StoreUnavailable),
        ("57P01", StoreUnavailable),
        ("57014", StoreUnavailable),
        ("55P03", StoreUnavailable),
        ("25006", StoreUnavailable),
        ("08006", StoreUnavailable),
        (None, StoreUnavailable),
        ("40001", StoreConflict),
        ("40P01", StoreConflict),
        ("23505", StoreConflict),
        ("23502", None),
        ("42P01", None),
    ],
)
def test_postgresql_errors_are_translated(
    code: str | None, expected: type[Exception] | None
) -> None:
    error = _CodedError("…", code)
    _assert_translated(postgres_engine.translate(error), expected)


@pytest.fixture(params=["sqlite", "postgresql"])
def big_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Give a store with enough in it that a planner prefers an index."""
    if request.param == "sqlite":
        store = open_sqlite(tmp_path / "catalog.db")
    else:
        store = open_postgres(request.getfixturevalue("postgres_url"))
    for first in range(0, 4000, 500):
        commit(store, *(state(key(f"dag_{number:05}")) for number in range(first, first + 500)))
    with _engine(store).execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        if request.param == "postgresql":
            connection.exec_driver_sql("ANALYZE")
    yield store
    store.close()


def test_a_page_walks_an_index_of_heads_and_no_list_touches_a_blob(big_store: Store) -> None:
    after = Cursor(key("dag_02000"), 4)
    filters = [
        DagFilter(namespace="default"),
        DagFilter(namespace="default", deleted=DeletedFilter.INCLUDE),
        DagFilter(namespace="default", dag_id_prefix="dag_02"),
        DagFilter(),
    ]
    for dag_filter, order in product(filters, ListOrder):
        with _plans(big_store) as plans, big_store.read() as snapshot:
            snapshot.page(ListQuery(dag_filter, 8, 20, order, after))
        (plan,) = plans
        if order in (ListOrder.DAG_ID, ListOrder.DAG_ID_DESC) or big_store.name == "sqlite":
            assert any(index in plan for index in HEAD_INDEXES), plan
        # PostgreSQL may walk the log itself by revision: it is as good while most rows are heads.
        assert "blob" not in plan
        assert "SCAN change" not in plan.replace("SCAN change USING", "")
        assert "Seq Scan" not in plan


def test_counting_and_single_reads_use_indexes_too(big_store: Store) -> None:
    with _plans(big_store) as plans, big_store.read() as snapshot:
        snapshot.heads([key("dag_00001")])
        snapshot.state_at(key("dag_00001"), 3)
        snapshot.state_of_version(key("dag_00001"), 1)
        snapshot.state_of_content("default", "0" * 64)
        snapshot.versions(key("dag_00001"), before=None, limit=10)
        snapshot.changes(after=7, limit=1000)
        snapshot.file_heads("default", "bundle", "absent.py")
    assert len(plans) == 7
    for plan in plans:
        assert "Seq Scan on change" not in plan
        assert "SCAN change" not in plan
        assert "blob" not in plan


class _plans:  # noqa: N801 - reads as a statement
    """Collects the plan of every SELECT on changes, and no other statement's."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._plans: list[str] = []

    def __enter__(self) -> list[str]:
        event.listen(_engine(self._store), "before_cursor_execute", self._explain)
        return self._plans

    def __exit__(self, *_: object) -> None:
        event.remove(_engine(self._store), "before_cursor_execute", self._explain)

    def _explain(self, _c: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if not statement.startswith("SELECT change"):
            return
        explain = "EXPLAIN QUERY PLAN " if self._store.name == "sqlite" else "EXPLAIN "
        with_plan = cursor.connection.cursor()
        with_plan.execute(explain + statement, parameters)
        self._plans.append("\n".join(str(row[-1]) for row in with_plan.fetchall()))
        with_plan.close()


class _CodedError(psycopg2.OperationalError):
    """An error as the driver raises it; the driver's own `pgcode` cannot be set."""

    pgcode: str | None = None

    def __init__(self, message: str, code: str | None) -> None:
        super().__init__(message)
        self.pgcode = code


def _engine(store: Store) -> Engine:
    engine: Engine = store._engine  # type: ignore[attr-defined]  # to listen to its statements
    return engine


def _write_something(store: Store) -> list[object]:
    store.put_blobs([blob("document")])
    commit(store, state(key("a")))
    return _read_everything(store)


def _read_everything(store: Store) -> list[object]:
    with store.read() as snapshot:
        return [
            snapshot.clock(),
            snapshot.changes(after=0, limit=10),
            snapshot.blobs([blob("document").hash]),
            snapshot.counts(),
        ]


def _crash_inside_a_write(store: Store, cluster: Postgres) -> None:
    with store.write() as transaction:
        append(transaction, state(key("lost")))
        cluster.stop()


def _answers(store: Store) -> bool:
    try:
        store.clock()
    except StoreUnavailable:
        return False
    return True


def _assert_translated(translated: Exception | None, expected: type[Exception] | None) -> None:
    assert (None if translated is None else type(translated)) is expected
