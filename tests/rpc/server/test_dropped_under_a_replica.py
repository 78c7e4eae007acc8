"""What one replica drops, another may still have in mind: it asks again, and calls nothing damaged."""

import hashlib
from contextlib import AsyncExitStack

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from tests.support.wire import connected, put, serving

NEVER_S = 3600.0


async def test_a_replica_that_lags_does_not_call_a_dropped_document_damaged(
    postgres_url: str,
) -> None:
    async with AsyncExitStack() as stack:
        ahead, behind = [
            await stack.enter_async_context(
                connected(await stack.enter_async_context(serving(**settings)))
            )
            for settings in (
                {"database_url": postgres_url},
                {
                    "database_url": postgres_url,
                    "notify": False,
                    "watch_poll_interval": NEVER_S,
                },
            )
        ]
        await ahead.Put(put("left", "a", description="first"))
        request = pb.GetRequest(namespace="left", dag_id="a", view=res.DAG_VIEW_SUMMARY)
        assert (await behind.Get(request)).dag.summary.version == 1
        await ahead.Put(put("left", "a", description="second"))
        await ahead.Prune(pb.PruneRequest(namespace="-", keep_versions=1))
        request.view = res.DAG_VIEW_DOCUMENT
        request.consistency = pb.CONSISTENCY_LOCAL
        dag = (await behind.Get(request)).dag
        assert hashlib.sha256(dag.document).hexdigest() == dag.summary.content_hash
