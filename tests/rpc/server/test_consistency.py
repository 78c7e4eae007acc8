"""How fresh a Get is: of what was acknowledged anywhere, or of what one replica has, truthfully."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest
from grpc import StatusCode

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_server.store.schema import migrate
from tests.support.postgres import Postgres
from tests.support.server import running_server
from tests.support.waiting import PATIENCE_S
from tests.support.wire import Api, connected, put, read_refusal, refusal_of

POLL_S = 1.0  # many times longer than a read may take
LOCAL, LINEARIZABLE = pb.CONSISTENCY_LOCAL, pb.CONSISTENCY_LINEARIZABLE
VIEWS = (res.DAG_VIEW_SUMMARY, res.DAG_VIEW_DOCUMENT)


def _get(namespace: str, dag_id: str = "a", **more: Any) -> pb.GetRequest:
    return pb.GetRequest(namespace=namespace, dag_id=dag_id, **more)


def _delete(namespace: str) -> pb.DeleteRequest:
    return pb.DeleteRequest(namespace=namespace, dag_id="a", reason="gone")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def addresses(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sequence[str]]:
    """Two server processes on one database; of each other they hear little, unless they ask."""
    folder = tmp_path_factory.mktemp("replicas")
    url = f"sqlite:///{folder / 'catalog.db'}"
    if request.param == "postgresql":
        cluster: Postgres = request.getfixturevalue("postgres")
        cluster.execute("CREATE DATABASE consistency")
        url = cluster.url("consistency")
        migrate(url)
    hard_of_hearing = {
        "DAGCATALOG_NOTIFY": "false",
        "DAGCATALOG_WATCH_POLL_INTERVAL": str(POLL_S),
    }
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                running_server(
                    folder / name,
                    extra_args=[f"--database-url={url}"],
                    environment=hard_of_hearing,
                )
            ).address
            for name in "ab"
        ]


@pytest.fixture
async def replicas(addresses: Sequence[str]) -> AsyncIterator[tuple[Api, Api]]:
    one, other = addresses
    async with connected(one) as of_one, connected(other) as of_other:
        yield of_one, of_other


class TestReplicas:
    async def test_what_one_acknowledged_the_other_reads_at_once(
        self, replicas: tuple[Api, Api], namespace: str
    ) -> None:
        writer, reader = replicas
        for number in range(200):
            if number % 10 == 9:
                deleted = await writer.Delete(_delete(namespace))
                refusal = await refusal_of(reader.Get(_get(namespace)))
                assert refusal.reason == "DAG_NOT_FOUND"
                assert refusal.facts["deleted_at_revision"] == str(deleted.position.revision)
                continue
            written = await writer.Put(put(namespace, "a", tags=[str(number)]))
            answer = await reader.Get(_get(namespace, view=VIEWS[number % 2]))
            assert answer.position == written.position
            assert answer.dag.summary == written.result.summary

    async def test_many_readers_never_fall_behind_a_writer(
        self, replicas: tuple[Api, Api], namespace: str
    ) -> None:
        writer, reader = replicas
        acknowledged = (await writer.Put(put(namespace, "a"))).position.revision
        writing = True

        async def read() -> int:
            reads = 0
            while writing:
                began_at = acknowledged
                answer = await reader.Get(_get(namespace, view=res.DAG_VIEW_SUMMARY))
                assert answer.position.revision >= began_at
                assert answer.dag.summary.revision >= began_at  # every write is of this DAG
                reads += 1
            return reads

        readers = [asyncio.create_task(read()) for _ in range(16)]
        for number in range(100):
            written = await writer.Put(put(namespace, "a", tags=[str(number)]))
            acknowledged = written.position.revision
        writing = False
        assert min(await asyncio.gather(*readers)) > 1

    async def test_a_local_read_is_where_its_replica_is_and_says_so(
        self, replicas: tuple[Api, Api], namespace: str
    ) -> None:
        writer, reader = replicas
        here = (await writer.Put(put(namespace, "a", tags=["0"]))).position
        number, behind = 0, False
        assert (await reader.Get(_get(namespace))).position == here
        async with asyncio.timeout(PATIENCE_S):
            while not behind:  # until its memory is filled it reads the database
                number += 1
                newest = (await writer.Put(put(namespace, "a", tags=[str(number)]))).position
                local = await reader.Get(_get(namespace, consistency=LOCAL))
                then = await writer.Get(_get(namespace, at_position=local.position))
                assert local.dag == then.dag  # what it says was so, when it says so
                assert here.revision <= local.position.revision <= newest.revision
                behind = local.position.revision < newest.revision
        assert (await reader.Get(_get(namespace))).position == newest
        local = await reader.Get(_get(namespace, consistency=LOCAL))
        assert local.position == newest  # it has followed

    async def test_a_local_read_waits_for_what_its_reader_has_seen(
        self, replicas: tuple[Api, Api], namespace: str
    ) -> None:
        writer, reader = replicas
        for number in range(50):
            seen = (await writer.Put(put(namespace, "a", tags=[str(number)]))).position
            position = res.Position(revision=seen.revision) if number % 2 else seen
            answer = await reader.Get(_get(namespace, consistency=LOCAL, min_position=position))
            assert answer.position == seen
            assert answer.dag.summary.revision == seen.revision

    async def test_read_your_writes_wherever_they_went(
        self, replicas: tuple[Api, Api], namespace: str
    ) -> None:
        for number in range(50):
            written = await replicas[number % 2].Put(put(namespace, f"d{number}"))
            answers = await asyncio.gather(
                *(api.Get(_get(namespace, f"d{number}")) for api in replicas)
            )
            assert [one.position for one in answers] == [written.position] * 2


@pytest.mark.parametrize("consistency", [LOCAL, LINEARIZABLE])
class TestPositions:
    async def test_no_position_is_before_an_acknowledged_put(
        self, api: Api, namespace: str, consistency: Any
    ) -> None:
        """On the replica that acknowledged it; a local read too."""
        for number in range(50):
            written = await api.Put(put(namespace, "a", tags=[str(number)]))
            answer = await api.Get(_get(namespace, consistency=consistency))
            assert answer.position.revision >= written.position.revision
            assert answer.dag.summary == written.result.summary

    async def test_a_position_that_is_had_is_answered(
        self, api: Api, namespace: str, consistency: Any
    ) -> None:
        here = (await api.Put(put(namespace, "a"))).position
        for position in (
            here,
            res.Position(revision=here.revision),
            res.Position(epoch=here.epoch, revision=0),
            res.Position(),
        ):
            request = _get(namespace, consistency=consistency, min_position=position)
            answer = await api.Get(request)
            assert answer.position.epoch == here.epoch
            assert answer.position.revision >= here.revision

    async def test_the_future_and_another_history_are_out_of_range(
        self, api: Api, namespace: str, consistency: Any
    ) -> None:
        here = (await api.Put(put(namespace, "a"))).position
        future = res.Position(epoch=here.epoch, revision=here.revision + 1000)
        for position, reason in (
            (future, "REVISION_IN_FUTURE"),
            (res.Position(revision=here.revision + 1000), "REVISION_IN_FUTURE"),
            (res.Position(epoch="another", revision=1), "OTHER_EPOCH"),
        ):
            request = _get(namespace, consistency=consistency, min_position=position)
            refusal = await refusal_of(api.Get(request))
            assert (refusal.code, refusal.reason) == (StatusCode.OUT_OF_RANGE, reason)
            assert refusal.facts["current_epoch"] == here.epoch

    async def test_if_none_match_is_of_the_newest(
        self, api: Api, namespace: str, consistency: Any
    ) -> None:
        hashes = []
        for tag in ("one", "two", "one"):
            written = await api.Put(put(namespace, "a", tags=[tag]))
            hashes.append(written.result.summary.content_hash)
            for known in {*hashes, "0" * 64}:
                request = _get(namespace, consistency=consistency, if_none_match=known)
                answer = await api.Get(request)
                assert answer.not_modified == (known == hashes[-1])
                assert bool(answer.dag.document) != answer.not_modified
                assert answer.dag.summary == written.result.summary

    async def test_a_deleted_dag_is_gone_until_it_is_back(
        self, api: Api, namespace: str, consistency: Any
    ) -> None:
        request = _get(namespace, consistency=consistency)
        for number in range(5):
            await api.Put(put(namespace, "a", tags=[str(number)]))
            assert (await api.Get(request)).dag.document
            deletion = _delete(namespace)
            deleted = await api.Delete(deletion)
            refusal = await refusal_of(api.Get(request))
            assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, "DAG_NOT_FOUND")
            assert refusal.facts["deleted_at_revision"] == str(deleted.position.revision)
            tombstone = _get(namespace=namespace, consistency=consistency, include_deleted=True)
            assert (await api.Get(tombstone)).dag.summary == deleted.summary
            restored = await api.Restore(pb.RestoreRequest(namespace=namespace, dag_id="a"))
            assert (await api.Get(request)).dag.summary == restored.summary


async def test_the_clients_request_id_comes_back_with_the_end_of_an_answer(
    api: Api, namespace: str
) -> None:
    await api.Put(put(namespace, "a"))
    given = (("x-request-id", "mine"),)
    for request in (_get(namespace), _get(namespace, version=1)):
        for _ in range(2):
            call: Any = api.Get(request, metadata=given)
            await call
            assert dict(await call.trailing_metadata())["x-request-id"] == "mine"
    unnamed: Any = api.Get(_get(namespace))
    await unnamed
    assert "x-request-id" not in dict(await unnamed.trailing_metadata())
    refused: Any = api.Get(_get(namespace, "absent"), metadata=given)
    refusal = read_refusal(
        await refused.code(), await refused.details(), await refused.trailing_metadata()
    )
    assert refusal.request_id == "mine"
    assert dict(await refused.trailing_metadata())["x-request-id"] == "mine"
