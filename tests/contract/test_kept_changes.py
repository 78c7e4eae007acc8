"""A writing transaction takes heads from memory only when they are the rows that the store has."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from dagcatalog_server.catalog.model import Change, DagKey, DagState
from dagcatalog_server.catalog.ports import Store
from tests.support.stored import append, commit, key, state


def head(store: Store, dag: DagKey) -> Change | None:
    """Read a head as a writer does, and as a reader does: they must agree."""
    with store.write() as transaction:
        written = transaction.heads([dag]).get(dag)
    with store.read() as snapshot:
        read = snapshot.heads([dag]).get(dag)
    assert written == read
    return written


def append_in_vain(store: Store, made: DagState) -> None:
    """Write a state in a transaction that is rolled back."""
    with store.write() as transaction:
        append(transaction, made)
        raise InterruptedError


def test_replicas_that_write_in_turns_meet_each_others_heads(
    open_store: Callable[[], Store],
) -> None:
    replicas = [open_store() for _ in range(3)]
    dag = key("shared")
    for turn in range(12):
        commit(replicas[turn % 3], state(dag, version=turn + 1, content=f"of turn {turn}"))
        for replica in replicas:
            found = head(replica, dag)
            assert found is not None
            assert found.state.version == turn + 1


def test_a_change_that_was_rolled_back_is_not_taken_for_the_one_that_was_committed(
    store: Store,
) -> None:
    dag = key("twice")
    commit(store, state(dag))
    second = state(dag, version=2, content="second")
    with pytest.raises(InterruptedError):
        append_in_vain(store, replace(second, actor="never"))
    commit(store, replace(second, actor="committed"))
    found = head(store, dag)
    assert found is not None
    assert found.state.actor == "committed"


def test_heads_of_many_namespaces_are_not_mixed_up(store: Store) -> None:
    keys = [key(dag_id, namespace) for namespace in ("a", "b") for dag_id in ("x", "y")]
    for number, dag in enumerate(keys):
        commit(store, state(dag, version=number + 1, content=str(number)))
    with store.write() as transaction:
        found = transaction.heads([*keys, key("x", "c")])
    assert {dag: one.state.version for dag, one in found.items()} == dict(
        zip(keys, range(1, 5), strict=True)
    )
