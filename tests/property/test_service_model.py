"""The service over every store against a simple model, call by call, under random histories."""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from itertools import count
from typing import Any, ClassVar

import grpc
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from tests.property.service_model import (
    Dag,
    DeleteStep,
    Model,
    PutStep,
    Refused,
    ReplaceStep,
    RestoreStep,
    Row,
    Step,
    backs,
    names,
    steps,
)
from tests.support.wire import (
    Api,
    connected,
    next_changes,
    read_state,
    serving,
    watching,
)

PATIENCE_S = 20.0
BOUNDED = settings(
    max_examples=25,
    stateful_step_count=20,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),  # shrinking would take longer than a test may
    derandomize=True,  # a failure is the same for everybody
    suppress_health_check=list(HealthCheck),  # a server is slow
)
_namespaces = count(1)


class ServiceMachine(RuleBasedStateMachine):
    """Asks the service and the model the same. Every history has a namespace of its own."""

    api: ClassVar[Api]
    run_on_loop: ClassVar[Callable[[Coroutine[Any, Any, Any]], Any]]

    def __init__(self) -> None:
        super().__init__()
        self.namespace = f"model-{next(_namespaces)}"
        status = self.ask(self.api.Status(pb.StatusRequest()))
        self.epoch = status.position.epoch
        self.began = status.position.revision
        self.model = Model(self.began, status.compacted_revision)
        self.numbers = count(1)
        self.last: tuple[Any, Any, Any] | None = None
        """Method, request and answer of the last write that wrote."""

    def ask(self, call: Any) -> Any:
        """Wait for an answer, no longer than patience lasts."""

        async def wait() -> Any:
            async with asyncio.timeout(PATIENCE_S):
                return await call

        return type(self).run_on_loop(wait())

    # -- writes

    @rule(steps=st.lists(steps, min_size=3, max_size=10))
    def write_some(self, steps: list[Step]) -> None:
        for step in steps:
            match step:
                case PutStep():
                    self.put(step)
                case ReplaceStep():
                    self.replace_file(step)
                case DeleteStep():
                    self.delete(step)
                case RestoreStep():
                    self.restore(step)

    def put(self, step: PutStep) -> None:
        content, expected = step.content, step.precondition
        request = pb.PutRequest(item=content.item(expected))

        def change() -> list[tuple[int, Dag]]:
            self.model.check(content.name, expected)
            return [self.model.put(content)]

        self.write(self.api.Put, request, change)

    def replace_file(self, step: ReplaceStep) -> None:
        batch = [replace(one, file=step.file) for one in step.batch]
        request = pb.PutBatchRequest(items=[one.item() for one in batch])
        request.replace.CopyFrom(pb.ReplaceFile(bundle_name="bundle", file=step.file))

        def change() -> list[tuple[int, Dag]]:
            kept = {one.name for one in batch}
            others = [
                name
                for name, dag in sorted(self.model.dags.items())
                if dag.content.file == step.file and not dag.deleted and name not in kept
            ]
            puts = [self.model.put(one) for one in batch]
            return puts + [self.model.bury(name) for name in others]

        self.write(self.api.PutBatch, request, change)

    def delete(self, step: DeleteStep) -> None:
        expected = None if step.version is None else pb.Precondition(version=step.version)
        request = pb.DeleteRequest(dag_id=step.name, precondition=expected)

        def change() -> list[tuple[int, Dag]]:
            self.model.check(step.name, expected)
            return [self.model.bury(step.name)]

        self.write(self.api.Delete, request, change)

    def restore(self, step: RestoreStep) -> None:
        request = pb.RestoreRequest(dag_id=step.name)
        self.write(self.api.Restore, request, lambda: [self.model.restore(step.name)])

    @rule()
    def write_again(self) -> None:
        """A retry tells the first outcome and writes nothing."""
        if self.last is not None:
            method, request, answer = self.last
            assert self.ask(method(request)) == answer

    def write(self, method: Any, request: Any, change: Callable[[], list[tuple[int, Dag]]]) -> None:
        """Do it in both, and compare what came of it."""
        request.namespace = self.namespace
        request.request_id = f"{self.namespace}-{next(self.numbers)}"
        changes = _expected(change)
        if isinstance(changes, grpc.StatusCode):
            assert self.refusal(method(request)) is changes
            return
        answer = self.ask(method(request))
        rows = self.model.commit(changes)
        if rows:
            assert answer.position.revision == self.model.revision
            self.last = method, request, answer
        told = [_of_summary(one) for one in _summaries(answer)]
        assert told == [
            _told(self.model.at(self.model.revision)[d.content.name]) for _, d in changes
        ]

    # -- reads

    @rule(name=names, consistency=st.sampled_from([0, 1, 2]))
    def get(self, name: str, consistency: int) -> None:
        request = self.get_request(name)
        request.consistency = pb.Consistency.ValueType(consistency)
        # Local: what this replica has, and it has what it wrote itself.
        row = self.model.at(self.model.revision).get(name)
        self.compare_get(request, row)

    @rule(name=names, back=backs)
    def get_past(self, name: str, back: int) -> None:
        revision = max(0, self.model.revision - back)
        request = self.get_request(name)
        request.at_position.CopyFrom(res.Position(epoch=self.epoch, revision=revision))
        if revision < self.model.compacted:
            assert self.refusal(self.api.Get(request)) is grpc.StatusCode.OUT_OF_RANGE
        else:
            self.compare_get(request, self.model.at(revision).get(name))

    @rule(name=names, version=st.integers(1, 4))
    def get_version(self, name: str, version: int) -> None:
        request = self.get_request(name)
        request.version = version
        content = self.model.versions.get((name, version))
        if content is None:
            assert self.refusal(self.api.Get(request)) is grpc.StatusCode.NOT_FOUND
        else:
            assert self.ask(self.api.Get(request)).dag.document == content.document

    def get_request(self, name: str) -> pb.GetRequest:
        return pb.GetRequest(namespace=self.namespace, dag_id=name)

    def compare_get(self, request: pb.GetRequest, row: Row | None) -> None:
        if row is None or row.deleted:
            assert self.refusal(self.api.Get(request)) is grpc.StatusCode.NOT_FOUND
            return
        answer = self.ask(self.api.Get(request))
        assert _of_summary(answer.dag.summary) == _told(row)
        assert hashlib.sha256(answer.dag.document).hexdigest() == row.content_hash
        assert answer.position.revision == self.model.revision

    @rule(back=backs, prefix=st.sampled_from(["", "a"]), size=st.integers(1, 3), gone=st.booleans())
    def list_pages(self, back: int, prefix: str, size: int, *, gone: bool) -> None:
        revision = max(self.began, self.model.revision - back)
        request = pb.ListRequest(namespace=self.namespace, page_size=size)
        request.at_position.CopyFrom(res.Position(epoch=self.epoch, revision=revision))
        request.filter.dag_id_prefix = prefix
        request.filter.deleted = (
            pb.DELETED_FILTER_INCLUDE if gone else pb.DELETED_FILTER_UNSPECIFIED
        )
        if revision < self.model.compacted:
            assert self.refusal(self.api.List(request)) is grpc.StatusCode.OUT_OF_RANGE
            return
        rows = [
            row
            for name, row in sorted(self.model.at(revision).items())
            if name.startswith(prefix) and (gone or not row.deleted)
        ]
        told = []
        while True:
            answer = self.ask(self.api.List(request))
            assert (answer.position.revision, answer.total_size) == (revision, len(rows))
            told += [_of_summary(one) for one in answer.dags]
            request.page_token = answer.next_page_token
            if not request.page_token:
                break
        assert told == [_told(row) for row in rows]

    # -- watches

    @rule(back=backs, prefix=st.sampled_from(["", "a"]))
    def resume(self, back: int, prefix: str) -> None:
        revision = max(self.began, self.model.revision - back)
        after = res.Position(epoch=self.epoch, revision=revision)
        request = pb.WatchRequest(namespaces=[self.namespace], dag_id_prefix=prefix, after=after)
        if revision < self.model.compacted:
            assert self.refusal(self.first_event(request)) is grpc.StatusCode.OUT_OF_RANGE
            return
        rows = [row for row in self.model.log if row.revision > revision]
        rows = [row for row in rows if row.name.startswith(prefix)]
        assert self.ask(self.changes(request, rows)) == rows

    async def changes(self, request: pb.WatchRequest, rows: list[Row]) -> list[Row]:
        revisions = sorted({row.revision for row in rows})
        async with watching(self.api, request) as watch:
            events = await next_changes(watch, len(revisions))
        assert [one.position.revision for one in events] == revisions
        return [_of_change(one) for event in events for one in event.change_set.changes]

    async def first_event(self, request: pb.WatchRequest) -> None:
        async with watching(self.api, request) as watch:
            await watch.read()

    @rule()
    def watch_the_present(self) -> None:
        request = pb.WatchRequest(namespaces=[self.namespace], initial_state=True)

        async def present() -> tuple[list[res.Dag], res.Position]:
            async with watching(self.api, request) as watch:
                return await read_state(watch)

        dags, position = self.ask(present())
        assert position.revision == self.model.revision
        live = sorted(self.model.at(self.model.revision).items())
        expected = [_told(row) for _, row in live if not row.deleted]
        assert [_of_summary(one.summary) for one in dags] == expected

    # -- time passes

    @rule(back=backs)
    def forget(self, back: int) -> None:
        """Compact; what was forgotten cannot be told again to whoever asks for it twice."""
        revision = max(0, self.model.revision - back)
        answer = self.ask(self.api.Prune(pb.PruneRequest(namespace="-", compact_revision=revision)))
        self.model.compacted = max(self.model.compacted, revision)
        assert answer.compacted_revision == self.model.compacted
        self.last = None

    @invariant()
    def revisions_count_what_was_written(self) -> None:
        status = self.ask(self.api.Status(pb.StatusRequest()))
        assert status.position.revision == self.model.revision
        assert status.compacted_revision == self.model.compacted

    def refusal(self, call: Any) -> grpc.StatusCode:
        try:
            answer = self.ask(call)
        except grpc.aio.AioRpcError as error:
            return error.code()
        raise AssertionError(f"expected an error, not {answer!r:.300}")


def _expected(
    change: Callable[[], list[tuple[int, Dag]]],
) -> list[tuple[int, Dag]] | grpc.StatusCode:
    try:
        return change()
    except Refused as refused:
        return refused.code


def _summaries(answer: Any) -> list[res.DagSummary]:
    match answer:
        case pb.PutResponse():
            return [answer.result.summary]
        case pb.PutBatchResponse():
            return [*(one.summary for one in answer.results), *answer.deleted]
    return [answer.summary]


def _of_summary(summary: res.DagSummary) -> tuple[int, str, int, str, bool]:
    return (
        summary.revision,
        summary.dag_id,
        summary.version,
        summary.content_hash,
        summary.deleted,
    )


def _told(row: Row) -> tuple[int, str, int, str, bool]:
    return (row.revision, row.name, row.version, row.content_hash, row.deleted)


def _of_change(change: res.Change) -> Row:
    revision, name, version, content_hash, deleted = _of_summary(change.dag.summary)
    assert revision == change.revision
    return Row(revision, int(change.kind), name, version, content_hash, deleted)


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """A loop that runs while something is asked; between the questions the server stands still."""
    with asyncio.Runner() as opened:
        yield opened


def test_the_service_behaves_as_the_model(database_url: str, runner: asyncio.Runner) -> None:
    server = serving(database_url=database_url)
    address = runner.run(server.__aenter__())
    client = connected(address)
    api = runner.run(client.__aenter__())
    try:
        members = {"api": api, "run_on_loop": staticmethod(runner.run)}
        machine = type("Machine", (ServiceMachine,), members)
        run_state_machine_as_test(machine, settings=BOUNDED)
    finally:
        runner.run(client.__aexit__(None, None, None))
        runner.run(server.__aexit__(None, None, None))
