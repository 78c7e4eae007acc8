"""A disk that is full: writes say so within a second, reads go on, writes resume by themselves."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from grpc import StatusCode

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_server.store.schema import migrate
from tests.support.postgres import Postgres, running_postgres
from tests.support.server import running_server
from tests.support.small_disk import MAY_MOUNT, SmallDisk, small_disk
from tests.support.waiting import until
from tests.support.wire import Api, Refusal, connected, put, refusal_of

MIB = 1024**2
MAX_PUTS = 200
MAX_LARGE_PUTS = 2_000
TEXT_BYTES = 100_000
WITHIN_S = 1.0
DEADLINE_S = 20.0

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not MAY_MOUNT, reason="mounting a small disk needs root"),
]


@asynccontextmanager
async def served(folder: Path, url: str) -> AsyncIterator[Api]:
    server = running_server(folder / "elsewhere.db", extra_args=[f"--database-url={url}"])
    running = await asyncio.to_thread(server.__enter__)
    try:
        async with connected(running.address) as api:
            yield api
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)


def large(dag_id: str) -> pb.PutRequest:
    """Make a Put of a document that does not compress."""
    text = random.Random(dag_id).randbytes(TEXT_BYTES // 2).hex()
    return put("", dag_id, padding=text)


async def write_until_refused(api: Api) -> Refusal:
    """Write until there is no room; the refusal must come soon."""
    for number in range(MAX_PUTS):
        began = time.monotonic()
        call = api.Put(large(f"large-{number}"))
        if await call.code() is not StatusCode.OK:
            assert time.monotonic() - began < WITHIN_S
            return await refusal_of(call)
    raise AssertionError("there was room for everything")


async def still_serves(api: Api, before: pb.PutResponse) -> None:
    """Read what was written before, and be refused without a trace."""
    got = await api.Get(pb.GetRequest(dag_id="before"))
    assert got.dag.summary.content_hash == before.result.summary.content_hash
    listed = await api.List(pb.ListRequest(page_size=1000))
    refusals = []
    for number in range(20):
        began = time.monotonic()
        refusals.append(await refusal_of(api.Put(large(f"refused-{number}"))))
        assert time.monotonic() - began < WITHIN_S
    assert {one.code for one in refusals} == {StatusCode.RESOURCE_EXHAUSTED}
    assert {one.reason for one in refusals} == {"STORAGE_FULL"}
    assert await api.List(pb.ListRequest(page_size=1000)) == listed


async def fill_and_make_room(api: Api, disk: SmallDisk) -> None:
    before = await api.Put(put("", "before"))
    for _ in range(2):
        disk.fill(leave_bytes=MIB)
        refusal = await write_until_refused(api)
        assert refusal.code is StatusCode.RESOURCE_EXHAUSTED, refusal
        await still_serves(api, before)
        disk.make_room()
        there = (await api.Status(pb.StatusRequest())).position
        answer = await api.Put(large("after"))  # at once, and without a restart
        assert answer.position.revision in (there.revision, there.revision + 1)


async def test_sqlite_on_a_full_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", size_bytes=16 * MIB) as disk:
        async with served(tmp_path, f"sqlite:///{disk.path / 'catalog.db'}") as api:
            await fill_and_make_room(api, disk)


@pytest.fixture
def cluster() -> Iterator[Postgres]:
    with running_postgres(durable=True) as running:
        yield running


async def test_postgresql_whose_tables_have_no_room(tmp_path: Path, cluster: Postgres) -> None:
    owner = cluster.run_as()["user"]  # these tests are root's
    with small_disk(cluster.base / "disk", size_bytes=32 * MIB, owner=owner) as disk:
        cluster.execute(f"CREATE TABLESPACE small LOCATION '{disk.path}'")
        cluster.execute("CREATE DATABASE catalog TABLESPACE small")
        migrate(cluster.url("catalog"))
        async with served(tmp_path, cluster.url("catalog")) as api:
            await fill_and_make_room(api, disk)
        cluster.execute("DROP DATABASE catalog WITH (FORCE)")
        cluster.execute("DROP TABLESPACE small")


async def test_postgresql_whose_log_has_no_room_is_away_and_comes_back(
    tmp_path: Path, cluster: Postgres
) -> None:
    """It panics when it cannot write its log: nothing that was acknowledged may be lost by that."""
    owner = cluster.run_as()["user"]
    with small_disk(cluster.base / "disk", size_bytes=96 * MIB, owner=owner) as disk:
        cluster.stop("fast")
        cluster.move_log(disk.path)
        cluster.start()
        migrate(cluster.url("postgres"))
        async with served(tmp_path, cluster.url("postgres")) as api:
            await _run_out_of_log(api, disk, cluster)
        cluster.stop()


async def _run_out_of_log(api: Api, disk: SmallDisk, cluster: Postgres) -> None:
    acknowledged = [await api.Put(put("", "before"))]
    disk.fill()
    for number in range(MAX_LARGE_PUTS):
        call = api.Put(large(f"large-{number}"), timeout=DEADLINE_S)
        if (code := await call.code()) is not StatusCode.OK:
            break
        acknowledged.append(await call)
    assert code is StatusCode.UNAVAILABLE
    print(f"{len(acknowledged)} writes were acknowledged before the panic")
    disk.make_room()
    if not cluster.is_running():  # it could not even recover
        await asyncio.to_thread(cluster.start)

    async def is_back() -> bool:
        return await api.Put(put("", "after"), timeout=DEADLINE_S).code() is StatusCode.OK

    await until(is_back)
    listed = await api.List(pb.ListRequest(page_size=1000))
    summaries = list(listed.dags)
    assert all(one.result.summary in summaries for one in acknowledged)
