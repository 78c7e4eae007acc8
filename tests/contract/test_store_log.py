"""The change log: revisions, order, heads, rollback."""

from dataclasses import replace

import pytest

from dagcatalog_server.catalog.model import ChangeKind
from dagcatalog_server.catalog.ports import Store, StoreConflict
from tests.support.stored import append, change, commit, key, parse_error, stamped, state


class Stop(Exception):
    """Ends a transaction."""


def test_a_fresh_store_stands_at_revision_zero_of_some_epoch(store: Store) -> None:
    with store.read() as snapshot:
        clock = snapshot.clock()
    assert clock.epoch
    assert (clock.revision, clock.compacted_revision) == (0, 0)
    assert clock.position.epoch == clock.epoch


def test_a_store_says_which_it_is(store: Store) -> None:
    assert store.name in {"memory", "sqlite", "postgresql"}
    assert bool(store.schema_revision) == (store.name != "memory")


def test_ticks_advance_the_clock_by_what_they_take(store: Store) -> None:
    with store.write() as transaction:
        assert transaction.tick(1) == 1
        assert transaction.tick(3) == 4
        assert transaction.clock().revision == 4
    with store.read() as snapshot:
        assert snapshot.clock().revision == 4


def test_every_field_of_a_change_comes_back(store: Store) -> None:
    written = stamped([change(state(key("a")), ChangeKind.RESTORED)], 1)
    with store.write() as transaction:
        transaction.tick(1)
        transaction.append(written)
    with store.read() as snapshot:
        assert snapshot.changes(after=0, limit=10) == written
        assert snapshot.heads([key("a")]) == {key("a"): written[0]}


def test_an_empty_state_comes_back(store: Store) -> None:
    full = state(key("a"))
    bare = replace(
        full,
        source_hash="",
        provenance=type(full.provenance)(),
        projection=type(full.projection)(),
        labels={},
    )
    written = replace(change(bare), revision=1, classes=())
    with store.write() as transaction:
        transaction.tick(1)
        transaction.append([written])
    with store.read() as snapshot:
        assert snapshot.changes(after=0, limit=10) == [written]


def test_heads_are_the_newest_changes_and_tombstones_are_among_them(store: Store) -> None:
    commit(store, state(key("a")), state(key("b")), state(key("a", "other")))
    commit(store, state(key("a"), version=2))
    commit(store, state(key("b"), deleted=True))
    asked = [key("a"), key("b"), key("a", "other"), key("absent")]
    with store.read() as snapshot:
        heads = snapshot.heads(asked)
        assert snapshot.heads([]) == {}
    assert {k: h.revision for k, h in heads.items()} == {asked[0]: 2, asked[1]: 3, asked[2]: 1}
    assert heads[key("b")].kind == ChangeKind.DELETED
    assert heads[key("b")].state.delete_reason


def test_many_heads_are_read_at_once(store: Store) -> None:
    keys = [key(f"dag-{number}") for number in range(1200)]
    commit(store, *map(state, keys))
    with store.read() as snapshot:
        assert set(snapshot.heads(keys)) == set(keys)


def test_a_dag_may_change_twice_in_one_batch(store: Store) -> None:
    commit(store, state(key("a")))
    with store.write() as transaction:
        transaction.heads([key("a"), key("b")])
        last = transaction.tick(2)
        first = stamped([change(state(key("a"), version=2)), change(state(key("b")))], last - 1)
        second = stamped([change(state(key("a"), version=v)) for v in (3, 4)], last)
        transaction.append([*first, *second])
    with store.read() as snapshot:
        assert snapshot.heads([key("a")])[key("a")].state.version == 4
        versions = [snapshot.state_at(key("a"), revision) for revision in (1, 2, 3)]
        assert [each.state.version for each in versions if each] == [1, 2, 4]
        assert [(c.revision, c.ordinal) for c in snapshot.changes(after=1, limit=9)] == [
            (2, 0),
            (2, 1),
            (3, 0),
            (3, 1),
        ]


def test_a_transaction_reads_and_builds_on_its_own_writes(store: Store) -> None:
    with store.write() as transaction:
        append(transaction, state(key("a")))
        assert transaction.heads([key("a")])[key("a")].state.version == 1
        append(transaction, state(key("a"), version=2))
        assert transaction.heads([key("a")])[key("a")].state.version == 2
    with store.read() as snapshot:
        assert snapshot.heads([key("a")])[key("a")].revision == 2


def test_heads_that_were_never_read_are_overtaken_all_the_same(store: Store) -> None:
    commit(store, state(key("a")))
    with store.write() as transaction:
        revision = transaction.tick(1)
        transaction.append(stamped([change(state(key("a"), version=2))], revision))
    with store.read() as snapshot:
        assert snapshot.heads([key("a")])[key("a")].state.version == 2


def test_appending_nothing_writes_nothing(store: Store) -> None:
    with store.write() as transaction:
        transaction.append([])
        transaction.remember([])
        transaction.put_parse_errors([])
    with store.read() as snapshot:
        assert snapshot.changes(after=0, limit=10) == []


@pytest.mark.parametrize("error", [Stop, StoreConflict])
def test_a_transaction_that_raises_leaves_nothing_behind(
    store: Store, error: type[Exception]
) -> None:
    commit(store, state(key("a")))
    with pytest.raises(error):
        _write_and_raise(store, error)
    with store.read() as snapshot:
        assert snapshot.clock().revision == 1
        assert len(snapshot.changes(after=0, limit=10)) == 1
        assert snapshot.heads([key("a"), key("b")])[key("a")].state.version == 1
        assert snapshot.parse_error_count(None, None) == 0
    assert commit(store, state(key("a"), version=2)) == 2


def test_changes_come_in_whole_revisions(store: Store) -> None:
    commit(store, *(state(key(name)) for name in "abc"))
    commit(store, *(state(key(name)) for name in "de"))
    commit(store, state(key("f")))

    def revisions(after: int, limit: int) -> list[tuple[int, int]]:
        with store.read() as snapshot:
            return [(c.revision, c.ordinal) for c in snapshot.changes(after=after, limit=limit)]

    first, second, third = [(1, 0), (1, 1), (1, 2)], [(2, 0), (2, 1)], [(3, 0)]
    assert revisions(0, 1) == first
    assert revisions(0, 3) == first
    assert revisions(0, 4) == first + second
    assert revisions(1, 2) == second
    assert revisions(1, 3) == second + third
    assert revisions(2, 100) == third
    assert revisions(3, 100) == []


def test_the_file_heads_are_its_live_dags_by_dag_id(store: Store) -> None:
    elsewhere = type(state(key("x")).provenance)("bundle", "v1", "other.py")
    commit(store, *(state(key(name)) for name in ("b", "a", "gone", "moved")))
    commit(store, state(key("c"), provenance=elsewhere), state(key("a", "other")))
    commit(store, state(key("gone"), deleted=True), state(key("moved"), provenance=elsewhere))
    with store.read() as snapshot:
        found = snapshot.file_heads("default", "bundle", "nightly.py")
        assert [head.key.dag_id for head in found] == ["a", "b"]
        assert snapshot.file_heads("default", "bundle", "absent.py") == []


def _write_and_raise(store: Store, error: type[Exception]) -> None:
    with store.write() as transaction:
        append(transaction, state(key("a"), version=2), state(key("b")))
        transaction.put_parse_errors([parse_error("a.py")])
        raise error
