"""A retry gets the first outcome, whatever was forgotten of the log meanwhile."""

from dagcatalog.v1 import catalog_service_pb2 as pb
from tests.support.wire import Api, connected, put, serving


async def _forget_the_past(api: Api) -> None:
    now = (await api.Status(pb.StatusRequest())).position.revision
    await api.Prune(pb.PruneRequest(namespace="-", compact_revision=now))


async def test_a_put_again_after_it_was_compacted_tells_its_revision(database_url: str) -> None:
    async with serving(database_url=database_url) as address, connected(address) as api:
        request = put("left", "a", description="first")
        request.request_id = "one"
        first = await api.Put(request)
        await api.Put(put("left", "a", description="second"))
        await _forget_the_past(api)
        assert await api.Put(request) == first


async def test_a_deletion_again_after_it_was_compacted_tells_its_revision(
    database_url: str,
) -> None:
    async with serving(database_url=database_url) as address, connected(address) as api:
        await api.Put(put("left", "a", description="first"))
        request = pb.DeleteRequest(namespace="left", dag_id="a", request_id="one")
        first = await api.Delete(request)
        await api.Put(put("left", "a", description="second"))
        await _forget_the_past(api)
        again = await api.Delete(request)
        assert again.position == first.position
        told, tells = first.summary, again.summary
        assert (tells.revision, tells.version, tells.deleted) == (told.revision, told.version, True)
        assert tells.content_hash == told.content_hash
