"""Reads of one DAG: every selector, tombstones, positions that cannot be served."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import pytest

from dagcatalog_server.catalog.catalog import Catalog
from dagcatalog_server.catalog.errors import (
    CatalogError,
    ContentNotFound,
    DagNotFound,
    InvalidArgument,
    RangeProblem,
    RevisionOutOfRange,
    TooLarge,
    VersionNotFound,
)
from dagcatalog_server.catalog.model import Change, Clock, DagKey, Position
from dagcatalog_server.catalog.reading import (
    BatchSelector,
    GetAnswer,
    GetQuery,
    Selector,
    check_position,
    resolve_batch,
)
from dagcatalog_server.store.memory import MemoryStore
from dagcatalog_server.store.memory_reading import MemorySnapshot
from tests.support.writes import commit, delete, log_of, put, restore

A = DagKey("default", "a")
MISSING = "0" * 64


@pytest.fixture
def history(catalog: Catalog) -> list[Change]:
    """Versions 1 and 2, a refresh of 2, a tombstone, and back: revisions 1 to 5."""
    commit(
        catalog,
        put("a", source="one"),
        put("a", tags=("x",), source="two"),
        put("a", tags=("x",), source="three"),
        delete("a"),
        restore("a"),
    )
    return list(log_of(catalog))


def get(catalog: Catalog, selector: Selector = Selector(), **how: object) -> GetAnswer:
    return catalog.get(replace(GetQuery(A, selector), **how))  # type: ignore[arg-type] # its fields


def at(catalog: Catalog, revision: int, epoch: str | None = None) -> Position:
    return Position(catalog.clock().epoch if epoch is None else epoch, revision)


def test_without_a_selector_it_is_the_head(catalog: Catalog, history: list[Change]) -> None:
    answer = get(catalog)
    assert answer.change == history[-1]
    assert answer.position == catalog.clock().position
    assert not answer.not_modified


def test_a_version_is_shown_as_it_was_last_seen(catalog: Catalog, history: list[Change]) -> None:
    assert get(catalog, Selector(version=1)).change == history[0]
    assert get(catalog, Selector(version=2)).change == history[4]
    commit(catalog, delete("a"))
    assert get(catalog, Selector(version=2)).change == history[4]


def test_a_version_that_is_not_there_is_told_apart(catalog: Catalog, history: list[Change]) -> None:
    with pytest.raises(VersionNotFound) as caught:
        get(catalog, Selector(version=3))
    assert caught.value.head_version == 2
    with pytest.raises(InvalidArgument):
        get(catalog, Selector(version=0))
    with pytest.raises(DagNotFound):
        catalog.get(GetQuery(DagKey("default", "b"), Selector(version=1)))


def test_a_content_is_the_newest_state_that_had_it(catalog: Catalog, history: list[Change]) -> None:
    first, second = history[0].state.hashes.content, history[1].state.hashes.content
    assert get(catalog, Selector(content_hash=first)).change == history[0]
    assert get(catalog, Selector(content_hash=second)).change == history[4]
    with pytest.raises(ContentNotFound):
        get(catalog, Selector(content_hash=MISSING))
    with pytest.raises(ContentNotFound):
        catalog.get(GetQuery(DagKey("default", "b"), Selector(content_hash=first)))
    with pytest.raises(InvalidArgument):
        get(catalog, Selector(content_hash=""))


@pytest.mark.parametrize("revision", [1, 2, 3, 5])
def test_the_past_is_as_it_was(catalog: Catalog, history: list[Change], revision: int) -> None:
    for epoch in (None, ""):
        answer = get(catalog, Selector(at=at(catalog, revision, epoch)))
        assert answer.change == history[revision - 1]
        assert answer.position.revision == 5


def test_the_past_has_its_tombstones(catalog: Catalog, history: list[Change]) -> None:
    selector = Selector(at=at(catalog, 4))
    with pytest.raises(DagNotFound) as caught:
        get(catalog, selector)
    assert caught.value.deleted_at_revision == 4
    assert get(catalog, selector, include_deleted=True).change == history[3]


def test_before_a_dag_was_there_it_was_not(catalog: Catalog, history: list[Change]) -> None:
    commit(catalog, put("b"))
    for revision in (0, 5):
        with pytest.raises(DagNotFound) as caught:
            catalog.get(GetQuery(DagKey("default", "b"), Selector(at=at(catalog, revision))))
        assert caught.value.deleted_at_revision == 0


def test_a_tombstone_is_shown_on_request_only(catalog: Catalog) -> None:
    commit(catalog, put("a"), delete("a"))
    with pytest.raises(DagNotFound) as caught:
        get(catalog)
    assert caught.value.deleted_at_revision == 2
    assert get(catalog, include_deleted=True).change.state.deleted


def test_what_the_reader_has_is_not_sent_again(catalog: Catalog, history: list[Change]) -> None:
    head = history[-1].state.hashes.content
    answer = get(catalog, if_none_match=head)
    assert answer.not_modified
    assert answer.change == history[-1]
    other = get(catalog, if_none_match=history[0].state.hashes.content)
    assert not other.not_modified
    with pytest.raises(InvalidArgument) as caught:
        get(catalog, if_none_match="x")
    assert caught.value.violation.field == "if_none_match"


CLOCK = Clock("epoch", revision=9, compacted_revision=4)


@pytest.mark.parametrize(
    ("asked", "past", "problem"),
    [
        (Position("other", 5), False, RangeProblem.OTHER_EPOCH),
        (Position("other", 99), True, RangeProblem.OTHER_EPOCH),
        (Position("epoch", 10), False, RangeProblem.FUTURE),
        (Position("", 10), True, RangeProblem.FUTURE),
        (Position("epoch", 3), True, RangeProblem.COMPACTED),
        (Position("", 0), True, RangeProblem.COMPACTED),
        (Position("epoch", 4), True, None),
        (Position("epoch", 3), False, None),
        (Position("epoch", 9), True, None),
        (Position("", 9), False, None),
        (None, True, None),
    ],
)
def test_a_position_is_served_or_refused_by_kind(
    asked: Position | None, past: bool, problem: RangeProblem | None
) -> None:
    if problem is None:
        check_position(CLOCK, asked, past=past)
        return
    with pytest.raises(RevisionOutOfRange) as caught:
        check_position(CLOCK, asked, past=past)
    error = caught.value
    assert (error.problem, error.reason) == (problem, problem.value)
    assert (error.now, error.oldest_revision) == (Position("epoch", 9), 4)


@pytest.mark.parametrize("past", [True, False])
def test_a_negative_revision_is_a_mistake_not_a_past(past: bool) -> None:
    with pytest.raises(InvalidArgument):
        check_position(CLOCK, Position("epoch", -1), past=past)


def test_a_read_waits_for_no_position_it_has_not(catalog: Catalog, history: list[Change]) -> None:
    catalog.get(GetQuery(A), at(catalog, 5))
    with pytest.raises(RevisionOutOfRange) as caught:
        catalog.get(GetQuery(A), at(catalog, 6))
    assert caught.value.problem is RangeProblem.FUTURE
    with pytest.raises(RevisionOutOfRange) as caught:
        get(catalog, Selector(at=at(catalog, 1, "another")))
    assert caught.value.problem is RangeProblem.OTHER_EPOCH


class TestBatch:
    def resolve(self, catalog: Catalog, *selectors: BatchSelector) -> list[Change | CatalogError]:
        with catalog.snapshot() as snapshot:
            return resolve_batch(snapshot, "", selectors)

    def test_each_selector_has_its_own_answer(
        self, catalog: Catalog, history: list[Change]
    ) -> None:
        commit(catalog, put("gone"), delete("gone"))
        first = history[0].state.hashes.content
        answers = self.resolve(
            catalog,
            BatchSelector("a"),
            BatchSelector("a", version=1),
            BatchSelector("a", content_hash=first),
            BatchSelector("", content_hash=first),
            BatchSelector("b"),
            BatchSelector("gone"),
            BatchSelector("a", version=9),
            BatchSelector("a", version=0),
            BatchSelector("b", content_hash=first),
            BatchSelector("", content_hash="x"),
            BatchSelector(""),
            BatchSelector("a"),
        )
        head, old = history[-1], history[0]
        assert answers[:4] == [head, old, old, old]
        assert [type(one) for one in answers[4:11]] == [
            DagNotFound,
            DagNotFound,
            VersionNotFound,
            InvalidArgument,
            ContentNotFound,
            InvalidArgument,
            InvalidArgument,
        ]
        assert answers[11] == head

    def test_an_id_that_no_store_can_look_up_harms_nobody(
        self, store: MemoryStore, history: list[Change]
    ) -> None:
        """PostgreSQL refuses a NUL in a question, and with it every other key asked for."""
        with store.read() as plain:
            snapshot = _StrictSnapshot(plain.contents, plain._blobs)
            answers = resolve_batch(
                snapshot, "default", [BatchSelector("a\0b"), BatchSelector("a")]
            )
        assert isinstance(answers[0], InvalidArgument)
        assert isinstance(answers[1], Change)

    def test_a_batch_is_bounded(self, catalog: Catalog) -> None:
        self.resolve(catalog, *[BatchSelector("a")] * 10_000)
        with pytest.raises(TooLarge):
            self.resolve(catalog, *[BatchSelector("a")] * 10_001)


class _StrictSnapshot(MemorySnapshot):
    """Asks as PostgreSQL does."""

    def heads(self, keys: Collection[DagKey]) -> Mapping[DagKey, Change]:
        if any("\0" in key.dag_id for key in keys):
            raise ValueError("A string literal cannot contain NUL (0x00) characters.")
        return super().heads(keys)
