"""`Informer`: a local copy of the catalog, for threads."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc

from dagcatalog_client.calls import informing
from dagcatalog_client.client import Client
from dagcatalog_client.errors import (
    CatalogError,
    ClientClosed,
    ContentNotFound,
    DeadlineExceeded,
)
from dagcatalog_client.informer import forks
from dagcatalog_client.informer.acknowledging import INTERVAL_S, Acknowledged
from dagcatalog_client.informer.backoff import Backoff
from dagcatalog_client.informer.base import (
    Ask,
    InformerCore,
    Turn,
    check_content_hash,
    is_refusal,
)
from dagcatalog_client.informer.documents import Held
from dagcatalog_client.informer.events import Effect
from dagcatalog_client.informer.options import (
    CLOSE_TIMEOUT_S,
    FETCH_TIMEOUT_S,
    LEAVE_TIMEOUT_S,
    MIB,
    Options,
)
from dagcatalog_client.model import Dag, DagProfile, DagSelector, DagView, Position
from dagcatalog_client.shells.sync_watch import Responses

logger = logging.getLogger(__name__)


class Informer(InformerCore):
    """Keeps a copy of the catalog in this process, and keeps it right. For threads.

    It follows the catalog by one watch: the present first, then each change; after a break it goes
    on where it was, and where that is gone it takes the present again. Meanwhile, and while the
    catalog is away, it serves what it has, never a mixture, never a step back within an epoch;
    `staleness_s` says how old that is. Summaries are all in memory, documents up to `memory_bytes`.

    It uses `client` and does not close it. `namespaces`: the client's own if left out, "-" for every
    one. `view` DOCUMENT: the first state and each change bring their documents along; SUMMARY: a
    document is fetched when it is first asked for. `profile`: trimmed documents. With a
    `consumer_id` the informer is a consumer, and acknowledges what its handlers have heard.

    `folder` is a disk cache, which processes may share (to `disk_bytes`): documents by their hash,
    and a snapshot of the summaries, written after the first state, each `snapshot_interval_s` and
    at the end. A process that starts while the catalog is away serves it.

    Threads are started by `start` (or `with`), and connections opened. In a child that is forked
    after that, the informer serves what memory and disk hold and raises `ForkedChild` beyond;
    the parent does not notice. Set GRPC_ENABLE_FORK_SUPPORT=0 where processes fork, before grpc is
    imported. `backoff` and `clock` are for tests.

    Example:
        ```python
        with Client("127.0.0.1:50051") as client, Informer(client) as informer:
            informer.wait_for_sync(10)
            print(informer.get("etl").summary.version)
        ```

    """

    def __init__(
        self,
        client: Client,
        *,
        namespaces: Sequence[str] | None = None,
        dag_id_prefix: str = "",
        view: DagView = DagView.DOCUMENT,
        profile: DagProfile = DagProfile.FULL,
        consumer_id: str = "",
        memory_bytes: int = 256 * MIB,
        folder: Path | str | None = None,
        disk_bytes: int = 1024 * MIB,
        snapshot_interval_s: float = 60.0,
        bookmark_interval_s: float = 5.0,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        options = Options(
            namespaces=namespaces,
            dag_id_prefix=dag_id_prefix,
            view=view,
            profile=profile,
            consumer_id=consumer_id,
            memory_bytes=memory_bytes,
            folder=None if folder is None else Path(folder),
            disk_bytes=disk_bytes,
            snapshot_interval_s=snapshot_interval_s,
            bookmark_interval_s=bookmark_interval_s,
        )
        super().__init__(client.namespace, client.address, options, backoff or Backoff(), clock)
        self._client = client
        self._changed = threading.Condition(self._lock)
        self._flights: dict[str, Future[Held]] = {}
        self._closing = threading.Event()
        self._responses: Responses | None = None
        self._threads: list[threading.Thread] = []
        self._acknowledged = Acknowledged()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Load what the disk cache has, and begin to follow the catalog. Once."""
        self._check_not_forked("start")
        with self._lock:
            if self._started:
                raise RuntimeError("an informer is started once")
            self._started = True
        self._enlist()
        self._load()
        if self._keeper is not None:
            self._keeper.start()
        self._spawn(self._run, "watch")
        if self._options.consumer_id:
            self._spawn(self._acknowledge, "acknowledge")

    def close(self) -> None:
        """End the watch and write the disk cache; what is in memory can still be read."""
        if self._forked:
            return
        self._closing.set()
        with self._changed:
            responses = self._responses
            self._changed.notify_all()
        if responses is not None:
            responses.cancel()
        for thread in self._threads:
            if thread is not threading.current_thread():  # a handler may close the informer
                thread.join(CLOSE_TIMEOUT_S)
        self._leave()
        if self._keeper is not None and self._started:
            self._keeper.close()

    def wait_for_sync(self, timeout_s: float) -> None:
        """Block until this process has had the present from the catalog.

        Raises:
            NotSynced: not within `timeout_s`; a snapshot from disk may be served all the same.
            InvalidArgument, Unauthenticated, PermissionDenied: the catalog refuses the watch.
            ForkedChild: in a child, if it was not so before the fork.

        Example:
            ```python
            informer.wait_for_sync(10)
            print(len(informer.list()))
            ```

        """
        if self._wait(lambda: self._synced or is_refusal(self._failure), timeout_s):
            if not self._synced and self._failure is not None:
                raise self._failure
            return
        raise self._nothing_yet()

    def wait_for(self, position: Position, timeout_s: float) -> None:
        """Block until the local copy is at a position or later, that of a write for instance.

        A position of another epoch than the catalog's is never reached.

        Raises:
            NotSynced: not within `timeout_s`.
            ForkedChild: in a child, if it was not so before the fork.

        Example:
            ```python
            informer.wait_for(client.status().position, 10)
            ```

        """
        if not self._wait(lambda: self._has(position), timeout_s):
            raise self._not_there(position)

    def get(
        self, dag_id: str, *, namespace: str | None = None, timeout_s: float | None = None
    ) -> Dag:
        """Return a DAG with its document: from memory, else from disk, else from the catalog.

        From memory nothing is made: the same object is returned each time.

        Raises:
            DagNotFound: no such DAG.
            NotSynced: there is no local copy yet.
            Unavailable: the document is not here, and the catalog is away.
            ForkedChild: the document is not here, and this is a child.

        Example:
            ```python
            dag = informer.get("etl")
            print(dag.summary.version, dag.json()["dag"])
            ```

        """
        found = self._at_hand(dag_id, namespace)
        if isinstance(found, Dag):
            return found
        while True:
            try:
                held = self._document(found.content_hash, found.namespace, timeout_s)
            except ContentNotFound:
                # Replaced and pruned since we looked: then the local copy knows something newer.
                newer = self._entry(dag_id, namespace)
                if newer.content_hash == found.content_hash:
                    raise
                found = newer
            else:
                return held.with_summary(found.summary)

    def by_hash(
        self, content_hash: str, *, namespace: str | None = None, timeout_s: float | None = None
    ) -> bytes:
        """Return the document with this content: from memory, disk or the catalog; never stale.

        It need not be a head's: any content that the namespace ever had and still keeps.

        Raises:
            InvalidArgument: that is no hash.
            ContentNotFound: nothing in the namespace has that content.
            Unavailable: the document is not here, and the catalog is away.
            ForkedChild: the document is not here, and this is a child.

        Example:
            ```python
            document = informer.by_hash(informer.summary("etl").content_hash)
            ```

        """
        held = self._documents.get(content_hash)
        if held is None:
            check_content_hash(content_hash)
            chosen = self._namespace if namespace is None else namespace
            held = self._document(content_hash, chosen, timeout_s)
        return self._unpacked(content_hash, held).document

    def _document(self, content_hash: str, namespace: str, timeout_s: float | None) -> Held:
        """Get a document that is not in memory; of those who want the same, one asks."""
        held = self._from_disk(content_hash)
        if held is not None:
            return held
        self._check_not_forked(f"content {content_hash}")
        timeout_s = FETCH_TIMEOUT_S if timeout_s is None else timeout_s
        with self._lock:
            flight = self._flights.get(content_hash)
            leads = flight is None
            if flight is None:
                flight = self._flights[content_hash] = Future()
        if leads:
            self._fly(flight, content_hash, namespace, timeout_s)
        try:
            return flight.result(timeout_s)
        except TimeoutError:
            raise DeadlineExceeded(f"content {content_hash} did not come in time") from None

    def _fly(
        self, flight: "Future[Held]", content_hash: str, namespace: str, timeout_s: float
    ) -> None:
        try:
            flight.set_result(self._fetch(content_hash, namespace, timeout_s))
        except BaseException as error:
            flight.set_exception(error)
            if not isinstance(error, Exception):
                raise
        finally:
            with self._lock:
                self._flights.pop(content_hash, None)

    def _fetch(self, content_hash: str, namespace: str, timeout_s: float) -> Held:
        """Ask the catalog."""
        selector = DagSelector(content_hash=content_hash)
        (answer,) = self._client.get_batch(
            [selector], profile=self._options.profile, namespace=namespace, timeout_s=timeout_s
        )
        return self._keep(content_hash, answer.unwrap().document)

    # --- the watch ---

    def _run(self) -> None:
        self._deliver(self._take_loaded())
        while not self._closing.is_set():
            try:
                self._follow(self._ask())
            except ClientClosed as error:
                self._failed(error)
                return
            except CatalogError as error:
                self._closing.wait(self._failed(error))
            except Exception:
                logger.exception("watch_failed")
                self._closing.wait(self._backoff.next_s())

    def _follow(self, ask: Ask) -> None:
        """Run one watch to its end."""
        if ask.after is None:
            self._acknowledged.begin()
        call = informing.follow(
            self._client._caller,
            namespaces=self._namespaces,
            dag_id_prefix=self._options.dag_id_prefix,
            view=ask.view,
            profile=self._options.profile,
            after=ask.after,
            bookmark_interval_s=self._options.bookmark_interval_s,
            consumer_id=self._options.consumer_id,
        )
        responses = self._client._stub.Watch(call.request)
        with self._lock:
            self._responses = responses
        if self._closing.is_set():
            responses.cancel()
        try:
            for response in responses:
                event = call.read(response)
                if event is None:
                    continue
                turn, effects = self._take(event, ask)
                self._deliver(effects)
                self._applied()
                if turn is Turn.FILL:
                    self._spawn(self._fill, "fill")
                    return
                if turn is Turn.MOVE:
                    break
        except grpc.RpcError as error:
            if self._closing.is_set():
                return
            raise self._client._failure(error) from error
        finally:
            responses.cancel()
        self._closing.wait(self._backoff.next_s())

    def _deliver(self, effects: Iterable[Effect]) -> None:
        for handler, effect in self._heard(effects):
            try:
                handler(*effect.summaries())
            except Exception:
                logger.exception("handler_failed kind=%s", effect.kind.value)

    def _applied(self) -> None:
        """Note that the handlers have heard of everything up to where the local copy stands."""
        if self._options.consumer_id:
            with self._changed:
                self._acknowledged.applied = self.position
                self._changed.notify_all()

    def _acknowledge(self) -> None:
        """Tell the catalog what was applied, as long as the informer is open."""
        backoff = replace(self._backoff, failures=0)
        while not self._closing.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._closing.is_set() or self._acknowledged.next())
                due = self._acknowledged.next()
            if due is None:
                continue
            try:
                self._tell(due[0])
            except CatalogError as error:
                logger.info("acknowledge_failed error=%s", error)
                self._closing.wait(backoff.next_s())
            else:
                backoff.reset()
                self._acknowledged.done(*due)
                self._closing.wait(INTERVAL_S)

    def _tell(self, position: Position) -> None:
        self._client.acknowledge(self._options.consumer_id, position, namespace=self._consumed)

    def _leave(self) -> None:
        """Be waited for no more; if the catalog is away, it forgets by itself."""
        if self._acknowledged.told is not None:
            self._acknowledged.begin()
            with suppress(CatalogError):
                self._client.acknowledge(
                    self._options.consumer_id,
                    None,
                    namespace=self._consumed,
                    timeout_s=LEAVE_TIMEOUT_S,
                )

    def _fill(self) -> None:
        """Fetch the documents that neither memory nor disk holds, as far as there is room."""
        left = self._room_bytes()
        try:
            for namespace, selectors in self._missing():
                answers = self._client.get_batch(
                    selectors, profile=self._options.profile, namespace=namespace
                )
                for answer in answers:
                    if answer.dag is not None and answer.selector.content_hash is not None:
                        left -= len(answer.dag.document)
                        self._keep(answer.selector.content_hash, answer.dag.document)
                    if self._closing.is_set() or left <= 0:
                        return
        except CatalogError as error:  # what is missing is fetched when it is asked for
            logger.info("fill_broken error=%s", error)

    # --- waiting ---

    def _wait(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        self._check_not_forked("waiting for the catalog", unless=condition())
        with self._changed:
            return self._changed.wait_for(condition, timeout_s)

    def _notice(self) -> None:
        self._changed.notify_all()

    def after_fork_in_child(self) -> None:
        """Go on alone: what waits in the parent waits there; grpc's objects must not even end."""
        super().after_fork_in_child()
        self._changed = threading.Condition(self._lock)
        self._flights = {}
        if self._started:
            forks.never_end(self._client, self._responses)
            self._responses, self._threads = None, []

    def _spawn(self, target: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=target, name=f"dagcatalog-informer-{name}", daemon=True)
        self._threads = [one for one in self._threads if one.is_alive()] + [thread]
        thread.start()
