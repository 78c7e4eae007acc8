"""What the tail makes of other replicas' word, and what it tells of the database."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from dagcatalog_server.catalog.errors import CatalogUnavailable
from dagcatalog_server.catalog.model import Change, Clock
from dagcatalog_server.replica.tail import Tail
from tests.support.watching import NEVER_S, PATIENCE_S, Replica
from tests.support.writes import put


class Listening(Replica):
    """A replica whose tail tells whom it reaches, and which counts its reads."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.reads = 0
        self.told: asyncio.Queue[bool] = asyncio.Queue()
        self.tail = Tail(self.ring, self.changes, poll_interval_s=NEVER_S, on_reach=self.told.put)

    async def changes(self, after: int, limit: int) -> tuple[Clock, Sequence[Change]]:
        self.reads += 1
        if self.away:
            raise CatalogUnavailable
        return await super().changes(after, limit)

    async def next_told(self) -> bool:
        async with asyncio.timeout(PATIENCE_S):
            return await self.told.get()


async def _end(running: "asyncio.Task[None]") -> None:
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_word_of_a_revision_is_followed_and_old_news_is_not() -> None:
    replica = Listening()
    running = asyncio.create_task(replica.tail.run())
    assert await replica.next_told()
    replica.catalog.commit([put("a"), put("b")])  # another replica's
    replica.tail.hear(2)
    await replica.caught_up()
    assert await replica.next_told()
    reads = replica.reads
    for known in (1, 2):
        replica.tail.hear(known)
    for _ in range(100):
        await asyncio.sleep(0)
    assert replica.reads == reads
    replica.tail.hear(0)  # some word may have been missed
    assert await replica.next_told()
    assert replica.reads == reads + 1
    await _end(running)


async def test_each_read_tells_whether_the_database_answered() -> None:
    replica = Listening()
    running = asyncio.create_task(replica.tail.run())
    for away in (False, True, True, False):
        replica.away = away
        replica.tail.hear(0)
        assert await replica.next_told() is not away
    await _end(running)
