"""What the server promises holds on every store: the life of a DAG, retries, pages, NUL."""

from collections.abc import Awaitable

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from tests.support.wire import (
    Api,
    connected,
    item,
    next_changes,
    put,
    read_state,
    refusal_of,
    revision,
    serving,
    watching,
)


async def test_the_life_of_a_dag(database_url: str) -> None:
    async with serving(database_url=database_url) as address, connected(address) as api:
        assert await revision(api) == 0
        created = await api.Put(put("", "a", description="\0 and \U0001f319"))
        assert (await api.Put(put("", "a", description="\0 and \U0001f319"))).result.outcome == (
            pb.PUT_OUTCOME_UNCHANGED
        )
        await api.Put(put("", "a", tags=["x"]))
        await api.Delete(pb.DeleteRequest(dag_id="a", reason="gone"))
        await api.Restore(pb.RestoreRequest(dag_id="a"))
        assert await revision(api) == 4
        first = await api.Get(pb.GetRequest(dag_id="a", at_position=created.position))
        assert b"\\u0000 and" in first.dag.document
        versions = await api.ListVersions(pb.ListVersionsRequest(dag_id="a"))
        assert [one.version for one in versions.versions] == [2, 1]
        async with watching(api, pb.WatchRequest(after=res.Position(revision=0))) as call:
            events = await next_changes(call, 4)
        assert [event.position.revision for event in events] == [1, 2, 3, 4]
        await _batches(api)


async def _batches(api: Api) -> None:
    batch = pb.PutBatchRequest(
        items=[item("b"), item("c")], replace=pb.ReplaceFile(file="f.py"), request_id="once"
    )
    answer = await api.PutBatch(batch)
    assert await api.PutBatch(batch) == answer
    gone = await api.PutBatch(
        pb.PutBatchRequest(items=[item("c")], replace=pb.ReplaceFile(file="f.py"))
    )
    assert [one.dag_id for one in gone.deleted] == ["b"]
    assert await revision(api) == 6
    page = await api.List(pb.ListRequest(page_size=1))
    rest = await api.List(pb.ListRequest(page_size=1, page_token=page.next_page_token))
    assert [one.dag_id for one in (*page.dags, *rest.dags)] == ["a", "c"]
    assert not rest.next_page_token


async def test_nothing_that_a_client_sends_is_an_internal_error(database_url: str) -> None:
    async with serving(database_url=database_url) as address, connected(address) as api:
        await api.Put(put("", "a"))
        far = 2**63 - 1
        calls: list[Awaitable[object]] = [
            api.Get(pb.GetRequest(dag_id="a\0")),
            api.Get(pb.GetRequest(dag_id="a", version=far)),
            api.Get(pb.GetRequest(dag_id="a", at_position=res.Position(revision=far))),
            api.Get(pb.GetRequest(dag_id="a", at_position=res.Position(epoch="\0"))),
            api.List(pb.ListRequest(filter=pb.DagFilter(dag_id_prefix="\0"))),
            api.List(pb.ListRequest(filter=pb.DagFilter(changed_after_revision=-far))),
            api.Put(pb.PutRequest(item=item("a"), request_id="\0")),
            api.Delete(pb.DeleteRequest(dag_id="a", reason="\0")),
            api.ListParseErrors(pb.ListParseErrorsRequest(bundle_name="\0")),
            api.Watch(pb.WatchRequest(initial_state=True, dag_id_prefix="\0")).read(),
            api.Watch(pb.WatchRequest(after=res.Position(revision=far))).read(),
        ]
        for call in calls:
            refusal = await refusal_of(call)
            assert refusal.code.name in {"INVALID_ARGUMENT", "NOT_FOUND", "OUT_OF_RANGE"}, refusal
        nothing = await api.List(
            pb.ListRequest(filter=pb.DagFilter(changed_after_revision=far, text="%_\\'\""))
        )
        assert not nothing.dags
        async with watching(api, pb.WatchRequest(initial_state=True)) as watch:
            dags, _ = await read_state(watch)
        assert [dag.summary.dag_id for dag in dags] == ["a"]
        answers = [
            one
            async for one in api.GetBatch(
                pb.GetBatchRequest(selectors=[pb.DagSelector(dag_id="\0")] * 3)
            )
        ]
        assert [one.error.reason for one in answers[0].items] == ["INVALID_ARGUMENT"] * 3


async def test_status_tells_where_the_catalog_stands(database_url: str) -> None:
    async with serving(database_url=database_url) as address, connected(address) as api:
        request = put("", "a")
        request.item.source.text = "text"
        await api.Put(request)
        await api.Put(put("", "a", tags=["x"]))
        await api.Put(put("other", "b"))
        await api.Delete(pb.DeleteRequest(namespace="other", dag_id="b"))
        told = await api.Status(pb.StatusRequest())
        assert told.position.revision == 4
        assert len(told.position.epoch) >= 16
        assert database_url.startswith(told.store)
        assert bool(told.schema_revision) == (told.store != "memory")
        assert [
            (one.namespace, one.dag_count, one.deleted_count, one.version_count)
            for one in told.namespaces
        ] == [("default", 1, 0, 2), ("other", 0, 1, 1)]
        assert told.blob_count == 4
        assert told.stored_bytes > 0
        assert told.raw_bytes > 1000
        assert told.server_version
        assert told.replica
        assert told.start_time.seconds > 1_700_000_000
        assert (told.watch_count, told.replica_lag, told.compacted_revision) == (0, 0, 0)
