"""The live DAGs as of the ring's revision, in memory, each with its summary as the wire sends it."""

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from dagcatalog_server.catalog.model import DagKey, Dependency

Name: TypeAlias = tuple[str, str]
"""(namespace, dag_id): a plain tuple, which compares and hashes in C."""

# Above every text: no code point is larger.
_LAST = "\U0010ffff" * 2

# Selections that are kept for others who ask the same; what clients can ask has no bound.
_MAX_SELECTIONS = 32


@dataclass(frozen=True, slots=True)
class Head:
    """What is needed of a live DAG to answer for it, and no more: its values would take several times that."""

    key: DagKey
    revision: int
    """Of its newest change; with the key it names this state for ever, in one history."""
    content_hash: str
    source_hash: str
    document_bytes: int
    source_bytes: int
    summary: bytes
    """As the wire sends it."""
    dependencies: tuple[Dependency, ...] = ()
    """The same as values: the graph is made of all of them at once, and most DAGs have none."""

    @property
    def name(self) -> Name:
        """The key as a plain tuple."""
        return self.key.namespace, self.key.dag_id


@dataclass(frozen=True, slots=True)
class HeadChange:
    """A change as it concerns the heads: the new one, or none if the DAG was deleted."""

    name: Name
    revision: int
    head: Head | None


class Heads:
    """All live DAGs, kept by `HeadsFeed`. Used on the event loop only, so each call is atomic.

    Until they are complete, only what the feed has come across is here.
    """

    def __init__(self) -> None:
        self._heads: dict[Name, Head] = {}
        self._names: list[Name] = []
        self._gone: dict[Name, int] = {}
        self._selected: dict[tuple[frozenset[str] | None, str], tuple[Head, ...]] = {}
        self._complete = False

    def __len__(self) -> int:
        return len(self._heads)

    def is_complete(self) -> bool:
        """Tell whether every live DAG is here."""
        return self._complete

    def get(self, key: DagKey) -> Head | None:
        """Return the head of a live DAG; None says nothing unless they are complete."""
        return self._heads.get((key.namespace, key.dag_id))

    def select(self, namespaces: frozenset[str] | None, prefix: str) -> Sequence[Head]:
        """Return the heads of these namespaces (None: all) whose dag_id begins so, by key.

        The result never changes; everybody who asks the same before the next change shares it.
        """
        asked = (namespaces, prefix)
        if asked not in self._selected:
            if len(self._selected) >= _MAX_SELECTIONS:
                self._selected.clear()
            self._selected[asked] = tuple(self._select(namespaces, prefix))
        return self._selected[asked]

    def apply(self, changes: Sequence[HeadChange]) -> None:
        """Take changes over, in their order; what is older than what is known changes nothing."""
        self._selected.clear()
        for change in changes:
            if change.revision <= self._known(change.name):
                continue
            if change.head is None:
                self._remove(change.name)
                if not self._complete:
                    self._gone[change.name] = change.revision
            else:
                self._gone.pop(change.name, None)
                self._add(change.name, change.head)

    def finish(self) -> None:
        """Say that every live DAG is here."""
        self._gone.clear()  # pages read before a deletion can bring nothing back any more
        self._complete = True

    def clear(self) -> None:
        """Forget everything: the history is another."""
        self._heads.clear()
        self._names.clear()
        self._gone.clear()
        self._selected.clear()
        self._complete = False

    def _known(self, name: Name) -> int:
        head = self._heads.get(name)
        return head.revision if head else self._gone.get(name, -1)

    def _add(self, name: Name, head: Head) -> None:
        if name not in self._heads:
            insort(self._names, name)
        self._heads[name] = head

    def _remove(self, name: Name) -> None:
        if self._heads.pop(name, None) is not None:
            del self._names[bisect_left(self._names, name)]

    def _select(self, namespaces: frozenset[str] | None, prefix: str) -> Iterator[Head]:
        if namespaces is None:
            ranges = [self._names]
        else:
            ranges = [self._range(one, prefix) for one in sorted(namespaces)]
        for names in ranges:
            for name in names:
                if name[1].startswith(prefix):
                    yield self._heads[name]

    def _range(self, namespace: str, prefix: str) -> list[Name]:
        first = bisect_left(self._names, (namespace, prefix))
        last = bisect_left(self._names, (namespace, prefix + _LAST))
        return self._names[first:last]
