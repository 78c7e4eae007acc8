"""The reference store: dictionaries and a lock. It keeps nothing after the process.

A writer works on a copy of everything and the copy replaces the original when it is done, so that a
snapshot is a reference. Writers take turns: nobody overtakes a writer here.
"""

# ruff: noqa: D102 - catalog.ports documents the methods; not all arguments are needed here

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from uuid import uuid4

from dagcatalog_server.catalog.model import (
    Blob,
    Clock,
)
from dagcatalog_server.store.memory_history import (
    Contents,
    KeptBlobs,
)
from dagcatalog_server.store.memory_reading import MemorySnapshot
from dagcatalog_server.store.memory_writing import MemoryTransaction


class MemoryStore:
    """Implements `ports.Store` without a database."""

    def __init__(self) -> None:
        self._writers = threading.Lock()
        self._keeping = threading.Lock()
        self._contents = Contents(Clock(uuid4().hex, 0, 0))
        self._blobs = KeptBlobs({}, {})

    @property
    def name(self) -> str:
        return "memory"

    @property
    def schema_revision(self) -> str:
        return ""

    @property
    def blobs_first(self) -> bool:
        return True

    def put_blobs(self, blobs: Iterable[Blob]) -> None:
        with self._keeping:
            for blob in blobs:
                self._blobs.keep(blob)

    def clock(self) -> Clock:
        return self._contents.clock

    @contextmanager
    def read(self) -> Iterator["MemorySnapshot"]:
        yield MemorySnapshot(self._contents, self._blobs)

    @contextmanager
    def write(self) -> Iterator["MemoryTransaction"]:
        with self._writers:
            transaction = MemoryTransaction(self._contents.copy(), self._blobs)
            yield transaction
            with self._keeping:
                if transaction.dropped:  # copied: open snapshots keep theirs
                    self._blobs = self._blobs.without(transaction.dropped)
            self._contents = transaction.contents

    def close(self) -> None:
        """Nothing to give back."""
