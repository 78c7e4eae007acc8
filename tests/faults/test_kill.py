"""kill -9 in the middle of writes, again and again: what was acknowledged is there, whole and once."""

import random
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dagcatalog.v1 import catalog_service_pb2 as pb
from tests.faults.ledger import Ledger, Write
from tests.faults.present import (
    check_documents,
    check_file,
    check_heads,
    check_versions,
    read_log,
)
from tests.faults.seeds import take_seed
from tests.faults.stream import Acknowledged, Stream, Writes, send
from tests.support.server import RunningServer, running_server
from tests.support.wire import Api, connected

CONNECTIONS = 3
MAX_ANSWERS = 100
"""Before a kill."""
MAX_DELAY_S = 0.02
RESENT = 5
"""Acknowledged writes that are sent again after a restart, beside all unanswered ones."""


@dataclass
class Ordeal:
    """One database and the servers that die on it."""

    path: Path
    source: random.Random
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

    async def round(self) -> None:
        """Start, check what the last kill left, write, and be killed."""
        with running_server(self.path) as server:
            async with AsyncExitStack() as stack:
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

    async def check_all(self) -> int:
        """Check once more, all of it; give the number of blobs that no write points at."""
        with running_server(self.path) as server:
            async with connected(server.address) as api:
                await self._check(api)
                assert await read_log(api, 0) == self.log
                await check_documents(api, self.ledger.contents)
                await check_versions(api, self.ledger)
        return check_file(self.path, self.ledger)


@pytest.mark.parametrize(
    "kills", [8, pytest.param(200, marks=[pytest.mark.faults, pytest.mark.timeout(900)])]
)
async def test_a_killed_server_keeps_every_acknowledged_write_whole_and_once(
    tmp_path: Path, kills: int
) -> None:
    began = time.monotonic()
    ordeal = Ordeal(tmp_path / "catalog.db", random.Random(take_seed()))
    for _ in range(kills):
        await ordeal.round()
    orphans = await ordeal.check_all()
    print(
        f"{kills} kills, {ordeal.acknowledged_count} acknowledged writes, "
        f"{ordeal.retried_count} retried ({ordeal.durable_count} of them had been done), "
        f"{ordeal.ledger.revision} revisions, {orphans} blobs left over, "
        f"{time.monotonic() - began:.0f} s"
    )
    assert ordeal.acknowledged_count > kills
    assert ordeal.retried_count > 0
