"""Writes what an informer has to disk, on a thread of its own: no reader and no watch waits for it."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from dagcatalog_client.informer import snapshot
from dagcatalog_client.informer.disk import DiskCache
from dagcatalog_client.informer.snapshot import Snapshot
from dagcatalog_client.position import Position

logger = logging.getLogger(__name__)

MAX_PENDING = 100_000
"""Documents that wait to be written, by name; what comes when there are more is not written."""
UNCHANGED_INTERVALS = 5
"""A snapshot whose position did not move is written again after so many intervals, for its time."""
CLOSE_TIMEOUT_S = 10.0


class Keeper:
    """One thread. What it cannot write is logged, once until it can again."""

    def __init__(
        self,
        disk: DiskCache,
        path: Path,
        *,
        document: Callable[[str], bytes | None],
        take: Callable[[], Snapshot | None],
        interval_s: float,
    ) -> None:
        """`document` gives what is still in memory; `take` gives what a snapshot is to hold."""
        self._disk = disk
        self._path = path
        self._document = document
        self._take = take
        self._interval_s = interval_s
        self._pending: dict[str, None] = {}
        self._changed = threading.Condition()
        self._due_s = 0.0
        self._written: Position | None = None
        self._skipped = 0
        self._failing = False
        self._closing = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to write."""
        self._due_s = time.monotonic() + self._interval_s
        self._thread = threading.Thread(
            target=self._run, name="dagcatalog-informer-disk", daemon=True
        )
        self._thread.start()

    def offer(self, *content_hashes: str) -> None:
        """Write documents when there is time."""
        with self._changed:
            if len(self._pending) < MAX_PENDING:
                self._pending.update(dict.fromkeys(content_hashes))
                self._changed.notify()

    def snapshot_soon(self) -> None:
        """Write a snapshot next."""
        with self._changed:
            self._due_s = 0.0
            self._changed.notify()

    def close(self) -> None:
        """Write what is waiting and a last snapshot, for ten seconds at most."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(CLOSE_TIMEOUT_S)

    def _run(self) -> None:
        while True:
            content_hash, due, closing = self._next()
            if content_hash is not None:
                self._safely(lambda: self._write_document(content_hash))  # noqa: B023 - called now
            if due:
                self._safely(self._write_snapshot)
            if closing:
                self._skipped = UNCHANGED_INTERVALS
                self._safely(self._write_snapshot)
                return

    def _next(self) -> tuple[str | None, bool, bool]:
        """Wait for something to do: a document, a snapshot that is due, the end."""
        with self._changed:
            while True:
                due = time.monotonic() >= self._due_s
                if due:
                    self._due_s = time.monotonic() + self._interval_s
                name = next(iter(self._pending), None)
                if name is not None:
                    del self._pending[name]
                if due or name is not None or self._closing:
                    return name, due, self._closing and not self._pending
                self._changed.wait(max(0.0, self._due_s - time.monotonic()))

    def _write_document(self, content_hash: str) -> None:
        document = self._document(content_hash)
        if document is not None:
            self._disk.write(content_hash, document)

    def _write_snapshot(self) -> None:
        taken = self._take()
        if taken is None:
            return
        self._skipped += 1
        if taken.position == self._written and self._skipped < UNCHANGED_INTERVALS:
            return
        snapshot.write(self._path, taken)
        self._written, self._skipped = taken.position, 0

    def _safely(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            if not self._failing:
                logger.warning("disk_cache_unwritable error=%s", error)
            self._failing = True
        else:
            self._failing = False
