"""What this replica has heard of consumers and the store may not know yet."""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from dagcatalog_server.catalog.consuming import NOTHING, is_meant, is_news
from dagcatalog_server.catalog.model import Consumer, ConsumerKey, Position
from dagcatalog_server.catalog.names import EVERY_NAMESPACE


class Heard:
    """Open watches of consumers, and acknowledgements on their way into the store.

    Used on the event loop only.
    """

    def __init__(self) -> None:
        self._watches: Counter[ConsumerKey] = Counter()
        self._coming: dict[ConsumerKey, Position] = {}
        self._recorded: dict[ConsumerKey, Position] = {}
        self._changed = asyncio.Event()

    def watching(self) -> frozenset[ConsumerKey]:
        """Name the consumers that watch this replica."""
        return frozenset(self._watches)

    def next_change(self) -> asyncio.Event:
        """Return the event of the next news; ask before looking."""
        return self._changed

    def wake(self) -> None:
        """Wake everybody who waits for news."""
        self._changed.set()
        self._changed = asyncio.Event()

    @contextmanager
    def watch(self, keys: Collection[ConsumerKey]) -> Iterator[None]:
        """Have consumers watch for as long as the block lasts; what they said before is over."""
        for key in keys:
            self._coming.pop(key, None)
            self._recorded.pop(key, None)
        self._watches.update(keys)
        self.wake()
        try:
            yield
        finally:
            self._watches.subtract(keys)
            self._watches = +self._watches

    @contextmanager
    def acknowledgement(self, key: ConsumerKey, position: Position) -> Iterator[None]:
        """Have an acknowledgement on its way until the block ends: then the store has it."""
        if is_news(position, self._coming.get(key, NOTHING)):
            self._coming[key] = position
        self.wake()
        try:
            yield
        finally:
            if self._coming.get(key) == position:
                del self._coming[key]
                self._recorded[key] = position

    def recorded(self) -> Mapping[ConsumerKey, Position]:
        """Tell what a read of the store that begins now will see."""
        return dict(self._recorded)

    def forget(self, recorded: Mapping[ConsumerKey, Position]) -> None:
        """Forget what a read of the store has brought, or nobody waits for."""
        for key, position in recorded.items():
            if self._recorded.get(key) == position:
                del self._recorded[key]

    def added_to(self, stored: Sequence[Consumer], namespace: str) -> list[Consumer]:
        """Add what was heard to what the store says of the consumers of a namespace."""
        there = {namespace, EVERY_NAMESPACE}
        known = {each.key: each for each in stored if each.key.namespace in there}
        now = datetime.now(UTC)
        for key in self._watches:
            if key.namespace in there:
                known.setdefault(key, Consumer(key, NOTHING, now))
        for said in (self._recorded, self._coming):
            for named, position in said.items():
                for key in (ConsumerKey(each, named.consumer_id) for each in there):
                    row = known.get(key)
                    if row and is_meant(key, named) and is_news(position, row.acknowledged):
                        known[key] = Consumer(key, position, now)
        return [known[key] for key in sorted(known)]
