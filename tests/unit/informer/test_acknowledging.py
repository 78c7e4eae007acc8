"""What is acknowledged next."""

from dagcatalog_client import Position
from dagcatalog_client.informer.acknowledging import Acknowledged


def at(revision: int) -> Position:
    return Position("e", revision)


def test_only_the_newest_position_is_told_and_once() -> None:
    state = Acknowledged()
    assert state.next() is None
    state.applied = at(1)
    state.applied = at(3)
    due = state.next()
    assert due is not None
    assert due[0] == at(3)
    state.done(*due)
    assert state.next() is None
    state.applied = at(4)
    assert state.next() is not None


def test_after_a_new_beginning_the_same_position_is_told_again() -> None:
    state = Acknowledged(applied=at(3))
    due = state.next()
    assert due is not None
    state.begin()  # while the call is under way
    state.done(*due)
    assert state.next() is None
    state.applied = at(3)
    assert state.next() is not None
