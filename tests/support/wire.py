"""The contract as raw gRPC: stubs, requests and decoded errors, with no client library between."""

import json
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import grpc
from google.rpc import error_details_pb2, status_pb2

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import catalog_service_pb2_grpc as pb_grpc
from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_server.app import running_server
from dagcatalog_server.config import Config
from dagcatalog_server.opening import opened_store
from tests.support.dags import dag_document

Api: TypeAlias = "pb_grpc.CatalogServiceAsyncStub"
WatchCall: TypeAlias = "grpc.aio.UnaryStreamCall[pb.WatchRequest, pb.WatchResponse]"

MESSAGE_BYTES = 64 * 1024**2
CHANNEL_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", MESSAGE_BYTES),
    ("grpc.use_local_subchannel_pool", 1),  # a connection of its own for every channel
)


def open_channel(address: str) -> grpc.aio.Channel:
    """Open a channel that shares its connection with no other."""
    return grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[Api]:
    """Open the generated stub on a channel of its own."""
    async with open_channel(address) as channel:
        yield pb_grpc.CatalogServiceStub(channel)


@asynccontextmanager
async def serving(**settings: object) -> AsyncIterator[str]:
    """Run a server in this process; gives its address. The store is memory unless told."""
    given: dict[str, Any] = {
        "listen": "127.0.0.1:0",
        "health_listen": "",
        "database_url": "memory://",
        **settings,
    }
    config = Config(**given)
    with opened_store(config) as store:
        async with running_server(config, store) as server:
            yield server.address


def canonical(document: Mapping[str, object]) -> bytes:
    """Write a document as docs/reference/canonical-json.md says."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def item(dag_id: str, **facts: Any) -> pb.PutItem:
    """Make an item of a small DAG; `facts` are those of `dag_document`."""
    return pb.PutItem(dag_id=dag_id, document=canonical(dag_document(dag_id, **facts)))


def put(namespace: str, dag_id: str, **facts: Any) -> pb.PutRequest:
    """Make a Put of a small DAG."""
    return pb.PutRequest(namespace=namespace, item=item(dag_id, **facts))


def put_bytes(namespace: str, dag_id: str, document: bytes, **more: Any) -> pb.PutRequest:
    """Make a Put of these very bytes."""
    wrapped = pb.PutItem(dag_id=dag_id, document=document)
    return pb.PutRequest(namespace=namespace, item=wrapped, **more)


@dataclass(frozen=True)
class Refusal:
    """An error of the wire, its details decoded."""

    code: grpc.StatusCode
    message: str
    reason: str = ""
    domain: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    fields: Sequence[str] = field(default_factory=list)
    request_id: str = ""
    retry_after_s: float = 0.0
    details: Sequence[str] = field(default_factory=list)
    """Names of the detail messages."""


async def refusal_of(call: Awaitable[object]) -> Refusal:
    """Await a call that must fail."""
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return read_refusal(error.code(), error.details(), error.trailing_metadata())
    raise AssertionError(f"expected an error, not {answer!r:.300}")


def read_refusal(code: grpc.StatusCode, message: str | None, metadata: object) -> Refusal:
    """Decode `grpc-status-details-bin`; without it only the code and the message are known."""
    trailers: dict[str, bytes] = dict(metadata or ())  # type: ignore[call-overload] # grpc's Metadata has no type
    wire = trailers.get("grpc-status-details-bin")
    if wire is None:
        return Refusal(code, message or "")
    status = status_pb2.Status.FromString(wire)
    assert status.code == code.value[0]
    assert status.message == message
    return Refusal(code, status.message, **_details(status))


def _details(status: status_pb2.Status) -> dict[str, Any]:
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    request, retry = error_details_pb2.RequestInfo(), error_details_pb2.RetryInfo()
    for detail in status.details:
        assert any(detail.Unpack(known) for known in (info, bad, request, retry)), detail
    return {
        "reason": info.reason,
        "domain": info.domain,
        "facts": dict(info.metadata),
        "fields": [one.field for one in bad.field_violations],
        "request_id": request.request_id,
        "retry_after_s": retry.retry_delay.ToMicroseconds() / 1e6,
        "details": [detail.type_url.rpartition("/")[2] for detail in status.details],
    }


@asynccontextmanager
async def watching(api: Api, request: pb.WatchRequest) -> AsyncIterator[WatchCall]:
    """Open a watch, and leave it in the end."""
    call: WatchCall = api.Watch(request)
    try:
        yield call
    finally:
        call.cancel()


async def next_event(call: WatchCall) -> pb.WatchResponse:
    """Read the next event of a watch that must not end."""
    event = await call.read()
    assert isinstance(event, pb.WatchResponse), f"the watch ended: {call!r}"
    return event


async def next_changes(call: WatchCall, revisions: int = 1) -> list[pb.WatchResponse]:
    """Read until so many revisions with changes have come; bookmarks are passed over."""
    events: list[pb.WatchResponse] = []
    while len(events) < revisions:
        event = await next_event(call)
        if event.HasField("change_set"):
            events.append(event)
    return events


async def read_state(call: WatchCall) -> tuple[list[res.Dag], res.Position]:
    """Read the initial state up to SYNCED: the DAGs, and where the watch goes on from."""
    dags: list[res.Dag] = []
    while True:
        event = await next_event(call)
        if event.HasField("bookmark"):
            assert event.bookmark.synced
            return dags, event.position
        assert event.HasField("state")
        dags.extend(event.state.dags)


async def revision(api: Api) -> int:
    """Ask where the catalog stands."""
    return (await api.Status(pb.StatusRequest())).position.revision
