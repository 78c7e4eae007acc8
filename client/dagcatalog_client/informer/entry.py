"""One DAG of the local copy: its summary as bytes, decoded when somebody looks at it."""

from dataclasses import dataclass, field

from dagcatalog_client.convert import answers
from dagcatalog_client.model import DagSummary

DagKey = tuple[str, str]
"""(namespace, dag_id)."""


@dataclass(slots=True, eq=False)
class Entry:
    """What the mirror needs of a summary, and the rest of it as it came.

    Decoding ten thousand summaries takes longer than receiving them with their documents, and most
    are never looked at: see benchmarks/informer_cold_start.py.
    """

    namespace: str
    dag_id: str
    revision: int
    content_hash: str
    raw: bytes = field(repr=False)
    """The encoded summary, the same bytes for the same summary."""
    decoded: DagSummary | None = field(default=None, repr=False)

    @property
    def key(self) -> DagKey:
        """What names the DAG."""
        return self.namespace, self.dag_id

    @property
    def summary(self) -> DagSummary:
        """The summary; decoded once (by two threads at once perhaps twice, to equal values)."""
        if self.decoded is None:
            self.decoded = answers.summary_of_bytes(self.raw)
        return self.decoded
