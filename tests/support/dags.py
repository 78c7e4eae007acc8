"""Small serialized DAGs, as Airflow would write them."""

from collections.abc import Mapping, Sequence


def dag_document(
    dag_id: str,
    *,
    tasks: Sequence[str] = ("extract",),
    tags: Sequence[str] = (),
    description: str | None = None,
    cron: str = "0 3 * * *",
    padding: str = "",
    edges: Sequence[Mapping[str, str]] = (),
) -> dict[str, object]:
    """Return a document that the catalog accepts."""
    dag: dict[str, object] = {
        "dag_id": dag_id,
        "fileloc": f"/dags/{dag_id}.py",
        "relative_fileloc": f"{dag_id}.py",
        "timetable": {
            "__type": "airflow.timetables.interval.CronDataIntervalTimetable",
            "__var": {"expression": cron, "timezone": "UTC"},
        },
        "catchup": False,
        "tags": list(tags),
        "tasks": [_task(task_id) for task_id in tasks],
    }
    if description is not None:
        dag["description"] = description
    if padding:
        dag["doc_md"] = padding
    if edges:
        dag["dag_dependencies"] = [dict(edge) for edge in edges]
    return {"__version": 3, "dag": dag}


def edge(source: str, target: str, kind: str, name: str) -> Mapping[str, str]:
    """Return an edge between DAGs for `dag_document`; at an asset one end is "asset"."""
    return {
        "source": source,
        "target": target,
        "label": name,
        "dependency_type": kind,
        "dependency_id": name,
    }


def produces(dag_id: str, asset: str) -> Mapping[str, str]:
    """Return the edge of a DAG that updates an asset."""
    return edge(dag_id, "asset", "asset", asset)


def consumes(dag_id: str, asset: str) -> Mapping[str, str]:
    """Return the edge of a DAG that an asset schedules."""
    return edge("asset", dag_id, "asset", asset)


def _task(task_id: str) -> dict[str, object]:
    return {
        "__type": "operator",
        "__var": {
            "task_id": task_id,
            "task_type": "BashOperator",
            "_task_module": "airflow.providers.standard.operators.bash",
            "owner": "data-team",
            "downstream_task_ids": [],
            "bash_command": "true",
        },
    }
