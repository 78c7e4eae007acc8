"""The cutting proxy does to a connection what its name says, and nothing else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.support.cutting_proxy import CuttingProxy, cutting_proxy

PATIENCE_S = 10.0
SILENCE_S = 0.1


class Echo:
    """Answers every line with itself, and counts who has left."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.hears = asyncio.Event()
        self.left = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                self.heard.append(line)
                self.hears.set()
                writer.write(line)
        except ConnectionError:
            pass
        finally:
            self.left.set()
            writer.close()


@asynccontextmanager
async def carried() -> AsyncIterator[tuple[CuttingProxy, Echo]]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    try:
        async with asyncio.timeout(PATIENCE_S), cutting_proxy() as proxy:
            proxy.target = server.sockets[0].getsockname()
            yield proxy, echo
    finally:
        server.close()


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def say(self, line: bytes) -> None:
        self._writer.write(line)

    async def hear(self) -> bytes:
        return await self._reader.readline()

    async def hear_nothing(self) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(SILENCE_S):
                await self._reader.readexactly(1)


@asynccontextmanager
async def client_of(proxy: CuttingProxy) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


async def test_it_carries_both_ways() -> None:
    async with carried() as (proxy, _), client_of(proxy) as client:
        client.say(b"one\n")
        assert await client.hear() == b"one\n"
        client.say(b"two\n")
        assert await client.hear() == b"two\n"


async def test_what_was_stalled_arrives_late_and_in_order() -> None:
    async with carried() as (proxy, echo), client_of(proxy) as client:
        client.say(b"one\n")
        assert await client.hear() == b"one\n"
        proxy.stall()
        client.say(b"two\n")
        await client.hear_nothing()
        client.say(b"three\n")
        proxy.heal()
        assert [await client.hear(), await client.hear()] == [b"two\n", b"three\n"]
        assert echo.heard == [b"one\n", b"two\n", b"three\n"]


async def test_requests_pass_while_answers_are_stalled() -> None:
    async with carried() as (proxy, echo), client_of(proxy) as client:
        proxy.stall(requests=False)
        client.say(b"one\n")
        await echo.hears.wait()
        await client.hear_nothing()
        assert echo.heard == [b"one\n"]
        proxy.heal()
        assert await client.hear() == b"one\n"


async def test_a_reset_is_felt_on_both_sides_even_while_stalled() -> None:
    async with carried() as (proxy, echo), client_of(proxy) as client:
        client.say(b"one\n")
        assert await client.hear() == b"one\n"
        proxy.stall()
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            await client.hear()
        await echo.left.wait()


async def test_the_server_of_a_half_open_connection_learns_of_it_when_healed() -> None:
    async with carried() as (proxy, echo), client_of(proxy) as client:
        client.say(b"one\n")
        assert await client.hear() == b"one\n"
        proxy.half_open()
        with pytest.raises(ConnectionResetError):
            await client.hear()
        await asyncio.sleep(SILENCE_S)
        assert not echo.left.is_set()
        proxy.heal()
        await echo.left.wait()


async def test_clients_are_refused_and_open_connections_go_on() -> None:
    async with carried() as (proxy, _), client_of(proxy) as early:
        early.say(b"one\n")
        assert await early.hear() == b"one\n"
        proxy.refuse()
        async with client_of(proxy) as late:
            with pytest.raises(ConnectionResetError):
                await late.hear()
        early.say(b"two\n")
        assert await early.hear() == b"two\n"


async def test_a_delay_is_felt() -> None:
    async with carried() as (proxy, _), client_of(proxy) as client:
        proxy.delay(SILENCE_S)
        clock = asyncio.get_running_loop().time
        began = clock()
        client.say(b"one\n")
        assert await client.hear() == b"one\n"
        assert clock() - began >= 2 * SILENCE_S
