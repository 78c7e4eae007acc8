"""The asyncio shell: owns the channel and awaits calls."""

import asyncio
import os
import weakref
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

import grpc
import grpc.aio

from dagcatalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from dagcatalog_client import failures, settings
from dagcatalog_client.calls.call import (
    AnswerT,
    Call,
    Caller,
    ItemT,
    Page,
    PagedT,
    RequestT,
    ResponseT,
    following,
)
from dagcatalog_client.connection import KEPT_CHANNELS, Connection, Wiring
from dagcatalog_client.errors import Cancelled, CatalogError, ClientClosed, forked_child
from dagcatalog_client.model import Position
from dagcatalog_client.settings import Address, Tls, Token

if TYPE_CHECKING:  # the twin stub is there for type checkers only
    from dagcatalog.v1.catalog_service_pb2_grpc import CatalogServiceAsyncStub


CallT = TypeVar("CallT", bound="grpc.aio.Call")


class AioShell:
    """A channel that is opened at the first call, and closed with the client."""

    def __init__(
        self,
        address: Address | None = None,
        *,
        namespace: str | None = None,
        timeout_s: float | None = None,
        tls: Tls | bool | None = None,
        token: Token | None = None,
        context: str | None = None,
        channel_options: Mapping[str, str | int] | None = None,
    ) -> None:
        resolved = settings.resolve(address, namespace, tls=tls, token=token, context=context)
        self._caller = Caller(resolved, timeout_s)
        self._connection = Connection(resolved, channel_options or {})
        self._wiring: Wiring | None = None
        self._channels: list[grpc.aio.Channel] = []
        self._opened_stub: CatalogServiceAsyncStub | None = None
        self._calls: weakref.WeakSet[grpc.aio.Call] = weakref.WeakSet()
        self._closed = False
        self._pid = 0
        """Of the process that opened the channel; 0: nobody has."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @property
    def address(self) -> str:
        """Where the catalog is; several with commas between them."""
        return self._caller.settings.address

    @property
    def namespace(self) -> str:
        """Airflow deployment that calls mean when they name none."""
        return self._caller.settings.namespace

    @property
    def position(self) -> Position | None:
        """The newest position seen; reads are at least as new. None before the first answer."""
        return self._caller.last_seen.position

    def forget_position(self) -> None:
        """Begin anew after `OtherEpoch`: the catalog was restored, and reads go on from there."""
        self._caller.last_seen.forget()

    async def close(self) -> None:
        """Close the channel; calls under way fail with `Cancelled`. May be called twice."""
        if self._opened_elsewhere():
            return
        self._closed = True
        # grpc finds the calls of a channel by looking at tasks' stacks, and misses most.
        for call in list(self._calls):
            call.cancel()
        for opened in self._channels:
            await opened.close()

    @property
    def _stub(self) -> "CatalogServiceAsyncStub":
        if self._opened_elsewhere():
            raise forked_child()
        if self._closed:
            raise ClientClosed("the client is closed")
        wiring = self._connection.due(self._wiring)
        if self._opened_stub is None or wiring != self._wiring:
            self._pid = os.getpid()
            self._channels.append(self._connection.open_aio(wiring))
            self._wiring = wiring
            self._opened_stub = CatalogServiceStub(self._channels[-1])
            # The overtaken ones are closed with the client: closing waits, which this cannot.
            del self._channels[:-KEPT_CHANNELS]
        return self._opened_stub

    def _opened_elsewhere(self) -> bool:
        return self._pid not in (0, os.getpid())

    async def _unary(
        self,
        method: "grpc.aio.UnaryUnaryMultiCallable[RequestT, ResponseT]",
        call: Call[RequestT, ResponseT, AnswerT],
    ) -> AnswerT:
        try:
            response = await self._under_way(method(call.request, timeout=call.timeout_s))
        except asyncio.CancelledError as error:
            if task_is_cancelled():
                raise
            raise closed_meanwhile() from error
        except grpc.aio.AioRpcError as error:
            raise self._failure(error) from error
        return call.read(response)

    async def _pages(
        self,
        method: "grpc.aio.UnaryUnaryMultiCallable[PagedT, ResponseT]",
        call: Call[PagedT, ResponseT, Page[ItemT]],
    ) -> AsyncIterator[ItemT]:
        page = await self._unary(method, call)
        for item in page.items:
            yield item
        while page.next_page_token:
            page = await self._unary(method, following(call, page.next_page_token))
            for item in page.items:
                yield item

    async def _stream(
        self,
        method: "grpc.aio.UnaryStreamMultiCallable[RequestT, ResponseT]",
        call: Call[RequestT, ResponseT, AnswerT],
    ) -> AsyncIterator[AnswerT]:
        responses = self._under_way(method(call.request, timeout=call.timeout_s))
        try:
            async for response in responses:
                yield call.read(response)
        except asyncio.CancelledError as error:
            if task_is_cancelled():
                raise
            raise closed_meanwhile() from error
        except grpc.aio.AioRpcError as error:
            raise self._failure(error) from error
        finally:
            responses.cancel()

    def _under_way(self, call: CallT) -> CallT:
        """Remember a call until it is done with, so that `close` can end it."""
        self._calls.add(call)
        return call

    def _failure(self, error: grpc.aio.AioRpcError) -> CatalogError:
        return failures.from_rpc(error, self.address)


def task_is_cancelled() -> bool:
    """Tell the task's own cancellation from the one that grpc raises for a call that was ended."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def closed_meanwhile() -> Cancelled:
    """Return the error of a call that `close` ended."""
    return Cancelled("the client was closed during the call")
