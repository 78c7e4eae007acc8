"""ListVersions, Delete, Restore: what was, and what comes back."""

from grpc import StatusCode

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from tests.support.dags import dag_document
from tests.support.wire import Api, canonical, put, put_bytes, refusal_of, revision


async def test_versions_are_listed_newest_first(api: Api, namespace: str) -> None:
    answers = [await api.Put(put(namespace, "a", tags=[str(number)])) for number in range(5)]
    moved = dag_document("a", tags=["4"])
    moved["dag"]["fileloc"] = "/moved/a.py"  # type: ignore[index]
    refreshed = await api.Put(put_bytes(namespace, "a", canonical(moved)))
    request = pb.ListVersionsRequest(namespace=namespace, dag_id="a", page_size=2)
    versions: list[res.DagVersion] = []
    while True:
        page = await api.ListVersions(request)
        assert page.total_size == 5
        versions += page.versions
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert [one.version for one in versions] == [5, 4, 3, 2, 1]
    assert [one.head for one in versions] == [True, False, False, False, False]
    first_put = [one.position.revision for one in answers]
    assert [one.revision for one in versions] == first_put[::-1]
    assert versions[0].summary == refreshed.result.summary
    assert versions[4].create_time == answers[0].result.summary.create_time


async def test_a_deleted_dag_has_a_history_but_no_head(api: Api, namespace: str) -> None:
    await api.Put(put(namespace, "a"))
    await api.Delete(pb.DeleteRequest(namespace=namespace, dag_id="a"))
    page = await api.ListVersions(pb.ListVersionsRequest(namespace=namespace, dag_id="a"))
    assert [(one.version, one.head) for one in page.versions] == [(1, False)]
    never = pb.ListVersionsRequest(namespace=namespace, dag_id="never")
    assert (await refusal_of(api.ListVersions(never))).code is StatusCode.NOT_FOUND
    strange = pb.ListVersionsRequest(namespace=namespace, dag_id="a", page_token="x")
    assert (await refusal_of(api.ListVersions(strange))).fields == ["page_token"]


async def test_delete_leaves_a_tombstone_with_its_reason(api: Api, namespace: str) -> None:
    head = (await api.Put(put(namespace, "a"))).result.summary
    before = await revision(api)
    request = pb.DeleteRequest(namespace=namespace, dag_id="a", reason="not used", request_id="d")
    answer = await api.Delete(request)
    assert answer.position.revision == before + 1
    tombstone = answer.summary
    assert (tombstone.deleted, tombstone.delete_reason) == (True, "not used")
    assert (tombstone.version, tombstone.content_hash) == (head.version, head.content_hash)
    assert await api.Delete(request) == answer  # a retry
    assert await revision(api) == before + 1
    again = pb.DeleteRequest(namespace=namespace, dag_id="a")
    refusal = await refusal_of(api.Delete(again))
    assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, "DAG_NOT_FOUND")


async def test_delete_honours_its_precondition(api: Api, namespace: str) -> None:
    await api.Put(put(namespace, "a"))
    request = pb.DeleteRequest(namespace=namespace, dag_id="a")
    request.precondition.version = 2
    assert (await refusal_of(api.Delete(request))).code is StatusCode.ABORTED
    request.precondition.version = 1
    assert (await api.Delete(request)).summary.deleted
    long = pb.DeleteRequest(namespace=namespace, dag_id="a", reason="x" * 1001)
    assert (await refusal_of(api.Delete(long))).fields == ["reason"]


async def test_restore_brings_back_what_was_there(api: Api, namespace: str) -> None:
    head = (await api.Put(put(namespace, "a", tags=["x"]))).result.summary
    restore = pb.RestoreRequest(namespace=namespace, dag_id="a", request_id="r")
    refusal = await refusal_of(api.Restore(restore))
    assert (refusal.code, refusal.reason) == (StatusCode.FAILED_PRECONDITION, "NOT_DELETED")
    await api.Delete(pb.DeleteRequest(namespace=namespace, dag_id="a"))
    answer = await api.Restore(restore)
    assert not answer.summary.deleted
    assert answer.summary.version == head.version
    assert answer.summary.content_hash == head.content_hash
    assert await api.Restore(restore) == answer
    found = await api.Get(pb.GetRequest(namespace=namespace, dag_id="a"))
    assert found.dag.summary == answer.summary
    never = pb.RestoreRequest(namespace=namespace, dag_id="never")
    assert (await refusal_of(api.Restore(never))).code is StatusCode.NOT_FOUND


async def test_versions_go_on_counting_after_a_deletion(api: Api, namespace: str) -> None:
    await api.Put(put(namespace, "a"))
    await api.Delete(pb.DeleteRequest(namespace=namespace, dag_id="a"))
    answer = await api.Put(put(namespace, "a", tags=["new"]))
    assert answer.result.summary.version == 2
    request = pb.ListVersionsRequest(namespace=namespace, dag_id="a")
    assert [one.version for one in (await api.ListVersions(request)).versions] == [2, 1]
