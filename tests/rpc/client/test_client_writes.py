"""Writing through the client, against a real server."""

import pytest

from dagcatalog_client import (
    AsyncClient,
    Client,
    DagNotFound,
    InvalidArgument,
    NotDeleted,
    ParseErrorKind,
    ParseFailure,
    ParseResult,
    Precondition,
    PreconditionFailed,
    Provenance,
    PutItem,
    PutOutcome,
    ReplaceFile,
    RequestIdReused,
)
from tests.support.dags import dag_document
from tests.support.server import RunningServer


def test_a_put_tells_what_it_did(client: Client) -> None:
    first = client.put("etl", dag_document("etl"), source="# etl", labels={"team": "data"})
    same = client.put("etl", dag_document("etl"))
    other = client.put("etl", dag_document("etl", tasks=["extract", "load"]))
    assert [r.outcome for r in (first, same, other)] == [
        PutOutcome.CREATED,
        PutOutcome.UNCHANGED,
        PutOutcome.NEW_VERSION,
    ]
    assert first.summary.labels == {"team": "data"}
    assert first.summary.create_time is not None
    assert same.position.revision == first.position.revision
    assert (other.summary.version, other.summary.task_count) == (2, 2)


def test_validate_only_writes_nothing(client: Client) -> None:
    result = client.put("etl", dag_document("etl"), validate_only=True)
    assert result.outcome is PutOutcome.CREATED
    with pytest.raises(DagNotFound):
        client.get("etl")


def test_a_wrong_document_is_refused_with_the_path_of_the_field(client: Client) -> None:
    with pytest.raises(InvalidArgument) as caught:
        client.put("etl", b'{"__version": 3, "dag": {"dag_id": "etl", "tasks": [{"x": NaN}]}}')
    assert "document" in caught.value.field_path
    assert caught.value.code == "INVALID_ARGUMENT"
    assert caught.value.request_id


def test_a_failed_precondition_says_what_is_there(client: Client) -> None:
    put = client.put("etl", dag_document("etl"), precondition=Precondition.absent())
    with pytest.raises(PreconditionFailed) as caught:
        client.put("etl", dag_document("etl", tags=["x"]), precondition=Precondition.absent())
    error = caught.value
    assert (error.dag_id, error.namespace) == ("etl", client.namespace)
    assert (error.version, error.content_hash) == (1, put.summary.content_hash)


def test_a_repeated_request_id_answers_the_first_outcome(client: Client) -> None:
    first = client.put("etl", dag_document("etl"), request_id="once")
    again = client.put("etl", dag_document("etl"), request_id="once")
    assert (again.outcome, again.summary) == (PutOutcome.CREATED, first.summary)
    with pytest.raises(RequestIdReused) as caught:
        client.put("etl", dag_document("etl", tags=["x"]), request_id="once")
    assert caught.value.write_id == "once"


def test_a_batch_is_one_revision_and_replaces_its_file(client: Client) -> None:
    place = Provenance(bundle_name="b", file="dags/two.py")
    both = [PutItem(name, dag_document(name), provenance=place) for name in ("a", "b")]
    first = client.put_batch(both, source="# two")
    assert [r.summary.revision for r in first.results] == [first.position.revision] * 2
    second = client.put_batch(both[:1], replace=ReplaceFile("dags/two.py", "b"))
    assert [gone.dag_id for gone in second.deleted] == ["b"]
    assert second.results[0].outcome is PutOutcome.UNCHANGED


def test_an_item_that_is_no_json_is_named_before_anything_is_sent(client: Client) -> None:
    items = [PutItem("a", dag_document("a")), PutItem("b", {"x": float("nan")})]
    with pytest.raises(InvalidArgument) as caught:
        client.put_batch(items)
    assert caught.value.field_path == "items[1].document"
    assert caught.value.code == ""


def test_a_deleted_dag_is_gone_until_it_is_restored(client: Client) -> None:
    client.put("etl", dag_document("etl"))
    gone = client.delete("etl", reason="replaced", precondition=Precondition.at_version(1))
    assert (gone.summary.deleted, gone.summary.delete_reason) == (True, "replaced")
    with pytest.raises(DagNotFound) as caught:
        client.get("etl")
    assert caught.value.deleted_at_revision == gone.position.revision
    back = client.restore("etl")
    assert (back.summary.deleted, back.summary.version) == (False, 1)
    with pytest.raises(NotDeleted):
        client.restore("etl")


def test_parse_errors_last_until_their_file_parses(client: Client) -> None:
    failure = ParseFailure("no colon", ParseErrorKind.SYNTAX, stack_trace="trace", line=3)
    both = [ParseResult("a.py", failure), ParseResult("b.py", ParseFailure("boom"))]
    assert client.report_parse(both, bundle_name="b", bundle_version="v1") == 2
    found = list(client.list_parse_errors(bundle_name="b", page_size=1))
    assert [(error.file, error.kind, error.line) for error in found] == [
        ("a.py", ParseErrorKind.SYNTAX, 3),
        ("b.py", ParseErrorKind.IMPORT, 0),
    ]
    assert client.report_parse([ParseResult("a.py")], bundle_name="b") == 1
    assert client.report_parse([ParseResult("a.py")], bundle_name="b", complete=True) == 0
    assert not list(client.list_parse_errors())


def test_a_document_of_many_megabytes_goes_both_ways(client: Client) -> None:
    document = dag_document("big", padding="x" * 12 * 1024**2)
    client.put("big", document)
    assert client.get("big").json() == document


async def test_the_async_client_writes_the_same(async_client: AsyncClient) -> None:
    put = await async_client.put("etl", dag_document("etl"))
    batch = await async_client.put_batch([PutItem("b", dag_document("b"))])
    gone = await async_client.delete("etl")
    back = await async_client.restore("etl")
    broken = await async_client.report_parse([ParseResult("a.py", ParseFailure("boom"))])
    assert put.outcome is PutOutcome.CREATED
    assert batch.results[0].summary.dag_id == "b"
    assert (gone.summary.deleted, back.summary.deleted, broken) == (True, False, 1)
    with pytest.raises(NotDeleted):
        await async_client.restore("etl")


def test_each_client_writes_to_its_own_namespace(server: RunningServer, client: Client) -> None:
    client.put("etl", dag_document("etl"))
    with Client(server.address, namespace="elsewhere") as other, pytest.raises(DagNotFound):
        other.get("etl")
    with Client(server.address) as other:
        assert other.get("etl", namespace=client.namespace).summary.namespace == client.namespace
