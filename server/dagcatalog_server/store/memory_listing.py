"""Listings by brute force: the reference for what the SQL stores answer from indexes."""

from collections.abc import Iterable, Sequence

from dagcatalog_server.catalog.model import Change, DagKey
from dagcatalog_server.catalog.query import (
    DagFilter,
    DeletedFilter,
    ListOrder,
    ListQuery,
    StateRow,
)
from dagcatalog_server.store.texts import ascii_lower


def listed(log: Iterable[Change], dag_filter: DagFilter, revision: int) -> list[Change]:
    """Give what a listing of that revision holds, in no order."""
    states: dict[DagKey, Change] = {}
    for change in log:
        if change.revision <= revision:
            states[change.key] = change
    return [change for change in states.values() if matches(dag_filter, change)]


def page_of(log: Iterable[Change], query: ListQuery) -> Sequence[StateRow]:
    """Give one page of a listing."""
    rows = listed(log, query.filter, query.revision)
    rows.sort(key=lambda row: row.key)
    match query.order:
        case ListOrder.DAG_ID_DESC:
            rows.reverse()
        case ListOrder.REVISION:
            rows.sort(key=lambda row: row.revision)
        case ListOrder.REVISION_DESC:
            rows.sort(key=lambda row: -row.revision)
    page = [row for row in rows if _is_after(query, row)][: query.limit]
    return [StateRow(row.revision, row.state) for row in page]


def matches(dag_filter: DagFilter, change: Change) -> bool:
    """Tell whether every condition holds."""
    return (
        _matches_columns(dag_filter, change)
        and _matches_lists(dag_filter, change)
        and _matches_text(dag_filter.text, change)
    )


def _matches_columns(wanted: DagFilter, change: Change) -> bool:
    state = change.state
    tombstones = {
        DeletedFilter.EXCLUDE: not state.deleted,
        DeletedFilter.INCLUDE: True,
        DeletedFilter.ONLY: state.deleted,
    }
    kind = state.projection.schedule.kind
    return (
        tombstones[wanted.deleted]
        and wanted.namespace in (None, state.key.namespace)
        and state.key.dag_id.startswith(wanted.dag_id_prefix)
        and wanted.bundle_name in ("", state.provenance.bundle_name)
        and wanted.file in ("", state.provenance.file)
        and (not wanted.schedule_kinds or kind in wanted.schedule_kinds)
        and change.revision > wanted.changed_after_revision
    )


def _matches_lists(wanted: DagFilter, change: Change) -> bool:
    projection = change.state.projection
    return (
        _any_of(wanted.tags_any, projection.tags)
        and set(wanted.tags_all) <= set(projection.tags)
        and _any_of(wanted.owners, projection.owners)
        and _any_of(wanted.operators, projection.operators)
    )


def _matches_text(text: str, change: Change) -> bool:
    projection = change.state.projection
    searched = (change.key.dag_id, projection.display_name, projection.description)
    return any(ascii_lower(text) in ascii_lower(each) for each in searched)


def _any_of(wanted: Sequence[str], held: Sequence[str]) -> bool:
    return not wanted or not set(wanted).isdisjoint(held)


def _is_after(query: ListQuery, row: Change) -> bool:
    if query.after is None:
        return True
    key, seen = row.key, query.after
    match query.order:
        case ListOrder.DAG_ID:
            return key > seen.key
        case ListOrder.DAG_ID_DESC:
            return key < seen.key
        case ListOrder.REVISION:
            return (row.revision, key) > (seen.revision, seen.key)
        case ListOrder.REVISION_DESC:
            return (-row.revision, key) > (-seen.revision, seen.key)
