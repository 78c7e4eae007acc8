"""Our API as raw bytes: prepared requests, and one call in Python to see what an answer holds."""

from typing import Any

import grpc

from benchmarks.documents import dag_document
from benchmarks.frames import MARK, STAMP
from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res

SERVICE = "/dagcatalog.v1.CatalogService/"
GET = SERVICE + "Get"
PUT = SERVICE + "Put"
PUT_BATCH = SERVICE + "PutBatch"
LIST = SERVICE + "List"
STATUS = SERVICE + "Status"
WATCH = SERVICE + "Watch"

SIZES = {"2 KB": 3, "60 KB": 105, "600 KB": 1_050}
"""Tasks of a document of about that size."""

LOCAL = pb.CONSISTENCY_LOCAL
LINEARIZABLE = pb.CONSISTENCY_LINEARIZABLE


def call_once(address: str, path: str, request: bytes) -> bytes:
    """Make one unary call with bytes in and out; an error status raises `grpc.RpcError`."""
    options = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
    with grpc.insecure_channel(address, options=options) as channel:
        call: Any = channel.unary_unary(path)  # without serializers it takes and gives bytes
        answer: bytes = call(request, timeout=60)
        return answer


def get_request(dag_id: str, consistency: "pb.Consistency.ValueType" = LOCAL) -> bytes:
    """Encode a Get of the head, with its document."""
    return pb.GetRequest(
        namespace="default",
        dag_id=dag_id,
        view=res.DAG_VIEW_DOCUMENT,
        consistency=consistency,
    ).SerializeToString()


def document_of(answer: bytes) -> bytes:
    """Give the document of a GetResponse."""
    return pb.GetResponse.FromString(answer).dag.document


def revision(address: str) -> int:
    """Ask where the catalog stands."""
    return pb.StatusResponse.FromString(call_once(address, STATUS, b"")).position.revision


def put_request(dag_id: str, document: bytes) -> bytes:
    """Encode a Put."""
    item = pb.PutItem(dag_id=dag_id, document=document)
    return pb.PutRequest(namespace="default", item=item).SerializeToString()


def put_batch_request(documents: dict[str, bytes]) -> bytes:
    """Encode a PutBatch."""
    items = [pb.PutItem(dag_id=key, document=raw) for key, raw in documents.items()]
    return pb.PutBatchRequest(namespace="default", items=items).SerializeToString()


def watch_request(view: "res.DagView.ValueType", *, initial_state: bool = False) -> bytes:
    """Encode a Watch of the default namespace."""
    request = pb.WatchRequest(namespaces=["default"], view=view)
    if initial_state:
        request.initial_state = True
    return request.SerializeToString()


def stamped_document(dag_id: str, tasks: int) -> bytes:
    """Make a document in which the load client writes when it sent it: never the same twice."""
    return dag_document(dag_id, tasks, salt=MARK + STAMP)
