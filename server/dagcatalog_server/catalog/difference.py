"""The difference of two documents: in the words of a DAG first, then value by value.

What the definition hash leaves out is compared too, so a refresh has a difference; the order of
tasks is not one, because tasks are matched by their ids.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from itertools import islice

from dagcatalog_server.catalog.canonical import Json
from dagcatalog_server.catalog.definition import SCHEDULE_FIELDS, STRUCTURE_FIELDS
from dagcatalog_server.catalog.model import ChangeClass

MAX_FIELDS = 10_000
MAX_VALUE_CHARACTERS = 4 * 1024
_ABSENT = object()


class DifferenceKind(IntEnum):
    """How something differs; numbered as on the wire."""

    ADDED = 1
    REMOVED = 2
    CHANGED = 3


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """One value that differs; JSON texts, empty for the side that has none."""

    kind: DifferenceKind
    path: str
    old_json: str
    new_json: str


@dataclass(frozen=True, slots=True)
class TaskDifference:
    """One task that differs; `fields` for a task that both sides have."""

    kind: DifferenceKind
    task_id: str
    fields: tuple[FieldDifference, ...] = ()


@dataclass(frozen=True, slots=True)
class EdgeDifference:
    """One edge between tasks that only one side has."""

    kind: DifferenceKind
    upstream_task_id: str
    downstream_task_id: str


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of two documents. `fields` is every value that differs."""

    classes: tuple[ChangeClass, ...]
    tasks: tuple[TaskDifference, ...]
    edges: tuple[EdgeDifference, ...]
    schedule: tuple[FieldDifference, ...]
    metadata: tuple[FieldDifference, ...]
    fields: tuple[FieldDifference, ...]
    truncated: bool


def compare(old: bytes, new: bytes) -> Difference:
    """Compare two canonical documents; at most 10,000 values are listed, each cut at 4 KiB."""
    before, after = json.loads(old), json.loads(new)
    old_tasks, new_tasks = _tasks(before["dag"]), _tasks(after["dag"])
    listed = list(islice(_document(before, after), MAX_FIELDS + 1))
    fields = tuple(listed[:MAX_FIELDS])
    tasks = tuple(_task_differences(old_tasks, new_tasks))
    edges = tuple(_edge_differences(old_tasks, new_tasks))
    parts = {
        kind: tuple(one for one in fields if _class_of(one.path) is kind) for kind in ChangeClass
    }
    return Difference(
        classes=tuple(kind for kind, found in parts.items() if found),
        tasks=tasks,
        edges=edges,
        schedule=parts[ChangeClass.SCHEDULE],
        metadata=parts[ChangeClass.METADATA],
        fields=fields,
        truncated=len(listed) > MAX_FIELDS,
    )


def _document(old: Json, new: Json) -> Iterator[FieldDifference]:
    """Compare everything; the lists of tasks by task_id."""
    old_dag, new_dag = dict(old["dag"]), dict(new["dag"])
    old_tasks, new_tasks = old_dag.pop("tasks", _ABSENT), new_dag.pop("tasks", _ABSENT)
    yield from _values("", {**old, "dag": old_dag}, {**new, "dag": new_dag})
    if not (isinstance(old_tasks, list) and isinstance(new_tasks, list)):
        yield from _values("dag.tasks", old_tasks, new_tasks)
        return
    before, after = _indexed(old_tasks), _indexed(new_tasks)
    for name in [*after, *(one for one in before if one not in after)]:
        place, old_task = before.get(name, (0, _ABSENT))
        if name in after:
            place, new_task = after[name]
        else:
            new_task = _ABSENT
        yield from _values(f"dag.tasks[{place}]", old_task, new_task)


def _values(path: str, old: Json, new: Json) -> Iterator[FieldDifference]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            inner = f"{path}.{key}" if path else key
            yield from _values(inner, old.get(key, _ABSENT), new.get(key, _ABSENT))
    elif isinstance(old, list) and isinstance(new, list):
        for place in range(max(len(old), len(new))):
            before = old[place] if place < len(old) else _ABSENT
            after = new[place] if place < len(new) else _ABSENT
            yield from _values(f"{path}[{place}]", before, after)
    elif not _same(old, new):
        yield FieldDifference(_kind(old, new), path, _shown(old), _shown(new))


def _same(old: Json, new: Json) -> bool:
    """Tell whether two values are one in JSON, where 1, 1.0 and true are three."""
    return type(old) is type(new) and bool(old == new)


def _kind(old: Json, new: Json) -> DifferenceKind:
    if old is _ABSENT:
        return DifferenceKind.ADDED
    return DifferenceKind.REMOVED if new is _ABSENT else DifferenceKind.CHANGED


def _shown(value: Json) -> str:
    if value is _ABSENT:
        return ""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return text if len(text) <= MAX_VALUE_CHARACTERS else text[:MAX_VALUE_CHARACTERS] + "…"


def _class_of(path: str) -> ChangeClass:
    """Tell which part of the definition a path is in."""
    inside = path.removeprefix("dag.")
    field = "" if inside == path else inside.split(".")[0].split("[")[0]
    if field in STRUCTURE_FIELDS:
        return ChangeClass.STRUCTURE
    return ChangeClass.SCHEDULE if field in SCHEDULE_FIELDS else ChangeClass.METADATA


def _indexed(tasks: list[Json]) -> dict[str, tuple[int, Json]]:
    return {_name(task, place): (place, task) for place, task in enumerate(tasks)}


def _name(task: Json, place: int) -> str:
    """Name a task; one without an id is known by its place."""
    task_id = _inner(task).get("task_id")
    return task_id if isinstance(task_id, str) else f"\0{place}"


def _inner(task: Json) -> Mapping[str, Json]:
    inner = task.get("__var", task) if isinstance(task, dict) else {}
    return inner if isinstance(inner, dict) else {}


def _tasks(dag: Mapping[str, Json]) -> dict[str, Mapping[str, Json]]:
    tasks = dag.get("tasks")
    inner = [_inner(task) for task in tasks] if isinstance(tasks, list) else []
    return {task["task_id"]: task for task in inner if isinstance(task.get("task_id"), str)}


def _task_differences(
    old: Mapping[str, Mapping[str, Json]], new: Mapping[str, Mapping[str, Json]]
) -> Iterator[TaskDifference]:
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            yield TaskDifference(DifferenceKind.ADDED, name)
        elif name not in new:
            yield TaskDifference(DifferenceKind.REMOVED, name)
        elif fields := tuple(islice(_values("", old[name], new[name]), MAX_FIELDS)):
            yield TaskDifference(DifferenceKind.CHANGED, name, fields)


def _edge_differences(
    old: Mapping[str, Mapping[str, Json]], new: Mapping[str, Mapping[str, Json]]
) -> Iterator[EdgeDifference]:
    before, after = set(_edges(old)), set(_edges(new))
    for edge in sorted(before ^ after):
        kind = DifferenceKind.ADDED if edge in after else DifferenceKind.REMOVED
        yield EdgeDifference(kind, *edge)


def _edges(tasks: Mapping[str, Mapping[str, Json]]) -> Iterator[tuple[str, str]]:
    for name, task in tasks.items():
        downstream = task.get("downstream_task_ids")
        for other in downstream if isinstance(downstream, list) else ():
            if isinstance(other, str):
                yield name, other
