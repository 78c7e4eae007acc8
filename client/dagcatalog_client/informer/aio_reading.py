"""Reads of an informer that may wait, for asyncio."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from dagcatalog_client.aio import AsyncClient
from dagcatalog_client.errors import ContentNotFound, DeadlineExceeded
from dagcatalog_client.informer.acknowledging import Acknowledged
from dagcatalog_client.informer.backoff import Backoff
from dagcatalog_client.informer.base import InformerCore, is_refusal
from dagcatalog_client.informer.documents import Held
from dagcatalog_client.informer.options import FETCH_TIMEOUT_S, MIB, Options
from dagcatalog_client.informer.storing import check_content_hash
from dagcatalog_client.model import Dag, DagProfile, DagSelector, DagView, Position


class AioReading(InformerCore):
    """Documents that are not at hand, and waiting for the local copy."""

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

    @property
    def client(self) -> AsyncClient:
        """What it asks the catalog with."""
        return self._client

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
