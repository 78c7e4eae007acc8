"""Every live DAG comes into memory, and what is there is exactly the present of the ring."""

import asyncio
from collections.abc import Iterator, Sequence
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagcatalog_server.catalog.errors import CatalogUnavailable
from dagcatalog_server.catalog.query import Cursor
from dagcatalog_server.catalog.writes import Write
from dagcatalog_server.replica import heads_feed
from dagcatalog_server.replica.heads import Head
from dagcatalog_server.replica.heads_feed import PresentPage
from dagcatalog_server.replica.ring import by_revision
from dagcatalog_server.rpc.dags import head_of
from tests.support.waiting import until
from tests.support.watching import PATIENCE_S, Replica, running, some_writes
from tests.support.writes import delete, log_of, put, put_operation, restore, write

QUICK_PAUSE_S = 0.0001
NAMES = ("a", "b", "c", "d", "e", "f")


@pytest.fixture(autouse=True, scope="module")
def quick_pauses() -> Iterator[None]:
    """Let the feed ask again at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(heads_feed, "FIRST_PAUSE_S", QUICK_PAUSE_S)
        patch.setattr(heads_feed, "_MAX_PAUSE_S", QUICK_PAUSE_S)
        yield


def in_memory(replica: Replica) -> Sequence[Head]:
    return replica.feed.heads.select(None, "")


def present_of_ring(replica: Replica) -> Sequence[Head]:
    """Work out from the log what was live at the ring's revision."""
    newest = {
        one.key: one for one in log_of(replica.catalog) if one.revision <= replica.ring.revision
    }
    return tuple(head_of(one) for _, one in sorted(newest.items()) if not one.state.deleted)


class TestFilling:
    async def test_what_was_there_and_what_comes_later_is_there(self) -> None:
        replica = Replica()
        replica.write(put("a"), put("b"), delete("b"), put("c", namespace="other"))
        async with running(replica):
            await until(replica.feed.ready)
            assert [one.key.dag_id for one in in_memory(replica)] == ["a", "c"]
            replica.write(restore("b"), put("a", tags=("x",)), delete("a"))
            await replica.caught_up()
            assert [one.key.dag_id for one in in_memory(replica)] == ["b", "c"]
            assert in_memory(replica) == present_of_ring(replica)

    async def test_the_heads_know_of_a_change_before_anybody_who_waits_for_it(self) -> None:
        async with running(Replica()) as replica:
            await until(replica.feed.ready)
            for one in some_writes(60):
                advanced = replica.ring.next_advance()
                before = replica.ring.position
                replica.catalog.commit([one])
                if replica.catalog.clock().position == before:
                    continue  # refused, or unchanged
                replica.tail.ring_doorbell()
                async with asyncio.timeout(PATIENCE_S):
                    await advanced.wait()
                assert in_memory(replica) == present_of_ring(replica)

    async def test_who_comes_while_they_are_read_waits_for_them(self) -> None:
        replica = Replica()
        replica.write(put("a"))
        waiting = asyncio.ensure_future(replica.feed.ready())
        await asyncio.sleep(0)
        assert not waiting.done()
        async with running(replica), asyncio.timeout(PATIENCE_S):
            assert await waiting


class TestBounds:
    async def test_too_many_dags_are_not_kept(self) -> None:
        replica = Replica(max_dags=3)
        replica.write(*(put(name) for name in "abcd"))
        async with running(replica):
            async with asyncio.timeout(PATIENCE_S):
                assert not await replica.feed.ready()
            assert len(replica.feed.heads) == 0
            assert await replica.presence.position(None, local=True) is None
            replica.write(put("e"), delete("a"))
            await replica.caught_up()
            assert len(replica.feed.heads) == 0

    async def test_as_many_as_allowed_are_kept_until_there_is_one_more(self) -> None:
        replica = Replica(max_dags=3)
        replica.write(*(put(name) for name in "abc"))
        async with running(replica):
            await until(replica.feed.ready)
            replica.write(delete("a"), put("d"))
            await replica.caught_up()
            assert replica.feed.heads.is_complete()
            replica.write(put("e"))
            await replica.caught_up()
            assert not replica.feed.heads.is_complete()
            assert len(replica.feed.heads) == 0

    async def test_one_too_many_that_comes_last_of_all_does_not_make_them_complete(self) -> None:
        """The last page is read, the ring still follows, and brings more than may be kept."""
        replica = Replica(max_dags=2)
        feeding = asyncio.ensure_future(replica.feed.run())
        replica.catalog.commit([put("a"), put("b")])
        for _ in range(10):
            await asyncio.sleep(0)  # the page is read; the ring has not come that far
        assert len(replica.feed.heads) == 2
        assert not replica.feed.heads.is_complete()
        replica.catalog.commit([put("c")])
        replica.ring.extend(by_revision(log_of(replica.catalog)))
        async with asyncio.timeout(PATIENCE_S):
            assert not await replica.feed.ready()
        feeding.cancel()
        assert not replica.feed.heads.is_complete()


class TestFailures:
    async def test_a_database_that_is_away_is_asked_again(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Flaky(Replica):
            failures = 3

            async def present(self, after: Cursor | None) -> PresentPage:
                if self.failures:
                    self.failures -= 1
                    raise CatalogUnavailable
                return await super().present(after)

        replica = Flaky()
        replica.write(put("a"))
        async with running(replica):
            await until(replica.feed.ready)
        assert [one.key.dag_id for one in in_memory(replica)] == ["a"]
        assert sum("heads_failed" in one.message for one in caplog.records) == 3

    async def test_a_watch_does_not_wait_for_a_database_that_stays_away(self) -> None:
        class Away(Replica):
            async def present(self, after: Cursor | None) -> PresentPage:
                raise CatalogUnavailable

        async with running(Away()) as replica, asyncio.timeout(PATIENCE_S):
            assert not await replica.feed.ready()

    async def test_a_defect_ends_the_feed_for_all_to_see(self) -> None:
        class Broken(Replica):
            async def present(self, after: Cursor | None) -> PresentPage:
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await asyncio.wait_for(Broken().feed.run(), PATIENCE_S)


class TestHistories:
    async def test_another_history_is_read_from_its_beginning(self) -> None:
        async with running(Replica()) as replica:
            replica.write(put("a"), put("b"), put("c"))
            await replica.caught_up()
            await until(replica.feed.ready)
            replica.set_clock(epoch="restored", revision=2)
            await replica.caught_up()
            await until(replica.feed.ready)
            assert [one.key.dag_id for one in in_memory(replica)] == ["a", "b"]
            replica.write(put("d"))
            await replica.caught_up()
            assert in_memory(replica) == present_of_ring(replica)

    async def test_what_a_compaction_cut_away_is_read_from_the_store(self) -> None:
        async with running(Replica()) as replica:
            replica.write(put("a"), put("b"))
            await replica.caught_up()
            await until(replica.feed.ready)
            replica.catalog.commit([delete("a"), put("c"), put("d")])
            replica.set_clock(compacted_revision=4)
            await replica.caught_up()
            await until(replica.feed.ready)
            assert [one.key.dag_id for one in in_memory(replica)] == ["b", "c", "d"]


@cache
def _put(name: str, number: int) -> Write:
    return put(name, tags=(str(number),))


class Scripted(Replica):
    """What happens around each page that is read is written down beforehand."""

    def __init__(self, script: Sequence[Sequence[str]], *, max_dags: int) -> None:
        super().__init__(max_dags=max_dags)
        self.page_size = 2
        self._script = iter(script)
        self._epochs = 0

    async def present(self, after: Cursor | None) -> PresentPage:
        self.play()
        page = await super().present(after)
        self.play()
        return page

    def play(self) -> None:
        """Do the next part, if there is one."""
        for step in next(self._script, ()):
            self.do(step)

    def do(self, step: str) -> None:
        what, _, name = step.partition(" ")
        match what:
            case "put":
                self.catalog.commit([_put(name, self.catalog.clock().revision % 3)])
            case "delete":
                self.catalog.commit([delete(name)])
            case "batch":
                self.catalog.commit([write(*(put_operation(one, cron="@daily") for one in "af"))])
            case "follow":
                self.follow()
            case "compact":
                self.set_clock(compacted_revision=self.catalog.clock().revision)
            case "restore":
                self._epochs += 1
                before = max(0, self.catalog.clock().revision - 1)
                self.set_clock(
                    epoch=f"restored {self._epochs}", revision=before, compacted_revision=0
                )

    def follow(self) -> None:
        """Take the next revision into the ring, as the tail does."""
        clock, changes = self.catalog.changes(after=self.ring.revision, limit=1)
        if clock.epoch != self.ring.epoch:
            self.ring.restart(clock.position)
        elif clock.compacted_revision > self.ring.revision:
            self.ring.skip(clock.position)
        elif changes:
            self.ring.extend(by_revision(changes))


steps = st.sampled_from(
    [
        *(f"put {name}" for name in NAMES),
        *(f"delete {name}" for name in NAMES),
        *["follow"] * 6,
        "batch",
        "compact",
        "restore",
    ]
)


@settings(max_examples=60, deadline=None)
@given(
    before=st.lists(steps, max_size=10),
    script=st.lists(st.lists(steps, max_size=5), max_size=10),
    later=st.lists(steps, max_size=10),
    max_dags=st.sampled_from([3, 100]),
)
def test_whatever_happens_while_pages_are_read_complete_means_exact(
    before: list[str], script: list[list[str]], later: list[str], max_dags: int
) -> None:
    async def run() -> None:
        replica = Scripted(script, max_dags=max_dags)
        for step in before:
            replica.do(step)
        feeding = asyncio.ensure_future(replica.feed.run())

        def check() -> None:
            here = replica.ring.epoch == replica.catalog.clock().epoch  # no log of it otherwise
            if here and replica.feed.heads.is_complete():
                assert in_memory(replica) == present_of_ring(replica)
            assert len(replica.feed.heads) <= max_dags

        def settled() -> bool:
            done = replica.feed.heads.is_complete() or replica.feed._too_many
            return done and replica.ring.position == replica.catalog.clock().position

        for step in later:
            await asyncio.sleep(0)
            check()
            replica.do(step)
            check()
        async with asyncio.timeout(PATIENCE_S):
            while not settled():
                replica.follow()
                await asyncio.sleep(QUICK_PAUSE_S)
                check()
        check()
        feeding.cancel()

    asyncio.run(run())
