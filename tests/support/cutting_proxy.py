"""A TCP proxy on the loopback that can stall, delay, reset, refuse and half-close what it carries.

It never loses a byte of a connection that lives on: a network that drops packets delivers them
late, or the connection ends. Both are here, and the silence between them is as long as one likes.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

CHUNK_BYTES = 64 * 1024
CONNECT_TIMEOUT_S = 5.0
RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no time: closing sends RST, and no FIN


@dataclass
class Lane:
    """One direction of everything that a proxy carries."""

    open: asyncio.Event = field(default_factory=asyncio.Event)
    delay_s: float = 0.0
    carried_bytes: int = 0

    def __post_init__(self) -> None:
        self.open.set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry bytes to their end. While the lane is closed nothing is read: the sender fills up."""
        while True:
            await self.open.wait()
            chunk = await reader.read(CHUNK_BYTES)
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            await self.open.wait()
            if not chunk:
                return
            self.carried_bytes += len(chunk)
            writer.write(chunk)
            await writer.drain()


@dataclass(eq=False)
class Connection:
    """A client's connection, and the one to the target that it stands for."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    half_open: bool = False

    def reset(self) -> None:
        """Reset both sides."""
        _reset(self.client)
        _reset(self.server)
        self.ended.set()


class CuttingProxy:
    """Carries connections to `target`, as its faults allow. Lives on one event loop."""

    def __init__(self) -> None:
        self.target: tuple[str, int] | None = None
        """None: nobody is there, and clients are refused."""
        self.port = 0
        self.requests = Lane()
        self.answers = Lane()
        self._refusing = False
        self._connections: set[Connection] = set()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def connection_count(self) -> int:
        return len(self._connections)

    def stall(self, *, requests: bool = True, answers: bool = True) -> None:
        """Carry nothing more in these directions, and say so to nobody; `heal` delivers it late."""
        if requests:
            self.requests.open.clear()
        if answers:
            self.answers.open.clear()

    def delay(self, delay_s: float) -> None:
        """Let every chunk wait, both ways."""
        self.requests.delay_s = self.answers.delay_s = delay_s

    def refuse(self) -> None:
        """Reset whoever connects from now on."""
        self._refusing = True

    def reset(self) -> None:
        """End every connection with a reset, on both sides."""
        for one in list(self._connections):
            one.reset()

    def half_open(self) -> None:
        """Reset the clients; the server is left with connections that nobody holds, until `heal`."""
        for one in list(self._connections):
            one.half_open = True
            _reset(one.client)

    def heal(self) -> None:
        """Carry everything again, what was held back first; half-open connections end."""
        self._refusing = False
        self.delay(0.0)
        self.requests.open.set()
        self.answers.open.set()
        for one in list(self._connections):
            if one.half_open:
                one.reset()

    async def serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        """Carry one connection; for asyncio.start_server."""
        try:
            if self._refusing or self.target is None:
                raise ConnectionRefusedError
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                answers, server = await asyncio.open_connection(*self.target)
        except (OSError, TimeoutError):
            _reset(client)
            return
        connection = Connection(client, server)
        self._connections.add(connection)
        try:
            await self._carry(connection, reader, answers)
        finally:
            self._connections.discard(connection)
            client.close()
            server.close()

    async def _carry(
        self, one: Connection, requests: asyncio.StreamReader, answers: asyncio.StreamReader
    ) -> None:
        """Carry until either side ends; what ends in one direction ends in both."""
        ended = asyncio.ensure_future(one.ended.wait())
        tasks = [
            asyncio.ensure_future(self.requests.carry(requests, one.server)),
            asyncio.ensure_future(self.answers.carry(answers, one.client)),
            ended,
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if one.half_open:
                await ended
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def cutting_proxy() -> AsyncIterator[CuttingProxy]:
    """Run a proxy on a free port; its target is set later, and may change."""
    proxy = CuttingProxy()
    serving: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(proxy.serve(reader, writer))
        serving.add(task)
        task.add_done_callback(serving.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=CHUNK_BYTES)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in list(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


def _reset(writer: asyncio.StreamWriter) -> None:
    raw: socket.socket | None = writer.get_extra_info("socket")
    if raw is not None and not writer.transport.is_closing():
        with suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
