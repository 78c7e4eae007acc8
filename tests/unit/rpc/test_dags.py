"""DAGs as the wire sends them: what protobuf would write, encoded once, within a share of memory."""

import asyncio
from collections.abc import Collection, Iterator, Mapping

import pytest
import zstandard

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_server.catalog.errors import BlobCorrupt
from dagcatalog_server.catalog.model import Blob, BlobKind, Change
from dagcatalog_server.rpc import answers
from dagcatalog_server.rpc.call import Call
from dagcatalog_server.rpc.dags import CacheShares, EncodedDags, head_of
from dagcatalog_server.rpc.readable import to_struct
from dagcatalog_server.rpc.threads import Threads
from dagcatalog_server.rpc.view import Form, View
from dagcatalog_server.rpc.watching import WatchingMethods
from tests.support.consuming import Consuming
from tests.support.dags import dag_document
from tests.support.documents import as_bytes
from tests.support.watching import PATIENCE_S, Replica, running
from tests.support.writes import commit_one, log_of, put, put_operation, write

IDENTITY, ZSTD = res.DOCUMENT_ENCODING_IDENTITY, res.DOCUMENT_ENCODING_ZSTD
PLENTY = CacheShares(64 * 1024**2)
CALL = Call("Watch", "request", "ann")


class CountedBlobs:
    """The blobs of a replica, and how often somebody had to ask the store for them."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self.questions: list[set[str]] = []
        self.lost: set[str] = set()

    def __call__(self, hashes: Collection[str]) -> Mapping[str, Blob]:
        self.questions.append(set(hashes))
        for one in self.lost & set(hashes):
            raise BlobCorrupt(one, "it is not there")
        return self._replica.catalog.blobs(hashes)


@pytest.fixture
def replica() -> Replica:
    return Replica()


@pytest.fixture
def blobs(replica: Replica) -> CountedBlobs:
    return CountedBlobs(replica)


@pytest.fixture
def threads() -> Iterator[Threads]:
    with Threads(2) as made:
        yield made


@pytest.fixture
def dags(threads: Threads, blobs: CountedBlobs) -> EncodedDags:
    return EncodedDags(threads, blobs, shares=PLENTY)


def read(encoded: bytes) -> res.Dag:
    """Read one DAG as it goes into an answer: as its field number 1."""
    (dag,) = pb.StatePage.FromString(encoded).dags
    return dag


def summary(change: Change) -> res.DagSummary:
    return answers.summary(change.revision, change.state)


class TestEncoding:
    async def test_every_view_is_what_protobuf_would_write(
        self, replica: Replica, dags: EncodedDags
    ) -> None:
        change = commit_one(replica.catalog, put("a", source="text é", padding="x" * 1000))
        raw = as_bytes(dag_document("a", padding="x" * 1000))
        source = res.Source(hash=change.state.source_hash, text="text é")
        packed = zstandard.ZstdCompressor(level=3).compress(raw)
        expected = {
            (View.SUMMARY, IDENTITY): res.Dag(),
            (View.DOCUMENT, IDENTITY): res.Dag(document=raw, document_encoding=IDENTITY),
            (View.DOCUMENT, ZSTD): res.Dag(document=packed, document_encoding=ZSTD),
            (View.SOURCE, IDENTITY): res.Dag(source=source),
            (View.READABLE, IDENTITY): res.Dag(readable=to_struct(raw)),
        }
        for (view, encoding), dag in expected.items():
            dag.summary.CopyFrom(summary(change))
            one = await dags.one(head_of(change), Form(view, encoding))
            assert await dags.all([head_of(change)], Form(view, encoding)) == [one]
            assert read(one) == dag
            if view is not View.READABLE:  # the order of a map is nobody's promise
                assert one == pb.StatePage(dags=[dag]).SerializeToString()

    async def test_what_does_not_get_smaller_travels_as_it_is(
        self, threads: Threads, replica: Replica
    ) -> None:
        change = commit_one(replica.catalog, put("a"))
        dense = Blob(change.state.hashes.content, BlobKind.DOCUMENT, b"{}")
        dags = EncodedDags(threads, lambda _: {dense.hash: dense}, shares=PLENTY)
        dag = read(await dags.one(head_of(change), Form(View.DOCUMENT, ZSTD)))
        assert (dag.document, dag.document_encoding) == (b"{}", IDENTITY)

    async def test_a_dag_without_source_has_none(self, replica: Replica, dags: EncodedDags) -> None:
        change = commit_one(replica.catalog, put("a"))
        dag = read(await dags.one(head_of(change), Form(View.SOURCE, IDENTITY)))
        assert dag == res.Dag(summary=summary(change))


class TestSharing:
    async def test_many_who_ask_for_one_dag_ask_the_store_once(
        self, replica: Replica, dags: EncodedDags, blobs: CountedBlobs
    ) -> None:
        head = head_of(commit_one(replica.catalog, put("a")))
        asked = [dags.one(head, Form(View.DOCUMENT, IDENTITY)) for _ in range(100)]
        answered = await asyncio.gather(*asked)
        assert all(one is answered[0] for one in answered)
        assert blobs.questions == [{head.content_hash}]

    async def test_many_dags_are_one_question_and_only_what_is_missing_is_asked(
        self, replica: Replica, dags: EncodedDags, blobs: CountedBlobs
    ) -> None:
        heads = [head_of(commit_one(replica.catalog, put(name))) for name in "abcdef"]
        first = await dags.all(heads[:3], Form(View.DOCUMENT, IDENTITY))
        every = await dags.all(heads, Form(View.DOCUMENT, IDENTITY))
        assert every[:3] == first
        assert [read(one).summary.dag_id for one in every] == list("abcdef")
        assert blobs.questions == [
            {head.content_hash for head in heads[:3]},
            {head.content_hash for head in heads[3:]},
        ]

    async def test_a_summary_asks_for_nothing(
        self, replica: Replica, dags: EncodedDags, blobs: CountedBlobs
    ) -> None:
        head = head_of(commit_one(replica.catalog, put("a")))
        await dags.one(head, Form(View.SUMMARY, IDENTITY))
        await dags.all([head], Form(View.SUMMARY, IDENTITY))
        assert blobs.questions == []

    async def test_what_was_just_committed_is_not_asked_for(
        self, replica: Replica, dags: EncodedDags, blobs: CountedBlobs
    ) -> None:
        made = put("a", source="text")
        change = commit_one(replica.catalog, made)
        dags.remember(made.blobs())
        for view in (View.DOCUMENT, View.SOURCE, View.READABLE):
            await dags.one(head_of(change), Form(view, IDENTITY))
        assert blobs.questions == []

    async def test_one_that_is_lost_does_not_spoil_the_next(
        self, replica: Replica, dags: EncodedDags, blobs: CountedBlobs
    ) -> None:
        head = head_of(commit_one(replica.catalog, put("a")))
        blobs.lost = {head.content_hash}
        for _ in range(2):
            with pytest.raises(BlobCorrupt):
                await dags.one(head, Form(View.DOCUMENT, IDENTITY))
        blobs.lost = set()
        assert await dags.one(head, Form(View.DOCUMENT, IDENTITY))

    async def test_a_share_too_small_for_anything_still_answers(
        self, threads: Threads, replica: Replica, blobs: CountedBlobs
    ) -> None:
        dags = EncodedDags(threads, blobs, shares=CacheShares(1))
        made = put("a")
        head = head_of(commit_one(replica.catalog, made))
        dags.remember(made.blobs())
        first = await dags.one(head, Form(View.DOCUMENT, IDENTITY))
        assert await dags.all([head], Form(View.DOCUMENT, IDENTITY)) == [first]
        assert len(blobs.questions) == 2

    async def test_who_reads_everything_once_pushes_nothing_out(
        self, threads: Threads, replica: Replica, blobs: CountedBlobs
    ) -> None:
        dags = EncodedDags(threads, blobs, shares=CacheShares(16_000))  # 10,000 for these
        heads = [
            head_of(commit_one(replica.catalog, put(f"d{number}", padding="x" * 3_000)))
            for number in range(6)
        ]
        hot = await dags.one(heads[0], Form(View.DOCUMENT, IDENTITY))
        await dags.all(heads, Form(View.DOCUMENT, IDENTITY), evict=False)
        assert await dags.one(heads[0], Form(View.DOCUMENT, IDENTITY)) is hot


def test_the_shares_of_the_memory_are_not_more_than_it() -> None:
    for total in (1, 7, 8, 1_000, 256 * 1024**2):
        shares = CacheShares(total)
        assert 0 <= shares.dags + shares.answers + shares.events + shares.fresh <= total


class TestWatchers:
    """Many watchers, one replica, no wire: what they are sent is one object."""

    async def first_messages(
        self, watching: WatchingMethods, replica: Replica, many: int, **asked: object
    ) -> list[bytes]:
        request = pb.WatchRequest(
            namespaces=["-"],
            after=res.Position(revision=replica.ring.revision),
            **asked,  # type: ignore[arg-type] # fields of the request
        )
        streams = [watching.watch(request, CALL) for _ in range(many)]
        waiting = [asyncio.ensure_future(anext(stream)) for stream in streams]
        for _ in range(5):
            await asyncio.sleep(0)
        replica.write(write(put_operation("a"), put_operation("b")), put("a", tags=("x",)))
        async with asyncio.timeout(PATIENCE_S):
            messages = await asyncio.gather(*waiting)
        for stream in streams:
            await stream.aclose()
        assert all(isinstance(message, bytes) for message in messages)
        return [message for message in messages if isinstance(message, bytes)]

    @pytest.mark.parametrize("encoding", [IDENTITY, ZSTD])
    async def test_all_are_sent_the_same_message_of_one_change(
        self,
        replica: Replica,
        dags: EncodedDags,
        blobs: CountedBlobs,
        encoding: "res.DocumentEncoding.ValueType",
    ) -> None:
        async with running(replica):
            watching = WatchingMethods(replica.hub, Consuming(replica.store).registry, dags)
            messages = await self.first_messages(
                watching, replica, 100, view=res.DAG_VIEW_DOCUMENT, accept_encodings=[encoding]
            )
        assert all(message is messages[0] for message in messages)
        told = pb.WatchResponse.FromString(messages[0])
        assert told.SerializeToString() == messages[0]
        first_two = log_of(replica.catalog)[:2]
        assert [one.dag.summary for one in told.change_set.changes] == [
            summary(one) for one in first_two
        ]
        assert blobs.questions == [{one.state.hashes.content for one in first_two}]

    async def test_a_summary_is_shared_too(
        self, replica: Replica, dags: EncodedDags, blobs: CountedBlobs
    ) -> None:
        async with running(replica):
            watching = WatchingMethods(replica.hub, Consuming(replica.store).registry, dags)
            messages = await self.first_messages(watching, replica, 100)
        assert all(message is messages[0] for message in messages)
        assert blobs.questions == []

    async def test_different_filters_are_sent_what_they_asked_for(
        self, replica: Replica, dags: EncodedDags
    ) -> None:
        async with running(replica):
            watching = WatchingMethods(replica.hub, Consuming(replica.store).registry, dags)
            every = await self.first_messages(watching, replica, 1)
            replica.write(put("b", tags=("y",)))
            await replica.caught_up()
            start = res.Position(revision=0)
            one = pb.WatchRequest(namespaces=["-"], after=start, dag_id_prefix="b")
            stream = watching.watch(one, CALL)
            only = await anext(stream)
            await stream.aclose()
        assert isinstance(only, bytes)
        told = [pb.WatchResponse.FromString(message) for message in (every[0], only)]
        assert [[one.dag.summary.dag_id for one in each.change_set.changes] for each in told] == [
            ["a", "b"],
            ["b"],
        ]

    async def test_a_state_of_ten_watchers_is_read_from_the_store_once(
        self, replica: Replica, dags: EncodedDags, blobs: CountedBlobs
    ) -> None:
        replica.write(*(put(f"d{number}") for number in range(50)))
        async with running(replica):
            await replica.caught_up()
            watching = WatchingMethods(replica.hub, Consuming(replica.store).registry, dags)
            for _ in range(10):
                request = pb.WatchRequest(
                    namespaces=["-"], initial_state=True, view=res.DAG_VIEW_DOCUMENT
                )
                stream = watching.watch(request, CALL)
                page = await anext(stream)
                await stream.aclose()
                assert isinstance(page, bytes)
                told = pb.WatchResponse.FromString(page)
                assert len(told.state.dags) == 50
                assert told.SerializeToString() == page
        assert len(blobs.questions) == 1
