"""What one write does to one DAG: every outcome, and what stays and changes with each."""

from dataclasses import replace
from typing import Any

import pytest

from dagcatalog_server.catalog.catalog import Catalog
from dagcatalog_server.catalog.errors import DagNotFound, NotDeleted, PreconditionFailed
from dagcatalog_server.catalog.model import ChangeClass, ChangeKind, DagKey, Provenance
from dagcatalog_server.catalog.writes import Precondition, Write
from tests.support.documents import edited, format_3, set_dag
from tests.support.writes import (
    NOW,
    commit,
    commit_one,
    delete,
    log_of,
    put,
    put_operation,
    refusal,
    restore,
    write,
)
from tests.unit.catalog.conftest import WallClock

ALL = (ChangeClass.STRUCTURE, ChangeClass.SCHEDULE, ChangeClass.METADATA)
PLACE = Provenance("bundle", "v1", "nightly.py")


def nightly(**how: Any) -> Write:
    return put("nightly", document=format_3(), **{"provenance": PLACE, **how})


def test_the_first_put_creates(catalog: Catalog) -> None:
    change = commit_one(catalog, nightly(labels={"team": "a"}, source="x = 1"))
    state = change.state
    assert (change.revision, change.ordinal) == (1, 0)
    assert (change.kind, change.classes) == (ChangeKind.CREATED, ALL)
    assert (state.version, state.version_revision) == (1, 1)
    assert (state.actor, state.version_actor) == ("ann", "ann")
    assert state.created_at == state.updated_at == state.version_created_at == NOW
    assert (state.labels, state.provenance) == ({"team": "a"}, PLACE)
    assert state.source_bytes == 5
    assert state.projection.tags == ("finance", "pii")
    assert log_of(catalog) == [change]


def test_another_definition_is_a_new_version(catalog: Catalog, wall_clock: WallClock) -> None:
    commit(catalog, nightly(labels={"team": "a"}, source="x = 1"))
    later = wall_clock.advance(hours=1)
    changed = edited(format_3(), set_dag(catchup=True))
    operation = put_operation("nightly", changed, provenance=PLACE)
    change = commit_one(catalog, write(operation, actor="bob"))
    state = change.state
    assert (change.kind, change.classes) == (ChangeKind.NEW_VERSION, (ChangeClass.SCHEDULE,))
    assert (state.version, state.version_revision, change.revision) == (2, 2, 2)
    assert (state.created_at, state.updated_at, state.version_created_at) == (NOW, later, later)
    assert (state.actor, state.version_actor) == ("bob", "bob")
    assert (state.labels, state.source_hash, state.source_bytes) == ({}, "", 0)
    assert state.projection.catchup is True


@pytest.mark.parametrize(
    "again",
    [
        nightly(),
        nightly(provenance=replace(PLACE, bundle_version="v2")),
        nightly(labels={"team": "a"}),
        nightly(source="x = 1"),
        put(
            "nightly",
            document=edited(format_3(), set_dag(tags=["pii", "finance"])),
            provenance=PLACE,
        ),
    ],
    ids=["same", "bundle version", "same labels", "same source", "order of a set"],
)
def test_the_same_again_writes_nothing(catalog: Catalog, again: Write) -> None:
    first = commit_one(catalog, nightly(labels={"team": "a"}, source="x = 1"))
    [outcome] = commit(catalog, again)
    assert outcome.revision == 1
    [unchanged] = outcome.operations
    assert (unchanged.written, unchanged.change) == (False, first)
    assert catalog.clock().revision == 1
    assert log_of(catalog) == [first]


@pytest.mark.parametrize(
    "again",
    [
        put(
            "nightly",
            document=edited(format_3(), set_dag(fileloc="/new/nightly.py")),
            provenance=PLACE,
        ),
        nightly(provenance=replace(PLACE, file="moved.py")),
        nightly(provenance=replace(PLACE, bundle_name="other")),
        nightly(source="x = 2"),
        nightly(source=""),
        nightly(labels={"team": "b"}),
        nightly(labels={"team": "a", "more": ""}),
    ],
    ids=["fileloc", "file", "bundle", "source", "empty source", "label", "labels"],
)
def test_the_same_definition_elsewhere_refreshes(
    catalog: Catalog, wall_clock: WallClock, again: Write
) -> None:
    first = commit_one(catalog, nightly(labels={"team": "a"}, source="x = 1"))
    later = wall_clock.advance(hours=1)
    change = commit_one(catalog, replace(again, actor="bob"))
    put_again = again.operations[0]
    state = change.state
    assert (change.kind, change.classes) == (ChangeKind.REFRESHED, (ChangeClass.METADATA,))
    assert change.revision == 2
    assert (state.version, state.version_revision, state.version_actor) == (1, 1, "ann")
    assert (state.version_created_at, state.created_at, state.updated_at) == (NOW, NOW, later)
    assert state.actor == "bob"
    assert state.hashes.definition == first.state.hashes.definition
    assert state.hashes == getattr(put_again, "hashes")  # noqa: B009 - an operation of any kind
    assert state != first.state


def test_a_refresh_keeps_what_it_does_not_bring(catalog: Catalog) -> None:
    first = commit_one(catalog, nightly(labels={"team": "a"}, source="x = 1")).state
    moved = commit_one(catalog, nightly(provenance=replace(PLACE, file="moved.py"))).state
    assert (moved.labels, moved.source_hash) == (first.labels, first.source_hash)
    assert moved.source_bytes == 5


def test_a_refresh_carries_the_new_bundle_version(catalog: Catalog) -> None:
    commit(catalog, nightly(source="x = 1"))
    newer = replace(PLACE, bundle_version="v2")
    assert commit_one(catalog, nightly(source="x = 2", provenance=newer)).state.provenance == newer


def test_going_back_to_an_old_definition_is_a_version_of_its_own(catalog: Catalog) -> None:
    first = commit_one(catalog, put("a", tags=("x",)))
    commit(catalog, put("a", tags=("y",)))
    third = commit_one(catalog, put("a", tags=("x",)))
    assert (third.kind, third.state.version) == (ChangeKind.NEW_VERSION, 3)
    assert third.state.hashes == first.state.hashes


def test_a_delete_sets_a_tombstone_that_keeps_what_was_there(
    catalog: Catalog, wall_clock: WallClock
) -> None:
    first = commit_one(catalog, put("a"))
    later = wall_clock.advance(hours=1)
    change = commit_one(catalog, replace(delete("a"), actor="bob"))
    assert (change.kind, change.classes, change.revision) == (ChangeKind.DELETED, ALL, 2)
    assert change.state == replace(
        first.state, deleted=True, delete_reason="not needed", actor="bob", updated_at=later
    )


def test_a_restore_takes_the_tombstone_away(catalog: Catalog, wall_clock: WallClock) -> None:
    first = commit_one(catalog, put("a"))
    commit(catalog, delete("a"))
    later = wall_clock.advance(hours=1)
    change = commit_one(catalog, replace(restore("a"), actor="bob"))
    assert (change.kind, change.classes, change.revision) == (ChangeKind.RESTORED, ALL, 3)
    assert change.state == replace(first.state, actor="bob", updated_at=later)


def test_a_put_of_the_same_definition_restores(catalog: Catalog) -> None:
    first = commit_one(catalog, nightly(labels={"team": "a"}, source="x = 1")).state
    commit(catalog, delete("nightly"))
    change = commit_one(catalog, nightly(provenance=replace(PLACE, file="moved.py")))
    assert (change.kind, change.classes) == (ChangeKind.RESTORED, ALL)
    state = change.state
    assert (state.version, state.version_revision) == (1, 1)
    assert (state.deleted, state.delete_reason) == (False, "")
    assert state.provenance.file == "moved.py"
    assert (state.labels, state.source_hash) == (first.labels, first.source_hash)


def test_a_put_over_a_tombstone_creates_and_counts_on(
    catalog: Catalog, wall_clock: WallClock
) -> None:
    commit(catalog, put("a", tags=("x",), labels={"team": "a"}), put("a", tags=("y",)), delete("a"))
    wall_clock.advance(hours=1)
    change = commit_one(catalog, put("a", tags=("z",)))
    state = change.state
    assert (change.kind, change.classes) == (ChangeKind.CREATED, ALL)
    assert (state.version, state.version_revision, change.revision) == (3, 4, 4)
    assert (state.deleted, state.delete_reason, state.labels) == (False, "", {})
    assert state.created_at == NOW


def test_what_is_not_there_cannot_be_deleted_or_restored(catalog: Catalog) -> None:
    for one in (delete("a"), restore("a")):
        never = refusal(catalog, one)
        assert isinstance(never, DagNotFound)
        assert never.deleted_at_revision == 0
    commit(catalog, put("a"))
    assert isinstance(refusal(catalog, restore("a")), NotDeleted)
    commit(catalog, delete("a"))
    gone = refusal(catalog, delete("a"))
    assert isinstance(gone, DagNotFound)
    assert gone.deleted_at_revision == 2
    assert catalog.clock().revision == 2


def test_namespaces_are_apart(catalog: Catalog) -> None:
    commit(catalog, put("a", tags=("x",)))
    other = commit_one(catalog, put("a", tags=("y",), namespace="other"))
    assert (other.kind, other.state.version) == (ChangeKind.CREATED, 1)
    assert other.key == DagKey("other", "a")


class TestPreconditions:
    def content(self, catalog: Catalog) -> str:
        with catalog.snapshot() as snapshot:
            return snapshot.heads([DagKey("default", "a")])[
                DagKey("default", "a")
            ].state.hashes.content

    def test_what_holds_is_let_through(self, catalog: Catalog) -> None:
        for first in (Precondition(version=0), Precondition(content_hash="")):
            commit(catalog, put("a", precondition=first))
            commit(
                catalog,
                put("a", tags=("x",), precondition=Precondition(version=catalog_version(catalog))),
            )
            held = Precondition(content_hash=self.content(catalog))
            commit(catalog, put("a", tags=("y",), precondition=held))
            commit(
                catalog, delete("a", precondition=Precondition(content_hash=self.content(catalog)))
            )

    @pytest.mark.parametrize(
        ("asked", "told"),
        [
            (Precondition(version=0), "not to be there"),
            (Precondition(content_hash=""), "not to be there"),
            (Precondition(version=1), "at version 1"),
            (Precondition(version=3), "at version 3"),
            (Precondition(content_hash="0" * 64), "with content 000000000000…"),
        ],
    )
    def test_what_does_not_hold_says_what_is(
        self, catalog: Catalog, asked: Precondition, told: str
    ) -> None:
        commit(catalog, put("a"), put("a", tags=("x",)))
        for one in (put("a", tags=("y",), precondition=asked), delete("a", precondition=asked)):
            error = refusal(catalog, one)
            assert isinstance(error, PreconditionFailed)
            assert error.expected == told
            assert (error.version, error.content_hash) == (2, self.content(catalog))
        assert catalog.clock().revision == 2

    def test_a_deleted_dag_is_not_there(self, catalog: Catalog) -> None:
        commit(catalog, put("a"), delete("a"))
        error = refusal(catalog, put("a", precondition=Precondition(version=1)))
        assert isinstance(error, PreconditionFailed)
        assert (error.version, error.content_hash) == (0, "")
        assert "but it is not there" in str(error)
        back = commit_one(catalog, put("a", precondition=Precondition(content_hash="")))
        assert back.kind is ChangeKind.RESTORED

    def test_a_precondition_is_checked_even_if_nothing_would_change(self, catalog: Catalog) -> None:
        commit(catalog, put("a"))
        assert isinstance(
            refusal(catalog, put("a", precondition=Precondition(version=7))), PreconditionFailed
        )


def catalog_version(catalog: Catalog) -> int:
    with catalog.snapshot() as snapshot:
        return snapshot.heads([DagKey("default", "a")])[DagKey("default", "a")].state.version


class TestRehearsal:
    @pytest.mark.parametrize(
        ("one", "kind"),
        [
            (put("new"), ChangeKind.CREATED),
            (put("a", tags=("x",)), ChangeKind.NEW_VERSION),
            (put("a", source="moved"), ChangeKind.REFRESHED),
            (delete("a"), ChangeKind.DELETED),
            (restore("gone"), ChangeKind.RESTORED),
        ],
    )
    def test_it_tells_the_outcome_and_writes_nothing(
        self, catalog: Catalog, one: Write, kind: ChangeKind
    ) -> None:
        commit(catalog, put("a"), put("gone"), delete("gone"))
        before, standing = log_of(catalog), catalog.standing()
        [outcome] = catalog.rehearse(replace(one, validate_only=True, request_id="r")).operations
        assert (outcome.written, outcome.change.kind) == (True, kind)
        assert outcome.change.revision < 0
        assert log_of(catalog) == before
        assert catalog.standing() == standing
        with catalog.snapshot() as snapshot:
            assert snapshot.requests("default", ["r"]).get("r") is None
        assert commit_one(catalog, one).kind is kind

    def test_it_tells_that_nothing_would_change(self, catalog: Catalog) -> None:
        first = commit_one(catalog, put("a"))
        outcome = catalog.rehearse(replace(put("a"), validate_only=True))
        assert outcome.revision == 1
        assert outcome.operations[0].change == first
        assert not outcome.operations[0].written

    def test_it_neither_replays_nor_minds_a_request_id(self, catalog: Catalog) -> None:
        commit(catalog, put("a", request_id="r", body="1"))
        other = put("a", tags=("x",), request_id="r", body="2")
        [outcome] = catalog.rehearse(replace(other, validate_only=True)).operations
        assert outcome.change.kind is ChangeKind.NEW_VERSION

    def test_it_is_refused_as_the_write_would_be(self, catalog: Catalog) -> None:
        with pytest.raises(DagNotFound):
            catalog.rehearse(replace(delete("a"), validate_only=True))
