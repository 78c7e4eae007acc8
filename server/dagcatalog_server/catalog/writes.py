"""What a writer asks for, checked and hashed before any transaction begins."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dagcatalog_server.catalog.canonical import DocumentLimits, canonicalize
from dagcatalog_server.catalog.definition import hash_document
from dagcatalog_server.catalog.errors import InvalidArgument, TooLarge
from dagcatalog_server.catalog.model import (
    Blob,
    BlobKind,
    Change,
    DagKey,
    DefinitionHashes,
    Projection,
    Provenance,
)
from dagcatalog_server.catalog.names import (
    MAX_LABEL,
    check_hash,
    check_key,
    check_labels,
    check_namespace,
    check_provenance,
    check_text,
)
from dagcatalog_server.catalog.projection import project, relative_file

MAX_BATCH_ITEMS = 1_000
MAX_REQUEST_ID = 128
MAX_REASON = 1_000


@dataclass(frozen=True, slots=True)
class WriteLimits:
    """Bounds of a write."""

    document: DocumentLimits = DocumentLimits()
    max_source_bytes: int = 4 * 1024**2


@dataclass(frozen=True, slots=True)
class Precondition:
    """What must be true of the head; the one that is not None. 0 or "": there must be none."""

    version: int | None = None
    content_hash: str | None = None


@dataclass(frozen=True, slots=True)
class FileRef:
    """A DAG file: its bundle and its path inside it."""

    bundle_name: str
    file: str


@dataclass(frozen=True, slots=True)
class PutItem:
    """One DAG as it was sent. `source` None: not sent."""

    dag_id: str
    document: bytes
    source: str | None = None
    provenance: Provenance = Provenance()
    labels: Mapping[str, str] | None = None
    precondition: Precondition | None = None


@dataclass(frozen=True, slots=True)
class PutOperation:
    """One DAG, checked, hashed and projected."""

    key: DagKey
    hashes: DefinitionHashes
    projection: Projection
    provenance: Provenance
    labels: Mapping[str, str] | None
    precondition: Precondition | None
    document: Blob
    source: Blob | None


@dataclass(frozen=True, slots=True)
class DeleteOperation:
    """Set a tombstone."""

    key: DagKey
    reason: str
    precondition: Precondition | None = None


@dataclass(frozen=True, slots=True)
class RestoreOperation:
    """Take a tombstone away."""

    key: DagKey


@dataclass(frozen=True, slots=True)
class RollbackOperation:
    """Put back what a version was: its document, source, provenance and labels."""

    key: DagKey
    version: int
    reason: str
    precondition: Precondition | None = None


Operation = PutOperation | DeleteOperation | RestoreOperation | RollbackOperation


@dataclass(frozen=True, slots=True)
class Write:
    """What is committed together: all of it, at one revision, or nothing."""

    namespace: str
    actor: str
    operations: tuple[Operation, ...]
    replace: FileRef | None = None
    """The operations are all DAGs of this file: its others are deleted."""
    request_id: str = ""
    fingerprint: str = ""
    """SHA-256 of the request without its id."""
    validate_only: bool = False

    def blob_bytes(self) -> int:
        """Add up what the write brings, before compression."""
        return sum(len(blob.raw) for blob in self.blobs())

    def blobs(self) -> Iterator[Blob]:
        """Yield what must be durable before the write."""
        for operation in self.operations:
            if isinstance(operation, PutOperation):
                yield operation.document
                if operation.source:
                    yield operation.source


def prepare_put(
    namespace: str,
    item: PutItem,
    limits: WriteLimits,
    *,
    default_file: FileRef | None = None,
) -> PutOperation:
    """Check one DAG. Field paths of errors are relative to the item.

    Raises:
        InvalidArgument, TooLarge: what is wrong, and where in the document.

    """
    key = check_key(namespace, item.dag_id)
    document = canonicalize(item.document, limits.document)
    _check_dag(document.tree, item.dag_id)
    labels = check_labels(item.labels) if item.labels else None
    hashes = hash_document(document)
    return PutOperation(
        key=key,
        hashes=hashes,
        projection=project(document.tree),
        provenance=_provenance(item, document.tree, default_file),
        labels=labels,
        precondition=check_precondition(item.precondition),
        document=Blob(hashes.content, BlobKind.DOCUMENT, document.raw, like=key),
        source=_source(key, item.source, limits.max_source_bytes),
    )


def prepare_batch(
    namespace: str,
    items: Sequence[PutItem],
    limits: WriteLimits,
    *,
    file: FileRef | None,
) -> tuple[PutOperation, ...]:
    """Check the DAGs of a batch; with `file` they are all of that file.

    Raises:
        InvalidArgument, TooLarge: with field paths that begin with `items[…]`.

    """
    if len(items) > MAX_BATCH_ITEMS:
        raise TooLarge("items", "items", size=len(items), limit=MAX_BATCH_ITEMS)
    if file:
        check_provenance(Provenance(file.bundle_name, "", file.file))
    made: dict[DagKey, PutOperation] = {}
    for place, item in enumerate(items):
        try:
            operation = prepare_put(namespace, item, limits, default_file=file)
        except (InvalidArgument, TooLarge) as error:
            raise error.within(f"items[{place}]") from error
        if operation.key in made:
            raise InvalidArgument(f"items[{place}].dag_id", f"{item.dag_id!r} is there twice")
        made[operation.key] = operation
    return tuple(made.values())


def check_precondition(precondition: Precondition | None) -> Precondition | None:
    """Return a precondition whose fields make sense."""
    if precondition is None:
        return None
    if precondition.version is not None and precondition.version < 0:
        raise InvalidArgument("precondition.version", "must not be negative")
    if precondition.content_hash:
        check_hash("precondition.content_hash", precondition.content_hash)
    return precondition


def check_write(write: Write) -> Write:
    """Return a write whose small fields are in order."""
    check_namespace(write.namespace)
    check_text("request_id", write.request_id, MAX_REQUEST_ID)
    for operation in write.operations:
        if isinstance(operation, DeleteOperation):
            check_text("reason", operation.reason, MAX_REASON)
            check_precondition(operation.precondition)
        elif isinstance(operation, RollbackOperation):
            if operation.version < 1:
                raise InvalidArgument("version", f"must be at least 1, not {operation.version}")
            check_text("reason", operation.reason, MAX_LABEL)
            check_precondition(operation.precondition)
    return write


def _check_dag(tree: Mapping[str, object], dag_id: str) -> None:
    dag = tree.get("dag")
    if not isinstance(dag, dict):
        raise InvalidArgument("document.dag", "must be an object: the serialized DAG")
    if dag.get("dag_id") != dag_id:
        raise InvalidArgument("document.dag.dag_id", f"must be {dag_id!r}, the dag_id of the item")


def _provenance(item: PutItem, tree: Mapping[str, object], file: FileRef | None) -> Provenance:
    given = item.provenance
    if file:
        if given.file and (given.file, given.bundle_name) != (
            file.file,
            file.bundle_name,
        ):
            raise InvalidArgument("provenance.file", "must be the file that `replace` names")
        given = replace(given, file=file.file, bundle_name=file.bundle_name)
    return check_provenance(given if given.file else replace(given, file=relative_file(tree)))


def _source(key: DagKey, text: str | None, limit: int) -> Blob | None:
    if text is None:
        return None
    raw = text.encode()
    if len(raw) > limit:
        raise TooLarge("source.text", "bytes", size=len(raw), limit=limit)
    return Blob(hashlib.sha256(raw).hexdigest(), BlobKind.SOURCE, raw, like=key)


@dataclass(frozen=True, slots=True)
class DagOutcome:
    """What a write did to one DAG: the change that made its present state, and whether it is new.

    `written` False: UNCHANGED; `change` is the head as it was.
    """

    change: Change
    written: bool


@dataclass(frozen=True, slots=True)
class WriteOutcome:
    """What a write did."""

    revision: int
    """A read at this revision or later sees it."""
    operations: tuple[DagOutcome, ...]
    """One for each operation, in order."""
    deleted: tuple[DagOutcome, ...] = ()
    """Tombstones that `replace` set, by dag_id."""
    epoch: str = ""
    """Of the history that the revision is of: the transaction's, since a restore may come between
    any two. Empty while the write is planned."""
