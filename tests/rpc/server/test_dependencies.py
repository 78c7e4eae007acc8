"""Dependencies and Impact: the same from memory and from the store, always as of now."""

from collections.abc import AsyncIterator

import pytest
from grpc import StatusCode

from dagcatalog.v1 import catalog_service_pb2 as pb
from tests.support.dags import consumes, edge, produces
from tests.support.wire import Api, connected, put, refusal_of, serving


@pytest.fixture(params=["memory", "store"])
async def graph_api(request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    """A server that has every live DAG in memory, and one that has not."""
    memory_dags = 200_000 if request.param == "memory" else 1
    async with serving(memory_dags=memory_dags) as address, connected(address) as api:
        yield api


async def fill(api: Api) -> None:
    await api.Put(put("", "a", edges=[produces("a", "x"), edge("a", "t", "trigger", "go")]))
    await api.Put(put("", "b", edges=[consumes("b", "x"), produces("b", "y")]))
    await api.Put(put("", "c", edges=[consumes("c", "y"), edge("b", "c", "sensor", "wait")]))
    await api.Put(put("", "t"))
    await api.Put(put("other", "z", edges=[consumes("z", "x")]))


async def edges(api: Api, dag_id: str = "", namespace: str = "") -> list[tuple[str, str]]:
    request = pb.DependenciesRequest(namespace=namespace, dag_id=dag_id)
    answer = await api.Dependencies(request)
    return [(one.source, one.target) for one in answer.dependencies]


async def impact(api: Api, dag_id: str, max_depth: int = 0) -> list[tuple[str, int, int]]:
    answer = await api.Impact(pb.ImpactRequest(dag_id=dag_id, max_depth=max_depth))
    return [(one.summary.dag_id, one.depth, len(one.path)) for one in answer.dags]


async def test_the_edges_of_a_namespace_are_its_own(graph_api: Api) -> None:
    await fill(graph_api)
    assert await edges(graph_api) == [
        ("a", "asset"), ("a", "t"), ("asset", "b"), ("asset", "c"), ("b", "asset"), ("b", "c"),
    ]  # fmt: skip
    assert await edges(graph_api, namespace="other") == [("asset", "z")]
    assert await edges(graph_api, namespace="empty") == []


async def test_the_edges_around_a_dag(graph_api: Api) -> None:
    await fill(graph_api)
    assert await edges(graph_api, "a") == [("a", "asset"), ("a", "t"), ("asset", "b")]
    assert await edges(graph_api, "t") == [("a", "t")]


async def test_what_a_dag_reaches(graph_api: Api) -> None:
    await fill(graph_api)
    assert await impact(graph_api, "a") == [("b", 1, 2), ("t", 1, 1), ("c", 2, 3)]
    assert await impact(graph_api, "a", 1) == [("b", 1, 2), ("t", 1, 1)]
    assert await impact(graph_api, "t") == []
    answer = await graph_api.Impact(pb.ImpactRequest(dag_id="b"))
    (reached,) = answer.dags
    head = await graph_api.Get(pb.GetRequest(dag_id="c"))
    assert reached.summary == head.dag.summary
    assert answer.position == head.position


async def test_every_answer_is_of_the_present(graph_api: Api) -> None:
    await graph_api.Put(put("", "a", edges=[produces("a", "x")]))
    for number in range(20):
        name = f"d{number}"
        answer = await graph_api.Put(put("", name, edges=[consumes(name, "x")]))
        found = await graph_api.Impact(pb.ImpactRequest(dag_id="a"))
        assert found.position == answer.position
        assert [one.summary.dag_id for one in found.dags] == [name]
        await graph_api.Delete(pb.DeleteRequest(dag_id=name))
        assert await impact(graph_api, "a") == []
        assert await edges(graph_api) == [("a", "asset")]


async def test_who_is_not_there_and_who_is_only_named(graph_api: Api) -> None:
    await graph_api.Put(put("", "a", edges=[edge("a", "missing", "trigger", "go")]))
    assert await edges(graph_api, "missing") == [("a", "missing")]
    assert await impact(graph_api, "a") == []
    dependencies = graph_api.Dependencies(pb.DependenciesRequest(dag_id="nobody"))
    for call in (dependencies, graph_api.Impact(pb.ImpactRequest(dag_id="missing"))):
        assert (await refusal_of(call)).code is StatusCode.NOT_FOUND


@pytest.mark.parametrize("depth", [-1, 101])
async def test_the_depth_has_bounds(graph_api: Api, depth: int) -> None:
    refusal = await refusal_of(graph_api.Impact(pb.ImpactRequest(dag_id="a", max_depth=depth)))
    assert (refusal.code, refusal.fields) == (StatusCode.INVALID_ARGUMENT, ["max_depth"])


async def test_an_answer_has_bounds(graph_api: Api) -> None:
    """Half a thousand DAGs in a row: each way is one edge longer than the one before."""
    items = [
        pb.PutItem(
            dag_id=f"d{number:03}",
            document=put("", f"d{number:03}", edges=[
                edge(f"d{number:03}", f"d{number + 1:03}", "trigger", "go")
            ]).item.document,
        )
        for number in range(500)
    ]  # fmt: skip
    await graph_api.PutBatch(pb.PutBatchRequest(items=items))
    assert len(await impact(graph_api, "d000", 100)) == 100
    refusal = await refusal_of(graph_api.Impact(pb.ImpactRequest(dag_id="d000")))
    assert (refusal.code, refusal.fields) == (StatusCode.RESOURCE_EXHAUSTED, ["max_depth"])
