"""Watches: ordered, each change once, without a gap, a revision in one piece, resumable."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence

import pytest

from dagcatalog_server.catalog.errors import (
    CatalogUnavailable,
    InvalidArgument,
    RangeProblem,
    RevisionOutOfRange,
    WatcherTooSlow,
)
from dagcatalog_server.catalog.model import Change, ChangeClass, ChangeKind, Clock, Position
from dagcatalog_server.catalog.query import ListQuery, StateRow
from dagcatalog_server.catalog.writes import Write
from dagcatalog_server.watch.query import BookmarkEvent, ChangeEvent, StateEvent, WatchQuery
from tests.support.watching import Replica, Watcher, running
from tests.support.writes import delete, log_of, put, put_operation, restore, write

EVERYTHING = WatchQuery(namespaces=None)
STATE = WatchQuery(namespaces=None, initial_state=True)


@pytest.fixture
async def replica() -> AsyncIterator[Replica]:
    async with running(Replica()) as made:
        yield made


def after(replica: Replica, revision: int, epoch: str | None = None, **how: object) -> WatchQuery:
    epoch = replica.catalog.clock().epoch if epoch is None else epoch
    return WatchQuery(None, after=Position(epoch, revision), **how)  # type: ignore[arg-type] # its fields


def some_writes(count: int, seed: int = 1) -> list[Write]:
    """Puts, refreshes, deletes, restores and batches of a few DAGs; some are refused."""
    chance = random.Random(seed)
    made: list[Write] = []
    for number in range(count):
        name = f"d{chance.randrange(6)}"
        made.append(
            chance.choice(
                [
                    put(name, tags=(str(chance.randrange(3)),)),
                    put(name, tasks=("extract", f"t{chance.randrange(3)}")),
                    put(name, source=str(number)),
                    delete(name),
                    restore(name),
                    write(*(put_operation(one, cron=f"{number} * * * *") for one in ("d1", "b"))),
                ]
            )
        )
    return made


def write_some(replica: Replica, count: int, seed: int = 1) -> None:
    for one in some_writes(count, seed):
        replica.catalog.commit([one])
    replica.tail.ring_doorbell()


class TestOrder:
    async def test_without_a_start_it_begins_with_the_next_change(self, replica: Replica) -> None:
        replica.write(put("before"))
        watcher = Watcher(replica.hub, WatchQuery(None, bookmark_interval_s=0.01))
        first = await watcher.next()
        assert first == BookmarkEvent(replica.catalog.clock().position)
        replica.write(put("a"))
        await watcher.until(2)
        assert [one.key.dag_id for one in watcher.changes] == ["a"]

    async def test_a_revision_arrives_in_one_event(self, replica: Replica) -> None:
        watcher = Watcher(replica.hub, after(replica, 0))
        replica.write(write(put_operation("b"), put_operation("a")), put("c"))
        await watcher.until(2)
        assert [[one.key.dag_id for one in event.changes] for event in _changes(watcher)] == [
            ["b", "a"],
            ["c"],
        ]
        assert [event.position.revision for event in _changes(watcher)] == [1, 2]
        assert [one.ordinal for one in watcher.changes] == [0, 1, 0]

    @pytest.mark.parametrize("max_changes", [1, 10, 1_000])
    async def test_from_every_revision_comes_exactly_the_rest(self, max_changes: int) -> None:
        async with running(Replica(max_changes=max_changes)) as replica:
            write_some(replica, 60)
            await replica.caught_up()
            log = log_of(replica.catalog)
            last = replica.catalog.clock().revision
            assert last > 30
            for start in range(last):
                for epoch in (None, ""):
                    watcher = Watcher(replica.hub, after(replica, start, epoch))
                    await watcher.until(last)
                    assert watcher.changes == [one for one in log if one.revision > start]
                    await watcher.close()

    async def test_a_log_longer_than_a_read_comes_whole(self) -> None:
        async with running(Replica(max_changes=10)) as replica:
            one, other = [[put(f"d{number}", tags=(tag,)) for number in range(100)] for tag in "xy"]
            for _ in range(6):
                replica.write(*one, *other)
            await replica.caught_up()
            watcher = Watcher(replica.hub, after(replica, 0))
            await watcher.until(1_200)
            assert watcher.changes == log_of(replica.catalog)

    async def test_watchers_that_resume_anywhere_see_each_change_once(
        self, replica: Replica
    ) -> None:
        """Leave after a few events, come back with the last position, again and again."""
        chance = random.Random(3)
        position, seen = Position("", 0), list[Change]()
        for part in range(25):
            write_some(replica, 5, seed=part)
            watcher = Watcher(replica.hub, WatchQuery(None, after=position))
            for _ in range(chance.randrange(4)):
                if position.revision < replica.catalog.clock().revision:
                    position = (await watcher.next()).position
            seen += watcher.changes
            await watcher.close()
        watcher = Watcher(replica.hub, WatchQuery(None, after=position))
        await watcher.until(replica.catalog.clock().revision)
        assert [*seen, *watcher.changes] == log_of(replica.catalog)

    async def test_a_log_that_is_ahead_of_the_ring_is_not_told_twice(self) -> None:
        """The tail of this replica lags; the watch begins with what another one wrote."""
        replica = Replica(max_changes=2)
        replica.write(*(put(f"d{number}") for number in range(5)))
        watcher = Watcher(replica.hub, after(replica, 5))
        waiting = asyncio.ensure_future(watcher.next())
        await asyncio.sleep(0)
        async with running(replica):
            await replica.caught_up()
            assert not waiting.done()
            replica.write(put("new"))
            await waiting
        assert [one.key.dag_id for one in watcher.changes] == ["new"]

    async def test_what_is_encoded_once_is_shared_by_all_that_see_the_whole(
        self, replica: Replica
    ) -> None:
        whole = [Watcher(replica.hub, after(replica, 0)) for _ in range(2)]
        part = Watcher(replica.hub, after(replica, 0, dag_id_prefix="b"))
        replica.write(write(put_operation("a"), put_operation("b")))
        events = [await one.next() for one in (*whole, part)]
        shared = [event.encoded for event in events if isinstance(event, ChangeEvent)]
        assert shared[0] is not None
        assert shared[0] is shared[1]
        assert shared[2] is None


class TestInitialState:
    async def test_the_present_then_synced_then_changes(self, replica: Replica) -> None:
        replica.write(put("a"), put("b"), put("gone"), delete("gone"))
        watcher = Watcher(replica.hub, STATE)
        await watcher.until_synced()
        position = replica.catalog.clock().position
        [state, synced] = watcher.events
        assert isinstance(state, StateEvent)
        assert [(row.state.key.dag_id, row.revision) for row in state.rows] == [("a", 1), ("b", 2)]
        assert state.position == position
        assert synced == BookmarkEvent(position, synced=True)
        replica.write(delete("a"))
        await watcher.until(5)
        assert watcher.states == replica.states()
        assert len(watcher.changes) == 1

    async def test_an_empty_catalog_is_synced_at_once(self, replica: Replica) -> None:
        watcher = Watcher(replica.hub, STATE)
        assert await watcher.next() == BookmarkEvent(replica.catalog.clock().position, synced=True)

    async def test_writes_between_pages_leave_no_gap(self) -> None:
        class Busy(Replica):
            """Something is written before each page is read."""

            pages = 0

            async def page(self, query: ListQuery) -> Sequence[StateRow]:
                self.pages += 1
                number = self.pages
                self.write(
                    put(f"a-new{number}"),
                    put("d0001", tags=(str(number),)),
                    delete(f"d{1_190 - number:04}"),
                    put(f"z-new{number}"),
                )
                return await super().page(query)

        async with running(Busy()) as replica:
            assert isinstance(replica, Busy)
            names = [f"d{number:04}" for number in range(1_200)]
            replica.write(*(put(name) for name in names))
            watcher = Watcher(replica.hub, STATE)
            await watcher.until_synced()
            assert replica.pages == 3
            assert sorted(key.dag_id for key in watcher.states) == names  # of one revision
            assert {event.position.revision for event in watcher.events} == {1_200}
            await watcher.until(replica.catalog.clock().revision)
            assert watcher.states == replica.states()
            assert [one.revision for one in watcher.changes] == list(range(1_201, 1_213))

    async def test_watchers_that_join_while_writes_go_on_agree(self, replica: Replica) -> None:
        watchers: list[Watcher] = []

        async def join(number: int) -> None:
            for _ in range(number):
                await asyncio.sleep(0)
            watcher = Watcher(replica.hub, STATE)
            watchers.append(watcher)
            await watcher.until_synced()

        async def write_on() -> None:
            for one in some_writes(150):
                replica.catalog.commit([one])
                replica.tail.ring_doorbell()
                await asyncio.sleep(0)

        await asyncio.gather(write_on(), *(join(number * 7) for number in range(20)))
        for watcher in watchers:
            await watcher.until(replica.catalog.clock().revision)
            assert watcher.states == replica.states()
            revisions = [one.revision for one in watcher.changes]
            assert revisions == sorted(revisions)
        assert len({watcher.events[0].position.revision for watcher in watchers}) > 5

    async def test_only_what_is_asked_for_is_in_the_state(self, replica: Replica) -> None:
        replica.write(
            put("etl-a", namespace="one"),
            put("etl-b", namespace="two"),
            put("ml-c", namespace="two"),
            put("etl-d", namespace="three"),
        )
        expected = {
            (None, ""): {"etl-a", "etl-b", "ml-c", "etl-d"},
            (frozenset({"two"}), ""): {"etl-b", "ml-c"},
            (frozenset({"one", "two"}), "etl"): {"etl-a", "etl-b"},
            (frozenset({"none"}), ""): set[str](),
        }
        for (namespaces, prefix), names in expected.items():
            watcher = Watcher(
                replica.hub, WatchQuery(namespaces, dag_id_prefix=prefix, initial_state=True)
            )
            await watcher.until_synced()
            assert {key.dag_id for key in watcher.states} == names


class TestFilters:
    async def seen(self, replica: Replica, query: WatchQuery) -> list[tuple[str, str, ChangeKind]]:
        watcher = Watcher(replica.hub, query)
        last = replica.catalog.clock().revision
        if query.bookmark_interval_s < 1:
            await watcher.until(last)
        return [(one.key.namespace, one.key.dag_id, one.kind) for one in watcher.changes]

    def query(self, **how: object) -> WatchQuery:
        start = {"namespaces": None, "after": Position("", 0), "bookmark_interval_s": 0.01}
        return WatchQuery(**{**start, **how})  # type: ignore[arg-type] # its fields

    async def test_namespaces_and_prefix(self, replica: Replica) -> None:
        replica.write(
            put("etl-a", namespace="one"), put("ml-b", namespace="one"), put("etl-a"), put("x")
        )
        created = ChangeKind.CREATED
        one = frozenset({"one"})
        assert await self.seen(replica, self.query(namespaces=one)) == [
            ("one", "etl-a", created),
            ("one", "ml-b", created),
        ]
        assert await self.seen(replica, self.query(dag_id_prefix="etl-")) == [
            ("one", "etl-a", created),
            ("default", "etl-a", created),
        ]
        both = self.query(namespaces=frozenset({"one", "default"}), dag_id_prefix="etl-a")
        assert len(await self.seen(replica, both)) == 2

    async def test_classes(self, replica: Replica) -> None:
        replica.write(
            put("a"),
            put("a", tags=("x",)),
            put("a", tags=("x",), cron="@daily"),
            put("a", tags=("x",), cron="@daily", tasks=("new",)),
            put("a", tags=("x",), cron="@daily", tasks=("new",), source="moved"),
            delete("a"),
        )
        made = {
            classes: [
                kind.name
                for _, _, kind in await self.seen(replica, self.query(classes=frozenset(classes)))
            ]
            for classes in [
                (ChangeClass.STRUCTURE,),
                (ChangeClass.SCHEDULE,),
                (ChangeClass.METADATA,),
                (ChangeClass.STRUCTURE, ChangeClass.SCHEDULE),
            ]
        }
        assert list(made.values()) == [
            ["CREATED", "NEW_VERSION", "DELETED"],
            ["CREATED", "NEW_VERSION", "DELETED"],
            ["CREATED", "NEW_VERSION", "REFRESHED", "DELETED"],
            ["CREATED", "NEW_VERSION", "NEW_VERSION", "DELETED"],
        ]

    async def test_the_rest_of_a_revision_stays_out(self, replica: Replica) -> None:
        replica.write(write(put_operation("a"), put_operation("b")))
        assert len(await self.seen(replica, self.query(dag_id_prefix="b"))) == 1

    async def test_a_prefix_that_no_store_can_look_up_is_refused(self, replica: Replica) -> None:
        with pytest.raises(InvalidArgument) as caught:
            await Watcher(replica.hub, self.query(dag_id_prefix="\0", initial_state=True)).next()
        assert caught.value.violation.field == "dag_id_prefix"


class TestBookmarks:
    async def test_an_idle_watch_says_where_it_is(self, replica: Replica) -> None:
        replica.write(put("a"))
        watcher = Watcher(replica.hub, WatchQuery(None, bookmark_interval_s=0.01))
        for _ in range(3):
            assert await watcher.next() == BookmarkEvent(replica.catalog.clock().position)

    async def test_changes_of_others_move_it_on(self, replica: Replica) -> None:
        query = WatchQuery(frozenset({"quiet"}), bookmark_interval_s=0.01)
        watcher = Watcher(replica.hub, query)
        await watcher.next()
        replica.write(put("a"), put("b"))
        await watcher.until(2)
        assert all(isinstance(event, BookmarkEvent) for event in watcher.events)
        replica.write(put("c", namespace="quiet"))
        await watcher.until(3)
        resumed = Watcher(replica.hub, WatchQuery(None, after=watcher.events[-1].position))
        replica.write(put("d"))
        await resumed.until(4)
        assert len(resumed.changes) == 1

    async def test_a_long_way_through_changes_of_others_is_told(self) -> None:
        class Slow(Replica):
            """Reading the log takes longer than a bookmark may wait."""

            async def changes(self, after: int, limit: int) -> tuple[Clock, Sequence[Change]]:
                await asyncio.sleep(0.02)
                return await super().changes(after, limit)

        async with running(Slow(max_changes=5)) as replica:
            replica.write(*(put(f"d{number}") for number in range(2_500)))
            await replica.caught_up()
            query = WatchQuery(
                frozenset({"quiet"}), after=Position("", 0), bookmark_interval_s=0.01
            )
            watcher = Watcher(replica.hub, query)
            await watcher.until(2_500)
            assert [event.position.revision for event in watcher.events] == [1_000, 2_000, 2_500]


def _changes(watcher: Watcher) -> list[ChangeEvent]:
    return [event for event in watcher.events if isinstance(event, ChangeEvent)]


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
            assert watcher.states == replica.states()
            event = _changes(watcher)[-1]
            assert event.conflated
            assert [(one.key.dag_id, one.revision) for one in event.changes] == [
                ("a", 18),
                ("b", 20),
                ("c", 21),
            ]
            assert event.position.revision == 21
            assert event.encoded is None

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
        assert not any(event.conflated for event in _changes(watcher))

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

    async def test_a_state_that_is_compacted_meanwhile_is_not_sent_half(
        self, replica: Replica
    ) -> None:
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
