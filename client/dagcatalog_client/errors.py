"""Everything that a call can raise, as one tree.

    CatalogError                   code, reason, request_id, metadata
    ├── InvalidArgument            field_path, violations; also a ValueError
    ├── NotFound
    │   ├── DagNotFound            namespace, dag_id, deleted_at_revision
    │   ├── VersionNotFound        namespace, dag_id, version, head_version
    │   ├── ContentNotFound        namespace, content_hash
    │   └── ConsumerNotFound       namespace, consumer_id
    ├── Conflict                   the write did not happen: something else is there
    │   ├── PreconditionFailed     namespace, dag_id, version, content_hash: what it is now
    │   ├── NotDeleted             namespace, dag_id
    │   └── RequestIdReused        write_id
    ├── OutOfRange                 revision, current, oldest_revision: list again
    │   ├── RevisionCompacted
    │   ├── RevisionInFuture
    │   └── OtherEpoch             the catalog was restored: forget_position(), list again
    ├── LimitExceeded
    │   ├── TooLarge               field_path, size, limit
    │   ├── WatcherTooSlow         resume, limit
    │   └── StorageFull
    ├── Unavailable                retry_after_s
    │   ├── DatabaseUnavailable
    │   └── TlsFailed              the two ends do not trust or do not understand each other
    ├── DeadlineExceeded           the call may or may not have happened
    ├── Cancelled
    ├── Unauthenticated
    ├── PermissionDenied
    ├── NotImplementedYet          feature
    ├── InternalError              tell the operator its request_id
    │   └── BlobCorrupt            content_hash
    ├── InvalidSettings            nothing was sent: an address, a file, a context is wrong; also a
    │                              ValueError
    ├── ClientClosed               a call on a client that was closed
    ├── NotSynced                  an informer that has nothing to serve yet
    └── ForkedChild                the process was forked, and grpc must not be used in it

Fields that an answer did not carry are empty texts and zeros. The `grpc.RpcError`, if there was
one, is on `__cause__`; it never comes out by itself.
"""

from collections.abc import Mapping

from dagcatalog_client.facts import Facts
from dagcatalog_client.position import Position


class CatalogError(Exception):
    """Base of all. `reason` is the machine-readable name, stable across releases."""

    def __init__(self, message: str, facts: Facts | None = None) -> None:
        super().__init__(message)
        self.facts = facts or Facts()

    @property
    def code(self) -> str:
        """Name of the gRPC status code; empty if the client itself refused."""
        return self.facts.code

    @property
    def reason(self) -> str:
        """ErrorInfo.reason; empty if there was none."""
        return self.facts.reason

    @property
    def request_id(self) -> str:
        """The server's name of the failed call, as its log has it."""
        return self.facts.request_id

    @property
    def metadata(self) -> Mapping[str, str]:
        """Every fact of the answer, as texts."""
        return self.facts.metadata


class _OfDag(CatalogError):
    @property
    def namespace(self) -> str:
        """Airflow deployment of the DAG."""
        return self.facts.text("namespace")

    @property
    def dag_id(self) -> str:
        """The DAG."""
        return self.facts.text("dag_id")


class InvalidArgument(CatalogError, ValueError):
    """A field of the request is wrong."""

    @property
    def field_path(self) -> str:
        """Path of the first wrong field, continued into the document."""
        first = self.facts.violations[0].field if self.facts.violations else ""
        return first or self.facts.text("field")


class NotFound(CatalogError):
    """What was asked for is not there."""


class DagNotFound(NotFound, _OfDag):
    """No such DAG, or it is deleted."""

    @property
    def deleted_at_revision(self) -> int:
        """Revision of its tombstone; 0 if there never was such a DAG."""
        return self.facts.number("deleted_at_revision")


class VersionNotFound(NotFound, _OfDag):
    """The DAG has no such version."""

    @property
    def version(self) -> int:
        """What was asked for."""
        return self.facts.number("version")

    @property
    def head_version(self) -> int:
        """The newest there is."""
        return self.facts.number("head_version")


class ContentNotFound(NotFound):
    """Nothing in the namespace has that content."""

    @property
    def namespace(self) -> str:
        """Where it was looked for."""
        return self.facts.text("namespace")

    @property
    def content_hash(self) -> str:
        """What was looked for."""
        return self.facts.text("content_hash")


class ConsumerNotFound(NotFound):
    """Nobody of that name is registered: it never watched, it left, or it was silent too long."""

    @property
    def namespace(self) -> str:
        """Airflow deployment that was named."""
        return self.facts.text("namespace")

    @property
    def consumer_id(self) -> str:
        """Who acknowledged."""
        return self.facts.text("consumer_id")


class Conflict(CatalogError):
    """The write did not happen: something else is there."""


class PreconditionFailed(Conflict, _OfDag):
    """The head is not what the writer expected."""

    @property
    def version(self) -> int:
        """The head's version now; 0: the DAG is not there."""
        return self.facts.number("version")

    @property
    def content_hash(self) -> str:
        """The head's content now."""
        return self.facts.text("content_hash")


class NotDeleted(Conflict, _OfDag):
    """Restore of a DAG that is there."""


class RequestIdReused(Conflict):
    """The same request_id came with another request."""

    @property
    def write_id(self) -> str:
        """The request_id that was given with the write."""
        return self.facts.text("request_id")


class OutOfRange(CatalogError):
    """A position that this history cannot serve: list again, and go on from there."""

    @property
    def revision(self) -> int:
        """What was asked for."""
        return self.facts.number("revision")

    @property
    def current(self) -> Position:
        """Where the catalog stands."""
        return self.facts.position("current")

    @property
    def oldest_revision(self) -> int:
        """The oldest revision that it can serve."""
        return self.facts.number("oldest_revision")


class RevisionCompacted(OutOfRange):
    """That past is pruned."""


class RevisionInFuture(OutOfRange):
    """That revision is not there yet."""


class OtherEpoch(OutOfRange):
    """The catalog was restored or replaced: positions of before mean nothing now."""


class LimitExceeded(CatalogError):
    """Over a limit of size, number, rate or room."""


class TooLarge(LimitExceeded):
    """A field is over its limit, in the unit that the sentence names."""

    @property
    def field_path(self) -> str:
        """The field."""
        return self.facts.text("field")

    @property
    def size(self) -> int:
        """How much it was."""
        return self.facts.number("size")

    @property
    def limit(self) -> int:
        """How much it may be."""
        return self.facts.number("limit")


class WatcherTooSlow(LimitExceeded):
    """The watch fell behind and was ended; watch again after `resume`."""

    @property
    def resume(self) -> Position:
        """The last position that was sent."""
        return self.facts.position("resume")

    @property
    def limit(self) -> int:
        """Changes that the server keeps for one watch."""
        return self.facts.number("limit")


class StorageFull(LimitExceeded):
    """There is no room to write; reads go on."""


class Unavailable(CatalogError):
    """The catalog cannot be reached or is stopping; the same call may work later."""

    @property
    def retry_after_s(self) -> float | None:
        """When the server says it is worth trying; None if it does not say."""
        return self.facts.retry_after_s


class DatabaseUnavailable(Unavailable):
    """The catalog is there, its database is away."""


class TlsFailed(Unavailable):
    """Client and server agree on no secure connection: a certificate, or TLS at one end only.

    Trying again helps only once somebody has mended it.
    """


class DeadlineExceeded(CatalogError):
    """No answer in time. A write may or may not have happened: its request_id tells."""


class Cancelled(CatalogError):
    """The call was cancelled."""


class Unauthenticated(CatalogError):
    """The catalog does not know who calls."""


class PermissionDenied(CatalogError):
    """The caller may not do that."""


class NotImplementedYet(CatalogError):
    """Declared in the contract, not built in the server's release."""

    @property
    def feature(self) -> str:
        """What is missing."""
        return self.facts.text("feature")


class InternalError(CatalogError):
    """Something broke in the catalog; its log has the details under `request_id`."""


class BlobCorrupt(InternalError):
    """Stored bytes are not what their hash says."""

    @property
    def content_hash(self) -> str:
        """The damaged content."""
        return self.facts.text("hash")


class InvalidSettings(CatalogError, ValueError):
    """What the client was set to cannot be: an address, a file, a context."""


class ClientClosed(CatalogError):
    """The client was closed before the call."""


class NotSynced(CatalogError):
    """The informer has had no state of the catalog yet; what keeps it from one is on `__cause__`."""


class ForkedChild(CatalogError):
    """The process was forked after the catalog was first called: only what is here can be served."""


def forked_child(wanted: str = "the client") -> ForkedChild:
    """Return the error of whoever needs the catalog in a child."""
    return ForkedChild(
        f"{wanted}: this process was forked from the one that talks to the catalog, and grpc cannot "
        "be used in it"
    )
