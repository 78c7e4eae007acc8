"""PostgreSQL that stops, starts again or hangs under a server that lives on."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode
from grpc.aio import Channel

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import catalog_service_pb2_grpc as pb_grpc
from dagcatalog_server.store.schema import migrate
from tests.support.postgres import Postgres, running_postgres
from tests.support.probes import until_ready
from tests.support.waiting import PATIENCE_S, until
from tests.support.wire import (
    Api,
    next_changes,
    next_event,
    open_channel,
    put,
    refusal_of,
    serving,
    watching,
)

QUICKLY_S = 8.0
BEAT = Duration(seconds=1)


@asynccontextmanager
async def served(cluster: Postgres, **settings: object) -> AsyncIterator[tuple[Channel, Api]]:
    await asyncio.to_thread(migrate, cluster.url("postgres"))
    async with AsyncExitStack() as stack:
        given = {"database_url": cluster.url("postgres"), **settings}
        address = await stack.enter_async_context(serving(**given))
        channel = await stack.enter_async_context(open_channel(address))
        yield channel, pb_grpc.CatalogServiceStub(channel)


async def away_soon(*calls: Awaitable[object]) -> None:
    """All of them must be told, within seconds, to try again later."""
    async with asyncio.timeout(QUICKLY_S):
        refusals = await asyncio.gather(*map(refusal_of, calls))
    for refusal in refusals:
        assert refusal.code is StatusCode.UNAVAILABLE, refusal
        assert refusal.reason == "DATABASE_UNAVAILABLE"
        assert refusal.retry_after_s > 0
        assert "127.0.0.1" not in refusal.message


@pytest.mark.parametrize(("notify", "outages"), [(True, 2), (False, 1)])
async def test_a_database_that_stops_and_starts_again_is_followed_without_a_restart(
    notify: bool, outages: int
) -> None:
    with running_postgres(durable=True) as cluster:
        async with served(cluster, notify=notify) as (channel, api):
            there = (await api.Put(put("", "before"))).position
            await until_ready(channel, ready=True)
            request = pb.WatchRequest(after=there, bookmark_interval=BEAT)
            async with watching(api, request) as watch:
                await next_event(watch)  # a bookmark: the watch has begun
                for outage in range(1, outages + 1):
                    await asyncio.to_thread(cluster.stop)
                    await until_ready(channel, ready=False)
                    await away_soon(
                        api.Put(put("", "b")),
                        api.PutBatch(pb.PutBatchRequest(items=[put("", "b").item])),
                        api.Get(pb.GetRequest(dag_id="before")),
                        api.List(pb.ListRequest()),
                    )
                    local = pb.GetRequest(dag_id="before", consistency=pb.CONSISTENCY_LOCAL)
                    assert (await api.Get(local)).dag.summary.dag_id == "before"
                    assert (await next_event(watch)).HasField("bookmark")  # it goes on
                    await asyncio.to_thread(cluster.start)
                    await until_ready(channel, ready=True)
                    answer = await api.Put(put("", f"after-{outage}"))
                    assert answer.position.revision == there.revision + outage
                    async with asyncio.timeout(PATIENCE_S):
                        (event,) = await next_changes(watch)
                    assert event.position == answer.position
                    assert (await next_event(watch)).HasField("bookmark")  # and not once more


async def test_a_database_that_hangs_holds_no_call_for_long() -> None:
    with running_postgres() as cluster:
        async with served(cluster, statement_timeout=1.0, lock_timeout=1.0) as (channel, api):
            await api.Put(put("", "a"))
            with cluster.paused():
                began = time.monotonic()
                calls = [api.Get(pb.GetRequest(dag_id="a")) for _ in range(100)]
                writes = [api.Put(put("", f"b{number}")) for number in range(100)]
                lists = [api.List(pb.ListRequest()) for _ in range(100)]
                await away_soon(*calls, *writes, *lists)
                print(f"300 calls were refused within {time.monotonic() - began:.1f} s")
                await until_ready(channel, ready=False)

            async def is_back() -> bool:
                return not await refused(api.Get(pb.GetRequest(dag_id="a")))

            await until(is_back)
            await until_ready(channel, ready=True)
            await api.Put(put("", "c"))


async def refused(call: Awaitable[object]) -> bool:
    try:
        await refusal_of(call)
    except AssertionError:
        return False
    return True
