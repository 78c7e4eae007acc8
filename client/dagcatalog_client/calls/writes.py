"""The calls that change the catalog. Each carries a request_id, so that a retry is harmless."""

from collections.abc import Sequence

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_client.calls.call import (
    BATCH_TIMEOUT_S,
    WRITE_TIMEOUT_S,
    Call,
    Caller,
)
from dagcatalog_client.convert import answers, requests
from dagcatalog_client.model import (
    BatchResult,
    ParseResult,
    Precondition,
    PutItem,
    PutResult,
    ReplaceFile,
    WriteResult,
)


def put(
    caller: Caller,
    item: PutItem,
    *,
    request_id: str | None,
    validate_only: bool,
    namespace: str | None,
    timeout_s: float | None,
) -> Call[pb.PutRequest, pb.PutResponse, PutResult]:
    """Store one DAG."""
    request = pb.PutRequest(
        namespace=caller.namespace(namespace),
        item=requests.put_item(item),
        request_id=request_id or caller.new_request_id(),
        validate_only=validate_only,
    )
    read = caller.seeing(answers.put_response)
    return Call(request, caller.timeout(timeout_s, WRITE_TIMEOUT_S), read)


def put_batch(
    caller: Caller,
    items: Sequence[PutItem],
    *,
    replace: ReplaceFile | None,
    source: str | None,
    request_id: str | None,
    validate_only: bool,
    namespace: str | None,
    timeout_s: float | None,
) -> Call[pb.PutBatchRequest, pb.PutBatchResponse, BatchResult]:
    """Store several DAGs in one revision."""
    request = pb.PutBatchRequest(
        namespace=caller.namespace(namespace),
        items=[
            requests.put_item(item, field=f"items[{index}].document")
            for index, item in enumerate(items)
        ],
        replace=requests.replace_file(replace),
        source=requests.source(source),
        request_id=request_id or caller.new_request_id(),
        validate_only=validate_only,
    )
    read = caller.seeing(answers.batch_result)
    return Call(request, caller.timeout(timeout_s, BATCH_TIMEOUT_S), read)


def delete(
    caller: Caller,
    dag_id: str,
    *,
    reason: str,
    precondition: Precondition | None,
    request_id: str | None,
    namespace: str | None,
    timeout_s: float | None,
) -> Call[pb.DeleteRequest, pb.DeleteResponse, WriteResult]:
    """Set a tombstone."""
    request = pb.DeleteRequest(
        namespace=caller.namespace(namespace),
        dag_id=dag_id,
        reason=reason,
        request_id=request_id or caller.new_request_id(),
        precondition=requests.precondition(precondition),
    )
    read = caller.seeing(_write_result)
    return Call(request, caller.timeout(timeout_s, WRITE_TIMEOUT_S), read)


def restore(
    caller: Caller,
    dag_id: str,
    *,
    request_id: str | None,
    namespace: str | None,
    timeout_s: float | None,
) -> Call[pb.RestoreRequest, pb.RestoreResponse, WriteResult]:
    """Take a tombstone away."""
    request = pb.RestoreRequest(
        namespace=caller.namespace(namespace),
        dag_id=dag_id,
        request_id=request_id or caller.new_request_id(),
    )
    read = caller.seeing(_write_result)
    return Call(request, caller.timeout(timeout_s, WRITE_TIMEOUT_S), read)


def report_parse(
    caller: Caller,
    results: Sequence[ParseResult],
    *,
    bundle_name: str,
    bundle_version: str,
    complete: bool,
    namespace: str | None,
    timeout_s: float | None,
) -> Call[pb.ReportParseRequest, pb.ReportParseResponse, int]:
    """Replace the parse errors of files; repeating it changes nothing, so it has no request_id."""
    request = pb.ReportParseRequest(
        namespace=caller.namespace(namespace),
        bundle_name=bundle_name,
        bundle_version=bundle_version,
        results=[requests.parse_result(result) for result in results],
        complete=complete,
    )
    return Call(request, caller.timeout(timeout_s, WRITE_TIMEOUT_S), _error_count)


def _write_result(response: pb.DeleteResponse | pb.RestoreResponse) -> WriteResult:
    return WriteResult(answers.summary(response.summary), answers.position(response.position))


def _error_count(response: pb.ReportParseResponse) -> int:
    return response.error_count
