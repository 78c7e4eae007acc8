"""Waiting for a condition, for as long as a slow machine may take."""

import asyncio
import time
from collections.abc import Awaitable, Callable

PATIENCE_S = 30.0
LOOK_INTERVAL_S = 0.01


def wait_until(condition: Callable[[], bool]) -> None:
    """Look again and again until it holds."""
    give_up = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up, "it never came true"
        time.sleep(LOOK_INTERVAL_S)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again until it holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not await condition():  # noqa: ASYNC110 - what is asked is a server
            await asyncio.sleep(LOOK_INTERVAL_S)
