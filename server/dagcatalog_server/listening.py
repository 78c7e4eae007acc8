"""The ports of the server: the API with health checks, channelz and reflection, and the probes."""

import errno
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import grpc
from grpc_channelz.v1 import channelz
from grpc_reflection.v1alpha import reflection

from dagcatalog_server.config import Config
from dagcatalog_server.opening import ConfigurationProblem
from dagcatalog_server.rpc.health import Health
from dagcatalog_server.rpc.service import SERVICE_NAME


class Draining(Protocol):
    """What holds calls open and must end them before the server can stop."""

    def drain(self) -> None:
        """End them, and say where to go on."""


@asynccontextmanager
async def listening(
    config: Config,
    handler: grpc.GenericRpcHandler,
    draining: Sequence[Draining],
    health: Health,
) -> AsyncIterator[tuple[str, str]]:
    """Answer calls until the block ends, then drain; gives the addresses of API and probes.

    Raises:
        ConfigurationProblem: an address cannot be listened on.

    """
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
        for each in draining:
            each.drain()
        await api.stop(config.drain_grace)
        if probes:
            await probes.stop(0)


def _options(config: Config) -> Sequence[tuple[str, int]]:
    return (
        ("grpc.so_reuseport", 0),  # a second server on the same port must fail, not share it
        ("grpc.max_receive_message_length", config.max_message_bytes),
        ("grpc.max_send_message_length", -1),  # bounded by what was received
        # A client that is gone without a word is noticed in 30 s, and its watches end: an open watch
        # keeps its consumer registered.
        ("grpc.keepalive_time_ms", 20_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.http2.ping_timeout_ms", 10_000),  # else a minute, whatever the keepalive's timeout
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
