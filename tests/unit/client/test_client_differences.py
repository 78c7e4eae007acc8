"""How a difference is shown to people, where no real document leads there easily."""

import io
from typing import Any

from rich.console import Console

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_client import Difference, DifferenceKind, FieldDifference, TaskDifference
from dagcatalog_client.cli.differences import print_difference
from dagcatalog_client.convert import answers, differences

ADDED, REMOVED, CHANGED = DifferenceKind.ADDED, DifferenceKind.REMOVED, DifferenceKind.CHANGED


def test_an_answer_without_a_difference_has_none() -> None:
    assert answers.put_response(pb.PutResponse()).difference is None
    empty = answers.put_response(pb.PutResponse(difference=pb.Difference())).difference
    assert empty is not None
    assert empty.empty


def test_a_kind_that_only_a_newer_catalog_knows_is_shown_with_a_question_mark() -> None:
    message = pb.Difference()
    message.tasks.add(task_id="a").kind = 9  # type: ignore[assignment]  # no such kind
    difference = differences.difference(message)
    assert difference.tasks == (TaskDifference(DifferenceKind.UNSPECIFIED, "a"),)
    assert _shown(difference) == ["Tasks", "  ? a"]


def test_what_has_no_words_is_shown_by_its_values() -> None:
    changed = FieldDifference(CHANGED, "dag.tasks[0].__type", '"a"', '"b"')
    assert _shown(_difference(json=(changed,))) == [
        "Values",
        '  ~ dag.tasks[0].__type: "a" -> "b"',
    ]


def test_a_task_whose_edges_alone_differ_is_told_by_them_only_if_they_are_listed() -> None:
    field = FieldDifference(ADDED, "downstream_task_ids[0]", "", "1")
    task = TaskDifference(CHANGED, "a", (field,))
    assert _shown(_difference(tasks=(task,))) == [
        "Tasks",
        "  ~ a",
        "    + downstream_task_ids[0]: 1",
    ]


def test_a_child_of_a_group_is_told_unless_its_task_is() -> None:
    path = "dag.task_group.children.g.children.g.a"
    moved = FieldDifference(REMOVED, path, "[]", "")
    gone = TaskDifference(REMOVED, "g.a")
    assert _shown(_difference(json=(moved,)))[0] == "Structure"
    assert _shown(_difference(json=(moved,), tasks=(gone,))) == ["Tasks", "  - g.a"]


def test_one_value_that_begins_another_is_cut_at_its_end() -> None:
    field = FieldDifference(CHANGED, "dag.doc_md", "x" * 100, "x" * 300)
    shown = _shown(_difference(json=(field,), metadata=(field,)))
    assert shown == ["Metadata", "  ~ doc_md:", f"    - …{'x' * 16}", f"    + …{'x' * 72}…"]


def test_there_is_a_word_for_what_is_not_listed() -> None:
    field = FieldDifference(ADDED, "dag.tags[0]", "", '"\x9b31m"')
    told = _shown(_difference(json=(field,), metadata=(field,), truncated=True))
    assert told[1:] == [
        '  + tags[0]: "\N{REPLACEMENT CHARACTER}31m"',
        "there is more: only the first 1 values are listed",
    ]


def _difference(**parts: Any) -> Difference:
    none: dict[str, Any] = dict.fromkeys(
        ("classes", "tasks", "edges", "schedule", "metadata", "json"), ()
    )
    return Difference(**{**none, "truncated": False, **parts})


def _shown(difference: Difference) -> list[str]:
    file = io.StringIO()
    print_difference(Console(file=file, width=40), difference)
    return file.getvalue().splitlines()
