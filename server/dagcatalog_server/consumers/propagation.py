"""Waits until every consumer of a namespace has applied a position."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress

from dagcatalog_server.catalog.errors import CatalogError, CatalogUnavailable
from dagcatalog_server.catalog.model import Clock, Consumer, Position
from dagcatalog_server.catalog.names import EVERY_NAMESPACE
from dagcatalog_server.catalog.reading import check_position
from dagcatalog_server.consumers.heard import Heard

POLL_INTERVAL_S = 0.1
"""How often the store is asked, on behalf of all who wait, for what other replicas have heard."""
GATHER_S = 0.002
"""Many acknowledge the same at once: they are looked at together."""

ReadConsumers = Callable[[Collection[str]], Awaitable[tuple[Clock, Sequence[Consumer]]]]


class Propagation:
    """Waits for consumers: for those of this replica without delay, for others' by a shared poll."""

    def __init__(self, heard: Heard, read: ReadConsumers) -> None:
        self._heard = heard
        self._read = read
        self._namespaces: Counter[str] = Counter()
        self._stored: Sequence[Consumer] = ()
        self._clock: Clock | None = None
        self._asked = asyncio.Event()
        self._next_poll: asyncio.Future[Clock] = asyncio.get_running_loop().create_future()
        self._draining = False

    def drain(self) -> None:
        """Send everybody who waits elsewhere."""
        self._draining = True
        self._heard.wake()

    async def wait(
        self, namespace: str, position: Position | None, timeout_s: float
    ) -> list[Consumer]:
        """Wait until all have acknowledged a position (None: where the catalog stands); give who has not.

        One that registers meanwhile is waited for as well; one that fell silent no longer. Nobody
        there: nobody is waited for.

        Raises:
            RevisionOutOfRange: the position is of another history, or of the future.
            CatalogUnavailable: the store cannot be asked, or this replica drains.

        """
        over_at = asyncio.get_running_loop().time() + timeout_s
        with self._waiting(namespace):
            # What others heard before this call must be seen: a poll that is under way will not do.
            self._asked.set()
            clock = await asyncio.shield(self._next_poll)
            wanted = position or clock.position
            check_position(clock, wanted)
            wanted = Position(wanted.epoch or clock.epoch, wanted.revision)
            while True:
                changed = self._heard.next_change()
                if self._draining:
                    raise CatalogUnavailable
                check_position(self._clock or clock, wanted)
                there = self._heard.added_to(self._stored, namespace)
                lagging = [each for each in there if not _has_applied(each, wanted)]
                left_s = over_at - asyncio.get_running_loop().time()
                if not lagging or left_s <= 0:
                    return lagging
                with suppress(TimeoutError):
                    async with asyncio.timeout(left_s):
                        await changed.wait()
                        await asyncio.sleep(GATHER_S)

    async def run(self) -> None:
        """Ask the store for as long as somebody waits, until cancelled."""
        while True:
            await self._due()
            self._asked.clear()
            poll, self._next_poll = self._next_poll, asyncio.get_running_loop().create_future()
            recorded = self._heard.recorded()
            try:
                self._clock, self._stored = await self._read(set(self._namespaces))
            except CatalogError as error:
                # Who has had an answer waits on: the store may be back before the time is over.
                poll.set_exception(error.with_traceback(None))
                poll.exception()  # there may be nobody else
            else:
                poll.set_result(self._clock)
                self._heard.forget(recorded)
            self._heard.wake()

    @contextmanager
    def _waiting(self, namespace: str) -> Iterator[None]:
        namespaces = (namespace, EVERY_NAMESPACE)
        self._namespaces.update(namespaces)
        try:
            yield
        finally:
            self._namespaces.subtract(namespaces)
            self._namespaces = +self._namespaces

    async def _due(self) -> None:
        if not self._namespaces:
            self._stored = ()
            await self._asked.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_INTERVAL_S):
                await self._asked.wait()


def _has_applied(consumer: Consumer, wanted: Position) -> bool:
    held = consumer.acknowledged
    return held.epoch == wanted.epoch and held.revision >= wanted.revision
