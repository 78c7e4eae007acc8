"""The present, then SYNCED, then changes: no gap while writes go on."""

import asyncio
from collections.abc import Sequence

from dagcatalog_server.catalog.query import Cursor, ListQuery
from dagcatalog_server.replica.heads import Head
from dagcatalog_server.replica.heads_feed import PresentPage
from dagcatalog_server.watch.query import BookmarkEvent, StateEvent, WatchQuery
from tests.support.watching import (
    PAGE,
    STATE,
    Replica,
    Watcher,
    running,
    some_writes,
)
from tests.support.writes import delete, put


class TestInitialState:
    async def test_the_present_then_synced_then_changes(self, replica: Replica) -> None:
        replica.write(put("a"), put("b"), put("gone"), delete("gone"))
        watcher = Watcher(replica.hub, STATE)
        await watcher.until_synced()
        position = replica.catalog.clock().position
        [state, synced] = watcher.events
        assert isinstance(state, StateEvent)
        assert [(head.key.dag_id, head.revision) for head in state.heads] == [("a", 1), ("b", 2)]
        assert state.position == position
        assert synced == BookmarkEvent(position, synced=True)
        replica.write(delete("a"))
        await watcher.until(5)
        assert watcher.heads == replica.heads()
        assert len(watcher.changes) == 1

    async def test_an_empty_catalog_is_synced_at_once(self, replica: Replica) -> None:
        watcher = Watcher(replica.hub, STATE)
        assert await watcher.next() == BookmarkEvent(replica.catalog.clock().position, synced=True)

    async def test_a_crowd_after_a_restart_reads_the_present_once(self) -> None:
        class Counting(Replica):
            """Counts what is read of the present; one that starts has none of it in memory."""

            reads = 0

            async def page(self, query: ListQuery) -> Sequence[Head]:
                self.reads += 1
                return await super().page(query)

            async def present(self, after: Cursor | None) -> PresentPage:
                self.reads += 1
                return await super().present(after)

        names = [f"d{number:04}" for number in range(PAGE * 2 + 1)]
        started = Counting()
        started.write(*(put(name) for name in names))
        async with running(started) as replica:
            crowd = [Watcher(replica.hub, STATE) for _ in range(500)]
            await asyncio.gather(*(watcher.until_synced() for watcher in crowd))
            assert started.reads == 3
            assert all(watcher.heads == replica.heads() for watcher in (crowd[0], crowd[-1]))

    async def test_writes_between_pages_leave_no_gap(self) -> None:
        class Busy(Replica):
            """Something is written before each page is read."""

            pages = 0

            async def page(self, query: ListQuery) -> Sequence[Head]:
                self.pages += 1
                number = self.pages
                self.write(
                    put(f"a-new{number}"),
                    put("d0001", tags=(str(number),)),
                    delete(f"d{1_190 - number:04}"),
                    put(f"z-new{number}"),
                )
                return await super().page(query)

        async with running(Busy(max_dags=1)) as replica:  # so many are not kept in memory
            assert isinstance(replica, Busy)
            names = [f"d{number:04}" for number in range(1_200)]
            replica.write(*(put(name) for name in names))
            watcher = Watcher(replica.hub, STATE)
            await watcher.until_synced()
            assert replica.pages == 3
            assert sorted(key.dag_id for key in watcher.heads) == names  # of one revision
            assert {event.position.revision for event in watcher.events} == {1_200}
            await watcher.until(replica.catalog.clock().revision)
            assert watcher.heads == replica.heads()
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
            assert watcher.heads == replica.heads()
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
            assert {key.dag_id for key in watcher.heads} == names
