"""A catalog with its ring, tail and hub on the test's event loop, as the server puts them together."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

from dagcatalog_server.catalog.catalog import Catalog
from dagcatalog_server.catalog.model import Change, Clock, DagKey, Position
from dagcatalog_server.catalog.query import Cursor, ListQuery
from dagcatalog_server.catalog.writes import Write, WriteOutcome
from dagcatalog_server.replica.heads import Head
from dagcatalog_server.replica.heads_feed import HeadsFeed, PresentPage
from dagcatalog_server.replica.present import Present
from dagcatalog_server.replica.read_index import ReadIndex
from dagcatalog_server.replica.ring import Ring
from dagcatalog_server.replica.tail import Tail
from dagcatalog_server.rpc.dags import head_change, head_change_of_row, head_of, head_of_row
from dagcatalog_server.store.memory import MemoryStore
from dagcatalog_server.watch.hub import WatchHub, WatchReads
from dagcatalog_server.watch.query import (
    BookmarkEvent,
    ChangeEvent,
    StateEvent,
    WatchEvent,
    WatchQuery,
)
from tests.support.writes import commit, delete, put, put_operation, restore, write

PATIENCE_S = 10.0
NEVER_S = 3600.0
PAGE = 500

EVERYTHING = WatchQuery(namespaces=None)
STATE = WatchQuery(namespaces=None, initial_state=True)


class Replica:
    """One replica without its wire. `poll_interval_s` is so long that only the doorbell wakes it."""

    page_size = PAGE

    def __init__(
        self,
        *,
        max_changes: int = 1_000,
        poll_interval_s: float = NEVER_S,
        max_dags: int = 10_000,
    ) -> None:
        self.store = MemoryStore()
        self.catalog = Catalog(self.store)
        self.ring = Ring(self.catalog.clock().position, max_changes=max_changes)
        self.tail = Tail(self.ring, self.changes, poll_interval_s=poll_interval_s)
        self.feed = HeadsFeed(self.ring, read=self.present, tell=head_change, max_dags=max_dags)
        read_index = ReadIndex(self.clock)
        self.presence = Present(self.ring, self.feed, read_index, self.tail.ring_doorbell)
        reads = WatchReads(read_index.clock, self.page, self.changes)
        self.hub = WatchHub(self.ring, self.presence, reads)

    async def clock(self) -> Clock:
        return self.catalog.clock()

    async def page(self, query: ListQuery) -> Sequence[Head]:
        await asyncio.sleep(0)  # as a hop to a thread: others may run meanwhile
        return [head_of_row(row) for row in self.catalog.page(query)]

    async def present(self, after: Cursor | None) -> PresentPage:
        await asyncio.sleep(0)
        clock, rows = self.catalog.present(after, self.page_size)
        last = rows[-1] if len(rows) == self.page_size else None
        return PresentPage(
            clock.epoch,
            clock.revision,
            [head_change_of_row(row) for row in rows],
            Cursor(last.state.key, last.revision) if last else None,
        )

    async def changes(self, after: int, limit: int) -> tuple[Clock, Sequence[Change]]:
        await asyncio.sleep(0)
        return self.catalog.changes(after=after, limit=limit)

    def write(self, *writes: Write) -> list[WriteOutcome]:
        """Commit a group and ring the doorbell, as the server does."""
        outcomes = commit(self.catalog, *writes)
        self.tail.ring_doorbell()
        return outcomes

    async def caught_up(self) -> None:
        """Wait until the ring is where the catalog is."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                advanced = self.ring.next_advance()
                if self.ring.position == self.catalog.clock().position:
                    return
                await advanced.wait()

    def set_clock(self, **fields: object) -> None:
        """Change the clock behind everybody's back: a compaction, a restore, a lost commit."""
        contents = self.store._contents.copy()
        contents.clock = replace(contents.clock, **fields)  # type: ignore[arg-type] # its fields
        contents.log = [one for one in contents.log if one.revision <= contents.clock.revision]
        contents.heads = {one.key: one for one in contents.log}
        self.store._contents = contents
        self.tail.ring_doorbell()

    def heads(self) -> dict[DagKey, Head]:
        """Read the live DAGs as the log says."""
        log = self.catalog.changes(after=0, limit=1_000_000)[1]
        newest = {one.key: one for one in log}
        return {key: head_of(one) for key, one in newest.items() if not one.state.deleted}


@asynccontextmanager
async def running(replica: Replica) -> AsyncIterator[Replica]:
    """Run what a replica runs beside the block."""
    tasks = [asyncio.create_task(one.run()) for one in (replica.tail, replica.feed)]
    try:
        yield replica
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


@dataclass
class Watcher:
    """A consumer: takes events one by one and keeps what they tell."""

    hub: WatchHub
    query: WatchQuery
    heads: dict[DagKey, Head] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    events: list[WatchEvent] = field(default_factory=list)
    position: Position | None = None

    def __post_init__(self) -> None:
        self._stream = self.hub.watch(self.query)

    async def next(self) -> WatchEvent:
        """Take one event; raises StopAsyncIteration at the end of the watch."""
        async with asyncio.timeout(PATIENCE_S):
            event = await anext(self._stream)
        self.events.append(event)
        self.position = event.position
        match event:
            case StateEvent():
                self.heads.update((head.key, head) for head in event.heads)
            case ChangeEvent():
                self.changes += event.changes
                self._apply(event.changes)
        return event

    async def until(self, revision: int) -> None:
        """Take events until everything up to a revision was sent."""
        while self.position is None or self.position.revision < revision:
            await self.next()

    async def until_synced(self) -> None:
        """Take the initial state."""
        while not (isinstance(event := await self.next(), BookmarkEvent) and event.synced):
            pass

    async def rest(self) -> None:
        """Take events until the watch ends."""
        with suppress(StopAsyncIteration):
            while True:
                await self.next()

    async def close(self) -> None:
        await self._stream.aclose()

    def _apply(self, changes: Iterable[Change]) -> None:
        for change in changes:
            if change.state.deleted:
                self.heads.pop(change.key, None)
            else:
                self.heads[change.key] = head_of(change)


def after(replica: Replica, revision: int, epoch: str | None = None, **how: object) -> WatchQuery:
    """Ask for what follows a revision."""
    epoch = replica.catalog.clock().epoch if epoch is None else epoch
    return WatchQuery(None, after=Position(epoch, revision), **how)  # type: ignore[arg-type] # its fields


def some_writes(count: int, seed: int = 1) -> list[Write]:
    """Puts, refreshes, deletes, restores and batches of a few DAGs; some are refused."""
    chance = random.Random(seed)
    made: list[Write] = []
    for number in range(count):
        name = f"d{chance.randrange(6)}"
        made.append(
            chance.choice(
                [
                    put(name, tags=(str(chance.randrange(3)),)),
                    put(name, tasks=("extract", f"t{chance.randrange(3)}")),
                    put(name, source=str(number)),
                    delete(name),
                    restore(name),
                    write(*(put_operation(one, cron=f"{number} * * * *") for one in ("d1", "b"))),
                ]
            )
        )
    return made


def write_some(replica: Replica, count: int, seed: int = 1) -> None:
    """Commit such writes one by one; the tail hears of all at once."""
    for one in some_writes(count, seed):
        replica.catalog.commit([one])
    replica.tail.ring_doorbell()


def change_events(watcher: Watcher) -> list[ChangeEvent]:
    """Pick the events that tell of changes."""
    return [event for event in watcher.events if isinstance(event, ChangeEvent)]
