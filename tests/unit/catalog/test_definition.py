"""What makes another definition of a DAG, and what is only noise."""

import json
from collections.abc import Callable

import pytest

from dagcatalog_server.catalog.canonical import DocumentLimits, canonicalize
from dagcatalog_server.catalog.definition import changed_classes, hash_document
from dagcatalog_server.catalog.model import ChangeClass, DefinitionHashes
from tests.support.documents import Edit, Tree, as_bytes, edited, format_1, format_3, set_dag, task

STRUCTURE, SCHEDULE, METADATA = ChangeClass.STRUCTURE, ChangeClass.SCHEDULE, ChangeClass.METADATA


def hashes(tree: Tree) -> DefinitionHashes:
    return hash_document(canonicalize(as_bytes(tree), DocumentLimits()))


def same_definition(one: Tree, other: Tree) -> bool:
    return hashes(one).definition == hashes(other).definition


def reverse(*path: str | int) -> Edit:
    """Reverse the list at a path; it must have an order to reverse."""

    def edit(tree: Tree) -> None:
        place: object = tree["dag"]
        for step in path:
            place = place[step]  # type: ignore[index] # a path into JSON
        assert isinstance(place, list)
        assert place != place[::-1]
        place.reverse()

    return edit


INNER = ("children", "outer", 1, "children", "outer.inner", 1)


@pytest.mark.parametrize(
    "noise",
    [
        set_dag(fileloc="/elsewhere/nightly.py"),
        set_dag(relative_fileloc="moved/nightly.py"),
        set_dag(_processor_dags_folder="/opt/bundles/2"),
        reverse("tags"),
        reverse("tasks"),
        reverse("tasks", 0, "__var", "downstream_task_ids"),
        reverse("dag_dependencies"),
        reverse("task_group", "upstream_group_ids"),
        reverse("task_group", "children", "outer", 1, "downstream_group_ids"),
        reverse("task_group", *INNER, "upstream_task_ids"),
        reverse("task_group", *INNER, "downstream_task_ids"),
    ],
)
def test_place_and_the_order_of_sets_do_not_define_a_dag(noise: Edit) -> None:
    changed = edited(format_3(), noise)
    assert changed != format_3()
    assert same_definition(changed, format_3())
    assert hashes(changed).content != hashes(format_3()).content


@pytest.mark.parametrize(
    "noise",
    [
        set_dag(fileloc="/elsewhere/nightly.py"),
        reverse("tasks"),
        reverse("tasks", 0, "_downstream_task_ids"),
        reverse("tasks", 0, "downstream_task_ids"),
        reverse("tags", "__var"),
        reverse("_task_group", "upstream_group_ids"),
        reverse("_task_group", "children", "inner", 1, "upstream_task_ids"),
    ],
)
def test_the_same_holds_for_the_oldest_format(noise: Edit) -> None:
    assert same_definition(edited(format_1(), noise), format_1())


def test_a_group_inside_a_group_in_an_older_form_is_a_set_too() -> None:
    """As an object, not as a pair of kind and object."""
    one, other = (
        edited(format_1(), lambda tree, ids=ids: _put_child(tree, ids))  # type: ignore[misc] # binds
        for ids in (["p", "q"], ["q", "p"])
    )
    assert one != other
    assert same_definition(one, other)


def _put_child(tree: Tree, ids: list[str]) -> None:
    tree["dag"]["_task_group"]["children"]["inner"] = {"upstream_task_ids": ids, "children": {}}


@pytest.mark.parametrize(
    ("edit", "classes"),
    [
        (reverse("tasks", 0, "__var", "op_args"), (STRUCTURE,)),
        (lambda tree: tree["dag"]["tasks"][1]["__var"].update(retries=4), (STRUCTURE,)),
        (lambda tree: tree["dag"]["tasks"].append(task("new")), (STRUCTURE,)),
        (lambda tree: tree["dag"]["tasks"].pop(), (STRUCTURE,)),
        (
            lambda tree: tree["dag"]["tasks"][0]["__var"]["downstream_task_ids"].pop(),
            (STRUCTURE,),
        ),
        (
            lambda tree: tree["dag"]["task_group"]["children"].update(new=["operator", "new"]),
            (STRUCTURE,),
        ),
        (set_dag(edge_info={"x": {"load": {"label": "yes"}}}), (STRUCTURE,)),
        (
            lambda tree: tree["dag"]["timetable"]["__var"].update(expression="0 4 * * *"),
            (SCHEDULE,),
        ),
        (set_dag(catchup=True), (SCHEDULE,)),
        (set_dag(start_date=1609459201.0), (SCHEDULE,)),
        (set_dag(end_date=1709459201.0), (SCHEDULE,)),
        (set_dag(max_active_runs=1), (SCHEDULE,)),
        (set_dag(timezone="Europe/Paris"), (SCHEDULE,)),
        (set_dag(tags=["finance"]), (METADATA,)),
        (set_dag(description="new"), (METADATA,)),
        (set_dag(doc_md="new"), (METADATA,)),
        (set_dag(params=[["a", 1], ["b", 2]]), (METADATA,)),
        (lambda tree: tree["dag"]["dag_dependencies"].pop(), (METADATA,)),
        (lambda tree: tree["dag"]["default_args"]["__var"].update(retries=3), (METADATA,)),
        (lambda tree: tree.update(__version=4), (METADATA,)),
        (lambda tree: tree.update(client_defaults={"tasks": {"retries": 1}}), (METADATA,)),
        (
            lambda tree: (tree["dag"].update(catchup=True), tree["dag"]["tasks"].pop()),
            (STRUCTURE, SCHEDULE),
        ),
        (
            lambda tree: (tree["dag"].update(tags=["new"]), tree["dag"]["tasks"].pop()),
            (STRUCTURE, METADATA),
        ),
        (set_dag(catchup=True, doc_md="new"), (SCHEDULE, METADATA)),
    ],
)
def test_a_change_of_meaning_is_told_by_its_class(
    edit: Edit, classes: tuple[ChangeClass, ...]
) -> None:
    before, after = hashes(format_3()), hashes(edited(format_3(), edit))
    assert before.definition != after.definition
    assert changed_classes(before, after) == classes


def test_an_old_schedule_interval_is_a_schedule() -> None:
    before, after = (
        hashes(format_1()),
        hashes(edited(format_1(), set_dag(schedule_interval="@hourly"))),
    )
    assert changed_classes(before, after) == (SCHEDULE,)


@pytest.mark.parametrize(
    "text",
    [
        "<function fetch at {}>",
        "<function <lambda> at {}>",
        "<bound method A.b of <mod.A object at {}>>",
        'quote " <A object at {}> and <B object at {}>',
    ],
)
def test_a_memory_address_in_a_repr_does_not_define_a_dag(text: str) -> None:
    def with_address(address: str) -> Tree:
        shown = text.format(address, address)
        return edited(
            format_3(),
            lambda tree: (
                tree["dag"].update(doc_md=shown, end_date=shown),
                tree["dag"]["tasks"][0]["__var"].update(python_callable=shown),
            ),
        )

    one, other = with_address("0x7f3a5c2d1e40"), with_address("0x10ABCDEF")
    assert one != other
    assert same_definition(one, other)
    assert not same_definition(one, format_3())


@pytest.mark.parametrize("text", ["at 0x7f3a5c2d1e4{}", "<A at 0x1{}>", "<A at 0x1234567{} now>"])
def test_a_number_that_is_no_address_does(text: str) -> None:
    one, other = (edited(format_3(), set_dag(doc_md=text.format(digit))) for digit in ("1", "2"))
    assert not same_definition(one, other)


def test_edges_are_a_set_however_their_keys_were_ordered() -> None:
    """The same document, sent canonical and not: one definition."""
    edges = [{"a": 2, "b": 1}, {"a": 1, "b": 2}]
    tree = edited(format_3(), set_dag(dag_dependencies=edges))
    swapped = edited(format_3(), set_dag(dag_dependencies=[{"b": 1, "a": 2}, {"b": 2, "a": 1}]))
    raw = json.dumps(swapped).encode()
    assert canonicalize(raw, DocumentLimits()).raw == as_bytes(tree)
    assert hash_document(canonicalize(raw, DocumentLimits())) == hashes(tree)


def test_a_set_that_airflow_could_not_sort_is_a_set() -> None:
    """Sets of tuples are written in the order of the hash seed: another in each process."""

    def with_set(*entries: object) -> Tree:
        encoded = {"__type": "set", "__var": list(entries)}
        return edited(
            format_3(),
            lambda tree: tree["dag"]["tasks"][0]["__var"].update(op_kwargs={"wanted": encoded}),
        )

    pair: Callable[[str], Tree] = lambda text: {"__type": "tuple", "__var": [text, 1]}  # noqa: E731 - short
    inner = {"__type": "set", "__var": [2, 1]}
    turned = {"__type": "set", "__var": [1, 2]}
    assert same_definition(
        with_set(pair("a"), pair("b"), inner), with_set(turned, pair("b"), pair("a"))
    )
    assert not same_definition(with_set(pair("a")), with_set(pair("b")))
    object_at = "<A object at 0x7f3a5c2d1e{}>".format
    one, other = (
        with_set([object_at(11), 1], [object_at(22), 2]),
        with_set([object_at(88), 2], [object_at(99), 1]),
    )
    assert same_definition(one, other)


def test_a_list_that_only_looks_like_a_set_keeps_its_order() -> None:
    one, other = (
        edited(
            format_3(),
            lambda tree, values=values: tree["dag"]["tasks"][0]["__var"].update(  # type: ignore[misc] # binds
                a={"__type": "tuple", "__var": values}, b='{"__type":"set"}'
            ),
        )
        for values in (["p", "q"], ["q", "p"])
    )
    assert not same_definition(one, other)


def test_numbers_that_orjson_writes_otherwise_hash_the_same_either_way() -> None:
    """A document with one odd number takes the other writer, for every part of it."""
    one = edited(format_3(), set_dag(doc_md="x", odd=1e-7))
    other = edited(one, reverse("tags"))
    assert same_definition(one, other)
    assert not same_definition(one, edited(one, set_dag(odd=2e-7)))


def test_integers_and_floats_are_different_definitions() -> None:
    one, other = (edited(format_3(), set_dag(extra=value)) for value in (1, 1.0))
    assert not same_definition(one, other)


def test_placement_is_hashed_apart() -> None:
    moved = edited(format_3(), set_dag(fileloc="/elsewhere/nightly.py"))
    assert hashes(moved).placement != hashes(format_3()).placement
    tagged = edited(format_3(), set_dag(tags=[]))
    assert hashes(tagged).placement == hashes(format_3()).placement


@pytest.mark.parametrize(
    "dag",
    [
        {},
        {"tasks": None},
        {"tasks": {"a": 1}},
        {"tasks": [1, None, "x", [], {}, {"__var": 1}, {"__var": {"task_id": 7}}, {"task_id": []}]},
        {"tasks": [{"__var": {"downstream_task_ids": [1, "a", None]}}]},
        {"task_group": 1},
        {"task_group": {"children": []}},
        {"task_group": {"children": {"a": None, "b": [], "c": [1, 2, 3], "d": {"children": 1}}}},
        {"tags": {"__type": "set", "__var": 3}},
        {"tags": [1, "a"]},
        {"dag_dependencies": {"a": 1}},
        {"dag_dependencies": [1, None, [], {}, "x"]},
    ],
)
def test_odd_types_are_hashed_without_complaint(dag: Tree) -> None:
    tree = {"dag": dag}
    assert hashes(tree) == hashes(edited(tree, lambda _: None))
    assert not same_definition(tree, {"dag": {**dag, "odd": True}})


def test_a_document_as_deep_as_a_generous_limit_allows_is_hashed() -> None:
    """orjson stops at about 250 levels; a part is written one level deeper than it was."""
    limits = DocumentLimits(max_depth=500)
    for depth in (200, *range(250, 258), 499):
        deep = b"[" * depth + b"]" * depth
        raw = b'{"dag":{},"deep":%s}' % deep
        assert hash_document(canonicalize(raw, limits)).definition
