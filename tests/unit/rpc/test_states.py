"""Initial states as messages: whole, cut, and put together once for a crowd."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pytest

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_server.catalog.errors import BlobCorrupt
from dagcatalog_server.catalog.model import Blob, Position
from dagcatalog_server.replica.heads import Head
from dagcatalog_server.rpc.dags import CacheShares, EncodedDags, head_of
from dagcatalog_server.rpc.messages import MESSAGE_BYTES
from dagcatalog_server.rpc.states import StateMessages
from dagcatalog_server.rpc.threads import Threads
from dagcatalog_server.rpc.view import Form, View
from dagcatalog_server.watch.query import StateEvent
from tests.support.watching import Replica
from tests.support.writes import commit_one, put

POSITION = Position("epoch", 9)


class Compacted(Exception):
    pass


async def never_compacted(position: Position) -> None:
    pass


@pytest.fixture
def threads() -> Iterator[Threads]:
    with Threads(2) as made:
        yield made


@pytest.fixture
def heads() -> list[Head]:
    catalog = Replica().catalog
    return [head_of(commit_one(catalog, put(f"d{number}"))) for number in range(4)]


def dags_of(threads: Threads, total: int, document: bytes = b"{}") -> EncodedDags:
    def read(hashes: Collection[str]) -> Mapping[str, Blob]:
        return {one: Blob(one, 1, document) for one in hashes}  # type: ignore[arg-type] # any kind

    return EncodedDags(threads, read, shares=CacheShares(total))


async def messages(states: StateMessages, event: StateEvent) -> list[bytes]:
    return [one async for one in states.of(event, Form(View.DOCUMENT))]


def dag_ids(parts: list[bytes]) -> list[str]:
    read: Any = [pb.WatchResponse.FromString(one) for one in parts]
    assert all(one.position.revision == POSITION.revision for one in read)
    return [dag.summary.dag_id for one in read for dag in one.state.dags]


async def test_a_crowd_is_sent_the_same_objects(threads: Threads, heads: list[Head]) -> None:
    states = StateMessages(dags_of(threads, 8 * 1024**2), never_compacted)
    event = StateEvent(POSITION, heads, name="now")
    first, second = await messages(states, event), await messages(states, event)
    assert dag_ids(first) == ["d0", "d1", "d2", "d3"]
    assert [id(one) for one in first] == [id(one) for one in second]


async def test_another_state_is_another_stream(threads: Threads, heads: list[Head]) -> None:
    states = StateMessages(dags_of(threads, 8 * 1024**2), never_compacted)
    await messages(states, StateEvent(POSITION, heads, name="before"))
    fewer = await messages(states, StateEvent(POSITION, heads[1:], name="now"))
    assert dag_ids(fewer) == ["d1", "d2", "d3"]


async def test_a_state_without_a_name_is_not_kept(threads: Threads, heads: list[Head]) -> None:
    states = StateMessages(dags_of(threads, 8 * 1024**2), never_compacted)
    first = await messages(states, StateEvent(POSITION, heads))
    second = await messages(states, StateEvent(POSITION, heads[:1]))
    assert (dag_ids(first), dag_ids(second)) == (["d0", "d1", "d2", "d3"], ["d0"])


async def test_a_state_over_its_share_is_sent_and_not_kept(
    threads: Threads, heads: list[Head]
) -> None:
    states = StateMessages(dags_of(threads, 800), never_compacted)  # 100 bytes for states
    event = StateEvent(POSITION, heads, name="now")
    first, second = await messages(states, event), await messages(states, event)
    assert first == second
    assert first[0] is not second[0]


async def test_it_is_cut_near_the_size_of_a_message(threads: Threads) -> None:
    catalog = Replica().catalog
    large = [
        head_of(commit_one(catalog, put(f"d{number}", padding="x" * (MESSAGE_BYTES * 2 // 5))))
        for number in range(4)
    ]
    states = StateMessages(dags_of(threads, 64 * 1024**2), never_compacted)
    parts = await messages(states, StateEvent(POSITION, large, name="now"))
    assert [dag_ids([one]) for one in parts] == [["d0", "d1"], ["d2", "d3"]]


async def test_content_that_is_gone_is_looked_into(threads: Threads, heads: list[Head]) -> None:
    def read(hashes: Collection[str]) -> Mapping[str, Blob]:
        raise BlobCorrupt(min(hashes), "it is not there")

    async def compacted(position: Position) -> None:
        raise Compacted

    dags = EncodedDags(threads, read, shares=CacheShares(8 * 1024**2))
    event = StateEvent(POSITION, heads, name="now")
    with pytest.raises(Compacted):
        await messages(StateMessages(dags, compacted), event)
    with pytest.raises(BlobCorrupt):
        await messages(StateMessages(dags, never_compacted), event)
