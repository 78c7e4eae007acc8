"""`AsyncInformer`: a local copy of the catalog, for asyncio."""

import asyncio
import inspect
import logging
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import grpc
import grpc.aio

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_client.calls import informing
from dagcatalog_client.calls.call import Call
from dagcatalog_client.errors import CatalogError, ClientClosed
from dagcatalog_client.informer import forks
from dagcatalog_client.informer.acknowledging import INTERVAL_S
from dagcatalog_client.informer.aio_reading import AioReading
from dagcatalog_client.informer.base import Ask, Turn
from dagcatalog_client.informer.events import Effect, MirrorEvent
from dagcatalog_client.informer.options import LEAVE_TIMEOUT_S
from dagcatalog_client.model import Position
from dagcatalog_client.shells.aio_base import closed_meanwhile, task_is_cancelled

logger = logging.getLogger(__name__)


class AsyncInformer(AioReading):
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
