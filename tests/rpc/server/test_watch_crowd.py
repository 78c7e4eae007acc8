"""Watch under load: 50 writers at once, watchers that fall behind, and the drain."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from typing import TypeAlias

import grpc
from grpc import StatusCode

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from tests.support.wire import (
    Api,
    WatchCall,
    connected,
    item,
    next_changes,
    next_event,
    open_channel,
    put,
    read_refusal,
    read_state,
    revision,
    serving,
    watching,
)

WRITERS = 50
WRITES = 6  # of each writer
LARGE = "x" * 300_000

RawWatch: TypeAlias = "grpc.aio.UnaryStreamMultiCallable[bytes, bytes]"


async def _write(api: Api, namespace: str, writer: int) -> list[tuple[int, set[str]]]:
    """Write as one of the crowd: puts, batches, deletions; tell the revision of each."""
    told = []
    for number in range(WRITES):
        names = [f"w{writer}-{part}" for part in "abc"]
        match number % 3:
            case 0:
                answer = await api.Put(put(namespace, names[0], tags=[str(number)]))
                told.append((answer.position.revision, {names[0]}))
            case 1:
                items = [item(name, tags=[str(number)]) for name in names]
                batch = pb.PutBatchRequest(namespace=namespace, items=items)
                told.append(((await api.PutBatch(batch)).position.revision, set(names)))
            case _:
                gone = pb.DeleteRequest(namespace=namespace, dag_id=names[0])
                told.append(((await api.Delete(gone)).position.revision, {names[0]}))
    return told


async def _raw_watch(address: str, request: pb.WatchRequest, events: int) -> list[bytes]:
    """Read a watch as the bytes that came."""
    async with open_channel(address) as channel:
        watch: RawWatch = channel.unary_stream("/dagcatalog.v1.CatalogService/Watch")
        call = watch(request.SerializeToString())
        wire = [await call.read() for _ in range(events)]
        call.cancel()
    return [one for one in wire if isinstance(one, bytes)]


def _names(event: pb.WatchResponse) -> set[str]:
    return {change.dag.summary.dag_id for change in event.change_set.changes}


async def test_fifty_writers_are_told_in_order_once_without_gaps_and_whole(
    database_url: str,
) -> None:
    async with serving(database_url=database_url) as address, connected(address) as api:
        start = (await api.Status(pb.StatusRequest())).position
        request = pb.WatchRequest(namespaces=["crowd"], after=start)
        total = WRITERS * WRITES
        raw = [asyncio.create_task(_raw_watch(address, request, total)) for _ in range(2)]
        async with watching(api, request) as call:
            live = asyncio.create_task(next_changes(call, total))
            writers = (_write(api, "crowd", writer) for writer in range(WRITERS))
            written = [one for told in await asyncio.gather(*writers) for one in told]
            events = await live
        first, second = await asyncio.gather(*raw)
        again = await _raw_watch(address, request, total)  # resumed from the log or the ring
    assert first == second == again == [event.SerializeToString() for event in events]
    assert [event.position.revision for event in events] == list(
        range(start.revision + 1, start.revision + total + 1)
    )
    assert {event.position.revision: _names(event) for event in events} == dict(written)
    for event in events:
        changes = event.change_set.changes
        assert {change.revision for change in changes} == {event.position.revision}
        assert [change.ordinal for change in changes] == list(range(len(changes)))


async def test_a_watch_that_starts_amid_writes_misses_nothing(api: Api, namespace: str) -> None:
    writing = asyncio.create_task(_write_many(api, namespace, 120))
    while not writing.done():
        async with watching(api, _with_state(namespace)) as call:
            dags, synced = await read_state(call)
            known = {dag.summary.dag_id: dag.summary.version for dag in dags}
            assert all(dag.summary.revision <= synced.revision for dag in dags)
            goal = await revision(api)
            seen = synced.revision
            while seen < goal:
                (event,) = await next_changes(call)
                assert event.position.revision > seen
                seen = event.position.revision
                known |= {
                    change.dag.summary.dag_id: change.dag.summary.version
                    for change in event.change_set.changes
                }
        then = res.Position(revision=seen)
        listed = await api.List(pb.ListRequest(namespace=namespace, at_position=then))
        assert known == {dag.dag_id: dag.version for dag in listed.dags}
    await writing


def _with_state(namespace: str) -> pb.WatchRequest:
    return pb.WatchRequest(namespaces=[namespace], initial_state=True)


async def _write_many(api: Api, namespace: str, writes: int) -> None:
    for number in range(writes):
        await api.Put(put(namespace, f"dag-{number % 7}", tags=[str(number)]))


async def _fall_behind(api: Api, namespace: str) -> int:
    """Write more than a stream's buffers hold; tell the last revision."""
    for number in count():
        answer = await api.Put(put(namespace, f"dag-{number % 3}", description=f"{number}{LARGE}"))
        if number == 29:
            return answer.position.revision
    raise AssertionError


async def test_a_slow_watch_that_conflates_gets_the_latest_of_each_dag() -> None:
    async with serving() as address, connected(address) as api, connected(address) as slow:
        request = _slow(conflate=True)
        async with watching(slow, request) as call:
            await read_state(call)
            last = await _fall_behind(api, "slow")
            events = [await next_event(call)]
            while events[-1].position.revision < last:
                events.append(await next_event(call))
        revisions = [event.position.revision for event in events]
        assert revisions == sorted(set(revisions))
        assert len(events) < 30
        assert any(event.change_set.conflated for event in events)
        known = _latest(events)
        heads = [await api.Get(pb.GetRequest(namespace="slow", dag_id=name)) for name in known]
        assert known == {head.dag.summary.dag_id: head.dag for head in heads}


def _slow(*, conflate: bool) -> pb.WatchRequest:
    return pb.WatchRequest(
        namespaces=["slow"], initial_state=True, view=res.DAG_VIEW_DOCUMENT, conflate=conflate
    )


def _latest(events: Sequence[pb.WatchResponse]) -> dict[str, res.Dag]:
    changes = [change for event in events for change in event.change_set.changes]
    return {change.dag.summary.dag_id: change.dag for change in changes}


async def test_a_watch_that_falls_off_the_ring_is_ended_with_its_resume_point() -> None:
    ring = serving(watch_ring_changes=5)
    async with ring as address, connected(address) as api, connected(address) as slow:
        async with watching(slow, _slow(conflate=False)) as call, connected(address) as fast:
            await read_state(call)
            async with watching(fast, _slow(conflate=False)) as other:
                await read_state(other)
                reading = asyncio.create_task(next_changes(other, 30))
                last = await _fall_behind(api, "slow")
                assert (await reading)[-1].position.revision == last  # others never notice
            seen = await _read_to_the_end(call)
            refusal = read_refusal(
                await call.code(), await call.details(), await call.trailing_metadata()
            )
        assert (refusal.code, refusal.reason) == (
            StatusCode.RESOURCE_EXHAUSTED,
            "WATCHER_TOO_SLOW",
        )
        resume = int(refusal.facts["resume_revision"])
        assert seen == list(range(1, resume + 1))
        position = res.Position(epoch=refusal.facts["resume_epoch"], revision=resume)
        after = pb.WatchRequest(namespaces=["slow"], after=position)
        async with watching(api, after) as call:
            rest = await next_changes(call, last - resume)
        assert [event.position.revision for event in rest] == list(range(resume + 1, last + 1))


async def _read_to_the_end(call: WatchCall) -> list[int]:
    """Read until the watch is refused; tell the revisions that came."""
    seen: list[int] = []
    with suppress(grpc.aio.AioRpcError):
        while True:
            event = await next_event(call)
            if event.HasField("change_set"):
                seen.append(event.position.revision)
    return seen
