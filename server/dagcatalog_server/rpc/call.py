"""What every RPC goes through, in one readable place: id, decoding, errors, log."""

import asyncio
import itertools
import logging
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

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
M = TypeVar("M", bound=Message)
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Unary = Callable[[Any, "Call"], Awaitable[Message | bytes]]
RawUnary = Callable[[bytes, "Call"], Awaitable[Message | bytes]]
Stream = Callable[[Any, "Call"], AsyncGenerator[Message | bytes, None]]
"""All may give messages that are encoded already, because many calls share them."""

_SERVER_RUN = uuid.uuid4().hex[:16]
_COUNT = itertools.count()


@dataclass(frozen=True, slots=True)
class Call:
    """One RPC under way."""

    method: str
    request_id: str
    """The client's x-request-id, or one made here; in every error and log line."""
    actor: str
    is_id_given: bool = False
    """The id is the client's: an answer brings it back."""


def unary_handler(method: str, request_type: type[Message], serve: Unary) -> Handler:
    """Wrap a method that answers once. Bytes go in and come out: decoding is ours to refuse."""

    def decoded(wire: bytes, call: Call) -> Awaitable[Message | bytes]:
        return serve(decode(request_type, wire), call)

    return raw_handler(method, decoded)


def raw_handler(method: str, serve: RawUnary) -> Handler:
    """Wrap a method that answers once and decodes its request itself."""

    async def handle(wire: bytes, context: Context) -> bytes:
        with _Served(method, context) as call:
            if call.is_id_given:
                # With the end of the answer: as initial metadata it would be a send of its own. An
                # id made here goes with errors only: metadata costs a tenth of a Get from memory.
                context.set_trailing_metadata(((REQUEST_ID, call.request_id),))
            serving = serve(wire, call)
            del wire  # decoded: not to be held twice
            answer = await serving
            return answer if isinstance(answer, bytes) else answer.SerializeToString()
        return b""  # refused: grpc sends the status and no message

    return grpc.unary_unary_rpc_method_handler(handle)


def stream_handler(method: str, request_type: type[Message], serve: Stream) -> Handler:
    """Wrap a method that answers with a stream."""

    async def handle(wire: bytes, context: Context) -> AsyncIterator[bytes]:
        with _Served(method, context) as call:
            await context.send_initial_metadata(((REQUEST_ID, call.request_id),))
            serving = serve(decode(request_type, wire), call)
            del wire
            # A client that leaves ends us at the yield: what serves it must end now, not when the
            # garbage collector finds it.
            async with aclosing(serving):
                async for answer in serving:
                    yield answer if isinstance(answer, bytes) else answer.SerializeToString()

    return grpc.unary_stream_rpc_method_handler(handle)


def decode(request_type: type[M], wire: bytes) -> M:
    """Read a request.

    Raises:
        InvalidArgument: it is no such message.

    """
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
        given = _given_id(context)
        self._call = Call(method, given or _new_id(), ANONYMOUS, is_id_given=bool(given))

    def __enter__(self) -> Call:
        return self._call

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        match error:
            case None:
                self._log(logging.DEBUG, "OK")
            case CatalogError():
                code = STATUS[type(error)]
                self._log(logging.INFO, code.name, f" reason={error.reason}")
                return self._refuse(code, rich_status(error, self._call.request_id))
            case asyncio.CancelledError() | GeneratorExit():
                self._log(logging.DEBUG, "CANCELLED")
            case Exception():
                log.error("rpc_failed %s", self._facts("INTERNAL"), exc_info=error)
                status = internal_status(self._call.request_id)
                return self._refuse(grpc.StatusCode.INTERNAL, status)
        return False

    def _refuse(self, code: grpc.StatusCode, status: status_pb2.Status) -> bool:
        """Set how the call ends; True: its error goes no further.

        Not by `context.abort`: grpc keeps what that raises in the state of the call, to which its
        traceback leads back: a circle that keeps the error and the request, a document of 16 MiB
        maybe, until the garbage collector comes by.
        """
        self._context.set_code(code)
        self._context.set_details(status.message)
        self._context.set_trailing_metadata(
            ((REQUEST_ID, self._call.request_id), (STATUS_DETAILS, status.SerializeToString()))
        )
        return True

    def _log(self, level: int, code: str, more: str = "") -> None:
        if log.isEnabledFor(level):
            log.log(level, "rpc_served %s%s", self._facts(code), more)

    def _facts(self, code: str) -> str:
        taken_ms = (time.monotonic() - self._started) * 1000
        call = self._call
        return (
            f"method={call.method} code={code} peer={self._context.peer()} "
            f"request_id={call.request_id} ms={taken_ms:.1f}"
        )


def _given_id(context: Context) -> str:
    """Return the id that the client gave; empty if it gave none, or one that is not fit for a log."""
    for name, given in context.invocation_metadata() or ():
        if name == REQUEST_ID:
            text = str(given)
            if 0 < len(text) <= _MAX_REQUEST_ID and text.isprintable():
                return text
    return ""


def _new_id() -> str:
    """Make an id that no other call has."""
    return f"{_SERVER_RUN}{next(_COUNT):016x}"
