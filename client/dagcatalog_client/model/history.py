"""What the catalog answers about history as a whole: what a prune dropped, what a verify found."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PruneResult:
    """What a prune dropped, or would drop."""

    version_count: int
    blob_count: int
    stored_bytes: int
    """Freed for new content; as stored, compressed."""
    compacted_revision: int
    """The oldest revision that can be read from now on."""


@dataclass(frozen=True, slots=True)
class CorruptBlob:
    """A content that is not what its hash says, or is not there."""

    hash: str
    message: str
    dag_ids: tuple[str, ...]
    """DAGs that point at it, at most 100; of every namespace ("-"), as NAMESPACE/DAG_ID."""


@dataclass(frozen=True, slots=True)
class VerifyProgress:
    """How far a verify is; the last one is `done`."""

    checked_count: int
    total_count: int
    corrupt: tuple[CorruptBlob, ...]
    """Found since the last one."""
    done: bool
