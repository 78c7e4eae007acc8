"""Deserialized DAGs by content hash: the least recently used go first, within a bound in bytes."""

import threading
from collections import OrderedDict
from contextlib import suppress
from typing import Any

from dagcatalog_airflow.deserializing import Deserializer
from dagcatalog_airflow.errors import AirflowUnusable, DocumentUnreadable
from dagcatalog_client import DagSummary
from dagcatalog_client.informer import forks


class DeserializedDags:
    """A cache that bags share. What it returns is everybody's: nobody may change it.

    The bound counts the bytes of the documents, since what a DAG takes cannot be told cheaply.
    """

    def __init__(self, deserialize: Deserializer, max_bytes: int) -> None:
        if max_bytes < 0:
            raise ValueError("a bound in bytes is not negative")
        self.max_bytes = max_bytes
        self.held_bytes = 0
        self._deserialize = deserialize
        self._held: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        # Also held while a DAG is deserialized: Python does one at a time anyway, a DAG that several
        # threads want is made once, and Airflow's switch for links is one for the process.
        self._lock = threading.RLock()
        forks.register(self)

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, content_hash: str) -> bool:
        return content_hash in self._held

    def get(self, content_hash: str) -> Any | None:
        """Return a DAG, and count it as used; None: it is not here."""
        found = self._held.get(content_hash)
        if found is None:
            return None
        with suppress(KeyError):  # no lock, not to wait for another DAG: it may be dropped by now
            self._held.move_to_end(content_hash)
        return found[0]

    def make(self, summary: DagSummary, document: bytes) -> Any:
        """Return the DAG of a document, deserialized unless another thread has done it meanwhile.

        Raises:
            DocumentUnreadable: Airflow refuses it.
            AirflowUnusable: there is no Airflow.

        """
        with self._lock:
            found = self.get(summary.content_hash)
            if found is not None:
                return found
            try:
                dag = self._deserialize(document)
            except AirflowUnusable:
                raise
            except Exception as error:
                raise DocumentUnreadable(summary, self._deserialize.version) from error
            self._keep(summary.content_hash, dag, len(document))
            return dag

    def _keep(self, content_hash: str, dag: Any, document_bytes: int) -> None:
        if document_bytes > self.max_bytes:
            return
        self._held[content_hash] = (dag, document_bytes)
        self.held_bytes += document_bytes
        while self.held_bytes > self.max_bytes:
            _, (_, dropped_bytes) = self._held.popitem(last=False)
            self.held_bytes -= dropped_bytes

    def before_fork(self, patience_s: float) -> bool:
        """Let a child begin with whole DAGs. Called by the forking thread."""
        return self._lock.acquire(timeout=patience_s)

    def after_fork_in_parent(self) -> None:
        """Go on. Called by the forking thread."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Go on with what is here: the thread that held the lock is gone."""
        self._lock = threading.RLock()
