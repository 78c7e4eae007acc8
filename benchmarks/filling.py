"""Fills a catalog with many DAGs, through its API."""

from benchmarks import wire
from benchmarks.documents import dag_document

BATCH = 500


def fill(address: str, dags: int, tasks: int) -> None:
    """Put so many DAGs of so many tasks; their names sort as they are numbered."""
    for start in range(0, dags, BATCH):
        ids = [dag_name(number) for number in range(start, min(start + BATCH, dags))]
        documents = {dag_id: dag_document(dag_id, tasks) for dag_id in ids}
        wire.call_once(address, wire.PUT_BATCH, wire.put_batch_request(documents))


def dag_name(number: int) -> str:
    """Name a DAG of a filled catalog."""
    return f"filled_{number:06}"
