"""One run: three replicas, clients, watchers, a nemesis and a compactor; then peace; then the verdict."""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.checking.history import History
from tests.faults.checking.log import Log, keep_log, read_log
from tests.faults.checking.verdict import Verdict, judge
from tests.faults.running.caller import NAMESPACES
from tests.faults.running.clients import Client
from tests.faults.running.cluster import SIDES, Cluster, Program, running_cluster
from tests.faults.running.nemesis import Compactor, Nemesis
from tests.faults.running.watchers import Watcher, consumers

CLIENTS_OF_A_SIDE = 10
PEACE_S = 30.0
"""Within so long after the last fault every watcher must have seen everything."""
LOOK_EVERY_S = 0.1
RINGS = (20, 200, 10_000)
FILLS = (0, 1_200)
"""DAGs that are there before it begins; a replica reads 500 at once."""


@dataclass(frozen=True)
class Campaign:
    """What a run is made of."""

    seed: int
    duration_s: float
    database_url: str
    folder: Path
    faults: bool = True
    compaction: bool = True
    drops_versions: bool = False
    """Nobody repeats a write then: what it made may be gone, and is told as NOT_FOUND."""
    command: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What a run showed."""

    log: Log
    history: History
    verdict: Verdict
    deeds: Sequence[str]
    compactions: int
    seconds: float

    def __str__(self) -> str:
        writes = self.history.writes
        acknowledged = sum(op.acknowledged is not None for op in writes)
        unknown = sum(op.acknowledged is None and not op.refused for op in writes)
        answers = [one.answer for op in writes for one in op.attempts]
        told = sum(len(one.told) for one in self.history.sessions)
        return (
            f"{self.seconds:.0f} s, {len(self.deeds)} faults, {self.compactions} compactions; "
            f"{self.log.last} revisions; {len(writes)} writes, {len(answers)} times sent, "
            f"{acknowledged} acknowledged, {sum(op.refused for op in writes)} refused, "
            f"{unknown} unknown; {len(self.history.reads)} reads, "
            f"{len(self.history.listings)} lists; {len(self.history.sessions)} watches, "
            f"{told} events\n{self.verdict}"
        )


async def run_campaign(campaign: Campaign) -> Outcome:
    """Run, make peace, and judge. The database must have its schema and nothing else."""
    began = time.monotonic()
    keep_log(campaign.database_url)
    source = random.Random(campaign.seed)
    environment = {
        "DAGCATALOG_DRAIN_GRACE": "1",
        "DAGCATALOG_WATCH_RING_CHANGES": str(source.choice(RINGS)),
        **campaign.environment,
    }
    program = Program(campaign.database_url, campaign.folder, campaign.command, environment)
    async with running_cluster(program) as cluster:
        run = _Run(campaign, cluster, source)
        await run.fill(source.choice(FILLS))
        await run.war()
        await run.peace()
    log = await asyncio.to_thread(read_log, campaign.database_url)
    verdict = judge(log, run.history)
    seconds = time.monotonic() - began
    deeds, compactions = run.nemesis.deeds, run.compactor.done
    return Outcome(log, run.history, verdict, deeds, compactions, seconds)


class _Run:
    def __init__(self, campaign: Campaign, cluster: Cluster, source: random.Random) -> None:
        self.history = History()
        self._campaign = campaign
        self._cluster = cluster
        self.nemesis = Nemesis(cluster, _child(source))
        url = campaign.database_url
        self.compactor = Compactor(
            cluster, self.history, _child(source), url, drops_versions=campaign.drops_versions
        )
        self._clients = [
            Client(
                f"{side}-{number}",
                side,
                cluster,
                self.history,
                _child(source),
                repeats=not campaign.drops_versions,
            )
            for side in SIDES
            for number in range(CLIENTS_OF_A_SIDE)
        ]
        self._watchers = [
            Watcher(one, cluster, self.history, _child(source)) for one in consumers(NAMESPACES[1])
        ]
        self._watching: list[asyncio.Task[None]] = []

    async def fill(self, dags: int) -> None:
        """Write what nobody will touch."""
        await self._clients[0].fill(dags)

    async def war(self) -> None:
        """Write, read, watch and suffer for as long as the campaign takes."""
        ended = asyncio.Event()
        self._watching = [asyncio.create_task(one.run()) for one in self._watchers]
        async with asyncio.TaskGroup() as tasks:
            for client in self._clients:
                tasks.create_task(client.run(ended))
            if self._campaign.faults:
                tasks.create_task(self.nemesis.run(ended))
            if self._campaign.compaction:
                tasks.create_task(self.compactor.run(ended))
            await asyncio.sleep(self._campaign.duration_s)
            ended.set()

    async def peace(self) -> None:
        """Let everybody come to the present; who does not within a bound is found by the verdict."""
        self._cluster.heal()
        for watcher in self._watchers:
            watcher.calm = True
        await self._clients[0].read_everything()
        last = (await asyncio.to_thread(read_log, self._campaign.database_url)).last
        patience = time.monotonic() + PEACE_S
        while time.monotonic() < patience and any(one.reached < last for one in self._watchers):
            self._see_failures()
            await asyncio.sleep(LOOK_EVERY_S)
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)

    def _see_failures(self) -> None:
        for task in self._watching:
            if task.done():
                task.result()


def _child(source: random.Random) -> random.Random:
    """Give everybody a source of their own: what one draws is not the others' affair."""
    return random.Random(source.getrandbits(64))
