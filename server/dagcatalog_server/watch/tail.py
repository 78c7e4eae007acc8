"""The one reader of the change log in a replica: it follows the clock and feeds the ring."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from dagcatalog_server.catalog.errors import CatalogError
from dagcatalog_server.catalog.model import Change, Clock
from dagcatalog_server.watch.ring import Ring, by_revision

log = logging.getLogger(__name__)

READ_LIMIT = 1_000
_MAX_PAUSE_S = 5.0

ReadChanges = Callable[[int, int], Awaitable[tuple[Clock, Sequence[Change]]]]
"""Reads (after, limit): the clock, and whole revisions of the change log."""


class Tail:
    """Follows the change log from where it stands.

    A doorbell says that there may be something new; a poll makes up for every doorbell that was
    missed, so correctness never rests on it.
    """

    def __init__(self, ring: Ring, read: ReadChanges, *, poll_interval_s: float) -> None:
        self._ring = ring
        self._read = read
        self._poll_interval_s = poll_interval_s
        self._doorbell = asyncio.Event()
        self.known_revision = ring.revision
        """The clock when it was last read."""

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
            except CatalogError as error:
                pause_s = min(pause_s * 2, _MAX_PAUSE_S)
                log.warning("tail_failed error=%s retry_in_s=%.2f", error, pause_s)
            await self._wait(pause_s)

    async def _catch_up(self) -> None:
        while True:
            # Cleared before reading: a commit that rings while we read is read next time.
            self._doorbell.clear()
            clock, changes = await self._read(self._ring.revision, READ_LIMIT)
            self.known_revision = clock.revision
            if clock.epoch != self._ring.epoch or clock.revision < self._ring.revision:
                log.warning("epoch_changed old=%s new=%s", self._ring.epoch, clock.epoch)
                self._ring.restart(clock.position)
                return
            if not changes:
                return
            self._ring.extend(by_revision(changes))

    async def _wait(self, pause_s: float) -> None:
        # Not asyncio.wait_for: until Python 3.12 it loses a cancellation that meets the doorbell.
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._doorbell.wait()
