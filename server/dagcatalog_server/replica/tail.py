"""The one reader of the change log in a replica: it follows the clock and feeds the ring."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from dagcatalog_server.catalog.errors import CatalogError
from dagcatalog_server.catalog.model import Change, Clock, Position
from dagcatalog_server.replica.ring import Ring, by_revision

log = logging.getLogger(__name__)

READ_LIMIT = 1_000
_MAX_PAUSE_S = 5.0

ReadChanges = Callable[[int, int], Awaitable[tuple[Clock, Sequence[Change]]]]
"""Reads (after, limit): the clock, and whole revisions of the change log."""
OnReach = Callable[[bool], Awaitable[None]]
"""Is told after each read whether the database answered."""


class Tail:
    """Follows the change log from where it stands.

    A doorbell says that there may be something new; a poll makes up for every doorbell that was
    missed, so correctness never rests on it.
    """

    def __init__(
        self,
        ring: Ring,
        read: ReadChanges,
        *,
        poll_interval_s: float,
        on_reach: OnReach | None = None,
    ) -> None:
        self._ring = ring
        self._read = read
        self._poll_interval_s = poll_interval_s
        self._on_reach = on_reach
        self._doorbell = asyncio.Event()
        self.known_revision = ring.revision
        """The clock when it was last read."""

    def offer(self, position: Position, changes: Sequence[Change]) -> None:
        """Bring what this replica has committed itself, up to the position.

        It goes into the ring at once if it is the ring's next; if another replica's changes lie
        between, the log is read. A group of writes that changed nothing tells nothing new.
        """
        here = self._ring.position
        if changes and position.epoch == here.epoch and changes[0].revision == here.revision + 1:
            self.known_revision = max(self.known_revision, position.revision)
            self._ring.extend(by_revision(changes))
        elif position.epoch != here.epoch or position.revision > here.revision:
            self.ring_doorbell()

    def hear(self, revision: int) -> None:
        """Bring another replica's word of a commit; 0: some word may have been missed."""
        if not 0 < revision <= self._ring.revision:
            self.ring_doorbell()

    def ring_doorbell(self) -> None:
        """Say that something was committed; cheap, never blocks, may be said too often."""
        self._doorbell.set()

    async def run(self) -> None:
        """Follow until cancelled; a database that is away is asked again, ever less often."""
        pause_s = self._poll_interval_s
        while True:
            try:
                await self._catch_up()
                pause_s = self._poll_interval_s
                await self._tell_reach(reached=True)
            except CatalogError as error:
                pause_s = min(pause_s * 2, _MAX_PAUSE_S)
                log.warning("tail_failed error=%s retry_in_s=%.2f", error, pause_s)
                await self._tell_reach(reached=False)
            await self._wait(pause_s)

    async def _catch_up(self) -> None:
        while True:
            # Cleared before reading: a commit that rings while we read is read next time.
            self._doorbell.clear()
            asked = self._ring.position
            clock, changes = await self._read(asked.revision, READ_LIMIT)
            if clock.epoch != asked.epoch or clock.revision < asked.revision:
                # Restored from a backup, or it lost its last commits. What was offered meanwhile
                # may lie beyond the clock that was read: that is no loss.
                log.warning("history_replaced at=%s clock=%s", self._ring.position, clock)
                self.known_revision = clock.revision
                self._ring.restart(clock.position)
                continue
            self.known_revision = max(self.known_revision, clock.revision)
            if clock.compacted_revision > self._ring.revision:
                log.warning("history_compacted at=%s clock=%s", self._ring.position, clock)
                self._ring.skip(clock.position)
                continue
            if not changes:
                return
            self._ring.extend(by_revision(changes))

    async def _tell_reach(self, *, reached: bool) -> None:
        if self._on_reach is not None:
            await self._on_reach(reached)

    async def _wait(self, pause_s: float) -> None:
        # Not asyncio.wait_for: until Python 3.12 it loses a cancellation that meets the doorbell.
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._doorbell.wait()
