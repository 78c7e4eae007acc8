"""The initial state of a watch as messages: whole streams are kept for the crowd that connects at once."""

from collections.abc import AsyncIterator, Awaitable, Callable, Hashable

from cachetools import LRUCache

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_server.catalog.errors import BlobCorrupt
from dagcatalog_server.catalog.model import Position
from dagcatalog_server.rpc import answers
from dagcatalog_server.rpc.dags import EncodedDags, wire_bytes
from dagcatalog_server.rpc.messages import chunk_by_bytes
from dagcatalog_server.rpc.view import Form
from dagcatalog_server.rpc.wire import header
from dagcatalog_server.watch.query import StateEvent

_STATE = 2  # number of WatchResponse's field

CheckPosition = Callable[[Position], Awaitable[None]]
"""Raises RevisionOutOfRange if a position's past is gone."""


class StateMessages:
    """Cuts states into messages of about 1 MiB.

    A state that comes from memory is the same for all who ask the same at one revision; putting its
    messages together out of 10,000 DAGs costs more than sending them does
    (benchmarks/cold_start.py), so the last streams are kept, within a share of memory.
    """

    def __init__(self, dags: EncodedDags, check: CheckPosition) -> None:
        self._dags = dags
        self._check = check
        self._kept: LRUCache[Hashable, tuple[bytes, ...]] = LRUCache(
            dags.shares.states, getsizeof=lambda messages: sum(map(len, messages))
        )

    async def of(self, event: StateEvent, form: Form) -> AsyncIterator[bytes]:
        """Give the messages of a part of the present."""
        key = (event.name, form)
        kept = self._kept.get(key) if event.name is not None else None
        if kept is not None:
            for message in kept:
                yield message
            return
        made: list[bytes] = []
        size = 0
        async for message in self._encoded(event, form):
            yield message
            size += len(message)
            if event.name is not None and size <= self._kept.maxsize:
                made.append(message)
        if event.name is not None and size <= self._kept.maxsize:
            self._kept[key] = tuple(made)

    async def _encoded(self, event: StateEvent, form: Form) -> AsyncIterator[bytes]:
        position = pb.WatchResponse(position=answers.position(event.position)).SerializeToString()
        for part in chunk_by_bytes(event.heads, lambda one: wire_bytes(one, form.view)):
            try:
                dags = await self._dags.all(part, form, evict=False)
            except BlobCorrupt:  # it may have been compacted meanwhile
                await self._check(event.position)
                raise
            yield b"".join((position, header(_STATE, sum(map(len, dags))), *dags))
