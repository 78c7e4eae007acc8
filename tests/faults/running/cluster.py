"""Three replicas on one PostgreSQL, with a cutting proxy on every road to and from them."""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from sqlalchemy import make_url

from dagcatalog.v1 import catalog_service_pb2_grpc as pb_grpc
from tests.support.cutting_proxy import CuttingProxy, cutting_proxy
from tests.support.server import RunningServer, running_server
from tests.support.wire import CHANNEL_OPTIONS, Api

REPLICAS = 3
SIDES = ("east", "west")
"""Clients on different sides have roads of their own to each replica."""
STARTS = 5
STARTS_APART_S = 0.5
RECONNECT_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 500),
)


@dataclass(frozen=True)
class Program:
    """How a replica is started."""

    database_url: str
    log_folder: Path
    command: Sequence[str] = ()
    """In place of `dagcatalog`."""
    environment: Mapping[str, str] = field(default_factory=dict)


class Replica:
    """One server, killed and started again, behind proxies that stay."""

    def __init__(
        self,
        name: str,
        program: Program,
        fronts: Mapping[str, CuttingProxy],
        database: CuttingProxy,
    ) -> None:
        self.name = name
        self.fronts = fronts
        self.database = database
        self.turn = asyncio.Lock()
        """Held by whoever does something to the process."""
        self._program = program
        self._incarnation = 0
        self._server: RunningServer | None = None
        self._stack = ExitStack()

    @property
    def label(self) -> str:
        """Name and incarnation: what a process remembers, the next one does not."""
        return f"{self.name}.{self._incarnation}"

    async def start(self) -> None:
        """Start; a database that is cut off just then is waited for."""
        for attempt in range(STARTS):
            try:
                self._server = await asyncio.to_thread(self._start)
                break
            except RuntimeError:
                if attempt == STARTS - 1:
                    raise
                await asyncio.sleep(STARTS_APART_S)
        host, _, port = self._running.address.rpartition(":")
        for front in self.fronts.values():
            front.target = (host, int(port))

    def _start(self) -> RunningServer:
        self._incarnation += 1
        path = self._program.log_folder / f"{self.name}.db"  # its log is beside it; no file is made
        url = make_url(self._program.database_url).set(host="127.0.0.1", port=self.database.port)
        return self._stack.enter_context(
            running_server(
                path,
                extra_args=[f"--database-url={url.render_as_string(hide_password=False)}"],
                environment=self._program.environment,
                program=self._program.command,
            )
        )

    @property
    def _running(self) -> RunningServer:
        assert self._server is not None, "not started"
        return self._server

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if there is a process."""
        if self._server is not None:
            self._server.process.send_signal(number)

    async def end(self, number: signal.Signals) -> None:
        """End the process and wait until it is gone."""
        if self._server is not None:
            self.send(number)
            await asyncio.to_thread(self._stack.close)
            self._server = None


class Cluster:
    """The replicas, and channels to them."""

    def __init__(self, replicas: Sequence[Replica]) -> None:
        self.replicas = replicas
        self._channels: dict[tuple[str, str], grpc.aio.Channel] = {}

    def api(self, side: str, replica: Replica) -> Api:
        """Give the stub on the one channel from a side to a replica."""
        place = (side, replica.name)
        if place not in self._channels:
            self._channels[place] = open_channel(side, replica)
        return pb_grpc.CatalogServiceStub(self._channels[place])

    def heal(self) -> None:
        """Let every road carry again."""
        for replica in self.replicas:
            for proxy in (*replica.fronts.values(), replica.database):
                proxy.heal()

    async def close(self) -> None:
        """Drop the channels and kill the servers."""
        for channel in self._channels.values():
            await channel.close()
        self.heal()
        for replica in self.replicas:
            await replica.end(signal.SIGKILL)


def open_channel(side: str, replica: Replica, *more: tuple[str, int]) -> grpc.aio.Channel:
    """Open a channel of its own connection."""
    options = [*CHANNEL_OPTIONS, *RECONNECT_OPTIONS, *more]
    return grpc.aio.insecure_channel(replica.fronts[side].address, options=options)


@asynccontextmanager
async def running_cluster(program: Program) -> AsyncIterator[Cluster]:
    """Run three replicas on a database that has its schema."""
    url = make_url(program.database_url)
    assert url.host
    assert url.port
    async with AsyncExitStack() as stack:
        replicas = []
        for number in range(REPLICAS):
            fronts = {side: await stack.enter_async_context(cutting_proxy()) for side in SIDES}
            database = await stack.enter_async_context(cutting_proxy())
            database.target = (url.host, url.port)
            replicas.append(Replica(f"replica-{number}", program, fronts, database))
        cluster = Cluster(replicas)
        stack.push_async_callback(cluster.close)
        async with asyncio.TaskGroup() as starting:
            for replica in replicas:
                starting.create_task(replica.start())
        yield cluster
