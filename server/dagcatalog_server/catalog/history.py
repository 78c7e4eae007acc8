"""What pruning and verifying ask of a store, as values."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dagcatalog_server.catalog.errors import BlobCorrupt
from dagcatalog_server.catalog.model import Clock, DagKey

Place = tuple[int, int]
"""Revision and ordinal: what names a row of the change log."""


@dataclass(frozen=True, slots=True, order=True)
class HistoryPlace:
    """Where a row stands in the histories of all DAGs."""

    key: DagKey
    version: int
    revision: int
    ordinal: int


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """What pruning needs to know of a row of the change log."""

    place: HistoryPlace
    until_revision: int | None
    """First revision that no longer is in this state; None: it is the head."""
    deleted: bool
    version_created_at: datetime
    content_hash: str
    source_hash: str


@dataclass(frozen=True, slots=True)
class BlobSize:
    """What a blob takes in the store."""

    stored_bytes: int
    base_hash: str
    """The blob that it is told from; empty: none."""
    dependents: int
    """How many blobs are told from it."""
    kept_at: datetime | None
    """Since when; None: since longer than is known."""


@dataclass(frozen=True, slots=True)
class BlobPage:
    """Blobs that were read and checked."""

    hashes: Sequence[str]
    corrupt: Sequence[BlobCorrupt]


@dataclass(frozen=True, slots=True)
class DroppedBlobs:
    """What went."""

    count: int
    stored_bytes: int
    now: Clock


@dataclass(frozen=True, slots=True)
class DanglingPage:
    """Pointers at blobs that are not there."""

    pointers: Sequence[tuple[str, DagKey]]
    last_revision: int
    """All rows up to here were looked at; the same as was asked after: there are no more."""
