"""What a watch asks for, and the events it gets."""

from collections.abc import Iterable
from dataclasses import dataclass

from dagcatalog_server.catalog.model import Change, ChangeClass, Position
from dagcatalog_server.catalog.query import StateRow


@dataclass(frozen=True, slots=True)
class WatchQuery:
    """What a watch asks for."""

    namespaces: frozenset[str] | None
    """None: every namespace."""
    dag_id_prefix: str = ""
    classes: frozenset[ChangeClass] = frozenset()
    """Empty: all."""
    after: Position | None = None
    initial_state: bool = False
    bookmark_interval_s: float = 15.0
    conflate: bool = False

    def matches(self, change: Change) -> bool:
        """Tell whether a change is asked for."""
        key = change.key
        return (
            (self.namespaces is None or key.namespace in self.namespaces)
            and key.dag_id.startswith(self.dag_id_prefix)
            and (not self.classes or not self.classes.isdisjoint(change.classes))
        )

    def select(self, changes: Iterable[Change]) -> tuple[Change, ...]:
        """Keep the changes that are asked for."""
        return tuple(change for change in changes if self.matches(change))


@dataclass(frozen=True, slots=True)
class StateEvent:
    """A part of the present as it was at the position's revision."""

    position: Position
    rows: tuple[StateRow, ...]


@dataclass(frozen=True, slots=True)
class ChangeEvent:
    """What happened up to the position. `whole` is the revision, if the watch has all of it."""

    position: Position
    changes: tuple[Change, ...]
    conflated: bool = False
    encoded: dict[object, object] | None = None
    """Where the wire keeps what it encoded, if every watcher's event of this revision is alike."""


@dataclass(frozen=True, slots=True)
class BookmarkEvent:
    """Progress without a change."""

    position: Position
    synced: bool = False
    draining: bool = False


WatchEvent = StateEvent | ChangeEvent | BookmarkEvent
