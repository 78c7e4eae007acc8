"""Errors on the wire: their details, what is undecodable, what is unforeseen, what is not built."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.rpc import code_pb2
from grpc import StatusCode

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_server.app import running_server as run_in_process
from dagcatalog_server.catalog.errors import CatalogError
from dagcatalog_server.config import Config
from dagcatalog_server.rpc.status import STATUS
from dagcatalog_server.store.memory import MemoryStore
from tests.support.server import RunningServer
from tests.support.wire import (
    Api,
    Refusal,
    connected,
    open_channel,
    put,
    put_bytes,
    read_refusal,
    refusal_of,
    serving,
)

SERVICE = pb.DESCRIPTOR.services_by_name["CatalogService"]


def _subclasses(base: type[CatalogError]) -> Iterator[type[CatalogError]]:
    for one in base.__subclasses__():
        yield one
        yield from _subclasses(one)


def test_every_catalog_error_has_a_wire_status() -> None:
    public = {one for one in _subclasses(CatalogError) if not one.__name__.startswith("_")}
    assert public == set(STATUS)
    assert {STATUS[one].value[0] for one in public} <= set(code_pb2.Code.values())
    reasons = [one.reason for one in public]
    # The reason of a position says what is wrong with it: each object has its own.
    assert len(set(reasons)) == len(reasons)


async def _send(server: RunningServer, method: MethodDescriptor, wire: bytes) -> Refusal:
    """Send raw bytes to a method that must refuse them, and read the refusal."""
    async with open_channel(server.address) as channel:
        path = f"/{SERVICE.full_name}/{method.name}"
        kind: Any = channel.unary_stream if method.server_streaming else channel.unary_unary
        call = kind(path)(wire)
        code, details = await call.code(), await call.details()
        return read_refusal(code, details, await call.trailing_metadata())


@pytest.mark.parametrize("wire", [b"\xff" * 40, b"\x0a\x02\xff\xfe", b"\x0a\x7fshort"])
async def test_what_cannot_be_decoded_is_refused(server: RunningServer, wire: bytes) -> None:
    for method in SERVICE.methods:
        if method.name == "Status" and wire != b"\xff" * 40:
            continue  # StatusRequest has no field that could be wrong
        refusal = await _send(server, method, wire)
        assert refusal.code is StatusCode.INVALID_ARGUMENT, method.name
        assert refusal.fields == ["request"]
        assert method.input_type.full_name in refusal.message


async def test_details_say_what_and_where(api: Api, namespace: str) -> None:
    document = b'{"dag":{"dag_id":"a","tasks":[{"__var":{"retries":NaN}}]}}'
    refusal = await refusal_of(api.Put(put_bytes(namespace, "a", document)))
    assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")
    assert refusal.domain == "dagcatalog"
    path = "item.document.dag.tasks[0].__var.retries"
    assert refusal.fields == [path]
    assert refusal.facts == {"field": path}
    assert refusal.details == [
        "google.rpc.ErrorInfo",
        "google.rpc.RequestInfo",
        "google.rpc.BadRequest",
    ]
    assert refusal.message == f"{path}: NaN is not JSON"


@pytest.mark.parametrize("given", ["my-request-7", "", "x" * 129])
async def test_the_request_id_is_the_clients_or_a_new_one(api: Api, given: str) -> None:
    metadata = (("x-request-id", given),) if given else ()
    call = api.Get(pb.GetRequest(dag_id="missing"), metadata=metadata)
    refusal = await refusal_of(call)
    trailing = dict(await call.trailing_metadata())
    assert refusal.request_id == trailing["x-request-id"]
    assert (refusal.request_id == given) == (given == "my-request-7")
    assert len(refusal.request_id) >= 12
    answered = api.Status(pb.StatusRequest(), metadata=metadata)
    assert dict(await answered.trailing_metadata())["x-request-id"]
    await answered


async def test_an_error_fits_into_metadata_whatever_was_sent(api: Api, namespace: str) -> None:
    key = "ключ\U0001f319" * 30_000
    twice = f'{{"dag":{{"dag_id":"a","{key}":1,"{key}":2}}}}'.encode()
    lone = f'{{"dag":{{"dag_id":"a","{key}":{{"\\ud800{key}":1}}}}}}'.encode()
    deep = f'{{"dag":{{"dag_id":"a","{key}":[NaN]}}}}'.encode()
    for document in (twice, lone, deep):
        refusal = await refusal_of(api.Put(put_bytes(namespace, "a", document)))
        assert refusal.code is StatusCode.INVALID_ARGUMENT
        assert refusal.fields[0].startswith("item.document.dag")
    report = pb.ReportParseRequest(
        namespace=namespace, results=[pb.ParseResult(file="\U0001f319" * 400)] * 2
    )
    refusal = await refusal_of(api.ReportParse(report))
    assert refusal.fields == ["results[1].file"]


async def test_a_message_over_the_limit_is_refused_and_the_connection_stays() -> None:
    async with serving(max_message_bytes=1024**2) as address, connected(address) as api:
        await api.Put(put("", "a"))
        refusal = await refusal_of(api.Put(put("", "b", padding="x" * 1024**2)))
        assert refusal.code is StatusCode.RESOURCE_EXHAUSTED
        assert "1048576" in refusal.message
        found = await api.List(pb.ListRequest())
        assert [dag.dag_id for dag in found.dags] == ["a"]


async def test_limits_of_documents_are_the_configurations() -> None:
    settings = {
        "max_document_bytes": 5_000,
        "max_document_depth": 10,
        "max_document_nodes": 300,
        "max_source_bytes": 10,
    }
    source = put("", "a")
    source.item.source.text = "x" * 11
    cases: dict[str, Callable[[], pb.PutRequest]] = {
        "bytes": lambda: put("", "a", padding="x" * 5_000),
        "values": lambda: put_bytes("", "a", b'{"dag":{"dag_id":"a","x":[%s0]}}' % (b"0," * 300)),
        "deeper": lambda: put_bytes("", "a", b'{"dag":{"dag_id":"a","x":[[[[[[[[[]]]]]]]]]}}'),
        "item.source.text": lambda: source,
    }
    async with serving(**settings) as address, connected(address) as api:
        for word, make in cases.items():
            refusal = await refusal_of(api.Put(make()))
            assert word in refusal.message
            assert refusal.fields[0].startswith("item.")
        await api.Put(put("", "a"))


async def test_calls_over_the_limit_are_refused() -> None:
    async with serving(max_concurrent_rpcs=2) as address, connected(address) as api:
        watches = [api.Watch(pb.WatchRequest(initial_state=True)) for _ in range(2)]
        for watch in watches:
            await watch.read()
        refusal = await refusal_of(api.Status(pb.StatusRequest()))
        assert refusal.code is StatusCode.RESOURCE_EXHAUSTED
        for watch in watches:
            watch.cancel()


class FaultyStore(MemoryStore):
    """A store with a defect that shows once it is told to."""

    broken = False

    def read(self) -> Any:  # whatever the real one gives
        if self.broken:
            raise RuntimeError("secret detail of the defect")
        return super().read()


async def test_an_unforeseen_error_is_internal_with_an_id_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = FaultyStore()
    settings: dict[str, Any] = {"listen": "127.0.0.1:0", "health_listen": "", "database_url": "-"}
    async with (
        run_in_process(Config(**settings), store) as server,
        connected(server.address) as api,
    ):
        store.broken = True
        metadata = (("x-request-id", "find-me"),)
        batch = pb.GetBatchRequest(selectors=[pb.DagSelector(dag_id="a")])
        calls: list[Awaitable[object]] = [
            api.Get(pb.GetRequest(dag_id="a"), metadata=metadata),
            api.GetBatch(batch, metadata=metadata).read(),
        ]
        for call in calls:
            refusal = await refusal_of(call)
            assert refusal == Refusal(
                StatusCode.INTERNAL,
                "internal error; the server's log has it under request id find-me",
                request_id="find-me",
                details=["google.rpc.RequestInfo"],
            )
        store.broken = False
        await api.Put(put("", "a"))  # the connection and the server go on
    logged = [record for record in caplog.records if "request_id=find-me" in record.getMessage()]
    assert len(logged) == 2
    assert all(record.exc_info for record in logged)


async def test_an_unknown_method_is_unimplemented(server: RunningServer) -> None:
    async with open_channel(server.address) as channel:
        method: Any = channel.unary_unary("/dagcatalog.v1.CatalogService/Nothing")
        assert (await refusal_of(method(b""))).code is StatusCode.UNIMPLEMENTED
