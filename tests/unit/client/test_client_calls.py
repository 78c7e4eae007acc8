"""What the client decides without a server: requests, deadlines, positions, documents."""

import json

import pytest

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_client import (
    ChangeKind,
    DagSelector,
    InvalidArgument,
    Position,
    Precondition,
    PutItem,
    ScheduleKind,
    channel,
)
from dagcatalog_client.calls import writes
from dagcatalog_client.calls.call import Call, Caller, Page, following
from dagcatalog_client.convert import answers, requests
from dagcatalog_client.position import LastSeen
from dagcatalog_client.settings import Settings


def test_a_position_moves_forward_only_and_follows_a_new_epoch() -> None:
    seen = LastSeen()
    seen.observe(Position("a", 5))
    seen.observe(Position("a", 3))
    assert seen.position == Position("a", 5)
    seen.observe(Position("b", 1))
    assert seen.position == Position("b", 1)
    seen.forget()
    assert seen.position is None


def test_an_answer_moves_the_position_that_the_next_read_asks_for() -> None:
    caller = Caller(Settings("x", "default"))
    call = _put(caller)
    assert caller.min_position() is None
    call.read(pb.PutResponse(position=res.Position(epoch="e", revision=7)))
    assert caller.min_position() == res.Position(epoch="e", revision=7)


def test_an_answer_without_a_position_moves_nothing() -> None:
    caller = Caller(Settings("x", "default"))
    _put(caller).read(pb.PutResponse())
    assert caller.last_seen.position is None


def test_every_write_has_a_request_id_of_its_own() -> None:
    caller = Caller(Settings("x", "default"))
    first, second = _put(caller).request.request_id, _put(caller).request.request_id
    assert first
    assert second not in ("", first)
    assert _put(caller, request_id="mine").request.request_id == "mine"


def test_a_deadline_is_the_calls_then_the_clients_then_the_default() -> None:
    assert _put(Caller(Settings("x", "n"))).timeout_s == 30.0
    assert _put(Caller(Settings("x", "n"), timeout_s=3.0)).timeout_s == 3.0
    assert _put(Caller(Settings("x", "n"), timeout_s=3.0), timeout_s=1.0).timeout_s == 1.0


def test_the_next_page_is_asked_for_with_the_same_request() -> None:
    first = pb.ListRequest(page_size=2, min_position=res.Position(epoch="e", revision=7))
    call: Call[pb.ListRequest, pb.ListResponse, Page[str]] = Call(
        first, 1.0, lambda _: Page((), "")
    )
    following_request = following(call, "token").request
    assert following_request.page_token == "token"
    following_request.page_token = ""
    assert following_request == first


@pytest.mark.parametrize("document", [b'{"a":"\xc3\xa9"}', '{"a":"é"}', {"a": "é"}])
def test_a_document_may_be_bytes_text_or_a_mapping(
    document: bytes | str | dict[str, object],
) -> None:
    assert requests.document_bytes(document) == b'{"a":"\xc3\xa9"}'


def test_integers_of_any_size_are_kept() -> None:
    number = 2**80 + 1
    assert json.loads(requests.document_bytes({"n": number}))["n"] == number


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), "\ud800", {1: {2}}])
def test_what_json_cannot_say_is_refused_before_it_is_sent(value: object) -> None:
    with pytest.raises(InvalidArgument, match="not JSON") as caught:
        requests.put_item(PutItem("a", {"a": value}), field="items[3].document")
    assert caught.value.field_path == "items[3].document"


def test_a_precondition_of_absence_is_sent_though_it_is_zero() -> None:
    sent = requests.precondition(Precondition.absent())
    assert sent is not None
    assert sent.WhichOneof("expected") == "version"
    with pytest.raises(ValueError, match="not both"):
        Precondition(version=1, content_hash="x")


def test_a_selector_is_checked() -> None:
    with pytest.raises(ValueError, match="not both"):
        DagSelector("a", version=1, content_hash="x")
    with pytest.raises(ValueError, match="needs"):
        DagSelector()


def test_what_only_a_newer_catalog_knows_is_unspecified() -> None:
    assert ChangeKind(99) is ChangeKind.UNSPECIFIED
    assert ScheduleKind(2**31 - 1) is ScheduleKind.UNSPECIFIED
    assert answers.watch_event(pb.WatchResponse()) is None


def test_what_a_document_does_not_say_is_none() -> None:
    summary = answers.summary(res.DagSummary(dag_id="a"))
    assert summary.catchup is None
    assert summary.start_date is None
    assert answers.summary(res.DagSummary(catchup=False)).catchup is False


def test_the_enums_are_the_contracts() -> None:
    pairs = {
        "ChangeClass": res, "ChangeKind": res, "DagProfile": res, "DagView": res,
        "ParseErrorKind": res, "ScheduleKind": res, "Consistency": pb, "DeletedFilter": pb,
        "DifferenceKind": pb, "PutOutcome": pb,
    }  # fmt: skip
    for name, module in pairs.items():
        ours = __import__("dagcatalog_client").__dict__[name]
        wire = getattr(module, name)
        prefix = next(iter(wire.keys())).removesuffix("UNSPECIFIED")
        assert {m.name: m.value for m in ours} == {
            key.removeprefix(prefix): value for key, value in wire.items()
        }, name


def test_only_unavailable_is_retried_and_large_requests_too() -> None:
    options = dict(channel.options({"grpc.keepalive_time_ms": 1}))
    config = json.loads(str(options["grpc.service_config"]))
    assert config["methodConfig"][0]["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE"]
    assert config["loadBalancingConfig"] == [{"round_robin": {}}]
    assert options["grpc.per_rpc_retry_buffer_size"] == 64 * 1024**2
    assert options["grpc.keepalive_time_ms"] == 1


def _put(
    caller: Caller, *, request_id: str | None = None, timeout_s: float | None = None
) -> Call[pb.PutRequest, pb.PutResponse, object]:
    item = PutItem("a", b"{}")
    call = writes.put(
        caller,
        item,
        request_id=request_id,
        validate_only=False,
        namespace=None,
        timeout_s=timeout_s,
    )
    return Call(call.request, call.timeout_s, call.read)
