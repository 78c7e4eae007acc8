"""The calls about history as a whole: put an old version back, drop old ones, check them all."""

from collections.abc import Sequence
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_client.calls.call import WRITE_TIMEOUT_S, Call, Caller
from dagcatalog_client.convert import history, requests
from dagcatalog_client.model import Precondition, PruneResult, PutResult, VerifyProgress

LONG_TIMEOUT_S = 3_600.0
"""Every row, or every content: millions of them within the hour."""


def rollback(
    caller: Caller,
    dag_id: str,
    version: int,
    *,
    reason: str,
    precondition: Precondition | None,
    request_id: str | None,
    namespace: str | None,
    timeout_s: float | None,
) -> Call[pb.RollbackRequest, pb.RollbackResponse, PutResult]:
    """Put an old version back as a new one."""
    request = pb.RollbackRequest(
        namespace=caller.namespace(namespace),
        dag_id=dag_id,
        version=version,
        reason=reason,
        request_id=request_id or caller.new_request_id(),
        precondition=requests.precondition(precondition),
    )
    read = caller.seeing(history.rollback_result)
    return Call(request, caller.timeout(timeout_s, WRITE_TIMEOUT_S), read)


def prune(
    caller: Caller,
    *,
    keep_versions: int,
    keep_for: timedelta | None,
    pinned_hashes: Sequence[str],
    compact_revision: int,
    validate_only: bool,
    namespace: str | None,
    timeout_s: float | None,
) -> Call[pb.PruneRequest, pb.PruneResponse, PruneResult]:
    """Drop versions; repeating it drops nothing more, so it has no request_id."""
    request = pb.PruneRequest(
        namespace=caller.namespace(namespace),
        keep_versions=keep_versions,
        pinned_hashes=pinned_hashes,
        compact_revision=compact_revision,
        validate_only=validate_only,
    )
    if keep_for is not None:
        duration = Duration()
        duration.FromTimedelta(keep_for)
        request.keep_for.CopyFrom(duration)
    return Call(request, caller.timeout(timeout_s, LONG_TIMEOUT_S), history.prune_result)


def verify(
    caller: Caller, *, namespace: str | None, timeout_s: float | None
) -> Call[pb.VerifyRequest, pb.VerifyResponse, VerifyProgress]:
    """Check every stored content."""
    request = pb.VerifyRequest(namespace=caller.namespace(namespace))
    return Call(request, caller.timeout(timeout_s, LONG_TIMEOUT_S), history.verify_progress)
