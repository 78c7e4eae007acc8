"""Blobs that the next versions of DAGs are told from, kept unpacked within a bound.

Every version of a DAG is compared with the same base, until its differences grow: reading, unpacking
and checking that base takes longer than compressing the difference.
"""

from threading import Lock

from cachetools import LRUCache

from dagcatalog_server.store.blob_codec import Base

MAX_BYTES = 16 * 1024**2


class KeptBases:
    """Whole blobs by hash, as they were checked; the one that was not used for longest leaves first."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._kept: LRUCache[str, Base] = LRUCache(max_bytes, lambda base: len(base.raw))
        self._lock = Lock()

    def get(self, blob_hash: str) -> Base | None:
        """Return a base, if it is kept."""
        with self._lock:
            return self._kept.get(blob_hash)

    def keep(self, base: Base) -> None:
        """Keep a base whose bytes have its hash."""
        with self._lock:
            if len(base.raw) <= self._kept.maxsize:
                self._kept[base.hash] = base
