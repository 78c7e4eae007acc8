"""Content that a replica still points at is pruned: who reads it is told what is, never of damage."""

from collections.abc import AsyncIterator
from contextlib import suppress

import grpc
from grpc import StatusCode

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from tests.support.wire import (
    Api,
    WatchCall,
    connected,
    next_event,
    put,
    read_refusal,
    read_state,
    serving,
    watching,
)

NEVER_S = 3600
NO_MEMORY = 1  # bytes: nothing stays encoded
LARGE = "x" * 300_000
KEEP_HEADS = pb.PruneRequest(namespace="-", keep_versions=1)
WRITES = 40


async def test_a_watch_that_lags_is_told_that_its_past_was_compacted() -> None:
    async with (
        serving(cache_bytes=NO_MEMORY) as address,
        connected(address) as api,
        connected(address) as slow,
    ):
        request = pb.WatchRequest(initial_state=True, view=res.DAG_VIEW_DOCUMENT)
        async with watching(slow, request) as call:
            await read_state(call)
            for number in range(WRITES):  # more than a stream's buffers hold
                await api.Put(put("", "a", description=f"{number}{LARGE}"))
            done = await api.Prune(KEEP_HEADS)
            assert done.compacted_revision == WRITES
            seen = [event.position.revision async for event in _until_refused(call)]
            refusal = read_refusal(
                await call.code(), await call.details(), await call.trailing_metadata()
            )
        assert seen == list(range(1, len(seen) + 1))
        assert len(seen) < WRITES
        assert (refusal.code, refusal.reason) == (StatusCode.OUT_OF_RANGE, "REVISION_COMPACTED")
        assert refusal.facts["oldest_revision"] == str(WRITES)
        async with watching(api, request) as call:  # as it was told: from the present
            (dag,), synced = await read_state(call)
        assert synced.revision == dag.summary.revision == WRITES


async def _until_refused(call: WatchCall) -> AsyncIterator[pb.WatchResponse]:
    with suppress(grpc.aio.AioRpcError):
        while True:
            yield await next_event(call)


async def _follows(lagging: Api, version: int) -> None:
    """Let a replica take over what another one wrote, but for the document."""
    answer = await lagging.Get(pb.GetRequest(dag_id="a", view=res.DAG_VIEW_SUMMARY))
    assert answer.dag.summary.version == version


async def test_a_local_read_of_a_pruned_head_is_of_the_newer_one(postgres_url: str) -> None:
    settings = {
        "database_url": postgres_url,
        "notify": False,
        "watch_poll_interval": NEVER_S,
        "cache_bytes": NO_MEMORY,
    }
    async with (
        serving(**settings) as one,
        serving(**settings) as other,
        connected(one) as api,
        connected(other) as lagging,
    ):
        await api.Put(put("", "a", tags=["old"]))
        await _follows(lagging, 1)
        newest = await api.Put(put("", "a", tags=["new"]))
        await api.Prune(KEEP_HEADS)
        local = pb.GetRequest(dag_id="a", consistency=pb.CONSISTENCY_LOCAL)
        answer = await lagging.Get(local)
        assert answer.dag.summary == newest.result.summary
        assert answer.position == newest.position
        assert answer.dag.document
