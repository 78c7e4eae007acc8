"""Documents in memory, by content hash: the least recently used go first, within a bound in bytes."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from dagcatalog_client.model import Dag, DagSummary

ENTRY_BYTES = 400
"""What an entry takes besides its document: the key, two objects, two places in the table."""


@dataclass(slots=True, eq=False)
class Held:
    """One document, and the DAG that was last made with it, so that a repeated read makes none."""

    document: bytes
    dag: Dag | None = None

    def with_summary(self, summary: DagSummary) -> Dag:
        """Return the document as a DAG."""
        dag = self.dag
        if dag is None or dag.summary is not summary:
            dag = self.dag = Dag(summary, self.document)
        return dag


class Documents:
    """A cache of documents. Reads need no lock (each step is one atomic operation), writes do."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.held_bytes = 0
        self._held: OrderedDict[str, Held] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, content_hash: str) -> bool:
        return content_hash in self._held

    def get(self, content_hash: str) -> Held | None:
        """Return a document, and count it as used; None: it is not here."""
        held = self._held.get(content_hash)
        if held is not None:
            try:  # suppress() would cost as much as all the rest
                self._held.move_to_end(content_hash)
            except KeyError:
                return held  # dropped by another thread since
        return held

    def peek(self, content_hash: str) -> bytes | None:
        """Return a document without counting it as used."""
        held = self._held.get(content_hash)
        return None if held is None else held.document

    def put(self, content_hash: str, document: bytes) -> Held:
        """Keep a document, unless it is larger than the bound; drop what is over it."""
        known = self._held.get(content_hash)
        if known is not None:
            return known
        held = Held(document)
        if _cost(held) <= self.max_bytes:
            self._held[content_hash] = held
            self.held_bytes += _cost(held)
            self._evict()
        return held

    def hashes(self) -> Iterator[str]:
        """Iterate over what is here, the least recently used first."""
        yield from list(self._held)

    def _evict(self) -> None:
        while self.held_bytes > self.max_bytes:
            _, oldest = self._held.popitem(last=False)
            self.held_bytes -= _cost(oldest)


def _cost(held: Held) -> int:
    return len(held.document) + ENTRY_BYTES
