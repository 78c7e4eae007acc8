"""Random groups of writes against a model of a few lines."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dagcatalog_server.catalog.catalog import Catalog
from dagcatalog_server.catalog.errors import CatalogError, DagNotFound, NotDeleted
from dagcatalog_server.catalog.listing import ListRequest, Page
from dagcatalog_server.catalog.model import Change, ChangeKind, Position, Provenance
from dagcatalog_server.catalog.query import DagFilter
from dagcatalog_server.catalog.writes import FileRef, PutOperation, Write, WriteOutcome
from dagcatalog_server.rpc.dags import head_of_row
from dagcatalog_server.watch.query import WatchQuery
from tests.support.watching import Replica, Watcher, running
from tests.support.writes import delete, log_of, put_operation, restore, write

CREATED, NEW_VERSION, REFRESHED, DELETED, RESTORED = ChangeKind
FILES = ("f.py", "g.py")


@dataclass(frozen=True)
class Dag:
    """What the model knows of a DAG."""

    version: int
    definition: int
    source: int
    file: str
    deleted: bool = False


@dataclass(frozen=True)
class Put:
    name: str
    definition: int
    source: int
    file: str


@dataclass(frozen=True)
class Delete:
    name: str


@dataclass(frozen=True)
class Restore:
    name: str


@dataclass(frozen=True)
class Replace:
    file: str
    dags: tuple[Put, ...]


Step = Put | Delete | Restore | Replace
Told = list[tuple[str, ChangeKind | None]]
"""What happened to each DAG of a write; None: nothing."""

NAMES = st.sampled_from("abc")
PUTS = st.builds(
    Put,
    NAMES,
    st.integers(min_value=0, max_value=2),
    st.integers(min_value=0, max_value=1),
    st.sampled_from(FILES),
)
STEPS = st.one_of(
    PUTS,
    st.builds(Delete, NAMES),
    st.builds(Restore, NAMES),
    st.builds(
        Replace,
        st.sampled_from(FILES),
        st.lists(PUTS, max_size=3, unique_by=lambda put: put.name).map(tuple),
    ),
)


class Model:
    """The rules of section 3 of the design, one DAG at a time."""

    def __init__(self) -> None:
        self.dags: dict[str, Dag] = {}

    def apply(self, step: Step) -> Told | type[CatalogError]:
        match step:
            case Put():
                return [(step.name, self.put(step))]
            case Delete(name):
                if name not in self.dags or self.dags[name].deleted:
                    return DagNotFound
                return [(name, self.bury(name))]
            case Restore(name):
                if name not in self.dags:
                    return DagNotFound
                if not self.dags[name].deleted:
                    return NotDeleted
                self.dags[name] = replace(self.dags[name], deleted=False)
                return [(name, RESTORED)]
            case Replace(file, dags):
                told: Told = [(put.name, self.put(replace(put, file=file))) for put in dags]
                kept = {put.name for put in dags}
                gone = [
                    name
                    for name, dag in sorted(self.dags.items())
                    if dag.file == file and not dag.deleted and name not in kept
                ]
                return told + [(name, self.bury(name)) for name in gone]

    def put(self, put: Put) -> ChangeKind | None:
        was = self.dags.get(put.name)
        version = was.version if was else 0
        same = was is not None and was.definition == put.definition
        now = Dag(version if same else version + 1, put.definition, put.source, put.file)
        self.dags[put.name] = now
        if was is None or (was.deleted and not same):
            return CREATED
        if was.deleted:
            return RESTORED
        if not same:
            return NEW_VERSION
        return None if now == was else REFRESHED

    def bury(self, name: str) -> ChangeKind:
        self.dags[name] = replace(self.dags[name], deleted=True)
        return DELETED


@cache
def operation(put: Put) -> PutOperation:
    return put_operation(
        put.name,
        tags=(f"definition-{put.definition}",),
        source=f"source-{put.source}",
        provenance=Provenance(file=put.file),
    )


def as_write(step: Step) -> Write:
    match step:
        case Put():
            return write(operation(step))
        case Delete(name):
            return delete(name)
        case Restore(name):
            return restore(name)
        case Replace(file, dags):
            puts = (operation(replace(put, file=file)) for put in dags)
            return write(*puts, replace=FileRef("", file))


class CatalogOfAFewDags(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.replica = Replica(max_changes=7)
        self.catalog: Catalog = self.replica.catalog
        self.model = Model()
        self.revision = 0

    @rule(steps=st.lists(STEPS, min_size=1, max_size=6))
    def commit(self, steps: Sequence[Step]) -> None:
        results = self.catalog.commit([as_write(step) for step in steps]).results
        for step, result in zip(steps, results, strict=True):
            expected = self.model.apply(step)
            if isinstance(expected, type):
                assert type(result) is expected
                continue
            assert isinstance(result, WriteOutcome)
            outcomes = (*result.operations, *result.deleted)
            told = [
                (one.change.key.dag_id, one.change.kind if one.written else None)
                for one in outcomes
            ]
            assert told == expected
            if any(one.written for one in outcomes):
                self.revision += 1
                assert result.revision == self.revision
            assert result.revision <= self.revision
            assert all(one.change.revision <= result.revision for one in outcomes)

    @rule(step=STEPS)
    def rehearse(self, step: Step) -> None:
        copy = Model()
        copy.dags = dict(self.model.dags)
        expected = copy.apply(step)
        rehearsed = replace(as_write(step), validate_only=True)
        if isinstance(expected, type):
            with pytest.raises(expected):
                self.catalog.rehearse(rehearsed)
            return
        outcome = self.catalog.rehearse(rehearsed)
        written = [one.written for one in (*outcome.operations, *outcome.deleted)]
        assert written == [kind is not None for _, kind in expected]

    @invariant()
    def the_clock_counts_what_was_written(self) -> None:
        assert self.catalog.clock().revision == self.revision
        log = log_of(self.catalog)
        assert sorted({one.revision for one in log}) == list(range(1, self.revision + 1))
        assert [one.revision for one in log] == sorted(one.revision for one in log)

    @invariant()
    def heads_are_as_the_model_says(self) -> None:
        for name, dag in self.model.dags.items():
            head = self.history(name)[-1].state
            assert (head.version, head.deleted) == (dag.version, dag.deleted)
            assert head.projection.tags == (f"definition-{dag.definition}",)
            assert head.provenance.file == dag.file

    @invariant()
    def versions_count_from_one_and_never_change(self) -> None:
        for name in self.model.dags:
            history = self.history(name)
            versions = [one.state.version for one in history]
            assert versions == sorted(versions)
            assert set(versions) == set(range(1, versions[-1] + 1))
            facts = {
                (
                    one.state.version,
                    one.state.hashes.definition,
                    one.state.version_revision,
                    one.state.version_actor,
                    one.state.version_created_at,
                )
                for one in history
            }
            assert len(facts) == versions[-1]
            assert all(one.state.version_revision <= one.revision for one in history)

    def teardown(self) -> None:
        if hasattr(self, "replica"):
            asyncio.run(self.watch_it_all())

    async def watch_it_all(self) -> None:
        """A watch from any revision, on top of the state at that revision, gives the present."""
        epoch = self.catalog.clock().epoch
        async with running(self.replica):
            await self.replica.caught_up()
            for start in range(self.revision):
                at = Position(epoch, start)
                watcher = Watcher(self.replica.hub, WatchQuery(None, after=at))
                listed = self.catalog.list(ListRequest(DagFilter(), at=at), Page(1_000))
                watcher.heads.update((row.state.key, head_of_row(row)) for row in listed.rows)
                await watcher.until(self.revision)
                assert watcher.heads == self.replica.heads()
                await watcher.close()

    def history(self, name: str) -> list[Change]:
        return [one for one in log_of(self.catalog) if one.key.dag_id == name]


CatalogOfAFewDags.TestCase.settings = settings(
    max_examples=100, stateful_step_count=15, deadline=None
)
TestCatalogOfAFewDags = CatalogOfAFewDags.TestCase
