"""What the reference store holds, and what pruning and verifying ask of it."""

# ruff: noqa: D102 - catalog.ports documents the methods

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from dagcatalog_server.catalog.history import (
    BlobPage,
    BlobSize,
    DanglingPage,
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
)

FilePlace = tuple[str, str, str]
"""Namespace, bundle and file of a parse error."""


def place_of(change: Change) -> Place:
    """Name a row of the log."""
    return (change.revision, change.ordinal)


class Contents:
    """Everything but the blobs, as of one commit."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.log: list[Change] = []
        self.untils: dict[Place, int] = {}
        self.heads: dict[DagKey, Change] = {}
        self.requests: dict[tuple[str, str], RequestRecord] = {}
        self.parse_errors: dict[FilePlace, ParseError] = {}
        self.consumers: dict[ConsumerKey, Consumer] = {}

    def copy(self) -> "Contents":
        copied = Contents(self.clock)
        copied.log = list(self.log)
        copied.untils = dict(self.untils)
        copied.heads = dict(self.heads)
        copied.requests = dict(self.requests)
        copied.parse_errors = dict(self.parse_errors)
        copied.consumers = dict(self.consumers)
        return copied


class KeptBlobs(dict[str, Blob]):
    """Blobs by hash, and since when each is kept."""

    def __init__(self, blobs: Mapping[str, Blob], kept_at: Mapping[str, datetime]) -> None:
        super().__init__(blobs)
        self.kept_at = dict(kept_at)

    def keep(self, blob: Blob) -> None:
        """Keep a blob, if it is not kept already."""
        self.setdefault(blob.hash, blob)
        self.kept_at.setdefault(blob.hash, datetime.now(UTC))

    def without(self, hashes: Collection[str]) -> "KeptBlobs":
        """Copy all but these."""
        rest = {each: blob for each, blob in self.items() if each not in hashes}
        return KeptBlobs(rest, {each: self.kept_at[each] for each in rest})


class MemoryHistory:
    """The part of a snapshot that pruning and verifying read."""

    def __init__(self, contents: Contents, blobs: KeptBlobs) -> None:
        self.contents = contents
        self._blobs = blobs

    def history(
        self, namespace: str | None, *, before: HistoryPlace | None, limit: int
    ) -> Sequence[HistoryRow]:
        rows = [self._history_row(each) for each in self._log_of(namespace)]
        rows = [row for row in rows if before is None or row.place < before]
        return sorted(rows, key=lambda row: row.place, reverse=True)[:limit]

    def orphans(self, limit: int) -> Collection[str]:
        pointed_at = {each for change in self.contents.log for each in change.pointers()}
        return sorted(self._blobs.keys() - pointed_at)[:limit]

    def blob_sizes(self, hashes: Collection[str]) -> Mapping[str, BlobSize]:
        there = self._blobs.keys() & set(hashes)
        return {
            each: BlobSize(len(self._blobs[each].raw), "", 0, self._blobs.kept_at[each])
            for each in there
        }

    def check_blobs(self, namespace: str | None, *, after: str, limit: int) -> BlobPage:
        hashes = [each for each in self._hashes(namespace) if each > after]
        return BlobPage(hashes[:limit], [])

    def blob_count(self, namespace: str | None) -> int:
        return len(self._hashes(namespace))

    def pointers(self, blob_hash: str, namespace: str | None, *, limit: int) -> Sequence[DagKey]:
        log = self._log_of(namespace)
        return sorted({each.key for each in log if blob_hash in each.pointers()})[:limit]

    def dangling(self, namespace: str | None, *, after: int, limit: int) -> DanglingPage:
        revisions = [each.revision for each in self.contents.log if each.revision > after][:limit]
        last = max(revisions, default=after)
        window = [each for each in self._log_of(namespace) if after < each.revision <= last]
        missing = [
            (pointer, each.key)
            for each in window
            for pointer in each.pointers()
            if pointer not in self._blobs
        ]
        return DanglingPage(missing, last)

    def _history_row(self, change: Change) -> HistoryRow:
        state = change.state
        return HistoryRow(
            place=HistoryPlace(change.key, state.version, change.revision, change.ordinal),
            until_revision=self.contents.untils.get(place_of(change)),
            deleted=state.deleted,
            version_created_at=state.version_created_at,
            content_hash=state.hashes.content,
            source_hash=state.source_hash,
        )

    def _log_of(self, namespace: str | None) -> list[Change]:
        log = self.contents.log
        return [each for each in log if namespace in (None, each.key.namespace)]

    def _hashes(self, namespace: str | None) -> list[str]:
        if namespace is None:
            return sorted(self._blobs)
        log = self._log_of(namespace)
        pointed_at = {pointer for each in log for pointer in each.pointers()}
        return sorted(self._blobs.keys() & pointed_at)
