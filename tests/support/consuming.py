"""The consumers of a replica on the test's event loop, as the server puts them together."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from dagcatalog_server.catalog.catalog import Catalog
from dagcatalog_server.catalog.consuming import ConsumerLimits, ConsumerReport, Recorded
from dagcatalog_server.catalog.errors import CatalogUnavailable
from dagcatalog_server.catalog.model import Clock, Consumer
from dagcatalog_server.catalog.ports import Store
from dagcatalog_server.consumers.heard import Heard
from dagcatalog_server.consumers.propagation import Propagation
from dagcatalog_server.consumers.registry import ConsumerRegistry

LIMITS = ConsumerLimits(timedelta(seconds=30), max_consumers=3)


class Consuming:
    """The consumers of one replica. `away`: its store cannot be reached. `paused`: neither can it go on."""

    def __init__(self, store: Store, limits: ConsumerLimits = LIMITS) -> None:
        self.catalog = Catalog(store, consumer_limits=limits)
        self.heard = Heard()
        self.registry = ConsumerRegistry(self.record, self.heard, limits)
        self.propagation = Propagation(self.heard, self.read)
        self.reports: list[ConsumerReport] = []
        self.asked = 0
        self.reads = 0
        self.away = False
        self.going = asyncio.Event()
        self.going.set()

    async def record(self, report: ConsumerReport) -> Recorded:
        self.asked += 1
        await self.going.wait()
        self._check()
        self.reports.append(report)
        return await asyncio.to_thread(self.catalog.record_consumers, report)

    async def read(self, namespaces: Collection[str]) -> tuple[Clock, Sequence[Consumer]]:
        await self.going.wait()
        self._check()
        self.reads += 1
        return await asyncio.to_thread(self.catalog.consumers, namespaces)

    def _check(self) -> None:
        if self.away:
            raise CatalogUnavailable


@asynccontextmanager
async def consuming(store: Store, limits: ConsumerLimits = LIMITS) -> AsyncIterator[Consuming]:
    """Run what a replica runs for its consumers beside the block."""
    made = Consuming(store, limits)
    tasks = [asyncio.create_task(each.run()) for each in (made.registry, made.propagation)]
    try:
        yield made
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
