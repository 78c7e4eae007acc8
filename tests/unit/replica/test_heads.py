"""The live DAGs in memory: the newest word counts, whichever way it came."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from dagcatalog_server.catalog.model import DagKey
from dagcatalog_server.replica.heads import Head, HeadChange, Heads, Name
from tests.support.stored import key

NAMESPACES = ("a", "a-b", "b")
DAG_IDS = ("", "x", "x.y", "xy", "é", "\U0001f319", "\U0010ffff", "\U0010ffffx")


def head(name: Name, revision: int) -> Head:
    return Head(DagKey(*name), revision, f"content {revision}", "", 10, 0, f"{revision}".encode())


def live(dag_id: str, revision: int, namespace: str = "default") -> HeadChange:
    name = (namespace, dag_id)
    return HeadChange(name, revision, head(name, revision))


def gone(dag_id: str, revision: int) -> HeadChange:
    return HeadChange(("default", dag_id), revision, None)


def known(heads: Heads) -> dict[str, int]:
    return {one.key.dag_id: one.revision for one in heads.select(None, "")}


class TestOrder:
    def test_changes_are_taken_over_in_their_order(self) -> None:
        heads = Heads()
        heads.apply([live("a", 1), live("b", 1), live("a", 2), gone("b", 3), live("b", 4)])
        assert known(heads) == {"a": 2, "b": 4}
        heads.apply([gone("a", 5)])
        assert known(heads) == {"b": 4}
        assert heads.get(key("a")) is None
        assert len(heads) == 1

    def test_an_older_word_about_a_dag_changes_nothing(self) -> None:
        heads = Heads()
        heads.apply([live("a", 5)])
        newest = heads.get(key("a"))
        heads.apply([live("a", 4), gone("a", 3), live("a", 5)])
        assert heads.get(key("a")) is newest

    def test_what_was_deleted_while_loading_is_not_brought_back_by_a_late_page(self) -> None:
        heads = Heads()
        heads.apply([gone("a", 7)])
        heads.apply([live("a", 6), live("b", 6)])
        assert known(heads) == {"b": 6}
        heads.apply([live("a", 8)])
        assert known(heads) == {"a": 8, "b": 6}

    def test_they_are_complete_when_that_is_said_and_until_they_are_cleared(self) -> None:
        heads = Heads()
        heads.apply([live("a", 1)])
        assert not heads.is_complete()
        heads.finish()
        assert heads.is_complete()
        heads.apply([gone("a", 2), live("a", 3)])
        assert known(heads) == {"a": 3}
        heads.clear()
        assert not heads.is_complete()
        assert known(heads) == {}
        heads.apply([live("a", 1)])  # another history begins low
        assert known(heads) == {"a": 1}


class TestSelections:
    def selected(
        self, heads: Heads, namespaces: Sequence[str] | None, prefix: str = ""
    ) -> list[Name]:
        names = None if namespaces is None else frozenset(namespaces)
        return [one.name for one in heads.select(names, prefix)]

    def test_namespaces_and_a_prefix_choose_and_the_answer_is_sorted(self) -> None:
        heads = Heads()
        heads.apply([live(dag_id, 1, one) for one in ("b", "a-b", "a") for dag_id in ("xy", "x")])
        assert self.selected(heads, None) == [
            (one, dag_id) for one in ("a", "a-b", "b") for dag_id in ("x", "xy")
        ]
        assert self.selected(heads, ["b", "a"], "xy") == [("a", "xy"), ("b", "xy")]
        assert self.selected(heads, None, "xy") == [(one, "xy") for one in ("a", "a-b", "b")]
        assert self.selected(heads, []) == []
        assert self.selected(heads, ["absent"]) == []

    def test_a_selection_is_shared_until_the_next_change_and_does_not_change(self) -> None:
        heads = Heads()
        heads.apply([live("a", 1)])
        first = heads.select(frozenset({"default"}), "")
        assert heads.select(frozenset({"default"}), "") is first
        heads.apply([live("b", 2)])
        second = heads.select(frozenset({"default"}), "")
        assert [[one.key.dag_id for one in each] for each in (first, second)] == [["a"], ["a", "b"]]
        heads.clear()
        assert heads.select(frozenset({"default"}), "") == ()

    def test_ever_new_questions_do_not_fill_the_memory(self) -> None:
        heads = Heads()
        heads.apply([live("a", 1)])
        for number in range(10_000):
            heads.select(None, f"prefix {number}")
        assert len(heads._selected) < 100


names = st.tuples(st.sampled_from(NAMESPACES), st.sampled_from(DAG_IDS))


@st.composite
def changes(draw: st.DrawFn) -> HeadChange:
    name, revision = draw(names), draw(st.integers(0, 12))
    return HeadChange(name, revision, head(name, revision) if draw(st.booleans()) else None)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(changes(), max_size=6), max_size=8),
    st.none() | st.frozensets(st.sampled_from(NAMESPACES)),
    st.sampled_from(DAG_IDS),
)
def test_they_hold_what_a_plain_table_of_newest_words_holds(
    batches: list[list[HeadChange]], namespaces: frozenset[str] | None, prefix: str
) -> None:
    heads, table = Heads(), dict[Name, HeadChange]()
    for batch in batches:
        heads.apply(batch)
        for one in batch:
            if one.name not in table or one.revision > table[one.name].revision:
                table[one.name] = one
        expected = [one.head for _, one in sorted(table.items()) if one.head is not None]
        assert heads.select(None, "") == tuple(expected)
        assert heads.select(namespaces, prefix) == tuple(
            one
            for one in expected
            if one.key.dag_id.startswith(prefix)
            and (namespaces is None or one.key.namespace in namespaces)
        )
        assert len(heads) == len(expected)
        assert [heads.get(DagKey(*name)) for name in table] == [one.head for one in table.values()]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(changes(), max_size=20),
    st.none() | st.sampled_from(NAMESPACES),
    st.sampled_from(DAG_IDS),
    st.integers(1, 4),
)
def test_pages_together_are_the_selection(
    told: list[HeadChange], namespace: str | None, prefix: str, size: int
) -> None:
    heads = Heads()
    heads.apply(told)
    selected = heads.select(None if namespace is None else frozenset({namespace}), prefix)
    pages = [heads.page(namespace, prefix, after=None, size=size)]
    while not pages[-1].is_last:
        pages.append(heads.page(namespace, prefix, after=pages[-1].heads[-1].name, size=size))
    assert [one for page in pages for one in page.heads] == list(selected)
    assert {page.total for page in pages} == {len(selected)}
    assert all(len(page.heads) == size for page in pages[:-1])
