"""Every failure of a call becomes one exception of the client's tree, with its facts."""

import pickle
import subprocess
import sys
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

from dagcatalog_client import AsyncClient, Client, Position, errors, failures, google_rpc
from dagcatalog_client.channel import ATTEMPTS
from dagcatalog_server.catalog import errors as server_errors

REASON_OF_RANGE = {problem.value for problem in server_errors.RangeProblem}


def test_every_reason_of_the_server_has_its_exception() -> None:
    told = {kind.reason for kind in _leaves(server_errors.CatalogError)}
    told -= {server_errors.CatalogError.reason}
    assert set(failures.BY_REASON) == told | REASON_OF_RANGE


def test_every_status_code_has_a_fallback() -> None:
    assert set(failures.BY_CODE) == {code.name for code in grpc.StatusCode} - {"OK"}


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    public = {kind for kind in _all(errors.CatalogError) if not kind.__name__.startswith("_")}
    drawn = {word for word in (errors.__doc__ or "").split() if word in vars(errors)}
    assert {kind.__name__ for kind in public} | {"CatalogError"} <= drawn


def test_an_error_carries_every_fact_of_the_answer() -> None:
    with (
        _failing(grpc.StatusCode.OUT_OF_RANGE, *_compacted()) as address,
        Client(address) as client,
    ):
        with pytest.raises(errors.RevisionCompacted) as caught:
            client.get("etl", at=3)
        error = caught.value
    assert str(error) == "revision 3 is pruned"
    assert (error.revision, error.oldest_revision) == (3, 40)
    assert error.current == Position("e1", 99)
    assert (error.code, error.reason) == ("OUT_OF_RANGE", "REVISION_COMPACTED")
    assert error.request_id == "r-17"
    assert isinstance(error.__cause__, grpc.RpcError)


async def test_the_async_client_raises_the_same() -> None:
    with _failing(grpc.StatusCode.OUT_OF_RANGE, *_compacted()) as address:
        async with AsyncClient(address) as client:
            with pytest.raises(errors.RevisionCompacted) as caught:
                await client.get("etl", at=3)
    assert caught.value.current == Position("e1", 99)
    assert isinstance(caught.value.__cause__, grpc.RpcError)


def test_a_wrong_field_is_named_and_is_a_value_error() -> None:
    violation = error_details_pb2.BadRequest.FieldViolation(
        field="item.document.dag.tasks[3].retries", description="is NaN"
    )
    details = [
        _info("INVALID_ARGUMENT"),
        error_details_pb2.BadRequest(field_violations=[violation]),
    ]
    with (
        _failing(grpc.StatusCode.INVALID_ARGUMENT, "no", details) as address,
        Client(address) as client,
        pytest.raises(ValueError, match="no") as caught,
    ):
        client.put("etl", b"{}")
    assert isinstance(caught.value, errors.InvalidArgument)
    assert caught.value.field_path == "item.document.dag.tasks[3].retries"


def test_retry_info_becomes_seconds_and_large_writes_are_tried_again_under_one_id() -> None:
    retry = error_details_pb2.RetryInfo(
        retry_delay=duration_pb2.Duration(seconds=2, nanos=500_000_000)
    )
    details = [_info("DATABASE_UNAVAILABLE"), retry]
    seen: list[bytes] = []
    with (
        _failing(grpc.StatusCode.UNAVAILABLE, "away", details, seen=seen) as address,
        Client(address) as client,
        pytest.raises(errors.DatabaseUnavailable) as caught,
    ):
        client.put("etl", b" " * 1024**2)
    assert caught.value.retry_after_s == 2.5
    assert len(seen) == ATTEMPTS
    assert len(set(seen)) == 1


def test_other_failures_are_not_tried_again() -> None:
    seen: list[bytes] = []
    with (
        _failing(
            grpc.StatusCode.ABORTED, "no", [_info("PRECONDITION_FAILED")], seen=seen
        ) as address,
        Client(address) as client,
        pytest.raises(errors.PreconditionFailed),
    ):
        client.delete("etl")
    assert len(seen) == 1


@pytest.mark.parametrize("code", [c for c in grpc.StatusCode if c is not grpc.StatusCode.OK])
def test_an_unknown_reason_falls_back_to_its_code(code: grpc.StatusCode) -> None:
    with (
        _failing(code, "a newer sentence", [_info("INVENTED_LATER")]) as address,
        Client(address) as client,
        pytest.raises(errors.CatalogError) as caught,
    ):
        client.status()
    assert type(caught.value) is failures.BY_CODE[code.name]
    assert str(caught.value) == "a newer sentence"
    assert caught.value.reason == "INVENTED_LATER"


def test_details_that_are_no_status_are_left_out() -> None:
    assert google_rpc.decode(b"\xff\xff\xff") == google_rpc.decode(b"")


def test_nobody_at_the_address_is_said_in_one_sentence() -> None:
    with Client("127.0.0.1:1") as client, pytest.raises(errors.Unavailable) as caught:
        client.status()
    assert str(caught.value) == "no catalog answers at 127.0.0.1:1: Connection refused"


def test_a_call_on_a_closed_client_is_refused() -> None:
    client = Client("127.0.0.1:1")
    client.close()
    client.close()
    with pytest.raises(errors.ClientClosed):
        client.status()


async def test_a_call_on_a_closed_async_client_is_refused() -> None:
    client = AsyncClient("127.0.0.1:1")
    await client.close()
    with pytest.raises(errors.ClientClosed):
        await client.status()


def test_errors_survive_pickling() -> None:
    error = failures.from_item(5, "DAG_NOT_FOUND", "no DAG named 'x'")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.facts) == (type(error), str(error), error.facts)


@pytest.mark.parametrize("first", ["google.rpc.error_details_pb2", "dagcatalog_client.google_rpc"])
def test_the_private_messages_live_beside_googleapis(first: str) -> None:
    program = (
        f"import {first}; from dagcatalog_client import google_rpc; google_rpc.decode(b'');"
        "from google.rpc import error_details_pb2, status_pb2;"
        "assert google_rpc.decode(status_pb2.Status(message='m').SerializeToString()).message == 'm'"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def _all(kind: type[Exception]) -> Iterator[type[Any]]:
    for below in kind.__subclasses__():
        yield below
        yield from _all(below)


def _leaves(kind: type[Any]) -> Iterator[type[Any]]:
    return (each for each in _all(kind) if not each.__name__.startswith("_"))


def _info(reason: str, **metadata: str) -> error_details_pb2.ErrorInfo:
    return error_details_pb2.ErrorInfo(reason=reason, domain="dagcatalog", metadata=metadata)


def _compacted() -> tuple[str, list[Any]]:
    facts = {
        "revision": "3",
        "current_epoch": "e1",
        "current_revision": "99",
        "oldest_revision": "40",
    }
    request = error_details_pb2.RequestInfo(request_id="r-17")
    return "revision 3 is pruned", [_info("REVISION_COMPACTED", **facts), request]


@contextmanager
def _failing(
    code: grpc.StatusCode, message: str, details: list[Any], *, seen: list[bytes] | None = None
) -> Iterator[str]:
    """Serve nothing but this failure, as a server in another language would send it."""
    packed = []
    for detail in details:
        packed.append(any_pb2.Any())
        packed[-1].Pack(detail)
    status = status_pb2.Status(code=code.value[0], message=message, details=packed)

    def fail(request: bytes, context: grpc.ServicerContext) -> bytes:
        if seen is not None:
            seen.append(request)
        context.set_trailing_metadata(((google_rpc.TRAILER, status.SerializeToString()),))
        context.abort(code, message)

    class Handler(grpc.GenericRpcHandler):
        def service(self, call: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any]":
            return grpc.unary_unary_rpc_method_handler(fail)

    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers([Handler()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
