"""Writes that share a transaction: each has its own outcome and its own revision."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from dagcatalog_server.catalog.catalog import Catalog
from dagcatalog_server.catalog.committing import Result
from dagcatalog_server.catalog.errors import (
    CatalogError,
    DagNotFound,
    NotDeleted,
    PreconditionFailed,
    RequestIdReused,
)
from dagcatalog_server.catalog.model import ChangeKind
from dagcatalog_server.catalog.writes import Precondition, Write, WriteOutcome
from tests.support.writes import (
    commit,
    delete,
    log_of,
    put,
    put_operation,
    refusal,
    replace_file,
    restore,
    write,
)
from tests.unit.catalog.conftest import WallClock

CREATED, NEW_VERSION, REFRESHED, DELETED, RESTORED = ChangeKind


def told(results: Sequence[Result]) -> list[object]:
    """Say of each write its revision, or the name of its error."""
    return [
        type(one).__name__ if isinstance(one, CatalogError) else one.revision for one in results
    ]


def history(catalog: Catalog) -> list[tuple[int, int, str, ChangeKind, int]]:
    return [
        (one.revision, one.ordinal, one.key.dag_id, one.kind, one.state.version)
        for one in log_of(catalog)
    ]


def test_each_write_of_a_group_has_a_revision_in_its_order(catalog: Catalog) -> None:
    assert told(catalog.commit([put(name) for name in "cab"]).results) == [1, 2, 3]
    assert history(catalog) == [(n, 0, name, CREATED, 1) for n, name in enumerate("cab", 1)]
    assert told(catalog.commit([put("d"), put("e")]).results) == [4, 5]


def test_a_batch_is_one_revision_with_ordinals(catalog: Catalog) -> None:
    [outcome] = commit(catalog, write(*(put_operation(name) for name in "ba")))
    assert outcome.revision == 1
    assert [(one.change.ordinal, one.change.key.dag_id) for one in outcome.operations] == [
        (0, "b"),
        (1, "a"),
    ]


def test_a_refused_write_takes_no_revision_and_harms_nobody(catalog: Catalog) -> None:
    commit(catalog, put("there"))
    results = catalog.commit(
        [
            put("a"),
            delete("missing"),
            put("a", tags=("x",), precondition=Precondition(version=7)),
            restore("there"),
            put("b"),
        ]
    ).results
    assert told(results) == [2, "DagNotFound", "PreconditionFailed", "NotDeleted", 3]
    assert isinstance(results[1], DagNotFound)
    assert isinstance(results[2], PreconditionFailed)
    assert isinstance(results[3], NotDeleted)
    assert [one[2] for one in history(catalog)] == ["there", "a", "b"]


def test_a_batch_that_fails_in_its_middle_leaves_no_trace(catalog: Catalog) -> None:
    stale = put_operation("b", precondition=Precondition(version=7))
    results = catalog.commit(
        [put("z"), write(put_operation("a"), stale, put_operation("c")), put("a", tags=("x",))]
    ).results
    assert told(results) == [1, "PreconditionFailed", 2]
    assert history(catalog) == [(1, 0, "z", CREATED, 1), (2, 0, "a", CREATED, 1)]


def test_a_group_that_is_refused_whole_moves_nothing(catalog: Catalog) -> None:
    assert told(catalog.commit([delete("a"), restore("b")]).results) == [
        "DagNotFound",
        "DagNotFound",
    ]
    assert catalog.clock().revision == 0
    assert catalog.commit([]).results == []


def test_each_write_sees_those_before_it_in_the_group(catalog: Catalog) -> None:
    results = catalog.commit(
        [
            put("a"),
            put("a"),
            put("a", tags=("x",)),
            put("a", tags=("x",), source="new"),
            delete("a"),
            delete("a"),
            restore("a"),
            put("a", tags=("y",), precondition=Precondition(version=2)),
            delete("a"),
            put("a", tags=("y",)),
            delete("a"),
            put("a"),
        ]
    ).results
    assert told(results) == [1, 1, 2, 3, 4, "DagNotFound", 5, 6, 7, 8, 9, 10]
    assert history(catalog) == [
        (1, 0, "a", CREATED, 1),
        (2, 0, "a", NEW_VERSION, 2),
        (3, 0, "a", REFRESHED, 2),
        (4, 0, "a", DELETED, 2),
        (5, 0, "a", RESTORED, 2),
        (6, 0, "a", NEW_VERSION, 3),
        (7, 0, "a", DELETED, 3),
        (8, 0, "a", RESTORED, 3),
        (9, 0, "a", DELETED, 3),
        (10, 0, "a", CREATED, 4),
    ]
    assert [one.state.version_revision for one in log_of(catalog)] == [
        1,
        2,
        2,
        2,
        2,
        6,
        6,
        6,
        6,
        10,
    ]


def test_what_is_unchanged_says_when_it_can_be_read(catalog: Catalog) -> None:
    """Its own write is part of the group: a read at the revision must see it."""
    commit(catalog, put("old"))
    results = catalog.commit([put("a"), put("b"), put("a"), put("old")]).results
    assert told(results) == [2, 3, 2, 1]
    unchanged = results[2]
    assert isinstance(unchanged, WriteOutcome)
    [outcome] = unchanged.operations
    assert (outcome.written, outcome.change.revision) == (False, 2)
    assert outcome.change.state.version_revision == 2


class TestReplace:
    def test_what_is_left_of_the_file_is_deleted_in_the_same_revision(
        self, catalog: Catalog
    ) -> None:
        commit(catalog, replace_file("f.py", "a", "b", "c"), replace_file("g.py", "d"))
        [outcome] = commit(catalog, replace_file("f.py", "b", "e"))
        assert outcome.revision == 3
        assert [one.change.key.dag_id for one in outcome.deleted] == ["a", "c"]
        assert {one.change.state.delete_reason for one in outcome.deleted} == {"no longer in f.py"}
        assert history(catalog)[4:] == [
            (3, 0, "e", CREATED, 1),
            (3, 1, "a", DELETED, 1),
            (3, 2, "c", DELETED, 1),
        ]

    def test_the_same_set_again_writes_nothing(self, catalog: Catalog) -> None:
        commit(catalog, replace_file("f.py", "a", "b"))
        [outcome] = commit(catalog, replace_file("f.py", "b", "a"))
        assert (outcome.revision, outcome.deleted) == (1, ())
        assert catalog.clock().revision == 1

    def test_a_file_without_dags_deletes_all_it_had(self, catalog: Catalog) -> None:
        commit(catalog, replace_file("f.py", "a", "b"))
        [outcome] = commit(catalog, replace_file("f.py"))
        assert [one.change.key.dag_id for one in outcome.deleted] == ["a", "b"]
        [again] = commit(catalog, replace_file("f.py"))
        assert (again.revision, again.operations, again.deleted) == (2, (), ())

    def test_a_dag_that_moved_to_another_file_stays(self, catalog: Catalog) -> None:
        commit(catalog, replace_file("f.py", "a", "b"))
        commit(catalog, replace_file("g.py", "a"))
        [outcome] = commit(catalog, replace_file("f.py", "b"))
        assert outcome.deleted == ()
        assert [one[3] for one in history(catalog)] == [CREATED, CREATED, REFRESHED]

    def test_a_dag_that_moves_within_the_group_stays(self, catalog: Catalog) -> None:
        commit(catalog, replace_file("f.py", "a", "b"))
        moved, left = commit(catalog, replace_file("g.py", "a"), replace_file("f.py", "b"))
        assert (moved.deleted, left.deleted) == ((), ())

    def test_a_dag_that_left_before_it_arrives_is_restored(self, catalog: Catalog) -> None:
        commit(catalog, replace_file("f.py", "a"))
        left, arrived = commit(catalog, replace_file("f.py"), replace_file("g.py", "a"))
        assert [one.change.key.dag_id for one in left.deleted] == ["a"]
        assert arrived.operations[0].change.kind is RESTORED

    def test_dags_put_into_the_file_within_the_group_are_seen(self, catalog: Catalog) -> None:
        first, second = commit(catalog, replace_file("f.py", "a"), replace_file("f.py", "b"))
        assert first.deleted == ()
        assert [one.change.key.dag_id for one in second.deleted] == ["a"]

    def test_other_bundles_and_namespaces_are_left_alone(self, catalog: Catalog) -> None:
        commit(catalog, replace_file("f.py", "a", bundle="one"))
        commit(catalog, put("b", namespace="other", document=None))
        [outcome] = commit(catalog, replace_file("f.py", bundle="two"))
        assert outcome.deleted == ()
        [outcome] = commit(catalog, replace_file("b.py"))
        assert outcome.deleted == ()
        assert catalog.clock().revision == 2

    def test_a_refused_replace_deletes_nothing(self, catalog: Catalog) -> None:
        commit(catalog, replace_file("f.py", "a", "b"))
        stale = put_operation("b", tags=("x",), precondition=Precondition(version=7))
        bad = replace(replace_file("f.py"), operations=(stale,))
        assert isinstance(refusal(catalog, bad), PreconditionFailed)
        assert catalog.clock().revision == 1


class TestRequestIds:
    def test_a_retry_gets_the_first_outcome(self, catalog: Catalog) -> None:
        one = put("a", request_id="r", body="1")
        [first] = commit(catalog, one)
        commit(catalog, put("a", tags=("x",)), delete("a"))
        assert commit(catalog, one) == [first]
        assert catalog.clock().revision == 3

    def test_a_retry_in_the_same_group_does_too(self, catalog: Catalog) -> None:
        one = put("a", request_id="r", body="1")
        first, between, again = commit(catalog, one, put("a", tags=("x",)), one)
        assert again == first
        assert between.operations[0].change.kind is NEW_VERSION
        assert catalog.clock().revision == 2

    def test_a_retried_delete_or_restore_is_no_failure(self, catalog: Catalog) -> None:
        commit(catalog, put("a"))
        gone, back = delete("a", request_id="d"), restore("a", request_id="u")
        first = commit(catalog, gone, back)
        assert commit(catalog, back, gone) == first[::-1]
        assert commit(catalog, gone, back) == first

    def test_a_retried_replace_tells_its_tombstones_again(self, catalog: Catalog) -> None:
        commit(catalog, replace_file("f.py", "a", "b"))
        one = replace(replace_file("f.py", "b", "c"), request_id="r")
        [first] = commit(catalog, one)
        commit(catalog, put("a", tags=("y",)), put("b", tags=("y",)))
        [again] = commit(catalog, one)
        assert again == first
        assert [outcome.written for outcome in again.operations] == [False, True]

    def test_an_id_with_another_body_is_refused(self, catalog: Catalog) -> None:
        commit(catalog, put("a", request_id="r", body="1"))
        error = refusal(catalog, put("b", request_id="r", body="2"))
        assert isinstance(error, RequestIdReused)
        assert error.request_id == "r"
        within = catalog.commit(
            [put("c", request_id="s", body="1"), put("d", request_id="s", body="2")]
        ).results
        assert told(within) == [2, "RequestIdReused"]

    def test_ids_of_another_namespace_are_others(self, catalog: Catalog) -> None:
        one = put("a", request_id="r", body="1")
        other = put("a", request_id="r", body="2", namespace="other")
        assert told(catalog.commit([one, other]).results) == [1, 2]
        assert told(catalog.commit([other, one]).results) == [2, 1]

    def test_a_refused_write_does_not_use_up_its_id(self, catalog: Catalog) -> None:
        one = put("a", request_id="r", body="1", precondition=Precondition(version=1))
        assert isinstance(refusal(catalog, one), PreconditionFailed)
        commit(catalog, put("a", tags=("x",)))
        assert told(catalog.commit([one]).results) == [2]

    def test_ids_are_forgotten_after_a_day(self, catalog: Catalog, wall_clock: WallClock) -> None:
        one = put("a", request_id="r", body="1")
        commit(catalog, one)
        wall_clock.advance(hours=24)
        commit(catalog, delete("a", request_id="other"))
        assert told(catalog.commit([one]).results) == [1]
        wall_clock.advance(seconds=1)
        commit(catalog, put("b", request_id="another"))
        assert told(catalog.commit([one]).results) == [4]

    def test_no_id_is_no_identity(self, catalog: Catalog) -> None:
        assert told(catalog.commit([put("a"), delete("a"), put("a")]).results) == [1, 2, 3]


@pytest.mark.parametrize("count", [1, 2, 50])
def test_revisions_have_no_gap_whatever_a_group_holds(catalog: Catalog, count: int) -> None:
    def some(number: int) -> Write:
        name = f"d{number % 7}"
        return (put(name), put(name, tags=(str(number),)), delete(name), restore(name))[number % 4]

    for start in range(0, 200, count):
        catalog.commit([some(number) for number in range(start, start + count)])
    revisions = [one.revision for one in log_of(catalog)]
    assert revisions == list(range(1, catalog.clock().revision + 1))
    assert len(revisions) > 50
