"""What a mirror is told by a watch, and what it tells its handlers."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from dagcatalog_client.convert.encodings import Encoded
from dagcatalog_client.informer.entry import Entry
from dagcatalog_client.model import Bookmark, DagSummary, Position

Contents = Sequence[tuple[str, Encoded]]
"""Documents with their content_hash."""


@dataclass(frozen=True, slots=True)
class State:
    """A part of the present; nothing of it counts before the bookmark that says SYNCED."""

    position: Position
    entries: Sequence[Entry]
    documents: Contents = ()


@dataclass(frozen=True, slots=True)
class Happened:
    """One change: the DAG as it is after it."""

    entry: Entry
    deleted: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened up to a position, in order."""

    position: Position
    changes: Sequence[Happened]
    documents: Contents = ()


MirrorEvent = State | Changes | Bookmark


class EffectKind(Enum):
    """What an event meant for one DAG of the local copy."""

    ADDED = "added"
    UPDATED = "updated"
    DELETED = "deleted"


class Effect(NamedTuple):
    """One DAG that is different now; made of entries, so that nothing is decoded for nobody."""

    kind: EffectKind
    old: Entry | None
    new: Entry | None

    def summaries(self) -> tuple[DagSummary, ...]:
        """Return what a handler of this kind takes: (new), (old, new) or (old)."""
        return tuple(one.summary for one in (self.old, self.new) if one is not None)


def added(new: Entry) -> Effect:
    """Tell of a DAG that was not there."""
    return Effect(EffectKind.ADDED, None, new)


def updated(old: Entry, new: Entry) -> Effect:
    """Tell of a DAG that is another now."""
    return Effect(EffectKind.UPDATED, old, new)


def deleted(old: Entry) -> Effect:
    """Tell of a DAG that is gone."""
    return Effect(EffectKind.DELETED, old, None)
