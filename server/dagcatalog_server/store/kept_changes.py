"""Changes that were just committed, kept because the next change of their DAG is decided against them.

A row of the change log never changes but for its end, so whoever knows which row is a DAG's head need
not read its 46 columns again.
"""

from collections.abc import Iterable
from threading import Lock
from typing import NamedTuple

from cachetools import LRUCache

from dagcatalog_server.catalog.model import Change, DagKey

MAX_CHANGES = 4_096  # about 2 KB each, which the ring of the watches mostly holds anyway


class HeadMark(NamedTuple):
    """What the database says of a head: enough to know the whole row, after a restore too."""

    dag_id: str
    revision: int
    ordinal: int
    version: int
    content_hash: str


class KeptChanges:
    """The latest changes of some DAGs; the one that was not used for longest leaves first."""

    def __init__(self) -> None:
        self._kept: LRUCache[DagKey, Change] = LRUCache(MAX_CHANGES)
        self._lock = Lock()

    def keep(self, committed: Iterable[Change]) -> None:
        """Keep changes that are committed: what was rolled back may come again otherwise."""
        with self._lock:
            for change in committed:
                self._kept[change.key] = change

    def find(self, namespace: str, mark: HeadMark) -> Change | None:
        """Find the change that is a head; None: it must be read."""
        with self._lock:
            kept = self._kept.get(DagKey(namespace, mark.dag_id))
        return kept if kept is not None and _mark(kept) == mark else None


def _mark(change: Change) -> HeadMark:
    state = change.state
    return HeadMark(
        state.key.dag_id, change.revision, change.ordinal, state.version, state.hashes.content
    )
