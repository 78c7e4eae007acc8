"""What a bag can raise besides the client's `CatalogError`, as one tree.

    DagBagError
    ├── DagMissing           namespace, dag_id, position; also a KeyError
    ├── DocumentUnreadable   namespace, dag_id, content_hash, serialization_version, airflow_version
    └── AirflowUnusable      there is no Airflow here, or none that is known

Errors of the catalog come out as they are: `Unavailable`, `RevisionCompacted`, `ForkedChild`.
"""

from dagcatalog_client import DagSummary, Position


class DagBagError(Exception):
    """Base of all."""


class DagMissing(DagBagError, KeyError):
    """The bag has no such DAG."""

    def __init__(self, namespace: str, dag_id: str, position: Position) -> None:
        super().__init__(namespace, dag_id, position)
        self.namespace = namespace
        self.dag_id = dag_id
        self.position = position

    def __str__(self) -> str:
        return (
            f"no DAG {self.dag_id!r} in namespace {self.namespace!r} "
            f"at revision {self.position.revision}"
        )


class DocumentUnreadable(DagBagError):
    """Airflow makes no DAG of a document; what it said is on `__cause__`."""

    def __init__(self, summary: DagSummary, airflow_version: str) -> None:
        super().__init__(summary, airflow_version)
        self.namespace = summary.namespace
        self.dag_id = summary.dag_id
        self.content_hash = summary.content_hash
        self.serialization_version = summary.serialization_version
        self.airflow_version = airflow_version

    def __str__(self) -> str:
        return (
            f"Airflow {self.airflow_version} cannot deserialize DAG {self.dag_id!r} of namespace "
            f"{self.namespace!r} (content {self.content_hash}, serialization version "
            f"{self.serialization_version})"
        )


class AirflowUnusable(DagBagError):
    """There is no Airflow in this interpreter, or none whose classes are known."""
