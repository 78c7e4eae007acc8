"""Compares what a catalog holds, as it is read over the wire and in its file, with a ledger."""

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Mapping
from contextlib import closing
from pathlib import Path

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_server.store.blob_codec import Codec, Packed, unpack
from tests.faults.ledger import Content, Key, Ledger
from tests.support.wire import Api, next_changes, watching

MAX_SELECTORS = 10_000
PATIENCE_S = 60.0
ALL = "-"


async def read_log(api: Api, after: int) -> list[pb.WatchResponse]:
    """Watch from a revision to the present: so many revisions, or it takes too long."""
    now = (await api.Status(pb.StatusRequest())).position
    start = res.Position(epoch=now.epoch, revision=after)
    async with (
        asyncio.timeout(PATIENCE_S),
        watching(api, pb.WatchRequest(namespaces=[ALL], after=start)) as watch,
    ):
        return await next_changes(watch, now.revision - after)


async def check_heads(api: Api, ledger: Ledger, *, changed_after: int = 0) -> None:
    """Compare the list with the ledger, and the documents of what changed after a revision."""
    everything = pb.DagFilter(deleted=pb.DELETED_FILTER_INCLUDE)
    listed = await api.List(pb.ListRequest(namespace=ALL, page_size=1000, filter=everything))
    assert listed.position.revision == ledger.revision
    assert listed.total_size == len(listed.dags) == len(ledger.heads)
    assert list(listed.dags) == [ledger.summaries[key] for key in sorted(ledger.heads)]
    changed = [one for one in listed.dags if one.revision > changed_after]
    wanted = {
        (one.namespace, one.content_hash): ledger.heads[one.namespace, one.dag_id].content
        for one in changed
    }
    await check_documents(api, wanted)


async def check_documents(api: Api, wanted: Mapping[Key, Content]) -> None:
    """Read contents by their hash, which the server verifies, and compare every byte."""
    hashes = defaultdict(list)
    for namespace, content_hash in wanted:
        hashes[namespace].append(content_hash)
    for namespace, of_namespace in hashes.items():
        for start in range(0, len(of_namespace), MAX_SELECTORS):
            part = of_namespace[start : start + MAX_SELECTORS]
            documents = await _documents(api, namespace, part)
            assert documents == [wanted[namespace, one].document() for one in part]


async def _documents(api: Api, namespace: str, hashes: Collection[str]) -> list[bytes]:
    selectors = [pb.DagSelector(content_hash=one) for one in hashes]
    request = pb.GetBatchRequest(namespace=namespace, selectors=selectors)
    found: list[bytes] = []
    async for part in api.GetBatch(request):
        for one in part.items:
            assert one.HasField("dag"), one.error
            found.append(one.dag.document)
    return found


async def check_versions(api: Api, ledger: Ledger) -> None:
    """Compare the number of each DAG's versions: what was written twice would have one more."""
    for (namespace, dag_id), head in ledger.heads.items():
        asked = pb.ListVersionsRequest(namespace=namespace, dag_id=dag_id, page_size=1000)
        listed = await api.ListVersions(asked)
        newest = head.version
        assert listed.total_size == newest
        expected = list(range(newest, max(newest - 1000, 0), -1))
        assert [one.version for one in listed.versions] == expected


def check_file(path: Path, ledger: Ledger) -> None:
    """Check the database of a stopped server: its form, its revisions, and every blob."""
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        (numbers,) = database.execute(
            "SELECT count(DISTINCT revision), min(revision), max(revision) FROM change"
        ).fetchall()
        assert numbers == (ledger.revision, 1, ledger.revision)
        blobs = database.execute(
            "SELECT hash, codec, raw_bytes, data, base_hash FROM blob ORDER BY base_hash IS NOT NULL"
        ).fetchall()
        pointed = {one for (one,) in database.execute("SELECT content_hash FROM change")}
    raws: dict[bytes, bytes] = {}
    for blob_hash, codec, raw_bytes, data, base_hash in blobs:
        packed = Packed(Codec(codec), raw_bytes, data, base_hash.hex() if base_hash else None)
        raws[blob_hash] = unpack(blob_hash.hex(), packed, raws.get(base_hash))
    assert pointed <= {blob_hash for blob_hash, *_ in blobs}
