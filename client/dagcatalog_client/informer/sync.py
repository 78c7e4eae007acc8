"""`Informer`: a local copy of the catalog, for threads."""

import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Self

import grpc

from dagcatalog_client.calls import informing
from dagcatalog_client.errors import CatalogError, ClientClosed
from dagcatalog_client.informer import forks
from dagcatalog_client.informer.acknowledging import INTERVAL_S
from dagcatalog_client.informer.base import Ask, Turn
from dagcatalog_client.informer.events import Effect
from dagcatalog_client.informer.options import CLOSE_TIMEOUT_S, LEAVE_TIMEOUT_S
from dagcatalog_client.informer.sync_reading import SyncReading
from dagcatalog_client.model import Position

logger = logging.getLogger(__name__)


class Informer(SyncReading):
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
