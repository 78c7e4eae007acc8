"""A network between a server and its database that can lose every packet without a word."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

MAY_MAKE = os.geteuid() == 0 and shutil.which("ip") is not None
NOBODY = "02:00:00:00:00:99"  # frames to this address arrive, and are nobody's


class SilentNetwork:
    """A network namespace with two wires to here: one to the database, one for clients."""

    database = "198.18.73.1"
    """Address on our side of the first wire."""
    inside = "198.18.73.2"
    api = "198.18.73.6"
    """Address inside of the second wire."""
    range = "198.18.73.0/24"

    def __init__(self) -> None:
        self.name = f"dagcatalog-{os.getpid()}"
        self._wires = (f"dcdb{os.getpid() % 10**8}", f"dcap{os.getpid() % 10**8}")

    def program(self, *command: str) -> Sequence[str]:
        """Give the command that runs another one inside."""
        return ("ip", "netns", "exec", self.name, *command)

    def cut(self) -> None:
        """Lose every packet between the server and its database, in both directions."""
        for address, place in self._ends():
            told = ("dev", self._wires[0], "lladdr", NOBODY, "nud", "permanent")
            _ip(*place, "neigh", "replace", address, *told)

    def mend(self) -> None:
        """Carry packets again."""
        for address, place in self._ends():
            _ip(*place, "neigh", "del", address, "dev", self._wires[0])

    def make(self) -> None:
        """Make the namespace and its wires."""
        _ip("netns", "add", self.name)
        _ip("-n", self.name, "link", "set", "lo", "up")
        ends = (("198.18.73.1/30", "198.18.73.2/30"), ("198.18.73.5/30", "198.18.73.6/30"))
        for wire, (here, there) in zip(self._wires, ends, strict=True):
            _ip("link", "add", wire, "type", "veth", "peer", wire, "netns", self.name)
            _ip("addr", "add", here, "dev", wire)
            _ip("link", "set", wire, "up")
            _ip("-n", self.name, "addr", "add", there, "dev", wire)
            _ip("-n", self.name, "link", "set", wire, "up")

    def remove(self) -> None:
        """Remove the namespace, and with it the wires."""
        _ip("netns", "del", self.name)

    def _ends(self) -> Sequence[tuple[str, Sequence[str]]]:
        return ((self.inside, ()), (self.database, ("-n", self.name)))


@contextmanager
def silent_network() -> Iterator[SilentNetwork]:
    """Make one; needs root."""
    network = SilentNetwork()
    network.make()
    try:
        yield network
    finally:
        network.remove()


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
