"""Get: views, selectors, conditions, positions; and the Struct for people."""

import hashlib
import json
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from grpc import StatusCode

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from tests.support.dags import dag_document
from tests.support.wire import Api, canonical, put, put_bytes, refusal_of, revision

STRANGE = 99  # a number that no enum has: a newer client may send one


def _get(namespace: str, dag_id: str = "a", **more: Any) -> pb.GetRequest:
    return pb.GetRequest(namespace=namespace, dag_id=dag_id, **more)


async def test_views_carry_what_they_say(api: Api, namespace: str) -> None:
    request = put(namespace, "a")
    request.item.source.text = "the text\0é"
    summary = (await api.Put(request)).result.summary
    views = {
        res.DAG_VIEW_UNSPECIFIED: {"summary", "document", "document_encoding"},
        res.DAG_VIEW_SUMMARY: {"summary"},
        res.DAG_VIEW_DOCUMENT: {"summary", "document", "document_encoding"},
        res.DAG_VIEW_SOURCE: {"summary", "source"},
        res.DAG_VIEW_READABLE: {"summary", "readable"},
    }
    for view, fields in views.items():
        answer = await api.Get(_get(namespace, view=view))
        assert {field.name for field, _ in answer.dag.ListFields()} == fields
        assert answer.dag.summary == summary
        assert not answer.not_modified
    source = (await api.Get(_get(namespace, view=res.DAG_VIEW_SOURCE))).dag.source
    assert (source.text, source.hash) == ("the text\0é", summary.source_hash)
    document = (await api.Get(_get(namespace))).dag
    assert document.document_encoding == res.DOCUMENT_ENCODING_IDENTITY
    assert hashlib.sha256(document.document).hexdigest() == summary.content_hash


async def test_an_encoding_that_the_server_does_not_know_is_passed_over(
    api: Api, namespace: str
) -> None:
    await api.Put(put(namespace, "a"))
    accepted: Any = [STRANGE]
    answer = await api.Get(_get(namespace, accept_encodings=accepted))
    assert answer.dag.document_encoding == res.DOCUMENT_ENCODING_IDENTITY


async def test_the_source_view_of_a_dag_without_source_is_empty(api: Api, namespace: str) -> None:
    await api.Put(put(namespace, "a"))
    answer = await api.Get(_get(namespace, view=res.DAG_VIEW_SOURCE))
    assert not answer.dag.HasField("source")


async def test_readable_is_the_document_as_a_struct(api: Api, namespace: str) -> None:
    document = dag_document("a", tags=["x"], description="é \0 \U0001f319")
    document["extra"] = {"none": None, "yes": True, "number": -1.5, "empty": [[], {}]}
    await api.Put(put_bytes(namespace, "a", canonical(document)))
    answer = await api.Get(_get(namespace, view=res.DAG_VIEW_READABLE))
    assert MessageToDict(answer.dag.readable) == document


async def test_readable_shows_huge_numbers_and_deep_trees(api: Api, namespace: str) -> None:
    document = dag_document("a")
    document["numbers"] = [2**53 + 1, 2**64, 2**70, -(10**40), 10**400, -(10**400), 1e308]
    deep: Any = "the bottom"
    for level in range(195):
        deep = [deep] if level % 2 else {"in": deep}
    document["deep"] = deep
    await api.Put(put_bytes(namespace, "a", canonical(document)))
    answer = await api.Get(_get(namespace, view=res.DAG_VIEW_READABLE))
    told = MessageToDict(answer.dag.readable)
    numbers = [float(2**53), 2.0**64, 2.0**70, -1e40]
    # What no double holds is told as its digits.
    assert told["numbers"] == [*numbers, str(10**400), str(-(10**400)), 1e308]
    assert json.loads(_inner_text(told["deep"])) is not None
    assert "the bottom" in _inner_text(told["deep"])
    whole = await api.Get(_get(namespace))
    assert whole.dag.document == canonical(document)


def _inner_text(tree: Any) -> str:
    while not isinstance(tree, str):
        tree = tree[0] if isinstance(tree, list) else tree["in"]
    return tree


async def test_selectors_read_the_past(api: Api, namespace: str) -> None:
    first = await api.Put(put(namespace, "a"))
    moved = dag_document("a")
    moved["dag"]["fileloc"] = "/moved/a.py"  # type: ignore[index]
    second = await api.Put(put_bytes(namespace, "a", canonical(moved)))
    third = await api.Put(put(namespace, "a", tags=["x"]))
    hashes = [one.result.summary.content_hash for one in (first, second, third)]
    by_version = await api.Get(_get(namespace, version=1))
    assert by_version.dag.summary.content_hash == hashes[1]  # as it was last seen
    by_hash = await api.Get(_get(namespace, content_hash=hashes[0]))
    assert by_hash.dag.summary == first.result.summary
    for answer, content in zip((first, second, third), hashes, strict=True):
        at = await api.Get(_get(namespace, at_position=answer.position))
        assert at.dag.summary.content_hash == content
        assert hashlib.sha256(at.dag.document).hexdigest() == content
    before = res.Position(revision=first.position.revision - 1)
    assert (await refusal_of(api.Get(_get(namespace, at_position=before)))).code is (
        StatusCode.NOT_FOUND
    )


async def test_what_is_not_there_is_not_found(api: Api, namespace: str) -> None:
    refusal = await refusal_of(api.Get(_get(namespace, "never")))
    assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, "DAG_NOT_FOUND")
    assert refusal.facts == {"namespace": namespace, "dag_id": "never"}
    await api.Put(put(namespace, "a"))
    refusal = await refusal_of(api.Get(_get(namespace, version=2)))
    assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, "VERSION_NOT_FOUND")
    assert (refusal.facts["version"], refusal.facts["head_version"]) == ("2", "1")
    refusal = await refusal_of(api.Get(_get(namespace, version=2**62)))
    assert refusal.reason == "VERSION_NOT_FOUND"
    refusal = await refusal_of(api.Get(_get(namespace, content_hash="0" * 64)))
    assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, "CONTENT_NOT_FOUND")
    refusal = await refusal_of(api.Get(_get("other-" + namespace)))
    assert refusal.reason == "DAG_NOT_FOUND"


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("dag_id", {"dag_id": ""}),
        ("version", {"version": 0}),
        ("version", {"version": -1}),
        ("content_hash", {"content_hash": "ABC"}),
        ("if_none_match", {"if_none_match": "x"}),
        ("view", {"view": 17}),
        ("consistency", {"consistency": STRANGE}),
        ("position.revision", {"at_position": res.Position(revision=-1)}),
    ],
)
async def test_a_wrong_question_is_named(
    api: Api, namespace: str, field: str, wrong: dict[str, Any]
) -> None:
    await api.Put(put(namespace, "a"))
    refusal = await refusal_of(api.Get(_get(namespace, **{"dag_id": "a", **wrong})))
    assert (refusal.code, refusal.fields) == (StatusCode.INVALID_ARGUMENT, [field])


async def test_if_none_match_spares_the_document(api: Api, namespace: str) -> None:
    head = (await api.Put(put(namespace, "a"))).result.summary
    same = await api.Get(_get(namespace, if_none_match=head.content_hash))
    assert same.not_modified
    assert same.dag == res.Dag(summary=head)
    other = await api.Get(_get(namespace, if_none_match="0" * 64))
    assert not other.not_modified
    assert other.dag.document


async def test_a_tombstone_is_read_when_asked_for(api: Api, namespace: str) -> None:
    put_answer = await api.Put(put(namespace, "a"))
    deletion = pb.DeleteRequest(namespace=namespace, dag_id="a", reason="gone")
    deleted = await api.Delete(deletion)
    refusal = await refusal_of(api.Get(_get(namespace)))
    assert refusal.facts["deleted_at_revision"] == str(deleted.position.revision)
    answer = await api.Get(_get(namespace, include_deleted=True))
    assert answer.dag.summary == deleted.summary
    assert hashlib.sha256(answer.dag.document).hexdigest() == (
        put_answer.result.summary.content_hash
    )
    assert (await api.Get(_get(namespace, version=1))).dag.document == answer.dag.document


async def test_positions_hold_the_reader_to_its_history(api: Api, namespace: str) -> None:
    here = (await api.Put(put(namespace, "a"))).position
    assert (await api.Get(_get(namespace, min_position=here))).position.revision >= here.revision
    anywhere = res.Position(revision=here.revision)
    assert (await api.Get(_get(namespace, min_position=anywhere))).dag.document
    future = res.Position(epoch=here.epoch, revision=await revision(api) + 1)
    strange = res.Position(epoch="another", revision=1)
    for position, reason in ((future, "REVISION_IN_FUTURE"), (strange, "OTHER_EPOCH")):
        for request in (
            _get(namespace, min_position=position),
            _get(namespace, at_position=position),
        ):
            refusal = await refusal_of(api.Get(request))
            assert (refusal.code, refusal.reason) == (StatusCode.OUT_OF_RANGE, reason)
            assert refusal.facts["current_epoch"] == here.epoch
            assert refusal.facts["current_revision"] == str(await revision(api))
            assert refusal.facts["oldest_revision"] == "0"
