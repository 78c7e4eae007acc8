"""Fills the heads once from the store, and then keeps them at the ring's revision."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from dagcatalog_server.catalog.errors import CatalogError
from dagcatalog_server.catalog.model import Change
from dagcatalog_server.catalog.query import Cursor
from dagcatalog_server.replica.heads import HeadChange, Heads
from dagcatalog_server.replica.ring import RevisionChanges, Ring

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.25
_MAX_PAUSE_S = 5.0


@dataclass(frozen=True, slots=True)
class PresentPage:
    """Some live DAGs by key, as they were at a revision that a later page need not share."""

    epoch: str
    revision: int
    changes: Sequence[HeadChange]
    next: Cursor | None
    """None: this was the last page."""


ReadPresent = Callable[[Cursor | None], Awaitable[PresentPage]]


class HeadsFeed:
    """Brings every live DAG into the heads, and every change.

    Pages are read at the present, each at its own, while the ring goes on: the newest word about a
    DAG counts, whichever way it came. When the ring has passed the newest page, the heads are
    exactly the present at the ring's revision, and stay so, because the ring tells them first.
    A catalog of more than `max_dags` live DAGs is not kept: reads go to the store.
    """

    def __init__(
        self,
        ring: Ring,
        *,
        read: ReadPresent,
        tell: Callable[[Change], HeadChange],
        max_dags: int,
    ) -> None:
        self._ring = ring
        self.heads = Heads()
        self._read = read
        self._tell = tell
        self._max_dags = max_dags
        self._attempt = asyncio.Event()
        self._restarted = asyncio.Event()
        self._too_many = False
        ring.follow(self)

    def extended(self, entries: Sequence[RevisionChanges]) -> None:
        """Take over what the ring got."""
        if not self._too_many:
            for entry in entries:
                self.heads.apply([self._tell(change) for change in entry.changes])
            self._check_count()

    def restarted(self) -> None:
        """Begin again: the ring has missed something."""
        self.heads.clear()
        self._restarted.set()

    async def ready(self) -> bool:
        """Wait while the heads are being read; tell whether they are complete now."""
        if not self.heads.is_complete():
            await self._attempt.wait()
        return self.heads.is_complete()

    async def run(self) -> None:
        """Read the present, again after every change of history, until cancelled."""
        pause_s = FIRST_PAUSE_S
        while True:
            self._attempt.clear()
            self._restarted.clear()
            try:
                await self._load()
                pause_s = FIRST_PAUSE_S
            except CatalogError as error:
                pause_s = min(pause_s * 2, _MAX_PAUSE_S)
                log.warning("heads_failed error=%s retry_in_s=%.2f", error, pause_s)
            finally:
                self._attempt.set()
            await self._rest(None if self.heads.is_complete() or self._too_many else pause_s)

    async def _load(self) -> None:
        after, newest = None, 0
        self.heads.clear()
        self._too_many = False
        while True:
            page = await self._read(after)
            if self._restarted.is_set() or page.epoch != self._ring.epoch:
                return  # read again, once the ring has followed
            self.heads.apply(page.changes)
            newest = max(newest, page.revision)
            self._check_count()
            after = page.next
            if self._too_many or after is None:
                break
        if not self._too_many and await self._reached(newest):
            self.heads.finish()
            log.info("heads_read dags=%d revision=%d", len(self.heads), self._ring.revision)

    def _check_count(self) -> None:
        if len(self.heads) > self._max_dags:
            self._too_many = True
            self.heads.clear()
            log.warning("heads_not_kept more_than=%d", self._max_dags)

    async def _reached(self, revision: int) -> bool:
        """Wait for the ring to come to a revision; False if it brought an end to all this instead."""
        while not (self._restarted.is_set() or self._too_many):
            advanced = self._ring.next_advance()
            if self._ring.revision >= revision:
                return True
            await advanced.wait()
        return False

    async def _rest(self, pause_s: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._restarted.wait()
