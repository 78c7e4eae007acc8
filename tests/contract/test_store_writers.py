"""Several writers and readers at once; on PostgreSQL through several stores on one database."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from dagcatalog_server.catalog.model import DagState
from dagcatalog_server.catalog.ports import Store, StoreConflict, Transaction
from dagcatalog_server.store.postgres import open_postgres
from tests.support.stored import append, commit, key, record, state

WRITERS = 4
WRITES = 12


def test_revisions_are_gapless_and_become_visible_in_order(
    open_store: Callable[[], Store],
) -> None:
    stores = [open_store() for _ in range(WRITERS)]
    reader = open_store()
    done = threading.Event()
    with ThreadPoolExecutor(WRITERS + 1) as threads:
        followed = threads.submit(_follow, reader, done)
        writers = [
            threads.submit(_write_dags, store, f"writer-{number}")
            for number, store in enumerate(stores)
        ]
        for writer in writers:
            writer.result()
        done.set()
        seen = followed.result()
    assert seen == list(range(1, WRITERS * WRITES + 1))


def test_no_update_of_one_dag_is_lost(open_store: Callable[[], Store]) -> None:
    stores = [open_store() for _ in range(WRITERS)]
    with ThreadPoolExecutor(WRITERS) as threads:
        for writer in [threads.submit(_add_versions, store) for store in stores]:
            writer.result()
    with stores[0].read() as snapshot:
        log = snapshot.changes(after=0, limit=1000)
        assert [change.state.version for change in log] == list(range(1, WRITERS * WRITES + 1))
        assert [change.revision for change in log] == list(range(1, WRITERS * WRITES + 1))


def test_a_locked_transaction_is_never_overtaken(open_store: Callable[[], Store]) -> None:
    stores = [open_store() for _ in range(WRITERS)]

    def add_locked(store: Store) -> None:
        for _ in range(WRITES):
            with store.write() as transaction:
                transaction.lock()
                head = transaction.heads([key("a")]).get(key("a"))
                append(transaction, state(key("a"), version=head.state.version + 1 if head else 1))

    with ThreadPoolExecutor(WRITERS) as threads:
        for writer in [threads.submit(add_locked, store) for store in stores]:
            writer.result()  # no StoreConflict among them
    with stores[0].read() as snapshot:
        assert snapshot.heads([key("a")])[key("a")].state.version == WRITERS * WRITES


def test_a_snapshot_stays_as_it_was_while_writers_go_on(
    open_store: Callable[[], Store],
) -> None:
    store, writer = open_store(), open_store()
    commit(writer, state(key("a")), state(key("b")))
    with store.read() as snapshot:
        before = snapshot.clock()
        commit(writer, state(key("a"), version=2), state(key("c")))
        commit(writer, state(key("b"), deleted=True))
        assert snapshot.clock() == before
        assert set(snapshot.heads([key("a"), key("b"), key("c")])) == {key("a"), key("b")}
        assert snapshot.heads([key("a")])[key("a")].state.version == 1
        assert {change.revision for change in snapshot.changes(after=0, limit=99)} == {1}
        assert snapshot.counts().namespaces[0].dags == 2
    with store.read() as snapshot:
        assert snapshot.clock().revision == 3


def test_nothing_of_an_open_transaction_is_seen_by_others(
    open_store: Callable[[], Store],
) -> None:
    store, other = open_store(), open_store()
    with store.write() as transaction:
        append(transaction, state(key("a")))
        with other.read() as snapshot:
            assert snapshot.clock().revision == 0
            assert snapshot.heads([key("a")]) == {}
    with other.read() as snapshot:
        assert snapshot.clock().revision == 1


@pytest.fixture
def overlapping(postgres_url: str) -> Iterator[tuple[Store, Store]]:
    """Give two stores whose writing transactions overlap; elsewhere writers take turns."""
    store, other = open_postgres(postgres_url), open_postgres(postgres_url)
    yield store, other
    store.close()
    other.close()


def test_a_head_that_changed_since_it_was_read_is_a_conflict(
    overlapping: tuple[Store, Store],
) -> None:
    store, other = overlapping
    commit(store, state(key("a")))
    with pytest.raises(StoreConflict):
        _write_late(
            store,
            read=lambda transaction: transaction.heads([key("a")]),
            meanwhile=lambda: commit(other, state(key("a"), version=2)),
            late=state(key("a"), version=2),
        )
    _assert_clock_at(store, 2)


def test_reading_a_head_again_does_not_hide_that_it_changed(
    overlapping: tuple[Store, Store],
) -> None:
    store, other = overlapping
    commit(store, state(key("a")))

    def read_twice(transaction: Transaction) -> None:
        transaction.heads([key("a")])
        commit(other, state(key("a"), version=2))
        transaction.heads([key("a")])

    late = state(key("a"), version=2)
    with pytest.raises(StoreConflict):
        _write_late(store, read=read_twice, meanwhile=lambda: None, late=late)
    _assert_clock_at(store, 2)


def test_a_dag_that_appeared_since_it_was_missed_is_a_conflict(
    overlapping: tuple[Store, Store],
) -> None:
    store, other = overlapping
    with pytest.raises(StoreConflict):
        _write_late(
            store,
            read=lambda transaction: transaction.heads([key("a")]),
            meanwhile=lambda: commit(other, state(key("a"))),
            late=state(key("a")),
        )
    _assert_clock_at(store, 1)


def test_a_file_head_that_changed_since_it_was_read_is_a_conflict(
    overlapping: tuple[Store, Store],
) -> None:
    store, other = overlapping
    commit(store, state(key("a")))
    with pytest.raises(StoreConflict):
        _write_late(
            store,
            read=lambda transaction: transaction.file_heads("default", "bundle", "nightly.py"),
            meanwhile=lambda: commit(other, state(key("a"), version=2)),
            late=state(key("a"), deleted=True),
        )
    _assert_clock_at(store, 2)


def test_changes_of_other_dags_are_no_conflict(overlapping: tuple[Store, Store]) -> None:
    store, other = overlapping
    _write_late(
        store,
        read=lambda transaction: transaction.heads([key("a")]),
        meanwhile=lambda: commit(other, state(key("b"))),
        late=state(key("a")),
    )
    _assert_clock_at(store, 2)


def test_a_request_id_that_was_kept_meanwhile_is_a_conflict(
    overlapping: tuple[Store, Store],
) -> None:
    store, other = overlapping

    def remember(owner: Store, *, meanwhile: Callable[[], object]) -> None:
        with owner.write() as transaction:
            assert transaction.requests("default", ["id"]).get("id") is None
            meanwhile()
            transaction.remember([record("id")])

    def remember_first() -> None:
        remember(other, meanwhile=lambda: None)

    with pytest.raises(StoreConflict):
        remember(store, meanwhile=remember_first)


def _write_late(
    store: Store,
    *,
    read: Callable[[Transaction], object],
    meanwhile: Callable[[], object],
    late: DagState,
) -> None:
    """Write what was decided on before somebody else wrote."""
    with store.write() as transaction:
        read(transaction)
        meanwhile()
        append(transaction, late)


def _assert_clock_at(store: Store, revision: int) -> None:
    with store.read() as snapshot:
        assert snapshot.clock().revision == revision
        assert len(snapshot.changes(after=0, limit=100)) == revision


def _write_dags(store: Store, prefix: str) -> None:
    for number in range(WRITES):
        commit(store, state(key(f"{prefix}-{number}")))


def _add_versions(store: Store) -> None:
    written = 0
    while written < WRITES:
        try:
            with store.write() as transaction:
                head = transaction.heads([key("a")]).get(key("a"))
                append(transaction, state(key("a"), version=head.state.version + 1 if head else 1))
        except StoreConflict:
            continue
        written += 1


def _follow(store: Store, done: threading.Event) -> list[int]:
    """Read the log as a watcher does: always only what is after the last revision seen."""
    seen: list[int] = []
    while True:
        last_round = done.is_set()
        with store.read() as snapshot:
            new = snapshot.changes(after=seen[-1] if seen else 0, limit=5)
            assert not new or new[-1].revision <= snapshot.clock().revision
        seen += [change.revision for change in new]
        if last_round and not new:
            return seen
