"""Put: outcomes, hashes, what stays, preconditions, retries, rehearsals."""

import asyncio
import hashlib
import json
import time

import pytest
from grpc import StatusCode

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from tests.support.dags import dag_document
from tests.support.wire import Api, canonical, item, put, put_bytes, refusal_of, revision


async def test_each_outcome_is_told(api: Api, namespace: str) -> None:
    created = await api.Put(put(namespace, "a"))
    unchanged = await api.Put(put(namespace, "a"))
    newer = await api.Put(put(namespace, "a", tags=["x"]))
    moved = dag_document("a", tags=["x"])
    moved["dag"]["fileloc"] = "/elsewhere/a.py"  # type: ignore[index] # a document is JSON
    refreshed = await api.Put(put_bytes(namespace, "a", canonical(moved)))
    await api.Delete(pb.DeleteRequest(namespace=namespace, dag_id="a"))
    restored = await api.Put(put_bytes(namespace, "a", canonical(moved)))
    answers = [created, unchanged, newer, refreshed, restored]
    assert [one.result.outcome for one in answers] == [
        pb.PUT_OUTCOME_CREATED,
        pb.PUT_OUTCOME_UNCHANGED,
        pb.PUT_OUTCOME_NEW_VERSION,
        pb.PUT_OUTCOME_REFRESHED,
        pb.PUT_OUTCOME_RESTORED,
    ]
    assert [one.result.summary.version for one in answers] == [1, 1, 2, 2, 2]
    first = created.position.revision
    assert [one.position.revision - first for one in answers] == [0, 0, 1, 2, 4]
    assert unchanged.result.summary == created.result.summary


async def test_a_dag_that_comes_back_with_another_definition_is_created(
    api: Api, namespace: str
) -> None:
    await api.Put(put(namespace, "a"))
    await api.Delete(pb.DeleteRequest(namespace=namespace, dag_id="a"))
    answer = await api.Put(put(namespace, "a", tags=["other"]))
    assert answer.result.outcome == pb.PUT_OUTCOME_CREATED
    assert answer.result.summary.version == 2
    assert not answer.result.summary.deleted


async def test_the_summary_holds_what_a_list_needs(api: Api, namespace: str) -> None:
    document = dag_document(
        "a", tasks=["one", "two"], tags=["z", "b"], description="Copies orders", cron="5 4 * * *"
    )
    request = put_bytes(namespace, "a", json.dumps(document, indent=2).encode())
    request.item.source.text = "from airflow import DAG\n"
    request.item.labels["team"] = "orders"
    request.item.provenance.bundle_name = "git"
    request.item.provenance.bundle_version = "abc"
    summary = (await api.Put(request)).result.summary
    raw = canonical(document)
    assert summary.content_hash == hashlib.sha256(raw).hexdigest()
    assert summary.document_bytes == len(raw)
    assert summary.source_hash == hashlib.sha256(b"from airflow import DAG\n").hexdigest()
    assert summary.source_bytes == 24
    assert summary.tags == ["b", "z"]
    assert summary.owners == ["data-team"]
    assert summary.operators == ["BashOperator"]
    assert (summary.task_count, summary.description) == (2, "Copies orders")
    assert summary.schedule.kind == res.SCHEDULE_KIND_CRON
    assert (summary.schedule.text, summary.schedule.timezone) == ("5 4 * * *", "UTC")
    assert summary.provenance == res.Provenance(
        bundle_name="git", bundle_version="abc", file="a.py"
    )
    assert dict(summary.labels) == {"team": "orders"}
    assert summary.HasField("catchup")
    assert not summary.catchup
    assert not summary.HasField("paused_at_creation")
    assert summary.serialization_version == 3
    assert abs(summary.create_time.ToSeconds() - time.time()) < 60
    assert (summary.revision, summary.version_revision) == (summary.revision,) * 2


async def test_the_canonical_form_is_what_comes_back(api: Api, namespace: str) -> None:
    document = dag_document("a", description="é \U0001f319 \x00 / <&>")
    document["dag"]["big"] = 2**70  # type: ignore[index]
    sent = json.dumps(document, indent=3).encode()
    await api.Put(put_bytes(namespace, "a", sent))
    answer = await api.Get(pb.GetRequest(namespace=namespace, dag_id="a"))
    assert answer.dag.document == canonical(document)
    again = await api.Put(put_bytes(namespace, "a", canonical(document)))
    assert again.result.outcome == pb.PUT_OUTCOME_UNCHANGED


async def test_source_and_labels_that_are_left_out_stay(api: Api, namespace: str) -> None:
    first = put(namespace, "a")
    first.item.source.text = "text"
    first.item.labels["team"] = "orders"
    before = (await api.Put(first)).result.summary
    answer = await api.Put(put(namespace, "a"))
    assert answer.result.outcome == pb.PUT_OUTCOME_UNCHANGED
    assert answer.result.summary == before
    second = put(namespace, "a")
    second.item.source.text = "other text"
    answer = await api.Put(second)
    assert answer.result.outcome == pb.PUT_OUTCOME_REFRESHED
    assert answer.result.summary.labels["team"] == "orders"
    relabelled = put(namespace, "a")
    relabelled.item.labels["team"] = "money"
    assert (await api.Put(relabelled)).result.outcome == pb.PUT_OUTCOME_REFRESHED
    version = await api.Put(put(namespace, "a", tags=["new"]))
    assert not version.result.summary.labels
    assert not version.result.summary.source_hash


async def test_a_bundle_version_alone_makes_no_change(api: Api, namespace: str) -> None:
    request = put(namespace, "a")
    request.item.provenance.bundle_name = "git"
    request.item.provenance.bundle_version = "commit-1"
    await api.Put(request)
    request.item.provenance.bundle_version = "commit-2"
    assert (await api.Put(request)).result.outcome == pb.PUT_OUTCOME_UNCHANGED


async def test_an_empty_namespace_is_default(api: Api) -> None:
    answer = await api.Put(put("", "in-default"))
    assert answer.result.summary.namespace == "default"
    found = await api.Get(pb.GetRequest(namespace="default", dag_id="in-default"))
    assert found.dag.summary == answer.result.summary


async def test_a_precondition_that_fails_says_what_is_there(api: Api, namespace: str) -> None:
    first = put(namespace, "a")
    first.item.precondition.version = 0
    head = (await api.Put(first)).result.summary
    before = await revision(api)
    for expected in (
        pb.Precondition(version=0),
        pb.Precondition(version=7),
        pb.Precondition(content_hash=""),
        pb.Precondition(content_hash="0" * 64),
    ):
        request = put(namespace, "a", tags=["new"])
        request.item.precondition.CopyFrom(expected)
        refusal = await refusal_of(api.Put(request))
        assert (refusal.code, refusal.reason) == (StatusCode.ABORTED, "PRECONDITION_FAILED")
        assert refusal.facts == {
            "namespace": namespace,
            "dag_id": "a",
            "version": "1",
            "content_hash": head.content_hash,
        }
    assert await revision(api) == before
    request = put(namespace, "a", tags=["new"])
    request.item.precondition.content_hash = head.content_hash
    assert (await api.Put(request)).result.outcome == pb.PUT_OUTCOME_NEW_VERSION


async def test_of_writers_with_one_precondition_one_wins(api: Api, namespace: str) -> None:
    def request(number: int) -> pb.PutRequest:
        made = put(namespace, "a", description=str(number))
        made.item.precondition.version = 0
        return made

    calls = [api.Put(request(number)) for number in range(20)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(answer, pb.PutResponse) for answer in answers) == 1


async def test_a_retry_returns_the_first_outcome(api: Api, namespace: str) -> None:
    request = put(namespace, "a")
    request.request_id = "first"
    created = await api.Put(request)
    await api.Put(put(namespace, "a", tags=["later"]))
    before = await revision(api)
    retried = await api.Put(request)
    assert retried == created
    assert await revision(api) == before


async def test_a_request_id_is_for_one_request(api: Api, namespace: str) -> None:
    request = put(namespace, "a")
    request.request_id = "mine"
    await api.Put(request)
    before = await revision(api)
    other = put(namespace, "a", tags=["x"])
    other.request_id = "mine"
    refusal = await refusal_of(api.Put(other))
    assert (refusal.code, refusal.reason) == (StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert refusal.facts == {"request_id": "mine"}
    deletion = pb.DeleteRequest(namespace=namespace, dag_id="a", request_id="mine")
    assert (await refusal_of(api.Delete(deletion))).code is StatusCode.ALREADY_EXISTS
    assert await revision(api) == before
    elsewhere = put(f"{namespace}-b", "a", tags=["x"])
    elsewhere.request_id = "mine"
    assert (await api.Put(elsewhere)).result.outcome == pb.PUT_OUTCOME_CREATED


async def test_concurrent_retries_write_once(api: Api, namespace: str) -> None:
    request = put(namespace, "a")
    request.request_id = "hasty"
    before = await revision(api)
    answers = await asyncio.gather(*(api.Put(request) for _ in range(20)))
    assert await revision(api) == before + 1
    assert all(answer == answers[0] for answer in answers)
    assert answers[0].result.outcome == pb.PUT_OUTCOME_CREATED


async def test_validate_only_tells_and_writes_nothing(api: Api, namespace: str) -> None:
    fresh = put(namespace, "a")
    fresh.validate_only = True
    before = await revision(api)
    told = await api.Put(fresh)
    assert told.result.outcome == pb.PUT_OUTCOME_CREATED
    assert (told.result.summary.version, told.result.summary.revision) == (1, 0)
    assert not told.HasField("difference")
    assert (await refusal_of(api.Get(pb.GetRequest(namespace=namespace, dag_id="a")))).code is (
        StatusCode.NOT_FOUND
    )
    assert await revision(api) == before


async def test_validate_only_tells_the_difference(api: Api, namespace: str) -> None:
    await api.Put(put(namespace, "a", tasks=["one"]))
    request = put(namespace, "a", tasks=["one", "two"])
    request.validate_only = True
    before = await revision(api)
    told = await api.Put(request)
    assert told.result.outcome == pb.PUT_OUTCOME_NEW_VERSION
    assert [(task.kind, task.task_id) for task in told.difference.tasks] == [
        (pb.DIFFERENCE_KIND_ADDED, "two")
    ]
    assert list(told.difference.classes) == [res.CHANGE_CLASS_STRUCTURE]
    assert await revision(api) == before


@pytest.mark.parametrize(
    ("field", "request_made"),
    [
        ("namespace", pb.PutRequest(namespace="Not Allowed", item=item("a"))),
        ("item.dag_id", pb.PutRequest(item=pb.PutItem(document=b"{}"))),
        ("item.dag_id", put_bytes("", "has space", b"{}")),
        ("item.dag_id", put_bytes("", "a" * 251, b"{}")),
        ("item.document", put_bytes("", "a", b"")),
        ("item.document.dag", put_bytes("", "a", b"{}")),
        ("item.document.dag.dag_id", put_bytes("", "a", b'{"dag":{"dag_id":"b"}}')),
        ("item.document.dag.x[1]", put_bytes("", "a", b'{"dag":{"dag_id":"a","x":[1,NaN]}}')),
        ("request_id", put_bytes("", "a", b'{"dag":{"dag_id":"a"}}', request_id="x" * 129)),
    ],
)
async def test_a_wrong_field_is_named(api: Api, field: str, request_made: pb.PutRequest) -> None:
    before = await revision(api)
    refusal = await refusal_of(api.Put(request_made))
    assert refusal.code in {StatusCode.INVALID_ARGUMENT, StatusCode.RESOURCE_EXHAUSTED}
    assert refusal.fields == [field]
    assert await revision(api) == before


@pytest.mark.parametrize(
    ("field", "labels"),
    [
        ("item.labels", {"": "x"}),
        ("item.labels", {"k" * 64: "x"}),
        ("item.labels", {f"k{number}": "" for number in range(65)}),
        ("item.labels.k", {"k": "v" * 256}),
    ],
)
async def test_labels_are_bounded(
    api: Api, namespace: str, field: str, labels: dict[str, str]
) -> None:
    request = put(namespace, "a")
    request.item.labels.update(labels)
    refusal = await refusal_of(api.Put(request))
    assert refusal.fields == [field]


async def test_a_dag_id_may_be_in_any_script(api: Api, namespace: str) -> None:
    await api.Put(put(namespace, "données_日本.v1"))
    found = await api.Get(pb.GetRequest(namespace=namespace, dag_id="données_日本.v1"))
    assert found.dag.summary.dag_id == "données_日本.v1"
