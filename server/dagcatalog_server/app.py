"""Puts the server together, runs it, and drains it."""

import asyncio
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version

from dagcatalog_server.allocator import return_large_blocks
from dagcatalog_server.catalog.canonical import DocumentLimits
from dagcatalog_server.catalog.catalog import Catalog, utc_now
from dagcatalog_server.catalog.committing import Committed
from dagcatalog_server.catalog.consuming import ConsumerLimits
from dagcatalog_server.catalog.model import Change, Clock
from dagcatalog_server.catalog.ports import Store
from dagcatalog_server.catalog.query import Cursor, ListQuery
from dagcatalog_server.catalog.trimming import Trim
from dagcatalog_server.catalog.writes import Write, WriteLimits
from dagcatalog_server.collector import calm_collector
from dagcatalog_server.config import Config
from dagcatalog_server.consumers.heard import Heard
from dagcatalog_server.consumers.propagation import Propagation
from dagcatalog_server.consumers.registry import ConsumerRegistry
from dagcatalog_server.listening import listening
from dagcatalog_server.opening import Doorbell, listened_to, made_doorbell
from dagcatalog_server.replica.heads import Head
from dagcatalog_server.replica.heads_feed import HeadsFeed, PresentPage
from dagcatalog_server.replica.present import Present
from dagcatalog_server.replica.read_index import ReadIndex
from dagcatalog_server.replica.ring import Ring
from dagcatalog_server.replica.tail import Tail
from dagcatalog_server.rpc.administering import AdministeringMethods
from dagcatalog_server.rpc.consuming import ConsumingMethods
from dagcatalog_server.rpc.dags import (
    CacheShares,
    EncodedDags,
    Trims,
    head_change,
    head_change_of_row,
    head_of_row,
)
from dagcatalog_server.rpc.graphing import GraphingMethods
from dagcatalog_server.rpc.group_commit import GroupCommit
from dagcatalog_server.rpc.health import Health
from dagcatalog_server.rpc.reading import ReadingMethods, Replica
from dagcatalog_server.rpc.service import SERVICE_NAME, generic_handler
from dagcatalog_server.rpc.threads import Threads
from dagcatalog_server.rpc.view import Profile
from dagcatalog_server.rpc.watching import WatchingMethods
from dagcatalog_server.rpc.writing import WritingMethods
from dagcatalog_server.watch.hub import WatchHub, WatchReads

log = logging.getLogger(__name__)

HEADS_PAGE = 500


@dataclass(frozen=True)
class RunningServer:
    """A server that answers calls."""

    address: str
    health_address: str
    """Empty if health checks have no port of their own."""
    background: "asyncio.Future[list[None]]"
    """Never done while all is well; its exception is a defect."""


def write_limits(config: Config) -> WriteLimits:
    """Take the bounds of a write out of the configuration."""
    document = DocumentLimits(
        max_bytes=config.max_document_bytes,
        max_depth=config.max_document_depth,
        max_nodes=config.max_document_nodes,
    )
    return WriteLimits(document, config.max_source_bytes)


def _trims(config: Config) -> Trims:
    fields = {
        Profile.WEBSERVER: config.profiles.webserver,
        Profile.SCHEDULER: config.profiles.scheduler,
    }
    return {
        profile: Trim(include=paths.include, exclude=paths.exclude)
        for profile, paths in fields.items()
    }


@asynccontextmanager
async def running_server(config: Config, store: Store) -> AsyncIterator[RunningServer]:
    """Serve until the block ends, then drain: no new calls, watches told where to resume.

    Raises:
        ConfigurationProblem: an address cannot be listened on.

    """
    consumer_limits = ConsumerLimits(
        timedelta(seconds=config.consumer_silence), config.max_consumers
    )
    catalog = Catalog(store, limits=write_limits(config), consumer_limits=consumer_limits)
    with Threads(config.worker_threads) as threads:
        clock = await threads.call(catalog.clock)
        ring = Ring(clock.position, max_changes=config.watch_ring_changes)
        read_index = ReadIndex(lambda: threads.ask(catalog.clock))
        reads = _watch_reads(catalog, threads, read_index)
        health = Health(SERVICE_NAME)
        tail = Tail(
            ring,
            reads.changes,
            poll_interval_s=config.watch_poll_interval,
            on_reach=health.set_reached,
        )
        doorbell = made_doorbell(config, tail)
        feed = HeadsFeed(
            ring,
            read=lambda after: threads.call(_present_page, catalog, after),
            tell=head_change,
            max_dags=config.memory_dags,
        )
        present = Present(ring, feed, read_index, tail.ring_doorbell)
        hub = WatchHub(ring, present, reads)
        heard = Heard()
        registry = ConsumerRegistry(
            lambda report: threads.call(catalog.record_consumers, report), heard, consumer_limits
        )
        propagation = Propagation(
            heard, lambda namespaces: threads.call(catalog.consumers, namespaces)
        )
        dags = EncodedDags(
            threads, catalog.blobs, shares=CacheShares(config.cache_bytes), trims=_trims(config)
        )
        group_commit = GroupCommit(
            lambda writes: threads.commit(catalog.commit, writes),
            max_group=config.max_commit_group,
            on_commit=lambda writes, committed: _on_commit(tail, doorbell, dags, writes, committed),
        )
        replica = Replica(
            name=socket.gethostname(),
            version=version("dagcatalog"),
            started_at=utc_now(),
            watch_count=lambda: hub.watch_count,
            lag=lambda: max(0, tail.known_revision - ring.revision),
        )
        handler = generic_handler(
            ReadingMethods(catalog, threads, replica, present, dags),
            WritingMethods(catalog, threads, group_commit),
            WatchingMethods(hub, registry, dags),
            GraphingMethods(catalog, threads, present),
            ConsumingMethods(registry, propagation, hub, read_index),
            AdministeringMethods(catalog, threads),
        )
        async with (
            _background(
                tail.run(),
                feed.run(),
                listened_to(doorbell),
                group_commit.run(),
                registry.run(),
                propagation.run(),
            ) as background,
            listening(config, handler, (hub, propagation), health) as (address, health_address),
        ):
            yield RunningServer(address, health_address, background)


@asynccontextmanager
async def _background(
    *works: Coroutine[None, None, None],
) -> AsyncIterator["asyncio.Future[list[None]]"]:
    """Run what never ends beside the block."""
    running = asyncio.gather(*works)
    try:
        yield running
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def _watch_reads(catalog: Catalog, threads: Threads, read_index: ReadIndex) -> WatchReads:
    async def changes(after: int, limit: int) -> tuple[Clock, Sequence[Change]]:
        return await threads.call(catalog.changes, after=after, limit=limit)

    async def page(query: ListQuery) -> Sequence[Head]:
        return await threads.call(lambda: [head_of_row(row) for row in catalog.page(query)])

    return WatchReads(read_index.clock, page, changes)


def _present_page(catalog: Catalog, after: Cursor | None) -> PresentPage:
    clock, rows = catalog.present(after, HEADS_PAGE)
    last = rows[-1] if len(rows) == HEADS_PAGE else None
    return PresentPage(
        epoch=clock.epoch,
        revision=clock.revision,
        changes=[head_change_of_row(row) for row in rows],
        next=Cursor(last.state.key, last.revision) if last else None,
    )


def _on_commit(
    tail: Tail,
    doorbell: Doorbell | None,
    dags: EncodedDags,
    writes: Sequence[Write],
    committed: Committed,
) -> None:
    """Tell this replica's watchers at once, and the other replicas that there is something."""
    new = {one for change in committed.changes for one in change.pointers()}
    dags.remember(blob for write in writes for blob in write.blobs() if blob.hash in new)
    tail.offer(committed.position, committed.changes)
    if doorbell and committed.changes:
        doorbell.ring(committed.position.revision)


async def serve(config: Config, store: Store, on_ready: Callable[[RunningServer], None]) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ConfigurationProblem: an address cannot be listened on.

    """
    return_large_blocks()
    calm_collector()
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with running_server(config, store) as server:
        on_ready(server)
        server.background.add_done_callback(lambda _: ended.set())
        await ended.wait()
        if server.background.done():
            server.background.result()  # raises: the tail or the committer has a defect
        log.info("server_draining grace_s=%.1f", config.drain_grace)
    log.info("server_stopped")
