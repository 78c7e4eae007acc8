"""Lists: summaries at one revision, versions, parse errors; no blob is read."""

from collections.abc import Sequence
from dataclasses import dataclass

from dagcatalog_server.catalog.errors import DagNotFound, InvalidArgument
from dagcatalog_server.catalog.model import Change, DagKey, ParseError, Position
from dagcatalog_server.catalog.names import check_text
from dagcatalog_server.catalog.paging import check_page_size, make_token, read_token
from dagcatalog_server.catalog.ports import Snapshot
from dagcatalog_server.catalog.query import (
    Cursor,
    DagFilter,
    ListOrder,
    ListQuery,
    StateRow,
)
from dagcatalog_server.catalog.reading import check_position

MAX_FILTER_VALUES = 100
ORDERS = {
    "": ListOrder.DAG_ID,
    "dag_id": ListOrder.DAG_ID,
    "dag_id asc": ListOrder.DAG_ID,
    "dag_id desc": ListOrder.DAG_ID_DESC,
    "revision": ListOrder.REVISION,
    "revision asc": ListOrder.REVISION,
    "revision desc": ListOrder.REVISION_DESC,
}


@dataclass(frozen=True, slots=True)
class ListRequest:
    """What a List asks for, but for its page."""

    filter: DagFilter
    order_by: str = ""
    at: Position | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """The place of a page: how many, and after which token."""

    size: int = 0
    token: str = ""


@dataclass(frozen=True, slots=True)
class ListAnswer:
    """One page of a listing."""

    rows: Sequence[StateRow]
    next_token: str
    total: int
    position: Position


def list_dags(
    snapshot: Snapshot,
    request: ListRequest,
    page: Page,
    min_position: Position | None = None,
) -> ListAnswer:
    """Read a page. The first page fixes the revision; its token carries it to the others.

    Raises:
        InvalidArgument: a filter, an order or a token that makes no sense.
        RevisionOutOfRange: the revision of the listing was pruned meanwhile, or never was.

    """
    plan = plan_list(request, page)
    clock = snapshot.clock()
    check_position(clock, min_position)
    check_position(clock, plan.pinned, past=True)
    revision = plan.pinned.revision if plan.pinned else clock.revision
    rows = snapshot.page(ListQuery(request.filter, revision, plan.size + 1, plan.order, plan.after))
    total = snapshot.count(request.filter, revision) if plan.total is None else plan.total
    position = Position(clock.epoch, revision)
    token = ""
    if len(rows) > plan.size:
        last = rows[plan.size - 1]
        token = next_token(request, Cursor(last.state.key, last.revision), total, position)
    return ListAnswer(rows[: plan.size], token, total, position)


@dataclass(frozen=True, slots=True)
class ListPlan:
    """A page that was asked for, checked."""

    size: int
    order: ListOrder
    pinned: Position | None
    """The position that the listing is of; none: the present."""
    after: Cursor | None
    total: int | None
    """What the first page counted."""


def plan_list(request: ListRequest, page: Page) -> ListPlan:
    """Check what a List asks for.

    Raises:
        InvalidArgument: a filter, an order or a token that makes no sense.

    """
    size, order = check_page_size(page.size), _order(request.order_by)
    _check_filter(request.filter)
    token = read_token(request, page.token)
    if token is None:
        return ListPlan(size, order, request.at, None, None)
    pinned = Position(token["epoch"], token["revision"])
    after = Cursor(DagKey(*token["key"]), token["after"])
    return ListPlan(size, order, pinned, after, token["total"])


def next_token(request: ListRequest, last: Cursor, total: int, position: Position) -> str:
    """Make the token of the page that comes after a row."""
    return make_token(
        request,
        {
            "epoch": position.epoch,
            "revision": position.revision,
            "key": [last.key.namespace, last.key.dag_id],
            "after": last.revision,
            "total": total,
        },
    )


def _order(order_by: str) -> ListOrder:
    order = ORDERS.get(" ".join(order_by.split()))
    if order is None:
        known = ", ".join(repr(name) for name in ORDERS if name and not name.endswith(" asc"))
        raise InvalidArgument("order_by", f"{order_by[:80]!r} is not one of {known}")
    return order


def _check_filter(dag_filter: DagFilter) -> None:
    for name in ("tags_any", "tags_all", "owners", "operators", "schedule_kinds"):
        if (count := len(getattr(dag_filter, name))) > MAX_FILTER_VALUES:
            raise InvalidArgument(
                f"filter.{name}",
                f"{count} values, but {MAX_FILTER_VALUES} is the limit",
            )
    texts = [("dag_id_prefix", dag_filter.dag_id_prefix), ("text", dag_filter.text)]
    texts += [("bundle_name", dag_filter.bundle_name), ("file", dag_filter.file)]
    texts += [("tags_any", tag) for tag in dag_filter.tags_any]
    texts += [("tags_all", tag) for tag in dag_filter.tags_all]
    texts += [("owners", owner) for owner in dag_filter.owners]
    texts += [("operators", operator) for operator in dag_filter.operators]
    for name, text in texts:
        check_text(f"filter.{name}", text, 2_000)
    if dag_filter.changed_after_revision < 0:
        raise InvalidArgument("filter.changed_after_revision", "must not be negative")


@dataclass(frozen=True, slots=True)
class VersionsAnswer:
    """One page of a DAG's history."""

    versions: Sequence[Change]
    head_version: int
    next_token: str
    total: int
    position: Position


def list_versions(
    snapshot: Snapshot, key: DagKey, page: Page, min_position: Position | None = None
) -> VersionsAnswer:
    """Read a page of a DAG's versions, newest first.

    Raises:
        DagNotFound: there never was such a DAG.

    """
    size = check_page_size(page.size)
    clock = snapshot.clock()
    check_position(clock, min_position)
    token = read_token(key, page.token)
    head = snapshot.heads([key]).get(key)
    if head is None:
        raise DagNotFound(key)
    before = token["before"] if token else None
    rows = snapshot.versions(key, before=before, limit=size + 1)
    more = len(rows) > size
    return VersionsAnswer(
        versions=rows[:size],
        head_version=0 if head.state.deleted else head.state.version,
        next_token=make_token(key, {"before": rows[size - 1].state.version}) if more else "",
        total=snapshot.version_count(key),
        position=clock.position,
    )


@dataclass(frozen=True, slots=True)
class ParseErrorsAnswer:
    """One page of parse errors."""

    errors: Sequence[ParseError]
    next_token: str
    total: int


def list_parse_errors(
    snapshot: Snapshot, namespace: str | None, bundle_name: str, page: Page
) -> ParseErrorsAnswer:
    """Read a page of parse errors by namespace, bundle and file."""
    size = check_page_size(page.size)
    bundle = check_text("bundle_name", bundle_name, 250) or None
    request = (namespace, bundle)
    token = read_token(request, page.token)
    after = (token["namespace"], token["bundle"], token["file"]) if token else None
    rows = snapshot.parse_errors(namespace, bundle, after=after, limit=size + 1)
    next_token = ""
    if len(rows) > size:
        last = rows[size - 1]
        place = {
            "namespace": last.namespace,
            "bundle": last.bundle_name,
            "file": last.file,
        }
        next_token = make_token(request, place)
    return ParseErrorsAnswer(rows[:size], next_token, snapshot.parse_error_count(namespace, bundle))
