"""Revisions before the clock is taken: -1 for the first of a group of writes, -2 for the next.

Writes are planned before the clock's row is locked, so that it is locked as briefly as can be; what
they get is then counted back from the revision that the clock gave.
"""

from dataclasses import replace

from dagcatalog_server.catalog.model import Change
from dagcatalog_server.catalog.writes import DagOutcome, WriteOutcome


class Resolved:
    """Turns provisional revisions into those that the clock gave: `count` of them, up to the last.

    A change becomes one object, wherever it is met: in the log, in outcomes, in what is remembered.
    """

    def __init__(self, last_revision: int, count: int) -> None:
        self._before_last = last_revision - count
        self._made: dict[tuple[int, int], Change] = {}

    def outcome(self, outcome: WriteOutcome) -> WriteOutcome:
        """Turn what a write did."""
        return WriteOutcome(
            self._real(outcome.revision),
            self._outcomes(outcome.operations),
            self._outcomes(outcome.deleted),
        )

    def change(self, change: Change) -> Change:
        """Turn one change."""
        if change.revision >= 0:
            return change
        place = (change.revision, change.ordinal)
        if place not in self._made:
            since = self._real(change.state.version_revision)
            state = replace(change.state, version_revision=since)
            self._made[place] = replace(change, revision=self._real(change.revision), state=state)
        return self._made[place]

    def _outcomes(self, outcomes: tuple[DagOutcome, ...]) -> tuple[DagOutcome, ...]:
        return tuple(DagOutcome(self.change(one.change), one.written) for one in outcomes)

    def _real(self, revision: int) -> int:
        return revision if revision >= 0 else self._before_last - revision


def latest(*revisions: int) -> int:
    """The last of these revisions; provisional ones come after real ones, -2 after -1."""
    return min(revisions) if min(revisions) < 0 else max(revisions)
