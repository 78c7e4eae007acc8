"""Documents that travel compressed, where the client reads that; and every answer to the byte."""

import hashlib
from collections.abc import Sequence
from typing import Any

import pytest
import zstandard
from google.protobuf.message import Message

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from tests.support.server import RunningServer
from tests.support.wire import (
    Api,
    canonical,
    item,
    next_changes,
    open_channel,
    put,
    put_bytes,
    read_state,
    revision,
    watching,
)

IDENTITY, ZSTD = res.DOCUMENT_ENCODING_IDENTITY, res.DOCUMENT_ENCODING_ZSTD
DOCUMENT = res.DAG_VIEW_DOCUMENT
PADDING = "a text that comes again and again; " * 2_000
# So short that no compression makes it shorter.
TINY = canonical({"__version": 3, "dag": {"dag_id": "t", "fileloc": "/t.py", "tasks": []}})


def unpacked(dag: res.Dag) -> bytes:
    """Give the document of a DAG that came compressed."""
    assert dag.document_encoding == ZSTD
    document = zstandard.ZstdDecompressor().decompress(dag.document)
    assert len(dag.document) < len(document) == zstandard.frame_content_size(dag.document)
    assert hashlib.sha256(document).hexdigest() == dag.summary.content_hash
    return document


async def fill(api: Api, namespace: str) -> dict[str, bytes]:
    """Put three DAGs; tell their documents."""
    batch = [item(name, padding=PADDING + name) for name in "abc"]
    await api.PutBatch(pb.PutBatchRequest(namespace=namespace, items=batch))
    return {one.dag_id: one.document for one in batch}


class TestZstd:
    async def test_get(self, api: Api, namespace: str) -> None:
        documents = await fill(api, namespace)
        selectors: Sequence[dict[str, Any]] = ({}, {"version": 1})
        for selector in selectors:
            request = pb.GetRequest(
                namespace=namespace, dag_id="a", accept_encodings=[ZSTD], **selector
            )
            assert unpacked((await api.Get(request)).dag) == documents["a"]

    async def test_who_does_not_ask_gets_the_document_as_it_is(
        self, api: Api, namespace: str
    ) -> None:
        documents = await fill(api, namespace)
        ways: Sequence[Any] = ([ZSTD], [], [IDENTITY], [IDENTITY, ZSTD])
        for accepted in (*ways, *reversed(ways)):  # one kind is not taken for the other
            request = pb.GetRequest(namespace=namespace, dag_id="a", accept_encodings=accepted)
            dag = (await api.Get(request)).dag
            if ZSTD in accepted:
                assert unpacked(dag) == documents["a"]
            else:
                assert (dag.document_encoding, dag.document) == (IDENTITY, documents["a"])

    async def test_get_batch(self, api: Api, namespace: str) -> None:
        documents = await fill(api, namespace)
        selectors = [pb.DagSelector(dag_id=name) for name in "abc"]
        request = pb.GetBatchRequest(
            namespace=namespace, selectors=selectors, accept_encodings=[ZSTD]
        )
        items = [one async for message in api.GetBatch(request) for one in message.items]
        assert {one.dag.summary.dag_id: unpacked(one.dag) for one in items} == documents

    async def test_the_initial_state_and_the_changes_of_a_watch(
        self, api: Api, namespace: str
    ) -> None:
        documents = await fill(api, namespace)
        request = pb.WatchRequest(
            namespaces=[namespace], initial_state=True, view=DOCUMENT, accept_encodings=[ZSTD]
        )
        async with watching(api, request) as call:
            dags, _ = await read_state(call)
            assert {dag.summary.dag_id: unpacked(dag) for dag in dags} == documents
            changed = put(namespace, "a", padding=PADDING, tags=["x"])
            await api.Put(changed)
            (event,) = await next_changes(call)
        (change,) = event.change_set.changes
        assert unpacked(change.dag) == changed.item.document

    async def test_watchers_that_differ_in_what_they_read_get_each_their_own(
        self, api: Api, namespace: str
    ) -> None:
        start = res.Position(revision=await revision(api))
        plain = pb.WatchRequest(namespaces=[namespace], after=start, view=DOCUMENT)
        packed = pb.WatchRequest(
            namespaces=[namespace], after=start, view=DOCUMENT, accept_encodings=[ZSTD]
        )
        changed = put(namespace, "a", padding=PADDING)
        await api.Put(changed)
        async with watching(api, plain) as of_plain, watching(api, packed) as of_packed:
            ((one,), (other,)) = await next_changes(of_plain), await next_changes(of_packed)
        assert one.change_set.changes[0].dag.document == changed.item.document
        assert unpacked(other.change_set.changes[0].dag) == changed.item.document

    async def test_a_document_that_does_not_get_smaller_travels_as_it_is(
        self, api: Api, namespace: str
    ) -> None:
        assert len(zstandard.ZstdCompressor(level=3).compress(TINY)) >= len(TINY)
        await api.Put(put_bytes(namespace, "t", TINY))
        request = pb.GetRequest(namespace=namespace, dag_id="t", accept_encodings=[ZSTD])
        dag = (await api.Get(request)).dag
        assert (dag.document_encoding, dag.document) == (IDENTITY, TINY)

    @pytest.mark.parametrize(
        "view", [res.DAG_VIEW_SUMMARY, res.DAG_VIEW_SOURCE, res.DAG_VIEW_READABLE]
    )
    async def test_other_views_are_not_compressed(
        self, api: Api, namespace: str, view: "res.DagView.ValueType"
    ) -> None:
        request = put(namespace, "a", padding=PADDING)
        request.item.source.text = PADDING
        await api.Put(request)
        plain = await api.Get(pb.GetRequest(namespace=namespace, dag_id="a", view=view))
        asked = pb.GetRequest(namespace=namespace, dag_id="a", view=view, accept_encodings=[ZSTD])
        assert (await api.Get(asked)).dag == plain.dag


class TestBytes:
    """Answers are put together from parts; each must be what protobuf writes of the whole."""

    VIEWS = (res.DAG_VIEW_SUMMARY, res.DAG_VIEW_DOCUMENT, res.DAG_VIEW_SOURCE)

    async def raw(self, server: RunningServer, method: str, request: Message) -> bytes:
        async with open_channel(server.address) as channel:
            call: Any = channel.unary_unary(f"/dagcatalog.v1.CatalogService/{method}")
            answer = await call(request.SerializeToString())
        assert isinstance(answer, bytes)
        return answer

    async def raw_stream(
        self, server: RunningServer, method: str, request: Message, messages: int
    ) -> list[bytes]:
        async with open_channel(server.address) as channel:
            open_stream: Any = channel.unary_stream(f"/dagcatalog.v1.CatalogService/{method}")
            call = open_stream(request.SerializeToString())
            answers = [await call.read() for _ in range(messages)]
            call.cancel()
        assert all(isinstance(one, bytes) for one in answers)
        return answers

    async def fill(self, api: Api, namespace: str) -> res.DagSummary:
        request = put(namespace, "a", tags=["x", "y"], description="é", padding=PADDING)
        request.item.source.text = "the text"
        request.item.labels["team"] = "orders"
        return (await api.Put(request)).result.summary

    @pytest.mark.parametrize("accepted", [[IDENTITY], [ZSTD]])
    @pytest.mark.parametrize("view", VIEWS)
    async def test_get_from_memory_is_the_answer_of_the_store_to_the_byte(
        self, server: RunningServer, api: Api, namespace: str, view: Any, accepted: Any
    ) -> None:
        head = await self.fill(api, namespace)

        def asked(**more: Any) -> pb.GetRequest:
            return pb.GetRequest(
                namespace=namespace, dag_id="a", view=view, accept_encodings=accepted, **more
            )

        answers = [
            await self.raw(server, "Get", asked(**more))
            for more in (
                {},
                {},  # kept by now
                {"consistency": pb.CONSISTENCY_LOCAL},
                {"version": 1},
                {"content_hash": head.content_hash},
                {"include_deleted": True},
            )
        ]
        for wire in answers:
            answer = pb.GetResponse.FromString(wire)
            assert answer.SerializeToString() == wire
            assert answer.dag.summary == head
        assert set(answers) == {answers[0]}

    async def test_not_modified(self, server: RunningServer, api: Api, namespace: str) -> None:
        head = await self.fill(api, namespace)
        request = pb.GetRequest(
            namespace=namespace, dag_id="a", if_none_match=head.content_hash, version=1
        )
        of_store = await self.raw(server, "Get", request)
        request.ClearField("version")
        for _ in range(2):
            assert await self.raw(server, "Get", request) == of_store
        answer = pb.GetResponse.FromString(of_store)
        assert (answer.SerializeToString(), answer.not_modified) == (of_store, True)

    async def test_get_batch(self, server: RunningServer, api: Api, namespace: str) -> None:
        await self.fill(api, namespace)
        selectors = [pb.DagSelector(dag_id=name) for name in ("a", "absent", "a")]
        for view in self.VIEWS:
            request = pb.GetBatchRequest(namespace=namespace, selectors=selectors, view=view)
            (wire,) = await self.raw_stream(server, "GetBatch", request, 1)
            answer = pb.GetBatchResponse.FromString(wire)
            assert answer.SerializeToString() == wire
            assert [one.index for one in answer.items] == [0, 1, 2]

    async def test_watch(self, server: RunningServer, api: Api, namespace: str) -> None:
        start = res.Position(revision=await revision(api))
        await self.fill(api, namespace)
        await api.Delete(pb.DeleteRequest(namespace=namespace, dag_id="a", reason="why"))
        await api.PutBatch(
            pb.PutBatchRequest(namespace=namespace, items=[item(name) for name in "bc"])
        )
        for view in self.VIEWS:
            for more in (
                {"after": start},
                {"initial_state": True},
                {"after": start, "conflate": 1},
            ):
                asked: dict[str, Any] = {"namespaces": [namespace], "view": view, **more}
                messages = 3 if more == {"after": start} else 1
                wires = await self.raw_stream(server, "Watch", pb.WatchRequest(**asked), messages)
                for wire in wires:
                    event = pb.WatchResponse.FromString(wire)
                    assert event.SerializeToString() == wire
                    assert event.WhichOneof("event") in {"state", "change_set"}
