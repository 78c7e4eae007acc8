"""What the catalog answers: outcomes of writes, pages, events of a watch, its status."""

from dataclasses import dataclass
from datetime import datetime

from dagcatalog_client.errors import CatalogError
from dagcatalog_client.model.dags import Change, Dag, DagSummary
from dagcatalog_client.model.differences import Difference
from dagcatalog_client.model.enums import PutOutcome
from dagcatalog_client.model.requests import DagSelector
from dagcatalog_client.position import Position


@dataclass(frozen=True, slots=True)
class PutResult:
    """What a Put did to one DAG."""

    outcome: PutOutcome
    summary: DagSummary
    """The DAG as it is now."""
    position: Position
    """A read at this position or later sees the write."""
    difference: Difference | None = None
    """What the write would change; only of a `put` with `validate_only`, of a DAG that is there."""


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What a batch did, in one revision."""

    results: tuple[PutResult, ...]
    """In the order of the items."""
    deleted: tuple[DagSummary, ...]
    """DAGs that `replace` deleted."""
    position: Position


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What a delete or a restore left behind."""

    summary: DagSummary
    position: Position


@dataclass(frozen=True, slots=True)
class BatchedDag:
    """One answer of a `get_batch`: a DAG, or why there is none."""

    index: int
    """Place of the selector in the request, from 0."""
    selector: DagSelector
    dag: Dag | None
    error: CatalogError | None

    def unwrap(self) -> Dag:
        """Return the DAG, or raise why there is none."""
        if self.dag is not None:
            return self.dag
        raise self.error or CatalogError("the catalog answered neither DAG nor error")


@dataclass(frozen=True, slots=True)
class DagPage:
    """A page of a listing."""

    dags: tuple[DagSummary, ...]
    next_page_token: str
    """Empty on the last page."""
    total_size: int
    """DAGs in all pages together."""
    position: Position
    """The revision that the listing is of; a watch after it misses nothing."""


@dataclass(frozen=True, slots=True)
class StatePage:
    """A part of the present, sent for `initial_state`; resume from it only once synced."""

    position: Position
    dags: tuple[Dag, ...]


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """What happened, in order. Without conflation: all matching changes of one revision."""

    position: Position
    changes: tuple[Change, ...]
    conflated: bool
    """True if changes that a later one has overtaken were left out."""


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Progress without a change: everything up to `position` has been sent."""

    position: Position
    synced: bool
    """The initial state is complete."""
    draining: bool
    """The server is about to stop: connect again, with this position."""


WatchEvent = StatePage | ChangeSet | Bookmark


@dataclass(frozen=True, slots=True)
class NamespaceStatus:
    """Counts of one namespace."""

    namespace: str
    dag_count: int
    deleted_count: int
    version_count: int
    parse_error_count: int


@dataclass(frozen=True, slots=True)
class ConsumerStatus:
    """A registered consumer of changes."""

    consumer_id: str
    namespace: str
    acknowledged: Position
    last_time: datetime | None
    """When it was last heard of."""


@dataclass(frozen=True, slots=True)
class Propagation:
    """Whether a position has arrived at every consumer of a namespace."""

    propagated: bool
    lagging: tuple[ConsumerStatus, ...]
    """Those that had not acknowledged it when the time was over."""


@dataclass(frozen=True, slots=True)
class Status:
    """Where the catalog stands."""

    position: Position
    compacted_revision: int
    """Oldest revision that a watch can resume after."""
    server_version: str
    replica: str
    """Name of the replica that answered."""
    store: str
    """One of memory, sqlite and postgresql."""
    schema_revision: str
    namespaces: tuple[NamespaceStatus, ...]
    blob_count: int
    stored_bytes: int
    raw_bytes: int
    """Bytes of the blobs before compression."""
    watch_count: int
    """Open watches on this replica."""
    replica_lag: int
    """How far this replica's watches are behind the catalog, in revisions."""
    consumers: tuple[ConsumerStatus, ...]
    start_time: datetime | None
