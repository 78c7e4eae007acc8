"""A drain that comes while a bookmark is being sent is told all the same."""

from dagcatalog_server.watch.query import BookmarkEvent
from tests.support.watching import Replica, Watcher, after, running


async def test_a_watch_that_is_sending_a_bookmark_gets_its_resume_point_too() -> None:
    replica = Replica()
    async with running(replica):
        watcher = Watcher(replica.hub, after(replica, 0, bookmark_interval_s=0.01))
        assert await watcher.next() == BookmarkEvent(replica.ring.position)
        replica.hub.drain()
        assert await watcher.next() == BookmarkEvent(replica.ring.position, draining=True)
