"""Serialized DAGs in the shapes of Airflow 1, 2 and 3's formats, and their canonical bytes."""

import copy
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Tree = dict[str, Any]  # JSON, changed freely by tests
Edit = Callable[[Tree], object]


def as_bytes(tree: object) -> bytes:
    """Write JSON as the catalog keeps it."""
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256(raw: bytes) -> str:
    """Hash bytes."""
    return hashlib.sha256(raw).hexdigest()


def edited(tree: Tree, edit: Edit) -> Tree:
    """Copy a tree and change the copy."""
    changed = copy.deepcopy(tree)
    edit(changed)
    return changed


def set_dag(**fields: object) -> Edit:
    """Make an edit that sets fields of `dag`."""
    return lambda tree: tree["dag"].update(fields)


def format_3(dag_id: str = "nightly") -> Tree:
    """Return a document as Airflow 3.3 writes it: two tasks, one of them in a nested group."""
    return {
        "__version": 3,
        "dag": {
            "_processor_dags_folder": "/dags",
            "allowed_run_types": None,
            "catchup": False,
            "dag_dependencies": [
                _edge(dag_id, "asset", "orders", "orders-id"),
                _edge("asset", dag_id, "prices", "prices-id"),
            ],
            "dag_id": dag_id,
            "deadline": None,
            "default_args": {"__type": "dict", "__var": {"owner": "ann", "retries": 2}},
            "edge_info": {},
            "fileloc": "/dags/nightly.py",
            "max_active_runs": 16,
            "max_active_tasks": 16,
            "params": [],
            "relative_fileloc": "nightly.py",
            "start_date": 1609459200.0,
            "tags": ["finance", "pii"],
            "task_group": _group(
                None,
                {
                    "load": ["operator", "load"],
                    "outer": [
                        "taskgroup",
                        _group(
                            "outer",
                            {
                                "outer.inner": [
                                    "taskgroup",
                                    _group("inner", {"x": ["operator", "x"]}),
                                ]
                            },
                        ),
                    ],
                },
            ),
            "tasks": [
                task("x", downstream=["load", "zip"], op_args=["first", "second"]),
                task("load", retries=3),
            ],
            "timetable": {
                "__type": "airflow.timetables.trigger.CronTriggerTimetable",
                "__var": {
                    "expression": "0 3 * * *",
                    "interval": 0.0,
                    "run_immediately": False,
                    "timezone": "Europe/Paris",
                },
            },
            "timezone": "UTC",
        },
    }


def format_1(dag_id: str = "nightly") -> Tree:
    """Return a document as Airflow 2.8 and older wrote it: tasks bare, `_task_group`."""
    tasks = [
        {
            "task_id": "x",
            "_task_type": "BashOperator",
            "_downstream_task_ids": ["load", "zip"],
            "downstream_task_ids": ["load", "zip"],
            "op_args": ["first", "second"],
        },
        {"task_id": "load", "_task_type": "PythonOperator", "owner": "bob"},
    ]
    inner = {"_group_id": "inner", "children": {"x": ["operator", "x"]}, **_sets()}
    return {
        "__version": 1,
        "dag": {
            "_dag_id": dag_id,
            "_default_view": "graph",
            "_task_group": {
                "_group_id": None,
                "children": {"inner": ["taskgroup", inner], "load": ["operator", "load"]},
                **_sets(),
            },
            "catchup": True,
            "dag_id": dag_id,
            "fileloc": "/dags/nightly.py",
            "schedule_interval": "@daily",
            "start_date": 1609459200.0,
            "tags": {"__type": "set", "__var": ["finance", "pii"]},
            "tasks": tasks,
            "timezone": "UTC",
        },
    }


def task(task_id: str, *, downstream: Sequence[str] = (), **fields: object) -> Tree:
    """Return a task as format 2 and 3 write it."""
    return {
        "__type": "operator",
        "__var": {
            "_task_module": "airflow.providers.standard.operators.bash",
            "downstream_task_ids": list(downstream),
            "task_id": task_id,
            "task_type": "BashOperator",
            **fields,
        },
    }


def with_timetable(name: str, facts: Mapping[str, object] | None = None) -> Tree:
    """Return the `dag` of a document whose timetable is this one."""
    return {"timetable": {"__type": name, "__var": dict(facts or {})}, "timezone": "UTC"}


def _group(group_id: str | None, children: Mapping[str, object]) -> Tree:
    return {"_group_id": group_id, "children": dict(children), "tooltip": "", **_sets()}


def _sets() -> Tree:
    return {
        "downstream_group_ids": ["b", "c"],
        "downstream_task_ids": ["b", "c"],
        "upstream_group_ids": ["b", "c"],
        "upstream_task_ids": ["b", "c"],
    }


def _edge(source: str, target: str, label: str, dependency_id: str) -> Tree:
    return {
        "dependency_id": dependency_id,
        "dependency_type": "asset",
        "label": label,
        "source": source,
        "target": target,
    }
