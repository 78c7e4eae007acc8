"""Documents shaped like those of Airflow 3.3, of any number of tasks."""

import json


def dag_document(dag_id: str, tasks: int, *, salt: str = "") -> bytes:
    """Make a canonical document: about 0.6 KB a task."""
    made = [
        {
            "__type": "operator",
            "__var": {
                "_needs_expansion": False,
                "_task_module": "airflow.providers.standard.operators.bash",
                "bash_command": f"echo {{{{ ds }}}} {salt} step {number} of a chain of tasks",
                "doc_md": "Loads one partition and checks its counts against the source. " * 3,
                "downstream_task_ids": [f"step_{number + 1:04}"] if number + 1 < tasks else [],
                "retries": 2,
                "retry_delay": 300.0,
                "task_id": f"step_{number:04}",
                "task_type": "BashOperator",
                "template_ext": [".sh", ".bash"],
                "template_fields": ["bash_command", "env", "cwd"],
                "ui_color": "#f0ede4",
            },
        }
        for number in range(tasks)
    ]
    dag = {"dag_id": dag_id, "fileloc": f"/dags/{dag_id}.py", "tags": ["bench"], "tasks": made}
    tree = {"__version": 3, "dag": dag}
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
