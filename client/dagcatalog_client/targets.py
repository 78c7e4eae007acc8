"""From addresses to what grpc connects to: one name, or all of several replicas.

grpc resolves one name, or takes a list of numbers; it takes no list of names. So the names of
several replicas are resolved here, at the first call and then now and again beside the calls: a
replica that comes back with another number is found again.
"""

import ipaddress
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from dagcatalog_client.errors import InvalidSettings, Unavailable

RESOLVE_INTERVAL_S = 30.0
"""As often as grpc's own resolver looks a name up again."""
MAX_ADDRESSES = 64

_SCHEME = re.compile(r"(dns|ipv4|ipv6|unix|unix-abstract|passthrough|xds|vsock):")
_HOST_PORT = re.compile(r"(\[[0-9A-Fa-f:.%a-z]+\]|[^:\[\]/\s]+):(\d{1,5})")
Resolve = Callable[[str, int], Sequence[str]]


def check_addresses(addresses: Sequence[str]) -> None:
    """Refuse what grpc would misread.

    Raises:
        InvalidSettings: an address is no `host:port` and no target.

    """
    if not 0 < len(addresses) <= MAX_ADDRESSES:
        raise InvalidSettings(f"there must be 1 to {MAX_ADDRESSES} addresses")
    for address in addresses:
        if "://" in address and not _SCHEME.match(address):
            raise InvalidSettings(
                f"{address!r} is no gRPC address: write host:port, and ask for TLS with --tls"
            )
        if not _SCHEME.match(address):
            _host_port(address)
        elif len(addresses) > 1 and not address.startswith(("ipv4:", "ipv6:")):
            raise InvalidSettings(
                f"{address!r} stands for all replicas behind it: name it alone, or write host:port"
            )


def only_loopback(addresses: Sequence[str]) -> bool:
    """Tell whether what is sent there never leaves this machine."""
    return all(address.startswith("unix") or _is_loopback(_host(address)) for address in addresses)


def first_host(addresses: Sequence[str]) -> str:
    """Return the name that the certificates of several replicas are held against."""
    return _host(addresses[0])


class Target:
    """What to connect to, kept fresh. Safe to use from several threads."""

    def __init__(
        self,
        addresses: Sequence[str],
        *,
        resolve: Resolve | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._addresses = tuple(addresses)
        self._resolve = resolve or numbers_of
        self._clock = clock
        self._lock = threading.Lock()
        self._text = ""
        self._resolved_at = 0.0
        self._resolving = False

    def text(self) -> str:
        """Return grpc's target. Of several names, the first call waits for all to be looked up.

        Raises:
            Unavailable: none of several names can be resolved.

        """
        if len(self._addresses) == 1:
            return self._addresses[0]
        with self._lock:
            if not self._text:
                self._text = self._look_up()
                self._resolved_at = self._clock()
            elif self._is_old() and not self._resolving:
                self._resolving = True
                threading.Thread(target=self._look_up_again, daemon=True).start()
            return self._text

    def _is_old(self) -> bool:
        return self._clock() - self._resolved_at >= RESOLVE_INTERVAL_S

    def _look_up_again(self) -> None:
        """Look the names up while calls go on with what is known."""
        text = ""
        try:
            text = self._look_up()
        except Unavailable:
            pass  # the name server is away: what was known is better than nothing
        finally:
            with self._lock:
                self._text = text or self._text
                self._resolved_at, self._resolving = self._clock(), False

    def _look_up(self) -> str:
        found = list(dict.fromkeys(self._numbers()))
        if not found:
            names = ", ".join(self._addresses)
            raise Unavailable(f"none of {names} can be resolved to an address")
        if all(not number.startswith("[") for number in found):
            return f"ipv4:{','.join(found)}"
        # One target has one family: numbers of IPv4 travel in IPv6's, and grpc unwraps them.
        return f"ipv6:{','.join(each if each[0] == '[' else _mapped(each) for each in found)}"

    def _numbers(self) -> Iterator[str]:
        for address in self._addresses:
            if _SCHEME.match(address):
                yield address.partition(":")[2].lstrip("/")
                continue
            host, port = _host_port(address)
            yield from self._resolve(host, port)


def numbers_of(host: str, port: int) -> Sequence[str]:
    """Look a name up; nothing, if nobody knows it."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    return [
        f"[{at[0]}]:{port}" if family is socket.AF_INET6 else f"{at[0]}:{port}"
        for family, _, _, _, at in found
    ]


def _mapped(number: str) -> str:
    host, _, port = number.rpartition(":")
    return f"[::ffff:{host}]:{port}"


def _host(address: str) -> str:
    scheme = _SCHEME.match(address)
    rest = address[scheme.end() :].rpartition("/")[2] if scheme else address
    found = _HOST_PORT.fullmatch(rest)
    return (found[1] if found else rest).strip("[]")


def _host_port(address: str) -> tuple[str, int]:
    found = _HOST_PORT.fullmatch(address)
    if not found or not 0 < int(found[2]) < 2**16:
        raise InvalidSettings(
            f"{address!r} is no address: write host:port, [::1]:50051 for instance"
        )
    return found[1].strip("[]"), int(found[2])


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
