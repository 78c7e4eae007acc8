"""Get, GetBatch, List, ListVersions, Diff, ListParseErrors, Status: what reads the catalog."""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_server.catalog.catalog import Catalog
from dagcatalog_server.catalog.errors import BlobCorrupt, CatalogError
from dagcatalog_server.catalog.model import Position
from dagcatalog_server.catalog.names import check_key, check_namespace_filter
from dagcatalog_server.catalog.reading import check_position, resolve_batch
from dagcatalog_server.replica.heads import Head
from dagcatalog_server.replica.present import Present
from dagcatalog_server.rpc import answers, requests
from dagcatalog_server.rpc.call import Call
from dagcatalog_server.rpc.dags import SUMMARY_BYTES, EncodedDags, head_of, wire_bytes
from dagcatalog_server.rpc.differences import difference
from dagcatalog_server.rpc.getting import Getting
from dagcatalog_server.rpc.listing import Listing
from dagcatalog_server.rpc.messages import chunk_by_bytes
from dagcatalog_server.rpc.threads import Threads
from dagcatalog_server.rpc.view import Form, View
from dagcatalog_server.rpc.wire import field, renumbered

_BATCH_ITEM_DAG = 2  # number of GetBatchItem's field
_BATCH_ITEMS = 1  # number of GetBatchResponse's field


@dataclass(frozen=True, slots=True)
class Replica:
    """What only this replica knows, for Status."""

    name: str
    version: str
    started_at: datetime
    watch_count: Callable[[], int]
    lag: Callable[[], int]


class ReadingMethods:
    """The reading half of the service."""

    def __init__(
        self,
        catalog: Catalog,
        threads: Threads,
        replica: Replica,
        present: Present,
        dags: EncodedDags,
    ) -> None:
        self._catalog = catalog
        self._threads = threads
        self._replica = replica
        self._dags = dags
        self.get = Getting(catalog, threads, present, dags).get
        self.list = Listing(catalog, threads, present).list

    async def get_batch(
        self, request: pb.GetBatchRequest, call: Call
    ) -> AsyncGenerator[bytes, None]:
        """Read many DAGs, in messages of about 1 MiB."""
        form = requests.form(request, default=View.DOCUMENT)
        found, position = await self._threads.call(self._resolve, request, request.selectors)
        told = pb.GetBatchResponse(position=answers.position(position)).SerializeToString()
        if not found:
            yield told
        start = 0
        for part in chunk_by_bytes(found, lambda one: _item_bytes(one, form.view)):
            try:
                items = await self._items(part, form, start)
            except BlobCorrupt:  # pruned since it was found, or truly damaged
                asked = request.selectors[start : start + len(part)]
                part, _ = await self._threads.call(self._resolve, request, asked)  # noqa: PLW2901
                items = await self._items(part, form, start)
            start += len(part)
            yield b"".join([*(field(_BATCH_ITEMS, item) for item in items), told])

    async def _items(
        self, part: Sequence[Head | CatalogError], form: Form, start: int
    ) -> list[bytes]:
        heads = [one for one in part if isinstance(one, Head)]
        dags = iter(await self._dags.all(heads, form))
        return [
            pb.GetBatchItem(index=place, error=answers.item_error(one)).SerializeToString()
            if isinstance(one, CatalogError)
            else pb.GetBatchItem(index=place).SerializeToString()
            + renumbered(_BATCH_ITEM_DAG, next(dags))
            for place, one in enumerate(part, start)
        ]

    def _resolve(
        self, request: pb.GetBatchRequest, asked: Iterable[pb.DagSelector]
    ) -> tuple[list[Head | CatalogError], Position]:
        with self._catalog.snapshot() as snapshot:
            clock = snapshot.clock()
            check_position(clock, requests.position(request, "min_position"))
            selectors = [requests.batch_selector(one) for one in asked]
            found = resolve_batch(snapshot, request.namespace, selectors)
        told = [one if isinstance(one, CatalogError) else head_of(one) for one in found]
        return told, clock.position

    async def list_versions(
        self, request: pb.ListVersionsRequest, call: Call
    ) -> pb.ListVersionsResponse:
        """List the versions of a DAG."""
        key = check_key(request.namespace, request.dag_id)
        answer = await self._threads.call(
            self._catalog.list_versions,
            key,
            requests.page(request),
            requests.position(request, "min_position"),
        )
        return pb.ListVersionsResponse(
            versions=[answers.version(row, answer.head_version) for row in answer.versions],
            next_page_token=answer.next_token,
            total_size=answer.total,
            position=answers.position(answer.position),
        )

    async def diff(self, request: pb.DiffRequest, call: Call) -> pb.DiffResponse:
        """Compare two versions of a DAG."""
        key = check_key(request.namespace, request.dag_id)
        answer = await self._threads.call(
            self._catalog.diff,
            key,
            request.from_version,
            request.to_version,
            requests.position(request, "min_position"),
        )
        return pb.DiffResponse(
            older=answers.summary(answer.older.revision, answer.older.state),
            newer=answers.summary(answer.newer.revision, answer.newer.state),
            difference=difference(answer.difference),
            position=answers.position(answer.position),
        )

    async def list_parse_errors(
        self, request: pb.ListParseErrorsRequest, call: Call
    ) -> pb.ListParseErrorsResponse:
        """List parse errors."""
        namespace = check_namespace_filter(request.namespace)
        answer = await self._threads.call(
            self._catalog.list_parse_errors, namespace, request.bundle_name, requests.page(request)
        )
        return pb.ListParseErrorsResponse(
            errors=answers.parse_errors(answer.errors),
            next_page_token=answer.next_token,
            total_size=answer.total,
        )

    async def status(self, request: pb.StatusRequest, call: Call) -> pb.StatusResponse:
        """Tell where the catalog and this replica stand."""
        told = answers.status(await self._threads.call(self._catalog.standing))
        told.server_version = self._replica.version
        told.replica = self._replica.name
        told.watch_count = self._replica.watch_count()
        told.replica_lag = self._replica.lag()
        told.start_time.FromDatetime(self._replica.started_at)
        return told


def _item_bytes(found: Head | CatalogError, view: View) -> int:
    return wire_bytes(found, view) if isinstance(found, Head) else SUMMARY_BYTES
