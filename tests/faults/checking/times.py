"""When each revision can have been committed: never exactly known, but never guessed either."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from math import inf

from tests.faults.checking.history import Acknowledged, ChangesTold, Found, History, WriteOp
from tests.faults.checking.log import Log


class Times:
    """Bounds on the moment of every commit, from what was asked and told.

    Whatever tells of a revision proves that it was committed before the telling; and no revision
    is committed before its write was first sent, nor before that of any revision below it.
    """

    def __init__(self, log: Log, history: History, writer_of: Mapping[int, WriteOp]) -> None:
        self._last = log.last
        self._sightings, self._highest = _rising(sorted(_sightings(history)))
        self._earliest = [-inf]
        for revision in range(1, log.last + 1):
            op = writer_of.get(revision)
            self._earliest.append(max(self._earliest[-1], op.began if op else -inf))

    def known_before(self, moment: float) -> int:
        """Give a revision that was committed before a moment: the highest that is proved."""
        place = bisect_left(self._sightings, moment)
        return self._highest[place - 1] if place else 0

    def earliest(self, revision: int) -> float:
        """Give the moment before which a revision cannot have been; infinite: it never was."""
        return self._earliest[revision] if revision <= self._last else inf


def _sightings(history: History) -> Iterator[tuple[float, int]]:
    for op in history.writes:
        for one in op.attempts:
            if isinstance(one.answer, Acknowledged):
                yield one.ended, one.answer.revision
    for read in history.reads:
        if isinstance(read.answer, Found):
            yield read.ended, read.answer.revision
    for listing in history.listings:
        yield from ((page.ended, page.revision) for page in listing.pages)
    for session in history.sessions:
        for told in session.told:
            if isinstance(told, ChangesTold):
                yield told.at, told.revision


def _rising(sightings: list[tuple[float, int]]) -> tuple[list[float], list[int]]:
    moments: list[float] = []
    highest: list[int] = []
    for moment, revision in sightings:
        moments.append(moment)
        highest.append(max(revision, highest[-1] if highest else 0))
    return moments, highest
