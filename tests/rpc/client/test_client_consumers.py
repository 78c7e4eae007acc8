"""The client's calls about consumers and about what lies between DAGs, blocking and asyncio."""

import asyncio

import pytest

from dagcatalog_client import (
    AsyncClient,
    Client,
    ConsumerNotFound,
    DagNotFound,
    DagProfile,
    DagView,
    Dependency,
    OtherEpoch,
    Position,
    RevisionInFuture,
)
from tests.support.dags import consumes, dag_document, produces


def test_a_consumer_is_waited_for_until_it_acknowledges_or_leaves(client: Client) -> None:
    with client.watch(initial_state=True, consumer_id="web") as watch:
        next(watch)
        position = client.put("a", dag_document("a")).position
        waited = client.await_propagation(position, wait_s=0)
        assert not waited.propagated
        assert [one.consumer_id for one in waited.lagging] == ["web"]
        assert client.acknowledge("web", position).revision >= position.revision
        assert client.await_propagation(position, wait_s=0).propagated
        (consumer,) = [one for one in client.status().consumers if one.consumer_id == "web"]
        assert (consumer.namespace, consumer.acknowledged) == (client.namespace, position)
    assert not client.await_propagation(
        client.put("b", dag_document("b")).position, wait_s=0
    ).propagated
    client.acknowledge("web", None)
    assert client.await_propagation(wait_s=0).propagated


def test_what_cannot_be_acknowledged_says_why(client: Client) -> None:
    with pytest.raises(ConsumerNotFound) as caught:
        client.acknowledge("nobody", 0)
    assert (caught.value.consumer_id, caught.value.namespace) == ("nobody", client.namespace)
    with pytest.raises(RevisionInFuture):
        client.await_propagation(10**9)
    with pytest.raises(OtherEpoch):
        client.await_propagation(Position("another", 1))


async def test_the_asyncio_client_waits_beside_other_work(async_client: AsyncClient) -> None:
    async with async_client.watch(initial_state=True, consumer_id="web") as watch:
        await anext(watch)
        position = (await async_client.put("a", dag_document("a"))).position
        waiting = asyncio.create_task(async_client.await_propagation(position, wait_s=60))
        async for event in watch:
            await async_client.acknowledge("web", event.position)
            if event.position.revision >= position.revision:
                break
        assert (await waiting).propagated
    await async_client.acknowledge("web", None)


def test_the_graph_and_what_a_change_reaches(client: Client) -> None:
    client.put("a", dag_document("a", edges=[produces("a", "x")]))
    client.put("b", dag_document("b", edges=[consumes("b", "x")]))
    assert client.dependencies() == client.dependencies("a")
    assert client.dependencies("b") == (
        Dependency("a", "asset", "x", "asset", "x"),
        Dependency("asset", "b", "x", "asset", "x"),
    )
    (reached,) = client.impact("a")
    assert (reached.summary.dag_id, reached.depth, len(reached.path)) == ("b", 1, 2)
    assert client.impact("b", max_depth=1) == ()
    with pytest.raises(DagNotFound):
        client.impact("missing")


def test_a_profile_leaves_out_what_its_consumers_do_not_need(client: Client) -> None:
    client.put("a", dag_document("a", padding="# long", edges=[produces("a", "x")]))
    whole = client.get("a")
    left = client.get("a", profile=DagProfile.SCHEDULER)
    assert left.summary == whole.summary
    before, after = (set(one.json()["dag"]) for one in (whole, left))  # type: ignore[call-overload] # an object
    assert before - after == {"doc_md", "dag_dependencies"}
    (batched,) = client.get_batch(["a"], profile=DagProfile.SCHEDULER)
    assert batched.unwrap().document == left.document
    with client.watch(
        initial_state=True, view=DagView.DOCUMENT, profile=DagProfile.SCHEDULER
    ) as watch:
        (state, _) = (next(watch), next(watch))
        assert [one.document for one in state.dags] == [left.document]  # type: ignore[union-attr] # a page
