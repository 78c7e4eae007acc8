"""The service as grpc sees it: every method of the contract, and who serves it."""

from collections.abc import AsyncGenerator

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_server.catalog.errors import NotImplementedYet
from dagcatalog_server.rpc.administering import AdministeringMethods
from dagcatalog_server.rpc.call import (
    Call,
    Handler,
    RawUnary,
    Stream,
    Unary,
    raw_handler,
    stream_handler,
    unary_handler,
)
from dagcatalog_server.rpc.consuming import ConsumingMethods
from dagcatalog_server.rpc.graphing import GraphingMethods
from dagcatalog_server.rpc.reading import ReadingMethods
from dagcatalog_server.rpc.watching import WatchingMethods
from dagcatalog_server.rpc.writing import WritingMethods

SERVICE = pb.DESCRIPTOR.services_by_name["CatalogService"]
SERVICE_NAME: str = SERVICE.full_name


def generic_handler(
    reading: ReadingMethods,
    writing: WritingMethods,
    watching: WatchingMethods,
    graphing: GraphingMethods,
    consuming: ConsumingMethods,
    administering: AdministeringMethods,
) -> grpc.GenericRpcHandler:
    """Bind every method of the contract; those of later releases answer UNIMPLEMENTED."""
    unary: dict[str, Unary] = {
        "Put": writing.put,
        "PutBatch": writing.put_batch,
        "List": reading.list,
        "ListVersions": reading.list_versions,
        "Diff": reading.diff,
        "Rollback": writing.rollback,
        "Delete": writing.delete,
        "Restore": writing.restore,
        "ReportParse": writing.report_parse,
        "ListParseErrors": reading.list_parse_errors,
        "Status": reading.status,
        "Dependencies": graphing.dependencies,
        "Impact": graphing.impact,
        "Acknowledge": consuming.acknowledge,
        "AwaitPropagation": consuming.await_propagation,
        "Prune": administering.prune,
    }
    raw: dict[str, RawUnary] = {"Get": reading.get}
    streams: dict[str, Stream] = {
        "GetBatch": reading.get_batch,
        "Watch": watching.watch,
        "Verify": administering.verify,
    }
    handlers = {
        method.name: _handler(method, unary.get(method.name), streams.get(method.name))
        for method in SERVICE.methods
    }
    handlers |= {name: raw_handler(name, serve) for name, serve in raw.items()}
    return grpc.method_handlers_generic_handler(SERVICE_NAME, handlers)


def _handler(method: MethodDescriptor, unary: Unary | None, stream: Stream | None) -> Handler:
    request_type = GetMessageClass(method.input_type)
    if method.server_streaming:
        return stream_handler(method.name, request_type, stream or _no_stream(method.name))
    return unary_handler(method.name, request_type, unary or _no_answer(method.name))


def _no_answer(name: str) -> Unary:
    async def refuse(request: Message, call: Call) -> Message:
        raise NotImplementedYet(name)

    return refuse


def _no_stream(name: str) -> Stream:
    async def refuse(request: Message, call: Call) -> AsyncGenerator[Message | bytes, None]:
        yield await _no_answer(name)(request, call)

    return refuse
