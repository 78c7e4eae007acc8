"""How two documents of one DAG differ: in the words of a DAG, and value by value."""

from dataclasses import dataclass

from dagcatalog_client.model.dags import DagSummary
from dagcatalog_client.model.enums import ChangeClass, DifferenceKind


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """One value that differs."""

    kind: DifferenceKind
    path: str
    """JSON path from the document's root, `dag.tasks[3].__var.retries`; in a task, from there."""
    old_json: str
    """The older value as JSON; empty if there was none. Cut at 4 KiB."""
    new_json: str
    """The newer value as JSON; empty if there is none. Cut at 4 KiB."""


@dataclass(frozen=True, slots=True)
class TaskDifference:
    """One task that differs."""

    kind: DifferenceKind
    task_id: str
    fields: tuple[FieldDifference, ...] = ()
    """Of a task that both sides have."""


@dataclass(frozen=True, slots=True)
class EdgeDifference:
    """One edge between tasks that only one side has: ADDED or REMOVED."""

    kind: DifferenceKind
    upstream_task_id: str
    """Runs first."""
    downstream_task_id: str
    """Runs after it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of two documents; the order of tasks is none."""

    classes: tuple[ChangeClass, ...]
    """Parts of the definition that differ."""
    tasks: tuple[TaskDifference, ...]
    edges: tuple[EdgeDifference, ...]
    schedule: tuple[FieldDifference, ...]
    metadata: tuple[FieldDifference, ...]
    """Fields of the DAG that are neither structure nor schedule."""
    json: tuple[FieldDifference, ...]
    """Every value that differs, at most 10,000."""
    truncated: bool
    """There are more than are listed."""

    @property
    def empty(self) -> bool:
        """True if the documents say the same."""
        return not (self.json or self.tasks or self.edges or self.truncated)


@dataclass(frozen=True, slots=True)
class Diff:
    """Two versions of a DAG and how they differ."""

    older: DagSummary
    newer: DagSummary
    difference: Difference
