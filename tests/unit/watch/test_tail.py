"""The one reader of the change log: it misses nothing, whatever happens to the database."""

import asyncio
from collections.abc import Sequence

import pytest

from dagcatalog_server.catalog.errors import CatalogUnavailable
from dagcatalog_server.catalog.model import Change, Clock
from tests.support.watching import NEVER_S, PATIENCE_S, Replica, running
from tests.support.writes import put, put_operation, write


def ring_revisions(replica: Replica, after: int = 0) -> list[int]:
    entries = replica.ring.after(after)
    assert entries is not None
    return [entry.revision for entry in entries]


async def test_a_doorbell_brings_what_was_committed() -> None:
    async with running(Replica()) as replica:
        for number in range(5):
            replica.write(put(f"d{number}"))
            await replica.caught_up()
        assert ring_revisions(replica) == [1, 2, 3, 4, 5]
        assert replica.tail.known_revision == 5


async def test_a_poll_makes_up_for_a_doorbell_that_never_rang() -> None:
    async with running(Replica(poll_interval_s=0.01)) as replica:
        for name in "ab":
            replica.catalog.commit([put(name)])  # another replica's commit
            await replica.caught_up()
        assert ring_revisions(replica) == [1, 2]


async def test_a_doorbell_during_a_read_is_not_lost() -> None:
    class Busy(Replica):
        async def changes(self, after: int, limit: int) -> tuple[Clock, Sequence[Change]]:
            found = await super().changes(after, limit)
            if self.catalog.clock().revision < 5:
                self.write(put(f"d{self.catalog.clock().revision}"))  # just after the read
            return found

    async with running(Busy()) as replica:
        replica.tail.ring_doorbell()
        async with asyncio.timeout(PATIENCE_S):
            while replica.ring.revision < 5:
                await replica.ring.next_advance().wait()


async def test_a_group_that_changed_nothing_costs_no_read() -> None:
    class Counting(Replica):
        reads = 0

        async def changes(self, after: int, limit: int) -> tuple[Clock, Sequence[Change]]:
            self.reads += 1
            return await super().changes(after, limit)

    replica = Counting()
    async with running(replica):
        replica.write(put("a"))
        await replica.caught_up()
        before = replica.reads
        unchanged = replica.catalog.commit([put("a")])
        assert not unchanged.changes
        replica.tail.offer(unchanged.position, unchanged.changes)
        await asyncio.sleep(0)
        replica.catalog.commit([put("b")])  # another replica's, which the next group finds
        unchanged = replica.catalog.commit([put("a")])
        assert replica.reads == before
        replica.tail.offer(unchanged.position, unchanged.changes)
        await replica.caught_up()
        assert ring_revisions(replica) == [1, 2]


async def test_a_revision_comes_whole() -> None:
    async with running(Replica()) as replica:
        replica.write(write(*(put_operation(f"d{number}") for number in range(30))), put("z"))
        await replica.caught_up()
        entries = replica.ring.after(0)
        assert entries is not None
        assert [len(entry.changes) for entry in entries] == [30, 1]


async def test_a_long_log_is_read_to_its_end() -> None:
    replica = Replica(max_changes=5_000)
    dags = [put(f"d{number}") for number in range(50)]
    tagged = [put(f"d{number}", tags=("x",)) for number in range(50)]
    for _ in range(25):
        replica.write(*dags, *tagged)
    assert replica.catalog.clock().revision == 2_500
    async with running(replica):
        await replica.caught_up()
    assert ring_revisions(replica) == list(range(1, 2_501))


class Flaky(Replica):
    """A replica whose database is away for some reads."""

    def __init__(self, failures: int, *, poll_interval_s: float) -> None:
        super().__init__(poll_interval_s=poll_interval_s)
        self.failures = failures
        self.asked = asyncio.Semaphore(0)

    async def changes(self, after: int, limit: int) -> tuple[Clock, Sequence[Change]]:
        self.asked.release()
        if self.failures:
            self.failures -= 1
            raise CatalogUnavailable
        return await super().changes(after, limit)


async def test_a_database_that_comes_back_is_followed_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    replica = Flaky(3, poll_interval_s=0.001)
    replica.write(put("a"))
    async with running(replica):
        await replica.caught_up()
        assert sum("tail_failed" in record.message for record in caplog.records) == 3
        replica.failures = 3
        replica.write(put("b"))
        await replica.caught_up()
    assert ring_revisions(replica) == [1, 2]


async def test_a_database_that_is_away_is_asked_ever_less_often(
    caplog: pytest.LogCaptureFixture,
) -> None:
    replica = Flaky(1_000, poll_interval_s=0.5)
    async with running(replica):
        for _ in range(7):
            async with asyncio.timeout(PATIENCE_S):
                await replica.asked.acquire()
            replica.tail.ring_doorbell()  # instead of the wait
    said = [record.message.rpartition("=")[2] for record in caplog.records]
    assert said[:6] == ["1.00", "2.00", "4.00", "5.00", "5.00", "5.00"]


async def test_a_doorbell_at_the_moment_of_the_end_does_not_keep_the_tail_alive() -> None:
    replica = Flaky(0, poll_interval_s=NEVER_S)
    task = asyncio.create_task(replica.tail.run())
    await replica.asked.acquire()
    for _ in range(10):
        await asyncio.sleep(0)  # until it waits
    replica.tail.ring_doorbell()
    await asyncio.sleep(0)  # the doorbell has been heard, the tail has not gone on yet
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=PATIENCE_S)
    assert done
    assert task.cancelled()


async def test_an_idle_tail_asks_for_nothing() -> None:
    replica = Flaky(0, poll_interval_s=NEVER_S)
    async with running(replica):
        replica.write(put("a"), put("b"))
        await replica.caught_up()
        for _ in range(100):
            await asyncio.sleep(0)
        asked = 0
        while not replica.asked.locked():
            await replica.asked.acquire()
            asked += 1
    assert asked == 2  # once for the changes, once to see that there are no more


async def test_another_epoch_restarts_the_ring(caplog: pytest.LogCaptureFixture) -> None:
    async with running(Replica()) as replica:
        replica.write(put("a"), put("b"), put("c"))
        await replica.caught_up()
        replica.set_clock(epoch="restored", revision=2)
        await replica.caught_up()
        assert replica.ring.after(1) is None
        replica.write(put("d"))
        await replica.caught_up()
        assert ring_revisions(replica, after=2) == [3]
    assert any("history_replaced" in record.message for record in caplog.records)


async def test_a_history_that_lost_its_end_restarts_the_ring() -> None:
    async with running(Replica()) as replica:
        replica.write(put("a"), put("b"), put("c"))
        await replica.caught_up()
        replica.set_clock(revision=2)
        await replica.caught_up()
        replica.write(put("d"))
        await replica.caught_up()
        [entry] = replica.ring.after(2) or []
        assert entry.changes[0].key.dag_id == "d"


async def test_a_defect_ends_the_tail_for_all_to_see() -> None:
    class Broken(Replica):
        async def changes(self, after: int, limit: int) -> tuple[Clock, Sequence[Change]]:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(Broken(poll_interval_s=NEVER_S).tail.run(), PATIENCE_S)
