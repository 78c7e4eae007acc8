"""Clients that write and read at random, one call after the other, and keep what they are told."""

import asyncio

from tests.faults.running.reading import Reading
from tests.faults.running.writing import Writing

MAX_THINKING_S = 0.06


class Client(Writing, Reading):
    """One client."""

    async def run(self, ended: asyncio.Event) -> None:
        """Call and call, until it is told to end."""
        doings = [
            (20, self._put),
            (14, self._compare_and_set),
            (8, self._put_batch),
            (6, self._delete),
            (4, self._again),
            (24, self._get),
            (8, self._get_local),
            (8, self._get_at_least),
            (5, self._get_past),
            (4, self._list),
            (2, self._list_past),
        ]
        weights = [weight for weight, _ in doings]
        while not ended.is_set():
            [(_, do)] = self._source.choices(doings, weights)
            await do()
            await asyncio.sleep(self._source.uniform(0, MAX_THINKING_S))
