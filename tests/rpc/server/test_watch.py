"""Watch: the present, then every change; filters, views, bookmarks, resuming."""

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from tests.support.dags import dag_document
from tests.support.wire import (
    Api,
    canonical,
    item,
    next_changes,
    next_event,
    put,
    put_bytes,
    read_state,
    refusal_of,
    revision,
    watching,
)

# A number that no enum has: a newer client may send one.
STRANGE: Any = 99


def _watch(namespace: str, **more: Any) -> pb.WatchRequest:
    return pb.WatchRequest(namespaces=[namespace], **more)


def _told(event: pb.WatchResponse) -> list[str]:
    return [change.dag.summary.dag_id for change in event.change_set.changes]


async def _here(api: Api) -> res.Position:
    return (await api.Status(pb.StatusRequest())).position


async def test_the_present_comes_first_then_every_change(api: Api, namespace: str) -> None:
    batch = pb.PutBatchRequest(namespace=namespace, items=[item(name) for name in "cab"])
    await api.PutBatch(batch)
    await api.Delete(pb.DeleteRequest(namespace=namespace, dag_id="c"))
    async with watching(api, _watch(namespace, initial_state=True)) as call:
        dags, synced = await read_state(call)
        assert [dag.summary.dag_id for dag in dags] == ["a", "b"]
        assert synced.revision == await revision(api)
        changed = await api.Put(put(namespace, "a", tags=["x"]))
        (event,) = await next_changes(call)
    assert event.position == changed.position
    (change,) = event.change_set.changes
    assert (change.kind, change.ordinal) == (res.CHANGE_KIND_NEW_VERSION, 0)
    assert change.revision == changed.position.revision
    assert change.dag.summary == changed.result.summary
    assert not change.dag.document  # the view of a watch is SUMMARY unless asked otherwise


async def test_an_empty_present_is_synced_at_once(api: Api, namespace: str) -> None:
    async with watching(api, _watch(namespace, initial_state=True)) as call:
        event = await next_event(call)
    assert event.bookmark.synced
    assert event.position.epoch


async def test_a_large_present_comes_in_pages_of_one_revision(api: Api, namespace: str) -> None:
    names = [f"dag-{number:04}" for number in range(1000)]
    batch = pb.PutBatchRequest(namespace=namespace, items=[item(name) for name in names])
    batch.items[3].document = canonical(dag_document(names[3], padding="x" * 2_000_000))
    await api.PutBatch(batch)
    pages: list[pb.WatchResponse] = []
    request = _watch(namespace, initial_state=True, view=res.DAG_VIEW_DOCUMENT)
    async with watching(api, request) as call:
        while not (event := await next_event(call)).bookmark.synced:
            pages.append(event)
    assert [dag.summary.dag_id for page in pages for dag in page.state.dags] == names
    assert all(dag.document for page in pages for dag in page.state.dags)
    assert {page.position.revision for page in pages} == {event.position.revision}
    assert all(len(page.state.dags) == 1 or page.ByteSize() < 1_200_000 for page in pages)


async def test_every_kind_of_change_is_told(api: Api, namespace: str) -> None:
    start = await _here(api)
    await api.Put(put(namespace, "a"))
    await api.Put(put(namespace, "a", tasks=["one", "two"]))
    await api.Put(put(namespace, "a", tasks=["one", "two"], cron="@daily"))
    moved = dag_document("a", tasks=["one", "two"], cron="@daily")
    moved["dag"]["fileloc"] = "/moved.py"  # type: ignore[index] # a document is JSON
    await api.Put(put_bytes(namespace, "a", canonical(moved)))
    await api.Delete(pb.DeleteRequest(namespace=namespace, dag_id="a", reason="why"))
    await api.Restore(pb.RestoreRequest(namespace=namespace, dag_id="a"))
    async with watching(api, _watch(namespace, after=start)) as call:
        events = await next_changes(call, 6)
    changes = [change for event in events for change in event.change_set.changes]
    every = [res.CHANGE_CLASS_STRUCTURE, res.CHANGE_CLASS_SCHEDULE, res.CHANGE_CLASS_METADATA]
    assert [(change.kind, list(change.classes)) for change in changes] == [
        (res.CHANGE_KIND_CREATED, every),
        (res.CHANGE_KIND_NEW_VERSION, [res.CHANGE_CLASS_STRUCTURE]),
        (res.CHANGE_KIND_NEW_VERSION, [res.CHANGE_CLASS_SCHEDULE]),
        (res.CHANGE_KIND_REFRESHED, [res.CHANGE_CLASS_METADATA]),
        (res.CHANGE_KIND_DELETED, every),
        (res.CHANGE_KIND_RESTORED, every),
    ]
    assert changes[4].dag.summary.delete_reason == "why"
    assert [event.position.revision - start.revision for event in events] == [1, 2, 3, 4, 5, 6]


async def test_views_come_with_the_state_of_their_change(api: Api, namespace: str) -> None:
    start = await _here(api)
    for number in range(3):
        request = put(namespace, "a", tags=[str(number)])
        request.item.source.text = f"text {number}"
        await api.Put(request)
    request_made = _watch(namespace, after=start, view=res.DAG_VIEW_DOCUMENT)
    async with watching(api, request_made) as call:
        events = await next_changes(call, 3)
    documents = [event.change_set.changes[0].dag.document for event in events]
    expected = [canonical(dag_document("a", tags=[str(number)])) for number in range(3)]
    assert documents == expected
    request_made = _watch(namespace, after=start, view=res.DAG_VIEW_SOURCE)
    async with watching(api, request_made) as call:
        events = await next_changes(call, 3)
    texts = [event.change_set.changes[0].dag.source.text for event in events]
    assert texts == ["text 0", "text 1", "text 2"]


async def test_a_watch_resumes_after_any_position(api: Api, namespace: str) -> None:
    start = await _here(api)
    for number in range(10):
        await api.Put(put(namespace, f"dag-{number}"))
    async with watching(api, _watch(namespace, after=start)) as call:
        events = await next_changes(call, 10)
    for number, event in enumerate(events[:-1]):
        async with watching(api, _watch(namespace, after=event.position)) as call:
            rest = await next_changes(call, 9 - number)
        assert rest == events[number + 1 :]


async def test_filters_choose_changes_and_positions_go_on(api: Api, namespace: str) -> None:
    start = await _here(api)
    batch = [item(name) for name in ("sales_a", "model", "sales_b")]
    await api.PutBatch(pb.PutBatchRequest(namespace=namespace, items=batch))
    await api.Put(put(namespace, "model", tags=["x"]))
    await api.Put(put(namespace, "sales_a", tags=["x"]))
    await api.Put(put(namespace, "sales_a", tags=["x"], tasks=["one", "two"]))
    await api.Put(put(f"{namespace}-b", "sales_a"))
    async with watching(api, _watch(namespace, after=start, dag_id_prefix="sales_")) as call:
        events = await next_changes(call, 3)
    assert [_told(event) for event in events] == [["sales_a", "sales_b"], ["sales_a"], ["sales_a"]]
    assert [event.position.revision - start.revision for event in events] == [1, 3, 4]
    assert [one.ordinal for one in events[0].change_set.changes] == [0, 2]
    structure = [res.CHANGE_CLASS_STRUCTURE]
    async with watching(api, _watch(namespace, after=start, classes=structure)) as call:
        events = await next_changes(call, 2)
    assert [event.position.revision - start.revision for event in events] == [1, 4]


@pytest.mark.parametrize("every", [True, False])
async def test_several_namespaces_can_be_watched(api: Api, namespace: str, every: bool) -> None:
    start = await _here(api)
    other = f"{namespace}-b"
    await api.Put(put(namespace, "a"))
    await api.Put(put(other, "a"))
    names = ["-"] if every else [other, namespace]
    request = pb.WatchRequest(namespaces=names, after=start)
    async with watching(api, request) as call:
        events = await next_changes(call, 2)
    told = [event.change_set.changes[0].dag.summary.namespace for event in events]
    assert told == [namespace, other]
    state = pb.WatchRequest(namespaces=names, initial_state=True, dag_id_prefix="a")
    async with watching(api, state) as call:
        dags, _ = await read_state(call)
    assert {dag.summary.namespace for dag in dags} >= {namespace, other}
    assert every or len(dags) == 2


async def test_no_namespace_means_default(api: Api) -> None:
    start = await _here(api)
    await api.Put(put("elsewhere", "not-for-default", tags=[str(start.revision)]))
    await api.Put(put("", "for-default", tags=[str(start.revision)]))
    async with watching(api, pb.WatchRequest(after=start)) as call:
        (event,) = await next_changes(call)
    assert _told(event) == ["for-default"]


async def test_an_idle_watch_is_bookmarked(api: Api, namespace: str) -> None:
    interval = Duration(seconds=1)
    async with watching(api, _watch(namespace, bookmark_interval=interval)) as call:
        first = await next_event(call)
        assert first.HasField("bookmark")
        assert not first.bookmark.synced
        assert not first.bookmark.draining
        elsewhere = (await api.Put(put(f"{namespace}-b", "not-watched"))).position
        second = await next_event(call)
        assert second.HasField("bookmark")
        assert second.position == elsewhere  # progress past what was not asked for
        mine = await api.Put(put(namespace, "a"))
        third = await next_event(call)
        assert third.position == mine.position  # a watch without a start begins with the next


async def test_a_start_that_is_not_there_is_refused(api: Api, namespace: str) -> None:
    here = await _here(api)
    starts = {
        "REVISION_IN_FUTURE": res.Position(epoch=here.epoch, revision=here.revision + 1000),
        "OTHER_EPOCH": res.Position(epoch="restored", revision=1),
    }
    for reason, start in starts.items():
        refusal = await refusal_of(api.Watch(_watch(namespace, after=start)).read())
        assert (refusal.code, refusal.reason) == (StatusCode.OUT_OF_RANGE, reason)
        assert refusal.facts["current_epoch"] == here.epoch


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("namespaces[1]", {"namespaces": ["a", "No"]}),
        ("view", {"view": STRANGE}),
        ("classes", {"classes": [STRANGE]}),
        ("bookmark_interval", {"bookmark_interval": Duration(nanos=999_000_000)}),
        ("bookmark_interval", {"bookmark_interval": Duration(seconds=601)}),
        ("bookmark_interval", {"bookmark_interval": Duration(seconds=-(2**62))}),
        ("position.revision", {"after": res.Position(revision=-1)}),
        ("dag_id_prefix", {"dag_id_prefix": "a\0", "initial_state": True}),
    ],
)
async def test_a_wrong_watch_is_named(api: Api, field: str, wrong: dict[str, Any]) -> None:
    refusal = await refusal_of(api.Watch(pb.WatchRequest(**wrong)).read())
    assert (refusal.code, refusal.fields) == (StatusCode.INVALID_ARGUMENT, [field])


async def test_status_counts_open_watches(api: Api, namespace: str) -> None:
    before = (await api.Status(pb.StatusRequest())).watch_count
    async with watching(api, _watch(namespace, initial_state=True)) as call:
        await read_state(call)
        assert (await api.Status(pb.StatusRequest())).watch_count == before + 1
