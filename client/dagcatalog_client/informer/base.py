"""What both informers are: the local copy, what is read of it, and what an event does to it.

Nothing here waits but for a lock that is held for moments. The shells own the watch and the calls.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from math import inf
from typing import Any, NoReturn

from dagcatalog_client import facts
from dagcatalog_client.convert.encodings import Encoded
from dagcatalog_client.convert.mirrored import entry_of_bytes
from dagcatalog_client.errors import (
    CatalogError,
    DagNotFound,
    InvalidArgument,
    NotSynced,
    OutOfRange,
    Unavailable,
    forked_child,
)
from dagcatalog_client.facts import Facts
from dagcatalog_client.informer import forks, snapshot
from dagcatalog_client.informer.backoff import Backoff
from dagcatalog_client.informer.disk import DiskCache
from dagcatalog_client.informer.documents import Documents, Held
from dagcatalog_client.informer.entry import Entry
from dagcatalog_client.informer.events import Effect, EffectKind, MirrorEvent
from dagcatalog_client.informer.indexes import KeysOf
from dagcatalog_client.informer.keeper import Keeper
from dagcatalog_client.informer.mirror import Kept, Mirror
from dagcatalog_client.informer.options import Options
from dagcatalog_client.informer.snapshot import Snapshot
from dagcatalog_client.model import (
    Bookmark,
    Dag,
    DagProfile,
    DagSelector,
    DagSummary,
    DagView,
    Position,
)

logger = logging.getLogger(__name__)

CONTENT_HASH = re.compile(r"[0-9a-f]{64}")
BATCH = 500
"""Documents of one GetBatch."""


class Turn(Enum):
    """What a shell does after an event."""

    GO_ON = "read the next event"
    FILL = "watch on with documents, and fetch those that are missing"
    MOVE = "the server drains: watch on elsewhere"


@dataclass(frozen=True, slots=True)
class Ask:
    """What the next watch asks for."""

    after: Position | None
    """None: the present."""
    view: DagView


class InformerCore:
    """The local copy and its readers. Everything here may be called from any thread."""

    def __init__(
        self,
        namespace: str,
        address: str,
        options: Options,
        backoff: Backoff,
        clock: Callable[[], float],
    ) -> None:
        self._namespace = namespace
        self._options = options
        self._backoff = backoff
        self._clock = clock
        self._namespaces = (
            (namespace,) if options.namespaces is None else tuple(sorted(options.namespaces))
        )
        # "-" stands for every namespace that a consumer watches.
        self._consumed = self._namespaces[0] if len(self._namespaces) == 1 else "-"
        self._functions: dict[str, KeysOf] = {}
        self._mirror = Mirror(self._functions)
        self._documents = Documents(options.memory_bytes)
        self._handlers: dict[EffectKind, tuple[Callable[..., object], ...]]
        self._handlers = dict.fromkeys(EffectKind, ())
        self._lock = threading.RLock()
        self._disk: DiskCache | None = None
        self._keeper: Keeper | None = None
        self._open_folder(address)
        self._view = options.view
        self._contact_s = -inf
        self._synced = False
        self._failure: CatalogError | None = None
        self._loaded: Iterable[Effect] = ()
        self._started = False
        self._forked = False

    # --- what is read ---

    @property
    def position(self) -> Position | None:
        """Where the local copy stands; None before there is one."""
        kept = self._mirror.kept
        return None if kept is None else kept.position

    @property
    def synced(self) -> bool:
        """True once this process has had the present from the catalog; it stays true."""
        return self._synced

    @property
    def failure(self) -> CatalogError | None:
        """What keeps the informer from the catalog now; None while it is being followed."""
        return self._failure

    @property
    def last_contact(self) -> datetime | None:
        """When the catalog last said that the local copy is the present; None: never."""
        age_s = self.staleness_s()
        return None if age_s == inf else datetime.now(UTC) - timedelta(seconds=age_s)

    def staleness_s(self) -> float:
        """Return how long ago the catalog last said that the local copy is the present.

        While the watch is well that is at most about `bookmark_interval_s`. A snapshot from disk
        brings its age along, also across a restart. `math.inf`: there is no local copy yet.

        Example:
            ```python
            if informer.staleness_s() > 60:
                print("the catalog is away since", informer.last_contact)
            ```

        """
        return max(0.0, self._clock() - self._contact_s)

    def summary(self, dag_id: str, *, namespace: str | None = None) -> DagSummary:
        """Return a DAG's summary; it is always in memory.

        Raises:
            DagNotFound: no such DAG.
            NotSynced: there is no local copy yet.

        Example:
            ```python
            print(informer.summary("etl").version)
            ```

        """
        return self._entry(dag_id, namespace).summary

    def list(self, *, namespace: str | None = None) -> Sequence[DagSummary]:
        """Return the summaries of all DAGs by namespace and dag_id, all of one position.

        No `namespace`: of every namespace that is followed.

        Raises:
            NotSynced: there is no local copy yet.

        Example:
            ```python
            for summary in informer.list():
                print(summary.dag_id, summary.version)
            ```

        """
        with self._lock:
            entries = self._kept().entries()
        chosen = [one for one in entries if namespace is None or one.namespace == namespace]
        return [one.summary for one in sorted(chosen, key=_key)]

    def by_index(self, name: str, key: Hashable) -> Sequence[DagSummary]:
        """Return the summaries of the DAGs that an index has under a key, by namespace and dag_id.

        Raises:
            KeyError: no index has that name.
            NotSynced: there is no local copy yet.

        Example:
            ```python
            for summary in informer.by_index("owner", "data-team"):
                print(summary.dag_id)
            ```

        """
        with self._lock:
            entries = self._kept().indexes.find(name, key)
        return [one.summary for one in entries]

    # --- what is set before the start ---

    def add_index(self, name: str, keys_of: KeysOf) -> None:
        """Keep an index: `keys_of` tells from a summary under which keys the DAG is found.

        It is asked once for each change, while nobody waits for a lock. What it raises is logged,
        and leaves the DAG out of the index. Every summary is decoded for it.

        Raises:
            RuntimeError: the informer was started already.

        """
        if self._started:
            raise RuntimeError("an index is added before the informer starts")
        self._functions[name] = keys_of

    def add_handler(
        self,
        *,
        added: Callable[[DagSummary], object] | None = None,
        updated: Callable[[DagSummary, DagSummary], object] | None = None,
        deleted: Callable[[DagSummary], object] | None = None,
    ) -> None:
        """Call functions when a DAG is added (new), updated (old, new) or deleted (old).

        They are called one after the other, in the order of the changes, by the one who reads the
        watch: the local copy already holds the change, later ones wait until the handler returns.
        A handler that has much to do hands it on. What it raises is logged and changes nothing. The
        first state is told as added DAGs; after a gap the difference is told. A handler hears of
        what comes after it was added.
        """
        given = {
            EffectKind.ADDED: added,
            EffectKind.UPDATED: updated,
            EffectKind.DELETED: deleted,
        }
        with self._lock:
            for kind, handler in given.items():
                if handler is not None:
                    self._handlers[kind] = (*self._handlers[kind], handler)

    # --- documents ---

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

    def _entry(self, dag_id: str, namespace: str | None) -> Entry:
        kept = self._mirror.kept
        if kept is None:
            raise self._nothing_yet()
        chosen = self._namespace if namespace is None else namespace
        dags = kept.dags.get(chosen)
        entry = None if dags is None else dags.get(dag_id)
        if entry is None:
            told = Facts(metadata={"namespace": chosen, "dag_id": dag_id})
            raise DagNotFound(f"no DAG {dag_id!r} in namespace {chosen!r}", told)
        return entry

    def _kept(self) -> Kept:
        if self._mirror.kept is None:
            raise self._nothing_yet()
        return self._mirror.kept

    def _nothing_yet(self) -> NotSynced:
        """Return the error of whoever asks before there is something."""
        failure = self._failure
        why = "" if failure is None else f": {failure}"
        error = NotSynced(f"the catalog has not been heard of yet{why}")
        error.__cause__ = failure
        return error

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

    def _entries(self, kept: Kept) -> Sequence[Entry]:
        with self._lock:
            return kept.entries()

    def _is_here(self, content_hash: str) -> bool:
        if content_hash in self._documents:
            return True
        return self._disk is not None and content_hash in self._disk

    def _room_bytes(self) -> int:
        """Return how many bytes of documents are worth fetching ahead."""
        disk_bytes = 0 if self._disk is None else self._options.disk_bytes
        return max(self._options.memory_bytes, disk_bytes)

    # --- following ---

    def _ask(self) -> Ask:
        """Begin another watch. What has documents already asks for summaries, then for the rest."""
        after = self._mirror.begin()
        warm = self._mirror.kept is not None or (self._disk is not None and not self._disk.empty())
        return Ask(after, DagView.SUMMARY if after is None and warm else self._view)

    def _take(self, event: MirrorEvent, ask: Ask) -> tuple[Turn, Iterable[Effect]]:
        """Apply an event; return what comes next, and what the handlers are to hear.

        Raises:
            OutOfRange: the event cannot follow what is here.

        """
        if not isinstance(event, Bookmark) and event.documents:
            with self._lock:
                self._documents.put_all(event.documents)
            if self._keeper is not None:
                self._keeper.offer(*(content_hash for content_hash, _ in event.documents))
        update = self._mirror.prepare(event)
        with self._lock:
            self._mirror.commit(update)
            if update.position is not None:
                self._contact_s = self._clock()
                self._synced, self._failure = True, None
                self._notice()
        if update.position is not None:
            self._backoff.reset()
        if isinstance(event, Bookmark) and event.draining:
            return Turn.MOVE, update.effects
        if update.replacement is not None:
            if self._keeper is not None:
                self._keeper.snapshot_soon()
            if ask.view is not self._view:
                return Turn.FILL, update.effects
        return Turn.GO_ON, update.effects

    def _failed(self, error: CatalogError) -> float:
        """Note what ended a watch; return how long to wait before the next."""
        if isinstance(error, OutOfRange):
            self._mirror.relist()
        with self._lock:
            self._failure = error
            self._notice()
        logger.info("watch_broken failures=%d error=%s", self._backoff.failures + 1, error)
        return self._backoff.next_s(error.retry_after_s if isinstance(error, Unavailable) else None)

    def _notice(self) -> None:
        """Wake whoever waits for a change; under the lock."""
        raise NotImplementedError

    def _has(self, position: Position) -> bool:
        own = self.position
        return own is not None and own.epoch == position.epoch and own.revision >= position.revision

    def _not_there(self, position: Position) -> NotSynced:
        """Return the error of whoever waited for a position in vain."""
        error = NotSynced(f"the informer is at {self.position}, not at {position}")
        error.__cause__ = self._failure
        return error

    def _take_loaded(self) -> Iterable[Effect]:
        """Give what was loaded from disk, once."""
        loaded, self._loaded = self._loaded, ()
        return loaded

    def _heard(self, effects: Iterable[Effect]) -> Iterable[tuple[Callable[..., Any], Effect]]:
        """Pair each effect with who is to hear of it."""
        if any(self._handlers.values()):
            for effect in effects:
                for handler in self._handlers[effect.kind]:
                    yield handler, effect

    # --- disk ---

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

    # --- forks ---

    def before_fork(self, patience_s: float) -> bool:
        """Hold still, so that the child gets a whole state. Called by the forking thread."""
        return self._lock.acquire(timeout=patience_s)

    def after_fork_in_parent(self) -> None:
        """Go on. Called by the forking thread."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Go on with what is here: no threads, no grpc, locks of our own."""
        self._lock = threading.RLock()
        self._forked = self._started
        if self._started:
            self._keeper = None

    def _check_not_forked(self, wanted: str, *, unless: bool = False) -> None:
        if self._forked and not unless:
            self._refuse(wanted)

    def _refuse(self, wanted: str) -> NoReturn:
        raise forked_child(wanted)

    def _enlist(self) -> None:
        forks.register(self)
        forks.warn_of_grpc()


def check_content_hash(content_hash: str) -> None:
    """Refuse what is no hash, before it becomes a path or a request.

    Raises:
        InvalidArgument: it is not 64 lower-case hexadecimal digits.

    """
    if not CONTENT_HASH.fullmatch(content_hash):
        problem = "a content_hash is 64 lower-case hexadecimal digits"
        violation = facts.Violation("content_hash", problem)
        raise InvalidArgument(f"content_hash: {problem}", Facts(violations=(violation,)))


def is_refusal(error: CatalogError | None) -> bool:
    """Tell whether waiting will hardly help."""
    return error is not None and error.code in (
        "INVALID_ARGUMENT",
        "UNAUTHENTICATED",
        "PERMISSION_DENIED",
        "UNIMPLEMENTED",
    )


def _key(entry: Entry) -> tuple[str, str]:
    return entry.key
