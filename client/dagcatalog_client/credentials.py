"""How a client proves who it is and whom it trusts, in grpc's terms."""

import os
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import grpc

from dagcatalog_client.errors import InvalidSettings
from dagcatalog_client.settings import Settings, Tls, check_token

MAX_FILE_BYTES = 1024**2

StampT = tuple[int, int, int]
ReadT = TypeVar("ReadT")


def channel_credentials(settings: Settings) -> grpc.ChannelCredentials | None:
    """Return what a channel is opened with; None: plaintext without a token.

    Raises:
        InvalidSettings: a file cannot be read.

    """
    if settings.token is None:
        return None if settings.tls is None else _tls(settings.tls)
    token = grpc.metadata_call_credentials(_Bearer(settings.token), "bearer")
    if settings.tls is not None:
        return grpc.composite_channel_credentials(_tls(settings.tls), token)
    # grpc sends no token in plaintext, but for a peer that it has seen to be this machine.
    local = (
        grpc.LocalConnectionType.UDS
        if settings.address.startswith("unix")
        else grpc.LocalConnectionType.LOCAL_TCP
    )
    return grpc.composite_channel_credentials(grpc.local_channel_credentials(local), token)


def stamps(tls: Tls | None) -> tuple[StampT | None, ...]:
    """Tell the files of a connection from those that take their place later."""
    if tls is None:
        return ()
    files = (tls.ca_file, tls.certificate_file, tls.key_file)
    return tuple(_stamp(file) for file in files if file is not None)


class TokenFile:
    """A file that holds a token, read again when it changes; safe to use from several threads.

    Kubernetes renews a projected token by putting a new file in its place. A file that cannot be
    read leaves the last token in force: the server says when that has expired.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stamp: StampT | None = None
        self._token = ""

    def token(self) -> str:
        """Return the token.

        Raises:
            InvalidSettings: there never was one to read.

        """
        with self._lock:
            stamp = _stamp(self._path)
            if not self._token or (stamp is not None and stamp != self._stamp):
                self._read(stamp)
            return self._token

    def _read(self, stamp: StampT | None) -> None:
        try:
            self._token = check_token(_contents(self._path, "token").decode("ascii", "replace"))
        except InvalidSettings as error:
            if not self._token:
                raise InvalidSettings(f"{self._path}: {error}") from error
        self._stamp = stamp


class _Bearer(grpc.AuthMetadataPlugin):
    def __init__(self, token: str | Path) -> None:
        self._token: Callable[[], str]
        if isinstance(token, Path):
            file = TokenFile(token)
            file.token()  # one that is not there is said at once, not by grpc
            self._token = file.token
        else:
            text = check_token(token)
            self._token = lambda: text

    def __call__(
        self,
        context: grpc.AuthMetadataContext,  # noqa: ARG002 - grpc's
        callback: grpc.AuthMetadataPluginCallback,
    ) -> None:
        callback((("authorization", f"Bearer {self._token()}"),), None)


def _tls(tls: Tls) -> grpc.ChannelCredentials:
    check_files(tls)
    return grpc.ssl_channel_credentials(
        root_certificates=_pem(tls.ca_file),
        private_key=_pem(tls.key_file),
        certificate_chain=_pem(tls.certificate_file),
    )


def check_files(tls: Tls) -> None:
    """Refuse files that grpc would only fail to connect with, or wait for ever.

    Raises:
        InvalidSettings: one cannot be read, or a key is not the certificate's.

    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for file in (tls.ca_file, tls.certificate_file, tls.key_file):
        _pem(file)
    try:
        if tls.ca_file is not None:
            context.load_verify_locations(tls.ca_file)
    except (ssl.SSLError, OSError) as error:
        raise InvalidSettings(f"{tls.ca_file} holds no certificate in PEM") from error
    try:
        if tls.certificate_file is not None:
            # Without a password of its own, OpenSSL would ask for one at the terminal.
            context.load_cert_chain(tls.certificate_file, tls.key_file, password="")
    except (ssl.SSLError, OSError, ValueError) as error:
        raise InvalidSettings(
            f"{tls.certificate_file} and {tls.key_file} are no certificate and its key in PEM"
        ) from error


def usable(tls: Tls | None) -> bool:
    """Tell whether the files are whole: while they are being replaced, they may not be."""
    try:
        if tls is not None:
            check_files(tls)
    except InvalidSettings:
        return False
    return True


def _pem(path: Path | None) -> bytes | None:
    return None if path is None else _contents(path, "PEM")


def _contents(path: Path, kind: str) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InvalidSettings(f"the {kind} in {path} cannot be read: {error.strerror}") from error
    if len(raw) > MAX_FILE_BYTES:
        raise InvalidSettings(f"{path} is over 1 MiB: that is no {kind}")
    return raw


def _stamp(path: Path) -> StampT | None:
    try:
        now = os.stat(path)  # noqa: PTH116 - follows the links that Kubernetes swaps
    except OSError:
        return None
    return now.st_mtime_ns, now.st_size, now.st_ino
