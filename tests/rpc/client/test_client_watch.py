"""Watching through the client, against a real server."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from dagcatalog_client import (
    AsyncClient,
    Bookmark,
    Cancelled,
    Change,
    ChangeClass,
    ChangeKind,
    ChangeSet,
    Client,
    DagView,
    DeadlineExceeded,
    OtherEpoch,
    Position,
    PutItem,
    StatePage,
    Watch,
)
from tests.support.dags import dag_document
from tests.support.server import running_server, stop

EventT = TypeVar("EventT", StatePage, ChangeSet, Bookmark)


def test_a_watch_sends_the_present_then_each_change(client: Client) -> None:
    client.put("a", dag_document("a"))
    with client.watch(initial_state=True, timeout_s=30) as watch:
        pages = [*_until_synced(watch)]
        assert [dag.summary.dag_id for page in pages for dag in page.dags] == ["a"]
        client.put("a", dag_document("a", tags=["x"]))
        client.delete("a")
        changes = _take(watch, 2)
    assert [change.kind for change in changes] == [ChangeKind.NEW_VERSION, ChangeKind.DELETED]
    assert changes[0].classes == (ChangeClass.METADATA,)
    assert changes[0].dag.summary.tags == ("x",)


def test_a_watch_resumes_after_a_position(client: Client) -> None:
    start = client.put("a", dag_document("a")).position
    client.put_batch([PutItem(name, dag_document(name)) for name in ("b", "c")])
    with client.watch(after=start, view=DagView.DOCUMENT, timeout_s=30) as watch:
        event = _first(watch, ChangeSet)
        assert [change.dag.summary.dag_id for change in event.changes] == ["b", "c"]
        assert event.changes[0].dag.json() == dag_document("b")
        assert watch.position == event.position == client.position
    with client.watch(after=event.position, timeout_s=30) as watch:
        client.put("d", dag_document("d"))
        assert _take(watch, 1)[0].dag.summary.dag_id == "d"


def test_a_watch_after_the_status_misses_nothing_that_follows(client: Client) -> None:
    for number in range(20):
        name = f"dag_{number}"
        with client.watch(after=client.status().position, timeout_s=30) as watch:
            client.put(name, dag_document(name))
            assert _take(watch, 1)[0].dag.summary.dag_id == name


def test_a_prefix_and_classes_choose(client: Client) -> None:
    start = client.put("a", dag_document("a")).position
    client.put("b", dag_document("b"))
    client.put("a", dag_document("a", tags=["x"]))
    client.put("a", dag_document("a", tags=["x"], tasks=["one", "two"]))
    chosen = [ChangeClass.STRUCTURE]
    with client.watch(after=start, dag_id_prefix="a", classes=chosen, timeout_s=30) as watch:
        assert _take(watch, 1)[0].dag.summary.version == 3


def test_an_idle_watch_is_told_so(client: Client) -> None:
    client.put("a", dag_document("a"))
    with client.watch(bookmark_interval_s=1, timeout_s=30) as watch:
        mark = _first(watch, Bookmark)
    assert mark.position == client.position


def test_another_thread_can_end_a_watch(client: Client) -> None:
    watch = client.watch(timeout_s=60)
    threading.Timer(0.3, watch.cancel).start()
    assert not [event for event in watch if isinstance(event, ChangeSet)]
    assert list(watch) == []


def test_a_deadline_ends_a_watch_with_its_error(client: Client) -> None:
    with client.watch(timeout_s=0.5) as watch, pytest.raises(DeadlineExceeded):
        list(watch)


def test_a_position_of_another_history_is_an_error(client: Client) -> None:
    client.put("a", dag_document("a"))
    with (
        client.watch(after=Position("other", 1), timeout_s=30) as watch,
        pytest.raises(OtherEpoch) as caught,
    ):
        list(watch)
    assert client.position is not None
    assert caught.value.current.epoch == client.position.epoch


def test_a_watch_begins_in_one_way_only(client: Client) -> None:
    with pytest.raises(ValueError, match="not both"):
        client.watch(after=1, initial_state=True)


def test_a_server_that_stops_ends_its_watches_with_a_place_to_resume(tmp_path: Path) -> None:
    with running_server(tmp_path / "catalog.db") as server, Client(server.address) as client:
        put = client.put("a", dag_document("a"))
        watch = client.watch(after=0, timeout_s=60)
        assert _take(watch, 1)
        stopping = threading.Thread(target=stop, args=(server.process,))
        stopping.start()
        events = list(watch)
        stopping.join()
        assert isinstance(events[-1], Bookmark)
        assert events[-1].draining
        assert watch.position == put.position


async def test_an_async_watch_sends_the_same(async_client: AsyncClient) -> None:
    put = await async_client.put("a", dag_document("a"))
    await async_client.put("b", dag_document("b"))
    async with async_client.watch(after=put.position, timeout_s=30) as watch:
        async for event in watch:
            assert isinstance(event, ChangeSet)
            assert event.changes[0].dag.summary.dag_id == "b"
            break
        assert watch.position == async_client.position


async def test_another_task_can_end_an_async_watch(async_client: AsyncClient) -> None:
    watch = async_client.watch(timeout_s=60)
    asyncio.get_running_loop().call_later(0.3, watch.cancel)
    assert not [event async for event in watch if isinstance(event, ChangeSet)]
    assert [event async for event in watch] == []


async def test_a_cancelled_task_stays_cancelled(async_client: AsyncClient) -> None:
    async def follow() -> None:
        async with async_client.watch(timeout_s=60) as watch:
            async for _ in watch:
                pass

    task = asyncio.create_task(follow())
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_closing_the_client_ends_its_calls_with_an_error(async_client: AsyncClient) -> None:
    watch = async_client.watch(timeout_s=60)
    following = asyncio.create_task(anext(watch))
    await asyncio.sleep(0.3)
    await async_client.close()
    with pytest.raises(Cancelled):
        await following


def test_closing_the_blocking_client_ends_its_calls_with_an_error(client: Client) -> None:
    watch = client.watch(timeout_s=60)
    threading.Timer(0.3, client.close).start()
    with pytest.raises(Cancelled):
        list(watch)


def _until_synced(watch: Watch) -> Iterator[StatePage]:
    for event in watch:
        if isinstance(event, Bookmark) and event.synced:
            return
        assert isinstance(event, StatePage)
        yield event


def _take(watch: Watch, count: int) -> list[Change]:
    changes: list[Change] = []
    while len(changes) < count:
        changes += _first(watch, ChangeSet).changes
    return changes


def _first(watch: Watch, kind: type[EventT]) -> EventT:
    return next(event for event in watch if isinstance(event, kind))
