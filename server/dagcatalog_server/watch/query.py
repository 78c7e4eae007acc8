"""What a watch asks for, and the events it gets."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from dagcatalog_server.catalog.model import Change, ChangeClass, DagKey, Position
from dagcatalog_server.replica.heads import Head


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
        return self.includes(change.key) and (
            not self.classes or not self.classes.isdisjoint(change.classes)
        )

    def includes(self, key: DagKey) -> bool:
        """Tell whether a DAG is asked for."""
        return (
            self.namespaces is None or key.namespace in self.namespaces
        ) and key.dag_id.startswith(self.dag_id_prefix)

    def select(self, changes: Iterable[Change]) -> tuple[Change, ...]:
        """Keep the changes that are asked for."""
        return tuple(change for change in changes if self.matches(change))


@dataclass(frozen=True, slots=True)
class StateEvent:
    """A part of the present as it was at the position's revision."""

    position: Position
    heads: Sequence[Head]
    name: Hashable = None
    """The same for the same heads, as long as this replica runs; None: they have no name."""


@dataclass(frozen=True, slots=True)
class ChangeEvent:
    """What happened up to the position."""

    position: Position
    changes: tuple[Change, ...]
    history: int
    """Changes of the same revision and ordinal are the same in the same history."""
    conflated: bool = False


@dataclass(frozen=True, slots=True)
class BookmarkEvent:
    """Progress without a change."""

    position: Position
    synced: bool = False
    draining: bool = False


WatchEvent = StateEvent | ChangeEvent | BookmarkEvent
