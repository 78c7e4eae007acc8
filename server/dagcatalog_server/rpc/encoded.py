"""Bytes that were encoded once and are wanted again, within a bound; whoever misses shares the work."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable, Sequence
from dataclasses import dataclass

EncodeMany = Callable[[Sequence[int]], Coroutine[None, None, Sequence[bytes]]]


@dataclass(frozen=True, slots=True)
class _Coming:
    """Bytes that are being encoded, maybe with others."""

    encoding: "asyncio.Future[Sequence[bytes]]"
    place: int
    """In what the encoding will give."""
    is_alone: bool

    async def bytes(self) -> bytes:
        return (await asyncio.shield(self.encoding))[self.place]


class EncodedCache:
    """Encoded messages by what they say, the least recently wanted leaving first.

    A key must mean the same bytes for ever: nothing in here can be stale. Used on the event loop
    only. An OrderedDict, whose lookups run in C, because a snapshot of 10,000 DAGs asks 10,000 times.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._coming: dict[Hashable, _Coming] = {}
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

    def is_coming(self, key: Hashable) -> bool:
        """Tell whether somebody is encoding it."""
        return key in self._coming

    async def get_or_encode(
        self, key: Hashable, encode: Callable[[], Coroutine[None, None, bytes]]
    ) -> bytes:
        """Return what is kept, or encode it; those who ask meanwhile wait for the same bytes."""

        async def encode_one(_places: Sequence[int]) -> Sequence[bytes]:
            return [await encode()]

        return (await self.get_or_encode_all([key], encode_one))[0]

    async def get_or_encode_all(
        self, keys: Sequence[Hashable], encode: EncodeMany, *, evict: bool = True
    ) -> list[bytes]:
        """Return many, encoding at once those that are not kept and that nobody else is encoding.

        `evict` is as in `put`. `encode` is given places in `keys`. If another's encoding fails, what
        was waited for is tried again: it may be something else in there that cannot be encoded.
        """
        found = [self.get(key) for key in keys]
        missing = [place for place, one in enumerate(found) if one is None]
        new = [place for place in missing if keys[place] not in self._coming]
        if new:
            self._begin([keys[place] for place in new], encode(new), evict=evict)
        for place, coming in [(place, self._coming[keys[place]]) for place in missing]:
            try:
                found[place] = await coming.bytes()
            except Exception:
                if place in new or coming.is_alone:
                    raise
                found[place] = (await encode([place]))[0]
        return [one for one in found if one is not None]

    def _begin(
        self,
        keys: Sequence[Hashable],
        encoding: Coroutine[None, None, Sequence[bytes]],
        *,
        evict: bool,
    ) -> None:
        """Encode in a task of its own: one who leaves does not take it from the others."""
        task: asyncio.Future[Sequence[bytes]] = asyncio.ensure_future(encoding)
        for place, key in enumerate(keys):
            self._coming[key] = _Coming(task, place, is_alone=len(keys) == 1)
        task.add_done_callback(lambda done: self._arrived(keys, done, evict=evict))

    def _arrived(
        self, keys: Sequence[Hashable], done: "asyncio.Future[Sequence[bytes]]", *, evict: bool
    ) -> None:
        for key in keys:
            del self._coming[key]
        if not done.cancelled() and done.exception() is None:
            for key, one in zip(keys, done.result(), strict=True):
                self.put(key, one, evict=evict)
