"""The blocking shell: owns the channel and waits for calls."""

import os
import threading
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Self

import grpc

from dagcatalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from dagcatalog_client import channel, failures, settings
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
from dagcatalog_client.errors import CatalogError, ClientClosed, forked_child
from dagcatalog_client.model import Position


class SyncShell:
    """A channel that is opened at the first call, and closed with the client."""

    def __init__(
        self,
        address: str | None = None,
        *,
        namespace: str | None = None,
        timeout_s: float | None = None,
        channel_options: Mapping[str, str | int] | None = None,
    ) -> None:
        self._caller = Caller(settings.resolve(address, namespace), timeout_s)
        self._channel_options = channel.options(channel_options or {})
        self._lock = threading.Lock()
        self._channel: grpc.Channel | None = None
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
        """Where the catalog is."""
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
            if self._channel is not None:
                self._channel.close()

    @property
    def _stub(self) -> CatalogServiceStub:
        if self._opened_elsewhere():
            raise forked_child()
        with self._lock:
            if self._closed:
                raise ClientClosed("the client is closed")
            if self._opened_stub is None:
                self._pid = os.getpid()
                self._channel = grpc.insecure_channel(self.address, options=self._channel_options)
                self._opened_stub = CatalogServiceStub(self._channel)
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
