"""Writers that never give up a write, and watchers that see it all: for a database that fails over."""

import asyncio
import random
import time
from collections.abc import Sequence

import grpc
from grpc import StatusCode

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from tests.faults.ledger import Answer, Ledger, Write
from tests.faults.present import ALL
from tests.faults.stream import Writes, send
from tests.support.waiting import PATIENCE_S
from tests.support.wire import Api, next_changes, watching

RETRY_PAUSE_S = 0.05
MAX_STAY = 300
"""Revisions that a watcher sees before it leaves and resumes."""
PAUSE_S = 0.01
"""Of each writer after each write: the stream is to be steady, not to fill the machine."""


class SteadyStream:
    """Writers that send each write until it is answered, under one request_id."""

    def __init__(self, apis: Sequence[Api], writes: Writes, ledger: Ledger) -> None:
        self._apis = apis
        self._writes = writes
        self._ledger = ledger
        self._ending = False
        self._answered = asyncio.Condition()
        self.answered_at: list[float] = []
        """Monotonic time of each answer."""
        self.retried = 0
        self.unavailable = 0

    async def run(self, writers: int) -> None:
        """Write until `end`."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(writers):
                tasks.create_task(self._write(self._apis[number % len(self._apis)]))

    def end(self) -> None:
        """Let every writer finish its write."""
        self._ending = True

    async def wait_for(self, answers: int, after: float) -> None:
        """Wait for so many answers after a moment."""
        async with asyncio.timeout(PATIENCE_S), self._answered:
            await self._answered.wait_for(
                lambda: len(self.answered_at) >= answers and self.answered_at[-answers] > after
            )

    async def _write(self, api: Api) -> None:
        while not self._ending:
            write = self._writes.next()
            answer, attempts = await self._insist(api, write)
            self.retried += attempts > 1
            # What wrote nothing (a refusal, UNCHANGED) is not remembered, and may differ next time.
            wrote = answer is not None and self._ledger.acknowledge(write, answer)
            if wrote and attempts > 1:
                again, _ = await self._insist(api, write)
                assert again == answer, "the same request_id, another answer"
            async with self._answered:
                self.answered_at.append(time.monotonic())
                self._answered.notify_all()
            await asyncio.sleep(PAUSE_S)

    async def _insist(self, api: Api, write: Write) -> tuple[Answer | None, int]:
        attempts = 0
        while True:
            attempts += 1
            try:
                return await send(api, write), attempts
            except grpc.aio.AioRpcError as error:
                if error.code() is not StatusCode.UNAVAILABLE:
                    raise
            self.unavailable += 1
            await asyncio.sleep(RETRY_PAUSE_S)


class Follower:
    """Watches everything from the beginning; leaves and resumes now and then if told to."""

    def __init__(self, api: Api, source: random.Random, *, leaves: bool) -> None:
        self._api = api
        self._source = source
        self._leaves = leaves
        self._position = res.Position()
        self.events: list[pb.WatchResponse] = []
        self.watches = 0

    @property
    def revision(self) -> int:
        """The last that was seen."""
        return self._position.revision

    async def follow(self) -> None:
        """Follow until cancelled."""
        while True:
            self.watches += 1
            stay = self._source.randrange(1, MAX_STAY) if self._leaves else 2**63
            try:
                await self._watch(stay)
            except grpc.aio.AioRpcError:
                if not self._leaves:
                    raise

    async def _watch(self, stay: int) -> None:
        request = pb.WatchRequest(namespaces=[ALL], after=self._position)
        async with watching(self._api, request) as watch:
            for _ in range(stay):
                (event,) = await next_changes(watch)
                self.events.append(event)
                self._position = event.position
