"""One clock read that concurrent reads share: what makes a read from memory linearizable."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from dagcatalog_server.catalog.model import Clock

# How long a crowd is let in before the clock is read for it: a clock read, with its hop to a thread
# and back, costs as much as the rest of a Get from memory, so it pays to share it
# (benchmarks/get.py: linearizable next to local).
GATHER_S = 0.003
# How many clock reads pass until it is tried again how many come; rarely where nobody else came,
# so that it is felt by one read in a thousand.
_TRY_AGAIN = 64
_TRY_AGAIN_ALONE = 1024


class ReadIndex:
    """Reads the clock on behalf of many (as etcd's ReadIndex asks its peers once for many reads).

    A read that begins while the clock is being read may not use that answer: a write could have
    been acknowledged in between. It waits for the next one, with everybody who came meanwhile. So
    there is at most one clock read under way and one to come, however many ask.

    From time to time a read waits for GATHER_S to see how many come. The next ones wait for as many
    and no longer than that: who is alone does not wait, and a crowd shares.
    """

    def __init__(self, read: Callable[[], Awaitable[Clock]]) -> None:
        self._read = read
        self._waiting: list[asyncio.Future[Clock]] = []
        self._reader: asyncio.Task[None] | None = None
        self._enough = asyncio.Event()
        self._crowd = 1
        self._reads_until_try = _TRY_AGAIN

    async def clock(self) -> Clock:
        """Read the clock as it is after this call began.

        Raises:
            CatalogError: the clock could not be read.

        """
        answer: asyncio.Future[Clock] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        if self._reader is None:
            self._reader = asyncio.get_running_loop().create_task(self._run())
        elif len(self._waiting) >= self._crowd:
            self._enough.set()
        return await answer

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._gather()
                asked, self._waiting = self._waiting, []
                await self._answer(asked)
        finally:
            self._reader = None

    async def _gather(self) -> None:
        trying = self._reads_until_try <= 0
        self._reads_until_try -= 1
        if len(self._waiting) >= self._crowd and not trying:
            return
        self._enough.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(GATHER_S):
                while trying or len(self._waiting) < self._crowd:
                    await self._enough.wait()
                    self._enough.clear()
                return
        self._crowd = len(self._waiting)
        self._reads_until_try = _TRY_AGAIN if self._crowd > 1 else _TRY_AGAIN_ALONE

    async def _answer(self, asked: list["asyncio.Future[Clock]"]) -> None:
        try:
            clock = await self._read()
        except Exception as error:  # noqa: BLE001 - everybody who asked must learn of it
            for one in asked:
                if not one.done():
                    one.set_exception(error.with_traceback(None))
            return
        for one in asked:
            if not one.done():  # done: its caller has left
                one.set_result(clock)
