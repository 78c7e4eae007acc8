"""The calls that read DAGs: one, or many by name."""

from collections.abc import Callable, Iterable, Sequence

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_client import failures
from dagcatalog_client.calls.call import (
    BATCH_TIMEOUT_S,
    READ_TIMEOUT_S,
    Call,
    Caller,
)
from dagcatalog_client.convert import answers, encodings, requests
from dagcatalog_client.model import (
    BatchedDag,
    Consistency,
    Dag,
    DagProfile,
    DagSelector,
    DagView,
    Diff,
    Position,
    Status,
)


def get(
    caller: Caller,
    dag_id: str,
    *,
    version: int | None,
    content_hash: str | None,
    at: Position | int | None,
    view: DagView,
    profile: DagProfile,
    if_none_match: str | None,
    include_deleted: bool,
    consistency: Consistency,
    namespace: str | None,
    timeout_s: float | None,
) -> Call[pb.GetRequest, pb.GetResponse, Dag]:
    """Read one DAG."""
    request = pb.GetRequest(
        namespace=caller.namespace(namespace),
        dag_id=dag_id,
        view=res.DagView.ValueType(view),
        profile=res.DagProfile.ValueType(profile),
        if_none_match=if_none_match or "",
        consistency=pb.Consistency.ValueType(consistency),
        min_position=caller.min_position(),
        include_deleted=include_deleted,
        accept_encodings=encodings.accepted(),
    )
    _select(request, version=version, content_hash=content_hash, at=at)
    return Call(request, caller.timeout(timeout_s, READ_TIMEOUT_S), caller.seeing(_dag))


def get_batch(
    caller: Caller,
    selectors: Iterable[str | DagSelector],
    *,
    view: DagView,
    profile: DagProfile,
    consistency: Consistency,
    namespace: str | None,
    timeout_s: float | None,
) -> Call[pb.GetBatchRequest, pb.GetBatchResponse, tuple[BatchedDag, ...]]:
    """Read many DAGs, each with a status of its own."""
    asked = [DagSelector(each) if isinstance(each, str) else each for each in selectors]
    request = pb.GetBatchRequest(
        namespace=caller.namespace(namespace),
        selectors=[requests.selector(each) for each in asked],
        view=res.DagView.ValueType(view),
        profile=res.DagProfile.ValueType(profile),
        consistency=pb.Consistency.ValueType(consistency),
        min_position=caller.min_position(),
        accept_encodings=encodings.accepted(),
    )
    read = caller.seeing(_batched(asked))
    return Call(request, caller.timeout(timeout_s, BATCH_TIMEOUT_S), read)


def diff(
    caller: Caller,
    dag_id: str,
    *,
    from_version: int | None,
    to_version: int | None,
    namespace: str | None,
    timeout_s: float | None,
) -> Call[pb.DiffRequest, pb.DiffResponse, Diff]:
    """Compare two versions of one DAG."""
    request = pb.DiffRequest(
        namespace=caller.namespace(namespace),
        dag_id=dag_id,
        from_version=from_version or 0,
        to_version=to_version or 0,
        min_position=caller.min_position(),
    )
    read = caller.seeing(answers.diff)
    return Call(request, caller.timeout(timeout_s, READ_TIMEOUT_S), read)


def status(
    caller: Caller, *, timeout_s: float | None
) -> Call[pb.StatusRequest, pb.StatusResponse, Status]:
    """Read where the catalog stands."""
    read = caller.seeing(answers.status)
    return Call(pb.StatusRequest(), caller.timeout(timeout_s, READ_TIMEOUT_S), read)


def _select(
    request: pb.GetRequest,
    *,
    version: int | None,
    content_hash: str | None,
    at: Position | int | None,
) -> None:
    if sum(given is not None for given in (version, content_hash, at)) > 1:
        raise ValueError("give one of version, content_hash and at, or none of them")
    if version is not None:
        request.version = version
    if content_hash is not None:
        request.content_hash = content_hash
    if at is not None:
        request.at_position.CopyFrom(requests.position(at))


def _dag(response: pb.GetResponse) -> Dag:
    return answers.dag(response.dag, not_modified=response.not_modified)


def _batched(
    asked: Sequence[DagSelector],
) -> Callable[[pb.GetBatchResponse], tuple[BatchedDag, ...]]:
    def one(item: pb.GetBatchItem) -> BatchedDag:
        selector = asked[item.index]
        if item.HasField("dag"):
            return BatchedDag(item.index, selector, answers.dag(item.dag), None)
        error = failures.from_item(item.error.code, item.error.reason, item.error.message)
        return BatchedDag(item.index, selector, None, error)

    return lambda response: tuple(one(item) for item in response.items)
