"""What came of a load: by DAG, by file, and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dagcatalog_client.model import PutOutcome
from dagcatalog_client.parse.model import Failure, FailureKind

COUNTED = (
    "created",
    "new version",
    "refreshed",
    "restored",
    "unchanged",
    "deleted",
    "refused",
    "errors",
)


@dataclass(frozen=True)
class LoadedDag:
    """A DAG that the catalog took."""

    dag_id: str
    outcome: PutOutcome
    version: int


@dataclass(frozen=True)
class FileReport:
    """What came of one file. `refused` DAGs were not taken: the failure says why."""

    file: str
    dags: tuple[LoadedDag, ...] = ()
    deleted: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    failure: Failure | None = None


@dataclass
class LoadReport:
    """What came of a load. `vanished` are DAGs by file: the catalog has them, the folder not."""

    bundle_name: str
    files: list[FileReport] = field(default_factory=list)
    vanished: dict[str, tuple[str, ...]] = field(default_factory=dict)
    pruned: bool = False
    revision: int = 0
    seconds: float = 0.0

    @property
    def failed(self) -> Sequence[FileReport]:
        """The files with a failure."""
        return [report for report in self.files if report.failure]

    @property
    def dag_count(self) -> int:
        """How many DAGs the catalog took."""
        return sum(len(report.dags) for report in self.files)

    @property
    def counts(self) -> Mapping[str, int]:
        """How many DAGs met which end; errors counts files that could not be parsed in full."""
        counts = Counter(dict.fromkeys(COUNTED, 0))
        for report in self.files:
            counts.update(dag.outcome.name.lower().replace("_", " ") for dag in report.dags)
            counts["deleted"] += len(report.deleted)
            counts["refused"] += len(report.refused)
            counts["errors"] += bool(
                report.failure and report.failure.kind is not FailureKind.REFUSED
            )
        if self.pruned:
            counts["deleted"] += sum(map(len, self.vanished.values()))
        return counts

    def as_json(self) -> Mapping[str, object]:
        """Give all of it for programs."""
        return {
            "bundle": self.bundle_name,
            "file_count": len(self.files),
            "dag_count": self.dag_count,
            "counts": {name.replace(" ", "_"): count for name, count in self.counts.items()},
            "revision": self.revision,
            "seconds": round(self.seconds, 3),
            "dags": [
                {"dag_id": dag.dag_id, "file": report.file, "outcome": dag.outcome.name}
                | {"version": dag.version}
                for report in self.files
                for dag in report.dags
            ],
            "failures": [
                {
                    "file": report.file,
                    "kind": report.failure.kind.value,
                    "message": report.failure.message,
                    "line": report.failure.line,
                    "refused": list(report.refused),
                    "stack_trace": report.failure.stack_trace,
                }
                for report in self.files
                if report.failure
            ],
            "vanished": {file: list(dags) for file, dags in self.vanished.items()},
            "pruned": self.pruned,
        }
