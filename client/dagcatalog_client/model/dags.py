"""What the catalog keeps: DAGs, their versions and changes, parse errors."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from dagcatalog_client.model.enums import (
    ChangeClass,
    ChangeKind,
    ParseErrorKind,
    ScheduleKind,
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a DAG runs, as read from its document."""

    kind: ScheduleKind = ScheduleKind.UNSPECIFIED
    text: str = ""
    """For people: the cron expression, the interval, the asset names, the timetable's name."""
    timezone: str = ""
    timetable: str = ""
    """Import path of the timetable's class."""


@dataclass(frozen=True, slots=True)
class Dependency:
    """One edge of the graph between DAGs, as Airflow wrote it into the document."""

    source: str
    target: str
    label: str = ""
    dependency_type: str = ""
    dependency_id: str = ""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a document came from."""

    bundle_name: str = ""
    bundle_version: str = ""
    file: str = ""
    """Path inside the bundle; left out in a Put: what the document says."""


@dataclass(frozen=True, slots=True)
class DagSummary:
    """What a list or a view needs of a DAG; no document is read for it."""

    namespace: str
    dag_id: str
    version: int
    """1, 2, 3, …; a deleted DAG that comes back goes on counting."""
    revision: int
    """Revision of the change that made this state."""
    version_revision: int
    """Revision at which this version was first put."""
    content_hash: str
    """SHA-256 of the canonical document, in lower-case hexadecimal."""
    definition_hash: str
    """SHA-256 of what defines the DAG; it alone decides whether there is a new version."""
    source_hash: str
    provenance: Provenance
    display_name: str
    description: str
    tags: tuple[str, ...]
    owners: tuple[str, ...]
    schedule: Schedule
    fileloc: str
    task_count: int
    """Number of tasks; a mapped task counts once."""
    operators: tuple[str, ...]
    dependencies: tuple[Dependency, ...]
    start_date: datetime | None
    end_date: datetime | None
    catchup: bool | None
    """None if the document does not say."""
    paused_at_creation: bool | None
    """None if the document leaves it to Airflow's configuration."""
    serialization_version: int
    document_bytes: int
    source_bytes: int
    labels: Mapping[str, str]
    actor: str
    create_time: datetime | None
    """When the DAG was first put."""
    update_time: datetime | None
    """When this state was made."""
    deleted: bool
    delete_reason: str


@dataclass(frozen=True, slots=True)
class Dag:
    """A DAG as one view shows it."""

    summary: DagSummary
    document: bytes = b""
    """Canonical JSON in UTF-8; empty if the view carries none or `not_modified`."""
    source: str | None = None
    """Text of the DAG file; None if the view carries none or none was put."""
    readable: Mapping[str, object] | None = None
    """The document of the view READABLE: every number is a float."""
    not_modified: bool = False
    """`if_none_match` held: there is only the summary."""

    def json(self) -> dict[str, object]:
        """Decode the document; integers keep every digit.

        Raises:
            ValueError: this answer carries no document.

        """
        if not self.document:
            raise ValueError(
                f"this answer carries no document of {self.summary.dag_id!r}: "
                "ask for DagView.DOCUMENT"
            )
        decoded: dict[str, object] = json.loads(self.document)
        return decoded


@dataclass(frozen=True, slots=True)
class DagVersion:
    """One version of a DAG. Its definition never changes."""

    version: int
    summary: DagSummary
    """The DAG as this version was last seen."""
    revision: int
    """Revision at which it was first put."""
    actor: str
    create_time: datetime | None
    head: bool
    """True for the version that `get` returns when none is asked for."""


@dataclass(frozen=True, slots=True)
class Change:
    """One row of the change log."""

    revision: int
    ordinal: int
    """Place inside the revision, from 0."""
    kind: ChangeKind
    classes: tuple[ChangeClass, ...]
    dag: Dag
    """The DAG after the change, in the view asked for."""


@dataclass(frozen=True, slots=True)
class ParseError:
    """A parse error of one file; it lasts until that file parses or is gone."""

    namespace: str
    bundle_name: str
    bundle_version: str
    file: str
    kind: ParseErrorKind
    message: str
    stack_trace: str
    line: int
    """Line of the file, from 1; 0 if unknown."""
    first_time: datetime | None
    last_time: datetime | None
    actor: str
