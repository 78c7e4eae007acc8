"""Revisions before the clock is taken: -1 for the first of a group of writes, -2 for the next.

Writes are planned before the clock's row is locked, so that it is locked as briefly as can be; what
they get is then counted back from the revision that the clock gave.
"""

from dataclasses import replace

from dagcatalog_server.catalog.model import Change
from dagcatalog_server.catalog.writes import DagOutcome, WriteOutcome


def resolve(outcome: WriteOutcome, last_revision: int, count: int) -> WriteOutcome:
    """Turn provisional revisions into those that the clock gave: `count` of them, up to the last."""

    def real(outcomes: tuple[DagOutcome, ...]) -> tuple[DagOutcome, ...]:
        return tuple(
            replace(one, change=resolve_change(one.change, last_revision, count))
            for one in outcomes
        )

    return WriteOutcome(
        _real(outcome.revision, last_revision, count),
        real(outcome.operations),
        real(outcome.deleted),
    )


def resolve_change(change: Change, last_revision: int, count: int) -> Change:
    """Turn the provisional revisions of one change into real ones."""
    since = _real(change.state.version_revision, last_revision, count)
    state = replace(change.state, version_revision=since)
    return replace(change, revision=_real(change.revision, last_revision, count), state=state)


def _real(revision: int, last_revision: int, count: int) -> int:
    return revision if revision >= 0 else last_revision - count - revision


def latest(*revisions: int) -> int:
    """The last of these revisions; provisional ones come after real ones, -2 after -1."""
    return min(revisions) if min(revisions) < 0 else max(revisions)
