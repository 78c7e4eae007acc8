"""Rollback: what a version was comes back as a new version."""

import pytest

from dagcatalog_server.catalog.catalog import Catalog
from dagcatalog_server.catalog.errors import (
    DagNotFound,
    InvalidArgument,
    PreconditionFailed,
    TooLarge,
    VersionNotFound,
)
from dagcatalog_server.catalog.model import ChangeClass, ChangeKind, DagKey, Provenance
from dagcatalog_server.catalog.reading import GetQuery, Selector
from dagcatalog_server.catalog.writes import Precondition, RollbackOperation, Write, check_write
from tests.support.writes import commit, commit_one, delete, put, refusal, write


def rollback(
    dag_id: str,
    version: int,
    *,
    reason: str = "",
    precondition: Precondition | None = None,
    request_id: str = "",
) -> Write:
    key = DagKey("default", dag_id)
    operation = RollbackOperation(key, version, reason, precondition)
    return write(operation, actor="bob", request_id=request_id)


@pytest.fixture
def two_versions(catalog: Catalog) -> Catalog:
    first = put(
        "a",
        tags=("one",),
        source="# one",
        provenance=Provenance("bundle", "abc", "a.py"),
        labels={"team": "x"},
    )
    commit(catalog, first, put("a", tags=("two",), source="# two"))
    return catalog


def test_an_old_version_comes_back_as_a_new_one_with_all_that_it_was(two_versions: Catalog) -> None:
    old = two_versions.get(GetQuery(DagKey("default", "a"), Selector(version=1))).change
    change = commit_one(two_versions, rollback("a", 1, reason="two is broken"))
    state = change.state
    assert (change.revision, change.kind, state.version) == (3, ChangeKind.NEW_VERSION, 3)
    assert change.classes == (ChangeClass.METADATA,)
    assert state.hashes == old.state.hashes
    assert state.projection == old.state.projection
    assert (state.source_hash, state.source_bytes) == (old.state.source_hash, 5)
    assert state.provenance == old.state.provenance
    assert state.labels == {"team": "x", "rollback-reason": "two is broken"}
    assert (state.actor, state.version_actor, state.version_revision) == ("bob", "bob", 3)
    assert state.created_at == old.state.created_at


def test_going_back_and_forth_keeps_no_older_reason(two_versions: Catalog) -> None:
    commit(two_versions, rollback("a", 1, reason="first"), rollback("a", 2))
    state = commit_one(two_versions, rollback("a", 3)).state
    assert (state.version, dict(state.labels)) == (5, {"team": "x"})


@pytest.mark.parametrize("version", [1, 3])
def test_a_rollback_to_what_the_head_is_already_is_unchanged(
    two_versions: Catalog, version: int
) -> None:
    [made] = commit(two_versions, rollback("a", 1))
    [outcome] = commit(two_versions, rollback("a", version))
    assert not outcome.operations[0].written
    assert outcome.operations[0].change == made.operations[0].change
    assert two_versions.clock().revision == 3


def test_a_deleted_dag_comes_back_as_a_new_version(two_versions: Catalog) -> None:
    commit(two_versions, delete("a"))
    change = commit_one(two_versions, rollback("a", 1))
    assert (change.kind, change.state.version) == (ChangeKind.CREATED, 3)
    assert (change.state.deleted, change.state.delete_reason) == (False, "")


def test_a_deleted_dag_rolled_back_to_what_it_was_is_restored(two_versions: Catalog) -> None:
    commit(two_versions, delete("a"))
    change = commit_one(two_versions, rollback("a", 2, reason="wanted"))
    assert (change.kind, change.state.version) == (ChangeKind.RESTORED, 2)
    assert change.state.labels == {"rollback-reason": "wanted"}


def test_versions_that_the_same_group_makes_can_be_rolled_back_to(catalog: Catalog) -> None:
    commit(catalog, put("a", tags=("one",)), put("a", tags=("two",)), rollback("a", 1))
    state = catalog.get(GetQuery(DagKey("default", "a"))).change.state
    assert (state.version, state.projection.tags) == (3, ("one",))


def test_a_rollback_of_nothing_is_refused(two_versions: Catalog) -> None:
    assert isinstance(refusal(two_versions, rollback("b", 1)), DagNotFound)
    error = refusal(two_versions, rollback("a", 9))
    assert isinstance(error, VersionNotFound)
    assert (error.version, error.head_version, error.pruned) == (9, 2, False)


def test_a_rollback_may_expect_a_head(two_versions: Catalog) -> None:
    wrong = rollback("a", 1, precondition=Precondition(version=1))
    assert isinstance(refusal(two_versions, wrong), PreconditionFailed)
    commit_one(two_versions, rollback("a", 1, precondition=Precondition(version=2)))


def test_a_rollback_sent_again_is_done_once(two_versions: Catalog) -> None:
    one = rollback("a", 1, request_id="r")
    first, second = commit(two_versions, one), commit(two_versions, one)
    assert first == second
    assert two_versions.clock().revision == 3


def test_small_fields_are_checked() -> None:
    with pytest.raises(InvalidArgument, match="version"):
        check_write(rollback("a", 0))
    with pytest.raises(TooLarge):
        check_write(rollback("a", 1, reason="x" * 256))
