"""`AsyncInformer`: a local copy of the catalog, for asyncio."""

import asyncio
import inspect
import logging
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
import grpc.aio

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_client.aio import AsyncClient
from dagcatalog_client.calls import informing
from dagcatalog_client.calls.call import Call
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
from dagcatalog_client.informer.events import Effect, MirrorEvent
from dagcatalog_client.informer.options import FETCH_TIMEOUT_S, LEAVE_TIMEOUT_S, MIB, Options
from dagcatalog_client.model import Dag, DagProfile, DagSelector, DagView, Position
from dagcatalog_client.shells.aio_base import closed_meanwhile, task_is_cancelled

logger = logging.getLogger(__name__)


class AsyncInformer(InformerCore):
    """The asyncio twin of `Informer`: the same names, arguments, defaults and errors.

    It belongs to the event loop that starts it. What is in memory can be read from any thread;
    handlers are called in the loop, and one that returns an awaitable is awaited.

    Example:
        ```python
        async with AsyncClient("127.0.0.1:50051") as client, AsyncInformer(client) as informer:
            await informer.wait_for_sync(10)
            print((await informer.get("etl")).summary.version)
        ```

    """

    def __init__(
        self,
        client: AsyncClient,
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
        self._changed = asyncio.Event()
        self._flights: dict[str, asyncio.Task[Held]] = {}
        self._closing = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._acknowledged = Acknowledged()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Load what the disk cache has, and begin to follow the catalog. Once."""
        self._check_not_forked("start")
        if self._started:
            raise RuntimeError("an informer is started once")
        self._started = True
        self._enlist()
        await asyncio.to_thread(self._load)
        if self._keeper is not None:
            self._keeper.start()
        self._spawn(self._run())
        if self._options.consumer_id:
            self._spawn(self._acknowledge())

    async def close(self) -> None:
        """End the watch and write the disk cache; what is in memory can still be read."""
        if self._forked:
            return
        self._closing.set()
        tasks = self._tasks - {asyncio.current_task()}  # a handler may close the informer
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._leave()
        if self._keeper is not None and self._started:
            await asyncio.to_thread(self._keeper.close)

    async def wait_for_sync(self, timeout_s: float) -> None:
        """Block until this process has had the present from the catalog.

        Raises:
            NotSynced: not within `timeout_s`; a snapshot from disk may be served all the same.
            InvalidArgument, Unauthenticated, PermissionDenied: the catalog refuses the watch.
            ForkedChild: in a child, if it was not so before the fork.

        Example:
            ```python
            await informer.wait_for_sync(10)
            print(len(informer.list()))
            ```

        """
        if await self._wait(lambda: self._synced or is_refusal(self._failure), timeout_s):
            if not self._synced and self._failure is not None:
                raise self._failure
            return
        raise self._nothing_yet()

    async def wait_for(self, position: Position, timeout_s: float) -> None:
        """Block until the local copy is at a position or later, that of a write for instance.

        A position of another epoch than the catalog's is never reached.

        Raises:
            NotSynced: not within `timeout_s`.
            ForkedChild: in a child, if it was not so before the fork.

        Example:
            ```python
            await informer.wait_for((await client.status()).position, 10)
            ```

        """
        if not await self._wait(lambda: self._has(position), timeout_s):
            raise self._not_there(position)

    async def get(
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
            dag = await informer.get("etl")
            print(dag.summary.version, dag.json()["dag"])
            ```

        """
        found = self._at_hand(dag_id, namespace)
        if isinstance(found, Dag):
            return found
        while True:
            try:
                held = await self._document(found.content_hash, found.namespace, timeout_s)
            except ContentNotFound:
                # Replaced and pruned since we looked: then the local copy knows something newer.
                newer = self._entry(dag_id, namespace)
                if newer.content_hash == found.content_hash:
                    raise
                found = newer
            else:
                return held.with_summary(found.summary)

    async def by_hash(
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
            document = await informer.by_hash(informer.summary("etl").content_hash)
            ```

        """
        held = self._documents.get(content_hash)
        if held is None:
            check_content_hash(content_hash)
            chosen = self._namespace if namespace is None else namespace
            held = await self._document(content_hash, chosen, timeout_s)
        return self._unpacked(content_hash, held).document

    # --- documents that are not in memory ---

    async def _document(self, content_hash: str, namespace: str, timeout_s: float | None) -> Held:
        """Get a document that is not in memory; of those who want the same, one asks."""
        if self._forked:  # a child has no threads to read in
            return self._from_disk(content_hash) or self._refuse(f"content {content_hash}")
        timeout_s = FETCH_TIMEOUT_S if timeout_s is None else timeout_s
        flight = self._flights.get(content_hash)
        if flight is None:
            flight = asyncio.create_task(self._fetch(content_hash, namespace, timeout_s))
            self._flights[content_hash] = flight
            flight.add_done_callback(lambda _: self._flights.pop(content_hash, None))
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.shield(flight)  # others may want it, whoever gives up
        except TimeoutError:
            raise DeadlineExceeded(f"content {content_hash} did not come in time") from None

    async def _fetch(self, content_hash: str, namespace: str, timeout_s: float) -> Held:
        """Read the disk, else ask the catalog."""
        if self._disk is not None:
            held = await asyncio.to_thread(self._from_disk, content_hash)
            if held is not None:
                return held
        selector = DagSelector(content_hash=content_hash)
        answers = self._client.get_batch(
            [selector], profile=self._options.profile, namespace=namespace, timeout_s=timeout_s
        )
        (answer,) = [answer async for answer in answers]
        return self._keep(content_hash, answer.unwrap().document)

    async def _fill(self) -> None:
        """Fetch the documents that neither memory nor disk holds, as far as there is room."""
        left = self._room_bytes()
        try:
            for namespace, selectors in await asyncio.to_thread(lambda: list(self._missing())):
                answers = self._client.get_batch(
                    selectors, profile=self._options.profile, namespace=namespace
                )
                async for answer in answers:
                    if answer.dag is not None and answer.selector.content_hash is not None:
                        left -= len(answer.dag.document)
                        self._keep(answer.selector.content_hash, answer.dag.document)
                    if left <= 0:
                        return
        except CatalogError as error:  # what is missing is fetched when it is asked for
            logger.info("fill_broken error=%s", error)

    # --- the watch ---

    async def _run(self) -> None:
        await self._deliver(self._take_loaded())
        while not self._closing.is_set():
            try:
                await self._follow(self._ask())
            except ClientClosed as error:
                self._failed(error)
                return
            except CatalogError as error:
                await self._rest(self._failed(error))
            except Exception:
                logger.exception("watch_failed")
                await self._rest(self._backoff.next_s())

    async def _follow(self, ask: Ask) -> None:
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
        responses = self._client._under_way(self._client._stub.Watch(call.request))
        try:
            turn = await self._read(responses, call, ask)
        except asyncio.CancelledError as error:
            if task_is_cancelled():
                raise
            raise closed_meanwhile() from error
        except grpc.aio.AioRpcError as error:
            raise self._client._failure(error) from error
        finally:
            responses.cancel()
        if turn is Turn.FILL:
            self._spawn(self._fill())
        else:
            await self._rest(self._backoff.next_s())

    async def _read(
        self,
        responses: "grpc.aio.UnaryStreamCall[pb.WatchRequest, pb.WatchResponse]",
        call: Call[pb.WatchRequest, pb.WatchResponse, MirrorEvent | None],
        ask: Ask,
    ) -> Turn:
        async for response in responses:
            event = call.read(response)
            if event is None:
                continue
            turn, effects = self._take(event, ask)
            await self._deliver(effects)
            self._applied()
            if turn is not Turn.GO_ON:
                return turn
        return Turn.MOVE

    async def _deliver(self, effects: Iterable[Effect]) -> None:
        for handler, effect in self._heard(effects):
            try:
                heard = handler(*effect.summaries())
                if inspect.isawaitable(heard):
                    await heard
            except Exception:
                logger.exception("handler_failed kind=%s", effect.kind.value)

    def _applied(self) -> None:
        """Note that the handlers have heard of everything up to where the local copy stands."""
        self._acknowledged.applied = self.position
        self._notice()

    async def _acknowledge(self) -> None:
        """Tell the catalog what was applied, as long as the informer is open."""
        backoff = replace(self._backoff, failures=0)
        while not self._closing.is_set():
            due = self._acknowledged.next()
            if due is None:
                await self._changed.wait()
                continue
            try:
                await self._tell(due[0])
            except CatalogError as error:
                logger.info("acknowledge_failed error=%s", error)
                await self._rest(backoff.next_s())
            else:
                backoff.reset()
                self._acknowledged.done(*due)
                await self._rest(INTERVAL_S)

    async def _tell(self, position: Position) -> None:
        await self._client.acknowledge(
            self._options.consumer_id, position, namespace=self._consumed
        )

    async def _leave(self) -> None:
        """Be waited for no more; if the catalog is away, it forgets by itself."""
        if self._acknowledged.told is not None:
            self._acknowledged.begin()
            with suppress(CatalogError):
                await self._client.acknowledge(
                    self._options.consumer_id,
                    None,
                    namespace=self._consumed,
                    timeout_s=LEAVE_TIMEOUT_S,
                )

    # --- waiting ---

    async def _wait(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        self._check_not_forked("waiting for the catalog", unless=condition())
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while not condition():
                    await self._changed.wait()
        return condition()

    def _notice(self) -> None:
        """Wake all who wait now; whoever waits from now on waits for the next change."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()

    def after_fork_in_child(self) -> None:
        """Go on alone: the loop's tasks are the parent's; grpc's objects must not even end."""
        super().after_fork_in_child()
        self._flights = {}
        if self._started:
            forks.never_end(self._client)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
