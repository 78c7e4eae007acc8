"""What can be asked of a listing, and where a page ends."""

from dataclasses import dataclass
from enum import IntEnum

from dagcatalog_server.catalog.model import DagKey, DagState, ScheduleKind


class DeletedFilter(IntEnum):
    """What a filter does with tombstones; numbered as on the wire."""

    EXCLUDE = 1
    INCLUDE = 2
    ONLY = 3


class ListOrder(IntEnum):
    """Orders of a listing. Keys break ties, always ascending."""

    DAG_ID = 1
    DAG_ID_DESC = 2
    REVISION = 3
    REVISION_DESC = 4


@dataclass(frozen=True, slots=True)
class DagFilter:
    """Conditions on a DAG; all that are given must hold.

    `text` is looked for in dag_id, display name and description; ASCII letters match in either
    case. Everything else is exact.
    """

    namespace: str | None = None
    """None: every namespace."""
    dag_id_prefix: str = ""
    text: str = ""
    tags_any: tuple[str, ...] = ()
    tags_all: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    bundle_name: str = ""
    file: str = ""
    operators: tuple[str, ...] = ()
    schedule_kinds: tuple[ScheduleKind, ...] = ()
    changed_after_revision: int = 0
    deleted: DeletedFilter = DeletedFilter.EXCLUDE


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last row of a page: the next page begins after it."""

    key: DagKey
    revision: int


@dataclass(frozen=True, slots=True)
class ListQuery:
    """One page of a listing as it was at `revision`."""

    filter: DagFilter
    revision: int
    limit: int
    order: ListOrder = ListOrder.DAG_ID
    after: Cursor | None = None


@dataclass(frozen=True, slots=True)
class StateRow:
    """A state with the revision that made it."""

    revision: int
    state: DagState
