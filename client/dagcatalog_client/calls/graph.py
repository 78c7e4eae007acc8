"""The calls about what lies between DAGs."""

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_client.calls.call import READ_TIMEOUT_S, Call, Caller
from dagcatalog_client.convert import answers
from dagcatalog_client.model import Dependency, ImpactedDag


def dependencies(
    caller: Caller, dag_id: str | None, *, namespace: str | None, timeout_s: float | None
) -> Call[pb.DependenciesRequest, pb.DependenciesResponse, tuple[Dependency, ...]]:
    """Read the graph of a namespace, or around one DAG."""
    request = pb.DependenciesRequest(namespace=caller.namespace(namespace), dag_id=dag_id or "")
    read = caller.seeing(answers.dependencies)
    return Call(request, caller.timeout(timeout_s, READ_TIMEOUT_S), read)


def impact(
    caller: Caller,
    dag_id: str,
    *,
    max_depth: int | None,
    namespace: str | None,
    timeout_s: float | None,
) -> Call[pb.ImpactRequest, pb.ImpactResponse, tuple[ImpactedDag, ...]]:
    """Read what a change of a DAG reaches."""
    request = pb.ImpactRequest(
        namespace=caller.namespace(namespace), dag_id=dag_id, max_depth=max_depth or 0
    )
    read = caller.seeing(answers.impacted)
    return Call(request, caller.timeout(timeout_s, READ_TIMEOUT_S), read)
