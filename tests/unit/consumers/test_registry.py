"""What a replica reports of its consumers, and what it makes of a store that is away."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from dagcatalog_server.catalog.errors import CatalogUnavailable, ConsumerNotFound, TooLarge
from dagcatalog_server.catalog.model import ConsumerKey, Position
from dagcatalog_server.consumers.registry import MAX_NAMESPACES
from dagcatalog_server.store.memory import MemoryStore
from tests.support.consuming import LIMITS, Consuming, consuming
from tests.support.stored import commit, key, state
from tests.support.waiting import until

WEB = ConsumerKey("default", "web")


@pytest.fixture
def store() -> MemoryStore:
    made = MemoryStore()
    for number in range(9):
        commit(made, state(key(f"d{number}")))
    return made


def at(store: MemoryStore, revision: int) -> Position:
    return Position(store.clock().epoch, revision)


def registered(store: MemoryStore) -> dict[ConsumerKey, int]:
    with store.read() as snapshot:
        rows = snapshot.consumers(None, heard_within=LIMITS.silence)
    return {row.key: row.acknowledged.revision for row in rows}


async def test_what_comes_while_a_report_is_made_is_told_in_the_next(store: MemoryStore) -> None:
    async with consuming(store) as replica, replica.registry.watching("web", {"default"}, None):
        replica.going.clear()
        asked, reports = replica.asked, len(replica.reports)
        first = asyncio.create_task(replica.registry.acknowledge(WEB, at(store, 1)))

        async def is_under_way() -> bool:
            return replica.asked > asked

        await until(is_under_way)
        others = [
            asyncio.create_task(replica.registry.acknowledge(WEB, at(store, revision)))
            for revision in (2, 4, 3)
        ]
        await asyncio.sleep(0)
        replica.going.set()
        await asyncio.gather(first, *others)
        assert [dict(one.acknowledged) for one in replica.reports[reports:]] == [
            {WEB: at(store, 1)},
            {WEB: at(store, 4)},
        ]
        assert registered(store) == {WEB: 4}


async def test_a_crowd_that_comes_at_once_is_registered_at_once(store: MemoryStore) -> None:
    async with consuming(store) as replica, AsyncExitStack() as stack:
        async with asyncio.TaskGroup() as tasks:
            for number in range(40):
                watch = replica.registry.watching("web", {f"n{number}"}, None)
                tasks.create_task(stack.enter_async_context(watch))
        assert len(registered(store)) == 40
        assert len(replica.reports) <= 2


async def test_a_watch_begins_though_the_store_is_away_and_is_registered_later(
    store: MemoryStore,
) -> None:
    async with consuming(store) as replica:
        replica.away = True
        async with replica.registry.watching("web", {"default"}, None):
            assert registered(store) == {}
            with pytest.raises(CatalogUnavailable):
                await replica.registry.acknowledge(WEB, at(store, 1))
            replica.away = False

            async def is_registered() -> bool:
                return registered(store) == {WEB: 0}

            await until(is_registered)


async def test_a_watch_that_ended_meanwhile_is_not_registered_later(store: MemoryStore) -> None:
    async with consuming(store) as replica:
        replica.away = True
        async with replica.registry.watching("gone", {"default"}, None):
            pass
        replica.away = False
        async with replica.registry.watching("web", {"default"}, None):
            assert registered(store) == {WEB: 0}


async def test_what_a_consumer_said_before_it_began_again_is_not_told_after(
    store: MemoryStore,
) -> None:
    async with consuming(store) as replica, AsyncExitStack() as stack:
        await stack.enter_async_context(replica.registry.watching("web", {"default"}, None))
        saying = asyncio.create_task(replica.registry.acknowledge(WEB, at(store, 5)))
        await asyncio.sleep(0)
        await stack.enter_async_context(replica.registry.watching("web", {"default"}, None))
        await saying
        assert registered(store) == {WEB: 0}


async def test_two_watches_of_one_consumer_are_one(store: MemoryStore) -> None:
    async with consuming(store) as replica:
        async with replica.registry.watching("web", {"default"}, None):
            async with replica.registry.watching("web", {"default"}, None):
                pass
            assert replica.heard.watching() == {WEB}
        assert replica.heard.watching() == frozenset()


async def test_a_refused_watch_is_not_a_consumer(store: MemoryStore) -> None:
    async with consuming(store) as replica, AsyncExitStack() as stack:
        for number in range(LIMITS.max_consumers):
            watch = replica.registry.watching(f"web-{number}", {"default"}, None)
            await stack.enter_async_context(watch)
        with pytest.raises(TooLarge, match="consumers of namespace 'default'"):
            async with replica.registry.watching("web", {"default"}, None):
                pytest.fail("it has no place")
        assert WEB not in replica.heard.watching()
        with pytest.raises(ConsumerNotFound):
            await replica.registry.acknowledge(WEB, at(store, 1))
        many = {f"n{number}" for number in range(MAX_NAMESPACES + 1)}
        with pytest.raises(TooLarge, match="namespaces"):
            async with replica.registry.watching("web", many, None):
                pytest.fail("it watches too many")


async def test_a_consumer_that_left_while_it_watches_comes_back(store: MemoryStore) -> None:
    limits = type(LIMITS)(LIMITS.silence / 60, LIMITS.max_consumers)
    async with (
        consuming(store, limits) as replica,
        replica.registry.watching("web", {"default"}, None),
    ):
        await replica.registry.leave(WEB)

        async def is_back() -> bool:
            return registered(store) == {WEB: 0}

        await until(is_back)


async def test_nothing_is_written_while_nobody_watches(store: MemoryStore) -> None:
    limits = type(LIMITS)(LIMITS.silence / 3_000, LIMITS.max_consumers)
    replica = Consuming(store, limits)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await replica.registry.run()
    assert replica.reports == []
