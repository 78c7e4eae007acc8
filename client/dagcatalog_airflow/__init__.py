"""The catalog, for Airflow and for programs that use Airflow's classes.

    from dagcatalog_airflow import CatalogDagBag
    from dagcatalog_client import Client

    with Client("127.0.0.1:50051") as client:
        bag = CatalogDagBag(client)
        print(bag["etl"].task_ids)

Importing this imports no Airflow; the first DAG that is deserialized does.
"""

from dagcatalog_airflow.dagbag import CatalogDagBag
from dagcatalog_airflow.errors import (
    AirflowUnusable,
    DagBagError,
    DagMissing,
    DocumentUnreadable,
)

__all__ = [
    "AirflowUnusable",
    "CatalogDagBag",
    "DagBagError",
    "DagMissing",
    "DocumentUnreadable",
]
