"""Revisions before the clock is taken: -1 for the first of a group of writes, -2 for the next.

Writes are planned before the clock's row is locked, so that it is locked as briefly as can be; what
they get is then counted back from the revision that the clock gave.
"""

from dataclasses import fields
from operator import attrgetter

from dagcatalog_server.catalog.model import Change, DagState, Position
from dagcatalog_server.catalog.writes import DagOutcome, WriteOutcome

_FIELDS = [field.name for field in fields(DagState)]
_VALUES = attrgetter(*_FIELDS)
_SINCE = _FIELDS.index("version_revision")


class Resolved:
    """Turns provisional revisions into those that the clock gave: `count` of them, up to the last.

    A change becomes one object, wherever it is met: in the log, in outcomes, in what is remembered.
    """

    def __init__(self, clocked: Position, count: int) -> None:
        self._epoch = clocked.epoch
        self._before_last = clocked.revision - count
        self._made: dict[tuple[int, int], Change] = {}

    def outcome(self, outcome: WriteOutcome) -> WriteOutcome:
        """Turn what a write did."""
        return WriteOutcome(
            self._real(outcome.revision),
            self._outcomes(outcome.operations),
            self._outcomes(outcome.deleted),
            self._epoch,
        )

    def change(self, change: Change) -> Change:
        """Turn one change."""
        if change.revision >= 0:
            return change
        place = (change.revision, change.ordinal)
        if place not in self._made:
            self._made[place] = Change(
                self._real(change.revision),
                change.ordinal,
                change.kind,
                change.classes,
                self._state(change.state),
            )
        return self._made[place]

    def _state(self, state: DagState) -> DagState:
        if state.version_revision >= 0:
            return state
        values = list(_VALUES(state))  # by place: a third of what `replace` takes, for every Put
        values[_SINCE] = self._real(state.version_revision)
        return DagState(*values)

    def _outcomes(self, outcomes: tuple[DagOutcome, ...]) -> tuple[DagOutcome, ...]:
        return tuple(DagOutcome(self.change(one.change), one.written) for one in outcomes)

    def _real(self, revision: int) -> int:
        return revision if revision >= 0 else self._before_last - revision


def latest(*revisions: int) -> int:
    """The last of these revisions; provisional ones come after real ones, -2 after -1."""
    return min(revisions) if min(revisions) < 0 else max(revisions)
