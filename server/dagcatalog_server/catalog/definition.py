"""What defines a DAG: the hashes that decide between a new version, a refresh and nothing.

Airflow's rule for `dag_hash` is the model (`SerializedDagModel.hash`: `fileloc` left out, lists
sorted), with three differences, argued in docs/adr/0002-what-defines-a-dag.md: only lists that are
sets are sorted, so that reordered arguments of an operator do make a version; everything that says
where the file was parsed is left out; and so is a memory address inside a repr, which would make a
version at every parse.
"""

import hashlib
import re
from collections.abc import Mapping
from functools import partial

from dagcatalog_server.catalog.canonical import CanonicalDocument, Json, dump
from dagcatalog_server.catalog.model import ChangeClass, DefinitionHashes

PLACEMENT_FIELDS = frozenset({"fileloc", "relative_fileloc", "_processor_dags_folder"})
STRUCTURE_FIELDS = frozenset({"tasks", "task_group", "_task_group", "edge_info"})
SCHEDULE_FIELDS = frozenset(
    {
        "allowed_run_types",
        "catchup",
        "dagrun_timeout",
        "dataset_triggers",
        "deadline",
        "end_date",
        "fail_fast",
        "fail_stop",
        "is_paused_upon_creation",
        "max_active_runs",
        "max_active_tasks",
        "max_consecutive_failed_dag_runs",
        "schedule_interval",
        "start_date",
        "timetable",
        "timezone",
    }
)
_GROUP_SETS = (
    "upstream_group_ids",
    "downstream_group_ids",
    "upstream_task_ids",
    "downstream_task_ids",
)
_SET = b'"__type":"set"'
_ADDRESS = re.compile(rb" at 0x[0-9a-fA-F]{6,16}(?=>)")


def hash_document(document: CanonicalDocument) -> DefinitionHashes:
    """Hash a document whole, without its noise, and in its parts."""
    dag: Mapping[str, Json] = document.tree["dag"]
    around = {key: value for key, value in document.tree.items() if key != "dag"}
    structure = _digest(document, _structure(dag))
    schedule = _digest(document, _fields(dag, SCHEDULE_FIELDS))
    metadata = _digest(document, [around, _metadata(document, dag)])
    return DefinitionHashes(
        content=hashlib.sha256(document.raw).hexdigest(),
        definition=hashlib.sha256(f"{structure}{schedule}{metadata}".encode()).hexdigest(),
        structure=structure,
        schedule=schedule,
        metadata=metadata,
        placement=_digest(document, _fields(dag, PLACEMENT_FIELDS)),
    )


def changed_classes(old: DefinitionHashes, new: DefinitionHashes) -> tuple[ChangeClass, ...]:
    """Tell which parts of the definition differ, in the order of the classes."""
    parts = (
        (ChangeClass.STRUCTURE, old.structure, new.structure),
        (ChangeClass.SCHEDULE, old.schedule, new.schedule),
        (ChangeClass.METADATA, old.metadata, new.metadata),
    )
    return tuple(kind for kind, before, after in parts if before != after)


def _digest(document: CanonicalDocument, part: Json) -> str:
    written = _written(document, part)
    if _SET in written:
        written = _written(document, _sort_encoded_sets(document, part))
    return hashlib.sha256(written).hexdigest()


def _written(document: CanonicalDocument, part: Json) -> bytes:
    """Write a part without memory addresses."""
    written = dump(part, plain=document.plain)
    # A single byte is found ten times faster, and most documents have no such bracket at all.
    masked = b">" in written and b" at 0x" in written
    return _ADDRESS.sub(b" at 0x", written) if masked else written


def _sort_encoded_sets(document: CanonicalDocument, value: Json) -> Json:
    """Sort the entries of sets: Airflow leaves those that do not compare as the hash seed put them."""
    sort = partial(_sort_encoded_sets, document)
    if isinstance(value, list):
        return list(map(sort, value))
    if not isinstance(value, dict):
        return value
    made = dict(zip(value, map(sort, value.values()), strict=True))
    if made.get("__type") == "set" and isinstance(entries := made.get("__var"), list):
        made["__var"] = sorted(entries, key=partial(_written, document))
    return made


def _fields(dag: Mapping[str, Json], names: frozenset[str]) -> dict[str, Json]:
    return {key: value for key, value in dag.items() if key in names}


def _structure(dag: Mapping[str, Json]) -> dict[str, Json]:
    part = _fields(dag, STRUCTURE_FIELDS)
    if isinstance(tasks := part.get("tasks"), list):
        part["tasks"] = sorted((_task(task) for task in tasks), key=_task_id)
    for name in ("task_group", "_task_group"):
        if name in part:
            part[name] = _group(part[name])
    return part


def _task(task: Json) -> Json:
    """Sort the one set of a task. Airflow 2.8 and older write tasks without `__var`."""
    if not isinstance(task, dict):
        return task
    if isinstance(inner := task.get("__var"), dict):
        made = _with_sorted_sets(inner, ("downstream_task_ids",))
        return task if made is inner else {**task, "__var": made}
    return _with_sorted_sets(task, ("downstream_task_ids", "_downstream_task_ids"))


def _task_id(task: Json) -> str:
    inner = task.get("__var", task) if isinstance(task, dict) else None
    return str(inner.get("task_id", "")) if isinstance(inner, dict) else ""


def _group(group: Json) -> Json:
    """Sort the sets of a task group and of the groups inside (depth is bounded by the limits)."""
    if not isinstance(group, dict):
        return group
    made = _with_sorted_sets(group, _GROUP_SETS)
    if not isinstance(children := made.get("children"), dict):
        return made
    return {**made, "children": {label: _child(child) for label, child in children.items()}}


def _child(child: Json) -> Json:
    """A child is ["operator", id] or ["taskgroup", group] (in an older form a dict)."""
    if isinstance(child, list):
        return [_group(part) for part in child]
    return _group(child)


def _metadata(document: CanonicalDocument, dag: Mapping[str, Json]) -> dict[str, Json]:
    left_out = PLACEMENT_FIELDS | STRUCTURE_FIELDS | SCHEDULE_FIELDS
    part = {key: value for key, value in dag.items() if key not in left_out}
    if isinstance(edges := part.get("dag_dependencies"), list):
        part["dag_dependencies"] = sorted(edges, key=partial(_written, document))
    return _with_sorted_sets(part, ("tags",))


def _with_sorted_sets(value: dict[str, Json], names: tuple[str, ...]) -> dict[str, Json]:
    """Sort the lists of texts under `names`: they are sets, in Airflow's own model too.

    Airflow has mostly sorted them already, and then the object itself is given back.
    """
    made = value
    for name in names:
        entries = made.get(name)
        if not isinstance(entries, list) or len(entries) < 2 or not _are_texts(entries):
            continue
        if (in_order := sorted(entries)) != entries:
            made = {**made, name: in_order}
    return made


def _are_texts(entries: list[Json]) -> bool:
    return all(isinstance(entry, str) for entry in entries)
