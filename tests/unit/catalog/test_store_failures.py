"""What the catalog makes of a store that conflicts, is away or is full."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from dagcatalog_server.catalog.catalog import Catalog
from dagcatalog_server.catalog.errors import CatalogFull, CatalogUnavailable, PreconditionFailed
from dagcatalog_server.catalog.listing import ListRequest, Page
from dagcatalog_server.catalog.model import Blob, Change, ChangeKind, Clock, DagKey
from dagcatalog_server.catalog.parsing import ParseReport
from dagcatalog_server.catalog.ports import StoreConflict, StoreFull, StoreUnavailable
from dagcatalog_server.catalog.query import DagFilter
from dagcatalog_server.catalog.reading import GetQuery
from dagcatalog_server.catalog.writes import Precondition
from dagcatalog_server.store.memory import MemoryStore
from dagcatalog_server.store.memory_reading import MemorySnapshot
from dagcatalog_server.store.memory_writing import MemoryTransaction
from tests.support.writes import commit, log_of, put, refusal, replace_file

REPORT = ParseReport("default", "bundle", "v1", (), complete=True, actor="ann")


class OvertakenStore(MemoryStore):
    """A store whose first writers are overtaken by somebody else at the last moment."""

    def __init__(self, times: int, meanwhile: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self.times = times
        self.meanwhile = meanwhile
        self.locked: list[bool] = []
        """Of each transaction, whether it took the clock's lock first."""

    @contextmanager
    def write(self) -> Iterator[MemoryTransaction]:
        self.times -= 1
        overtaken = self.times >= 0
        with super().write() as transaction:
            self.locked.append(False)
            yield _Watched(transaction, self.locked)
            if overtaken:
                raise StoreConflict
        assert not overtaken

    def commit_meanwhile(self) -> None:
        self.times, left = 0, self.times
        self.meanwhile()
        self.times = left


class _Watched(MemoryTransaction):
    def __init__(self, inner: MemoryTransaction, locked: list[bool]) -> None:
        super().__init__(inner.contents, inner._blobs)
        self._locked = locked

    def lock(self) -> None:
        self._locked[-1] = True


class RivalStore(OvertakenStore):
    """Overtaken once, in `append`, by a writer whose work is there at the second attempt."""

    @contextmanager
    def write(self) -> Iterator[MemoryTransaction]:
        try:
            with super().write() as transaction:
                yield transaction
        except StoreConflict:
            self.commit_meanwhile()
            raise


def test_an_overtaken_writer_evaluates_again_on_what_it_finds() -> None:
    def rival() -> None:
        commit(catalog, put("a", tags=("rival",)), put("b"))

    store = RivalStore(1, rival)
    catalog = Catalog(store)
    first, second = commit(catalog, put("a", tags=("mine",)), put("c"))
    assert first.operations[0].change.kind is ChangeKind.NEW_VERSION
    assert [(one.revision, one.key.dag_id) for one in log_of(catalog)] == [
        (1, "a"),
        (2, "b"),
        (3, "a"),
        (4, "c"),
    ]
    assert second.revision == 4


def test_an_overtaken_precondition_fails_on_what_it_finds() -> None:
    store = RivalStore(1, lambda: commit(catalog, put("a", tags=("rival",))))
    catalog = Catalog(store)
    error = refusal(catalog, put("a", precondition=Precondition(version=0)))
    assert isinstance(error, PreconditionFailed)
    assert error.version == 1


def test_an_overtaken_request_that_was_already_done_is_replayed() -> None:
    """A retry that went to another replica while the first was still under way."""
    one = put("a", request_id="r", body="1")
    store = RivalStore(1, lambda: commit(catalog, one))
    catalog = Catalog(store)
    [outcome] = commit(catalog, one)
    assert outcome.operations[0].written
    assert catalog.clock().revision == 1


def test_a_second_attempt_takes_the_lock_that_nobody_overtakes() -> None:
    store = OvertakenStore(2)
    catalog = Catalog(store)
    commit(catalog, put("a"))
    assert store.locked == [False, True, True]


def test_a_replace_takes_the_lock_at_once() -> None:
    store = OvertakenStore(0)
    catalog = Catalog(store)
    commit(catalog, put("a"), replace_file("f.py", "b"))
    assert store.locked == [True]


def test_a_writer_that_is_always_overtaken_gives_up_and_wrote_nothing() -> None:
    store = OvertakenStore(3)
    catalog = Catalog(store)
    with pytest.raises(CatalogUnavailable):
        catalog.commit([put("a")])
    assert catalog.clock().revision == 0
    commit(catalog, put("a"))


def test_an_overtaken_parse_report_is_told_again() -> None:
    assert Catalog(OvertakenStore(2)).report_parse(REPORT) == 0
    with pytest.raises(CatalogUnavailable):
        Catalog(OvertakenStore(3)).report_parse(REPORT)


class BrokenStore(MemoryStore):
    """A store that fails wherever it is told to."""

    def __init__(self, failure: Exception, where: str) -> None:
        super().__init__()
        self.failure = failure
        self.where = where

    def fail(self, where: str) -> None:
        if where == self.where:
            raise self.failure

    def put_blobs(self, blobs: Iterable[Blob]) -> None:
        self.fail("blobs")
        super().put_blobs(blobs)

    def clock(self) -> Clock:
        self.fail("enter")
        return super().clock()

    @contextmanager
    def read(self) -> Iterator[MemorySnapshot]:
        self.fail("enter")
        with super().read() as snapshot:
            yield _Broken(MemoryTransaction(snapshot.contents, self._blobs), self)

    @contextmanager
    def write(self) -> Iterator[MemoryTransaction]:
        self.fail("enter")
        with super().write() as transaction:
            yield _Broken(transaction, self)
            self.fail("leave")


class _Broken(MemoryTransaction):
    def __init__(self, inner: MemoryTransaction, store: BrokenStore) -> None:
        super().__init__(inner.contents, inner._blobs)
        self._store = store

    def heads(self, keys: object) -> dict[DagKey, Change]:
        self._store.fail("question")
        return {}

    def page(self, query: object) -> Sequence[Change]:  # type: ignore[override] # never answers
        raise self._store.failure

    def append(self, changes: Sequence[Change]) -> None:
        self._store.fail("append")
        super().append(changes)


KINDS = [(StoreUnavailable("away"), CatalogUnavailable), (StoreFull("full"), CatalogFull)]


@pytest.mark.parametrize(("failure", "expected"), KINDS)
@pytest.mark.parametrize("where", ["blobs", "enter", "question", "append", "leave"])
def test_a_failure_of_the_store_during_a_write_is_told_by_its_kind(
    failure: Exception, expected: type[Exception], where: str
) -> None:
    catalog = Catalog(BrokenStore(failure, where))
    with pytest.raises(expected) as caught:
        catalog.commit([put("a")])
    assert caught.value.__cause__ is failure


@pytest.mark.parametrize(
    "ask",
    [
        lambda catalog: catalog.clock(),
        lambda catalog: catalog.get(GetQuery(DagKey("default", "a"))),
        lambda catalog: catalog.list(ListRequest(DagFilter()), Page()),
        lambda catalog: catalog.list_versions(DagKey("default", "a"), Page()),
        lambda catalog: catalog.list_parse_errors(None, "", Page()),
        lambda catalog: catalog.changes(after=0, limit=1),
        lambda catalog: catalog.rehearse(put("a")),
        lambda catalog: catalog.report_parse(REPORT),
        lambda catalog: catalog.standing(),
        lambda catalog: catalog.snapshot().__enter__(),
    ],
)
def test_a_database_that_is_away_is_told_by_every_read(
    ask: Callable[[Catalog], object],
) -> None:
    with pytest.raises(CatalogUnavailable):
        ask(Catalog(BrokenStore(StoreUnavailable("away"), "enter")))


def test_a_database_that_goes_in_the_middle_of_a_read_is_away_too() -> None:
    catalog = Catalog(BrokenStore(StoreUnavailable("away"), "question"))
    with pytest.raises(CatalogUnavailable):
        catalog.get(GetQuery(DagKey("default", "a")))
    with pytest.raises(CatalogUnavailable):
        catalog.list(ListRequest(DagFilter()), Page())


def test_a_defect_of_the_store_is_not_dressed_up() -> None:
    catalog = Catalog(BrokenStore(ZeroDivisionError(), "question"))
    with pytest.raises(ZeroDivisionError):
        catalog.get(GetQuery(DagKey("default", "a")))
