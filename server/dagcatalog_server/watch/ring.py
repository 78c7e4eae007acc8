"""The last revisions, in memory, shared by every watcher of this replica."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from dagcatalog_server.catalog.model import Change, Position


@dataclass(frozen=True, slots=True)
class RevisionChanges:
    """All changes of one revision. `encoded` is the wire's place to keep what it encoded once."""

    revision: int
    changes: tuple[Change, ...]
    encoded: dict[object, object] = field(default_factory=dict, compare=False, repr=False)


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
        self.epoch = start.epoch
        self.revision = start.revision
        """Last revision that is in the ring, or that it began after."""
        self.start = start
        """Where this history was entered; another one is another object."""
        self._first = start.revision
        self._max_changes = max_changes
        self._entries: deque[RevisionChanges] = deque()
        self._size = 0
        self._advanced = asyncio.Event()

    @property
    def position(self) -> Position:
        """How far the ring has come."""
        return Position(self.epoch, self.revision)

    def extend(self, entries: Sequence[RevisionChanges]) -> None:
        """Add the next revisions and wake every watcher; old ones go as the bound asks."""
        for entry in entries:
            self._entries.append(entry)
            self._size += len(entry.changes)
            self.revision = entry.revision
        while self._size > self._max_changes and len(self._entries) > 1:
            gone = self._entries.popleft()
            self._first = gone.revision
            self._size -= len(gone.changes)
        self._wake()

    def restart(self, start: Position) -> None:
        """Begin again, on another history."""
        self.start = start
        self._entries.clear()
        self._size = 0
        self.epoch, self.revision, self._first = start.epoch, start.revision, start.revision
        self._wake()

    def after(self, revision: int) -> list[RevisionChanges] | None:
        """Return the revisions after one; None if the ring no longer reaches back that far."""
        if revision < self._first:
            return None
        skipped = revision - self._first  # revisions have no gaps
        return [self._entries[place] for place in range(skipped, len(self._entries))]

    def next_advance(self) -> asyncio.Event:
        """Return the event of the next change of the ring; ask before looking at the ring."""
        return self._advanced

    def _wake(self) -> None:
        self._advanced.set()
        self._advanced = asyncio.Event()
