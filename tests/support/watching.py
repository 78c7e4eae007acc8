"""A catalog with its ring, tail and hub on the test's event loop, as the server puts them together."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

from dagcatalog_server.catalog.catalog import Catalog
from dagcatalog_server.catalog.model import Change, Clock, DagKey, DagState, Position
from dagcatalog_server.catalog.query import ListQuery, StateRow
from dagcatalog_server.catalog.writes import Write, WriteOutcome
from dagcatalog_server.store.memory import MemoryStore
from dagcatalog_server.watch.hub import WatchHub, WatchReads
from dagcatalog_server.watch.query import (
    BookmarkEvent,
    ChangeEvent,
    StateEvent,
    WatchEvent,
    WatchQuery,
)
from dagcatalog_server.watch.ring import Ring
from dagcatalog_server.watch.tail import Tail
from tests.support.writes import commit, delete, put, put_operation, restore, write

PATIENCE_S = 10.0
NEVER_S = 3600.0

EVERYTHING = WatchQuery(namespaces=None)
STATE = WatchQuery(namespaces=None, initial_state=True)


class Replica:
    """One replica without its wire. `poll_interval_s` is so long that only the doorbell wakes it."""

    def __init__(self, *, max_changes: int = 1_000, poll_interval_s: float = NEVER_S) -> None:
        self.store = MemoryStore()
        self.catalog = Catalog(self.store)
        self.ring = Ring(self.catalog.clock().position, max_changes=max_changes)
        self.tail = Tail(self.ring, self.changes, poll_interval_s=poll_interval_s)
        self.hub = WatchHub(self.ring, WatchReads(self.clock, self.page, self.changes))

    async def clock(self) -> Clock:
        return self.catalog.clock()

    async def page(self, query: ListQuery) -> Sequence[StateRow]:
        await asyncio.sleep(0)  # as a hop to a thread: others may run meanwhile
        return self.catalog.page(query)

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

    def states(self) -> dict[DagKey, DagState]:
        """Read the live DAGs as the log says."""
        log = self.catalog.changes(after=0, limit=1_000_000)[1]
        states = {one.key: one.state for one in log}
        return {key: state for key, state in states.items() if not state.deleted}


@asynccontextmanager
async def running(replica: Replica) -> AsyncIterator[Replica]:
    """Run the replica's tail beside the block."""
    task = asyncio.create_task(replica.tail.run())
    try:
        yield replica
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@dataclass
class Watcher:
    """A consumer: takes events one by one and keeps what they tell."""

    hub: WatchHub
    query: WatchQuery
    states: dict[DagKey, DagState] = field(default_factory=dict)
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
                self.states.update((row.state.key, row.state) for row in event.rows)
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
                self.states.pop(change.key, None)
            else:
                self.states[change.key] = change.state


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
