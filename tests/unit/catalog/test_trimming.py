"""Documents without what a consumer does not need."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagcatalog_server.catalog.canonical import DocumentLimits, canonicalize
from dagcatalog_server.catalog.trimming import Trim
from dagcatalog_server.config import Config
from tests.support.documents import Tree, as_bytes, format_1, format_3

FORMATS = pytest.mark.parametrize("make", [format_1, format_3])


def trimmed(tree: object, *exclude: str, include: tuple[str, ...] = ()) -> Tree:
    raw = Trim(include=include, exclude=exclude)(as_bytes(tree))
    read: Tree = json.loads(raw)
    assert raw == as_bytes(read)
    return read


def document(**dag: object) -> Tree:
    return {"__version": 3, "dag": {"dag_id": "a", "fileloc": "f", "tasks": [], **dag}}


def test_what_is_excluded_goes_and_nothing_else() -> None:
    tree = document(doc_md="x", other={"doc_md": "y"})
    assert trimmed(tree, "dag.doc_md") == document(other={"doc_md": "y"})


def test_a_path_leads_into_wrapped_objects_and_lists() -> None:
    tree = document(
        tasks=[{"__type": "operator", "__var": {"task_id": "t", "doc": "x"}}, {"doc": 1}]
    )
    assert trimmed(tree, "dag.tasks[].doc")["dag"]["tasks"] == [
        {"__type": "operator", "__var": {"task_id": "t"}},
        {},
    ]
    nested = document(rows=[[{"a": 1, "b": 2}], []])
    assert trimmed(nested, "dag.rows[][].a")["dag"]["rows"] == [[{"b": 2}], []]


def test_a_star_is_every_name() -> None:
    tree = document(edge_info={"a": {"b": {"label": 1, "x": 2}}})
    assert trimmed(tree, "dag.edge_info.*.*.label")["dag"]["edge_info"] == {"a": {"b": {"x": 2}}}


def test_names_that_a_field_beside_lists() -> None:
    task = {"template_fields": ["sql", "absent"], "sql": "select", "absence": 1}
    tree = document(tasks=[task, {"sql": "kept", "template_fields": 7}])
    paths = ("dag.tasks[].{template_fields}", "dag.tasks[].template_fields")
    assert trimmed(tree, *paths)["dag"]["tasks"] == [{"absence": 1}, {"sql": "kept"}]


def test_where_a_field_is_included_only_such_stay() -> None:
    tree = document(doc_md="x", params={"p": 1}, tags=["t"])
    paths = ("__version", "dag.dag_id", "dag.fileloc", "dag.tasks", "dag.params")
    left = {"dag_id": "a", "fileloc": "f", "tasks": [], "params": {"p": 1}}
    assert trimmed(tree, include=(*paths,))["dag"] == left
    del left["params"]
    assert trimmed(tree, "dag.params", include=(*paths,))["dag"] == left


def test_a_document_of_which_nothing_goes_is_the_same_bytes() -> None:
    raw = as_bytes(document(doc_md="x"))
    assert Trim(exclude=("dag.absent", "dag.tasks[].doc"))(raw) is raw


def test_numbers_and_texts_stay_as_they_were() -> None:
    raw = (
        '{"dag":{"a":123456789012345678901234567890,"b":1e+16,"c":"\\u0000é🌙",'
        '"dag_id":"a","doc_md":"x","fileloc":"f","tasks":[]}}'
    ).encode()
    assert canonicalize(raw, DocumentLimits()).raw == raw
    assert Trim(exclude=("dag.doc_md",))(raw) == raw.replace(b'"doc_md":"x",', b"")


@pytest.mark.parametrize(
    "path", ["", "dag.", "dag..doc", "dag.tasks[0]", "dag doc", "dag.{}", "[]", "dag.[]"]
)
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="is no path"):
        Trim(exclude=(path,))


@pytest.mark.parametrize(
    "how",
    [
        {"exclude": ("dag.dag_id",)},
        {"exclude": ("*",)},
        {"exclude": ("dag.tasks[].task_id",)},
        {"exclude": ("dag.*",)},
        {"include": ("dag.params",)},
        {"include": ("dag.tasks[].owner",)},
    ],
)
def test_what_would_leave_no_document_is_refused(how: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(ValueError, match="every document must have"):
        Trim(**how)


@FORMATS
@pytest.mark.parametrize("profile", ["webserver", "scheduler"])
def test_the_shipped_profiles_keep_the_structure(make: Callable[[], Tree], profile: str) -> None:
    fields = getattr(Config().profiles, profile)
    tree = make()
    left = trimmed(tree, *fields.exclude, include=fields.include)
    assert _edges(left) == _edges(tree)
    assert left["dag"].get("timetable") == tree["dag"].get("timetable")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["a", "b", "c", "__var"]), inner, max_size=3),
    max_leaves=15,
)  # fmt: skip


@given(JSON, st.lists(st.sampled_from(["dag.x.a", "dag.x.*.b", "dag.x[].a", "dag.x.{a}"])))
def test_trimming_twice_trims_once_and_only_takes_away(value: object, paths: list[str]) -> None:
    trim = Trim(exclude=paths)
    raw = canonicalize(as_bytes(document(x=value)), DocumentLimits()).raw
    once = trim(raw)
    assert canonicalize(once, DocumentLimits()).raw == once
    assert len(once) <= len(raw)
    if "dag.x.{a}" not in paths:
        assert trim(once) == once


def _edges(tree: Tree) -> list[object]:
    tasks = [task.get("__var", task) for task in tree["dag"]["tasks"]]
    return [
        (task["task_id"], task.get("downstream_task_ids", task.get("_downstream_task_ids")))
        for task in tasks
    ]
