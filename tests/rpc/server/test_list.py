"""List: pages of one revision, tokens, filters, orders."""

import asyncio
from typing import Any

import pytest
from grpc import StatusCode

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from tests.support.wire import Api, item, put, refusal_of

# A number that no enum has: a newer client may send one.
STRANGE: Any = 99


async def _fill(api: Api, namespace: str, *dag_ids: str) -> res.Position:
    items = [item(dag_id) for dag_id in dag_ids]
    return (await api.PutBatch(pb.PutBatchRequest(namespace=namespace, items=items))).position


async def _pages(api: Api, request: pb.ListRequest) -> list[pb.ListResponse]:
    pages = [await api.List(request)]
    while token := pages[-1].next_page_token:
        request.page_token = token
        pages.append(await api.List(request))
    return pages


async def _names(api: Api, request: pb.ListRequest) -> list[str]:
    return [dag.dag_id for page in await _pages(api, request) for dag in page.dags]


async def test_pages_are_of_one_revision_while_writers_go_on(api: Api, namespace: str) -> None:
    names = [f"dag-{number:03}" for number in range(60)]
    position = await _fill(api, namespace, *names)
    stop = asyncio.Event()

    async def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            await api.Put(put(namespace, f"dag-{number % 60:03}", tags=[str(number)]))
            await api.Put(put(namespace, f"new-{number}"))
            await api.Delete(pb.DeleteRequest(namespace=namespace, dag_id=f"new-{number}"))

    request = pb.ListRequest(namespace=namespace, page_size=7)
    first = await api.List(request)
    writer = asyncio.create_task(write())
    try:
        request.page_token = first.next_page_token
        pages = [first, *await _pages(api, request)]
    finally:
        stop.set()
        await writer
    assert [dag.dag_id for page in pages for dag in page.dags] == names
    assert {page.position.revision for page in pages} == {position.revision}
    assert {page.total_size for page in pages} == {60}
    assert all(not dag.tags for page in pages for dag in page.dags)
    assert [len(page.dags) for page in pages] == [7] * 8 + [4]


@pytest.mark.parametrize("order", ["", "dag_id", "dag_id desc", "revision", "revision desc"])
async def test_every_order_pages_without_loss(api: Api, namespace: str, order: str) -> None:
    for names in ("cab", "fde", "g"):
        await _fill(api, namespace, *names)
    await api.Put(put(namespace, "a", tags=["x"]))
    whole = await _names(api, pb.ListRequest(namespace=namespace, order_by=order))
    paged = await _names(api, pb.ListRequest(namespace=namespace, order_by=order, page_size=2))
    assert whole == paged
    expected = {"revision": "bcdefga", "revision desc": "agdefbc", "dag_id desc": "gfedcba"}
    assert "".join(whole) == expected.get(order, "abcdefg")


async def test_page_sizes_are_bounded(api: Api, namespace: str) -> None:
    names = [f"dag-{number:04}" for number in range(1000)]
    await _fill(api, namespace, *names)
    await _fill(api, namespace, "one-more")
    by_default = await api.List(pb.ListRequest(namespace=namespace))
    assert (len(by_default.dags), by_default.total_size) == (100, 1001)
    largest = await api.List(pb.ListRequest(namespace=namespace, page_size=100_000))
    assert len(largest.dags) == 1000
    refusal = await refusal_of(api.List(pb.ListRequest(namespace=namespace, page_size=-1)))
    assert refusal.fields == ["page_size"]


async def test_a_token_belongs_to_its_request(api: Api, namespace: str) -> None:
    await _fill(api, namespace, *"abc")
    token = (await api.List(pb.ListRequest(namespace=namespace, page_size=1))).next_page_token
    wider = pb.ListRequest(namespace=namespace, page_size=50, page_token=token)
    assert [dag.dag_id for dag in (await api.List(wider)).dags] == ["b", "c"]
    strange = [
        pb.ListRequest(namespace=namespace, page_token=token, order_by="dag_id desc"),
        pb.ListRequest(namespace="other", page_token=token),
        pb.ListRequest(namespace=namespace, page_token=token, filter=pb.DagFilter(text="a")),
        pb.ListRequest(namespace=namespace, page_token="made up"),
        pb.ListRequest(namespace=namespace, page_token="é\0"),
        pb.ListRequest(namespace=namespace, page_token="W10="),
    ]
    for request in strange:
        refusal = await refusal_of(api.List(request))
        assert (refusal.code, refusal.fields) == (StatusCode.INVALID_ARGUMENT, ["page_token"])


async def test_the_past_is_listed(api: Api, namespace: str) -> None:
    then = await _fill(api, namespace, "a", "b")
    await api.Delete(pb.DeleteRequest(namespace=namespace, dag_id="a"))
    await api.Put(put(namespace, "c"))
    request = pb.ListRequest(namespace=namespace, at_position=then)
    answer = await api.List(request)
    assert [dag.dag_id for dag in answer.dags] == ["a", "b"]
    assert answer.position == then
    assert await _names(api, pb.ListRequest(namespace=namespace)) == ["b", "c"]


async def test_positions_out_of_range_are_refused(api: Api, namespace: str) -> None:
    here = await _fill(api, namespace, "a")
    future = res.Position(revision=here.revision + 1000)
    for request in (
        pb.ListRequest(namespace=namespace, at_position=future),
        pb.ListRequest(namespace=namespace, min_position=future),
    ):
        refusal = await refusal_of(api.List(request))
        assert (refusal.code, refusal.reason) == (StatusCode.OUT_OF_RANGE, "REVISION_IN_FUTURE")


async def _fill_variety(api: Api, namespace: str) -> None:
    await api.Put(put(namespace, "sales_daily", tags=["finance", "pii"], description="Big ORDERS"))
    await api.Put(put(namespace, "sales_hourly", tags=["finance"], cron="@hourly"))
    other = put(namespace, "model")
    other.item.provenance.bundle_name = "ml"
    other.item.provenance.file = "train.py"
    await api.Put(other)
    await api.Put(put(namespace, "gone", tags=["finance"]))
    await api.Delete(pb.DeleteRequest(namespace=namespace, dag_id="gone"))


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, "model sales_daily sales_hourly"),
        ({"dag_id_prefix": "sales_"}, "sales_daily sales_hourly"),
        ({"dag_id_prefix": "SALES"}, ""),
        ({"dag_id_prefix": "sales%"}, ""),
        ({"text": "orders"}, "sales_daily"),
        ({"text": "HOUR"}, "sales_hourly"),
        ({"tags_any": ["pii", "nothing"]}, "sales_daily"),
        ({"tags_all": ["finance", "pii"]}, "sales_daily"),
        ({"tags_all": ["finance"]}, "sales_daily sales_hourly"),
        ({"owners": ["data-team"]}, "model sales_daily sales_hourly"),
        ({"owners": ["data"]}, ""),
        ({"bundle_name": "ml"}, "model"),
        ({"file": "train.py"}, "model"),
        ({"operators": ["BashOperator", "X"]}, "model sales_daily sales_hourly"),
        ({"schedule_kinds": [res.SCHEDULE_KIND_CRON]}, "model sales_daily sales_hourly"),
        ({"schedule_kinds": [res.SCHEDULE_KIND_ASSET]}, ""),
        ({"deleted": pb.DELETED_FILTER_ONLY}, "gone"),
        ({"deleted": pb.DELETED_FILTER_INCLUDE, "tags_any": ["finance"]},
         "gone sales_daily sales_hourly"),
        ({"tags_all": ["finance"], "text": "daily", "owners": ["data-team"]}, "sales_daily"),
    ],
)  # fmt: skip
async def test_filters_choose(
    api: Api, namespace: str, conditions: dict[str, Any], expected: str
) -> None:
    await _fill_variety(api, namespace)
    request = pb.ListRequest(namespace=namespace, filter=pb.DagFilter(**conditions))
    answer = await api.List(request)
    assert [dag.dag_id for dag in answer.dags] == expected.split()
    assert answer.total_size == len(expected.split())


async def test_changed_after_a_revision(api: Api, namespace: str) -> None:
    then = await _fill(api, namespace, "a", "b")
    await api.Put(put(namespace, "b", tags=["x"]))
    await api.Put(put(namespace, "c"))
    since = pb.DagFilter(changed_after_revision=then.revision)
    assert await _names(api, pb.ListRequest(namespace=namespace, filter=since)) == ["b", "c"]


async def test_every_namespace_can_be_listed(api: Api, namespace: str) -> None:
    await _fill(api, namespace, "mine-and-only-mine")
    await _fill(api, f"{namespace}-b", "mine-and-only-mine")
    chosen = pb.DagFilter(dag_id_prefix="mine-and-only-mine")
    answer = await api.List(pb.ListRequest(namespace="-", filter=chosen))
    assert [dag.namespace for dag in answer.dags] == [namespace, f"{namespace}-b"]


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("namespace", {"namespace": "No"}),
        ("order_by", {"order_by": "owner"}),
        ("filter.schedule_kinds", {"filter": pb.DagFilter(schedule_kinds=[STRANGE])}),
        ("filter.deleted", {"filter": pb.DagFilter(deleted=STRANGE)}),
        ("filter.tags_any", {"filter": pb.DagFilter(tags_any=["x"] * 101)}),
        ("filter.text", {"filter": pb.DagFilter(text="a\0b")}),
        ("filter.changed_after_revision", {"filter": pb.DagFilter(changed_after_revision=-1)}),
    ],
)
async def test_a_wrong_question_is_named(api: Api, field: str, wrong: dict[str, Any]) -> None:
    refusal = await refusal_of(api.List(pb.ListRequest(**wrong)))
    assert (refusal.code, refusal.fields) == (StatusCode.INVALID_ARGUMENT, [field])
