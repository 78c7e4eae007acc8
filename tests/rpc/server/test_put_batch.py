"""PutBatch: one revision or nothing, and the complete set of a file's DAGs."""

from grpc import StatusCode

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from tests.support.wire import (
    Api,
    item,
    next_changes,
    put,
    refusal_of,
    revision,
    watching,
)


def _file(namespace: str, *dag_ids: str, **more: str) -> pb.PutBatchRequest:
    """Make the whole of one file."""
    return pb.PutBatchRequest(
        namespace=namespace,
        items=[item(dag_id) for dag_id in dag_ids],
        replace=pb.ReplaceFile(bundle_name="git", file="many.py"),
        **more,  # type: ignore[arg-type] # texts only
    )


async def _live(api: Api, namespace: str) -> list[str]:
    answer = await api.List(pb.ListRequest(namespace=namespace))
    return [dag.dag_id for dag in answer.dags]


async def test_a_batch_is_one_revision_in_its_order(api: Api, namespace: str) -> None:
    await api.Put(put(namespace, "b"))
    before = await revision(api)
    request = pb.PutBatchRequest(namespace=namespace, items=[item(name) for name in "cba"])
    answer = await api.PutBatch(request)
    assert answer.position.revision == before + 1 == await revision(api)
    told = [(one.summary.dag_id, one.outcome) for one in answer.results]
    assert told == [
        ("c", pb.PUT_OUTCOME_CREATED),
        ("b", pb.PUT_OUTCOME_UNCHANGED),
        ("a", pb.PUT_OUTCOME_CREATED),
    ]
    after = res.Position(epoch=answer.position.epoch, revision=before)
    asked = pb.WatchRequest(namespaces=[namespace], after=after)
    async with watching(api, asked) as call:
        (event,) = await next_changes(call)
    changes = event.change_set.changes
    assert [(one.dag.summary.dag_id, one.ordinal) for one in changes] == [("c", 0), ("a", 1)]


async def test_one_bad_item_refuses_all(api: Api, namespace: str) -> None:
    before = await revision(api)
    request = pb.PutBatchRequest(namespace=namespace, items=[item(name) for name in "abc"])
    request.items[1].document = b'{"dag":{"dag_id":"b","x":Infinity}}'
    refusal = await refusal_of(api.PutBatch(request))
    assert refusal.code is StatusCode.INVALID_ARGUMENT
    assert refusal.fields == ["items[1].document.dag.x"]
    assert await revision(api) == before
    assert await _live(api, namespace) == []


async def test_one_failed_precondition_refuses_all(api: Api, namespace: str) -> None:
    before = await revision(api)
    request = pb.PutBatchRequest(namespace=namespace, items=[item(name) for name in "abc"])
    request.items[2].precondition.version = 4
    refusal = await refusal_of(api.PutBatch(request))
    assert (refusal.code, refusal.facts["dag_id"]) == (StatusCode.ABORTED, "c")
    assert await revision(api) == before


async def test_replace_deletes_what_the_file_no_longer_holds(api: Api, namespace: str) -> None:
    await api.Put(put(namespace, "elsewhere"))
    await api.PutBatch(_file(namespace, "a", "b", "c"))
    before = await revision(api)
    answer = await api.PutBatch(_file(namespace, "a", "d"))
    assert await revision(api) == before + 1
    assert [gone.dag_id for gone in answer.deleted] == ["b", "c"]
    assert all(gone.deleted and "many.py" in gone.delete_reason for gone in answer.deleted)
    assert [one.outcome for one in answer.results] == [
        pb.PUT_OUTCOME_UNCHANGED,
        pb.PUT_OUTCOME_CREATED,
    ]
    assert await _live(api, namespace) == ["a", "d", "elsewhere"]
    again = await api.PutBatch(_file(namespace, "a", "d"))
    assert not again.deleted
    assert await revision(api) == before + 1


async def test_a_file_may_hold_no_dag_at_all(api: Api, namespace: str) -> None:
    await api.PutBatch(_file(namespace, "a", "b"))
    answer = await api.PutBatch(_file(namespace))
    assert [gone.dag_id for gone in answer.deleted] == ["a", "b"]
    assert await _live(api, namespace) == []
    restored = await api.PutBatch(_file(namespace, "a"))
    assert restored.results[0].outcome == pb.PUT_OUTCOME_RESTORED


async def test_items_take_the_file_and_the_source_of_the_batch(api: Api, namespace: str) -> None:
    request = _file(namespace, "a", "b")
    request.source.text = "of the file"
    request.items[1].source.text = "its own"
    answer = await api.PutBatch(request)
    for result in answer.results:
        assert result.summary.provenance.bundle_name == "git"
        assert result.summary.provenance.file == "many.py"
    sources = [(await api.Get(_source(namespace, dag_id))).dag.source.text for dag_id in ("a", "b")]
    assert sources == ["of the file", "its own"]


def _source(namespace: str, dag_id: str) -> pb.GetRequest:
    return pb.GetRequest(namespace=namespace, dag_id=dag_id, view=res.DAG_VIEW_SOURCE)


async def test_a_batch_is_retried_as_one(api: Api, namespace: str) -> None:
    await api.PutBatch(_file(namespace, "a", "b", "c"))
    request = _file(namespace, "a", "d", request_id="batch")
    first = await api.PutBatch(request)
    before = await revision(api)
    assert await api.PutBatch(request) == first
    assert await revision(api) == before


async def test_validate_only_writes_nothing(api: Api, namespace: str) -> None:
    await api.PutBatch(_file(namespace, "a", "b"))
    before = await revision(api)
    request = _file(namespace, "c")
    request.validate_only = True
    answer = await api.PutBatch(request)
    assert answer.results[0].outcome == pb.PUT_OUTCOME_CREATED
    assert [gone.dag_id for gone in answer.deleted] == ["a", "b"]
    assert await revision(api) == before
    assert await _live(api, namespace) == ["a", "b"]


async def test_a_wrong_batch_is_named(api: Api, namespace: str) -> None:
    twice = pb.PutBatchRequest(namespace=namespace, items=[item("a"), item("a")])
    empty = pb.PutBatchRequest(namespace=namespace)
    nameless = pb.PutBatchRequest(namespace=namespace, replace=pb.ReplaceFile())
    other = _file(namespace, "a")
    other.items[0].provenance.file = "other.py"
    crowd = pb.PutBatchRequest(namespace=namespace, items=[pb.PutItem()] * 1001)
    expected = {
        "items[1].dag_id": twice,
        "items": empty,
        "replace.file": nameless,
        "items[0].provenance.file": other,
    }
    for field, request in expected.items():
        refusal = await refusal_of(api.PutBatch(request))
        assert (refusal.code, refusal.fields) == (StatusCode.INVALID_ARGUMENT, [field])
    refusal = await refusal_of(api.PutBatch(crowd))
    assert (refusal.code, refusal.fields) == (StatusCode.RESOURCE_EXHAUSTED, ["items"])
    assert refusal.facts == {"field": "items", "size": "1001", "limit": "1000"}
