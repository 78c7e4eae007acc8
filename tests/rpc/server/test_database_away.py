"""A database that is away: UNAVAILABLE with a time to try again, and all goes on when it is back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode
from sqlalchemy.engine import make_url

from dagcatalog.v1 import catalog_service_pb2 as pb
from tests.support.server import running_server
from tests.support.waiting import until
from tests.support.wire import (
    Api,
    connected,
    next_changes,
    next_event,
    put,
    refusal_of,
    watching,
)


class Cable:
    """A TCP connection to the database that can be pulled and put back."""

    def __init__(self, database_port: int) -> None:
        self.port = 0
        self._database_port = database_port
        self._writers: set[asyncio.StreamWriter] = set()

    async def put_in(self) -> None:
        self._listening = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._listening.sockets[0].getsockname()[1]

    async def pull(self) -> None:
        self._listening.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*(_ended(writer) for writer in self._writers))
        self._writers.clear()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._database_port)
        self._writers |= {writer, far_writer}
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _ended(writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        await writer.wait_closed()


@asynccontextmanager
async def _cable(database_port: int) -> AsyncIterator[Cable]:
    cable = Cable(database_port)
    await cable.put_in()
    try:
        yield cable
    finally:
        await cable.pull()


@asynccontextmanager
async def _serving(folder: Path, url: str) -> AsyncIterator[str]:
    """Run a server in a process of its own: it reaches its database through this event loop."""
    running = running_server(folder / "unused.db", extra_args=[f"--database-url={url}"])
    server = await asyncio.to_thread(running.__enter__)
    try:
        yield server.address
    finally:
        await asyncio.to_thread(running.__exit__, None, None, None)


async def _answers(api: Api) -> bool:
    return await api.List(pb.ListRequest()).code() is StatusCode.OK


async def test_a_database_that_is_away_is_unavailable_and_comes_back(
    postgres_url: str, tmp_path: Path
) -> None:
    url = make_url(postgres_url)
    assert url.port
    async with _cable(url.port) as cable:
        reached = url.set(port=cable.port).render_as_string(hide_password=False)
        async with _serving(tmp_path, reached) as address, connected(address) as api:
            there = (await api.Put(put("", "a"))).position
            beat = Duration(seconds=1)
            request = pb.WatchRequest(after=there, bookmark_interval=beat)
            async with watching(api, request) as watch:
                await next_event(watch)  # a bookmark: the watch has begun
                await cable.pull()
                for call in (api.Get(pb.GetRequest(dag_id="a")), api.Put(put("", "b"))):
                    refusal = await refusal_of(call)
                    assert (refusal.code, refusal.reason) == (
                        StatusCode.UNAVAILABLE,
                        "DATABASE_UNAVAILABLE",
                    )
                    assert refusal.retry_after_s > 0
                    assert "127.0.0.1" not in refusal.message
                assert (await next_event(watch)).position == there  # from memory: it goes on
                await cable.put_in()
                await until(lambda: _answers(api))
                answer = await api.Put(put("", "b"))
                assert answer.position.revision == there.revision + 1
                (event,) = await next_changes(watch)
                assert event.position == answer.position
