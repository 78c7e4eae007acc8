"""Bytes that were encoded once and are wanted again, within a bound; whoever misses shares the work."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable


class EncodedCache:
    """Encoded messages by what they say, the least recently wanted leaving first.

    A key must mean the same bytes for ever: nothing in here can be stale. Used on the event loop
    only. An OrderedDict, whose lookups run in C, because a snapshot of 10,000 DAGs asks 10,000 times.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._coming: dict[Hashable, asyncio.Future[bytes]] = {}
        self.bytes_kept = 0
        """Bytes of the messages that are kept; never more than the bound."""

    def get(self, key: Hashable) -> bytes | None:
        """Return what is kept, and keep it longer than what was not asked for."""
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
        return kept

    def put(self, key: Hashable, encoded: bytes, *, evict: bool = True) -> None:
        """Keep bytes; without `evict` only if there is room (who reads everything once asks so)."""
        known = self._kept.get(key)
        size = self.bytes_kept + len(encoded) - (len(known) if known is not None else 0)
        if len(encoded) > self._max_bytes or (size > self._max_bytes and not evict):
            return
        self._kept[key] = encoded
        self._kept.move_to_end(key)
        self.bytes_kept = size
        while self.bytes_kept > self._max_bytes:
            _, gone = self._kept.popitem(last=False)
            self.bytes_kept -= len(gone)

    async def get_or_encode(
        self, key: Hashable, encode: Callable[[], Coroutine[None, None, bytes]]
    ) -> bytes:
        """Return what is kept, or encode it; those who ask meanwhile wait for the same bytes."""
        kept = self.get(key)
        if kept is not None:
            return kept
        coming = self._coming.get(key)
        if coming is None:
            coming = asyncio.ensure_future(encode())
            self._coming[key] = coming
            coming.add_done_callback(lambda done: self._arrived(key, done))
        return await asyncio.shield(coming)  # one who leaves does not take it from the others

    def _arrived(self, key: Hashable, done: "asyncio.Future[bytes]") -> None:
        del self._coming[key]
        if not done.cancelled() and done.exception() is None:
            self.put(key, done.result())
