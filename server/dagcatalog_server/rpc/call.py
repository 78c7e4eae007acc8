"""What every RPC goes through, in one readable place: id, decoding, errors, log."""

import asyncio
import logging
import time
import traceback
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import status_pb2

from dagcatalog_server.catalog.errors import CatalogError, InvalidArgument
from dagcatalog_server.rpc.status import STATUS, STATUS_DETAILS, internal_status, rich_status

log = logging.getLogger(__name__)

REQUEST_ID = "x-request-id"
_MAX_REQUEST_ID = 128
ANONYMOUS = "anonymous"  # until there is authentication, nobody can be named

# Texts: the classes are generic for the type checker only.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Unary = Callable[[Any, "Call"], Awaitable[Message]]
Stream = Callable[[Any, "Call"], AsyncGenerator[Message | bytes, None]]
"""May yield messages that are encoded already, because many calls share them."""


@dataclass(frozen=True, slots=True)
class Call:
    """One RPC under way."""

    method: str
    request_id: str
    """The client's x-request-id, or one made here; in every answer and log line."""
    peer: str
    actor: str


def unary_handler(method: str, request_type: type[Message], serve: Unary) -> Handler:
    """Wrap a method that answers once. Bytes go in and come out: decoding is ours to refuse."""

    async def handle(wire: bytes, context: Context) -> bytes:
        async with _Served(method, context) as call:
            serving = serve(_decode(request_type, wire), call)
            del wire  # an error would keep it: see _forget
            return (await serving).SerializeToString()

    return grpc.unary_unary_rpc_method_handler(handle)


def stream_handler(method: str, request_type: type[Message], serve: Stream) -> Handler:
    """Wrap a method that answers with a stream."""

    async def handle(wire: bytes, context: Context) -> AsyncIterator[bytes]:
        async with _Served(method, context) as call:
            serving = serve(_decode(request_type, wire), call)
            del wire
            # A client that leaves ends us at the yield: what serves it must end now, not when the
            # garbage collector finds it.
            async with aclosing(serving):
                async for answer in serving:
                    yield answer if isinstance(answer, bytes) else answer.SerializeToString()

    return grpc.unary_stream_rpc_method_handler(handle)


def _decode(request_type: type[Message], wire: bytes) -> Message:
    try:
        return request_type.FromString(wire)
    except DecodeError as error:
        name = request_type.DESCRIPTOR.full_name
        raise InvalidArgument(
            "request", f"is not a {name} (or a text in it is not UTF-8)"
        ) from error


class _Served:
    """The life of one call: its id on the way in, its errors on the way out, one line in the log."""

    def __init__(self, method: str, context: Context) -> None:
        self._context = context
        self._started = time.monotonic()
        metadata = dict(context.invocation_metadata() or ())
        given = str(metadata.get(REQUEST_ID, ""))
        usable = 0 < len(given) <= _MAX_REQUEST_ID and given.isprintable()
        request_id = given if usable else uuid.uuid4().hex
        self._call = Call(method, request_id, context.peer(), ANONYMOUS)

    async def __aenter__(self) -> Call:
        await self._context.send_initial_metadata(((REQUEST_ID, self._call.request_id),))
        return self._call

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        match error:
            case None:
                self._log(logging.DEBUG, "OK")
            case CatalogError():
                code = STATUS[type(error)]
                self._log(logging.INFO, code.name, f" reason={error.reason}")
                _forget(error)
                await self._abort(code, rich_status(error, self._call.request_id))
            case asyncio.CancelledError() | GeneratorExit() | grpc.aio.AbortError():
                self._log(logging.DEBUG, "CANCELLED")
            case Exception():
                log.error("rpc_failed %s", self._facts("INTERNAL"), exc_info=error)
                _forget(error)
                await self._abort(grpc.StatusCode.INTERNAL, internal_status(self._call.request_id))

    async def _abort(self, code: grpc.StatusCode, status: status_pb2.Status) -> NoReturn:
        details = ((STATUS_DETAILS, status.SerializeToString()),)
        await self._context.abort(code, status.message, details)

    def _log(self, level: int, code: str, more: str = "") -> None:
        if log.isEnabledFor(level):
            log.log(level, "rpc_served %s%s", self._facts(code), more)

    def _facts(self, code: str) -> str:
        taken_ms = (time.monotonic() - self._started) * 1000
        call = self._call
        return (
            f"method={call.method} code={code} peer={call.peer} "
            f"request_id={call.request_id} ms={taken_ms:.1f}"
        )


def _forget(error: BaseException | None) -> None:
    """Let go of what the frames of an error hold: documents, and trees of a million values.

    grpc keeps the abort that follows, and with it this error, in a reference cycle: a flood of
    refused documents would pile up until the garbage collector comes by.
    """
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
