"""Lists: pages of one revision while writes go on, filters that make no sense, versions."""

import pytest

from dagcatalog_server.catalog.catalog import Catalog
from dagcatalog_server.catalog.errors import (
    CatalogError,
    DagNotFound,
    InvalidArgument,
    RangeProblem,
    RevisionOutOfRange,
)
from dagcatalog_server.catalog.listing import ListAnswer, ListRequest, Page
from dagcatalog_server.catalog.model import DagKey, Position
from dagcatalog_server.catalog.query import DagFilter, DeletedFilter, ListQuery
from tests.support.writes import commit, delete, put, restore

A = DagKey("default", "a")
EVERYTHING = ListRequest(DagFilter())


def names(answer: ListAnswer) -> list[str]:
    return [row.state.key.dag_id for row in answer.rows]


def pages(
    catalog: Catalog, request: ListRequest, size: int, *, between: list[str] | None = None
) -> list[ListAnswer]:
    """Read all pages; after each, a DAG is put, deleted or changed."""
    found, token = [], ""
    for number in range(100):
        found.append(catalog.list(request, Page(size, token)))
        token = found[-1].next_token
        if not token:
            return found
        if between is not None:
            commit(catalog, put(f"{between[number % len(between)]}", tags=(str(number),)))
            commit(catalog, delete(f"d{number:02}"))
    raise AssertionError("pages without end")


@pytest.fixture
def ten(catalog: Catalog) -> list[str]:
    dag_ids = [f"d{number:02}" for number in range(10)]
    commit(catalog, *(put(dag_id) for dag_id in reversed(dag_ids)))
    return dag_ids


@pytest.mark.parametrize("size", [1, 3, 5, 9, 10, 11])
@pytest.mark.parametrize(
    ("order_by", "reverse"),
    [
        ("", False),
        ("dag_id", False),
        ("  dag_id   asc ", False),
        ("dag_id desc", True),
        ("revision", True),
        ("revision desc", False),
    ],
)
def test_pages_together_are_the_listing(
    catalog: Catalog, ten: list[str], size: int, order_by: str, reverse: bool
) -> None:
    found = pages(catalog, ListRequest(DagFilter(), order_by), size)
    assert [name for page in found for name in names(page)] == (ten[::-1] if reverse else ten)
    assert {page.total for page in found} == {10}
    assert all(len(page.rows) == size for page in found[:-1])


@pytest.mark.parametrize("order_by", ["dag_id", "dag_id desc", "revision", "revision desc"])
def test_pages_are_of_one_revision_while_writes_go_on(
    catalog: Catalog, ten: list[str], order_by: str
) -> None:
    request = ListRequest(DagFilter(), order_by)
    found = pages(catalog, request, 2, between=["a-new", "d09", "d05", "zz"])
    assert sorted(name for page in found for name in names(page)) == ten
    assert {page.position.revision for page in found} == {10}
    assert {page.total for page in found} == {10}
    assert catalog.clock().revision > 10
    assert all(not row.state.deleted for page in found for row in page.rows)
    assert all(row.state.version == 1 for page in found for row in page.rows)


def test_a_new_listing_sees_the_present(catalog: Catalog, ten: list[str]) -> None:
    commit(catalog, delete("d00"), put("new"))
    answer = catalog.list(EVERYTHING, Page())
    assert names(answer) == [*ten[1:], "new"]
    assert (answer.total, answer.position.revision, answer.next_token) == (10, 12, "")


def test_the_size_of_a_page_may_differ_from_page_to_page(catalog: Catalog, ten: list[str]) -> None:
    first = catalog.list(EVERYTHING, Page(4))
    rest = catalog.list(EVERYTHING, Page(100, first.next_token))
    assert names(first) + names(rest) == ten


def test_a_listing_of_the_past_is_as_it_was(catalog: Catalog, ten: list[str]) -> None:
    commit(catalog, delete("d00"), put("d01", tags=("x",)))
    epoch = catalog.clock().epoch
    for revision, count in ((0, 0), (3, 3), (10, 10), (11, 9)):
        request = ListRequest(DagFilter(), at=Position(epoch, revision))
        found = pages(catalog, request, 4)
        assert sum(len(page.rows) for page in found) == count
        assert {(page.total, page.position.revision) for page in found} == {(count, revision)}


def test_positions_that_cannot_be_listed_are_refused(catalog: Catalog, ten: list[str]) -> None:
    epoch = catalog.clock().epoch
    for position, problem in (
        (Position(epoch, 11), RangeProblem.FUTURE),
        (Position("other", 1), RangeProblem.OTHER_EPOCH),
    ):
        with pytest.raises(RevisionOutOfRange) as caught:
            catalog.list(ListRequest(DagFilter(), at=position), Page())
        assert caught.value.problem is problem
        with pytest.raises(RevisionOutOfRange):
            catalog.list(EVERYTHING, Page(), min_position=position)
    with pytest.raises(RevisionOutOfRange):
        catalog.page(ListQuery(DagFilter(), 11, 10))


def test_tombstones_are_listed_on_request(catalog: Catalog, ten: list[str]) -> None:
    commit(catalog, delete("d03"), delete("d04"), restore("d03"))

    def listed(deleted: DeletedFilter) -> list[str]:
        return names(catalog.list(ListRequest(DagFilter(deleted=deleted)), Page()))

    assert listed(DeletedFilter.ONLY) == ["d04"]
    assert listed(DeletedFilter.INCLUDE) == ten
    assert listed(DeletedFilter.EXCLUDE) == [one for one in ten if one != "d04"]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (ListRequest(DagFilter(), "version"), "order_by"),
        (ListRequest(DagFilter(), "dag_id descending"), "order_by"),
        (ListRequest(DagFilter(), "DAG_ID"), "order_by"),
        (ListRequest(DagFilter(changed_after_revision=-1)), "filter.changed_after_revision"),
        (ListRequest(DagFilter(tags_any=("x",) * 101)), "filter.tags_any"),
        (ListRequest(DagFilter(owners=("x",) * 101)), "filter.owners"),
        (ListRequest(DagFilter(dag_id_prefix="\0")), "filter.dag_id_prefix"),
        (ListRequest(DagFilter(text="\0")), "filter.text"),
        (ListRequest(DagFilter(bundle_name="\0")), "filter.bundle_name"),
        (ListRequest(DagFilter(file="\0")), "filter.file"),
        (ListRequest(DagFilter(tags_all=("ok", "\0"))), "filter.tags_all"),
        (ListRequest(DagFilter(owners=("\0",))), "filter.owners"),
        (ListRequest(DagFilter(operators=("\0",))), "filter.operators"),
        (ListRequest(DagFilter(text="x" * 2_001)), "filter.text"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    catalog: Catalog, request_: ListRequest, field: str
) -> None:
    with pytest.raises(CatalogError) as caught:
        catalog.list(request_, Page())
    assert caught.value.details()["field"] == field


def test_an_unknown_order_is_told_the_known_ones(catalog: Catalog) -> None:
    with pytest.raises(InvalidArgument, match="'dag_id', 'dag_id desc', 'revision', 'revision"):
        catalog.list(ListRequest(DagFilter(), "x" * 1_000), Page())


def test_a_token_is_for_its_own_listing(catalog: Catalog, ten: list[str]) -> None:
    token = catalog.list(EVERYTHING, Page(2)).next_token
    for other in (
        ListRequest(DagFilter(namespace="default")),
        ListRequest(DagFilter(), "dag_id desc"),
        ListRequest(DagFilter(), at=Position("", 3)),
    ):
        with pytest.raises(InvalidArgument):
            catalog.list(other, Page(2, token))
    with pytest.raises(InvalidArgument):
        catalog.list_versions(A, Page(2, token))


class TestVersions:
    def test_versions_come_newest_first_in_pages(self, catalog: Catalog) -> None:
        commit(catalog, *(put("a", tags=(str(number),)) for number in range(7)))
        found, token = [], ""
        while True:
            answer = catalog.list_versions(A, Page(3, token))
            assert (answer.head_version, answer.total) == (7, 7)
            found.append([one.state.version for one in answer.versions])
            token = answer.next_token
            if not token:
                break
        assert found == [[7, 6, 5], [4, 3, 2], [1]]

    def test_a_version_put_meanwhile_shifts_no_page(self, catalog: Catalog) -> None:
        commit(catalog, put("a"), put("a", tags=("x",)))
        first = catalog.list_versions(A, Page(1))
        commit(catalog, put("a", tags=("y",)))
        second = catalog.list_versions(A, Page(1, first.next_token))
        assert [one.state.version for one in second.versions] == [1]
        assert second.next_token == ""

    def test_a_deleted_dag_has_a_history_but_no_head(self, catalog: Catalog) -> None:
        commit(catalog, put("a"), put("a", tags=("x",)), delete("a"))
        answer = catalog.list_versions(A, Page())
        assert (answer.head_version, answer.total) == (0, 2)
        assert [one.state.deleted for one in answer.versions] == [False, False]
        assert answer.position == catalog.clock().position

    def test_a_refresh_is_no_version(self, catalog: Catalog) -> None:
        commit(catalog, put("a"), put("a", source="new"), delete("a"), restore("a"))
        [only] = catalog.list_versions(A, Page()).versions
        assert (only.state.version, only.revision, only.state.version_revision) == (1, 4, 1)

    def test_what_never_was_has_no_history(self, catalog: Catalog) -> None:
        with pytest.raises(DagNotFound):
            catalog.list_versions(A, Page())
