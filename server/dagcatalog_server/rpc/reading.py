"""Get, GetBatch, List, ListVersions, ListParseErrors, Status: what reads the catalog."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_server.catalog.catalog import Catalog
from dagcatalog_server.catalog.errors import CatalogError
from dagcatalog_server.catalog.listing import ListRequest
from dagcatalog_server.catalog.model import Change, Position
from dagcatalog_server.catalog.names import check_key, check_namespace_filter
from dagcatalog_server.catalog.reading import (
    SUMMARY_BYTES,
    View,
    check_position,
    chunk_by_bytes,
    resolve_batch,
    view_bytes,
    with_blobs,
)
from dagcatalog_server.rpc import answers, requests
from dagcatalog_server.rpc.call import Call
from dagcatalog_server.rpc.differences import difference
from dagcatalog_server.rpc.threads import Threads

# Large streams travel fastest in messages of about 1 MiB; in 64 KiB ones they take twice as long.
MESSAGE_BYTES = 1024**2


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

    def __init__(self, catalog: Catalog, threads: Threads, replica: Replica) -> None:
        self._catalog = catalog
        self._threads = threads
        self._replica = replica

    async def get(self, request: pb.GetRequest, call: Call) -> pb.GetResponse:
        """Read one DAG."""
        query = requests.get_query(request)
        min_position = requests.position(request, "min_position")
        answer = await self._threads.call(self._catalog.get, query, min_position)
        view = View.SUMMARY if answer.not_modified else query.view
        return pb.GetResponse(
            dag=answers.dag(answer.found, view),
            not_modified=answer.not_modified,
            position=answers.position(answer.position),
        )

    async def get_batch(
        self, request: pb.GetBatchRequest, call: Call
    ) -> AsyncGenerator[pb.GetBatchResponse, None]:
        """Read many DAGs, in messages of about 1 MiB."""
        requests.check_profile(request.profile)
        view = requests.view(request.view, default=View.DOCUMENT)
        found, position = await self._threads.call(self._resolve, request)
        told = answers.position(position)
        if not found:
            yield pb.GetBatchResponse(position=told)
        start = 0
        for part in chunk_by_bytes(
            found, lambda one: _item_bytes(one, view), max_bytes=MESSAGE_BYTES
        ):
            items = await self._threads.call(self._tell, part, view, start)
            start += len(part)
            yield pb.GetBatchResponse(items=items, position=told)

    def _resolve(
        self, request: pb.GetBatchRequest
    ) -> tuple[Sequence[Change | CatalogError], Position]:
        with self._catalog.snapshot() as snapshot:
            clock = snapshot.clock()
            check_position(clock, requests.position(request, "min_position"))
            selectors = [requests.batch_selector(one) for one in request.selectors]
            return resolve_batch(snapshot, request.namespace, selectors), clock.position

    def _tell(
        self, found: Sequence[Change | CatalogError], view: View, start: int
    ) -> list[pb.GetBatchItem]:
        """Read the blobs of states that were resolved before: contents never change."""
        changes = [one for one in found if isinstance(one, Change)]
        with self._catalog.snapshot() as snapshot:
            dags = with_blobs(snapshot, changes, view)
            return [
                pb.GetBatchItem(index=start + place, error=answers.item_error(one))
                if isinstance(one, CatalogError)
                else pb.GetBatchItem(index=start + place, dag=answers.dag(next(dags), view))
                for place, one in enumerate(found)
            ]

    async def list(self, request: pb.ListRequest, call: Call) -> pb.ListResponse:
        """List a page of summaries."""
        asked = ListRequest(
            requests.dag_filter(request),
            request.order_by,
            requests.position(request, "at_position"),
        )
        min_position = requests.position(request, "min_position")
        answer = await self._threads.call(
            self._catalog.list, asked, requests.page(request), min_position
        )
        return pb.ListResponse(
            dags=[answers.summary(row.revision, row.state) for row in answer.rows],
            next_page_token=answer.next_token,
            total_size=answer.total,
            position=answers.position(answer.position),
        )

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


def _item_bytes(found: Change | CatalogError, view: View) -> int:
    return view_bytes(found, view) if isinstance(found, Change) else SUMMARY_BYTES
