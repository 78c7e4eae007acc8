"""The asyncio informer, against a real server: what it does as its twin does."""

import asyncio
from pathlib import Path

import pytest

from dagcatalog_client import (
    AsyncClient,
    AsyncInformer,
    ContentNotFound,
    DagSummary,
    DagView,
    InvalidArgument,
    NotSynced,
    Position,
)
from tests.support.dags import dag_document
from tests.support.home import Home, home
from tests.support.server import RunningServer
from tests.support.waiting import until

PATIENCE_S = 30.0


async def put(client: AsyncClient, name: str, *tags: str) -> Position:
    return (await client.put(name, dag_document(name, tags=tags))).position


def changed(place: Home) -> Position:
    with place.direct() as client:
        return client.put("a", dag_document("a", tags=["x"])).position


async def test_it_holds_the_present_and_follows(async_client: AsyncClient) -> None:
    await put(async_client, "a", "red")
    heard: list[str] = []

    async def later(old: DagSummary, new: DagSummary) -> None:
        await asyncio.sleep(0)
        heard.append(f"{old.version}>{new.version}")

    informer = AsyncInformer(async_client)
    informer.add_index("tag", lambda summary: summary.tags)
    informer.add_handler(
        added=lambda new: heard.append(new.dag_id),
        updated=later,
        deleted=lambda old: heard.append(f"-{old.dag_id}"),
    )
    async with informer:
        await informer.wait_for_sync(PATIENCE_S)
        before = await informer.get("a")
        assert before is await informer.get("a")
        await informer.wait_for(await put(async_client, "a", "blue"), PATIENCE_S)
        assert (await informer.get("a")).json() == dag_document("a", tags=["blue"])
        assert await informer.by_hash(before.summary.content_hash) == before.document
        assert [one.dag_id for one in informer.by_index("tag", "blue")] == ["a"]
        await informer.wait_for((await async_client.delete("a")).position, PATIENCE_S)
        assert informer.list() == []
        assert informer.staleness_s() < PATIENCE_S
        with pytest.raises(ContentNotFound):
            await informer.by_hash("0" * 64)
    assert heard == ["a", "1>2", "-a"]


async def test_many_who_miss_the_same_document_ask_once(async_client: AsyncClient) -> None:
    await put(async_client, "a")
    async with AsyncInformer(async_client, view=DagView.SUMMARY) as informer:
        await informer.wait_for_sync(PATIENCE_S)
        asked, ask = 0, informer._fetch

        async def fetch(*arguments: object) -> object:
            nonlocal asked
            asked += 1
            return await ask(*arguments)  # type: ignore[arg-type]  # as it was called

        informer._fetch = fetch  # type: ignore[method-assign,assignment]
        first = asyncio.create_task(informer.get("a"))
        await asyncio.sleep(0)
        first.cancel()  # who gives up takes nothing from the others
        found = await asyncio.gather(*(informer.get("a") for _ in range(16)))
        with pytest.raises(asyncio.CancelledError):
            await first
    assert asked == 1
    assert {dag.document for dag in found} == {(await async_client.get("a")).document}


async def test_a_refusal_and_an_absence_are_told(server: RunningServer) -> None:
    async with AsyncClient("127.0.0.1:1") as client, AsyncInformer(client) as informer:
        with pytest.raises(NotSynced, match="no catalog answers"):
            await informer.wait_for_sync(3)
        with pytest.raises(NotSynced):
            await informer.get("a")
    async with (
        AsyncClient(server.address) as client,
        AsyncInformer(client, namespaces=["NO SUCH NAME"]) as informer,
    ):
        with pytest.raises(InvalidArgument):
            await informer.wait_for_sync(PATIENCE_S)


async def test_it_survives_a_kill_and_a_start_without_the_catalog(tmp_path: Path) -> None:
    with home(tmp_path) as place:
        await asyncio.to_thread(place.start)
        folder = tmp_path / "cache"
        async with AsyncClient(place.address) as client:
            await put(client, "a")
            async with AsyncInformer(client, folder=folder) as informer:
                await informer.wait_for_sync(PATIENCE_S)
                await asyncio.to_thread(place.kill)
                await asyncio.to_thread(place.start)
                await informer.wait_for(await asyncio.to_thread(changed, place), PATIENCE_S)
        await asyncio.to_thread(place.stop)
        async with (
            AsyncClient(place.address) as client,
            AsyncInformer(client, folder=folder) as informer,
        ):
            assert (await informer.get("a")).summary.tags == ("x",)
            assert not informer.synced
            await asyncio.to_thread(place.start)
            await informer.wait_for_sync(PATIENCE_S)


async def test_a_closed_client_ends_it(server: RunningServer) -> None:
    client = AsyncClient(server.address)
    async with AsyncInformer(client) as informer:
        await informer.wait_for_sync(PATIENCE_S)
        await client.close()

        async def ended() -> bool:
            return not informer._tasks

        await until(ended)
        assert "closed" in str(informer.failure)


async def test_a_consumer_acknowledges_and_leaves(async_client: AsyncClient) -> None:
    await put(async_client, "a")
    async with AsyncInformer(async_client, consumer_id="webserver-2") as informer:
        await informer.wait_for_sync(PATIENCE_S)
        position = await put(async_client, "a", "x")
        told = await async_client.await_propagation(position, wait_s=PATIENCE_S)
        assert told.propagated
        consumers = (await async_client.status()).consumers
        assert "webserver-2" in [one.consumer_id for one in consumers]
    consumers = (await async_client.status()).consumers
    assert "webserver-2" not in [one.consumer_id for one in consumers]
