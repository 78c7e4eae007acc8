"""A compaction that overtakes a replica cuts its ring off, but does not make another history."""

import asyncio
from collections.abc import Sequence

from dagcatalog_server.catalog.model import Change, Clock
from dagcatalog_server.watch.query import ChangeEvent
from tests.support.watching import Replica, Watcher, after, running
from tests.support.writes import commit, put


class Slow(Replica):
    """A replica whose tail gets what it has read only when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.has_read = asyncio.Event()
        self.may_go_on = asyncio.Event()

    async def changes(self, after: int, limit: int) -> tuple[Clock, Sequence[Change]]:
        told = self.catalog.changes(after=after, limit=limit)
        self.has_read.set()
        await self.may_go_on.wait()
        return told


async def test_a_watch_that_is_ahead_of_a_ring_that_was_cut_off_goes_on() -> None:
    replica = Slow()
    commit(replica.catalog, put("a"))
    commit(replica.catalog, put("b"))
    replica.set_clock(compacted_revision=1)
    async with running(replica):
        await replica.has_read.wait()
        commit(replica.catalog, put("c"))
        watcher = Watcher(replica.hub, after(replica, 3))
        waiting = asyncio.create_task(watcher.next())
        await asyncio.sleep(0)
        replica.may_go_on.set()
        await replica.caught_up()
        replica.write(put("d"))
        event = await waiting
        assert isinstance(event, ChangeEvent)
        assert event.position.revision == 4
        await watcher.close()
