"""A watch, for asyncio."""

import asyncio
from types import TracebackType
from typing import Self

import grpc
import grpc.aio

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_client import failures
from dagcatalog_client.calls.call import Call
from dagcatalog_client.model import Position, WatchEvent
from dagcatalog_client.shells.aio_base import closed_meanwhile, task_is_cancelled


class AsyncWatch:
    """An endless asynchronous iterator of events; leaving its `async with` block ends it.

    One task iterates; any other of the same loop may cancel.
    """

    def __init__(
        self,
        responses: "grpc.aio.UnaryStreamCall[pb.WatchRequest, pb.WatchResponse]",
        call: Call[pb.WatchRequest, pb.WatchResponse, WatchEvent | None],
        address: str,
    ) -> None:
        self._responses = responses
        self._iterator = aiter(responses)
        self._read = call.read
        self._address = address
        self._cancelled = False
        self._position: Position | None = None

    @property
    def position(self) -> Position | None:
        """Position of the last event: where to resume. None before the first."""
        return self._position

    def cancel(self) -> None:
        """End the watch, from any task: the iteration stops without an error."""
        self._cancelled = True
        self._responses.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cancel()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> WatchEvent:
        while True:
            event = self._read(await self._next_response())
            if event is not None:
                self._position = event.position
                return event

    async def _next_response(self) -> pb.WatchResponse:
        try:
            return await anext(self._iterator)
        except asyncio.CancelledError as error:
            if task_is_cancelled():
                raise
            if self._cancelled:
                raise StopAsyncIteration from None
            raise closed_meanwhile() from error
        except grpc.aio.AioRpcError as error:
            if self._cancelled:
                raise StopAsyncIteration from None
            raise failures.from_rpc(error, self._address) from error
