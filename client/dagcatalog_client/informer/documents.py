"""Documents in memory, by content hash: the least recently used go first, within a bound in bytes."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from dagcatalog_client.convert.encodings import Encoded
from dagcatalog_client.model import Dag, DagSummary

ENTRY_BYTES = 400
"""What an entry takes besides its document: the key, two objects, two places in the table."""


@dataclass(slots=True, eq=False)
class Held:
    """One document, and the DAG that was last made with it, so that a repeated read makes none.

    It stays as compressed as it came until it is read.
    """

    encoded: Encoded
    dag: Dag | None = None

    @property
    def document(self) -> bytes:
        """Canonical JSON; unpacked each time until `Documents.unpack`."""
        return self.encoded.document()

    @property
    def cost_bytes(self) -> int:
        """What it takes of the bound."""
        return len(self.encoded.raw) + ENTRY_BYTES

    def with_summary(self, summary: DagSummary) -> Dag:
        """Return the document as a DAG."""
        dag = self.dag
        if dag is None or dag.summary is not summary:
            dag = self.dag = Dag(summary, self.document)
        return dag


class Documents:
    """A cache of documents. `get` needs no lock (each step is one atomic operation), the rest does."""

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

    def peek(self, content_hash: str) -> Held | None:
        """Return a document without counting it as used."""
        return self._held.get(content_hash)

    def put(self, content_hash: str, encoded: Encoded) -> Held:
        """Keep a document, unless it is larger than the bound; drop what is over it."""
        known = self._held.get(content_hash)
        if known is not None:
            return known
        held = Held(encoded)
        if held.cost_bytes <= self.max_bytes:
            self._held[content_hash] = held
            self.held_bytes += held.cost_bytes
            self._evict()
        return held

    def put_all(self, contents: Iterable[tuple[str, Encoded]]) -> None:
        """Keep documents; a first state brings very many."""
        table, max_bytes, added_bytes = self._held, self.max_bytes, 0
        for content_hash, encoded in contents:
            cost = len(encoded.raw) + ENTRY_BYTES
            if cost <= max_bytes and content_hash not in table:
                table[content_hash] = Held(encoded)
                added_bytes += cost
                if self.held_bytes + added_bytes > max_bytes:
                    self.held_bytes += added_bytes
                    added_bytes = 0
                    self._evict()
        self.held_bytes += added_bytes

    def unpack(self, content_hash: str, document: Encoded) -> Held:
        """Keep a document as it is read from now on, in the place of its compressed form."""
        packed = self._held.pop(content_hash, None)
        if packed is not None:
            self.held_bytes -= packed.cost_bytes
        return self.put(content_hash, document)

    def _evict(self) -> None:
        while self.held_bytes > self.max_bytes:
            _, oldest = self._held.popitem(last=False)
            self.held_bytes -= oldest.cost_bytes
