"""What goes wrong in a run: processes die, sleep and drain; roads stall, slow down and break."""

import asyncio
import random
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import psycopg2

from dagcatalog.v1 import catalog_service_pb2 as pb
from tests.faults.checking.history import Compaction, History, Refused
from tests.faults.checking.violations import Rule, Violation
from tests.faults.running.calls import answer_of
from tests.faults.running.cluster import SIDES, Cluster, Replica
from tests.support.cutting_proxy import CuttingProxy

MAX_AT_ONCE = 2
MAX_FAULT_S = 3.0
MAX_PEACE_S = 1.0
COMPACT_EVERY_S = 0.2
DROPS_VERSIONS = 0.2
MAX_KEPT = 60
"""Revisions that a compaction leaves, at most."""
CALL_TIMEOUT_S = 1.0

Fault = Callable[[], Awaitable[str]]


class Nemesis:
    """Draws faults from `source`, some at once, and ends each after a while."""

    def __init__(self, cluster: Cluster, source: random.Random) -> None:
        self.deeds: list[str] = []
        self._cluster = cluster
        self._source = source

    async def run(self, ended: asyncio.Event) -> None:
        """Do harm until it is told to end, and undo it."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(MAX_AT_ONCE):
                tasks.create_task(self._harm(ended, began))

    async def _harm(self, ended: asyncio.Event, began: float) -> None:
        faults: Sequence[Callable[[Replica], Awaitable[str]]] = (
            self._kill,
            self._pause,
            self._drain,
            self._cut_clients,
            self._cut_clients,
            self._cut_database,
            self._cut_database,
        )
        while not await _within(ended, self._source.uniform(0, MAX_PEACE_S)):
            replica = self._source.choice(self._cluster.replicas)
            at = time.monotonic() - began
            deed = await self._source.choice(faults)(replica)
            self.deeds.append(f"{at:.1f} s: {replica.name} {deed}")

    async def _kill(self, replica: Replica) -> str:
        return await self._restart(replica, signal.SIGKILL)

    async def _drain(self, replica: Replica) -> str:
        return await self._restart(replica, signal.SIGTERM)

    async def _restart(self, replica: Replica, number: signal.Signals) -> str:
        async with replica.turn:
            await replica.end(number)
            await asyncio.sleep(self._source.uniform(0, 1))
            await replica.start()
        return f"ended by {number.name}"

    async def _pause(self, replica: Replica) -> str:
        async with replica.turn:
            replica.send(signal.SIGSTOP)
            try:
                length_s = await self._while()
            finally:
                replica.send(signal.SIGCONT)
        return f"asleep for {length_s:.1f} s"

    async def _cut_clients(self, replica: Replica) -> str:
        sides = self._source.choice([SIDES, SIDES[:1], SIDES[1:]])
        how = await self._cut([replica.fronts[side] for side in sides])
        return f"cut from clients {' and '.join(sides)}: {how}"

    async def _cut_database(self, replica: Replica) -> str:
        return f"cut from the database: {await self._cut([replica.database])}"

    async def _cut(self, proxies: Sequence[CuttingProxy]) -> str:
        how = self._source.choice(
            ["reset", "refuse", "stall", "stall requests", "stall answers", "delay", "half-open"]
        )
        ends_in_reset = self._source.random() < 0.5
        for proxy in proxies:
            _harm_road(proxy, how, self._source.uniform(0.02, 0.2))
        length_s = await self._while()
        for proxy in proxies:
            if ends_in_reset:
                proxy.reset()
            proxy.heal()
        return f"{how} for {length_s:.1f} s{', then reset' if ends_in_reset else ''}"

    async def _while(self) -> float:
        length_s = self._source.uniform(0.2, MAX_FAULT_S)
        await asyncio.sleep(length_s)
        return length_s


def _harm_road(proxy: CuttingProxy, how: str, delay_s: float) -> None:
    match how:
        case "reset":
            proxy.reset()
        case "refuse":
            proxy.refuse()
            proxy.reset()
        case "stall":
            proxy.stall()
        case "stall requests":
            proxy.stall(answers=False)
        case "stall answers":
            proxy.stall(requests=False)
        case "delay":
            proxy.delay(delay_s)
        case "half-open":
            proxy.half_open()


class Compactor:
    """Forgets the past five times a second, through any replica; old versions too, if asked to."""

    def __init__(
        self,
        cluster: Cluster,
        history: History,
        source: random.Random,
        database_url: str,
        *,
        drops_versions: bool,
    ) -> None:
        self.done = 0
        self._cluster = cluster
        self._history = history
        self._source = source
        self._database_url = database_url
        self._drops_versions = drops_versions

    async def run(self, ended: asyncio.Event) -> None:
        """Compact until it is told to end; a call that hangs does not keep the next one."""
        async with asyncio.TaskGroup() as calls:
            while not await _within(ended, COMPACT_EVERY_S):
                calls.create_task(self._compact())

    async def _compact(self) -> None:
        replica = self._source.choice(self._cluster.replicas)
        api = self._cluster.api(self._source.choice(SIDES), replica)
        now = await asyncio.to_thread(_read_revision, self._database_url)
        revision = max(0, now - self._source.randrange(MAX_KEPT))
        request = pb.PruneRequest(namespace="-", compact_revision=revision)
        if self._drops_versions and self._source.random() < DROPS_VERSIONS:
            request.keep_versions = 1
        # Before it is sent: from now on nobody may count on what is older.
        began, place = time.monotonic(), len(self._history.compactions)
        farthest = sys.maxsize if request.keep_versions else revision
        self._history.compactions.append(Compaction(began, farthest))
        answer = await answer_of(api.Prune(request, timeout=CALL_TIMEOUT_S))
        if isinstance(answer, pb.PruneResponse):
            self._history.compactions[place] = Compaction(began, answer.compacted_revision)
            self.done += 1
        elif isinstance(answer, Refused):
            where = f"{answer} of {request}"
            self._history.violations.append(Violation(Rule.UNEXPECTED_ERROR, where))


def _read_revision(database_url: str) -> int:
    """Ask the database itself: what is to be compacted is not the servers' to say."""
    connection = psycopg2.connect(database_url)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT revision FROM clock")
        [(revision,)] = cursor.fetchall()
    connection.close()
    return int(revision)


async def _within(ended: asyncio.Event, seconds: float) -> bool:
    """Wait for so long; True: the end has come."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await ended.wait()
    return ended.is_set()
