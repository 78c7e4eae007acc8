"""Acknowledge, AwaitPropagation and the consumers of Status."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from tests.support.waiting import PATIENCE_S, until
from tests.support.wire import (
    Api,
    connected,
    put,
    read_state,
    refusal_of,
    serving,
    watching,
)

NOW = Duration()
NOTHING = res.Position()


@asynccontextmanager
async def replicas(count: int, **settings: object) -> AsyncIterator[list[Api]]:
    """Run servers, on one database if the settings name one."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                connected(await stack.enter_async_context(serving(**settings)))
            )
            for _ in range(count)
        ]


@asynccontextmanager
async def consumer(
    api: Api, name: str, *namespaces: str, **more: Any
) -> AsyncIterator[res.Position]:
    """Watch as a consumer; gives where the watch stands."""
    request = pb.WatchRequest(namespaces=namespaces, consumer_id=name, initial_state=True, **more)
    async with watching(api, request) as watch:
        yield (await read_state(watch))[1]


def acknowledge(
    api: Api, namespace: str, name: str, position: res.Position | None
) -> "Any":  # a call that can be awaited
    return api.Acknowledge(
        pb.AcknowledgeRequest(namespace=namespace, consumer_id=name, position=position)
    )


async def propagation(
    api: Api, namespace: str, position: res.Position | None, for_so_long: Duration = NOW
) -> list[str]:
    """Wait; give the names of those that lag."""
    request = pb.AwaitPropagationRequest(
        namespace=namespace, position=position, timeout=for_so_long
    )
    answer = await api.AwaitPropagation(request)
    assert answer.propagated == (not answer.lagging)
    return [one.consumer_id for one in answer.lagging]


async def consumers(api: Api) -> list[pb.ConsumerStatus]:
    return list((await api.Status(pb.StatusRequest())).consumers)


async def test_where_nobody_watches_everything_has_arrived(api: Api, namespace: str) -> None:
    position = (await api.Put(put(namespace, "a"))).position
    async with watching(api, pb.WatchRequest(namespaces=[namespace])):
        assert await propagation(api, namespace, position) == []


async def test_all_must_have_acknowledged(api: Api, namespace: str) -> None:
    async with consumer(api, "web", namespace), consumer(api, "scheduler", namespace):
        position = (await api.Put(put(namespace, "a"))).position
        assert await propagation(api, namespace, position) == ["scheduler", "web"]
        await acknowledge(api, namespace, "web", position)
        assert await propagation(api, namespace, position) == ["scheduler"]
        await acknowledge(api, namespace, "scheduler", position)
        assert await propagation(api, namespace, position) == []
        # What comes after it has not arrived.
        later = (await api.Put(put(namespace, "b"))).position
        assert await propagation(api, namespace, later) == ["scheduler", "web"]
        assert await propagation(api, namespace, None) == ["scheduler", "web"]


async def test_who_waits_is_told_by_the_last_acknowledgement(api: Api, namespace: str) -> None:
    async with consumer(api, "web", namespace), consumer(api, "scheduler", namespace):
        position = (await api.Put(put(namespace, "a"))).position
        waits = [
            asyncio.create_task(propagation(api, namespace, position, Duration(seconds=60)))
            for _ in range(5)
        ]
        await acknowledge(api, namespace, "web", position)
        assert not any(one.done() for one in waits)
        await acknowledge(api, namespace, "scheduler", position)
        async with asyncio.timeout(PATIENCE_S):
            assert await asyncio.gather(*waits) == [[]] * 5


async def test_the_time_is_over_with_those_that_lag(api: Api, namespace: str) -> None:
    async with consumer(api, "web", namespace):
        position = (await api.Put(put(namespace, "a"))).position
        half_a_second = Duration(nanos=500_000_000)
        request = pb.AwaitPropagationRequest(
            namespace=namespace, position=position, timeout=half_a_second
        )
        began = asyncio.get_running_loop().time()
        answer = await api.AwaitPropagation(request)
        assert asyncio.get_running_loop().time() - began >= 0.5
        (lagging,) = answer.lagging
        assert (lagging.consumer_id, lagging.namespace) == ("web", namespace)
        assert lagging.acknowledged == NOTHING
        assert lagging.HasField("last_time")


async def test_status_tells_of_consumers(api: Api, namespace: str) -> None:
    async with (
        consumer(api, "web", namespace) as position,
        consumer(api, "audit", "-"),
    ):
        await acknowledge(api, namespace, "web", position)
        told = {(one.namespace, one.consumer_id): one for one in await consumers(api)}
        assert told[namespace, "web"].acknowledged == position
        assert told["-", "audit"].acknowledged == NOTHING
        await acknowledge(api, "-", "audit", None)


async def test_who_watches_every_namespace_is_waited_for_in_each(api: Api, namespace: str) -> None:
    async with consumer(api, "audit", "-") as position:
        assert await propagation(api, namespace, position) == ["audit"]
        await acknowledge(api, namespace, "audit", position)
        assert await propagation(api, namespace, position) == []
        await acknowledge(api, "-", "audit", None)


async def test_who_lost_its_watch_is_waited_for_until_it_leaves(api: Api, namespace: str) -> None:
    async with consumer(api, "web", namespace) as position:
        pass
    assert await propagation(api, namespace, position) == ["web"]
    await acknowledge(api, namespace, "web", None)
    assert await propagation(api, namespace, position) == []
    assert namespace not in {one.namespace for one in await consumers(api)}


async def test_who_died_is_waited_for_no_longer_than_its_silence(api: Api) -> None:
    async with replicas(1, consumer_silence=1.0) as (short,):
        async with consumer(short, "web", "default") as position:
            # An open watch is a sign of life, however idle it is.
            assert await propagation(short, "default", position, Duration(seconds=2)) == ["web"]
        async with asyncio.timeout(PATIENCE_S):
            assert await propagation(short, "default", position, Duration(seconds=60)) == []


async def test_one_that_registers_meanwhile_is_waited_for_too(api: Api, namespace: str) -> None:
    async with consumer(api, "web", namespace):
        position = (await api.Put(put(namespace, "a"))).position
        wait = asyncio.create_task(propagation(api, namespace, position, Duration(seconds=60)))
        async with consumer(api, "new", namespace):
            await acknowledge(api, namespace, "web", position)
            assert await propagation(api, namespace, position) == ["new"]
            assert not wait.done()
            await acknowledge(api, namespace, "new", position)
            async with asyncio.timeout(PATIENCE_S):
                assert await wait == []


async def test_a_position_that_is_not_of_this_history_is_refused(api: Api, namespace: str) -> None:
    async with consumer(api, "web", namespace) as position:
        future = res.Position(epoch=position.epoch, revision=position.revision + 1_000_000)
        other = res.Position(epoch="another", revision=1)
        for given, reason in ((future, "REVISION_IN_FUTURE"), (other, "OTHER_EPOCH")):
            request = pb.AwaitPropagationRequest(namespace=namespace, position=given)
            for call in (
                acknowledge(api, namespace, "web", given),
                api.AwaitPropagation(request),
            ):
                refusal = await refusal_of(call)
                assert (refusal.code, refusal.reason) == (StatusCode.OUT_OF_RANGE, reason)
        negative = res.Position(revision=-1)
        refusal = await refusal_of(acknowledge(api, namespace, "web", negative))
        assert refusal.code is StatusCode.INVALID_ARGUMENT


async def test_a_stranger_acknowledges_nothing(api: Api, namespace: str) -> None:
    refusal = await refusal_of(acknowledge(api, namespace, "nobody", res.Position(revision=0)))
    assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, "CONSUMER_NOT_FOUND")
    assert refusal.facts == {"namespace": namespace, "consumer_id": "nobody"}
    refusal = await refusal_of(acknowledge(api, namespace, "", res.Position(revision=0)))
    assert (refusal.code, refusal.fields) == (StatusCode.INVALID_ARGUMENT, ["consumer_id"])


async def test_an_id_has_a_length(api: Api, namespace: str) -> None:
    async with consumer(api, "é" * 128, namespace):
        pass
    call = api.Watch(pb.WatchRequest(namespaces=[namespace], consumer_id="é" * 129))
    assert (await refusal_of(call.read())).code is StatusCode.RESOURCE_EXHAUSTED
    call = api.Watch(pb.WatchRequest(namespaces=[namespace], consumer_id="a\0b"))
    assert (await refusal_of(call.read())).code is StatusCode.INVALID_ARGUMENT


async def test_a_namespace_has_room_for_so_many_consumers() -> None:
    async with (
        replicas(1, max_consumers=1) as (api,),
        consumer(api, "web", "default"),
        consumer(api, "web", "other"),
    ):
        call = api.Watch(pb.WatchRequest(consumer_id="scheduler"))
        refusal = await refusal_of(call.read())
        assert (refusal.code, refusal.reason) == (StatusCode.RESOURCE_EXHAUSTED, "TOO_LARGE")
        assert refusal.fields == ["consumer_id"]
        assert await propagation(api, "default", None) == ["web"]


@pytest.mark.parametrize("seconds", [-1, 601])
async def test_a_wait_has_bounds(api: Api, namespace: str, seconds: int) -> None:
    request = pb.AwaitPropagationRequest(namespace=namespace, timeout=Duration(seconds=seconds))
    refusal = await refusal_of(api.AwaitPropagation(request))
    assert (refusal.code, refusal.fields) == (StatusCode.INVALID_ARGUMENT, ["timeout"])


async def test_a_server_that_drains_sends_who_waits_elsewhere() -> None:
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(serving(drain_grace=60.0))
        async with connected(address) as api, consumer(api, "web", "default") as position:
            request = pb.AwaitPropagationRequest(position=position, timeout=Duration(seconds=600))
            wait = asyncio.create_task(refusal_of(api.AwaitPropagation(request)))
            assert await propagation(api, "default", position) == ["web"]
            async with asyncio.timeout(PATIENCE_S):
                await stack.aclose()
                assert (await wait).code is StatusCode.UNAVAILABLE


async def test_a_consumer_of_one_replica_is_waited_for_at_another(postgres_url: str) -> None:
    async with (
        replicas(2, database_url=postgres_url) as (left, right),
        consumer(left, "web", "default"),
        consumer(right, "scheduler", "default"),
    ):
        position = (await left.Put(put("", "a"))).position
        assert await propagation(left, "default", position) == ["scheduler", "web"]
        wait = asyncio.create_task(propagation(right, "default", position, Duration(seconds=60)))
        await acknowledge(left, "", "web", position)
        # At whichever replica: calls are spread over all of them.
        await acknowledge(left, "", "scheduler", position)
        async with asyncio.timeout(PATIENCE_S):
            assert await wait == []
        for api in (left, right):
            told = {one.consumer_id: one.acknowledged for one in await consumers(api)}
            assert told == {"web": position, "scheduler": position}


async def test_a_consumer_that_goes_to_another_replica_keeps_what_it_acknowledged(
    postgres_url: str,
) -> None:
    async with replicas(2, database_url=postgres_url) as (left, right):
        position = (await left.Put(put("", "a"))).position
        async with consumer(left, "web", "default"):
            await acknowledge(left, "", "web", position)
        again = pb.WatchRequest(consumer_id="web", after=position)
        async with watching(right, again):

            async def is_watching() -> bool:
                return (await right.Status(pb.StatusRequest())).watch_count == 1

            await until(is_watching)
            assert await propagation(left, "default", position) == []
            later = (await left.Put(put("", "b"))).position
            assert await propagation(left, "default", later) == ["web"]
            await acknowledge(right, "", "web", later)
            assert await propagation(left, "default", later) == []
        # A process that begins anew has nothing yet.
        async with consumer(left, "web", "default"):
            assert await propagation(right, "default", position) == ["web"]
