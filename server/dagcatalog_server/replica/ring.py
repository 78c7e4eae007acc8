"""The last revisions, in memory, shared by every watcher of this replica."""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

from dagcatalog_server.catalog.model import Change, Position


@dataclass(frozen=True, slots=True)
class RevisionChanges:
    """All changes of one revision."""

    revision: int
    changes: tuple[Change, ...]


class Follower(Protocol):
    """What must know of the ring's changes before anybody who waits for them."""

    def extended(self, entries: Sequence[RevisionChanges]) -> None:
        """Take over the next revisions."""

    def restarted(self) -> None:
        """Forget what was: something is missing in between, or the history is another."""


class Bell:
    """Wakes one task: when the ring moves, and whenever else `ring` is called.

    What rang since the last `wait` is not missed. It has no time limit of its own, since setting one
    for every wait of every watcher costs as much as the rest of a delivery.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rung = False
        self._waiter: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Wake who waits, or who will."""
        self._rung = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self) -> None:
        """Wait until it rings."""
        if not self._rung:
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        self._rung = False


def by_revision(changes: Iterable[Change]) -> list[RevisionChanges]:
    """Group rows of the change log, which come ordered and in whole revisions."""
    groups = groupby(changes, key=lambda change: change.revision)
    return [RevisionChanges(revision, tuple(group)) for revision, group in groups]


class Ring:
    """A bounded window on the end of the change log.

    Watchers pull: each remembers the revision it has had, so one that is slow costs no memory
    but its own message in flight. Everything runs on one event loop.
    """

    def __init__(self, start: Position, *, max_changes: int) -> None:
        self.position = start
        """How far the ring has come: the last revision that is in it, or that it began after. The
        same object until that changes."""
        self.start = start
        """Where this history was entered."""
        self.history = 0
        """Another number for every history that was entered."""
        self._first = start.revision
        self._max_changes = max_changes
        self._entries: deque[RevisionChanges] = deque()
        self._size = 0
        self._advanced = asyncio.Event()
        self._bells: set[Bell] = set()
        self._followers: list[Follower] = []

    def follow(self, follower: Follower) -> None:
        """Tell a follower of every change from now on, at once and in order."""
        self._followers.append(follower)

    @property
    def epoch(self) -> str:
        """Which history it is."""
        return self.position.epoch

    @property
    def revision(self) -> int:
        """The last revision that is in the ring, or that it began after."""
        return self.position.revision

    def extend(self, entries: Sequence[RevisionChanges]) -> None:
        """Add the next revisions and wake every watcher; old ones go as the bound asks.

        Revisions that are here already are passed over: a commit of this replica may bring them
        while the tail is reading them.
        """
        news = [entry for entry in entries if entry.revision > self.revision]
        if not news:
            return
        for entry in news:
            self._entries.append(entry)
            self._size += len(entry.changes)
        self.position = Position(self.epoch, news[-1].revision)
        for follower in self._followers:
            follower.extended(news)
        while self._size > self._max_changes and len(self._entries) > 1:
            gone = self._entries.popleft()
            self._first = gone.revision
            self._size -= len(gone.changes)
        self.wake()

    def restart(self, start: Position) -> None:
        """Begin again, on another history."""
        self.start = start
        self.history += 1
        self.skip(start)

    def skip(self, position: Position) -> None:
        """Go on from a later position of the same history: what lies between was compacted."""
        self.position = position
        self._entries.clear()
        self._size = 0
        self._first = position.revision
        for follower in self._followers:
            follower.restarted()
        self.wake()

    def reaches(self, position: Position) -> bool:
        """Tell whether everything after a position is in the ring."""
        same = position.epoch in {"", self.epoch}
        return same and self._first <= position.revision <= self.revision

    def after(self, revision: int) -> list[RevisionChanges] | None:
        """Return the revisions after one; None if the ring no longer reaches back that far."""
        if revision < self._first:
            return None
        skipped = revision - self._first  # revisions have no gaps
        return [self._entries[place] for place in range(skipped, len(self._entries))]

    def next_advance(self) -> asyncio.Event:
        """Return the event of the next change of the ring; ask before looking at the ring."""
        return self._advanced

    @contextmanager
    def bell(self) -> Iterator[Bell]:
        """Give a bell that rings at every change of the ring until the block ends."""
        bell = Bell()
        self._bells.add(bell)
        try:
            yield bell
        finally:
            self._bells.discard(bell)

    def wake(self) -> None:
        """Wake everybody who waits for the ring, to look around."""
        for bell in self._bells:
            bell.ring()
        self._advanced.set()
        self._advanced = asyncio.Event()
