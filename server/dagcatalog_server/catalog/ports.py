"""The store seam: what the catalog needs of a place that keeps things.

A store is entered by threads. `read()` gives one consistent snapshot; `write()` one transaction
that is committed when the block ends and rolled back when it raises. The contract suite
(`tests/contract`) is the specification: every store passes it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol

from dagcatalog_server.catalog.history import (
    BlobPage,
    BlobSize,
    DanglingPage,
    DroppedBlobs,
    HistoryPlace,
    HistoryRow,
    Place,
)
from dagcatalog_server.catalog.model import (
    Blob,
    Change,
    Clock,
    Consumer,
    ConsumerKey,
    DagKey,
    ParseError,
    RequestRecord,
    StoreCounts,
)
from dagcatalog_server.catalog.query import DagFilter, ListQuery, StateRow


class StoreConflict(Exception):
    """Another writer came first: nothing was written, evaluate again."""


class StoreUnavailable(Exception):
    """The database cannot be reached or gave up; the same call may work later."""


class StoreFull(Exception):
    """There is no room to write."""


class Snapshot(Protocol):
    """One consistent view of the store. Absent keys are absent from the mappings."""

    def clock(self) -> Clock:
        """Read the clock."""

    def heads(self, keys: Collection[DagKey]) -> Mapping[DagKey, Change]:
        """Read the newest change of each DAG, tombstones included."""

    def file_heads(self, namespace: str, bundle_name: str, file: str) -> Sequence[Change]:
        """Read the live heads whose provenance is this file, by dag_id."""

    def state_at(self, key: DagKey, revision: int) -> Change | None:
        """Read the change that a DAG's state at a revision came from; None also if it was dropped."""

    def state_of_version(self, key: DagKey, version: int) -> Change | None:
        """Read the newest change of a DAG that has this version and is no tombstone."""

    def state_of_content(
        self, namespace: str, content_hash: str, dag_id: str | None = None
    ) -> Change | None:
        """Read the newest change that has this content and is no tombstone."""

    def versions(self, key: DagKey, *, before: int | None, limit: int) -> Sequence[Change]:
        """Read the newest change of each version that is no tombstone, newest version first.

        Only versions below `before`, if it is given.
        """

    def version_count(self, key: DagKey) -> int:
        """Count the versions of a DAG."""

    def page(self, query: ListQuery) -> Sequence[StateRow]:
        """Read one page of a listing."""

    def count(self, dag_filter: DagFilter, revision: int) -> int:
        """Count what a listing of that revision holds."""

    def changes(self, *, after: int, limit: int) -> Sequence[Change]:
        """Read whole revisions after `after`, by revision and ordinal.

        Stops at the end of the revision in which `limit` rows are reached.
        """

    def blobs(self, hashes: Collection[str]) -> Mapping[str, Blob]:
        """Read blobs; each is checked against its hash (`BlobCorrupt` of `catalog.errors`)."""

    def requests(self, namespace: str, request_ids: Collection[str]) -> Mapping[str, RequestRecord]:
        """Read the remembered outcomes of writes, by request_id; those not there are left out."""

    def parse_errors(
        self,
        namespace: str | None,
        bundle_name: str | None,
        *,
        after: tuple[str, str, str] | None,
        limit: int,
    ) -> Sequence[ParseError]:
        """Read a page of parse errors by (namespace, bundle, file), after such a triple."""

    def parse_error_count(self, namespace: str | None, bundle_name: str | None) -> int:
        """Count parse errors."""

    def consumers(
        self, namespaces: Collection[str] | None, *, heard_within: timedelta
    ) -> Sequence[Consumer]:
        """Read the consumers of these namespaces (None: all) that were heard of lately, by key."""

    def consumers_named(self, consumer_ids: Collection[str]) -> Mapping[ConsumerKey, Consumer]:
        """Read the rows of these consumers in every namespace, however long they were silent."""

    def counts(self) -> StoreCounts:
        """Count what is there; namespaces by name."""

    def history(
        self, namespace: str | None, *, before: HistoryPlace | None, limit: int
    ) -> Sequence[HistoryRow]:
        """Read a page of the rows of the change log, by HistoryPlace, the last one first."""

    def orphans(self, limit: int) -> Collection[str]:
        """Name blobs that no row of the change log points at and no other blob is told from."""

    def blob_sizes(self, hashes: Collection[str]) -> Mapping[str, BlobSize]:
        """Read what blobs take in the store; those not there are left out."""

    def check_blobs(self, namespace: str | None, *, after: str, limit: int) -> BlobPage:
        """Read the blobs that a namespace points at (None: every blob) after a hash, by hash."""

    def blob_count(self, namespace: str | None) -> int:
        """Count what `check_blobs` reads."""

    def pointers(self, blob_hash: str, namespace: str | None, *, limit: int) -> Sequence[DagKey]:
        """Name DAGs that have pointed at a blob, by key."""

    def dangling(self, namespace: str | None, *, after: int, limit: int) -> DanglingPage:
        """Look at `limit` rows after a revision, or a few more, for pointers at blobs not there."""


class Transaction(Snapshot, Protocol):
    """A writing transaction; it reads its own writes."""

    def lock(self) -> None:
        """Take the clock's row lock now: what is read afterwards cannot be overtaken.

        Costs every other writer its wait; for writes that read more than the heads they change.
        """

    def tick(self, count: int) -> int:
        """Advance the clock by `count` and return the new revision.

        The clock's row stays locked until commit, so revisions become visible in order and a
        watcher that reads "everything after N" cannot skip one. A sequence cannot promise that.
        """

    def append(self, changes: Sequence[Change]) -> None:
        """Add rows to the change log; each becomes the head of its DAG.

        `changes` are ordered, have their revisions, and a DAG may be among them more than once.

        Raises:
            StoreConflict: another transaction changed one of the heads since it was read here.

        """

    def keep_blobs(self, blobs: Iterable[Blob]) -> None:
        """Keep blobs that are not there, as `Store.put_blobs` does, in this transaction.

        After `lock` nobody drops them before the commit. Every other writer waits: for a retry.
        """

    def require_blobs(self, hashes: Collection[str]) -> None:
        """Make sure that blobs are there; called after `tick`, so that nobody drops them any more.

        Raises:
            StoreConflict: one was dropped since `put_blobs` kept it, or found it kept.

        """

    def drop_changes(self, places: Collection[Place]) -> None:
        """Drop superseded rows of the change log, by revision and ordinal."""

    def compact(self, revision: int) -> Clock:
        """Forget the past before a revision, if that is later than what was forgotten before.

        Takes the clock's row, as `tick` does: call last.
        """

    def drop_orphans(self, hashes: Collection[str], after_revision: int) -> DroppedBlobs:
        """Drop blobs that were orphans at a revision and have not been pointed at since.

        Call after `lock`: a pointer made meanwhile is seen, and a later one sees that they are gone.
        """

    def remember(self, records: Sequence[RequestRecord]) -> None:
        """Keep the outcomes of writes.

        Raises:
            StoreConflict: another transaction kept one of these ids first.

        """

    def forget_requests(self, before: datetime) -> None:
        """Drop outcomes that are older."""

    def put_parse_errors(self, errors: Sequence[ParseError]) -> None:
        """Set the error of each file; `first_at` of an error already there stays."""

    def clear_parse_errors(
        self,
        namespace: str,
        bundle_name: str,
        *,
        files: Collection[str] | None = None,
        keep: Collection[str] = (),
    ) -> None:
        """Drop the errors of these files, or of all files of the bundle but `keep`."""

    def lock_consumers(self) -> datetime:
        """Keep other writers off the consumers until the commit; give the store's own time.

        Not the clock's lock: writers of DAGs never wait for it.
        """

    def put_consumers(self, consumers: Sequence[Consumer]) -> None:
        """Set the row of each consumer. Call after `lock_consumers`."""

    def drop_consumers(self, keys: Collection[ConsumerKey], *, before: datetime) -> None:
        """Drop these consumers, and those not heard of since `before`."""


class Store(Protocol):
    """A place that keeps the catalog. Opened and closed by `opening`."""

    @property
    def name(self) -> str:
        """Which store it is: "memory", "sqlite" or "postgresql"."""

    @property
    def schema_revision(self) -> str:
        """The schema's revision; empty for a store without one."""

    @property
    def blobs_first(self) -> bool:
        """Whether `put_blobs` is to be called before a write, not `keep_blobs` inside it."""

    def put_blobs(self, blobs: Iterable[Blob]) -> None:
        """Keep blobs durably, in a transaction of their own; those already there are left alone.

        Called before the write that points at them: a blob without a pointer does no harm.
        """

    def clock(self) -> Clock:
        """Read the clock, the quickest way there is."""

    def read(self) -> AbstractContextManager[Snapshot]:
        """Open a consistent snapshot."""

    def write(self) -> AbstractContextManager[Transaction]:
        """Open a writing transaction.

        Raises on leaving: StoreConflict, StoreUnavailable or StoreFull; nothing was written then.
        """

    def close(self) -> None:
        """Give back every connection."""
