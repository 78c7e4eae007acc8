"""The checkers name what is wrong with a watch."""

from dataclasses import replace

import pytest

from tests.faults.checking.history import (
    Asked,
    BookmarkTold,
    ChangesTold,
    Compaction,
    Refused,
    Session,
    StateTold,
)
from tests.faults.checking.violations import Rule
from tests.unit.faults.evidence import (
    CONFLATED,
    FILTERED,
    HEADS,
    PLAIN,
    ROWS,
    STATE,
    changes,
    followed,
    good,
)

ONE, TWO = changes(1, ROWS[0]), changes(2, ROWS[1])
THREE, FOUR, FIVE = changes(3, *ROWS[2:4]), changes(4, ROWS[4]), changes(5, ROWS[5])
LEFT = (HEADS[3], HEADS[2])
SYNCED = BookmarkTold(60, 3, synced=True)


@pytest.mark.parametrize(
    ("session", "rule"),
    [
        (followed(PLAIN, ONE, THREE), Rule.WATCH_GAP),
        (followed(PLAIN, TWO), Rule.WATCH_GAP),
        (followed(PLAIN, ONE, BookmarkTold(60, 2)), Rule.WATCH_GAP),
        (followed(FILTERED, BookmarkTold(60, 5)), Rule.WATCH_GAP),
        (followed(PLAIN, ONE, ONE), Rule.WATCH_REPEAT),
        (followed(PLAIN, ONE, TWO, ONE), Rule.WATCH_REPEAT),
        (followed(PLAIN, ONE, TWO, BookmarkTold(60, 1)), Rule.WATCH_REPEAT),
        (followed(PLAIN, ONE, TWO, changes(3, ROWS[2])), Rule.WATCH_SPLIT),
        (
            followed(PLAIN, ONE, TWO, changes(3, ROWS[2]), changes(3, ROWS[3])),
            Rule.WATCH_SPLIT,
        ),
        (followed(PLAIN, changes(2, ROWS[0], ROWS[1])), Rule.WATCH_GAP),
        (followed(PLAIN, ONE, TWO, changes(3, ROWS[3], ROWS[2])), Rule.WATCH_UNTRUE),
        (followed(PLAIN, changes(1, replace(ROWS[0], version=7))), Rule.WATCH_UNTRUE),
        (followed(FILTERED, TWO), Rule.WATCH_UNTRUE),
        (followed(PLAIN, replace(ONE, at=9.0)), Rule.FROM_THE_FUTURE),
        (followed(PLAIN, changes(99, ROWS[0])), Rule.FROM_THE_FUTURE),
        (followed(CONFLATED, changes(5, *ROWS[1:3], *ROWS[4:])), Rule.WATCH_UNTRUE),
        (followed(CONFLATED, changes(5, ROWS[3], ROWS[5], conflated=True)), Rule.WATCH_SPLIT),
        (followed(CONFLATED, changes(5, *ROWS[3:], conflated=False)), Rule.WATCH_UNTRUE),
        (followed(STATE, SYNCED), Rule.WATCH_STATE),
        (followed(STATE, StateTold(60, 3, LEFT[:1]), SYNCED), Rule.WATCH_STATE),
        (followed(STATE, StateTold(60, 3, LEFT[::-1]), SYNCED), Rule.WATCH_STATE),
        (followed(STATE, StateTold(60, 2, LEFT), SYNCED), Rule.WATCH_STATE),
        (followed(STATE, StateTold(60, 3, LEFT), SYNCED, StateTold(60, 3, LEFT)), Rule.WATCH_STATE),
        (followed(STATE, FOUR), Rule.WATCH_STATE),
        (followed(STATE, BookmarkTold(60, 3)), Rule.WATCH_STATE),
        (followed(STATE, StateTold(60, 3, LEFT), SYNCED, BookmarkTold(60, 5)), Rule.WATCH_GAP),
    ],
)
def test_what_is_wrong_with_a_watch_is_named(session: Session, rule: Rule) -> None:
    run = good()
    run.history.sessions = [session]
    assert rule in run.verdict(to_the_end=False).rules


def _ended(end: Refused, *told: ChangesTold | BookmarkTold) -> Session:
    return replace(followed(Asked(after=0), *told), end=end)


COMPACTED = Refused("OUT_OF_RANGE", "REVISION_COMPACTED")
TOO_SLOW = Refused("RESOURCE_EXHAUSTED", "WATCHER_TOO_SLOW", {"resume_revision": "2"})


@pytest.mark.parametrize(
    "session",
    [
        _ended(COMPACTED),
        _ended(Refused("OUT_OF_RANGE", "REVISION_IN_FUTURE"), ONE),
        _ended(Refused("OUT_OF_RANGE", "OTHER_EPOCH"), ONE),
        _ended(TOO_SLOW, ONE),
        _ended(Refused("OK"), ONE),
        _ended(Refused("INTERNAL"), ONE),
    ],
)
def test_an_end_without_a_reason_is_wrong(session: Session) -> None:
    run = good()
    run.history.sessions = [session]
    assert run.verdict(to_the_end=False).rules == {Rule.WATCH_ENDED}


@pytest.mark.parametrize(
    "session",
    [
        _ended(COMPACTED, ONE),
        _ended(TOO_SLOW, ONE, TWO),
        replace(followed(FILTERED), end=TOO_SLOW),
        _ended(Refused("OK"), ONE, BookmarkTold(60, 1, draining=True)),
    ],
)
def test_an_end_with_a_reason_is_right(session: Session) -> None:
    run = good()
    run.history.sessions = [session]
    run.history.compactions = [Compaction(61, 2)]
    assert not run.verdict(to_the_end=False).violations


def test_a_watcher_that_never_comes_to_the_present_is_named() -> None:
    run = good()
    run.history.sessions = [followed(PLAIN, ONE, TWO)]
    assert run.verdict().rules == {Rule.WATCH_SILENT}


def test_a_watcher_may_come_to_the_present_in_several_sessions() -> None:
    run = good()
    first, second = followed(PLAIN, ONE, TWO), followed(Asked(after=2), THREE, FOUR, FIVE)
    run.history.sessions = [first, replace(second, watcher=first.watcher)]
    assert not run.verdict().violations


def test_the_next_session_may_not_skip_anything() -> None:
    run = good()
    run.history.sessions = [followed(PLAIN, ONE), followed(Asked(after=1), THREE)]
    assert run.verdict(to_the_end=False).rules == {Rule.WATCH_GAP}
