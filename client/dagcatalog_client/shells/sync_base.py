"""The blocking shell: owns the channel and waits for calls."""

import os
import threading
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Self

import grpc

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
from dagcatalog_client.errors import CatalogError, ClientClosed, forked_child
from dagcatalog_client.model import Position
from dagcatalog_client.settings import Address, Tls, Token


class SyncShell:
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
        self._lock = threading.Lock()
        self._channels: list[grpc.Channel] = []
        self._opened_stub: CatalogServiceStub | None = None
        self._closed = False
        self._pid = 0
        """Of the process that opened the channel; 0: nobody has."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

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

    def close(self) -> None:
        """Close the channel; calls under way fail with `Cancelled`. May be called twice."""
        if self._opened_elsewhere():
            return
        with self._lock:
            self._closed = True
            for opened in self._channels:
                opened.close()

    @property
    def _stub(self) -> CatalogServiceStub:
        if self._opened_elsewhere():
            raise forked_child()
        with self._lock:
            if self._closed:
                raise ClientClosed("the client is closed")
            wiring = self._connection.due(self._wiring)
            if self._opened_stub is None or wiring != self._wiring:
                self._pid = os.getpid()
                self._channels.append(self._connection.open(wiring))
                self._wiring = wiring
                self._opened_stub = CatalogServiceStub(self._channels[-1])
                for overtaken in self._channels[:-KEPT_CHANNELS]:
                    overtaken.close()
                    self._channels.remove(overtaken)
            return self._opened_stub

    def _opened_elsewhere(self) -> bool:
        return self._pid not in (0, os.getpid())

    def _unary(
        self,
        method: "grpc.UnaryUnaryMultiCallable[RequestT, ResponseT]",
        call: Call[RequestT, ResponseT, AnswerT],
    ) -> AnswerT:
        try:
            response = method(call.request, timeout=call.timeout_s)
        except grpc.RpcError as error:
            raise self._failure(error) from error
        return call.read(response)

    def _pages(
        self,
        method: "grpc.UnaryUnaryMultiCallable[PagedT, ResponseT]",
        call: Call[PagedT, ResponseT, Page[ItemT]],
    ) -> Iterator[ItemT]:
        page = self._unary(method, call)
        yield from page.items
        while page.next_page_token:
            page = self._unary(method, following(call, page.next_page_token))
            yield from page.items

    def _stream(
        self,
        method: "grpc.UnaryStreamMultiCallable[RequestT, ResponseT]",
        call: Call[RequestT, ResponseT, AnswerT],
    ) -> Iterator[AnswerT]:
        responses = method(call.request, timeout=call.timeout_s)
        try:
            for response in responses:
                yield call.read(response)
        except grpc.RpcError as error:
            raise self._failure(error) from error
        finally:
            responses.cancel()

    def _failure(self, error: grpc.RpcError) -> CatalogError:
        return failures.from_rpc(error, self.address)
