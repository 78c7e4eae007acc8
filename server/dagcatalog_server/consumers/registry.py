"""The consumers that watch this replica, and what it reports of them to all the others."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from dagcatalog_server.catalog.consuming import (
    NOTHING,
    ConsumerLimits,
    ConsumerReport,
    Recorded,
    is_news,
)
from dagcatalog_server.catalog.errors import (
    CatalogError,
    CatalogUnavailable,
    ConsumerNotFound,
    TooLarge,
)
from dagcatalog_server.catalog.model import ConsumerKey, Position
from dagcatalog_server.catalog.names import check_text
from dagcatalog_server.consumers.heard import Heard

log = logging.getLogger(__name__)

MAX_CONSUMER_ID = 128
MAX_NAMESPACES = 100
"""Of one consumer; one that watches more may as well watch every namespace."""
REPORT_PAUSE_S = 0.1
"""Between two reports: what comes meanwhile is told together."""
REPORT_SHARE = 4
"""The store is left alone for so many times as long as the last report took."""
MAX_REPORT_PAUSE_S = 1.0
JOIN_TIMEOUT_S = 2.0
"""A watch does not wait any longer for the store: it is registered when that is back."""
HEARTBEATS = 3
"""In the time after which a silent consumer no longer counts."""

Record = Callable[[ConsumerReport], Awaitable[Recorded]]


@dataclass
class _Gathering:
    """A report that is being made."""

    joined: dict[ConsumerKey, Position] = field(default_factory=dict)
    acknowledged: dict[ConsumerKey, Position] = field(default_factory=dict)
    left: set[ConsumerKey] = field(default_factory=set)
    recorded: "asyncio.Future[Recorded]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class ConsumerRegistry:
    """Registers watches as consumers and takes acknowledgements, on the event loop.

    The store is told by one report at a time, and of an open watch now and then, so that one that
    died with its replica is forgotten. Nothing is written when a watch ends: who lost its connection
    still shows what it had, and counts until it is back, says that it leaves, or was silent for too long.
    """

    def __init__(self, record: Record, heard: Heard, limits: ConsumerLimits) -> None:
        self._record = record
        self._heard = heard
        self._limits = limits
        self._heartbeat_s = limits.silence.total_seconds() / HEARTBEATS
        self._heartbeat_at = 0.0
        self._gathering = _Gathering()
        self._something = asyncio.Event()

    @asynccontextmanager
    async def watching(
        self, consumer_id: str, namespaces: Collection[str], start: Position | None
    ) -> AsyncIterator[None]:
        """Register a watch for as long as the block lasts; `start`: what it begins after, if anything.

        Raises:
            TooLarge: a namespace has as many consumers as it may, or the watch is of too many.

        """
        keys = _keys(consumer_id, namespaces)
        with self._heard.watch(keys):
            await self._join(keys, start or NOTHING)
            yield

    async def acknowledge(self, key: ConsumerKey, position: Position) -> None:
        """Take down what a consumer has applied; who waits at this replica learns of it at once.

        Raises:
            ConsumerNotFound: nobody of that name is registered.
            CatalogUnavailable: it could not be written down.

        """
        gathering = self._gathering
        if is_news(position, gathering.acknowledged.get(key, NOTHING)):
            gathering.acknowledged[key] = position
        self._something.set()
        with self._heard.acknowledgement(key, position):
            recorded = await asyncio.shield(gathering.recorded)
        if key in recorded.unknown:
            raise ConsumerNotFound(key)

    async def leave(self, key: ConsumerKey) -> None:
        """Forget a consumer; one that still watches is registered again at its next sign of life."""
        gathering = self._gathering
        gathering.left.add(key)
        self._something.set()
        await asyncio.shield(gathering.recorded)

    async def run(self) -> None:
        """Report until cancelled; a store that is away is told again, ever less often."""
        clock = asyncio.get_running_loop().time
        pause_s = REPORT_PAUSE_S
        while True:
            await self._due(clock())
            gathering, self._gathering = self._gathering, _Gathering()
            self._something.clear()
            began = clock()
            heartbeat = began >= self._heartbeat_at
            try:
                await self._report(gathering, self._heard.watching() if heartbeat else frozenset())
            except CatalogError as error:
                pause_s = min(pause_s * 2, MAX_REPORT_PAUSE_S)
                log.warning("consumers_unreported error=%s retry_in_s=%.2f", error, pause_s)
            else:
                pause_s = min(
                    max(REPORT_PAUSE_S, REPORT_SHARE * (clock() - began)), MAX_REPORT_PAUSE_S
                )
                if heartbeat:
                    self._heartbeat_at = began + self._heartbeat_s
            await asyncio.sleep(pause_s)

    async def _join(self, keys: Collection[ConsumerKey], start: Position) -> None:
        gathering = self._gathering
        for key in keys:
            gathering.joined[key] = start
            gathering.acknowledged.pop(key, None)  # what it said before it began again
        self._something.set()
        # A watch that cannot be registered now is served all the same: it may be what tells the
        # consumer of anything while the database is away.
        with suppress(TimeoutError, CatalogUnavailable):
            async with asyncio.timeout(JOIN_TIMEOUT_S):
                recorded = await asyncio.shield(gathering.recorded)
                if full := recorded.full.intersection(keys):
                    limit, namespace = self._limits.max_consumers, min(full).namespace
                    unit = f"consumers of namespace {namespace!r}"
                    raise TooLarge("consumer_id", unit, size=limit + 1, limit=limit)

    async def _due(self, now: float) -> None:
        """Wait for something to report, or for the time of the next sign of life."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self._heartbeat_at - now)):
                await self._something.wait()

    async def _report(self, gathering: _Gathering, watching: frozenset[ConsumerKey]) -> None:
        open_now = self._heard.watching()
        report = ConsumerReport(
            joined={key: start for key, start in gathering.joined.items() if key in open_now},
            watching=watching,
            acknowledged=gathering.acknowledged,
            left=frozenset(gathering.left),
        )
        try:
            recorded = await self._record(report) if report else Recorded()
        except CatalogError as error:
            gathering.recorded.set_exception(error.with_traceback(None))
            gathering.recorded.exception()  # there may be nobody who waits
            self._gather_again(gathering)
            raise
        gathering.recorded.set_result(recorded)

    def _gather_again(self, gathering: _Gathering) -> None:
        """Keep what nobody will say again: the watches that began."""
        self._gathering.joined = gathering.joined | self._gathering.joined
        if self._gathering.joined:
            self._something.set()


def check_consumer_id(consumer_id: str) -> str:
    """Return the id of a consumer."""
    return check_text("consumer_id", consumer_id, MAX_CONSUMER_ID)


def _keys(consumer_id: str, namespaces: Collection[str]) -> list[ConsumerKey]:
    check_consumer_id(consumer_id)
    if len(namespaces) > MAX_NAMESPACES:
        raise TooLarge(
            "namespaces", "namespaces of a consumer", size=len(namespaces), limit=MAX_NAMESPACES
        )
    return [ConsumerKey(namespace, consumer_id) for namespace in sorted(namespaces)]
