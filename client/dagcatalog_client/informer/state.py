"""What both informers know: the local copy, how old it is, and what a fork does to it.

Nothing here waits but for a lock that is held for moments.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from math import inf
from typing import NoReturn

from dagcatalog_client.errors import CatalogError, DagNotFound, NotSynced, forked_child
from dagcatalog_client.facts import Facts
from dagcatalog_client.informer import forks
from dagcatalog_client.informer.backoff import Backoff
from dagcatalog_client.informer.disk import DiskCache
from dagcatalog_client.informer.documents import Documents
from dagcatalog_client.informer.entry import Entry
from dagcatalog_client.informer.events import Effect, EffectKind
from dagcatalog_client.informer.indexes import KeysOf
from dagcatalog_client.informer.keeper import Keeper
from dagcatalog_client.informer.mirror import Kept, Mirror
from dagcatalog_client.informer.options import Options
from dagcatalog_client.model import Position


class InformerState(ABC):
    """The local copy. Everything here may be called from any thread."""

    def __init__(
        self,
        namespace: str,
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
        self._view = options.view
        self._contact_s = -inf
        self._synced = False
        self._failure: CatalogError | None = None
        self._loaded: Iterable[Effect] = ()
        self._started = False
        self._forked = False

    @property
    def namespace(self) -> str:
        """Airflow deployment that reads mean when they name none."""
        return self._namespace

    @property
    def options(self) -> Options:
        """What it was set to."""
        return self._options

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

    def _entries(self, kept: Kept) -> Sequence[Entry]:
        with self._lock:
            return kept.entries()

    def _nothing_yet(self) -> NotSynced:
        """Return the error of whoever asks before there is something."""
        failure = self._failure
        why = "" if failure is None else f": {failure}"
        error = NotSynced(f"the catalog has not been heard of yet{why}")
        error.__cause__ = failure
        return error

    def _has(self, position: Position) -> bool:
        own = self.position
        return own is not None and own.epoch == position.epoch and own.revision >= position.revision

    def _not_there(self, position: Position) -> NotSynced:
        """Return the error of whoever waited for a position in vain."""
        error = NotSynced(f"the informer is at {self.position}, not at {position}")
        error.__cause__ = self._failure
        return error

    @abstractmethod
    def _notice(self) -> None:
        """Wake whoever waits for a change; under the lock."""

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
