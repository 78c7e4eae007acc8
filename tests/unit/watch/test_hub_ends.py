"""How watches end: too slow, drained, out of range, left."""

import asyncio
from collections.abc import Sequence

import pytest

from dagcatalog_server.catalog.errors import (
    CatalogUnavailable,
    RangeProblem,
    RevisionOutOfRange,
    WatcherTooSlow,
)
from dagcatalog_server.catalog.model import Change, ChangeClass, Clock, Position
from dagcatalog_server.watch.query import BookmarkEvent, ChangeEvent, WatchQuery
from tests.support.watching import (
    EVERYTHING,
    STATE,
    Replica,
    Watcher,
    after,
    change_events,
    running,
    write_some,
)
from tests.support.writes import delete, log_of, put


class TestSlowness:
    async def test_a_watch_that_falls_off_the_ring_is_told_where_to_resume(self) -> None:
        async with running(Replica(max_changes=5)) as replica:
            slow = Watcher(replica.hub, after(replica, 0))
            quick = Watcher(replica.hub, after(replica, 0))
            replica.write(put("a"))
            await slow.until(1)
            for number in range(10):
                replica.write(put(f"d{number}"))
                await quick.until(number + 2)
            with pytest.raises(WatcherTooSlow) as caught:
                await slow.until(11)
            assert caught.value.resume == Position(replica.ring.epoch, 1)
            assert caught.value.limit == 10
            again = Watcher(replica.hub, WatchQuery(None, after=caught.value.resume))
            await again.until(11)
            assert slow.changes + again.changes == quick.changes == log_of(replica.catalog)

    async def test_a_watch_that_begins_behind_the_ring_is_not_slow(self) -> None:
        async with running(Replica(max_changes=5)) as replica:
            replica.write(*(put(f"d{number}") for number in range(50)))
            await replica.caught_up()
            watcher = Watcher(replica.hub, after(replica, 0))
            await watcher.until(10)
            replica.write(*(put(f"e{number}") for number in range(50)))
            await replica.caught_up()
            await watcher.until(100)
            assert watcher.changes == log_of(replica.catalog)

    async def test_a_conflating_watch_gets_the_latest_of_each_dag(self) -> None:
        async with running(Replica(max_changes=5)) as replica:
            watcher = Watcher(replica.hub, after(replica, 0, conflate=True))
            replica.write(put("a"))
            await watcher.until(1)
            for number in range(9):
                replica.write(put("a", tags=(str(number),)), put("b", tags=(str(number),)))
            replica.write(delete("b"), put("c"))
            await replica.caught_up()
            await watcher.until(replica.catalog.clock().revision)
            assert watcher.heads == replica.heads()
            event = change_events(watcher)[-1]
            assert event.conflated
            assert [(one.key.dag_id, one.revision) for one in event.changes] == [
                ("a", 18),
                ("b", 20),
                ("c", 21),
            ]
            assert event.position.revision == 21

    async def test_what_is_merged_without_loss_is_not_called_conflated(
        self, replica: Replica
    ) -> None:
        replica.write(put("a"), put("b"))
        await replica.caught_up()
        watcher = Watcher(replica.hub, after(replica, 0, conflate=True))
        event = await watcher.next()
        assert isinstance(event, ChangeEvent)
        assert [one.revision for one in event.changes] == [1, 2]
        assert not event.conflated

    async def test_a_conflating_watch_that_keeps_up_gets_everything(self, replica: Replica) -> None:
        watcher = Watcher(replica.hub, after(replica, 0, conflate=True))
        for number in range(20):
            replica.write(put("a", tags=(str(number),)))
            await watcher.until(number + 1)
        assert watcher.changes == log_of(replica.catalog)
        assert not any(event.conflated for event in change_events(watcher))

    async def test_conflation_forgets_only_what_was_asked_for(self, replica: Replica) -> None:
        replica.write(put("a"), put("a", tags=("x",)), put("a", tags=("x",), cron="@daily"))
        await replica.caught_up()
        query = after(replica, 0, conflate=True, classes=frozenset({ChangeClass.METADATA}))
        event = await Watcher(replica.hub, query).next()
        assert isinstance(event, ChangeEvent)
        assert [one.revision for one in event.changes] == [2]
        assert event.position.revision == 3


class TestDrain:
    async def test_an_idle_watch_ends_with_its_position(self, replica: Replica) -> None:
        replica.write(put("a"))
        watcher = Watcher(replica.hub, EVERYTHING)
        waiting = asyncio.ensure_future(watcher.rest())
        await asyncio.sleep(0)
        replica.hub.drain()
        await waiting
        assert watcher.events == [BookmarkEvent(replica.catalog.clock().position, draining=True)]

    async def test_a_last_position_is_one_to_resume_from(self) -> None:
        async with running(Replica(max_changes=3)) as replica:
            write_some(replica, 80)
            await replica.caught_up()
            watcher = Watcher(replica.hub, after(replica, 0))
            for _ in range(5):
                await watcher.next()
            write_some(replica, 20, seed=2)
            await replica.caught_up()
            replica.hub.drain()
            await watcher.rest()
            last = watcher.events[-1]
            assert isinstance(last, BookmarkEvent)
            assert last.draining
            expected = [
                one for one in log_of(replica.catalog) if one.revision <= last.position.revision
            ]
            assert watcher.changes == expected

    async def test_a_drain_does_not_wait_for_a_long_past(self) -> None:
        class Draining(Replica):
            async def changes(self, after: int, limit: int) -> tuple[Clock, Sequence[Change]]:
                if after == 1_000 and self.ring.revision == 3_000:  # the watch, not the tail
                    self.hub.drain()
                return await super().changes(after, limit)

        async with running(Draining(max_changes=5)) as replica:
            replica.write(*(put(f"d{number}") for number in range(3_000)))
            await replica.caught_up()
            watcher = Watcher(replica.hub, WatchQuery(frozenset({"quiet"}), after=Position("", 0)))
            await watcher.rest()
            at = Position(replica.ring.epoch, 2_000)
            assert watcher.events == [BookmarkEvent(at, draining=True)]

    async def test_a_watch_that_comes_too_late_is_sent_on(self, replica: Replica) -> None:
        replica.hub.drain()
        watcher = Watcher(replica.hub, STATE)
        await watcher.rest()
        position = replica.catalog.clock().position
        assert watcher.events == [
            BookmarkEvent(position, synced=True),
            BookmarkEvent(position, draining=True),
        ]


class TestOutOfRange:
    async def refused(self, replica: Replica, query: WatchQuery) -> RangeProblem:
        with pytest.raises(RevisionOutOfRange) as caught:
            await Watcher(replica.hub, query).next()
        return caught.value.problem

    async def test_starts_that_cannot_be_served(self, replica: Replica) -> None:
        replica.write(*(put(f"d{number}") for number in range(5)))
        await replica.caught_up()
        replica.set_clock(compacted_revision=3)
        assert await self.refused(replica, after(replica, 6)) is RangeProblem.FUTURE
        assert await self.refused(replica, after(replica, 2)) is RangeProblem.COMPACTED
        assert await self.refused(replica, after(replica, 5, "other")) is RangeProblem.OTHER_EPOCH
        watcher = Watcher(replica.hub, after(replica, 3))
        await watcher.until(5)
        assert replica.hub.watch_count == 1

    async def test_a_past_that_is_compacted_meanwhile_is_not_passed_over(self) -> None:
        async with running(Replica(max_changes=5)) as replica:
            replica.write(*(put(f"d{number}") for number in range(2_000)))
            await replica.caught_up()
            watcher = Watcher(replica.hub, after(replica, 0))
            await watcher.until(1_000)
            replica.set_clock(compacted_revision=1_500)
            with pytest.raises(RevisionOutOfRange) as caught:
                await watcher.until(2_000)
            assert caught.value.problem is RangeProblem.COMPACTED
            assert caught.value.oldest_revision == 1_500

    async def test_a_state_that_is_compacted_meanwhile_is_not_sent_half(self) -> None:
        async with running(Replica(max_dags=1)) as replica:  # so many are not kept in memory
            replica.write(*(put(f"d{number}") for number in range(600)))
            watcher = Watcher(replica.hub, STATE)
            await watcher.next()
            replica.write(put("e"), put("f"))
            replica.set_clock(compacted_revision=601)
            with pytest.raises(RevisionOutOfRange) as caught:
                await watcher.until_synced()
        assert caught.value.problem is RangeProblem.COMPACTED

    async def test_another_epoch_ends_every_watch(self, replica: Replica) -> None:
        replica.write(put("a"))
        watchers = [Watcher(replica.hub, after(replica, start)) for start in (0, 1)]
        await watchers[0].until(1)
        ends = [asyncio.ensure_future(watcher.next()) for watcher in watchers]
        await asyncio.sleep(0)
        replica.set_clock(epoch="restored")
        for end in ends:
            with pytest.raises(RevisionOutOfRange) as caught:
                await end
            assert caught.value.problem is RangeProblem.OTHER_EPOCH

    async def test_a_history_that_lost_its_end_ends_the_watches_that_saw_it(
        self, replica: Replica
    ) -> None:
        """The same epoch goes on, so revisions that come now were told before, with other words."""
        replica.write(put("a"), put("b"), put("c"))
        saw, behind = [Watcher(replica.hub, after(replica, 0)) for _ in range(2)]
        await saw.until(3)
        await behind.until(1)
        replica.set_clock(revision=2)
        await replica.caught_up()
        replica.write(put("d"), put("e"))
        await replica.caught_up()
        with pytest.raises(RevisionOutOfRange) as caught:
            await saw.next()
        assert caught.value.problem is RangeProblem.FUTURE
        assert caught.value.asked.revision == 3
        assert caught.value.now.revision == 2

    async def test_a_database_that_is_away_ends_a_watch_that_needs_it(self) -> None:
        class Away(Replica):
            away = False

            async def changes(self, after: int, limit: int) -> tuple[Clock, Sequence[Change]]:
                if self.away:
                    raise CatalogUnavailable
                return await super().changes(after, limit)

        async with running(Away(max_changes=2)) as replica:
            assert isinstance(replica, Away)
            replica.write(*(put(f"d{number}") for number in range(9)))
            await replica.caught_up()
            replica.away = True
            near = Watcher(replica.hub, after(replica, 8))
            await near.until(9)
            with pytest.raises(CatalogUnavailable):
                await Watcher(replica.hub, after(replica, 1)).next()


async def test_watches_are_counted_while_they_last(replica: Replica) -> None:
    watchers = [Watcher(replica.hub, STATE) for _ in range(3)]
    for watcher in watchers:
        await watcher.until_synced()
    assert replica.hub.watch_count == 3
    for watcher in watchers:
        await watcher.close()
    assert replica.hub.watch_count == 0


async def test_a_consumer_that_leaves_while_it_waits_leaves_nothing_behind(
    replica: Replica,
) -> None:
    watcher = Watcher(replica.hub, STATE)
    await watcher.until_synced()
    waiting = asyncio.ensure_future(watcher.next())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert replica.hub.watch_count == 0
