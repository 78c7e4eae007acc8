"""A search for an order of calls that explains their answers (Wing and Gong 1993, Lowe 2017).

It knows nothing of revisions: an operation has a time and a step, from the state that it meets to
the state that it leaves; one that cannot have met a state has no step from it.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

S = TypeVar("S", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Operation(Generic[S]):
    """One call on one object."""

    began: float
    ended: float
    """Infinite: nobody knows when, if ever."""
    step: Callable[[S], S | None]
    """The state after it; None: it cannot have met this state."""
    reads: bool = False
    """It never changes a state."""
    name: str = ""
    required: bool = True
    """False: it may never have happened."""


def explain(operations: Sequence[Operation[S]], initial: S) -> list[Operation[S]] | None:
    """Find an order of the operations that real time and every step allow; None: there is none.

    A read is taken as soon as it can be: that never closes a way. Of the rest, what was done
    and the state it led to are remembered, so that no way is gone twice.
    """
    ordered = sorted(operations, key=lambda one: one.began)
    required = sum(1 << place for place, one in enumerate(ordered) if one.required)
    seen: set[tuple[int, S]] = set()
    ways: list[tuple[int, S, tuple[int, ...]]] = [(0, initial, ())]
    while ways:
        done, state, order = ways.pop()
        done, order = _take_reads(ordered, done, state, order)
        if done & required == required:
            return [ordered[place] for place in order]
        if (done, state) in seen:
            continue
        seen.add((done, state))
        for place in reversed(list(_candidates(ordered, done))):
            after = ordered[place].step(state)
            if after is not None:
                ways.append((done | 1 << place, after, (*order, place)))
    return None


def _take_reads(
    ordered: Sequence[Operation[S]], done: int, state: S, order: tuple[int, ...]
) -> tuple[int, tuple[int, ...]]:
    while True:
        reads = [place for place in _candidates(ordered, done) if ordered[place].reads]
        reads = [place for place in reads if ordered[place].step(state) is not None]
        if not reads:
            return done, order
        for place in reads:
            done |= 1 << place
        order = (*order, *reads)


def _candidates(ordered: Sequence[Operation[S]], done: int) -> Iterator[int]:
    """Give what may come next: it began before anything else that is still to come had ended."""
    first_end = float("inf")
    for place in range(_first_zero(done), len(ordered)):
        one = ordered[place]
        if one.began > first_end:
            return
        if not done >> place & 1:
            if one.required:
                first_end = min(first_end, one.ended)
            yield place


def _first_zero(done: int) -> int:
    """Give the place of the first operation that is not done."""
    return (~done & (done + 1)).bit_length() - 1
