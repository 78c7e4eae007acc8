"""Watches: ordered, each change once, a revision in one piece, resumable, what was asked for."""

import asyncio
import random
from collections.abc import Sequence

import pytest

from dagcatalog_server.catalog.errors import (
    InvalidArgument,
)
from dagcatalog_server.catalog.model import Change, ChangeClass, ChangeKind, Clock, Position
from dagcatalog_server.watch.query import BookmarkEvent, WatchQuery
from tests.support.watching import (
    Replica,
    Watcher,
    after,
    change_events,
    running,
    write_some,
)
from tests.support.writes import delete, log_of, put, put_operation, write


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
        assert [[one.key.dag_id for one in event.changes] for event in change_events(watcher)] == [
            ["b", "a"],
            ["c"],
        ]
        assert [event.position.revision for event in change_events(watcher)] == [1, 2]
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
