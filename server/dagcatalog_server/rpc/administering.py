"""Prune, Verify: what is done to all of history, step by step."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from typing import TypeVar

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_server.catalog.catalog import Catalog
from dagcatalog_server.catalog.names import check_namespace_filter
from dagcatalog_server.rpc import answers, requests
from dagcatalog_server.rpc.call import Call
from dagcatalog_server.rpc.threads import Threads

StepT = TypeVar("StepT")

PROGRESS_INTERVAL_S = 0.5
"""How often a Verify tells how far it is while it finds nothing."""


class AdministeringMethods:
    """The part of the service that is about history as a whole."""

    def __init__(self, catalog: Catalog, threads: Threads) -> None:
        self._catalog = catalog
        self._threads = threads

    async def prune(self, request: pb.PruneRequest, call: Call) -> pb.PruneResponse:
        """Drop versions by policy; a client that leaves stops it between two transactions."""
        steps = await self._threads.call(self._catalog.prune, requests.prune_policy(request))
        answer = pb.PruneResponse()
        began = time.monotonic()
        async for done in self._stepped(steps):
            answer = answers.pruned(done)
            # Others shall have the database for as long as this had it.
            await asyncio.sleep(time.monotonic() - began)
            began = time.monotonic()
        return answer

    async def verify(
        self, request: pb.VerifyRequest, call: Call
    ) -> AsyncGenerator[pb.VerifyResponse, None]:
        """Check every content, and tell now and then how far that is."""
        namespace = check_namespace_filter(request.namespace)
        steps = await self._threads.call(self._catalog.verify, namespace)
        told = time.monotonic()
        async for step in self._stepped(steps):
            if step.damaged or step.done or time.monotonic() - told >= PROGRESS_INTERVAL_S:
                told = time.monotonic()
                yield answers.verified(step, one_namespace=namespace is not None)

    async def _stepped(self, steps: Iterator[StepT]) -> AsyncGenerator[StepT, None]:
        """Take each step on a thread, so that waiting, and leaving, happens between two."""
        while (step := await self._threads.call(_next, steps)) is not None:
            yield step


def _next(steps: Iterator[StepT]) -> StepT | None:
    return next(steps, None)
