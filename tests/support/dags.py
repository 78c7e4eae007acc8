"""Small serialized DAGs, as Airflow would write them."""

from collections.abc import Sequence


def dag_document(
    dag_id: str,
    *,
    tasks: Sequence[str] = ("extract",),
    tags: Sequence[str] = (),
    description: str | None = None,
    cron: str = "0 3 * * *",
    padding: str = "",
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
    return {"__version": 3, "dag": dag}


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
