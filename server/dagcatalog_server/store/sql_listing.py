"""Queries of listings: one page by keyset, or the count.

A listing of revision R is the heads that are no newer, and the superseded rows that R falls into.
The first part walks a partial index of heads in the order asked for and stops when the page is
full; the second is small when R is near, and empty when R is the present.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Index,
    Select,
    and_,
    false,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.sql.selectable import FromClause

from dagcatalog_server.catalog.query import (
    DagFilter,
    DeletedFilter,
    ListOrder,
    ListQuery,
)
from dagcatalog_server.store.sql_dialect import SqlDialect
from dagcatalog_server.store.sql_tables import (
    HEAD,
    IS_HEAD,
    IS_SUPERSEDED,
    LIVE,
    OF_FILE,
    RECENT,
    SUPERSEDED,
    change,
)
from dagcatalog_server.store.texts import after_prefix, ascii_lower, packed_text

_BY_REVISION = (ListOrder.REVISION, ListOrder.REVISION_DESC)


def page_select(query: ListQuery, dialect: SqlDialect) -> Select[Any]:
    """Select one page: rows with every column of `change`."""
    holds = [*_conditions(query.filter, dialect), *_after(query)]
    places = select(change.c.revision, change.c.ordinal, change.c.namespace, change.c.dag_id)
    heads = _heads(places, query.filter, query.revision, query.order)
    superseded = _superseded(places, query.revision)
    # Each part is sorted and cut before they are joined: the first one by walking its index. Only
    # places are sorted and joined; whole rows are read for the page alone.
    parts = [
        select(
            part.where(*holds).order_by(*_order(change, query.order)).limit(query.limit).subquery()
        )
        for part in (heads, superseded)
    ]
    both = union_all(*parts).subquery()
    page = select(both).order_by(*_order(both, query.order)).limit(query.limit).subquery()
    is_on_page = and_(change.c.revision == page.c.revision, change.c.ordinal == page.c.ordinal)
    return select(change).join(page, is_on_page).order_by(*_order(page, query.order))


def count_select(dag_filter: DagFilter, revision: int, dialect: SqlDialect) -> Select[Any]:
    """Count what a listing holds."""
    holds = _conditions(dag_filter, dialect)
    counted = select(func.count()).select_from(change)
    heads = _heads(counted, dag_filter, revision, ListOrder.DAG_ID)
    superseded = _superseded(counted, revision)
    return select(
        heads.where(*holds).scalar_subquery() + superseded.where(*holds).scalar_subquery()
    )


def _heads(
    selected: Select[Any], dag_filter: DagFilter, revision: int, order: ListOrder
) -> Select[Any]:
    index = _head_index(dag_filter, order)
    return _using(selected, index).where(IS_HEAD, change.c.revision <= revision)


def _superseded(selected: Select[Any], revision: int) -> Select[Any]:
    return _using(selected, SUPERSEDED).where(
        IS_SUPERSEDED,
        change.c.until_revision > revision,
        change.c.revision <= revision,
    )


def _using(selected: Select[Any], index: Index) -> Select[Any]:
    """Name the index to SQLite, which has no statistics and would guess another."""
    return selected.with_hint(change, f"INDEXED BY {index.name}", "sqlite")


def _head_index(dag_filter: DagFilter, order: ListOrder) -> Index:
    if dag_filter.namespace and dag_filter.bundle_name and dag_filter.file:
        return OF_FILE
    if order in _BY_REVISION:
        return RECENT
    return HEAD if dag_filter.deleted == DeletedFilter.INCLUDE else LIVE


def _order(rows: FromClause, order: ListOrder) -> list[Any]:
    c = rows.c
    match order:
        case ListOrder.DAG_ID:
            return [c.namespace, c.dag_id]
        case ListOrder.DAG_ID_DESC:
            return [c.namespace.desc(), c.dag_id.desc()]
        case ListOrder.REVISION:
            return [c.revision, c.namespace, c.dag_id]
        case ListOrder.REVISION_DESC:
            return [c.revision.desc(), c.namespace, c.dag_id]


def _after(query: ListQuery) -> Iterator[ColumnElement[bool]]:
    """Conditions on rows that come after the cursor."""
    if query.after is None:
        return
    namespace, dag_id, revision = change.c.namespace, change.c.dag_id, change.c.revision
    seen = query.after
    key = tuple_(namespace, dag_id)
    seen_key = tuple_(
        literal(seen.key.namespace, namespace.type), literal(seen.key.dag_id, dag_id.type)
    )
    # Of one namespace, dag_id alone is compared: SQLite cannot seek by a pair whose first half is
    # already pinned by an equation.
    one_namespace = query.filter.namespace == seen.key.namespace
    match query.order:
        case ListOrder.DAG_ID:
            yield dag_id > seen.key.dag_id if one_namespace else key > seen_key
        case ListOrder.DAG_ID_DESC:
            yield dag_id < seen.key.dag_id if one_namespace else key < seen_key
        case ListOrder.REVISION:
            yield revision >= seen.revision  # says nothing new, but can be sought in the index
            yield or_(revision > seen.revision, key > seen_key)
        case ListOrder.REVISION_DESC:
            yield revision <= seen.revision
            yield or_(revision < seen.revision, key > seen_key)


def _conditions(dag_filter: DagFilter, dialect: SqlDialect) -> list[ColumnElement[bool]]:
    return [
        *_plain_conditions(dag_filter),
        *_prefix_conditions(dag_filter.dag_id_prefix),
        *_list_conditions(dag_filter, dialect),
        *_text_conditions(dag_filter.text, dialect),
    ]


def _plain_conditions(dag_filter: DagFilter) -> Iterator[ColumnElement[bool]]:
    if dag_filter.deleted != DeletedFilter.INCLUDE:
        only = dag_filter.deleted == DeletedFilter.ONLY
        yield change.c.deleted == (true() if only else false())
    if dag_filter.namespace is not None:
        yield change.c.namespace == dag_filter.namespace
    if dag_filter.bundle_name:
        yield change.c.bundle_name == dag_filter.bundle_name
    if dag_filter.file:
        yield change.c.file == dag_filter.file
    if dag_filter.schedule_kinds:
        yield change.c.schedule_kind.in_([int(k) for k in dag_filter.schedule_kinds])
    if dag_filter.changed_after_revision:
        yield change.c.revision > dag_filter.changed_after_revision


def _prefix_conditions(prefix: str) -> Iterator[ColumnElement[bool]]:
    """A range: exact, case-sensitive, found in the index, and without wildcards to escape."""
    if not prefix:
        return
    yield change.c.dag_id >= prefix
    beyond = after_prefix(prefix)
    if beyond is not None:
        yield change.c.dag_id < beyond


def _list_conditions(dag_filter: DagFilter, dialect: SqlDialect) -> Iterator[ColumnElement[bool]]:
    any_of = (
        (change.c.tags, dag_filter.tags_any),
        (change.c.owners, dag_filter.owners),
        (change.c.operators, dag_filter.operators),
    )
    for column, texts in any_of:
        if texts:
            yield or_(*(dialect.contains(column, packed_text(t)) for t in texts))
    if dag_filter.tags_all:
        tags = (packed_text(tag) for tag in dag_filter.tags_all)
        yield and_(*(dialect.contains(change.c.tags, tag) for tag in tags))


def _text_conditions(text: str, dialect: SqlDialect) -> Iterator[ColumnElement[bool]]:
    if not text:
        return
    searched = (change.c.dag_id, change.c.display_name, change.c.description)
    part = ascii_lower(text)
    yield or_(*(dialect.contains(func.lower(column), part) for column in searched))
