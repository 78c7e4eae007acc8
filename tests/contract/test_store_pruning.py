"""Pruning over every store: what goes, what stays, and what can still be read."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from dagcatalog_server.catalog.catalog import Catalog, utc_now
from dagcatalog_server.catalog.errors import (
    RangeProblem,
    RevisionOutOfRange,
    VersionNotFound,
)
from dagcatalog_server.catalog.listing import ListRequest, Page
from dagcatalog_server.catalog.model import Change, DagKey, Position
from dagcatalog_server.catalog.ports import Store, Transaction
from dagcatalog_server.catalog.pruning import ORPHAN_AGE, Pruned, PrunePolicy
from dagcatalog_server.catalog.query import DagFilter
from dagcatalog_server.catalog.reading import GetQuery, Selector
from dagcatalog_server.catalog.writes import Precondition, RollbackOperation
from tests.support.writes import NOW, commit, commit_one, delete, put, refusal, restore, write


class Times:
    """The time, an hour on each time it is asked."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> object:
        self.now += timedelta(hours=1)
        return self.now


@pytest.fixture
def catalog(store: Store) -> Catalog:
    return Catalog(store, now=Times())  # type: ignore[arg-type]


def prune(catalog: Catalog, **policy: object) -> Pruned:
    *_, last = catalog.prune(PrunePolicy(**policy))  # type: ignore[arg-type]
    return last


def grow(catalog: Catalog, dag_id: str, versions: int, *, namespace: str = "default") -> None:
    for number in range(versions):
        commit(
            catalog,
            put(dag_id, tags=(f"{dag_id}{number}",), source=f"# {number}", namespace=namespace),
        )


def versions_of(catalog: Catalog, dag_id: str, namespace: str = "default") -> list[int]:
    found = catalog.list_versions(DagKey(namespace, dag_id), Page(1000)).versions
    return [one.state.version for one in found]


def _head(catalog: Catalog, namespace: str, dag_id: str) -> Change:
    return catalog.get(GetQuery(DagKey(namespace, dag_id))).change


def blob_count(catalog: Catalog) -> int:
    return catalog.standing().counts.blobs


def test_by_number_the_newest_stay_and_their_content_can_be_read(catalog: Catalog) -> None:
    grow(catalog, "a", 5)
    done = prune(catalog, keep_versions=2)
    assert (done.versions, done.blobs, done.compacted_revision) == (3, 6, 4)
    assert versions_of(catalog, "a") == [5, 4]
    assert blob_count(catalog) == 4
    for version in (4, 5):
        change = catalog.get(GetQuery(DagKey("default", "a"), Selector(version=version))).change
        assert len(catalog.blobs(change.pointers())) == 2


def test_a_pruned_version_says_that_it_was_pruned(catalog: Catalog) -> None:
    grow(catalog, "a", 3)
    prune(catalog, keep_versions=1)
    with pytest.raises(VersionNotFound, match="pruned") as caught:
        catalog.get(GetQuery(DagKey("default", "a"), Selector(version=2)))
    assert caught.value.details()["pruned"] == "true"
    rollback = RollbackOperation(DagKey("default", "a"), 1, "")
    error = refusal(catalog, write(rollback))
    assert isinstance(error, VersionNotFound)
    assert error.pruned


def test_the_past_with_holes_is_out_of_range_and_the_rest_is_as_it_was(catalog: Catalog) -> None:
    grow(catalog, "a", 4)  # revisions 1 to 4
    grow(catalog, "b", 2)  # 5 and 6
    epoch = catalog.clock().epoch

    def seen(revision: int) -> list[tuple[str, int]]:
        request = ListRequest(DagFilter(), at=Position(epoch, revision))
        rows = catalog.list(request, Page(10)).rows
        return [(row.state.key.dag_id, row.state.version) for row in rows]

    before = {revision: seen(revision) for revision in range(3, 7)}
    done = prune(catalog, keep_versions=2)
    assert done.compacted_revision == 3  # version 2 of a was the head until then
    assert {revision: seen(revision) for revision in range(3, 7)} == before
    with pytest.raises(RevisionOutOfRange) as caught:
        seen(2)
    assert (caught.value.problem, caught.value.oldest_revision) == (RangeProblem.COMPACTED, 3)
    assert [one.revision for one in catalog.changes(after=3, limit=10)[1]] == [4, 5, 6]


def test_by_time_what_was_the_head_lately_stays(catalog: Catalog) -> None:
    grow(catalog, "a", 5)  # version n at hour n, the head until hour n + 1; now is hour 6
    assert prune(catalog, keep_for=timedelta(hours=3, minutes=30)).versions == 1
    assert versions_of(catalog, "a") == [5, 4, 3, 2]


def test_number_and_time_both_keep(catalog: Catalog) -> None:
    grow(catalog, "a", 5)
    done = prune(catalog, keep_versions=2, keep_for=timedelta(hours=3, minutes=30))
    assert (done.versions, versions_of(catalog, "a")) == (1, [5, 4, 3, 2])
    done = prune(catalog, keep_versions=3, keep_for=timedelta(0))
    assert (done.versions, versions_of(catalog, "a")) == (1, [5, 4, 3])


def test_without_a_limit_no_version_goes(catalog: Catalog) -> None:
    grow(catalog, "a", 3)
    assert prune(catalog) == Pruned()
    assert versions_of(catalog, "a") == [3, 2, 1]


def test_heads_stay_deleted_ones_too_and_can_be_restored(catalog: Catalog) -> None:
    grow(catalog, "a", 2)
    commit(catalog, delete("a"))
    assert prune(catalog, keep_for=timedelta(0)).versions == 1
    assert versions_of(catalog, "a") == [2]
    assert commit_one(catalog, restore("a")).state.version == 2
    assert len(catalog.blobs(_head(catalog, "default", "a").pointers())) == 2


def test_pinned_content_stays(catalog: Catalog) -> None:
    grow(catalog, "a", 4)
    content = catalog.get(GetQuery(DagKey("default", "a"), Selector(version=2))).change
    pinned = frozenset({content.state.hashes.content})
    done = prune(catalog, keep_versions=1, pinned=pinned)
    assert (done.versions, versions_of(catalog, "a")) == (2, [4, 2])
    assert catalog.blobs(pinned).keys() == pinned
    assert catalog.get(GetQuery(DagKey("default", "a"), Selector(version=2))).change == content


def test_other_namespaces_keep_their_versions(catalog: Catalog) -> None:
    grow(catalog, "a", 3)
    grow(catalog, "a", 3, namespace="other")
    assert prune(catalog, namespace="other", keep_versions=1).versions == 2
    assert versions_of(catalog, "a") == [3, 2, 1]
    assert versions_of(catalog, "a", "other") == [3]
    assert prune(catalog, keep_versions=1).versions == 2


def test_content_that_another_dag_has_too_stays(catalog: Catalog) -> None:
    grow(catalog, "a", 2, namespace="one")
    grow(catalog, "a", 1, namespace="two")
    assert prune(catalog, keep_versions=1).blobs == 0
    assert len(catalog.blobs(_head(catalog, "two", "a").pointers())) == 2


def test_compaction_forgets_rows_and_keeps_every_version(catalog: Catalog) -> None:
    grow(catalog, "a", 2)  # 1, 2
    commit(catalog, put("a", tags=("a1",), source="# moved"))  # 3: refreshes version 2
    commit(catalog, delete("a"), restore("a"))  # 4, 5
    commit(catalog, put("a", tags=("new",)))  # 6
    done = prune(catalog, compact_revision=6)
    assert (done.versions, done.compacted_revision) == (0, 6)
    assert versions_of(catalog, "a") == [3, 2, 1]
    kept = [one.revision for one in catalog.changes(after=0, limit=100)[1]]
    assert kept == [1, 5, 6]
    assert done.blobs == 1  # the source that version 2 had first


def test_compaction_alone_moves_the_past_even_if_no_row_goes(catalog: Catalog) -> None:
    grow(catalog, "a", 1)
    grow(catalog, "b", 1)
    assert prune(catalog, compact_revision=2).compacted_revision == 2
    assert prune(catalog, compact_revision=1).compacted_revision == 2
    with pytest.raises(RevisionOutOfRange) as caught:
        prune(catalog, compact_revision=3)
    assert caught.value.problem is RangeProblem.FUTURE


def test_what_would_go_is_what_goes(catalog: Catalog) -> None:
    grow(catalog, "a", 6)
    grow(catalog, "b", 3)
    policy = PrunePolicy(keep_versions=2, compact_revision=4)
    before = catalog.standing()
    *_, told = catalog.prune(replace(policy, validate_only=True))
    assert catalog.standing() == before
    *_, done = catalog.prune(policy)
    assert told == done
    assert done.versions == 5
    after = catalog.standing().counts
    assert before.counts.stored_bytes - after.stored_bytes == done.stored_bytes
    *_, again = catalog.prune(policy)
    assert again == Pruned(compacted_revision=done.compacted_revision)


def test_more_rows_than_a_page_are_pruned(catalog: Catalog) -> None:
    for part in range(6):
        commit(catalog, *(put("a", tags=(f"{part}-{n}",)) for n in range(200)))
    assert prune(catalog, keep_versions=3).versions == 1197
    assert versions_of(catalog, "a") == [1200, 1199, 1198]
    assert blob_count(catalog) == 3


def _nothing() -> None:
    pass


class Interfering:
    """A store that does something just before a transaction begins, once: the worst moment there is.

    Where blobs are kept first, they have just been kept.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.then: Callable[[], None] = _nothing

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        then, self.then = self.then, _nothing
        then()
        with self.store.write() as transaction:
            yield transaction


def test_a_put_survives_a_prune_between_its_blobs_and_its_row(store: Store) -> None:
    """It found its content kept, and so did not keep it again; then the content was dropped."""
    interfering = Interfering(store)
    catalog = Catalog(interfering, now=Times())  # type: ignore[arg-type]
    grow(catalog, "a", 2)
    gone = catalog.get(GetQuery(DagKey("default", "a"), Selector(version=1))).change.pointers()
    interfering.then = lambda: _expect(prune(catalog, keep_versions=1).blobs, 2)
    change = commit_one(catalog, put("a", tags=("a0",), source="# 0"))
    assert set(change.pointers()) == set(gone)
    assert catalog.blobs(gone).keys() == set(gone)


def test_a_put_of_new_content_survives_a_prune_before_its_row(store: Store) -> None:
    interfering = Interfering(store)
    catalog = Catalog(interfering, now=Times())  # type: ignore[arg-type]
    interfering.then = lambda: _expect(prune(catalog).blobs, 0)
    change = commit_one(catalog, put("a", source="# 0"))
    assert len(catalog.blobs(change.pointers())) == 2


def test_content_of_a_refused_put_goes_when_it_is_old(store: Store) -> None:
    catalog = Catalog(store)
    commit(catalog, put("a"))
    refusal(catalog, put("a", tags=("refused",), precondition=Precondition(version=7)))
    assert prune(catalog).blobs == 0
    assert prune(Catalog(store, now=lambda: utc_now() + ORPHAN_AGE)).blobs == 1
    assert blob_count(catalog) == 1


def test_replicas_that_put_and_prune_at_once_lose_nothing(open_store: Callable[[], Store]) -> None:
    """Documents of some KB, so that most are kept as their difference from another."""
    ended = threading.Event()

    def put_again_and_again(writer: int) -> None:
        catalog = Catalog(open_store())
        random = Random(writer)
        for _ in range(60):
            padding = f"{random.randrange(6)} " + "some text of a document " * 300
            commit(catalog, put(f"dag{random.randrange(3)}", padding=padding, source=padding))

    def prune_again_and_again() -> int:
        catalog, blobs = Catalog(open_store()), 0
        while not ended.is_set():
            blobs += prune(catalog, keep_versions=1).blobs
        return blobs

    with ThreadPoolExecutor(5) as threads:
        pruned = [threads.submit(prune_again_and_again) for _ in range(2)]
        try:
            for put_all in [threads.submit(put_again_and_again, writer) for writer in range(3)]:
                put_all.result()
        finally:
            ended.set()
        assert sum(one.result() for one in pruned) > 0
    *steps, last = Catalog(open_store()).verify(None)
    assert last.done
    assert [damage for step in steps for damage in step.damaged] == []


def test_a_rollback_survives_a_prune_just_before_it(store: Store) -> None:
    interfering = Interfering(store)
    catalog = Catalog(interfering, now=Times())  # type: ignore[arg-type]
    grow(catalog, "a", 2)
    interfering.then = lambda: _expect(prune(catalog, keep_versions=1).versions, 1)
    error = refusal(catalog, write(RollbackOperation(DagKey("default", "a"), 1, "")))
    assert isinstance(error, VersionNotFound)


def _expect(found: int, wanted: int) -> None:
    assert found == wanted


def test_a_request_sent_again_after_its_row_was_pruned_gets_what_it_did(catalog: Catalog) -> None:
    one = put("a", request_id="r", body="1")
    [first] = commit(catalog, one)
    grow(catalog, "a", 2)
    prune(catalog, keep_versions=1)
    [again] = commit(catalog, one)
    then, now = first.operations[0].change, again.operations[0].change
    assert again.operations[0].written
    assert (again.revision, now.revision, now.kind) == (1, then.revision, then.kind)
    assert now.state.version == then.state.version
    assert now.state.hashes.content == then.state.hashes.content
    assert catalog.clock().revision == 3
