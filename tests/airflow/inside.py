"""Runs inside the Airflow environment: what Airflow itself makes of DAGs, and of the catalog's copies.

    python inside.py ROOT DOCUMENTS RESULT

DOCUMENTS is JSON, dag_id to the document's text as the catalog gave it. Airflow parses ROOT on its
own, without our parser; each of its DAGs is compared with the catalog's copy. RESULT is JSON, dag_id
to what was found. Nothing of ours is imported here.
"""

import json
import sys
import weakref
from datetime import date, timedelta, tzinfo
from enum import Enum
from importlib import import_module
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any

WHOLE = (str, bytes, int, float, type(None), date, timedelta, tzinfo, Enum, type, FunctionType)


def main(root: str, documents_file: str, result_file: str) -> None:
    dagbag: Any = import_module("airflow.dag_processing.dagbag")
    documents = json.loads(Path(documents_file).read_text("utf-8"))
    sys.path.append(root)
    bag = dagbag.DagBag(root, bundle_path=Path(root), bundle_name="reference", load_op_links=False)
    found = {dag_id: judge(dag, documents.get(dag_id)) for dag_id, dag in bag.dags.items()}
    Path(result_file).write_text(json.dumps({"dags": found, "errors": bag.import_errors}))


def judge(dag: Any, text: str | None) -> dict[str, Any]:
    serialized_objects: Any = import_module("airflow.serialization.serialized_objects")
    serializer = serialized_objects.DagSerialization
    document = serializer.to_dict(dag)
    if text is None:
        return {"missing": True}
    own = serializer.from_dict(json.loads(json.dumps(document)))
    ours = serializer.from_dict(json.loads(text))
    walk = Walk()
    walk.compare(own, ours, "dag")
    return {
        "identical": canonical(document) == text,
        "bytes": len(text.encode()),
        "values": walk.values,
        "differences": walk.differences + against_the_original(dag, ours),
    }


def canonical(document: Any) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def against_the_original(dag: Any, ours: Any) -> list[str]:
    """What a deserialized DAG shares with the DAG of the file, which is of another class."""
    pairs = {
        "dag_id": (dag.dag_id, ours.dag_id),
        "task_ids": (sorted(dag.task_ids), sorted(ours.task_ids)),
        "tasks": (tasks(dag), tasks(ours)),
        "edges": (edges(dag), edges(ours)),
        "tags": (sorted(dag.tags), sorted(ours.tags)),
        "timetable": (type(dag.timetable).__name__, type(ours.timetable).__name__),
        "params": (params(dag), params(ours)),
        "fileloc": (dag.fileloc, ours.fileloc),
        "catchup": (dag.catchup, ours.catchup),
        "start_date": (dag.start_date, ours.start_date),
        "end_date": (dag.end_date, ours.end_date),
        "description": (dag.description, ours.description),
        "doc_md": (dag.doc_md, ours.doc_md),
    }
    return [f"{name}: {a!r} != {b!r}" for name, (a, b) in pairs.items() if a != b]


def tasks(dag: Any) -> list[tuple[Any, ...]]:
    def rule(task: Any) -> str:  # an enum in one class, a text in the other
        return str(getattr(task.trigger_rule, "value", task.trigger_rule))

    return sorted((t.task_id, t.task_type, t.owner, rule(t), t.pool) for t in dag.tasks)


def edges(dag: Any) -> list[tuple[str, str]]:
    return sorted((t.task_id, down) for t in dag.tasks for down in t.downstream_task_ids)


def params(dag: Any) -> dict[str, str]:
    return {
        name: json.dumps(value, default=str, sort_keys=True)
        for name, value in dag.params.dump().items()
    }


class Walk:
    """Compares two object graphs field by field; cycles are walked once."""

    def __init__(self) -> None:
        self.seen: set[tuple[int, int]] = set()
        self.kept: list[object] = []  # so that no id is used again
        self.differences: list[str] = []
        self.values = 0

    def compare(self, a: Any, b: Any, path: str) -> None:
        if (id(a), id(b)) in self.seen or len(self.differences) > 20:
            return
        self.seen.add((id(a), id(b)))
        self.kept += (a, b)
        self.values += 1
        if type(a) is not type(b):
            self.differences.append(f"{path}: {type(a).__name__} != {type(b).__name__}")
        elif isinstance(a, (*WHOLE, ModuleType)):
            if a != b:
                self.differences.append(f"{path}: {a!r} != {b!r}")
        elif isinstance(a, dict):
            self.mapping(a, b, path)
        elif isinstance(a, (list, tuple)):
            self.mapping(dict(enumerate(a)), dict(enumerate(b)), path)
        elif isinstance(a, (set, frozenset)):
            self.compare(sorted(a, key=repr), sorted(b, key=repr), path)
        elif isinstance(a, weakref.ReferenceType):
            self.compare(a(), b(), path)
        elif isinstance(a, MethodType):
            self.compare(a.__func__, b.__func__, path)
        else:
            self.mapping(fields(a), fields(b), path)

    def mapping(self, a: dict[Any, Any], b: dict[Any, Any], path: str) -> None:
        if a.keys() != b.keys():
            self.differences.append(f"{path}: {sorted(map(repr, a.keys() ^ b.keys()))}")
        for key in a.keys() & b.keys():
            self.compare(a[key], b[key], f"{path}.{key}")


def fields(value: Any) -> dict[str, Any]:
    """All that an object holds, in __dict__ and in slots."""
    names = [
        name
        for kind in type(value).__mro__
        for name in getattr(kind, "__slots__", ())
        if isinstance(name, str) and name not in ("__dict__", "__weakref__")
    ]
    clock = {"last_loaded"}  # when it was deserialized
    slots = {name: getattr(value, name) for name in names if hasattr(value, name)}
    held = {**slots, **getattr(value, "__dict__", {})}
    return {name: held[name] for name in held.keys() - clock}


if __name__ == "__main__":
    main(*sys.argv[1:])
