"""The difference of two documents, in the words of a DAG and value by value."""

import json
from typing import Any

import pytest

from dagcatalog_server.catalog.difference import (
    MAX_FIELDS,
    MAX_VALUE_CHARACTERS,
    Difference,
    DifferenceKind,
    EdgeDifference,
    FieldDifference,
    compare,
)
from dagcatalog_server.catalog.model import ChangeClass

ADDED, REMOVED, CHANGED = DifferenceKind.ADDED, DifferenceKind.REMOVED, DifferenceKind.CHANGED


def task(task_id: str, *downstream: str, **fields: object) -> dict[str, Any]:
    inner = {"task_id": task_id, "downstream_task_ids": list(downstream), **fields}
    return {"__type": "operator", "__var": inner}


def document(*tasks: dict[str, Any], **fields: object) -> bytes:
    dag = {"dag_id": "etl", "tasks": list(tasks), **fields}
    return json.dumps({"__version": 3, "dag": dag}).encode()


def test_a_document_does_not_differ_from_itself() -> None:
    same = document(task("a", "b"), task("b"), tags=["x"])

    found = compare(same, same)

    assert found == Difference((), (), (), (), (), (), truncated=False)


def test_tasks_are_matched_by_their_ids_not_by_their_places() -> None:
    found = compare(document(task("a"), task("b")), document(task("b"), task("a")))

    assert found.tasks == ()
    assert found.fields == ()


def test_tasks_are_added_removed_and_changed() -> None:
    found = compare(
        document(task("kept", retries=1), task("gone")),
        document(task("new"), task("kept", retries=2)),
    )

    assert [(one.kind, one.task_id) for one in found.tasks] == [
        (REMOVED, "gone"),
        (CHANGED, "kept"),
        (ADDED, "new"),
    ]
    assert found.tasks[1].fields == (FieldDifference(CHANGED, "retries", "1", "2"),)
    assert found.classes == (ChangeClass.STRUCTURE,)


def test_edges_are_added_and_removed() -> None:
    found = compare(document(task("a", "b"), task("b")), document(task("a"), task("b", "a")))

    assert found.edges == (EdgeDifference(REMOVED, "a", "b"), EdgeDifference(ADDED, "b", "a"))


def test_schedule_and_metadata_are_told_apart() -> None:
    found = compare(
        document(catchup=False, tags=["x"]), document(catchup=True, tags=["x", "y"], doc_md="new")
    )

    assert found.classes == (ChangeClass.SCHEDULE, ChangeClass.METADATA)
    assert found.schedule == (FieldDifference(CHANGED, "dag.catchup", "false", "true"),)
    assert found.metadata == (
        FieldDifference(ADDED, "dag.doc_md", "", '"new"'),
        FieldDifference(ADDED, "dag.tags[1]", "", '"y"'),
    )


@pytest.mark.parametrize(("old", "new"), [(1, 1.0), (1, True), (0, False), (2**70, 2**70 + 1)])
def test_values_of_another_kind_differ(old: object, new: object) -> None:
    found = compare(document(value=old), document(value=new))

    assert [one.path for one in found.fields] == ["dag.value"]


def test_a_path_into_a_task_names_its_place_in_the_newer_document() -> None:
    found = compare(document(task("a", retries=1)), document(task("new"), task("a", retries=2)))

    assert "dag.tasks[1].__var.retries" in {one.path for one in found.fields}


def test_long_values_and_long_lists_are_cut() -> None:
    found = compare(
        document(text="a", many=list(range(MAX_FIELDS + 5))),
        document(text="b" * 10_000, many=[-1] * (MAX_FIELDS + 5)),
    )

    assert found.truncated
    assert len(found.fields) == MAX_FIELDS
    whole = compare(document(text="a"), document(text="b" * 10_000)).fields[0]
    assert len(whole.new_json) == MAX_VALUE_CHARACTERS + 1


@pytest.mark.parametrize("tasks", [None, {}, "text", [1, None, {"__var": 3}, {"no": "id"}]])
def test_odd_tasks_are_compared_as_values(tasks: object) -> None:
    odd = json.dumps({"dag": {"dag_id": "etl", "tasks": tasks}}).encode()

    assert compare(odd, document()).fields or tasks == []
    assert compare(odd, odd).fields == ()
