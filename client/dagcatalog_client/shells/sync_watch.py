"""A watch, for threads."""

from types import TracebackType
from typing import Protocol, Self

import grpc

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_client import failures
from dagcatalog_client.calls.call import Call
from dagcatalog_client.model import Position, WatchEvent


class Responses(Protocol):
    """What grpc answers a stream with."""

    def __next__(self) -> pb.WatchResponse:
        """Block until the next response."""

    def cancel(self) -> bool:
        """End the call."""


class Watch:
    """An endless iterator of events; leaving its `with` block, or `cancel`, ends it.

    `next` blocks until there is an event. One thread iterates; any other may cancel.
    """

    def __init__(
        self,
        responses: Responses,
        call: Call[pb.WatchRequest, pb.WatchResponse, WatchEvent | None],
        address: str,
    ) -> None:
        self._responses = responses
        self._read = call.read
        self._address = address
        self._cancelled = False
        self._position: Position | None = None

    @property
    def position(self) -> Position | None:
        """Position of the last event: where to resume. None before the first."""
        return self._position

    def cancel(self) -> None:
        """End the watch, from any thread: the iteration stops without an error."""
        self._cancelled = True
        self._responses.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cancel()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> WatchEvent:
        while True:
            event = self._read(self._next_response())
            if event is not None:
                self._position = event.position
                return event

    def _next_response(self) -> pb.WatchResponse:
        try:
            return next(self._responses)
        except grpc.RpcError as error:
            if self._cancelled:
                raise StopIteration from None
            raise failures.from_rpc(error, self._address) from error
