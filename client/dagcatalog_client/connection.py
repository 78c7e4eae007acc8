"""One client's connection: what it is opened with, and when it must be opened anew."""

from collections.abc import Mapping
from dataclasses import dataclass

import grpc
import grpc.aio

from dagcatalog_client import channel, credentials
from dagcatalog_client.settings import Settings
from dagcatalog_client.targets import Target, first_host

KEPT_CHANNELS = 4
"""Channels that were overtaken stay open for calls under way on them; the oldest are closed."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a channel was opened with; where it differs from now, there is a newer one to open."""

    target: str
    files: tuple[credentials.StampT | None, ...]


class Connection:
    """Opens channels by a client's settings. Safe to use from several threads."""

    def __init__(self, settings: Settings, overrides: Mapping[str, str | int]) -> None:
        self._settings = settings
        self._options = channel.options({**_authority(settings), **overrides})
        self._target = Target(settings.addresses)

    def due(self, opened: Wiring | None) -> Wiring:
        """Return what a channel is to be opened with: what one is opened with, if that is right.

        Raises:
            Unavailable: none of several names can be resolved.

        """
        tls = self._settings.tls
        now = Wiring(self._target.text(), credentials.stamps(tls))
        if opened is None or now == opened:
            return now
        # Half of a renewal is no reason to lose a connection that works.
        return now if credentials.usable(tls) else opened

    def open(self, wiring: Wiring) -> grpc.Channel:
        """Open a blocking channel; nothing is sent before its first call.

        Raises:
            InvalidSettings: a certificate or a token cannot be read.

        """
        trusted = credentials.channel_credentials(self._settings)
        if trusted is None:
            return grpc.insecure_channel(wiring.target, options=self._options)
        return grpc.secure_channel(wiring.target, trusted, options=self._options)

    def open_aio(self, wiring: Wiring) -> grpc.aio.Channel:
        """Open a channel for asyncio, as `open` does."""
        trusted = credentials.channel_credentials(self._settings)
        if trusted is None:
            return grpc.aio.insecure_channel(wiring.target, options=self._options)
        return grpc.aio.secure_channel(wiring.target, trusted, options=self._options)


def _authority(settings: Settings) -> Mapping[str, str]:
    """Name the server, where the target does not: by its certificate, or by the first of several."""
    tls = settings.tls
    if tls is None:
        return {}
    several = len(settings.addresses) > 1
    name = tls.server_name or (first_host(settings.addresses) if several else "")
    if not name:
        return {}
    return {"grpc.ssl_target_name_override": name, "grpc.default_authority": name}
