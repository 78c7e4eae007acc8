"""The one hop from the event loop to the synchronous catalog."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


# Checking holds the interpreter's lock: more threads only take it from each other, and each other's
# documents out of the processor's caches. With one, a document of 16 MiB would hold up all others.
CHECKERS = 2


class Threads:
    """Threads for reads, and some apart: for checking documents, for commits and for the clock.

    They have threads of their own, so that a crowd of reads cannot delay what everybody waits for.
    What waits for a thread is bounded by the limit of concurrent RPCs.
    """

    def __init__(self, workers: int) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="catalog")
        self._checkers = ThreadPoolExecutor(CHECKERS, thread_name_prefix="check")
        self._committer = ThreadPoolExecutor(1, thread_name_prefix="commit")
        self._clock = ThreadPoolExecutor(1, thread_name_prefix="clock")

    async def call(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a piece of catalog work on a thread."""
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, lambda: work(*args, **kwargs)
        )

    async def check(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Check a document, or many, on a thread for that."""
        return await asyncio.get_running_loop().run_in_executor(
            self._checkers, lambda: work(*args, **kwargs)
        )

    async def commit(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a commit on the thread for commits."""
        return await asyncio.get_running_loop().run_in_executor(
            self._committer, lambda: work(*args, **kwargs)
        )

    async def ask(self, work: Callable[[], R]) -> R:
        """Run a short question, one at a time, on the thread for them: the clock read."""
        return await asyncio.get_running_loop().run_in_executor(self._clock, work)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._checkers.shutdown(wait=True)
        self._committer.shutdown(wait=True)
        self._clock.shutdown(wait=True)
        self._pool.shutdown(wait=True)
