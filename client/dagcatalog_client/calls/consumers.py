"""The calls about consumers: what each has applied, and waiting for all of them."""

from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_client.calls.call import READ_TIMEOUT_S, Call, Caller
from dagcatalog_client.convert import answers, requests
from dagcatalog_client.model import Position, Propagation


def acknowledge(
    caller: Caller,
    consumer_id: str,
    position: Position | int | None,
    *,
    namespace: str | None,
    timeout_s: float | None,
) -> Call[pb.AcknowledgeRequest, pb.AcknowledgeResponse, Position]:
    """Tell what a consumer has applied; repeating it does no harm, so it has no request_id."""
    request = pb.AcknowledgeRequest(
        namespace=caller.namespace(namespace),
        consumer_id=consumer_id,
        position=requests.optional_position(position),
    )
    read = caller.seeing(answers.acknowledged)
    return Call(request, caller.timeout(timeout_s, READ_TIMEOUT_S), read)


def await_propagation(
    caller: Caller,
    position: Position | int | None,
    *,
    wait_s: float,
    namespace: str | None,
    timeout_s: float | None,
) -> Call[pb.AwaitPropagationRequest, pb.AwaitPropagationResponse, Propagation]:
    """Wait for consumers; the call's deadline is after the server's."""
    wait = Duration()
    wait.FromTimedelta(timedelta(seconds=wait_s))
    request = pb.AwaitPropagationRequest(
        namespace=caller.namespace(namespace),
        position=requests.optional_position(position),
        timeout=wait,
    )
    deadline_s = wait_s + READ_TIMEOUT_S if timeout_s is None else timeout_s
    return Call(request, deadline_s, answers.propagation)
