"""List: from memory where it can say it all, from the store otherwise."""

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_server.catalog.catalog import Catalog
from dagcatalog_server.catalog.listing import (
    ListPlan,
    ListRequest,
    Page,
    next_token,
    plan_list,
)
from dagcatalog_server.catalog.model import Position
from dagcatalog_server.catalog.query import Cursor, DagFilter, ListOrder
from dagcatalog_server.replica.present import Present
from dagcatalog_server.rpc import answers, requests
from dagcatalog_server.rpc.call import Call
from dagcatalog_server.rpc.threads import Threads
from dagcatalog_server.rpc.wire import field

_DAGS = 1  # number of ListResponse's field


class Listing:
    """The method List.

    The present by namespace and prefix, in the order of keys, is in memory, its summaries encoded;
    and so are later pages for as long as nothing was written since the first.
    """

    def __init__(self, catalog: Catalog, threads: Threads, present: Present) -> None:
        self._catalog = catalog
        self._threads = threads
        self._present = present

    async def list(self, request: pb.ListRequest, call: Call) -> pb.ListResponse | bytes:
        """List a page of summaries."""
        at = requests.position(request, "at_position")
        asked = ListRequest(requests.dag_filter(request), request.order_by, at)
        page = requests.page(request)
        at_least = requests.position(request, "min_position")
        plan = plan_list(asked, page)
        if _is_plain(asked.filter) and plan.order is ListOrder.DAG_ID:
            position = await self._present.position(at_least, local=requests.is_local(request))
            if position and plan.pinned in {None, position}:
                return self._from_memory(asked, plan, position)
        return await self._from_store(asked, page, at_least)

    def _from_memory(self, asked: ListRequest, plan: ListPlan, position: Position) -> bytes:
        after = (plan.after.key.namespace, plan.after.key.dag_id) if plan.after else None
        page = self._present.heads.page(
            asked.filter.namespace, asked.filter.dag_id_prefix, after=after, size=plan.size
        )
        told = pb.ListResponse(total_size=page.total, position=answers.position(position))
        if not page.is_last:
            last = Cursor(page.heads[-1].key, page.heads[-1].revision)
            told.next_page_token = next_token(asked, last, page.total, position)
        summaries = (field(_DAGS, head.summary) for head in page.heads)
        return b"".join((*summaries, told.SerializeToString()))

    async def _from_store(
        self, asked: ListRequest, page: Page, at_least: Position | None
    ) -> pb.ListResponse:
        answer = await self._threads.call(self._catalog.list, asked, page, at_least)
        return pb.ListResponse(
            dags=[answers.summary(row.revision, row.state) for row in answer.rows],
            next_page_token=answer.next_token,
            total_size=answer.total,
            position=answers.position(answer.position),
        )


def _is_plain(given: DagFilter) -> bool:
    return given == DagFilter(namespace=given.namespace, dag_id_prefix=given.dag_id_prefix)
