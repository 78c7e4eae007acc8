"""The window on the end of the change log."""

import asyncio

import pytest

from dagcatalog_server.catalog.model import Position
from dagcatalog_server.replica.ring import RevisionChanges, Ring, by_revision
from tests.support.stored import change, key, stamped, state

PATIENCE_S = 10.0


def revision(number: int, size: int = 1) -> RevisionChanges:
    return RevisionChanges(
        number, tuple(stamped([change(state(key(f"d{n}"))) for n in range(size)], number))
    )


def ring(start: int = 0, *, max_changes: int = 5) -> Ring:
    return Ring(Position("epoch", start), max_changes=max_changes)


def revisions(found: list[RevisionChanges] | None) -> list[int] | None:
    return None if found is None else [one.revision for one in found]


def test_a_new_ring_reaches_from_where_it_began() -> None:
    made = ring(7)
    assert made.position == Position("epoch", 7)
    assert made.after(7) == []
    assert made.after(6) is None
    assert made.after(9) == []


def test_what_follows_a_revision_is_found() -> None:
    made = ring(7)
    made.extend([revision(8), revision(9), revision(10)])
    assert made.position == Position("epoch", 10)
    assert revisions(made.after(7)) == [8, 9, 10]
    assert revisions(made.after(9)) == [10]
    assert revisions(made.after(10)) == []
    assert revisions(made.after(11)) == []
    assert made.after(6) is None


def test_old_revisions_go_as_the_bound_asks() -> None:
    made = ring(max_changes=5)
    for number in range(1, 9):
        made.extend([revision(number)])
    assert made.after(2) is None
    assert revisions(made.after(3)) == [4, 5, 6, 7, 8]


def test_the_bound_counts_changes_not_revisions() -> None:
    made = ring(max_changes=5)
    made.extend([revision(1, 2), revision(2, 3)])
    assert revisions(made.after(0)) == [1, 2]
    made.extend([revision(3, 1)])
    assert made.after(0) is None
    assert revisions(made.after(1)) == [2, 3]


def test_a_revision_larger_than_the_bound_is_kept_alone() -> None:
    made = ring(max_changes=5)
    made.extend([revision(1), revision(2, 50)])
    assert made.after(0) is None
    assert revisions(made.after(1)) == [2]
    made.extend([revision(3)])
    assert made.after(1) is None
    assert revisions(made.after(2)) == [3]


def test_a_restart_begins_again_elsewhere() -> None:
    made = ring()
    made.extend([revision(1), revision(2)])
    began = made.start
    made.restart(Position("other", 1))
    assert made.position == Position("other", 1)
    assert made.start is not began
    assert made.after(0) is None
    assert made.after(1) == []
    made.extend([revision(2)])
    assert revisions(made.after(1)) == [2]


async def test_every_advance_wakes_who_asked_before_it() -> None:
    made = ring()
    first = made.next_advance()
    assert first is made.next_advance()
    made.extend([revision(1)])
    assert first.is_set()
    second = made.next_advance()
    assert not second.is_set()
    made.restart(Position("other", 0))
    assert second.is_set()


@pytest.mark.parametrize("sizes", [[], [1], [3], [1, 1, 1], [2, 1, 4]])
def test_rows_of_the_log_are_grouped_by_revision(sizes: list[int]) -> None:
    entries = [revision(number, size) for number, size in enumerate(sizes, 1)]
    rows = [row for entry in entries for row in entry.changes]
    assert by_revision(rows) == entries


class TestBell:
    async def test_what_rang_before_the_wait_is_not_missed(self) -> None:
        made = ring()
        with made.bell() as bell:
            made.wake()
            made.wake()
            async with asyncio.timeout(PATIENCE_S):
                await bell.wait()
            waiting = asyncio.ensure_future(bell.wait())
            await asyncio.sleep(0)
            assert not waiting.done()
            made.wake()
            async with asyncio.timeout(PATIENCE_S):
                await waiting

    async def test_whoever_has_gone_is_not_rung(self) -> None:
        made = ring()
        with made.bell() as bell:
            waiting = asyncio.ensure_future(bell.wait())
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        made.wake()
        waiting = asyncio.ensure_future(bell.wait())
        await asyncio.sleep(0)
        assert not waiting.done()
        bell.ring()
        await waiting
