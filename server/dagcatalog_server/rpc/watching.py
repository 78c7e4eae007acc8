"""Watch on the wire: events become messages; a revision that all watchers share is encoded once."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_server.catalog.catalog import Catalog
from dagcatalog_server.catalog.model import Change, ChangeKind
from dagcatalog_server.catalog.query import StateRow
from dagcatalog_server.catalog.reading import Found, View, chunk_by_bytes, view_bytes, with_blobs
from dagcatalog_server.rpc import answers, requests
from dagcatalog_server.rpc.call import Call
from dagcatalog_server.rpc.reading import MESSAGE_BYTES
from dagcatalog_server.rpc.threads import Threads
from dagcatalog_server.watch.hub import WatchHub
from dagcatalog_server.watch.query import BookmarkEvent, ChangeEvent, StateEvent


class WatchingMethods:
    """Watch."""

    def __init__(self, catalog: Catalog, threads: Threads, hub: WatchHub) -> None:
        self._catalog = catalog
        self._threads = threads
        self._hub = hub

    async def watch(
        self, request: pb.WatchRequest, call: Call
    ) -> AsyncGenerator[pb.WatchResponse | bytes, None]:
        """Stream the present if asked for, and then every change."""
        view = requests.view(request.view, default=View.SUMMARY)
        async with aclosing(self._hub.watch(requests.watch_query(request))) as events:
            async for event in events:
                match event:
                    case StateEvent():
                        async for answer in self._state(event, view):
                            yield answer
                    case ChangeEvent():
                        yield await self._changes(event, view)
                    case BookmarkEvent():
                        bookmark = pb.Bookmark(synced=event.synced, draining=event.draining)
                        yield pb.WatchResponse(
                            position=answers.position(event.position), bookmark=bookmark
                        )

    async def _state(self, event: StateEvent, view: View) -> AsyncIterator[pb.WatchResponse]:
        """Cut a part of the present into messages of about 1 MiB."""
        changes = [_as_change(row) for row in event.rows]
        for part in chunk_by_bytes(
            changes, lambda one: view_bytes(one, view), max_bytes=MESSAGE_BYTES
        ):
            told = await self._tell(part, view)
            yield pb.WatchResponse(
                position=answers.position(event.position),
                state=pb.StatePage(dags=[one.dag for one in told]),
            )

    async def _changes(self, event: ChangeEvent, view: View) -> bytes:
        shared = event.encoded if view is View.SUMMARY else None
        if shared is not None and isinstance(ready := shared.get(view), bytes):
            return ready
        told = await self._tell(event.changes, view)
        answer = pb.WatchResponse(
            position=answers.position(event.position),
            change_set=pb.ChangeSet(changes=told, conflated=event.conflated),
        )
        wire = answer.SerializeToString()
        if shared is not None:
            shared[view] = wire
        return wire

    async def _tell(self, changes: Sequence[Change], view: View) -> list[res.Change]:
        if view is View.SUMMARY:
            return [answers.change(Found(change), view) for change in changes]
        return await self._threads.call(self._read, changes, view)

    def _read(self, changes: Sequence[Change], view: View) -> list[res.Change]:
        with self._catalog.snapshot() as snapshot:
            return [answers.change(one, view) for one in with_blobs(snapshot, changes, view)]


def _as_change(row: StateRow) -> Change:
    """Dress a row of a listing as the change that made it; only its state is told."""
    return Change(row.revision, 0, ChangeKind.CREATED, (), row.state)
