"""Get: which question memory answers, what is kept of it, and what happens amid writes and prunes."""

import asyncio
import threading
from collections.abc import Callable, Collection, Iterator, Mapping

import pytest

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_server.catalog.catalog import Catalog
from dagcatalog_server.catalog.errors import BlobCorrupt, VersionNotFound
from dagcatalog_server.catalog.model import Blob, Position
from dagcatalog_server.catalog.pruning import PrunePolicy
from dagcatalog_server.catalog.reading import GetAnswer, GetQuery
from dagcatalog_server.rpc.call import Call
from dagcatalog_server.rpc.dags import CacheShares, EncodedDags
from dagcatalog_server.rpc.getting import Getting
from dagcatalog_server.rpc.threads import Threads
from dagcatalog_server.store.memory_history import KeptBlobs
from tests.support.waiting import until
from tests.support.watching import PATIENCE_S, Replica, running
from tests.support.writes import commit, put

CALL = Call("Get", "request", "ann")
MEMORY = CacheShares(8 * 1024**2)
SUMMARY = res.DAG_VIEW_SUMMARY


class CountedCatalog(Catalog):
    """Counts the Gets that came down to it."""

    gets = 0

    def get(self, query: GetQuery, min_position: Position | None = None) -> GetAnswer:
        self.gets += 1
        return super().get(query, min_position)


class Server:
    """What answers a Get, without its wire. `before_blobs` happens before content is read."""

    def __init__(self, threads: Threads, replica: Replica) -> None:
        self.replica = replica
        self.catalog = CountedCatalog(replica.store)
        self.before_blobs: Callable[[], object] = lambda: None
        dags = EncodedDags(threads, self._blobs, shares=MEMORY)
        self.getting = Getting(self.catalog, threads, replica.presence, dags)

    def _blobs(self, hashes: Collection[str]) -> Mapping[str, Blob]:
        happens, self.before_blobs = self.before_blobs, lambda: None
        happens()
        return self.replica.catalog.blobs(hashes)

    async def wire(self, dag_id: str = "a", **more: object) -> bytes:
        request = pb.GetRequest(dag_id=dag_id, **more)  # type: ignore[arg-type] # its fields
        async with asyncio.timeout(PATIENCE_S):
            return await self.getting.get(request.SerializeToString(), CALL)

    async def get(self, dag_id: str = "a", **more: object) -> pb.GetResponse:
        return pb.GetResponse.FromString(await self.wire(dag_id, **more))

    def put_and_prune(self) -> None:
        """Make another version, and drop the one before."""
        commit(self.replica.catalog, put("a", tags=("new",)))
        list(self.replica.catalog.prune(PrunePolicy(keep_versions=1)))


@pytest.fixture
def threads() -> Iterator[Threads]:
    with Threads(2) as made:
        yield made


@pytest.fixture
def server(threads: Threads) -> Server:
    """A server that has not read its memory: every answer is the store's."""
    made = Server(threads, Replica())
    made.replica.write(put("a", tags=("old",)), put("b"))
    return made


class TestMemory:
    async def test_the_present_is_answered_without_the_store(self, server: Server) -> None:
        async with running(server.replica):
            await server.replica.caught_up()
            await until(server.replica.feed.ready)
            for consistency in (pb.CONSISTENCY_LOCAL, pb.CONSISTENCY_LINEARIZABLE):
                assert (await server.get(consistency=consistency)).dag.document
                assert (await server.get(view=SUMMARY)).dag.summary.dag_id == "a"
            known = (await server.get()).dag.summary.content_hash
            assert (await server.get(if_none_match=known)).not_modified
            assert server.catalog.gets == 0
            await server.get(version=1)
            await server.get(include_deleted=True)
            assert server.catalog.gets == 2

    async def test_one_question_has_one_answer_until_something_changes(
        self, server: Server
    ) -> None:
        async with running(server.replica):
            await server.replica.caught_up()
            await until(server.replica.feed.ready)
            first = await server.wire()
            assert await server.wire() is first
            server.replica.write(put("b", tags=("other",)))
            await server.replica.caught_up()
            second = await server.get()
            assert second.position.revision == 3
            assert second.dag == pb.GetResponse.FromString(first).dag

    async def test_an_answer_that_took_long_is_not_taken_for_a_newer_one(
        self, server: Server
    ) -> None:
        async with running(server.replica):
            await server.replica.caught_up()
            await until(server.replica.feed.ready)
            reading, go_on = threading.Event(), threading.Event()

            def wait() -> None:
                reading.set()
                go_on.wait(PATIENCE_S)

            server.before_blobs = wait
            slow = asyncio.ensure_future(server.get())
            await asyncio.to_thread(reading.wait, PATIENCE_S)
            server.replica.write(put("a", tags=("new",)))
            await server.replica.caught_up()
            assert (await server.get(view=SUMMARY)).dag.summary.tags == ["new"]
            go_on.set()
            assert (await slow).position.revision == 2  # it began before
            newest = await server.get()
            assert newest.position.revision == 3
            assert newest.dag.summary.tags == ["new"]

    async def test_ever_new_questions_do_not_fill_the_memory(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("dagcatalog_server.rpc.getting._MAX_QUESTIONS", 10)
        for number in range(100):
            with pytest.raises(Exception, match="no DAG"):
                await server.get(f"absent{number}")
        assert len(server.getting._questions) <= 10
        with pytest.raises(Exception, match="no DAG"):
            await server.get("é" * 250, accept_encodings=[res.DOCUMENT_ENCODING_ZSTD] * 2_000)
        assert len(max(server.getting._questions)) < 2_000


class TestPrunedMeanwhile:
    async def test_a_head_that_is_pruned_is_read_again(self, server: Server) -> None:
        server.before_blobs = server.put_and_prune
        answer = await server.get()
        assert answer.dag.summary.tags == ["new"]
        assert answer.position.revision == 3
        assert answer.dag.document

    async def test_a_head_in_memory_that_is_pruned_is_the_store_s_to_answer(
        self, server: Server
    ) -> None:
        async with running(server.replica):
            await server.replica.caught_up()
            await until(server.replica.feed.ready)
            server.before_blobs = server.put_and_prune
            answer = await server.get(consistency=pb.CONSISTENCY_LOCAL)
            assert answer.dag.summary.tags == ["new"]
            assert answer.position.revision == 3

    async def test_a_version_that_is_pruned_is_not_there(self, server: Server) -> None:
        server.before_blobs = server.put_and_prune
        with pytest.raises(VersionNotFound):
            await server.get(version=1)

    async def test_damage_is_still_called_damage(self, server: Server) -> None:
        async def lost() -> None:
            with pytest.raises(BlobCorrupt):
                await server.get()

        server.replica.store._blobs = KeptBlobs({}, {})
        await lost()
        async with running(server.replica):
            await server.replica.caught_up()
            await until(server.replica.feed.ready)
            await lost()
