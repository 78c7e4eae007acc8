"""kill -9 in the middle of writes, again and again: what was acknowledged is there, whole and once."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_server.store.schema import migrate
from tests.faults.ledger import Ledger, Write
from tests.faults.present import (
    check_documents,
    check_file,
    check_heads,
    check_versions,
    read_log,
)
from tests.faults.rows import check_rows
from tests.faults.seeds import take_seed
from tests.faults.stream import Acknowledged, Stream, Writes, send
from tests.support.postgres import running_postgres
from tests.support.server import RunningServer, running_server
from tests.support.wire import Api, connected

DATABASES = 2
"""At once, each with servers of its own: starting one takes a core a second or more."""
CONNECTIONS = 3
MAX_ANSWERS = 100
"""Before a kill."""
MAX_DELAY_S = 0.02
POSTGRESQL_KILLS = 40
RESENT = 5
"""Acknowledged writes that are sent again after a restart, beside all unanswered ones."""


@dataclass
class Ordeal:
    """One database and the servers that die on it."""

    path: Path
    source: random.Random
    url: str = ""
    """Of a PostgreSQL; empty: an SQLite file at `path`."""
    ledger: Ledger = field(default_factory=Ledger)
    log: list[pb.WatchResponse] = field(default_factory=list)
    epoch: str = ""
    unanswered: list[Write] = field(default_factory=list)
    acknowledged: list[Acknowledged] = field(default_factory=list)
    acknowledged_count: int = 0
    retried_count: int = 0
    durable_count: int = 0
    """Retried writes that had been done, though nobody was told."""

    def __post_init__(self) -> None:
        self._writes = Writes(self.source)

    async def endure(self, kills: int) -> None:
        """Be killed so often, and check everything in the end."""
        for _ in range(kills):
            await self._round()
        await self._check_all()

    async def _round(self) -> None:
        """Start, check what the last kill left, write, and be killed."""
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(_started(self.path, self.url))
            apis = [
                await stack.enter_async_context(connected(server.address))
                for _ in range(CONNECTIONS)
            ]
            await self._check(apis[0])
            await self._write(apis, server)

    async def _check(self, api: Api) -> None:
        checked = self.ledger.revision
        found = await read_log(api, checked)
        await self._retry(api, checked + len(found))
        found += await read_log(api, checked + len(found))
        self.ledger.check(found)
        self.log += found
        await self._check_epoch(api)
        await check_heads(api, self.ledger, changed_after=checked)

    async def _retry(self, api: Api, revision: int) -> None:
        """Send again what had no answer, twice, and some of what had one."""
        for write in self.unanswered:
            answer = await send(api, write)
            assert await send(api, write) == answer
            self.retried_count += 1
            if answer is not None:
                made = self.ledger.acknowledge(write, answer)
                self.durable_count += 0 < made <= revision
        for write, answer in self.acknowledged[-RESENT:]:
            if write.delete or self.ledger.acknowledge(write, answer):
                assert await send(api, write) == answer

    async def _check_epoch(self, api: Api) -> None:
        now = (await api.Status(pb.StatusRequest())).position
        assert now.epoch == (self.epoch or now.epoch)
        assert now.revision == self.ledger.revision
        self.epoch = now.epoch

    async def _write(self, apis: list[Api], server: RunningServer) -> None:
        stream = Stream(apis, self._writes, self.ledger)
        await stream.run_until_killed(
            server.process,
            after_answers=self.source.randrange(MAX_ANSWERS),
            delay_s=self.source.uniform(0, MAX_DELAY_S),
        )
        assert server.process.wait() == -9
        self.unanswered, self.acknowledged = stream.unanswered, stream.acknowledged
        self.acknowledged_count += len(stream.acknowledged)

    async def _check_all(self) -> None:
        async with _started(self.path, self.url) as server, connected(server.address) as api:
            await self._check(api)
            assert await read_log(api, 0) == self.log
            await check_documents(api, self.ledger.contents)
            await check_versions(api, self.ledger)
        if self.url:
            check_rows(self.url, self.ledger)
        else:
            check_file(self.path, self.ledger)


@asynccontextmanager
async def _started(path: Path, url: str) -> AsyncIterator[RunningServer]:
    """Start a server while others go on; what has begun to start is ended, whatever happens."""
    chosen = [f"--database-url={url}"] if url else []
    with ExitStack() as stack:
        starting = asyncio.ensure_future(
            asyncio.to_thread(stack.enter_context, running_server(path, extra_args=chosen))
        )
        try:
            server = await asyncio.shield(starting)
        finally:
            await asyncio.wait([starting])
        yield server


@pytest.mark.parametrize(
    "kills", [8, pytest.param(200, marks=[pytest.mark.faults, pytest.mark.timeout(900)])]
)
async def test_a_killed_server_keeps_every_acknowledged_write_whole_and_once(
    tmp_path: Path, kills: int
) -> None:
    await _endure([(tmp_path / f"catalog-{number}.db", "") for number in range(DATABASES)], kills)


@pytest.mark.faults
@pytest.mark.timeout(900)
async def test_a_server_killed_on_postgresql_keeps_every_acknowledged_write(tmp_path: Path) -> None:
    with running_postgres(durable=True) as cluster:
        places = []
        for number in range(DATABASES):
            cluster.execute(f"CREATE DATABASE catalog_{number}")
            url = cluster.url(f"catalog_{number}")
            migrate(url)
            places.append((tmp_path / f"unused-{number}.db", url))
        await _endure(places, POSTGRESQL_KILLS)


async def _endure(places: Sequence[tuple[Path, str]], kills: int) -> None:
    began, seed = time.monotonic(), take_seed()
    ordeals = [
        Ordeal(path, random.Random(f"{seed} {number}"), url)
        for number, (path, url) in enumerate(places)
    ]
    async with asyncio.TaskGroup() as tasks:
        for one in ordeals:
            tasks.create_task(one.endure(kills // DATABASES))
    print(
        f"{kills} kills, {sum(one.acknowledged_count for one in ordeals)} acknowledged writes, "
        f"{sum(one.retried_count for one in ordeals)} retried "
        f"({sum(one.durable_count for one in ordeals)} of them had been done), "
        f"{sum(one.ledger.revision for one in ordeals)} revisions, {time.monotonic() - began:.0f} s"
    )
    assert all(one.acknowledged_count > kills // DATABASES for one in ordeals)
    assert all(one.retried_count > 0 for one in ordeals)
