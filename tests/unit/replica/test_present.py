"""When a replica may answer from memory, and at which position: a fresh one, or none at all."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from dagcatalog_server.catalog.errors import (
    CatalogUnavailable,
    InvalidArgument,
    RangeProblem,
    RevisionOutOfRange,
)
from dagcatalog_server.catalog.model import Clock, Position
from dagcatalog_server.replica import present
from tests.support.stored import key
from tests.support.waiting import until
from tests.support.watching import NEVER_S, PATIENCE_S, Replica, running
from tests.support.writes import delete, put


class Counting(Replica):
    """Counts how often the clock is read for those who ask; may be without its database."""

    clock_reads = 0
    away = False

    async def clock(self) -> Clock:
        self.clock_reads += 1
        if self.away:
            raise CatalogUnavailable
        return await super().clock()

    def commit_elsewhere(self, *names: str) -> Position:
        """Commit as another replica does: no doorbell rings here."""
        self.catalog.commit([put(name) for name in names])
        return self.catalog.clock().position

    async def fresh(self, at_least: Position | None = None) -> Position | None:
        async with asyncio.timeout(PATIENCE_S):
            return await self.presence.position(at_least, local=False)

    async def local(self, at_least: Position | None = None) -> Position | None:
        async with asyncio.timeout(PATIENCE_S):
            return await self.presence.position(at_least, local=True)


@pytest.fixture
async def replica() -> AsyncIterator[Counting]:
    """A replica that has read its three DAGs."""
    made = Counting()
    made.write(put("a"), put("b"), put("c"))
    async with running(made):
        await made.caught_up()
        assert await made.presence.ready()
        yield made


class TestLinearizable:
    async def test_what_another_replica_committed_before_is_in_it(self, replica: Counting) -> None:
        for number in range(50):
            committed = replica.commit_elsewhere(f"new{number}")
            assert await replica.fresh() == committed == replica.ring.position
            assert replica.presence.heads.get(key(f"new{number}")) is not None

    async def test_a_deletion_elsewhere_is_in_it(self, replica: Counting) -> None:
        replica.catalog.commit([delete("a")])
        await replica.fresh()
        assert replica.presence.heads.get(key("a")) is None

    async def test_a_crowd_asks_the_database_once_or_twice(self, replica: Counting) -> None:
        committed = replica.commit_elsewhere("d")
        reads = replica.clock_reads
        positions = await asyncio.gather(*(replica.fresh() for _ in range(100)))
        assert positions == [committed] * 100
        assert replica.clock_reads - reads <= 2

    async def test_without_the_database_it_is_refused(self, replica: Counting) -> None:
        replica.away = True
        with pytest.raises(CatalogUnavailable):
            await replica.fresh()


class TestLocal:
    async def test_it_is_where_this_replica_is_and_asks_nobody(self, replica: Counting) -> None:
        reads = replica.clock_reads
        replica.commit_elsewhere("d")
        replica.away = True
        assert await replica.local() == Position(replica.ring.epoch, 3)
        assert await replica.local(Position("", 3)) == replica.ring.position
        assert replica.clock_reads == reads

    async def test_what_it_has_not_is_waited_for(self, replica: Counting) -> None:
        committed = replica.commit_elsewhere("d")
        assert await replica.local(committed) == committed


@pytest.mark.parametrize("local", [True, False])
class TestAtLeast:
    async def ask(
        self, replica: Counting, *, local: bool, epoch: str, revision: int
    ) -> Position | None:
        async with asyncio.timeout(PATIENCE_S):
            return await replica.presence.position(Position(epoch, revision), local=local)

    async def test_the_past_and_the_present_are_had(self, replica: Counting, local: bool) -> None:
        for epoch in ("", replica.ring.epoch):
            for revision in range(4):
                here = await self.ask(replica, local=local, epoch=epoch, revision=revision)
                assert here == replica.ring.position

    async def test_the_future_is_refused(self, replica: Counting, local: bool) -> None:
        for epoch in ("", replica.ring.epoch):
            with pytest.raises(RevisionOutOfRange) as caught:
                await self.ask(replica, local=local, epoch=epoch, revision=4)
            assert caught.value.problem is RangeProblem.FUTURE

    async def test_another_history_is_refused(self, replica: Counting, local: bool) -> None:
        with pytest.raises(RevisionOutOfRange) as caught:
            await self.ask(replica, local=local, epoch="another", revision=1)
        assert caught.value.problem is RangeProblem.OTHER_EPOCH

    async def test_a_revision_below_zero_is_refused(self, replica: Counting, local: bool) -> None:
        with pytest.raises(InvalidArgument):
            await self.ask(replica, local=local, epoch="", revision=-1)


class TestNotFromMemory:
    async def test_heads_that_are_not_complete_ask_nobody(self) -> None:
        replica = Counting()  # nothing runs
        for local in (True, False):
            assert await replica.presence.position(None, local=local) is None
        assert replica.clock_reads == 0

    async def test_a_ring_that_does_not_follow_is_not_waited_for_long(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(present, "CATCH_UP_TIMEOUT_S", 0.01)
        replica = Counting()
        feeding = asyncio.ensure_future(replica.feed.run())  # and no tail
        assert await replica.presence.ready()
        here = replica.ring.position
        committed = replica.commit_elsewhere("a")
        assert await replica.fresh() is None
        assert await replica.local(committed) is None
        assert await replica.local() == here
        feeding.cancel()

    async def test_another_history_is_not_waited_for(
        self, replica: Counting, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(present, "CATCH_UP_TIMEOUT_S", NEVER_S)
        clock = replica.catalog.clock()
        replica.set_clock(epoch="restored", revision=clock.revision - 1)
        assert await replica.fresh() is None  # the ring has not heard of it
        await replica.caught_up()
        await until(replica.presence.ready)
        assert await replica.fresh() == Position("restored", 2)
