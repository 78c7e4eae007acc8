"""Everything the catalog can refuse, as one tree.

    CatalogError
    ├── InvalidArgument          a field of the request is wrong; says which
    ├── DagNotFound              no such DAG, or it is deleted
    ├── VersionNotFound          the DAG has no such version, or it was pruned
    ├── ContentNotFound          nothing has that content
    ├── ConsumerNotFound         nobody of that name is registered
    ├── PreconditionFailed       the head is not what the writer expected
    ├── NotDeleted               restore of a DAG that is there
    ├── RequestIdReused          the same request_id with another request
    ├── RevisionOutOfRange       compacted, in the future, or of another epoch
    ├── TooLarge                 over a limit of size or number
    ├── WatcherTooSlow           a watch's bounded queue is full
    ├── BlobCorrupt              stored bytes are not what their hash says
    ├── CatalogUnavailable       the database is away
    ├── CatalogFull              no room to write
    └── NotImplementedYet        declared in the contract, built in a later release

Each keeps its facts as fields; `details()` gives those that a client may see, as texts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from dagcatalog_server.catalog.model import ConsumerKey, DagKey, Position


class CatalogError(Exception):
    """Base of all. `reason` is the machine-readable name, stable across releases."""

    reason: str = "CATALOG_ERROR"

    def details(self) -> Mapping[str, str]:
        """Facts for the client, as ErrorInfo.metadata."""
        return {}


@dataclass(frozen=True)
class Violation:
    """One wrong field: its path in the request, continued into the document, and what is wrong."""

    field: str
    description: str


class InvalidArgument(CatalogError):
    """A field of the request is wrong."""

    reason = "INVALID_ARGUMENT"

    def __init__(self, field: str, description: str) -> None:
        super().__init__(f"{field}: {description}")
        self.violation = Violation(field, description)

    def within(self, prefix: str) -> "InvalidArgument":
        """Return the same error, its field path continued to the left."""
        return InvalidArgument(f"{prefix}.{self.violation.field}", self.violation.description)

    def details(self) -> Mapping[str, str]:
        return {"field": self.violation.field}


class _OfDag(CatalogError):
    """An error about one DAG."""

    def __init__(self, key: DagKey, message: str) -> None:
        super().__init__(message)
        self.key = key

    def details(self) -> Mapping[str, str]:
        return {"namespace": self.key.namespace, "dag_id": self.key.dag_id}


class DagNotFound(_OfDag):
    """No such DAG, or it is deleted."""

    reason = "DAG_NOT_FOUND"

    def __init__(self, key: DagKey, *, deleted_at_revision: int = 0) -> None:
        gone = f"; it was deleted at revision {deleted_at_revision}" if deleted_at_revision else ""
        super().__init__(key, f"no DAG named {key.dag_id!r} in namespace {key.namespace!r}{gone}")
        self.deleted_at_revision = deleted_at_revision

    def details(self) -> Mapping[str, str]:
        gone = {"deleted_at_revision": str(self.deleted_at_revision)}
        return {**super().details(), **(gone if self.deleted_at_revision else {})}


class VersionNotFound(_OfDag):
    """The DAG has no such version."""

    reason = "VERSION_NOT_FOUND"

    def __init__(self, key: DagKey, version: int, head_version: int) -> None:
        # Numbers are given in turn and kept until they are pruned.
        self.pruned = 0 < version < head_version
        why = "any more: it was pruned" if self.pruned else f"; its newest is {head_version}"
        gap = " " if self.pruned else ""
        super().__init__(key, f"DAG {key.dag_id!r} has no version {version}{gap}{why}")
        self.version = version
        self.head_version = head_version

    def details(self) -> Mapping[str, str]:
        own = {"version": str(self.version), "head_version": str(self.head_version)}
        return {**super().details(), **own, **({"pruned": "true"} if self.pruned else {})}


class ContentNotFound(CatalogError):
    """Nothing in the namespace has that content."""

    reason = "CONTENT_NOT_FOUND"

    def __init__(self, namespace: str, content_hash: str) -> None:
        super().__init__(f"no DAG in namespace {namespace!r} has the content {content_hash}")
        self.namespace = namespace
        self.content_hash = content_hash

    def details(self) -> Mapping[str, str]:
        return {"namespace": self.namespace, "content_hash": self.content_hash}


class ConsumerNotFound(CatalogError):
    """Nobody of that name is registered: it never watched, it left, or it was silent too long."""

    reason = "CONSUMER_NOT_FOUND"

    def __init__(self, key: ConsumerKey) -> None:
        super().__init__(
            f"no consumer {key.consumer_id!r} watches namespace {key.namespace!r}; "
            "a watch with its consumer_id registers it"
        )
        self.key = key

    def details(self) -> Mapping[str, str]:
        return {"namespace": self.key.namespace, "consumer_id": self.key.consumer_id}


class PreconditionFailed(_OfDag):
    """The head is not what the writer expected; version 0 and no hash: the DAG is not there."""

    reason = "PRECONDITION_FAILED"

    def __init__(self, key: DagKey, *, expected: str, version: int, content_hash: str) -> None:
        now = f"version {version} ({content_hash[:12]}…)" if version else "not there"
        super().__init__(key, f"DAG {key.dag_id!r} was expected {expected}, but it is {now}")
        self.expected = expected
        self.version = version
        self.content_hash = content_hash

    def details(self) -> Mapping[str, str]:
        own = {"version": str(self.version), "content_hash": self.content_hash}
        return {**super().details(), **own}


class NotDeleted(_OfDag):
    """Restore of a DAG that is there."""

    reason = "NOT_DELETED"

    def __init__(self, key: DagKey) -> None:
        super().__init__(key, f"DAG {key.dag_id!r} is not deleted: there is nothing to restore")


class RequestIdReused(CatalogError):
    """The same request_id came with another request."""

    reason = "REQUEST_ID_REUSED"

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"request_id {request_id!r} was used for another request; take a new id for a new write"
        )
        self.request_id = request_id

    def details(self) -> Mapping[str, str]:
        return {"request_id": self.request_id}


class RangeProblem(StrEnum):
    """What is wrong with a position."""

    COMPACTED = "REVISION_COMPACTED"
    FUTURE = "REVISION_IN_FUTURE"
    OTHER_EPOCH = "OTHER_EPOCH"


class RevisionOutOfRange(CatalogError):
    """A position that this history cannot serve; `oldest_revision` is the oldest that it can."""

    def __init__(
        self,
        problem: RangeProblem,
        asked: Position,
        now: Position,
        oldest_revision: int,
    ) -> None:
        self.problem = problem
        self.reason = problem.value
        super().__init__(_range_sentence(problem, asked, now, oldest_revision))
        self.asked = asked
        self.now = now
        self.oldest_revision = oldest_revision

    def details(self) -> Mapping[str, str]:
        return {
            "revision": str(self.asked.revision),
            "current_epoch": self.now.epoch,
            "current_revision": str(self.now.revision),
            "oldest_revision": str(self.oldest_revision),
        }


class TooLarge(CatalogError):
    """Over a limit of size or number, in the unit that `unit` names."""

    reason = "TOO_LARGE"

    def __init__(self, field: str, unit: str, *, size: int, limit: int) -> None:
        description = f"{size:,} {unit} are over the limit of {limit:,}"
        super().__init__(f"{field}: {description}")
        self.violation = Violation(field, description)
        self.unit = unit
        self.size = size
        self.limit = limit

    def within(self, prefix: str) -> "TooLarge":
        """Return the same error, its field path continued to the left."""
        field = f"{prefix}.{self.violation.field}"
        return TooLarge(field, self.unit, size=self.size, limit=self.limit)

    def details(self) -> Mapping[str, str]:
        return {"field": self.violation.field, "size": str(self.size), "limit": str(self.limit)}


class WatcherTooSlow(CatalogError):
    """A watch's queue is full; `resume` is the last position it was sent."""

    reason = "WATCHER_TOO_SLOW"

    def __init__(self, resume: Position, limit: int) -> None:
        super().__init__(
            f"the watch fell {limit:,} changes behind; resume after revision {resume.revision}"
        )
        self.resume = resume
        self.limit = limit

    def details(self) -> Mapping[str, str]:
        return {
            "resume_epoch": self.resume.epoch,
            "resume_revision": str(self.resume.revision),
            "limit": str(self.limit),
        }


class BlobCorrupt(CatalogError):
    """Stored bytes are not what their hash says."""

    reason = "BLOB_CORRUPT"

    def __init__(self, blob_hash: str, problem: str) -> None:
        super().__init__(f"stored content {blob_hash} is damaged: {problem}")
        self.blob_hash = blob_hash
        self.problem = problem

    def details(self) -> Mapping[str, str]:
        return {"hash": self.blob_hash}


class CatalogUnavailable(CatalogError):
    """The database is away; the same call may work after `retry_after_s`."""

    reason = "DATABASE_UNAVAILABLE"

    def __init__(self, retry_after_s: float = 1.0) -> None:
        super().__init__("the catalog's database cannot be reached; try again")
        self.retry_after_s = retry_after_s


class CatalogFull(CatalogError):
    """There is no room to write; reads go on."""

    reason = "STORAGE_FULL"

    def __init__(self) -> None:
        super().__init__("the catalog's storage is full; nothing was written")


class NotImplementedYet(CatalogError):
    """Declared in the contract, built in a later release."""

    reason = "NOT_IMPLEMENTED_YET"

    def __init__(self, feature: str) -> None:
        super().__init__(f"{feature} is declared in the contract but not built yet in this release")
        self.feature = feature

    def details(self) -> Mapping[str, str]:
        return {"feature": self.feature}


def _range_sentence(
    problem: RangeProblem, asked: Position, now: Position, oldest_revision: int
) -> str:
    match problem:
        case RangeProblem.COMPACTED:
            return (
                f"revision {asked.revision} is pruned; the oldest kept is {oldest_revision}: "
                "list again"
            )
        case RangeProblem.FUTURE:
            return f"revision {asked.revision} is not there yet; the catalog is at {now.revision}"
        case RangeProblem.OTHER_EPOCH:
            return (
                f"epoch {asked.epoch!r} is another history than {now.epoch!r} "
                "(the catalog was restored or replaced): list again"
            )
