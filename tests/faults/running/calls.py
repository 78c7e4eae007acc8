"""One call of the service, and its answer as evidence: an answer, a refusal, or nothing known."""

import hashlib
from collections.abc import Awaitable, Iterable
from typing import TypeVar

import grpc
import zstandard
from grpc import StatusCode

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from tests.faults.checking.history import Acknowledged, Expected, Head, Refused, Row, Write
from tests.support.wire import Api, read_refusal

A = TypeVar("A")

# Of these nobody knows whether the call was served; all others are the service's own word, if they
# carry its details.
UNKNOWN = {
    StatusCode.UNAVAILABLE,
    StatusCode.DEADLINE_EXCEEDED,
    StatusCode.CANCELLED,
    StatusCode.UNKNOWN,
}


async def answer_of(call: Awaitable[A]) -> A | Refused | None:
    """Await a call; None: nothing is known of it."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        return refusal(error)


def refusal(error: grpc.aio.AioRpcError) -> Refused | None:
    """Read an error; None: a connection's, or one that says to try again."""
    read = read_refusal(error.code(), error.details(), error.trailing_metadata())
    if read.code in UNKNOWN or not read.details:
        return None
    return Refused(read.code.name, read.reason, dict(read.facts))


async def send(
    api: Api, write: Write, documents: dict[str, bytes], timeout_s: float
) -> Acknowledged | Refused | None:
    """Send a write once; `documents` by content hash."""
    answer = await answer_of(_call(api, write, documents, timeout_s))
    match answer:
        case pb.PutResponse():
            return Acknowledged(answer.position.revision, (head(answer.result.summary),))
        case pb.PutBatchResponse():
            heads = _heads(one.summary for one in answer.results)
            return Acknowledged(answer.position.revision, heads, _heads(answer.deleted))
        case pb.DeleteResponse():
            return Acknowledged(answer.position.revision, (head(answer.summary),))
    return answer


async def _call(
    api: Api, write: Write, documents: dict[str, bytes], timeout_s: float
) -> pb.PutResponse | pb.PutBatchResponse | pb.DeleteResponse:
    """Word the request: always the same bytes for the same write."""
    request_id, namespace = write.request_id, write.namespace
    if write.delete:
        deletion = pb.DeleteRequest(
            namespace=namespace,
            dag_id=write.delete,
            reason=request_id,
            request_id=request_id,
            precondition=_precondition(write.expected),
        )
        return await api.Delete(deletion, timeout=timeout_s)
    items = [
        pb.PutItem(
            dag_id=put.key[1],
            document=documents[put.content_hash],
            provenance=res.Provenance(bundle_name="faults", file=put.file),
            labels={"write": request_id},
            precondition=_precondition(put.expected),
        )
        for put in write.puts
    ]
    if len(items) == 1 and not write.replace:
        single = pb.PutRequest(namespace=namespace, item=items[0], request_id=request_id)
        return await api.Put(single, timeout=timeout_s)
    batch = pb.PutBatchRequest(namespace=namespace, items=items, request_id=request_id)
    if write.replace:
        batch.replace.CopyFrom(pb.ReplaceFile(bundle_name="faults", file=write.replace))
    return await api.PutBatch(batch, timeout=timeout_s)


def _precondition(expected: Expected | None) -> pb.Precondition | None:
    if expected is None:
        return None
    if expected.version is not None:
        return pb.Precondition(version=expected.version)
    return pb.Precondition(content_hash=expected.content_hash or "")


def head(summary: res.DagSummary) -> Head:
    """Read what an answer says of a DAG."""
    return Head(
        key=(summary.namespace, summary.dag_id),
        revision=summary.revision,
        version=summary.version,
        content_hash=summary.content_hash,
        deleted=summary.deleted,
    )


def _heads(summaries: Iterable[res.DagSummary]) -> tuple[Head, ...]:
    return tuple(head(one) for one in summaries)


def row(change: res.Change) -> Row:
    """Read a change as a watch tells it."""
    told = head(change.dag.summary)
    assert told.revision == change.revision
    return Row(
        revision=change.revision,
        ordinal=change.ordinal,
        kind=int(change.kind),
        classes=tuple(int(one) for one in change.classes),
        key=told.key,
        version=told.version,
        content_hash=told.content_hash,
        deleted=told.deleted,
        reason=change.dag.summary.delete_reason,
        writer=change.dag.summary.labels["write"],
    )


def is_its_content(dag: res.Dag) -> bool:
    """Tell whether a document that was sent is the one that its summary names."""
    document = dag.document
    if dag.document_encoding == res.DOCUMENT_ENCODING_ZSTD:
        document = zstandard.decompress(document)
    return hashlib.sha256(document).hexdigest() == dag.summary.content_hash
