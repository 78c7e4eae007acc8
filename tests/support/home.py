"""A catalog that goes away and comes back at one address, behind a proxy that can cut its clients."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from dagcatalog_client import Client
from tests.support.cutting_proxy import CuttingProxy, cutting_proxy
from tests.support.server import RunningServer, running_server

ResultT = TypeVar("ResultT")


class Home:
    """One address; the server behind it is started, stopped, killed and cut off."""

    def __init__(self, folder: Path, proxy: CuttingProxy, loop: asyncio.AbstractEventLoop) -> None:
        self.path = folder / "catalog.db"
        self.address = proxy.address
        self.proxy = proxy
        self._loop = loop
        self._stack = ExitStack()
        self.server: RunningServer | None = None

    def start(self, path: Path | None = None, *, extra_args: Sequence[str] = ()) -> None:
        """Serve a database, the usual one if none is named."""
        server = running_server(path or self.path, extra_args=extra_args)
        self.server = self._stack.enter_context(server)
        host, _, port = self.server.address.rpartition(":")
        self.tell(lambda proxy: setattr(proxy, "target", (host, int(port))))

    def stop(self) -> None:
        """Let the server end as an operator does."""
        self._stack.close()

    def kill(self) -> None:
        """End the server with no warning."""
        assert self.server is not None
        self.server.process.kill()
        self.server.process.wait()
        self._stack.close()

    def cut_off(self) -> None:
        """Reset the clients, and refuse those that come; `mend` lets them in again."""

        def cut(proxy: CuttingProxy) -> None:
            proxy.refuse()
            proxy.reset()

        self.tell(cut)

    def mend(self) -> None:
        """Carry everything again."""
        self.tell(lambda proxy: proxy.heal())

    def tell(self, change: Callable[[CuttingProxy], None]) -> None:
        """Change the proxy, on its own loop."""

        async def told() -> None:
            change(self.proxy)

        asyncio.run_coroutine_threadsafe(told(), self._loop).result(10)

    @contextmanager
    def direct(self, namespace: str | None = None) -> Iterator[Client]:
        """Open a client that goes past the proxy."""
        assert self.server is not None
        with Client(self.server.address, namespace=namespace) as client:
            yield client


@contextmanager
def home(folder: Path) -> Iterator[Home]:
    """Give an address where nobody is at home yet."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run(awaitable: Coroutine[Any, Any, ResultT]) -> ResultT:
        return asyncio.run_coroutine_threadsafe(awaitable, loop).result(10)

    opening = cutting_proxy()
    one = Home(folder, run(_entered(opening)), loop)
    try:
        yield one
    finally:
        one.stop()
        run(_left(opening))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _entered(opening: AbstractAsyncContextManager[CuttingProxy]) -> CuttingProxy:
    return await opening.__aenter__()


async def _left(opening: AbstractAsyncContextManager[CuttingProxy]) -> None:
    await opening.__aexit__(None, None, None)
