"""GetBatch: many answers in the order of the request, each with a status of its own."""

import random
from collections.abc import Sequence
from typing import Any

from grpc import StatusCode

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from tests.support.wire import Api, item, put, refusal_of

MIB = 1024**2


async def _get_batch(
    api: Api, namespace: str, selectors: Sequence[pb.DagSelector], **more: Any
) -> list[pb.GetBatchResponse]:
    request = pb.GetBatchRequest(namespace=namespace, selectors=selectors, **more)
    return [message async for message in api.GetBatch(request)]


def _items(messages: Sequence[pb.GetBatchResponse]) -> list[pb.GetBatchItem]:
    return [one for message in messages for one in message.items]


def _named(*dag_ids: str) -> list[pb.DagSelector]:
    return [pb.DagSelector(dag_id=dag_id) for dag_id in dag_ids]


async def test_each_selector_has_its_own_answer(api: Api, namespace: str) -> None:
    head = (await api.Put(put(namespace, "a"))).result.summary
    selectors = [
        *_named("missing", "a", "not allowed"),
        pb.DagSelector(dag_id="a", version=1),
        pb.DagSelector(dag_id="a", version=9),
        pb.DagSelector(content_hash=head.content_hash),
        pb.DagSelector(dag_id="b", content_hash=head.content_hash),
        pb.DagSelector(content_hash="x"),
        *_named("a"),
    ]
    items = _items(await _get_batch(api, namespace, selectors))
    assert [one.index for one in items] == list(range(len(selectors)))
    assert [one.error.reason or one.dag.summary.dag_id for one in items] == [
        "DAG_NOT_FOUND",
        "a",
        "INVALID_ARGUMENT",
        "a",
        "VERSION_NOT_FOUND",
        "a",
        "CONTENT_NOT_FOUND",
        "INVALID_ARGUMENT",
        "a",
    ]
    assert items[0].error.code == StatusCode.NOT_FOUND.value[0]
    assert "missing" in items[0].error.message
    assert items[1].dag.document


async def test_ten_thousand_mixed_selectors_come_in_order(api: Api, namespace: str) -> None:
    dag_ids = [f"dag-{number:03}" for number in range(500)]
    request = pb.PutBatchRequest(namespace=namespace, items=[item(name) for name in dag_ids])
    await api.PutBatch(request)
    chance = random.Random(7)
    asked = [chance.choice([*dag_ids, "missing", "not allowed"]) for _ in range(10_000)]
    messages = await _get_batch(api, namespace, _named(*asked))
    items = _items(messages)
    assert [one.index for one in items] == list(range(10_000))
    for name, one in zip(asked, items, strict=True):
        assert one.HasField("dag") == name.startswith("dag-")
        assert not one.HasField("dag") or one.dag.summary.dag_id == name
    assert len({message.position.revision for message in messages}) == 1
    assert all(message.ByteSize() < 1.5 * MIB for message in messages)


async def test_one_selector_too_many_is_refused(api: Api, namespace: str) -> None:
    selectors = [pb.DagSelector(dag_id="a")] * 10_001
    call = api.GetBatch(pb.GetBatchRequest(namespace=namespace, selectors=selectors))
    refusal = await refusal_of(call.read())
    assert (refusal.code, refusal.fields) == (StatusCode.RESOURCE_EXHAUSTED, ["selectors"])
    nothing = await _get_batch(api, namespace, [])
    assert _items(nothing) == []
    assert nothing[0].position.epoch


async def test_messages_stay_near_one_mebibyte(api: Api, namespace: str) -> None:
    sizes = {"small": 10, "half": MIB // 2, "large": 3 * MIB, "third": MIB // 3}
    for name, size in sizes.items():
        await api.Put(put(namespace, name, padding="x" * size))
    asked = ["half", "third", "small", "large", "half", "missing", "half", "half", "small"]
    messages = await _get_batch(api, namespace, _named(*asked))
    assert [one.index for one in _items(messages)] == list(range(len(asked)))
    for message in messages:
        assert len(message.items) == 1 or message.ByteSize() <= 1.1 * MIB
    assert 5 <= len(messages) <= 7


async def test_views_and_positions_hold_for_a_batch(api: Api, namespace: str) -> None:
    request = put(namespace, "a")
    request.item.source.text = "text"
    here = (await api.Put(request)).position
    views = {
        res.DAG_VIEW_SUMMARY: {"summary"},
        res.DAG_VIEW_SOURCE: {"summary", "source"},
        res.DAG_VIEW_READABLE: {"summary", "readable"},
    }
    for view, fields in views.items():
        messages = await _get_batch(api, namespace, _named("a"), view=view, min_position=here)
        (one,) = _items(messages)
        assert {field.name for field, _ in one.dag.ListFields()} == fields
    future = res.Position(revision=here.revision + 1000)
    late = pb.GetBatchRequest(namespace=namespace, selectors=_named("a"), min_position=future)
    assert (await refusal_of(api.GetBatch(late).read())).code is StatusCode.OUT_OF_RANGE
