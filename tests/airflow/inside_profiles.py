"""Runs inside the Airflow environment: what Airflow makes of trimmed documents.

    python inside_profiles.py CASES RESULT

CASES is JSON: a list of {"name", "full", "trimmed", "left_out"}; `left_out` are names of fields, the
values of a task's own templates are meant by "{template_fields}". Airflow deserializes both; but for
those fields the two must be equal, value by value, and a webserver and a scheduler must get the same
out of both. RESULT is JSON, name to what differs. Nothing of ours is imported here.
"""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.airflow.inside import Walk, edges, params, tasks


def main(cases_file: str, result_file: str) -> None:
    cases = json.loads(Path(cases_file).read_text("utf-8"))
    found = {case["name"]: judge(case) for case in cases}
    Path(result_file).write_text(json.dumps(found))


def judge(case: dict[str, Any]) -> dict[str, Any]:
    serialized_objects: Any = import_module("airflow.serialization.serialized_objects")
    serializer = serialized_objects.DagSerialization
    full, trimmed = (serializer.from_dict(json.loads(case[each])) for each in ("full", "trimmed"))
    walk = WalkWithout(ignored(json.loads(case["full"]), set(case["left_out"])))
    walk.compare(full, trimmed, "dag")
    told = case["tells"]
    return {
        "differences": walk.differences,
        "values": walk.values,
        "told": {name: TOLD[name](full) == TOLD[name](trimmed) for name in told},
    }


def ignored(document: dict[str, Any], left_out: set[str]) -> set[str]:
    names = set(left_out)
    if "{template_fields}" in names:
        for task in document["dag"]["tasks"]:
            names.update(task["__var"].get("template_fields", ()))
    if "_operator_extra_links" in names:
        names.add("operator_extra_links")
    return names


class WalkWithout(Walk):
    """Compares all but some fields."""

    def __init__(self, left_out: set[str]) -> None:
        super().__init__()
        self.left_out = left_out

    def mapping(self, a: dict[Any, Any], b: dict[Any, Any], path: str) -> None:
        super().mapping(self.rest(a), self.rest(b), path)

    def rest(self, held: dict[Any, Any]) -> dict[Any, Any]:
        return {name: one for name, one in held.items() if name not in self.left_out}


def scheduling(dag: Any) -> Any:
    """What a scheduler asks of a DAG."""
    return (
        # From these the next run follows, and from the time of the day.
        [type(dag.timetable).__name__, repr(dag.timetable.serialize())],
        [dag.start_date, dag.end_date, dag.catchup, dag.max_active_runs, dag.max_active_tasks],
        dag.timetable.summary,
        params(dag),
        edges(dag),
        tasks(dag),
        [each.node_id for each in dag.task_group.topological_sort()],
        [
            (
                task.task_id,
                sorted(type(each).__name__ for each in task.deps),
                sorted(one.task_id for one in task.iter_mapped_dependencies())
                if task.is_mapped
                else None,
                task.retries,
                repr(task.retry_delay),
                task.priority_weight,
                type(task.weight_rule).__name__,
                task.queue,
                task.pool_slots,
                repr(task.inlets),
                repr(task.outlets),
                repr(task.start_trigger_args),
                task.has_on_failure_callback,
                task.operator_name,
                task.task_display_name,
            )
            for task in sorted(dag.tasks, key=lambda each: each.task_id)
        ],
        sorted(dag.task_group.get_task_group_dict(), key=str),
    )


def showing(dag: Any) -> Any:
    """What a webserver shows of a DAG: each task's page, the tree of groups, the edges of the graph."""
    datamodels: Any = import_module("airflow.api_fastapi.core_api.datamodels.tasks")
    groups: Any = import_module("airflow.api_fastapi.core_api.services.ui.task_group")
    dag_edges: Any = import_module("airflow.utils.dag_edges")
    return (
        [
            datamodels.TaskResponse.model_validate(task, from_attributes=True).model_dump_json()
            for task in sorted(dag.tasks, key=lambda each: each.task_id)
        ],
        repr(groups.task_group_to_dict(dag.task_group)),
        repr(dag_edges.dag_edges(dag)),
        [dag.doc_md, dag.description, sorted(dag.tags or ()), repr(dag.default_args), params(dag)],
        dag.timetable.summary,
    )


TOLD = {"scheduling": scheduling, "showing": showing}


if __name__ == "__main__":
    main(*sys.argv[1:])
