"""The past: states at a revision, versions, contents."""

import pytest

from dagcatalog_server.catalog.ports import Store
from tests.support.stored import commit, key, sha, state


@pytest.fixture
def lived(store: Store) -> Store:
    """Give a store in which DAG `a` was put, versioned, refreshed, deleted and put again."""
    commit(store, state(key("a"), content="one"))  # 1
    commit(store, state(key("a"), version=2, content="two"))  # 2
    commit(store, state(key("a"), version=2, content="two, moved"))  # 3
    commit(store, state(key("b"), content="one"))  # 4
    commit(store, state(key("a"), version=2, content="two, moved", deleted=True))  # 5
    commit(store, state(key("a"), version=3, content="one"))  # 6
    return store


def test_a_state_is_the_newest_at_or_before_its_revision(lived: Store) -> None:
    with lived.read() as snapshot:
        states = [snapshot.state_at(key("a"), revision) for revision in range(8)]
    assert [each and each.revision for each in states] == [None, 1, 2, 3, 3, 5, 6, 6]
    assert [each.state.deleted for each in states if each] == [False] * 4 + [True] + [False] * 2


def test_a_dag_that_never_was_has_no_past(lived: Store) -> None:
    with lived.read() as snapshot:
        assert snapshot.state_at(key("absent"), 99) is None
        assert snapshot.state_at(key("a", "other"), 99) is None
        assert snapshot.state_of_version(key("absent"), 1) is None
        assert snapshot.versions(key("absent"), before=None, limit=9) == []
        assert snapshot.version_count(key("absent")) == 0


def test_a_version_is_its_newest_change_that_is_no_tombstone(lived: Store) -> None:
    with lived.read() as snapshot:
        found = [snapshot.state_of_version(key("a"), version) for version in range(5)]
    assert [each and each.revision for each in found] == [None, 1, 3, 6, None]


def test_versions_come_newest_first_and_in_pages(lived: Store) -> None:
    with lived.read() as snapshot:
        everything = snapshot.versions(key("a"), before=None, limit=9)
        assert [(c.state.version, c.revision) for c in everything] == [(3, 6), (2, 3), (1, 1)]
        assert snapshot.versions(key("a"), before=None, limit=2) == everything[:2]
        assert snapshot.versions(key("a"), before=2, limit=2) == everything[2:]
        assert snapshot.versions(key("a"), before=1, limit=2) == []
        assert snapshot.version_count(key("a")) == 3


def test_a_version_refreshed_within_one_revision_is_listed_once(store: Store) -> None:
    commit(store, state(key("a"), content="one"), state(key("a"), content="one, moved"))
    with store.read() as snapshot:
        (only,) = snapshot.versions(key("a"), before=None, limit=9)
        assert only.state.hashes.content == sha("one, moved")
        newest = snapshot.state_of_version(key("a"), 1)
        assert newest == only


def test_content_is_found_in_its_newest_change(lived: Store) -> None:
    def found(content: str, dag_id: str | None = None, namespace: str = "default") -> int:
        with lived.read() as snapshot:
            change = snapshot.state_of_content(namespace, sha(content), dag_id)
            return change.revision if change else 0

    assert found("one") == 6
    assert found("one", "b") == 4
    assert found("two") == 2
    assert found("two, moved") == 3  # its tombstone, of revision 5, does not count
    assert found("two", "b") == 0
    assert found("three") == 0
    assert found("one", namespace="other") == 0


def test_what_cannot_be_a_hash_is_never_found(lived: Store) -> None:
    for odd in ("", "zz", "é" * 64, sha("one").upper(), sha("one") + "0", "a%_"):
        with lived.read() as snapshot:
            assert snapshot.state_of_content("default", odd) is None
            assert snapshot.blobs([odd]) == {}
