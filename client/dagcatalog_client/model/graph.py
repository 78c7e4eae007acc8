"""What the catalog answers about what lies between DAGs."""

from dataclasses import dataclass

from dagcatalog_client.model.dags import DagSummary, Dependency


@dataclass(frozen=True, slots=True)
class ImpactedDag:
    """A live DAG that a change of another reaches."""

    summary: DagSummary
    depth: int
    """Steps from DAG to DAG; an asset between two is no step."""
    path: tuple[Dependency, ...]
    """The edges of one way that is as short as any."""
