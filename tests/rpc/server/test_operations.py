"""What operators rely on: health, reflection, channelz, the drain, restarts, a database away."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from grpc import StatusCode
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from tests.support.server import RunningServer, running_server
from tests.support.wire import (
    connected,
    item,
    next_changes,
    next_event,
    open_channel,
    put,
    read_state,
    refusal_of,
    watching,
)

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def _health(address: str, service: str) -> int:
    async with open_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
        status: int = answer.status
        return status


async def test_both_ports_answer_probes(server: RunningServer) -> None:
    for address in (server.address, server.health_address):
        for service in ("", "dagcatalog.v1.CatalogService", "liveness"):
            assert await _health(address, service) == SERVING
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _health(address, "unknown")
        assert caught.value.code() is StatusCode.NOT_FOUND


async def test_the_health_port_serves_nothing_else(server: RunningServer) -> None:
    async with connected(server.health_address) as api:
        refusal = await refusal_of(api.Status(pb.StatusRequest()))
    assert refusal.code is StatusCode.UNIMPLEMENTED


def test_reflection_tells_the_whole_contract(server: RunningServer) -> None:
    with grpc.insecure_channel(server.address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert set(database.get_services()) == {
            "dagcatalog.v1.CatalogService",
            "grpc.channelz.v1.Channelz",
            "grpc.health.v1.Health",
            "grpc.reflection.v1alpha.ServerReflection",
        }
        file = database.FindFileContainingSymbol("dagcatalog.v1.CatalogService")
        assert [method.name for method in file.service[0].method] == [
            method.name for method in pb.DESCRIPTOR.services_by_name["CatalogService"].methods
        ]


async def test_channelz_answers(server: RunningServer) -> None:
    async with open_channel(server.address) as channel:
        stub = channelz_pb2_grpc.ChannelzStub(channel)
        answer = await stub.GetServers(channelz_pb2.GetServersRequest())
    assert sum(one.data.calls_started for one in answer.server) > 0


async def test_a_drain_lets_calls_end_and_tells_watches_where_to_resume(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    with running_server(path) as server:
        async with connected(server.address) as api, connected(server.address) as other:
            batch = [item(f"dag-{number:02}", padding="x" * 1_000_000) for number in range(40)]
            answer = await api.PutBatch(pb.PutBatchRequest(items=batch))
            selectors = [pb.DagSelector(dag_id=one.dag_id) for one in batch]
            reading = other.GetBatch(pb.GetBatchRequest(selectors=selectors))
            parts = [await reading.read()]  # the stream's window is full: the call is under way
            async with watching(api, pb.WatchRequest(initial_state=True)) as watch:
                await read_state(watch)
                server.process.send_signal(signal.SIGTERM)
                event = await next_event(watch)
                assert event.bookmark.draining
                assert event.position == answer.position
                assert await watch.read() is grpc.aio.EOF
                assert await watch.code() is StatusCode.OK
            assert await _health(server.health_address, "") == NOT_SERVING
            assert await _health(server.health_address, "liveness") == SERVING
            refusal = await refusal_of(_fresh_call(server.address))
            assert refusal.code is StatusCode.UNAVAILABLE
            parts += [part async for part in _rest(reading)]
        read = [one.dag.summary.dag_id for part in parts for one in _part(part).items]
        assert read == [one.dag_id for one in batch]
        assert await asyncio.to_thread(server.process.wait, 20) == 0


async def _fresh_call(address: str) -> pb.StatusResponse:
    async with connected(address) as api:
        return await api.Status(pb.StatusRequest())


async def _rest(
    call: "grpc.aio.UnaryStreamCall[pb.GetBatchRequest, pb.GetBatchResponse]",
) -> AsyncIterator[object]:
    while (part := await call.read()) is not grpc.aio.EOF:
        yield part


def _part(part: object) -> pb.GetBatchResponse:
    assert isinstance(part, pb.GetBatchResponse)
    return part


async def test_a_call_that_outlasts_the_grace_is_ended(tmp_path: Path) -> None:
    short = {"DAGCATALOG_DRAIN_GRACE": "0.2"}
    with running_server(tmp_path / "catalog.db", environment=short) as server:
        async with connected(server.address) as api:
            await api.PutBatch(
                pb.PutBatchRequest(
                    items=[item(f"dag-{number}", padding="x" * 1_000_000) for number in range(20)]
                )
            )
            selectors = [pb.DagSelector(dag_id=f"dag-{number}") for number in range(20)]
            call = api.GetBatch(pb.GetBatchRequest(selectors=selectors))
            await call.read()
            server.process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(server.process.wait, 20) == 0
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                assert [part async for part in _rest(call)]
            assert caught.value.code() in {StatusCode.UNAVAILABLE, StatusCode.CANCELLED}


async def test_data_survives_a_restart_and_watches_resume_across_it(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    with running_server(path) as server:
        async with connected(server.address) as api:
            before = await api.Put(put("", "a"))
            await api.Put(put("", "a", tags=["x"]))
            head = await api.Get(pb.GetRequest(dag_id="a"))
        server.process.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(server.process.wait, 20) == 0
    with running_server(path) as server:
        async with connected(server.address) as api:
            assert await api.Get(pb.GetRequest(dag_id="a")) == head
            after = pb.WatchRequest(after=before.position)
            async with watching(api, after) as call:
                (event,) = await next_changes(call)
                assert event.position == head.position
                await api.Put(put("", "b"))
                (event,) = await next_changes(call)
                assert event.position.revision == head.position.revision + 1
                assert event.position.epoch == before.position.epoch


async def test_logs_are_events_without_documents(tmp_path: Path) -> None:
    settings = {"DAGCATALOG_LOG_FORMAT": "json", "DAGCATALOG_LOG_LEVEL": "DEBUG"}
    with running_server(tmp_path / "catalog.db", environment=settings) as server:
        async with connected(server.address) as api:
            await api.Put(put("", "a", description="a secret of the document"))
            missing = api.Get(pb.GetRequest(dag_id="b"), metadata=(("x-request-id", "find-me"),))
            assert (await refusal_of(missing)).code is StatusCode.NOT_FOUND
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    served = [line for line in lines if line["event"].startswith("rpc_served method=Get ")]
    assert "request_id=find-me" in served[0]["event"]
    assert "reason=DAG_NOT_FOUND" in served[0]["event"]
    assert "secret" not in server.log.read_text()
    assert res.DESCRIPTOR.name not in server.log.read_text()
