"""Says at which position this replica's memory may answer for the present."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from dagcatalog_server.catalog.model import Position
from dagcatalog_server.catalog.reading import check_position
from dagcatalog_server.replica.heads_feed import HeadsFeed
from dagcatalog_server.replica.read_index import ReadIndex
from dagcatalog_server.replica.ring import Ring

# A ring that has not followed by then is not followed well: the store answers instead.
CATCH_UP_TIMEOUT_S = 0.5


class Present:
    """The present as this replica has it, and how fresh that is.

    A linearizable read takes one clock read, shared with others, waits for the ring to come to
    that revision, and is then answered from memory: every write that was acknowledged before the
    read began is in it.
    """

    def __init__(
        self, ring: Ring, feed: HeadsFeed, read_index: ReadIndex, ring_doorbell: Callable[[], None]
    ) -> None:
        self._ring = ring
        self._feed = feed
        self._read_index = read_index
        self._ring_doorbell = ring_doorbell
        self.heads = feed.heads

    async def ready(self) -> bool:
        """Wait while the heads are being read; tell whether they are complete now."""
        return await self._feed.ready()

    async def position(self, at_least: Position | None, *, local: bool) -> Position | None:
        """Return the position that the heads are at, once it is fresh enough; None: ask the store.

        The heads are at that position until the caller awaits anything else. `local` asks for no
        more than `at_least`, otherwise every write acknowledged before this call must be in.

        Raises:
            RevisionOutOfRange: `at_least` is of another history, or of the future.
            CatalogUnavailable: the clock cannot be read.

        """
        if not self.heads.is_complete():
            return None
        if local and (at_least is None or self._has(at_least)):
            return self._ring.position
        clock = await self._read_index.clock()
        check_position(clock, at_least)
        if not await self._reached(clock.position):
            return None
        # Meanwhile the history may have ended.
        return self._ring.position if self.heads.is_complete() else None

    def _has(self, asked: Position) -> bool:
        here = self._ring.position
        return asked.epoch in {"", here.epoch} and 0 <= asked.revision <= here.revision

    async def _reached(self, asked: Position) -> bool:
        if self._has(asked):
            return True
        self._ring_doorbell()
        with suppress(TimeoutError):
            async with asyncio.timeout(CATCH_UP_TIMEOUT_S):
                while not self._has(asked):
                    if asked.epoch != self._ring.epoch:
                        return False
                    await self._ring.next_advance().wait()
        return self._has(asked)
