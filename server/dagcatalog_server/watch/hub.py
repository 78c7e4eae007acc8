"""Runs watches: the present if asked for, then what follows, from the ring or from the log."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from dagcatalog_server.catalog.errors import (
    CatalogUnavailable,
    RangeProblem,
    RevisionOutOfRange,
    WatcherTooSlow,
)
from dagcatalog_server.catalog.model import Change, Clock, DagKey, Position
from dagcatalog_server.catalog.names import check_text
from dagcatalog_server.catalog.query import Cursor, DagFilter, ListQuery
from dagcatalog_server.catalog.reading import check_position
from dagcatalog_server.replica.heads import Head
from dagcatalog_server.replica.present import Present
from dagcatalog_server.replica.ring import RevisionChanges, Ring, by_revision
from dagcatalog_server.replica.tail import READ_LIMIT, ReadChanges
from dagcatalog_server.watch.query import (
    BookmarkEvent,
    ChangeEvent,
    StateEvent,
    WatchEvent,
    WatchQuery,
)

STATE_PAGE = 500
MAX_PREFIX = 250  # the length of a dag_id


@dataclass(frozen=True)
class WatchReads:
    """What watches need of the catalog; each call hops to a thread."""

    clock: Callable[[], Awaitable[Clock]]
    page: Callable[[ListQuery], Awaitable[Sequence[Head]]]
    """Refuses a revision that was compacted meanwhile."""
    changes: ReadChanges


class WatchHub:
    """All watches of a replica."""

    def __init__(self, ring: Ring, present: Present, reads: WatchReads) -> None:
        self._ring = ring
        self._present = present
        self._reads = reads
        self._draining = False
        self.watch_count = 0

    @property
    def position(self) -> Position:
        """How far this replica has come."""
        return self._ring.position

    def drain(self) -> None:
        """End every watch with a last bookmark that says where to resume."""
        self._draining = True
        self._ring.wake()

    async def watch(self, query: WatchQuery) -> AsyncGenerator[WatchEvent, None]:
        """Run one watch until the hub drains or the consumer leaves.

        Raises:
            RevisionOutOfRange: the start is compacted, in the future or of another epoch, or the
                history was replaced meanwhile.
            WatcherTooSlow: the watch fell off the ring after it had once caught up.

        """
        self.watch_count += 1
        history = self._ring.history
        try:
            check_text("dag_id_prefix", query.dag_id_prefix, MAX_PREFIX)
            position = None
            if query.initial_state:
                async for state in self._state(query):
                    position = state.position
                    if state.heads:
                        yield state
            if position is None:
                position = await self._start(query)
            else:
                yield BookmarkEvent(position, synced=True)
            async for event in self._follow(query, position, history):
                yield event
        finally:
            self.watch_count -= 1

    async def check(self, position: Position) -> None:
        """Refuse a position whose past is gone.

        Raises:
            RevisionOutOfRange: it was compacted, or the history is another.

        """
        check_position(await self._reads.clock(), position, past=True)

    async def _start(self, query: WatchQuery) -> Position:
        after = query.after
        try:
            clock = await self._reads.clock()
        except CatalogUnavailable:
            # What the ring has can be told all the same.
            if after and self._ring.reaches(after):
                return Position(self._ring.epoch, after.revision)
            raise
        if after is None:
            return clock.position
        check_position(clock, after, past=True)
        return Position(clock.epoch, after.revision)

    async def _state(self, query: WatchQuery) -> AsyncIterator[StateEvent]:
        """Give the live DAGs of one revision; at least one event, which may be empty."""
        position = None
        if await self._present.ready():
            position = await self._present.position(None, local=False)
        if position:
            heads = self._present.heads.select(query.namespaces, query.dag_id_prefix)
            yield StateEvent(position, heads)
        else:
            async for event in self._stored_state(query):
                yield event

    async def _stored_state(self, query: WatchQuery) -> AsyncIterator[StateEvent]:
        """Page through the store; short reads, no transaction is held open."""
        position = (await self._reads.clock()).position
        names = query.namespaces or frozenset()
        only = next(iter(names)) if len(names) == 1 else None
        dag_filter = DagFilter(namespace=only, dag_id_prefix=query.dag_id_prefix)
        after: Cursor | None = None
        while True:
            page = await self._reads.page(
                ListQuery(dag_filter, position.revision, STATE_PAGE, after=after)
            )
            yield StateEvent(position, [head for head in page if query.includes(head.key)])
            if len(page) < STATE_PAGE:
                return
            after = Cursor(page[-1].key, page[-1].revision)

    async def _follow(
        self, query: WatchQuery, start: Position, history: int
    ) -> AsyncIterator[WatchEvent]:
        position, live = start, False
        due = _Due(query.bookmark_interval_s)
        while True:
            advanced = self._ring.next_advance()
            history = self._check_history(position, history)
            entries = self._ring.after(position.revision)
            if entries is None:
                if live and not query.conflate:
                    raise WatcherTooSlow(position, self._ring.revision - position.revision)
                entries = await self._read_log(position)
            else:
                live = True
            told = _events(query, position, entries, history)
            for event in told:
                yield event
                position = event.position
            if told:
                due.reset()
            if entries:
                position = Position(position.epoch, entries[-1].revision)
            elif not self._draining:
                await _wait(advanced, due.left_s())
            draining = self._draining  # it may begin while the consumer takes its time
            if draining or (not told and due.is_over()):
                yield BookmarkEvent(position, draining=draining)
                due.reset()
            if draining:
                return

    def _check_history(self, position: Position, history: int) -> int:
        """Refuse a position that the ring's history does not have; return that history.

        A database that lost its last commits goes on in the same epoch: a watch that saw them
        would take the revisions that replace them for known ones.
        """
        now, began = self._ring.position, self._ring.start
        if position.epoch != now.epoch:
            raise RevisionOutOfRange(RangeProblem.OTHER_EPOCH, position, now, now.revision)
        if history != self._ring.history and position.revision > began.revision:
            raise RevisionOutOfRange(RangeProblem.FUTURE, position, began, began.revision)
        return self._ring.history

    async def _read_log(self, position: Position) -> list[RevisionChanges]:
        clock, changes = await self._reads.changes(position.revision, READ_LIMIT)
        check_position(clock, position, past=True)
        return by_revision(changes)


async def _wait(advanced: asyncio.Event, timeout_s: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await advanced.wait()


class _Due:
    """When the next bookmark is due."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self.reset()

    def reset(self) -> None:
        self._at = asyncio.get_running_loop().time() + self._interval_s

    def left_s(self) -> float:
        return max(0.0, self._at - asyncio.get_running_loop().time())

    def is_over(self) -> bool:
        return self.left_s() == 0.0


def _events(
    query: WatchQuery, position: Position, entries: Sequence[RevisionChanges], history: int
) -> list[ChangeEvent]:
    if query.conflate and len(entries) > 1:
        return _conflated(query, position, entries, history)
    return [
        ChangeEvent(Position(position.epoch, entry.revision), changes, history)
        for entry in entries
        if (changes := query.select(entry.changes))
    ]


def _conflated(
    query: WatchQuery, position: Position, entries: Sequence[RevisionChanges], history: int
) -> list[ChangeEvent]:
    """Merge what is waiting into the latest change of each DAG."""
    waiting = query.select(change for entry in entries for change in entry.changes)
    latest: dict[DagKey, Change] = {change.key: change for change in waiting}
    if not latest:
        return []
    changes = tuple(sorted(latest.values(), key=lambda one: (one.revision, one.ordinal)))
    at = Position(position.epoch, entries[-1].revision)
    return [ChangeEvent(at, changes, history, conflated=len(changes) < len(waiting))]
