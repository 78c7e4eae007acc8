"""Waiting for consumers, over replicas that share a store."""

import asyncio

import pytest

from dagcatalog_server.catalog.errors import CatalogUnavailable, RevisionOutOfRange
from dagcatalog_server.catalog.model import ConsumerKey, Position
from dagcatalog_server.store.memory import MemoryStore
from tests.support.consuming import Consuming, consuming
from tests.support.stored import commit, key, state
from tests.support.waiting import PATIENCE_S, until

WEB = ConsumerKey("default", "web")
LONG_S = 600.0


@pytest.fixture
def store() -> MemoryStore:
    made = MemoryStore()
    commit(made, state(key("a")))
    return made


async def names(
    replica: Consuming, position: Position | None = None, timeout_s: float = 0
) -> list[str]:
    async with asyncio.timeout(PATIENCE_S):
        lagging = await replica.propagation.wait("default", position, timeout_s)
    return [one.key.consumer_id for one in lagging]


async def until_read(replica: Consuming) -> None:
    """Wait until who waits has seen what the store says."""

    async def is_read() -> bool:
        return replica.reads > 1

    await until(is_read)


async def test_a_local_acknowledgement_is_known_before_it_is_written(store: MemoryStore) -> None:
    async with consuming(store) as replica, replica.registry.watching("web", {"default"}, None):
        wait = asyncio.create_task(names(replica, timeout_s=LONG_S))
        await until_read(replica)
        replica.going.clear()  # neither can be written nor read any more
        said = asyncio.create_task(replica.registry.acknowledge(WEB, store.clock().position))
        assert await wait == []
        assert not said.done()
        replica.going.set()
        await said


async def test_a_consumer_of_a_paused_replica_is_waited_for(store: MemoryStore) -> None:
    async with (
        consuming(store) as left,
        consuming(store) as right,
        left.registry.watching("web", {"default"}, None),
    ):
        left.going.clear()
        assert await names(right) == ["web"]
        left.going.set()


async def test_who_cannot_be_registered_now_is_waited_for_by_its_replica(
    store: MemoryStore,
) -> None:
    async with consuming(store) as replica:
        replica.away = True
        async with replica.registry.watching("web", {"default"}, None):
            replica.away = False
            assert await names(replica) == ["web"]


async def test_a_store_that_is_away_is_told_to_who_asks(store: MemoryStore) -> None:
    async with consuming(store) as replica:
        replica.away = True
        with pytest.raises(CatalogUnavailable):
            await names(replica)


async def test_who_waits_waits_on_while_the_store_is_away(store: MemoryStore) -> None:
    async with (
        consuming(store) as left,
        consuming(store) as right,
        left.registry.watching("web", {"default"}, None),
    ):
        wait = asyncio.create_task(names(right, timeout_s=LONG_S))
        await until_read(right)
        right.away = True
        await left.registry.acknowledge(WEB, store.clock().position)
        right.away = False
        assert await wait == []


async def test_a_crowd_that_waits_shares_its_questions(store: MemoryStore) -> None:
    async with consuming(store) as replica, replica.registry.watching("web", {"default"}, None):
        async with asyncio.TaskGroup() as tasks:
            waits = [tasks.create_task(names(replica)) for _ in range(200)]
        assert all(one.result() == ["web"] for one in waits)
        assert replica.reads <= 3


async def test_the_store_is_left_alone_when_nobody_waits(store: MemoryStore) -> None:
    async with consuming(store) as replica:
        assert await names(replica) == []
        reads = replica.reads
        await asyncio.sleep(0.3)  # three polls
        assert replica.reads <= reads + 1


async def test_a_history_that_is_replaced_meanwhile_ends_the_wait(store: MemoryStore) -> None:
    async with consuming(store) as replica, replica.registry.watching("web", {"default"}, None):
        wait = asyncio.create_task(names(replica, store.clock().position, LONG_S))
        await until_read(replica)
        contents = store._contents.copy()
        contents.clock = type(contents.clock)("another", 0, 0)
        store._contents = contents
        with pytest.raises(RevisionOutOfRange):
            await wait
