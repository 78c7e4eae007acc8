"""Two versions of one DAG that differ in every way that a difference can tell."""

from typing import Any

from tests.support.dags import dag_document

LONG = "x" * 200


def older() -> dict[str, Any]:
    """Tasks extract and old."""
    document: dict[str, Any] = dag_document("etl", tasks=["extract", "old"])
    _task(document, 0)["bash_command"] = f"{LONG}abc{LONG}"
    document["dag"]["task_group"] = _group("extract", "old", tooltip="before")
    return document


def newer() -> dict[str, Any]:
    """Tasks extract, which now retries and has load after it, and load."""
    document: dict[str, Any] = dag_document(
        "etl", tasks=["extract", "load"], cron="0 4 * * *", description="é [bold]x[/bold] \x1b"
    )
    change = {
        "bash_command": f"{LONG}abd{LONG}",
        "retries": 3,
        "downstream_task_ids": ["load"],
    }
    _task(document, 0).update(change)
    document["dag"]["task_group"] = _group("extract", "load", tooltip="after")
    return document


def _task(document: dict[str, Any], place: int) -> dict[str, Any]:
    task: dict[str, Any] = document["dag"]["tasks"][place]["__var"]
    return task


def _group(*task_ids: str, tooltip: str) -> dict[str, Any]:
    return {"children": {name: ["operator", name] for name in task_ids}, "tooltip": tooltip}
