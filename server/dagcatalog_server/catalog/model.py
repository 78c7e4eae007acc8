"""The nouns of the catalog, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum

DEFAULT_NAMESPACE = "default"


class ChangeKind(IntEnum):
    """What happened to a DAG in one revision; numbered as on the wire and in the store."""

    CREATED = 1
    NEW_VERSION = 2
    REFRESHED = 3
    DELETED = 4
    RESTORED = 5


class ChangeClass(IntEnum):
    """Which part of the definition a change touched."""

    STRUCTURE = 1
    SCHEDULE = 2
    METADATA = 3


class ScheduleKind(IntEnum):
    """How a DAG is scheduled."""

    NONE = 1
    ONCE = 2
    CONTINUOUS = 3
    CRON = 4
    DELTA = 5
    ASSET = 6
    ASSET_OR_TIME = 7
    EVENTS = 8
    CUSTOM = 9


class ParseErrorKind(IntEnum):
    """Why a DAG file gave no DAG."""

    IMPORT = 1
    SYNTAX = 2
    TIMEOUT = 3
    MEMORY = 4
    CRASH = 5
    SERIALIZE = 6
    REFUSED = 7


class BlobKind(IntEnum):
    """What a content-addressed blob holds."""

    DOCUMENT = 1
    SOURCE = 2


@dataclass(frozen=True, slots=True, order=True)
class DagKey:
    """Names a DAG: the Airflow deployment and its dag_id."""

    namespace: str
    dag_id: str


@dataclass(frozen=True, slots=True)
class Position:
    """A place in one history; revisions of different epochs are never compared."""

    epoch: str
    revision: int


@dataclass(frozen=True, slots=True)
class Clock:
    """The one row that orders everything."""

    epoch: str
    revision: int
    compacted_revision: int
    """Changes after this revision can still be read; 0 in a history that was never compacted."""

    @property
    def position(self) -> Position:
        """Where the history stands."""
        return Position(self.epoch, self.revision)


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes kept under their SHA-256; `hash` is of `raw`, in lower-case hexadecimal."""

    hash: str
    kind: BlobKind
    raw: bytes
    like: DagKey | None = field(default=None, compare=False)
    """A DAG whose head may hold something similar, so that only the difference need be stored."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a DAG runs, as read from its document."""

    kind: ScheduleKind = ScheduleKind.NONE
    text: str = ""
    timezone: str = ""
    timetable: str = ""


@dataclass(frozen=True, slots=True)
class Dependency:
    """One edge between DAGs or assets, as Airflow wrote it into the document."""

    source: str
    target: str
    label: str
    dependency_type: str
    dependency_id: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a document came from."""

    bundle_name: str = ""
    bundle_version: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True)
class Projection:
    """What is read out of a document at Put, so that lists never touch a blob.

    Texts hold no NUL (PostgreSQL refuses it): it is replaced by U+FFFD here, never in the document.
    """

    display_name: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    schedule: Schedule = Schedule()
    fileloc: str = ""
    task_count: int = 0
    operators: tuple[str, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    start_date: datetime | None = None
    end_date: datetime | None = None
    catchup: bool | None = None
    paused_at_creation: bool | None = None
    serialization_version: int = 0


@dataclass(frozen=True, slots=True)
class DefinitionHashes:
    """Hashes of a document and of its parts; all SHA-256 in lower-case hexadecimal."""

    content: str
    definition: str
    structure: str
    schedule: str
    metadata: str
    """Of what defines the DAG and is neither structure nor schedule."""
    placement: str
    """Of where the document says it was parsed (fileloc and the like)."""


@dataclass(frozen=True, slots=True)
class DagState:
    """One state of one DAG: what a change left behind. A tombstone keeps what was there."""

    key: DagKey
    version: int
    hashes: DefinitionHashes
    source_hash: str
    provenance: Provenance
    projection: Projection
    labels: Mapping[str, str]
    document_bytes: int
    source_bytes: int
    actor: str
    created_at: datetime
    """When the DAG was first put."""
    updated_at: datetime
    """When this state was made."""
    version_revision: int
    """Revision at which this version was first put; 0 while that revision is not known."""
    version_actor: str
    version_created_at: datetime
    deleted: bool = False
    delete_reason: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One row of the change log. `revision` is 0 until the clock has been taken."""

    revision: int
    ordinal: int
    kind: ChangeKind
    classes: tuple[ChangeClass, ...]
    state: DagState

    @property
    def key(self) -> DagKey:
        """Key of the DAG that changed."""
        return self.state.key

    def pointers(self) -> tuple[str, ...]:
        """Name the blobs that the state points at: its document, and its source if it has one."""
        state = self.state
        return tuple(each for each in (state.hashes.content, state.source_hash) if each)


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """The remembered outcome of a write that brought a request_id."""

    namespace: str
    request_id: str
    fingerprint: str
    """SHA-256 of the request without its id: the same id with another body is refused."""
    outcome: str
    """JSON, as the catalog wrote it; the store does not look inside."""
    created_at: datetime


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
    first_at: datetime
    last_at: datetime
    actor: str


@dataclass(frozen=True, slots=True, order=True)
class ConsumerKey:
    """Names a consumer: the Airflow deployment that it watches ("-": every one), and its own id."""

    namespace: str
    consumer_id: str


@dataclass(frozen=True, slots=True)
class Consumer:
    """Somebody who watches a namespace and says what it has applied."""

    key: ConsumerKey
    acknowledged: Position
    """The last position that it has applied; revision 0: it has not said."""
    heard_at: datetime
    """By the store's clock."""


@dataclass(frozen=True, slots=True)
class NamespaceCounts:
    """Counts of one namespace, for Status."""

    namespace: str
    dags: int
    deleted: int
    versions: int
    parse_errors: int


@dataclass(frozen=True, slots=True)
class StoreCounts:
    """What a store holds, for Status."""

    namespaces: tuple[NamespaceCounts, ...] = field(default=())
    blobs: int = 0
    stored_bytes: int = 0
    raw_bytes: int = 0
