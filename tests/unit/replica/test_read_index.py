"""One clock read for many: never older than the question, never one more than is needed."""

import asyncio
import gc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagcatalog_server.catalog.errors import CatalogUnavailable
from dagcatalog_server.catalog.model import Clock
from dagcatalog_server.replica import read_index
from dagcatalog_server.replica.read_index import GATHER_S, ReadIndex
from tests.support.watching import NEVER_S, PATIENCE_S

CROWD = 9
READS_UNTIL_TRY = 64  # after so many reads a read waits to see how many come


class Database:
    """A clock that moves when the test says so, and answers when it lets it."""

    def __init__(self) -> None:
        self.revision = 0
        self.reads = 0
        self.most_at_once = 0
        self.away = False
        self.answers = asyncio.Event()
        self.answers.set()
        self._under_way = 0

    async def read(self) -> Clock:
        self.reads += 1
        self._under_way += 1
        self.most_at_once = max(self.most_at_once, self._under_way)
        # As it is now: the answer may be long on its way.
        clock, away = Clock("epoch", self.revision, 0), self.away
        try:
            await self.answers.wait()
        finally:
            self._under_way -= 1
        if away:
            raise CatalogUnavailable
        return clock


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def index(database: Database) -> ReadIndex:
    return ReadIndex(database.read)


async def turns(count: int = 5) -> None:
    """Let everybody go on who can."""
    for _ in range(count):
        await asyncio.sleep(0)


def ask(index: ReadIndex) -> "asyncio.Task[Clock]":
    return asyncio.ensure_future(index.clock())


async def revisions(*asked: "asyncio.Task[Clock]") -> list[int]:
    async with asyncio.timeout(PATIENCE_S):
        return [clock.revision for clock in await asyncio.gather(*asked)]


class TestFreshness:
    async def test_who_asks_while_the_clock_is_read_gets_the_next_reading(
        self, database: Database, index: ReadIndex
    ) -> None:
        database.answers.clear()
        first = ask(index)
        await turns()
        database.revision = 1  # acknowledged, now, to somebody else
        later = [ask(index) for _ in range(3)]
        await turns()
        assert database.reads == 1
        database.answers.set()
        assert await revisions(first, *later) == [0, 1, 1, 1]
        assert database.reads == 2

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.sampled_from(["ask", "write", "wait", "hold", "answer"]), max_size=60))
    def test_no_reading_is_older_than_its_question(self, steps: list[str]) -> None:
        async def run() -> None:
            database = Database()
            index = ReadIndex(database.read)
            asked: list[tuple[int, asyncio.Task[Clock]]] = []
            for step in steps:
                match step:
                    case "ask":
                        asked.append((database.revision, ask(index)))
                    case "write":
                        database.revision += 1
                    case "wait":
                        await turns(1)
                    case "hold":
                        database.answers.clear()
                    case "answer":
                        database.answers.set()
            database.answers.set()
            told = await revisions(*(one for _, one in asked))
            assert all(got >= began for got, (began, _) in zip(told, asked, strict=True))
            assert database.reads <= len(asked)
            assert database.most_at_once <= 1

        asyncio.run(run())

    async def test_many_share_two_readings_whenever_they_come(
        self, database: Database, index: ReadIndex
    ) -> None:
        database.answers.clear()
        asked = []
        for _ in range(200):
            asked.append(ask(index))
            await turns(1)
        database.answers.set()
        await revisions(*asked)
        assert (database.reads, database.most_at_once) == (2, 1)


class TestFailures:
    async def test_an_error_reaches_everybody_who_asked_and_the_next_asks_anew(
        self, database: Database, index: ReadIndex
    ) -> None:
        database.answers.clear()
        database.away = True
        asked = [ask(index) for _ in range(3)]
        await turns()
        database.answers.set()
        told = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(one) for one in told] == [CatalogUnavailable] * 3
        database.away = False
        assert await revisions(ask(index)) == [0]
        assert database.reads == 2

    async def test_who_asks_while_a_reading_fails_is_not_told_of_it(
        self, database: Database, index: ReadIndex
    ) -> None:
        database.answers.clear()
        database.away = True
        first = ask(index)
        await turns()
        database.away = False
        later = ask(index)
        database.answers.set()
        with pytest.raises(CatalogUnavailable):
            await first
        assert await revisions(later) == [0]

    async def test_who_leaves_harms_nobody(self, database: Database, index: ReadIndex) -> None:
        database.answers.clear()
        first, second = ask(index), ask(index)
        await turns()
        third, fourth = ask(index), ask(index)
        await turns()
        for one in (first, third):
            one.cancel()
        await turns()
        database.answers.set()
        assert await revisions(second, fourth) == [0, 0]
        assert first.cancelled()
        assert third.cancelled()

    async def test_an_error_that_nobody_waits_for_is_nobodys(
        self, database: Database, index: ReadIndex
    ) -> None:
        complaints: list[dict[str, object]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, said: complaints.append(said))
        database.answers.clear()
        database.away = True
        left = ask(index)
        await turns()
        left.cancel()
        await turns()
        database.answers.set()
        await turns()
        database.away = False
        assert await revisions(ask(index)) == [0]
        del left
        gc.collect()
        assert complaints == []


class TestGathering:
    @pytest.fixture
    async def known_crowd(self, index: ReadIndex) -> ReadIndex:
        """An index that has seen how many come."""
        for _ in range(READS_UNTIL_TRY):
            await revisions(ask(index))
        await revisions(*(ask(index) for _ in range(CROWD)))
        return index

    async def test_who_is_alone_is_not_kept_waiting(
        self, index: ReadIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(read_index, "GATHER_S", NEVER_S)
        for _ in range(READS_UNTIL_TRY):
            await revisions(ask(index))

    async def test_a_crowd_shares_though_it_comes_one_by_one(
        self, database: Database, known_crowd: ReadIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(read_index, "GATHER_S", NEVER_S)
        reads = database.reads
        for number in range(1, 11):
            asked = []
            for _ in range(CROWD):
                asked.append(ask(known_crowd))
                await turns()
            await revisions(*asked)
            assert database.reads == reads + number

    async def test_what_comes_while_gathering_is_in_the_reading(
        self, database: Database, known_crowd: ReadIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(read_index, "GATHER_S", NEVER_S)
        first = ask(known_crowd)
        await turns()
        database.revision = 7
        assert await revisions(first, *(ask(known_crowd) for _ in range(CROWD - 1))) == [7] * CROWD

    async def test_the_wait_for_a_crowd_that_is_gone_is_bounded_and_happens_once(
        self, database: Database, known_crowd: ReadIndex, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await revisions(ask(known_crowd))
        assert loop.time() - began >= GATHER_S * 0.9  # it did wait, and was let go
        monkeypatch.setattr(read_index, "GATHER_S", NEVER_S)
        for _ in range(READS_UNTIL_TRY):
            await revisions(ask(known_crowd))  # known to be alone by now
