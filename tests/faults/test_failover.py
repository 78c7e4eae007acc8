"""kill -9 of the PostgreSQL primary under writes: what was acknowledged is on the new one, once."""

import asyncio
import random
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_server.store.schema import migrate
from tests.faults.ledger import Ledger
from tests.faults.present import check_documents, check_heads, check_versions, read_log
from tests.faults.primary_pair import PrimaryPair, primary_pair
from tests.faults.rows import check_rows
from tests.faults.seeds import take_seed
from tests.faults.steady_stream import Follower, SteadyStream
from tests.faults.stream import Writes
from tests.support.server import running_server
from tests.support.waiting import until
from tests.support.wire import Api, connected

WRITERS = 8
CONNECTIONS = 2
STRICT = 0.3
"""Share of failovers after which writers wait for the next standby."""
MAX_RUN_S = 0.5


@asynccontextmanager
async def served(folder: Path, url: str) -> AsyncIterator[list[Api]]:
    """Run a server, and open connections to it."""
    server = running_server(folder / "unused.db", extra_args=[f"--database-url={url}"])
    running = await asyncio.to_thread(server.__enter__)
    try:
        async with connected(running.address) as first, connected(running.address) as second:
            yield [first, second]
    finally:
        await asyncio.to_thread(server.__exit__, None, None, None)


class Ordeal:
    """A stream of writes, watchers of it, and a primary that dies again and again."""

    def __init__(self, pair: PrimaryPair, apis: Sequence[Api], source: random.Random) -> None:
        self._pair = pair
        self._api = apis[0]
        self._source = source
        self.ledger = Ledger()
        self.stream = SteadyStream(apis, Writes(source), self.ledger)
        self.followers = [Follower(apis[1], source, leaves=leaves) for leaves in (False, True)]
        self.killed: list[tuple[float, bool]] = []

    async def endure(self, kills: int) -> None:
        async with asyncio.TaskGroup() as tasks:
            following = [tasks.create_task(one.follow()) for one in self.followers]
            writing = tasks.create_task(self.stream.run(WRITERS))
            for _ in range(kills):
                await self._round()
            self.stream.end()
            await writing
            await until(self._all_is_seen)
            for one in following:
                one.cancel()

    async def _all_is_seen(self) -> bool:
        revision = (await self._api.Status(pb.StatusRequest())).position.revision
        return all(one.revision >= revision for one in self.followers)

    async def _round(self) -> None:
        await self.stream.wait_for(WRITERS, time.monotonic())
        await asyncio.sleep(self._source.uniform(0, MAX_RUN_S))
        alone = self._source.random() >= STRICT
        killed_at = await asyncio.to_thread(self._pair.fail_over, alone=alone)
        self.killed.append((killed_at, alone))
        if alone:
            await self.stream.wait_for(1, time.monotonic())
        await asyncio.to_thread(self._pair.join)

    async def check(self) -> None:
        log = await read_log(self._api, 0)
        self.ledger.check(log)
        for one in self.followers:
            assert one.events == log, "a watcher saw something else"
        await check_heads(self._api, self.ledger)
        await check_documents(self._api, self.ledger.contents)
        await check_versions(self._api, self.ledger)

    def gaps(self, *, alone: bool) -> list[float]:
        """The longest time without an answered write after each kill, in seconds."""
        ends = [at for at, _ in self.killed[1:]] + [self.stream.answered_at[-1]]
        return [
            self._longest_gap(killed_at, end)
            for (killed_at, was_alone), end in zip(self.killed, ends, strict=True)
            if was_alone == alone
        ]

    def _longest_gap(self, begin: float, end: float) -> float:
        times = [begin, *(at for at in self.stream.answered_at if begin < at <= end)]
        return max(later - earlier for earlier, later in pairwise(times))


def tell(name: str, gaps: Sequence[float]) -> None:
    if gaps:
        middle = statistics.median(gaps)
        print(f"{name}: {min(gaps):.2f}/{middle:.2f}/{max(gaps):.2f} s in {len(gaps)} failovers")


@pytest.mark.faults
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kills", [20])
async def test_a_failover_loses_nothing_and_does_nothing_twice(tmp_path: Path, kills: int) -> None:
    began, seed = time.monotonic(), take_seed()
    with primary_pair() as pair:
        migrate(pair.url("postgres"))
        async with served(tmp_path, pair.url("postgres")) as apis:
            ordeal = Ordeal(pair, apis, random.Random(seed))
            await ordeal.endure(kills)
            await ordeal.check()
        check_rows(pair.primary.url("postgres"), ordeal.ledger)
    stream = ordeal.stream
    tell("write gap min/median/max, alone until there is a standby", ordeal.gaps(alone=True))
    tell("write gap min/median/max, writers wait for the standby", ordeal.gaps(alone=False))
    print(
        f"{kills} failovers, {len(stream.answered_at)} answered writes, {stream.retried} retried "
        f"after {stream.unavailable} refusals, {ordeal.ledger.revision} revisions, "
        f"{ordeal.followers[1].watches} watches, {time.monotonic() - began:.0f} s"
    )
    assert stream.retried >= kills
