"""Drops versions by policy, forgets the past before a revision, and drops what nothing points at.

A row of the change log is both a version and the state from its revision until its `until_revision`.
Dropping it makes a hole in the past, so the catalog's `compacted_revision` moves to where the row
ended, in the same transaction: nobody reads a past with holes, it is OUT_OF_RANGE instead. A head is
never dropped, so the present has none. Everything happens in small transactions: writers wait for
one of them at most, and a prune that ends early has done a part of its work and no harm.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dagcatalog_server.catalog.errors import CatalogUnavailable, InvalidArgument, TooLarge
from dagcatalog_server.catalog.history import HistoryPlace, HistoryRow
from dagcatalog_server.catalog.model import DagKey, Position
from dagcatalog_server.catalog.names import check_hash
from dagcatalog_server.catalog.ports import Snapshot, Store, StoreConflict
from dagcatalog_server.catalog.reading import check_position

MAX_PINNED = 1_000
PAGE_ROWS = 200
"""Rows that are looked at, and dropped in one transaction at most."""
SWEEP_BLOBS = 100
"""Blobs dropped in one transaction: the clock's row is locked meanwhile."""
MAX_ORPHANS = 50_000
"""Orphans named by one question to the store: about 6 MB."""
MAX_DROPPED_HASHES = 500_000
"""Hashes of dropped rows that are remembered, about 60 MB; beyond, content goes when it is old."""
ORPHAN_AGE = timedelta(minutes=10)
"""Content that is kept but not pointed at may belong to a Put under way. To drop it would do no harm,
the Put keeps it again, but a Put must not meet that again and again."""


@dataclass(frozen=True, slots=True)
class PrunePolicy:
    """What to keep. A version stays if it is among the newest, or recent, or a head."""

    namespace: str | None = None
    """None: every namespace."""
    keep_versions: int = 0
    """Versions of each DAG; 0: number keeps none but the head."""
    keep_for: timedelta | None = None
    """Versions that were the head within this time; None: time keeps none."""
    pinned: frozenset[str] = frozenset()
    """Contents whose rows stay, whatever else is said."""
    compact_revision: int = 0
    """Rows that ended at this revision or before are forgotten, but for the last of each version."""
    validate_only: bool = False

    @property
    def drops_versions(self) -> bool:
        """Without a limit by number or by time, every version stays."""
        return self.keep_versions > 0 or self.keep_for is not None


@dataclass(frozen=True, slots=True)
class Pruned:
    """What went so far."""

    versions: int = 0
    blobs: int = 0
    stored_bytes: int = 0
    compacted_revision: int = 0


def check_policy(policy: PrunePolicy) -> PrunePolicy:
    """Return a policy that makes sense."""
    if policy.keep_versions < 0:
        raise InvalidArgument("keep_versions", "must not be negative")
    if policy.keep_for is not None and policy.keep_for < timedelta(0):
        raise InvalidArgument("keep_for", "must not be negative")
    if policy.compact_revision < 0:
        raise InvalidArgument("compact_revision", "must not be negative")
    if len(policy.pinned) > MAX_PINNED:
        raise TooLarge("pinned_hashes", "hashes", size=len(policy.pinned), limit=MAX_PINNED)
    for each in policy.pinned:
        check_hash("pinned_hashes", each)
    return policy


def prune(store: Store, policy: PrunePolicy, now: datetime) -> Iterator[Pruned]:
    """Prune step by step; yields what went so far after each, at last what went in all.

    Raises:
        RevisionOutOfRange: `compact_revision` is in the future; nothing went.
        CatalogUnavailable: the database gave up between two steps.

    """
    with store.read() as snapshot:
        clock = snapshot.clock()
    check_position(clock, Position(clock.epoch, policy.compact_revision))
    done = Pruned(compacted_revision=clock.compacted_revision)
    steps = _rehearse if policy.validate_only else _prune
    try:
        yield from steps(store, policy, now, done)
    except StoreConflict as error:
        raise CatalogUnavailable from error


def _prune(store: Store, policy: PrunePolicy, now: datetime, done: Pruned) -> Iterator[Pruned]:
    sieve = Sieve(policy, now)
    hashes: set[str] = set()
    for judged in _judged(store, sieve, policy.namespace):
        if going := [row for row, goes in judged if goes]:
            with store.write() as transaction:
                transaction.drop_changes([(row.place.revision, row.place.ordinal) for row in going])
                clock = transaction.compact(max(row.until_revision or 0 for row in going))
            done = replace(done, compacted_revision=clock.compacted_revision)
            if len(hashes) < MAX_DROPPED_HASHES:
                hashes |= {each for row in going for each in (row.content_hash, row.source_hash)}
        done = replace(done, versions=sieve.versions)
        yield done
    if policy.compact_revision > done.compacted_revision:
        with store.write() as transaction:
            clock = transaction.compact(policy.compact_revision)
        done = replace(done, compacted_revision=clock.compacted_revision)
    yield done
    yield from _swept(store, hashes, policy, now, done)


def _swept(
    store: Store, dropped_hashes: set[str], policy: PrunePolicy, now: datetime, done: Pruned
) -> Iterator[Pruned]:
    """Drop orphans until there are none: those that others were told from come after these."""
    while True:
        with store.read() as snapshot:
            revision = snapshot.clock().revision
            orphans = _droppable(snapshot, dropped_hashes, policy, now)
        before = done
        for start in range(0, len(orphans), SWEEP_BLOBS):
            with store.write() as transaction:
                transaction.lock()
                dropped = transaction.drop_orphans(orphans[start : start + SWEEP_BLOBS], revision)
            revision = dropped.now.revision
            done = replace(
                done,
                blobs=done.blobs + dropped.count,
                stored_bytes=done.stored_bytes + dropped.stored_bytes,
            )
            yield done
        if done == before:  # none is left, or only some that a writer holds just now
            return


def _droppable(
    snapshot: Snapshot, dropped_hashes: set[str], policy: PrunePolicy, now: datetime
) -> list[str]:
    """Name orphans that a row pointed at which was just dropped, and old ones."""
    orphans = {*snapshot.orphans(MAX_ORPHANS)} - policy.pinned
    others = snapshot.blob_sizes(orphans - dropped_hashes)
    young = {
        each
        for each, size in others.items()
        if size.kept_at is not None and size.kept_at > now - ORPHAN_AGE
    }
    return sorted(orphans - young)


def _rehearse(store: Store, policy: PrunePolicy, now: datetime, done: Pruned) -> Iterator[Pruned]:
    """Tell what would go. Needs memory for the hashes of what goes: about 300 bytes a version."""
    sieve = Sieve(policy, now)
    going_hashes: set[str] = set()
    compacted = max(done.compacted_revision, policy.compact_revision)
    for judged in _judged(store, sieve, policy.namespace):
        for row in (row for row, goes in judged if goes):
            going_hashes |= {row.content_hash, row.source_hash}
            compacted = max(compacted, row.until_revision or 0)
        done = replace(done, versions=sieve.versions, compacted_revision=compacted)
        yield done
    for judged in _judged(store, Sieve(policy, now), None):
        for row in (row for row, goes in judged if not goes):
            going_hashes -= {row.content_hash, row.source_hash}
        yield done
    with store.read() as snapshot:
        sizes = snapshot.blob_sizes(
            {*going_hashes, *_droppable(snapshot, set(), policy, now)} - policy.pinned
        )
    told_from = Counter(size.base_hash for size in sizes.values())
    gone = [size for each, size in sizes.items() if size.dependents == told_from[each]]
    stored_bytes = sum(size.stored_bytes for size in gone)
    yield replace(done, blobs=len(gone), stored_bytes=stored_bytes)


class Sieve:
    """Decides row by row what goes; rows come in the order of the store's `history`."""

    def __init__(self, policy: PrunePolicy, now: datetime) -> None:
        self.policy = policy
        self.versions = 0
        """Versions of which no row stays."""
        self._left_before = None if policy.keep_for is None else now - policy.keep_for
        self._key: DagKey | None = None
        self._version = 0
        self._rank = 0
        self._next_created_at: datetime | None = None
        self._left_at: datetime | None = None
        self._stays = False
        self._newest_passed = False

    def takes(self, row: HistoryRow) -> bool:
        """Tell whether a row goes."""
        if row.place.key != self._key:
            self._begin_dag(row)
        elif row.place.version != self._version:
            self._begin_version(row)
        goes = row.until_revision is not None and not self._is_pinned(row)
        if goes and not self._version_goes():
            goes = self._is_forgotten(row)
        self._newest_passed |= not row.deleted
        if not goes and not row.deleted:
            self._stays = True
        return goes

    def finish(self) -> None:
        """Count the version that was looked at last."""
        if self._key is not None and not self._stays:
            self.versions += self._version_goes()
        self._key = None

    def covers(self, key: DagKey) -> bool:
        """Tell whether the policy is about this DAG."""
        return self.policy.namespace in (None, key.namespace)

    def _begin_dag(self, row: HistoryRow) -> None:
        self.finish()
        self._key = row.place.key
        self._rank = 0
        self._next_created_at = None
        self._look_at(row)

    def _begin_version(self, row: HistoryRow) -> None:
        key = self._key
        self.finish()
        self._key = key
        self._look_at(row)

    def _look_at(self, row: HistoryRow) -> None:
        self._version = row.place.version
        self._rank += 1
        self._left_at, self._next_created_at = self._next_created_at, row.version_created_at
        self._stays = self._newest_passed = False

    def _version_goes(self) -> bool:
        policy = self.policy
        if self._left_at is None or not policy.drops_versions or self._key is None:
            return False
        recent = self._left_before is not None and self._left_at >= self._left_before
        return self._rank > policy.keep_versions and not recent and self.covers(self._key)

    def _is_forgotten(self, row: HistoryRow) -> bool:
        """A row that ended before the past that is kept, and is not what its version is read from."""
        ended = (row.until_revision or 0) <= self.policy.compact_revision
        return ended and (row.deleted or self._newest_passed) and self.covers(row.place.key)

    def _is_pinned(self, row: HistoryRow) -> bool:
        pinned = self.policy.pinned
        return row.content_hash in pinned or row.source_hash in pinned


def _judged(
    store: Store, sieve: Sieve, namespace: str | None
) -> Iterator[list[tuple[HistoryRow, bool]]]:
    """Walk the rows of all histories, page by page, and tell of each whether it goes."""
    before: HistoryPlace | None = None
    while True:
        with store.read() as snapshot:
            rows = snapshot.history(namespace, before=before, limit=PAGE_ROWS)
        if not rows:
            sieve.finish()
            yield []
            return
        before = rows[-1].place
        yield [(row, sieve.takes(row)) for row in rows]
