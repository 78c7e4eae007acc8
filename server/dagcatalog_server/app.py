"""Puts the server together and runs it: the only place that names a concrete store."""

import asyncio
import errno
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import grpc
from grpc_channelz.v1 import channelz
from grpc_reflection.v1alpha import reflection
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from dagcatalog_server.allocator import return_large_blocks
from dagcatalog_server.catalog.canonical import DocumentLimits
from dagcatalog_server.catalog.catalog import Catalog, utc_now
from dagcatalog_server.catalog.model import Change, Clock
from dagcatalog_server.catalog.ports import Store, StoreUnavailable
from dagcatalog_server.catalog.query import ListQuery, StateRow
from dagcatalog_server.catalog.writes import WriteLimits
from dagcatalog_server.config import Config
from dagcatalog_server.config_text import mask_url
from dagcatalog_server.rpc.group_commit import GroupCommit
from dagcatalog_server.rpc.health import Health
from dagcatalog_server.rpc.reading import ReadingMethods, Replica
from dagcatalog_server.rpc.service import SERVICE_NAME, generic_handler
from dagcatalog_server.rpc.threads import Threads
from dagcatalog_server.rpc.watching import WatchingMethods
from dagcatalog_server.rpc.writing import WritingMethods
from dagcatalog_server.store.memory import MemoryStore
from dagcatalog_server.store.postgres import open_postgres
from dagcatalog_server.store.sqlite import open_sqlite
from dagcatalog_server.watch.hub import WatchHub, WatchReads
from dagcatalog_server.watch.ring import Ring
from dagcatalog_server.watch.tail import Tail

log = logging.getLogger(__name__)

# The commit thread and the tail read beside the workers.
_MORE_CONNECTIONS = 2


class ConfigurationProblem(Exception):
    """A setting that cannot work, in one sentence for the operator."""


@dataclass(frozen=True)
class RunningServer:
    """A server that answers calls."""

    address: str
    health_address: str
    """Empty if health checks have no port of their own."""
    background: "asyncio.Future[list[None]]"
    """Never done while all is well; its exception is a defect."""


@contextmanager
def opened_store(config: Config) -> Iterator[Store]:
    """Open the store that the configuration names, and close it in the end.

    Raises:
        ConfigurationProblem: the URL names no store, or one that cannot be opened.
        SchemaMismatch: the database needs a migration, or a newer release.

    """
    try:
        store = _open_store(config)
    except StoreUnavailable as error:
        given = mask_url(config.database_url.get_secret_value())
        reason = " ".join(str(error).split())
        raise ConfigurationProblem(f"cannot open the database {given}: {reason}") from error
    try:
        yield store
    finally:
        store.close()


def _open_store(config: Config) -> Store:
    given = config.database_url.get_secret_value()
    if given.startswith("memory:"):
        return MemoryStore()
    try:
        url = make_url(given)
    except ArgumentError as error:
        raise ConfigurationProblem("database_url is not a URL") from error
    connections = config.worker_threads + _MORE_CONNECTIONS
    match url.get_backend_name():
        case "sqlite" if url.database:
            return open_sqlite(Path(url.database), pool_size=connections)
        case "postgresql":
            return open_postgres(given, pool_size=connections)
    raise ConfigurationProblem(
        f"database_url begins with {url.drivername!r}; use sqlite:///PATH, "
        "postgresql://USER:PASSWORD@HOST/DATABASE or memory://"
    )


def write_limits(config: Config) -> WriteLimits:
    """Take the bounds of a write out of the configuration."""
    document = DocumentLimits(
        max_bytes=config.max_document_bytes,
        max_depth=config.max_document_depth,
        max_nodes=config.max_document_nodes,
    )
    return WriteLimits(document, config.max_source_bytes)


@asynccontextmanager
async def running_server(config: Config, store: Store) -> AsyncIterator[RunningServer]:
    """Serve until the block ends, then drain: no new calls, watches told where to resume.

    Raises:
        ConfigurationProblem: an address cannot be listened on.

    """
    catalog = Catalog(store, limits=write_limits(config))
    with Threads(config.worker_threads) as threads:
        clock = await threads.call(catalog.clock)
        ring = Ring(clock.position, max_changes=config.watch_ring_changes)
        reads = _watch_reads(catalog, threads)
        tail = Tail(ring, reads.changes, poll_interval_s=config.watch_poll_interval)
        hub = WatchHub(ring, reads)
        group_commit = GroupCommit(
            lambda writes: threads.commit(catalog.commit, writes),
            max_group=config.max_commit_group,
            on_commit=tail.ring_doorbell,
        )
        replica = Replica(
            name=socket.gethostname(),
            version=version("dagcatalog"),
            started_at=utc_now(),
            watch_count=lambda: hub.watch_count,
            lag=lambda: max(0, tail.known_revision - ring.revision),
        )
        handler = generic_handler(
            ReadingMethods(catalog, threads, replica),
            WritingMethods(catalog, threads, group_commit, lambda: ring.epoch),
            WatchingMethods(catalog, threads, hub),
        )
        async with (
            _background(tail.run(), group_commit.run()) as background,
            _listening(config, handler, hub) as (address, health_address),
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


@asynccontextmanager
async def _listening(
    config: Config, handler: grpc.GenericRpcHandler, hub: WatchHub
) -> AsyncIterator[tuple[str, str]]:
    health = Health(SERVICE_NAME)
    api = grpc.aio.server(
        options=_options(config), maximum_concurrent_rpcs=config.max_concurrent_rpcs
    )
    api.add_generic_rpc_handlers((handler,))
    health.add_to(api)
    channelz.add_channelz_servicer(api)
    reflection.enable_server_reflection(
        (
            SERVICE_NAME,
            "grpc.health.v1.Health",
            "grpc.channelz.v1.Channelz",
            reflection.SERVICE_NAME,
        ),
        api,
    )
    probes = grpc.aio.server(options=(("grpc.so_reuseport", 0),)) if config.health_listen else None
    address = _bind(api, config.listen, "listen")
    health_address = _bind(probes, config.health_listen, "health_listen") if probes else ""
    try:
        if probes:
            health.add_to(probes)
            await probes.start()
        await api.start()
        await health.set_ready(ready=True)
        yield address, health_address
    finally:
        await health.set_ready(ready=False)
        hub.drain()
        await api.stop(config.drain_grace)
        if probes:
            await probes.stop(0)


def _options(config: Config) -> Sequence[tuple[str, int]]:
    return (
        ("grpc.so_reuseport", 0),  # a second server on the same port must fail, not share it
        ("grpc.max_receive_message_length", config.max_message_bytes),
        ("grpc.max_send_message_length", -1),  # bounded by what was received
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
        ("grpc.max_metadata_size", 16 * 1024),
    )


def _bind(server: grpc.aio.Server, address: str, setting: str) -> str:
    host, separator, port = address.rpartition(":")
    if not (separator and port.isdecimal() and int(port) < 2**16):
        raise ConfigurationProblem(f"{setting} must be HOST:PORT, not {address!r}")
    _check_free(host.strip("[]"), int(port), f"cannot listen on {address} ({setting})")
    try:
        return f"{host}:{server.add_insecure_port(address)}"
    except RuntimeError as error:
        raise ConfigurationProblem(f"cannot listen on {address} ({setting})") from error


def _check_free(host: str, port: int, problem: str) -> None:
    """Ask the system first: grpc writes lines of its own to standard error and keeps the reason."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        # Where there is no IPv6, grpc still listens on [::] for IPv4: that is its to decide.
        if error.errno != errno.EAFNOSUPPORT:
            raise ConfigurationProblem(f"{problem}: {error}") from error


def _watch_reads(catalog: Catalog, threads: Threads) -> WatchReads:
    async def changes(after: int, limit: int) -> tuple[Clock, Sequence[Change]]:
        return await threads.call(catalog.changes, after=after, limit=limit)

    async def page(query: ListQuery) -> Sequence[StateRow]:
        return await threads.call(catalog.page, query)

    async def clock() -> Clock:
        return await threads.call(catalog.clock)

    return WatchReads(clock, page, changes)


async def serve(config: Config, store: Store, on_ready: Callable[[RunningServer], None]) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ConfigurationProblem: an address cannot be listened on.

    """
    return_large_blocks()
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
