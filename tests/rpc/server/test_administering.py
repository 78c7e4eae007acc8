"""Rollback, Prune and Verify over a real server."""

import asyncio
from pathlib import Path

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from sqlalchemy import text

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_server.store.backup import back_up, restore
from dagcatalog_server.store.database import writing
from tests.support.wire import (
    Api,
    WatchCall,
    connected,
    next_changes,
    next_event,
    put,
    read_refusal,
    refusal_of,
    revision,
    serving,
    watching,
)

KEEP_ONE = pb.PruneRequest(namespace="-", keep_versions=1)


async def grow(api: Api, namespace: str, dag_id: str, versions: int) -> None:
    for number in range(versions):
        await api.Put(put(namespace, dag_id, tags=(f"{dag_id}{number}",)))


async def test_a_rollback_is_a_new_version_that_watchers_see(api: Api, namespace: str) -> None:
    await grow(api, namespace, "a", 2)
    after = res.Position(revision=await revision(api))
    async with watching(api, pb.WatchRequest(namespaces=[namespace], after=after)) as watch:
        request = pb.RollbackRequest(namespace=namespace, dag_id="a", version=1, reason="why")
        done = await api.Rollback(request)
        assert done.result.outcome == pb.PUT_OUTCOME_NEW_VERSION
        assert done.result.summary.version == 3
        assert done.result.summary.labels == {"rollback-reason": "why"}
        [seen] = await next_changes(watch)
    assert seen.position == done.position
    [change] = seen.change_set.changes
    assert change.kind == res.CHANGE_KIND_NEW_VERSION
    got = await api.Get(pb.GetRequest(namespace=namespace, dag_id="a"))
    first = await api.Get(pb.GetRequest(namespace=namespace, dag_id="a", version=1))
    assert got.dag.document == first.dag.document


async def test_rollbacks_are_refused_as_puts_are(api: Api, namespace: str) -> None:
    await grow(api, namespace, "a", 2)
    request = pb.RollbackRequest(namespace=namespace, dag_id="a", version=7)
    assert (await refusal_of(api.Rollback(request))).reason == "VERSION_NOT_FOUND"
    request = pb.RollbackRequest(namespace=namespace, dag_id="a")
    assert (await refusal_of(api.Rollback(request))).fields == ["version"]
    request = pb.RollbackRequest(
        namespace=namespace, dag_id="a", version=1, precondition=pb.Precondition(version=1)
    )
    assert (await refusal_of(api.Rollback(request))).code is grpc.StatusCode.ABORTED
    request = pb.RollbackRequest(namespace=namespace, dag_id="a", version=1, request_id="r")
    first, again = await api.Rollback(request), await api.Rollback(request)
    assert first == again


async def test_a_prune_drops_and_says_what(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'c.db'}"
    async with serving(database_url=url) as address, connected(address) as api:
        await grow(api, "default", "a", 5)
        would = await api.Prune(pb.PruneRequest(namespace="-", keep_versions=1, validate_only=True))
        done = await api.Prune(KEEP_ONE)
        assert would == done
        assert (done.version_count, done.blob_count, done.compacted_revision) == (4, 4, 5)
        assert done.stored_bytes > 0
        refusal = await refusal_of(
            api.Get(pb.GetRequest(namespace="default", dag_id="a", version=2))
        )
        assert (refusal.code, refusal.facts["pruned"]) == (grpc.StatusCode.NOT_FOUND, "true")
        past = res.Position(revision=2)
        refusal = await refusal_of(
            api.Get(pb.GetRequest(namespace="default", dag_id="a", at_position=past))
        )
        assert (refusal.reason, refusal.facts["oldest_revision"]) == ("REVISION_COMPACTED", "5")
        async with watching(api, pb.WatchRequest(after=past)) as watch:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await watch.read()
            assert caught.value.code() is grpc.StatusCode.OUT_OF_RANGE
        status = await api.Status(pb.StatusRequest())
        assert status.compacted_revision == 5
        assert status.namespaces[0].version_count == 1


async def test_prunes_that_make_no_sense_are_refused(api: Api) -> None:
    for field, request in {
        "keep_versions": pb.PruneRequest(keep_versions=-1),
        "keep_for": pb.PruneRequest(keep_for=Duration(seconds=-1)),
        "compact_revision": pb.PruneRequest(compact_revision=-1),
        "pinned_hashes": pb.PruneRequest(pinned_hashes=["x"]),
        "namespace": pb.PruneRequest(namespace="NO"),
    }.items():
        assert (await refusal_of(api.Prune(request))).fields == [field]
    future = pb.PruneRequest(compact_revision=10**9)
    assert (await refusal_of(api.Prune(future))).reason == "REVISION_IN_FUTURE"


async def test_puts_go_on_beside_a_prune(tmp_path: Path) -> None:
    async with (
        serving(database_url=f"sqlite:///{tmp_path / 'c.db'}") as address,
        connected(address) as api,
    ):
        await asyncio.gather(*(grow(api, "default", f"d{n}", 30) for n in range(10)))
        pruning = asyncio.ensure_future(api.Prune(KEEP_ONE))
        await grow(api, "default", "other", 20)
        done = await pruning
        assert done.version_count >= 290
        async for last in api.Verify(pb.VerifyRequest(namespace="-")):
            assert not last.corrupt
        assert last.done


async def test_a_verify_names_damage_and_who_points_at_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'c.db'}"
    async with serving(database_url=url) as address, connected(address) as api:
        await grow(api, "one", "a", 2)
        await grow(api, "two", "b", 1)
        await grow(api, "two", "c", 1)
        sound = [step async for step in api.Verify(pb.VerifyRequest(namespace="-"))]
        assert sound[-1] == pb.VerifyResponse(checked_count=4, total_count=4, done=True)
        head = await api.Get(pb.GetRequest(namespace="one", dag_id="a"))
        gone = await api.Get(pb.GetRequest(namespace="two", dag_id="c"))
        hashes = [one.dag.summary.content_hash for one in (head, gone)]
        with writing(url) as connection:
            rotten = "UPDATE blob SET codec = 0, data = hash WHERE hex(hash) = upper(:hash)"
            connection.execute(text(rotten), {"hash": hashes[0]})
            connection.execute(
                text("DELETE FROM blob WHERE hex(hash) = upper(:hash)"), {"hash": hashes[1]}
            )
        found = await _corrupt(api, "-")
        assert {each.hash: list(each.dag_ids) for each in found} == {
            hashes[0]: ["one/a"],
            hashes[1]: ["two/c"],
        }
        assert [list(each.dag_ids) for each in await _corrupt(api, "one")] == [["a"]]
        assert [list(each.dag_ids) for each in await _corrupt(api, "two")] == [["c"]]
        assert await _corrupt(api, "three") == []


# Nothing outside of the server can restore its memory.
IN_A_DATABASE = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


@IN_A_DATABASE
async def test_a_write_after_a_restore_tells_the_new_epoch_before_the_tail_has_noticed(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        serving(database_url=database_url, watch_poll_interval=3600, notify=False) as address,
        connected(address) as api,
    ):
        first = await api.Put(put("default", "a"))
        await asyncio.to_thread(back_up, database_url, tmp_path / "backup")
        await asyncio.to_thread(
            restore, database_url, tmp_path / "backup", force=True, while_in_use=True
        )
        done = await api.Put(put("default", "b"))
        assert (done.position.revision, done.position.epoch != first.position.epoch) == (2, True)
        seen = await api.Get(
            pb.GetRequest(namespace="default", dag_id="b", min_position=done.position)
        )
        assert seen.position.epoch == done.position.epoch


@IN_A_DATABASE
async def test_a_running_server_notices_that_its_database_was_restored(
    database_url: str, tmp_path: Path
) -> None:
    async with (
        serving(database_url=database_url, watch_poll_interval=0.05) as address,
        connected(address) as api,
    ):
        await grow(api, "default", "a", 2)
        await asyncio.to_thread(back_up, database_url, tmp_path / "backup")
        await grow(api, "default", "a", 3)
        position = (await api.Status(pb.StatusRequest())).position
        async with watching(api, pb.WatchRequest(after=position)) as watch:
            await asyncio.to_thread(
                restore, database_url, tmp_path / "backup", force=True, while_in_use=True
            )
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await _read_to_its_end(watch)
        error = caught.value
        refusal = read_refusal(error.code(), error.details(), error.trailing_metadata())
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.OUT_OF_RANGE, "OTHER_EPOCH")
        now = await api.Status(pb.StatusRequest())
        assert (now.position.revision, now.position.epoch != position.epoch) == (2, True)
        head = await api.Get(pb.GetRequest(namespace="default", dag_id="a"))
        assert head.dag.summary.version == 2
        done = await api.Put(put("default", "b"))
        assert done.position.revision == 3


async def _read_to_its_end(watch: WatchCall) -> None:
    while True:
        await next_event(watch)


async def _corrupt(api: Api, namespace: str) -> list[pb.CorruptBlob]:
    steps = [step async for step in api.Verify(pb.VerifyRequest(namespace=namespace))]
    assert [step.done for step in steps] == [False] * (len(steps) - 1) + [True]
    return [each for step in steps for each in step.corrupt]
