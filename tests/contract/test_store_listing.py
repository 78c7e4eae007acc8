"""Listings: every order and filter, paged, at the present and in the past, against brute force."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import product

import pytest

from dagcatalog_server.catalog.model import (
    Change,
    DagState,
    Projection,
    Provenance,
    Schedule,
    ScheduleKind,
)
from dagcatalog_server.catalog.ports import Snapshot, Store
from dagcatalog_server.catalog.query import (
    Cursor,
    DagFilter,
    DeletedFilter,
    ListOrder,
    ListQuery,
    StateRow,
)
from tests.support.stored import commit, key, state

AWKWARD = (
    "a",
    "A",
    "a%",
    "a_b",
    "aXb",
    "é",
    "É",
    "e\u0301",
    "🌙",
    "\ufb01",  # after the surrogates' range in UTF-16, before 🌙 by code point
    "z'quote\"",
    "back\\slash",
    "[a-z]*",
    "tab\tand\x1fseparator\x1b",
)
LISTS = ((), ("pii",), ("pii", "finance"), ("PII",), ("pi", "i"), ("",), ("\x1f", "a\x1fb"))


def _dag(number: int, name: str, *, namespace: str = "default", version: int = 1) -> DagState:
    """Make a DAG whose columns differ from its neighbours' in periods that share no factor."""
    texts = LISTS[number % len(LISTS)]
    kinds = (ScheduleKind.NONE, ScheduleKind.CRON, ScheduleKind.ASSET)
    projection = Projection(
        display_name=("Straße", "", "100% Ünder_score")[number % 3],
        description=("nothing", "KELVIN \u212a", "back\\slash %_")[(number + version) % 3],
        tags=texts,
        owners=LISTS[(number + 2) % len(LISTS)],
        operators=LISTS[(number + 4) % len(LISTS)],
        schedule=Schedule(kinds[number % 3]),
    )
    provenance = Provenance(("bundle", "Bundle")[number % 2], "", ("a.py", "b.py", "")[number % 3])
    dag = state(key(name, namespace), version=version, projection=projection)
    return replace(dag, provenance=provenance)


@pytest.fixture
def log(store: Store) -> Sequence[Change]:
    """Write a history of creations, versions, deletions and returns; give its log."""
    commit(store, *(_dag(number, name) for number, name in enumerate(AWKWARD)))
    commit(store, *(_dag(number, f"dag_{number:02}") for number in range(20)))
    commit(store, *(_dag(n, f"dag_{n:02}", namespace="other") for n in range(5)))
    commit(store, *(_dag(n, f"dag_{n:02}", version=2) for n in range(0, 20, 3)))
    for number in range(0, 20, 4):
        commit(store, replace(_dag(number, f"dag_{number:02}"), deleted=True))
    commit(store, _dag(4, "dag_04", version=3), _dag(5, "dag_05", version=3), _dag(5, "dag_05"))
    with store.read() as snapshot:
        return snapshot.changes(after=0, limit=10_000)


@pytest.mark.parametrize("order", list(ListOrder), ids=lambda order: order.name)
def test_pages_join_to_the_whole_listing_of_any_revision(
    store: Store, log: Sequence[Change], order: ListOrder
) -> None:
    newest = log[-1].revision
    filters = [DagFilter(namespace=name) for name in ("default", "other", "absent", None)]
    filters += [replace(each, deleted=DeletedFilter.INCLUDE) for each in filters]
    filters.append(DagFilter(namespace="default", deleted=DeletedFilter.ONLY))
    with store.read() as snapshot:
        for dag_filter, revision in product(filters, (0, 1, 3, newest - 2, newest)):
            expected = _listed(log, dag_filter, revision, order)
            for page_size in (1000, 4):
                query = ListQuery(dag_filter, revision, page_size, order)
                assert _names(_paged(snapshot, query)) == _names(expected), query
            assert snapshot.count(dag_filter, revision) == len(expected)


def test_a_row_has_the_whole_state_and_its_revision(store: Store, log: Sequence[Change]) -> None:
    newest = log[-1].revision
    with store.read() as snapshot:
        rows = snapshot.page(ListQuery(DagFilter(), newest, 1000))
    assert rows == _listed(log, DagFilter(), newest, ListOrder.DAG_ID)


def test_a_pinned_listing_does_not_change_while_writers_go_on(store: Store) -> None:
    commit(store, *(state(key(f"dag_{number}")) for number in range(9)))
    query = ListQuery(DagFilter(namespace="default"), 1, 4)
    with store.read() as snapshot:
        first = list(snapshot.page(query))
    commit(store, *(state(key(f"dag_{number}"), version=2) for number in range(0, 9, 2)))
    commit(store, state(key("dag_5"), deleted=True), state(key("dag_5a")))
    with store.read() as snapshot:
        rest = _paged(snapshot, replace(query, after=_cursor(first[-1])))
        assert snapshot.count(query.filter, 1) == 9
    assert [(row.state.key.dag_id, row.state.version) for row in [*first, *rest]] == [
        (f"dag_{number}", 1) for number in range(9)
    ]


Condition = Callable[[DagState], bool]

TEXT_CASES: dict[str, Condition] = {
    "DAG_1": lambda dag: "dag_1" in dag.key.dag_id,
    "straße": lambda dag: dag.projection.display_name == "Straße",
    "STRASSE": lambda dag: False,
    "%": lambda dag: "%" in _searched(dag),
    "_": lambda dag: "_" in _searched(dag),
    "\\": lambda dag: "\\" in _searched(dag),
    "ü": lambda dag: False,
    "Ü": lambda dag: "Ü" in _searched(dag),
    "é": lambda dag: "é" in _searched(dag),
    "kelvin \u212a": lambda dag: "KELVIN" in dag.projection.description,
    "kelvin k": lambda dag: False,
    "🌙": lambda dag: dag.key.dag_id == "🌙",
    "\x1f": lambda dag: "\x1f" in dag.key.dag_id,
    "'": lambda dag: "'" in dag.key.dag_id,
}


def test_text_is_found_in_either_case_of_ascii_letters_only(
    store: Store, log: Sequence[Change]
) -> None:
    for text, condition in TEXT_CASES.items():
        _assert_filters(store, log, DagFilter(text=text), condition)


def test_a_prefix_is_exact(store: Store, log: Sequence[Change]) -> None:
    for prefix in ("a", "A", "a%", "a_", "é", "e", "🌙", "dag_1", "DAG", "[", "\\"):
        condition = partial(_begins_with, prefix)
        _assert_filters(store, log, DagFilter(dag_id_prefix=prefix), condition)


def test_a_prefix_may_end_at_the_edge_of_unicode(store: Store) -> None:
    prefixes = ("a\U0010ffff", "\U0010ffff", "\ud7ff")
    endings = ("", "a", "\U0010ffff")
    names = {f"{prefix}{ending}" for prefix in prefixes for ending in endings}
    names |= {"a", "b", "\ue000"}
    commit(store, *(state(key(name)) for name in names))
    with store.read() as snapshot:
        for prefix in prefixes:
            rows = snapshot.page(ListQuery(DagFilter(dag_id_prefix=prefix), 1, 100))
            expected = sorted(name for name in names if name.startswith(prefix))
            assert [row.state.key.dag_id for row in rows] == expected


def test_lists_are_filtered_by_whole_texts(store: Store, log: Sequence[Change]) -> None:
    for wanted in ("pii", "PII", "pi", "i", "", "\x1f", "a\x1fb", "a", "%", "finance"):
        one = (wanted,)
        for dag_filter, field in (
            (DagFilter(tags_any=one), "tags"),
            (DagFilter(tags_all=one), "tags"),
            (DagFilter(owners=one), "owners"),
            (DagFilter(operators=one), "operators"),
        ):
            _assert_filters(store, log, dag_filter, partial(_has, field, wanted))


def test_several_texts_are_any_of_them_or_all_of_them(store: Store, log: Sequence[Change]) -> None:
    both = ("pii", "finance")
    _assert_filters(
        store,
        log,
        DagFilter(tags_any=(*both, "")),
        lambda d: {*both, ""} & {*d.projection.tags} != set(),
    )
    _assert_filters(store, log, DagFilter(tags_all=both), lambda d: {*both} <= {*d.projection.tags})
    _assert_filters(
        store,
        log,
        DagFilter(tags_all=("pii",), tags_any=("finance", "absent")),
        lambda d: {*both} <= {*d.projection.tags},
    )


def test_columns_are_filtered_exactly(store: Store, log: Sequence[Change]) -> None:
    _assert_filters(
        store, log, DagFilter(bundle_name="bundle"), lambda d: d.provenance.bundle_name == "bundle"
    )
    _assert_filters(store, log, DagFilter(file="a.py"), lambda d: d.provenance.file == "a.py")
    _assert_filters(
        store,
        log,
        DagFilter(namespace="default", bundle_name="Bundle", file="b.py"),
        lambda d: (d.key.namespace, *_place(d)) == ("default", "Bundle", "b.py"),
    )
    kinds = (ScheduleKind.CRON, ScheduleKind.ASSET)
    _assert_filters(
        store,
        log,
        DagFilter(schedule_kinds=kinds),
        lambda d: d.projection.schedule.kind in kinds,
    )
    _assert_filters(store, log, DagFilter(bundle_name="BUNDLE"), lambda _: False)
    _assert_filters(store, log, DagFilter(file="%.py"), lambda _: False)


def test_changes_after_a_revision_are_listed(store: Store, log: Sequence[Change]) -> None:
    newest = log[-1].revision
    for after in (1, 3, newest - 1, newest, newest + 5):
        dag_filter = DagFilter(changed_after_revision=after, deleted=DeletedFilter.INCLUDE)
        expected = {
            row.state.key
            for row in _listed(
                log, DagFilter(deleted=DeletedFilter.INCLUDE), newest, ListOrder.DAG_ID
            )
            if row.revision > after
        }
        with store.read() as snapshot:
            found = snapshot.page(ListQuery(dag_filter, newest, 1000))
            assert {row.state.key for row in found} == expected
            assert snapshot.count(dag_filter, newest) == len(expected)


def _assert_filters(
    store: Store, log: Sequence[Change], dag_filter: DagFilter, condition: Condition
) -> None:
    """Test it beside others: orders, tombstones, past and present, pages."""
    newest = log[-1].revision
    beside = (
        (ListOrder.DAG_ID, DeletedFilter.EXCLUDE, newest),
        (ListOrder.DAG_ID_DESC, DeletedFilter.INCLUDE, 3),
        (ListOrder.REVISION, DeletedFilter.ONLY, newest),
        (ListOrder.REVISION_DESC, DeletedFilter.INCLUDE, newest),
    )
    with store.read() as snapshot:
        for order, deleted, revision in beside:
            wanted = replace(dag_filter, deleted=deleted)
            unfiltered = DagFilter(deleted=deleted)
            expected = [
                row for row in _listed(log, unfiltered, revision, order) if condition(row.state)
            ]
            found = _paged(snapshot, ListQuery(wanted, revision, 15, order))
            assert _names(found) == _names(expected), (wanted, order, revision)
            assert snapshot.count(wanted, revision) == len(expected)


def _listed(
    log: Sequence[Change], dag_filter: DagFilter, revision: int, order: ListOrder
) -> list[StateRow]:
    """List by brute force; of the filter, namespace and deleted only."""
    newest = {change.key: change for change in log if change.revision <= revision}
    rows = [
        StateRow(change.revision, change.state)
        for change in newest.values()
        if dag_filter.namespace in (None, change.key.namespace)
        and (dag_filter.deleted != DeletedFilter.EXCLUDE or not change.state.deleted)
        and (dag_filter.deleted != DeletedFilter.ONLY or change.state.deleted)
    ]
    rows.sort(key=lambda row: row.state.key, reverse=order == ListOrder.DAG_ID_DESC)
    if order in (ListOrder.REVISION, ListOrder.REVISION_DESC):
        sign = 1 if order == ListOrder.REVISION else -1
        rows.sort(key=lambda row: sign * row.revision)
    return rows


def _paged(snapshot: Snapshot, query: ListQuery) -> list[StateRow]:
    rows: list[StateRow] = []
    while True:
        page = snapshot.page(query)
        assert len(page) <= query.limit
        rows += page
        if len(page) < query.limit:
            return rows
        query = replace(query, after=_cursor(page[-1]))


def _cursor(row: StateRow) -> Cursor:
    return Cursor(row.state.key, row.revision)


def _names(rows: Sequence[StateRow]) -> list[tuple[str, str, int, int]]:
    keys = [(row.state.key, row.revision, row.state.version) for row in rows]
    return [(key.namespace, key.dag_id, revision, version) for key, revision, version in keys]


def _searched(dag: DagState) -> str:
    return "\n".join((dag.key.dag_id, dag.projection.display_name, dag.projection.description))


def _place(dag: DagState) -> tuple[str, str]:
    return (dag.provenance.bundle_name, dag.provenance.file)


def _begins_with(prefix: str, dag: DagState) -> bool:
    return dag.key.dag_id.startswith(prefix)


def _has(field: str, text: str, dag: DagState) -> bool:
    return text in getattr(dag.projection, field)
