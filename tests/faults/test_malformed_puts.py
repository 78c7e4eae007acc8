"""A flood of malformed Puts: each refused with its place, and the server is none the worse for it."""

import asyncio
import gc
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from grpc import StatusCode

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_server.catalog.writes import Write
from tests.faults.malformed import MIB, Malformed, malformed
from tests.faults.seeds import take_seed
from tests.support.dags import dag_document
from tests.support.server import RunningServer, running_server
from tests.support.waiting import wait_until
from tests.support.wire import (
    Api,
    Refusal,
    canonical,
    connected,
    put,
    put_bytes,
    refusal_of,
    serving,
)

AT_ONCE = 8
MAX_GROWTH_BYTES = 64 * MIB


class Memory:
    """Resident bytes of a server's process."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self.before = self.peak = self.now()

    def now(self) -> int:
        resident: int = self._process.memory_info().rss
        return resident

    def sample(self) -> None:
        self.peak = max(self.peak, self.now())

    def growth(self) -> int:
        """Tell how much more there is than at the start."""
        return self.now() - self.before

    def report(self) -> None:
        told = {"before": self.before, "peak": self.peak, "after": self.now()}
        print("resident MiB:", *(f"{name}={size / MIB:.0f}" for name, size in told.items()))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path / "catalog.db") as running:
        yield running


@pytest.mark.parametrize(
    "count",
    [100, pytest.param(500, marks=[pytest.mark.faults, pytest.mark.timeout(600)])],
)
async def test_malformed_puts_are_refused_with_their_place_and_cost_nothing(
    server: RunningServer, count: int
) -> None:
    documents = malformed(take_seed(), count)
    async with connected(server.address) as api:
        await _warm_up(api)
        before = await _contents(api)
        memory = Memory(server.pid)
        await _flood(api, documents, memory)
        print(f"{count} malformed Puts refused: {dict(Counter(one.kind for one in documents))}")
        try:
            await asyncio.to_thread(wait_until, lambda: memory.growth() <= MAX_GROWTH_BYTES)
        finally:
            memory.report()
        assert await _contents(api) == before  # and the same connection is usable
        await _put_and_get(api, "afterwards")
    assert server.process.poll() is None
    assert "rpc_failed" not in server.log.read_text()


async def test_nul_in_a_string_and_integers_past_64_bits_survive_unchanged(
    server: RunningServer,
) -> None:
    document = dag_document("odd", description="before \0 after")
    document["dag"]["params"] = {  # type: ignore[index] # a document is JSON
        "\0": ["\0\0", 2**64, -(2**64) - 1, 10**4299, 2**63, -(2**63) - 1]
    }
    sent = canonical(document)
    assert sent.count(rb"\u0000") == 4
    assert str(10**4299).encode() in sent
    async with connected(server.address) as api:
        await api.Put(put_bytes("", "odd", sent))
        assert (await api.Get(pb.GetRequest(dag_id="odd"))).dag.document == sent


async def test_a_refused_request_is_let_go_of_at_once() -> None:
    """Not only when the garbage collector comes by: 16 MiB are few objects to it."""
    malformed_put = put_bytes("", "a", b"[NaN]")
    unexpected_put = put("", "a")
    unexpected_put.item.precondition.version = 7
    async with serving() as address, connected(address) as api:
        gc.collect()
        gc.disable()
        try:
            before = _held(pb.PutRequest) + _held(Write)
            for request in [malformed_put, unexpected_put] * 10:
                await refusal_of(api.Put(request))
            await api.Status(pb.StatusRequest())  # the last Put's threads are done with it
            assert _held(pb.PutRequest) + _held(Write) <= before
        finally:
            gc.enable()


def _held(kind: type) -> int:
    return sum(type(one) is kind for one in gc.get_objects())


async def _warm_up(api: Api) -> None:
    """Let the server load, grow its pools and once hold a large document that is fine."""
    await _put_and_get(api, "large", padding="x" * 15 * MIB)
    await asyncio.gather(*(api.Put(put("", f"warm-{number}")) for number in range(50)))


async def _put_and_get(api: Api, dag_id: str, *, padding: str = "") -> None:
    await api.Put(put("", dag_id, padding=padding))
    found = await api.Get(pb.GetRequest(dag_id=dag_id))
    assert found.dag.document == canonical(dag_document(dag_id, padding=padding))


async def _contents(api: Api) -> tuple[int, int]:
    """Tell what a write would move: the revision, and the number of stored blobs."""
    status = await api.Status(pb.StatusRequest())
    return status.position.revision, status.blob_count


async def _flood(api: Api, documents: list[Malformed], memory: Memory) -> None:
    """Send them over one connection, so many at once."""
    queue = iter(documents)

    async def send() -> None:
        for one in queue:
            refusal = await refusal_of(api.Put(put_bytes("", one.dag_id, one.document)))
            _check(one, refusal)
            memory.sample()

    async with asyncio.TaskGroup() as senders:
        for _ in range(AT_ONCE):
            senders.create_task(send())


def _check(sent: Malformed, refusal: Refusal) -> None:
    told = f"{sent.kind}: {sent.document[:200]!r} gave {refusal}"
    large = StatusCode.RESOURCE_EXHAUSTED
    assert refusal.code is (large if sent.too_large else StatusCode.INVALID_ARGUMENT), told
    (field,) = refusal.fields
    assert field.startswith("item.document"), told
    assert refusal.message.startswith(f"{field}: "), told
    assert re.search(sent.place, refusal.message, re.DOTALL), told
