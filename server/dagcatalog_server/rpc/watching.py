"""Watch on the wire: events become messages; what watchers share is encoded once."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Hashable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_server.catalog.errors import BlobCorrupt
from dagcatalog_server.catalog.model import Change, Position
from dagcatalog_server.catalog.names import EVERY_NAMESPACE
from dagcatalog_server.consumers.registry import ConsumerRegistry
from dagcatalog_server.rpc import answers, requests
from dagcatalog_server.rpc.call import Call
from dagcatalog_server.rpc.dags import EncodedDags, head_of, wire_bytes
from dagcatalog_server.rpc.encoded import EncodedCache
from dagcatalog_server.rpc.messages import chunk_by_bytes
from dagcatalog_server.rpc.view import Form, View
from dagcatalog_server.rpc.wire import field, header, renumbered
from dagcatalog_server.watch.hub import WatchHub
from dagcatalog_server.watch.query import BookmarkEvent, ChangeEvent, StateEvent, WatchQuery

# Numbers of fields.
_STATE, _CHANGE_SET = 2, 3  # of WatchResponse
_CHANGES = 1  # of ChangeSet
_CHANGE_DAG = 5  # of Change


class WatchingMethods:
    """Watch."""

    def __init__(self, hub: WatchHub, registry: ConsumerRegistry, dags: EncodedDags) -> None:
        self._hub = hub
        self._registry = registry
        self._dags = dags
        self._events = EncodedCache(dags.shares.events)

    async def watch(
        self, request: pb.WatchRequest, call: Call
    ) -> AsyncGenerator[pb.WatchResponse | bytes, None]:
        """Stream the present if asked for, and then every change."""
        form = requests.form(request, default=View.SUMMARY)
        query = requests.watch_query(request)
        async with (
            self._registered(request.consumer_id, query),
            aclosing(self._hub.watch(query)) as events,
        ):
            async for event in events:
                match event:
                    case StateEvent():
                        async for answer in self._state(event, form):
                            yield answer
                    case ChangeEvent():
                        yield await self._changes(event, form)
                    case BookmarkEvent():
                        bookmark = pb.Bookmark(synced=event.synced, draining=event.draining)
                        yield pb.WatchResponse(
                            position=answers.position(event.position), bookmark=bookmark
                        )

    def _registered(self, consumer_id: str, query: WatchQuery) -> AbstractAsyncContextManager[None]:
        if not consumer_id:
            return nullcontext()
        start = query.after
        if start is not None:
            start = Position(start.epoch or self._hub.position.epoch, start.revision)
        namespaces = query.namespaces or {EVERY_NAMESPACE}
        return self._registry.watching(consumer_id, namespaces, start)

    async def _state(self, event: StateEvent, form: Form) -> AsyncIterator[bytes]:
        """Cut a part of the present into messages of about 1 MiB."""
        position = _position(event.position)
        for part in chunk_by_bytes(event.heads, lambda one: wire_bytes(one, form.view)):
            dags = await self._checked(event.position, self._dags.all(part, form, evict=False))
            yield b"".join((position, header(_STATE, sum(map(len, dags))), *dags))

    async def _checked(self, position: Position, dags: Awaitable[list[bytes]]) -> list[bytes]:
        """Wait for the DAGs of an event; content that is gone may have been compacted meanwhile."""
        try:
            return await dags
        except BlobCorrupt:
            await self._hub.check(position)
            raise

    async def _changes(self, event: ChangeEvent, form: Form) -> bytes:
        key = _key(event, form)
        kept = self._events.get(key)
        if kept is not None:
            return kept
        # The first of many, nearly always with what was just committed still in memory: encoded
        # here and now it spares the others a wait each.
        heads = [head_of(change) for change in event.changes]
        dags = self._dags.at_hand(heads, form)
        if dags is not None:
            made = _message(event, dags)
            self._events.put(key, made)
            return made

        async def encode() -> bytes:
            found = self._dags.all(heads, form)
            return _message(event, await self._checked(event.position, found))

        return await self._events.get_or_encode(key, encode)


def _message(event: ChangeEvent, dags: Sequence[bytes]) -> bytes:
    changes = [
        field(_CHANGES, _change(change) + renumbered(_CHANGE_DAG, dag))
        for change, dag in zip(event.changes, dags, strict=True)
    ]
    if event.conflated:
        changes.append(pb.ChangeSet(conflated=True).SerializeToString())
    return _position(event.position) + field(_CHANGE_SET, b"".join(changes))


def _key(event: ChangeEvent, form: Form) -> Hashable:
    """Name a message: with the history, these changes and this position it is always the same."""
    rows = tuple((change.revision, change.ordinal) for change in event.changes)
    return event.history, event.position.revision, rows, event.conflated, form


def _position(position: Position) -> bytes:
    return pb.WatchResponse(position=answers.position(position)).SerializeToString()


def _change(change: Change) -> bytes:
    """Encode a change without its DAG."""
    told = res.Change(
        revision=change.revision,
        ordinal=change.ordinal,
        kind=res.ChangeKind.ValueType(change.kind),
        classes=[res.ChangeClass.ValueType(one) for one in change.classes],
    )
    return told.SerializeToString()
