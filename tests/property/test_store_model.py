"""Every store against a simple model, under random histories."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import psycopg2
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from dagcatalog_server.catalog.history import HistoryPlace
from dagcatalog_server.catalog.model import Change, DagKey, DagState, Projection
from dagcatalog_server.catalog.ports import Store
from dagcatalog_server.catalog.query import Cursor, DagFilter, DeletedFilter, ListOrder, ListQuery
from dagcatalog_server.store.memory import MemoryStore
from dagcatalog_server.store.postgres import open_postgres
from dagcatalog_server.store.sqlite import open_sqlite
from tests.support.stored import change, key, sha, stamped, state

BOUNDED = settings(
    max_examples=25,
    stateful_step_count=15,
    deadline=None,
    derandomize=True,  # a failure is the same for everybody
    suppress_health_check=list(HealthCheck),  # a database is slow
)

keys = st.builds(key, st.sampled_from("aAbé🌙"), st.sampled_from(["default", "other"]))
tags = st.lists(st.sampled_from(["x", "y", "", "\x1f", "\x1b", "xy"]), max_size=3).map(tuple)
contents = st.sampled_from(["one", "two", "three"])


@st.composite
def states(draw: st.DrawFn) -> DagState:
    made = state(
        draw(keys),
        version=draw(st.integers(1, 4)),
        content=draw(contents),
        projection=Projection(
            tags=draw(tags), description=draw(st.text(max_size=4).map(_storable))
        ),
    )
    return replace(made, deleted=draw(st.booleans()) and draw(st.booleans()))


def _storable(text: str) -> str:
    return text.encode("utf-8", "ignore").decode().replace("\0", "")


class Stop(Exception):
    """Ends a transaction."""


class StoreMachine(RuleBasedStateMachine):
    """Writes the same to a store and to a list, then asks both."""

    open_store: Callable[[], Any]

    def __init__(self) -> None:
        super().__init__()
        self.opened = self.open_store()
        self.store: Store = self.opened.__enter__()
        self.log: list[Change] = []
        self.heads: dict[DagKey, Change] = {}
        self.untils: dict[tuple[int, int], int] = {}
        self.revision = self.compacted = 0

    def teardown(self) -> None:
        self.opened.__exit__(None, None, None)

    @rule(batch=st.lists(st.lists(states(), min_size=1, max_size=3), min_size=1, max_size=3))
    def write(self, batch: list[list[DagState]]) -> None:
        """Write several revisions in one transaction, as group commit does."""
        with self.store.write() as transaction:
            transaction.heads({each.key for revision in batch for each in revision})
            last = transaction.tick(len(batch))
            changes = [
                each
                for offset, revision in enumerate(batch, start=last - len(batch) + 1)
                for each in stamped(list(map(change, revision)), offset)
            ]
            transaction.append(changes)
        self.revision += len(batch)
        for each in changes:
            if (head := self.heads.get(each.key)) is not None:
                self.untils[head.revision, head.ordinal] = each.revision
            self.heads[each.key] = each
        self.log += changes

    @rule(back=st.integers(0, 5), choice=st.randoms(use_true_random=False))
    def prune(self, back: int, choice: Random) -> None:
        """Drop some of what ended before a revision, as the catalog's pruning may."""
        compacted = max(self.compacted, self.revision - back)
        ended = [place for place, until in self.untils.items() if until <= compacted]
        gone = {place for place in ended if choice.random() < 0.7}
        with self.store.write() as transaction:
            transaction.drop_changes(gone)
            assert transaction.compact(compacted).compacted_revision == compacted
            assert transaction.compact(0).compacted_revision == compacted
        self.compacted = compacted
        self.log = [each for each in self.log if (each.revision, each.ordinal) not in gone]
        for place in gone:
            del self.untils[place]

    @rule(namespace=st.sampled_from(["default", None]), limit=st.integers(1, 7))
    def walk_history(self, namespace: str | None, limit: int) -> None:
        rows = [each for each in self.log if namespace in (None, each.key.namespace)]
        expected = sorted(
            ((_place(each), self.untils.get((each.revision, each.ordinal))) for each in rows),
            key=lambda row: row[0],
            reverse=True,
        )
        found: list[tuple[HistoryPlace, int | None]] = []
        before = None
        with self.store.read() as snapshot:
            while page := snapshot.history(namespace, before=before, limit=limit):
                found += [(row.place, row.until_revision) for row in page]
                before = page[-1].place
        assert found == expected

    @rule(batch=st.lists(states(), min_size=1, max_size=3))
    def roll_back(self, batch: list[DagState]) -> None:
        with suppress(Stop), self.store.write() as transaction:
            revision = transaction.tick(1)
            transaction.append(stamped(list(map(change, batch)), revision))
            raise Stop

    @rule(dag=keys, revision=st.integers(0, 30), version=st.integers(1, 5), content=contents)
    def read_history(self, dag: DagKey, revision: int, version: int, content: str) -> None:
        own = [each for each in self.log if each.key == dag]
        alive = [each for each in own if not each.state.deleted]
        versions = {each.state.version: each for each in alive}
        with self.store.read() as snapshot:
            past = [each for each in own if each.revision <= revision < self._until(each)]
            assert snapshot.state_at(dag, revision) == _last(past)
            assert snapshot.state_of_version(dag, version) == versions.get(version)
            listed = snapshot.versions(dag, before=version, limit=2)
            expected = sorted((v for v in versions if v < version), reverse=True)[:2]
            assert listed == [versions[v] for v in expected]
            assert snapshot.version_count(dag) == len(versions)
            holding = [
                each
                for each in self.log
                if each.key.namespace == dag.namespace
                and each.state.hashes.content == sha(content)
                and not each.state.deleted
            ]
            found = snapshot.state_of_content(dag.namespace, sha(content))
            assert found == _last(holding)
            own_holding = [each for each in holding if each.key == dag]
            named = snapshot.state_of_content(dag.namespace, sha(content), dag.dag_id)
            assert named == _last(own_holding)

    @rule(
        back=st.integers(0, 6),
        order=st.sampled_from(ListOrder),
        deleted=st.sampled_from(DeletedFilter),
        namespace=st.sampled_from(["default", None]),
        tag=st.none() | st.sampled_from(["x", "y", "", "\x1f"]),
        page_size=st.integers(1, 5),
    )
    def list_pages(
        self,
        back: int,
        order: ListOrder,
        deleted: DeletedFilter,
        namespace: str | None,
        tag: str | None,
        page_size: int,
    ) -> None:
        wanted = () if tag is None else (tag,)
        dag_filter = DagFilter(namespace=namespace, deleted=deleted, tags_any=wanted)
        revision = max(self.compacted, self.revision - back)
        query = ListQuery(dag_filter, revision, page_size, order)
        expected = self._listed(query)
        found: list[tuple[int, DagState]] = []
        with self.store.read() as snapshot:
            assert snapshot.count(dag_filter, revision) == len(expected)
            while page := snapshot.page(query):
                found += [(row.revision, row.state) for row in page]
                last = page[-1]
                query = replace(query, after=Cursor(last.state.key, last.revision))
        assert found == [(each.revision, each.state) for each in expected]

    @rule(after=st.integers(0, 30), limit=st.integers(1, 6))
    def read_log(self, after: int, limit: int) -> None:
        later = [each for each in self.log if each.revision > after]
        last = later[min(limit, len(later)) - 1].revision if later else 0
        with self.store.read() as snapshot:
            found = snapshot.changes(after=after, limit=limit)
        assert found == [each for each in later if each.revision <= last]

    @invariant()
    def heads_are_the_last_changes(self) -> None:
        heads = self.heads
        with self.store.read() as snapshot:
            assert snapshot.clock().revision == self.revision
            assert snapshot.clock().compacted_revision == self.compacted
            assert snapshot.heads(list(heads)) == heads

    def _until(self, row: Change) -> int:
        return self.untils.get((row.revision, row.ordinal), self.revision + 1_000)

    def _listed(self, query: ListQuery) -> list[Change]:
        newest = {each.key: each for each in self.log if each.revision <= query.revision}
        rows = [each for each in newest.values() if _matches(query.filter, each)]
        rows.sort(key=lambda row: row.key, reverse=query.order == ListOrder.DAG_ID_DESC)
        if query.order in (ListOrder.REVISION, ListOrder.REVISION_DESC):
            sign = 1 if query.order == ListOrder.REVISION else -1
            rows.sort(key=lambda row: sign * row.revision)
        return rows


def _place(row: Change) -> HistoryPlace:
    return HistoryPlace(row.key, row.state.version, row.revision, row.ordinal)


def _matches(wanted: DagFilter, row: Change) -> bool:
    tombstones = {
        DeletedFilter.EXCLUDE: not row.state.deleted,
        DeletedFilter.INCLUDE: True,
        DeletedFilter.ONLY: row.state.deleted,
    }
    tagged = not wanted.tags_any or wanted.tags_any[0] in row.state.projection.tags
    return tagged and wanted.namespace in (None, row.key.namespace) and tombstones[wanted.deleted]


def _last(changes: list[Change]) -> Change | None:
    return changes[-1] if changes else None


@contextmanager
def _memory() -> Iterator[Store]:
    yield MemoryStore()


@contextmanager
def _sqlite() -> Iterator[Store]:
    with tempfile.TemporaryDirectory() as folder:
        store = open_sqlite(Path(folder) / "catalog.db")
        yield store
        store.close()


def test_memory_behaves_as_the_model() -> None:
    _run(_memory)


def test_sqlite_behaves_as_the_model() -> None:
    _run(_sqlite)


def test_postgresql_behaves_as_the_model(postgres_url: str) -> None:
    store = open_postgres(postgres_url)

    @contextmanager
    def emptied() -> Iterator[Store]:
        connection = psycopg2.connect(postgres_url)
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM change; UPDATE clock SET revision = 0, compacted_revision = 0"
            )
        connection.close()
        yield store

    _run(emptied)
    store.close()


def _run(open_store: Callable[[], Any]) -> None:
    machine = type("Machine", (StoreMachine,), {"open_store": staticmethod(open_store)})
    run_state_machine_as_test(machine, settings=BOUNDED)
