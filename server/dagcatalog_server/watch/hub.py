"""Runs watches: the present if asked for, then what follows, from the ring or from the log."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from dagcatalog_server.catalog.errors import RangeProblem, RevisionOutOfRange, WatcherTooSlow
from dagcatalog_server.catalog.model import Change, Clock, DagKey, Position
from dagcatalog_server.catalog.names import check_text
from dagcatalog_server.catalog.query import Cursor, DagFilter, ListQuery, StateRow
from dagcatalog_server.catalog.reading import check_position
from dagcatalog_server.watch.query import (
    BookmarkEvent,
    ChangeEvent,
    StateEvent,
    WatchEvent,
    WatchQuery,
)
from dagcatalog_server.watch.ring import RevisionChanges, Ring, by_revision
from dagcatalog_server.watch.tail import READ_LIMIT, ReadChanges

STATE_PAGE = 500
MAX_PREFIX = 250  # the length of a dag_id


@dataclass(frozen=True)
class WatchReads:
    """What watches need of the catalog; each call hops to a thread."""

    clock: Callable[[], Awaitable[Clock]]
    page: Callable[[ListQuery], Awaitable[Sequence[StateRow]]]
    """Refuses a revision that was compacted meanwhile."""
    changes: ReadChanges


class WatchHub:
    """All watches of a replica."""

    def __init__(self, ring: Ring, reads: WatchReads) -> None:
        self._ring = ring
        self._reads = reads
        self._draining = asyncio.Event()
        self.watch_count = 0

    def drain(self) -> None:
        """End every watch with a last bookmark that says where to resume."""
        self._draining.set()

    async def watch(self, query: WatchQuery) -> AsyncGenerator[WatchEvent, None]:
        """Run one watch until the hub drains or the consumer leaves.

        Raises:
            RevisionOutOfRange: the start is compacted, in the future or of another epoch, or the
                history was replaced meanwhile.
            WatcherTooSlow: the watch fell off the ring after it had once caught up.

        """
        self.watch_count += 1
        history = self._ring.start
        try:
            position = await self._start(query)
            if query.initial_state:
                async for page in self._state(query, position):
                    yield page
                yield BookmarkEvent(position, synced=True)
            async for event in self._follow(query, position, history):
                yield event
        finally:
            self.watch_count -= 1

    async def _start(self, query: WatchQuery) -> Position:
        check_text("dag_id_prefix", query.dag_id_prefix, MAX_PREFIX)
        clock = await self._reads.clock()
        if query.after is None:
            return clock.position
        check_position(clock, query.after, past=True)
        return Position(clock.epoch, query.after.revision)

    async def _state(self, query: WatchQuery, position: Position) -> AsyncIterator[StateEvent]:
        """Page through the live DAGs of one revision; short reads, no transaction is held open."""
        only = (
            next(iter(query.namespaces))
            if query.namespaces and len(query.namespaces) == 1
            else None
        )
        dag_filter = DagFilter(namespace=only, dag_id_prefix=query.dag_id_prefix)
        after: Cursor | None = None
        while True:
            page = await self._reads.page(
                ListQuery(dag_filter, position.revision, STATE_PAGE, after=after)
            )
            rows = tuple(row for row in page if _in_namespaces(row, query))
            if rows:
                yield StateEvent(position, rows)
            if len(page) < STATE_PAGE:
                return
            after = Cursor(page[-1].state.key, page[-1].revision)

    async def _follow(
        self, query: WatchQuery, start: Position, history: Position
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
            live = live or position.revision >= self._ring.revision
            for event in _events(query, position, entries):
                yield event
                position = event.position
                due.reset()
            if entries:
                position = Position(position.epoch, entries[-1].revision)
                if not (due.is_over() or self._draining.is_set()):
                    continue
            draining = await self._wait(advanced, 0.0 if entries else due.left_s())
            if draining or due.is_over():
                yield BookmarkEvent(position, draining=draining)
                due.reset()
            if draining:
                return

    def _check_history(self, position: Position, history: Position) -> Position:
        """Refuse a position that the ring's history does not have; return that history's start.

        A database that lost its last commits goes on in the same epoch: a watch that saw them
        would take the revisions that replace them for known ones.
        """
        now, began = self._ring.position, self._ring.start
        if position.epoch != now.epoch:
            raise RevisionOutOfRange(RangeProblem.OTHER_EPOCH, position, now, now.revision)
        if history is not began and position.revision > began.revision:
            raise RevisionOutOfRange(RangeProblem.FUTURE, position, began, began.revision)
        return began

    async def _read_log(self, position: Position) -> list[RevisionChanges]:
        clock, changes = await self._reads.changes(position.revision, READ_LIMIT)
        check_position(clock, position, past=True)
        return by_revision(changes)

    async def _wait(self, advanced: asyncio.Event, timeout_s: float) -> bool:
        """Wait for the ring, the drain or the time; True if the hub drains."""
        waits = [asyncio.ensure_future(one.wait()) for one in (advanced, self._draining)]
        try:
            await asyncio.wait(waits, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
        return self._draining.is_set()


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


def _in_namespaces(row: StateRow, query: WatchQuery) -> bool:
    return query.namespaces is None or row.state.key.namespace in query.namespaces


def _events(
    query: WatchQuery, position: Position, entries: Sequence[RevisionChanges]
) -> list[ChangeEvent]:
    if query.conflate and len(entries) > 1:
        return _conflated(query, position, entries)
    events = []
    for entry in entries:
        if changes := query.select(entry.changes):
            whole = len(changes) == len(entry.changes)
            at = Position(position.epoch, entry.revision)
            events.append(ChangeEvent(at, changes, encoded=entry.encoded if whole else None))
    return events


def _conflated(
    query: WatchQuery, position: Position, entries: Sequence[RevisionChanges]
) -> list[ChangeEvent]:
    """Merge what is waiting into the latest change of each DAG."""
    waiting = query.select(change for entry in entries for change in entry.changes)
    latest: dict[DagKey, Change] = {change.key: change for change in waiting}
    if not latest:
        return []
    changes = tuple(sorted(latest.values(), key=lambda one: (one.revision, one.ordinal)))
    at = Position(position.epoch, entries[-1].revision)
    return [ChangeEvent(at, changes, conflated=len(changes) < len(waiting))]
