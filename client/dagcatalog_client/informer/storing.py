"""What both informers do with documents: keep them in memory and on disk, and tell what is missing."""

import logging
import re
import time
from collections.abc import Callable, Iterable, Sequence

from dagcatalog_client import facts
from dagcatalog_client.convert.encodings import Encoded
from dagcatalog_client.convert.mirrored import entry_of_bytes
from dagcatalog_client.errors import InvalidArgument
from dagcatalog_client.facts import Facts
from dagcatalog_client.informer import snapshot
from dagcatalog_client.informer.backoff import Backoff
from dagcatalog_client.informer.disk import DiskCache
from dagcatalog_client.informer.documents import Held
from dagcatalog_client.informer.entry import Entry
from dagcatalog_client.informer.events import Effect
from dagcatalog_client.informer.keeper import Keeper
from dagcatalog_client.informer.options import Options
from dagcatalog_client.informer.snapshot import Snapshot
from dagcatalog_client.informer.state import InformerState
from dagcatalog_client.model import Dag, DagProfile, DagSelector

logger = logging.getLogger(__name__)

CONTENT_HASH = re.compile(r"[0-9a-f]{64}")
BATCH = 500
"""Documents of one GetBatch."""


class InformerDocuments(InformerState):
    """Documents and summaries, in memory and on disk."""

    def __init__(
        self,
        namespace: str,
        address: str,
        options: Options,
        backoff: Backoff,
        clock: Callable[[], float],
    ) -> None:
        super().__init__(namespace, options, backoff, clock)
        self._open_folder(address)

    def _at_hand(self, dag_id: str, namespace: str | None) -> Dag | Entry:
        """Return a DAG if its document is in memory, else what is known of it."""
        entry = self._entry(dag_id, namespace)
        held = self._documents.get(entry.content_hash)
        if held is None:
            return entry
        dag = held.dag
        if dag is not None and dag.summary is entry.decoded:
            return dag
        return self._unpacked(entry.content_hash, held).with_summary(entry.summary)

    def _unpacked(self, content_hash: str, held: Held) -> Held:
        """Keep a document as it is read, once it is read."""
        if not held.encoded.packed:
            return held
        document = Encoded(held.document)
        with self._lock:
            return self._documents.unpack(content_hash, document)

    def _hold(self, content_hash: str, document: bytes) -> Held:
        with self._lock:
            return self._documents.put(content_hash, Encoded(document))

    def _keep(self, content_hash: str, document: bytes) -> Held:
        """Keep a document that came over the wire."""
        held = self._hold(content_hash, document)
        if self._keeper is not None:
            self._keeper.offer(content_hash)
        return held

    def _from_disk(self, content_hash: str) -> Held | None:
        if self._disk is None:
            return None
        try:
            document = self._disk.read(content_hash)
        except OSError as error:
            logger.warning("disk_cache_unreadable error=%s", error)
            return None
        return None if document is None else self._hold(content_hash, document)

    def _missing(self) -> Iterable[tuple[str, Sequence[DagSelector]]]:
        """Give the documents that neither memory nor disk holds, in batches of a namespace."""
        kept = self._mirror.kept
        batch: dict[str, list[DagSelector]] = {}
        for entry in [] if kept is None else self._entries(kept):
            if not self._is_here(entry.content_hash):
                waiting = batch.setdefault(entry.namespace, [])
                waiting.append(DagSelector(content_hash=entry.content_hash))
                if len(waiting) == BATCH:
                    yield entry.namespace, batch.pop(entry.namespace)
        yield from batch.items()

    def _is_here(self, content_hash: str) -> bool:
        if content_hash in self._documents:
            return True
        return self._disk is not None and content_hash in self._disk

    def _room_bytes(self) -> int:
        """Return how many bytes of documents are worth fetching ahead."""
        disk_bytes = 0 if self._disk is None else self._options.disk_bytes
        return max(self._options.memory_bytes, disk_bytes)

    def _open_folder(self, address: str) -> None:
        options = self._options
        if options.folder is None:
            return
        whole = options.profile in (DagProfile.UNSPECIFIED, DagProfile.FULL)
        variant = "" if whole else options.profile.name.lower()
        self._disk = DiskCache(options.folder, options.disk_bytes, variant=variant)
        name = snapshot.file_name(address, self._namespaces, options.dag_id_prefix)
        self._snapshot_path = options.folder / "snapshots" / name
        self._keeper = Keeper(
            self._disk,
            self._snapshot_path,
            document=self._peek,
            take=self._take_snapshot,
            interval_s=options.snapshot_interval_s,
        )

    def _peek(self, content_hash: str) -> bytes | None:
        held = self._documents.peek(content_hash)
        return None if held is None else held.document

    def _take_snapshot(self) -> Snapshot | None:
        with self._lock:
            kept = self._mirror.kept
            if kept is None or not self._synced:
                return None
            raw = [entry.raw for entry in kept.entries()]
            return Snapshot(kept.position, time.time() - self.staleness_s(), raw)

    def _load(self) -> None:
        """Take what an earlier process left on disk, if there is something."""
        if self._disk is None:
            return
        try:
            found = snapshot.read(self._snapshot_path)
        except (OSError, ValueError, KeyError) as error:
            logger.warning("snapshot_unreadable error=%s", error)
            return
        if found is None:
            return
        update = self._mirror.load(found.position, map(entry_of_bytes, found.summaries))
        with self._lock:
            self._mirror.commit(update)
            self._contact_s = self._clock() - max(0.0, time.time() - found.last_contact_s)
        self._loaded = update.effects

    def _take_loaded(self) -> Iterable[Effect]:
        """Give what was loaded from disk, once."""
        loaded, self._loaded = self._loaded, ()
        return loaded


def check_content_hash(content_hash: str) -> None:
    """Refuse what is no hash, before it becomes a path or a request.

    Raises:
        InvalidArgument: it is not 64 lower-case hexadecimal digits.

    """
    if not CONTENT_HASH.fullmatch(content_hash):
        problem = "a content_hash is 64 lower-case hexadecimal digits"
        violation = facts.Violation("content_hash", problem)
        raise InvalidArgument(f"content_hash: {problem}", Facts(violations=(violation,)))
