"""A TLS-terminating proxy on the loopback, as an ingress puts it before a catalog."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import trustme

CHUNK_BYTES = 64 * 1024
HANDSHAKE_TIMEOUT_S = 5.0
CARRY_TIMEOUT_S = 600.0


@dataclass(frozen=True)
class Authority:
    """A certificate authority of one test, and the PEM files that it signs."""

    folder: Path
    ca: trustme.CA

    @property
    def ca_file(self) -> Path:
        path = self.folder / "ca.pem"
        self.ca.cert_pem.write_to_path(path)
        return path

    def issue(self, *names: str) -> tuple[Path, Path]:
        """Sign a certificate; return its chain and its key."""
        leaf = self.ca.issue_cert(*names)
        chain, key = self.folder / f"{names[0]}.pem", self.folder / f"{names[0]}.key"
        with chain.open("wb") as file:
            for one in leaf.cert_chain_pems:
                file.write(one.bytes())
        leaf.private_key_pem.write_to_path(key)
        return chain, key


def authority(folder: Path) -> Authority:
    folder.mkdir(parents=True, exist_ok=True)
    return Authority(folder, trustme.CA())


@contextmanager
def tls_proxy(
    address: str, certificate: tuple[Path, Path], *, client_ca: Path | None = None
) -> Iterator[str]:
    """Speak TLS before `address` and plaintext to it; with `client_ca`, to clients it signed only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    context.set_alpn_protocols(["h2"])
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        proxy = _Proxy(address, context)
        accepting = threading.Thread(target=proxy.accept, args=(listener,))
        accepting.start()
        stack.callback(accepting.join, 10)
        stack.callback(proxy.stop)
        stack.callback(listener.shutdown, socket.SHUT_RDWR)
        yield f"127.0.0.1:{listener.getsockname()[1]}"


class _Proxy:
    def __init__(self, address: str, context: ssl.SSLContext) -> None:
        host, _, port = address.rpartition(":")
        self._target = (host, int(port))
        self._context = context
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    def accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:  # stopped
                return
            self._start(self._serve, client)

    def stop(self) -> None:
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def _start(self, run: Callable[..., None], *arguments: socket.socket) -> None:
        thread = threading.Thread(target=run, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), ExitStack() as stack:  # an SSLError is an OSError
            stack.enter_context(client)
            client.settimeout(HANDSHAKE_TIMEOUT_S)
            secure = stack.enter_context(self._context.wrap_socket(client, server_side=True))
            server = stack.enter_context(socket.create_connection(self._target))
            # A socket without a timeout reads under its lock, and nobody could write meanwhile.
            secure.settimeout(CARRY_TIMEOUT_S)
            both = {secure, server}
            self._open |= both
            answers = threading.Thread(target=_pump, args=(server, secure))
            answers.start()
            _pump(secure, server)
            answers.join()
            self._open -= both


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Carry one direction to its end, and end both."""
    with suppress(OSError):
        while chunk := source.recv(CHUNK_BYTES):
            sink.sendall(chunk)
    for one in (source, sink):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
