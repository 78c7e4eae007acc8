"""A network that loses every packet to the database, and says nothing."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_server.store.schema import migrate
from tests.support.postgres import Postgres, running_postgres
from tests.support.server import running_server
from tests.support.silent_network import MAY_MAKE, SilentNetwork, silent_network
from tests.support.waiting import until
from tests.support.wire import (
    Api,
    connected,
    next_changes,
    next_event,
    put,
    refusal_of,
    watching,
)

CALLS = 50
NOTICED_S = 9.0
"""tcp_user_timeout, and a connect_timeout for those that come when it is over."""
KNOWN_S = 4.5
"""Once it is known: one call at a time asks, for connect_timeout."""
BACK_S = 9.0

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not MAY_MAKE, reason="making a network needs root and `ip`"),
]


@asynccontextmanager
async def served(folder: Path, cluster: Postgres, network: SilentNetwork) -> AsyncIterator[Api]:
    """Run a server at the other end of the network, with the limits that it has by itself."""
    url = f"postgresql://postgres@{network.database}:{cluster.port}/postgres"
    server = running_server(
        folder / "unused.db",
        extra_args=[f"--database-url={url}", f"--listen={network.api}:0"],
        program=network.program(str(Path(sys.executable).with_name("dagcatalog"))),
    )
    running = await asyncio.to_thread(server.__enter__)
    try:
        async with connected(running.address) as api:
            yield api
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)


async def refuse_all(api: Api) -> float:
    """Ask many things at once; all must be refused. Give how long that took, in seconds."""
    began = time.monotonic()
    calls = [
        call
        for number in range(CALLS)
        for call in (
            api.Get(pb.GetRequest(dag_id="a")),
            api.Put(put("", f"b{number}")),
            api.List(pb.ListRequest(filter=pb.DagFilter(text="a"))),
        )
    ]
    refusals = await asyncio.gather(*map(refusal_of, calls))
    assert {one.code for one in refusals} == {StatusCode.UNAVAILABLE}
    assert all(one.retry_after_s > 0 for one in refusals)
    return time.monotonic() - began


async def test_a_silent_cut_is_noticed_and_holds_no_call_for_long(tmp_path: Path) -> None:
    with silent_network() as network, running_postgres(durable=True) as cluster:
        cluster.stop()
        cluster.hosts.append(network.database)
        cluster.admit(network.range)
        cluster.start()
        migrate(cluster.url("postgres"))
        async with served(tmp_path, cluster, network) as api:
            there = (await api.Put(put("", "a"))).position
            request = pb.WatchRequest(after=there, bookmark_interval=Duration(seconds=1))
            async with watching(api, request) as watch:
                await next_event(watch)
                network.cut()
                first_s, second_s = await refuse_all(api), await refuse_all(api)
                assert (await next_event(watch)).HasField("bookmark")
                network.mend()
                mended = time.monotonic()

                async def is_back() -> bool:
                    return await api.Get(pb.GetRequest(dag_id="a")).code() is StatusCode.OK

                await until(is_back)
                back_s = time.monotonic() - mended
                answer = await api.Put(put("", "c"))
                (event,) = await next_changes(watch)
                assert event.position == answer.position
    print(
        f"{3 * CALLS} calls refused in {first_s:.1f} s, again in {second_s:.1f} s; "
        f"back {back_s:.1f} s after the network"
    )
    assert first_s < NOTICED_S
    assert second_s < KNOWN_S
    assert back_s < BACK_S
