"""What a write makes of a DAG's state, and what it may expect of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from dagcatalog_server.catalog.errors import PreconditionFailed
from dagcatalog_server.catalog.model import Change, DagKey, DagState
from dagcatalog_server.catalog.writes import FileRef, Precondition, PutOperation

ROLLBACK_REASON = "rollback-reason"


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes a state, when, and at which revision (a provisional one)."""

    actor: str
    now: datetime
    revision: int


def put_state(put: PutOperation, head: DagState | None, by: Author) -> DagState:
    """Make the first version of a DAG, or its next."""
    return DagState(
        key=put.key,
        version=head.version + 1 if head else 1,
        hashes=put.hashes,
        source_hash=put.source.hash if put.source else "",
        provenance=put.provenance,
        projection=put.projection,
        labels=put.labels or {},
        document_bytes=len(put.document.raw),
        source_bytes=len(put.source.raw) if put.source else 0,
        actor=by.actor,
        created_at=head.created_at if head else by.now,
        updated_at=by.now,
        version_revision=by.revision,
        version_actor=by.actor,
        version_created_at=by.now,
    )


def refreshed_state(put: PutOperation, head: DagState, by: Author) -> DagState:
    """Take the head with what may be new about an unchanged definition."""
    return replace(
        restored_state(head, by),
        hashes=put.hashes,
        source_hash=put.source.hash if put.source else head.source_hash,
        source_bytes=len(put.source.raw) if put.source else head.source_bytes,
        provenance=put.provenance,
        projection=put.projection,
        labels=head.labels if put.labels is None else put.labels,
        document_bytes=len(put.document.raw),
    )


def deleted_state(head: DagState, reason: str, by: Author) -> DagState:
    """Make a tombstone, which keeps what was there."""
    return replace(head, deleted=True, delete_reason=reason, actor=by.actor, updated_at=by.now)


def restored_state(head: DagState, by: Author) -> DagState:
    """Make a state of the same version that is there, whether the head is or not."""
    return replace(head, deleted=False, delete_reason="", actor=by.actor, updated_at=by.now)


def next_version(head: DagState, by: Author) -> DagState:
    """Make the head's next version, still with what the head holds."""
    return replace(
        restored_state(head, by),
        version=head.version + 1,
        version_revision=by.revision,
        version_actor=by.actor,
        version_created_at=by.now,
    )


def rolled_back_state(made: DagState, old: DagState, reason: str) -> DagState:
    """Give a state all that an old version held."""
    return replace(
        made,
        hashes=old.hashes,
        source_hash=old.source_hash,
        source_bytes=old.source_bytes,
        document_bytes=old.document_bytes,
        provenance=old.provenance,
        projection=old.projection,
        labels=_rollback_labels(old, reason),
    )


def _rollback_labels(old: DagState, reason: str) -> Mapping[str, str]:
    """Take the labels of a version, and the reason for its coming back instead of an older one."""
    kept = {name: text for name, text in old.labels.items() if name != ROLLBACK_REASON}
    return {**kept, ROLLBACK_REASON: reason} if reason else kept


def is_of(state: DagState, file: FileRef) -> bool:
    """Tell whether a state came from a file."""
    return (state.provenance.bundle_name, state.provenance.file) == (
        file.bundle_name,
        file.file,
    )


def says_the_same(new: DagState, old: DagState) -> bool:
    """Tell that nothing that means anything differs; a bundle's version alone does not (each commit has one)."""
    return (
        new.hashes.placement == old.hashes.placement
        and new.source_hash == old.source_hash
        and new.provenance.bundle_name == old.provenance.bundle_name
        and new.provenance.file == old.provenance.file
        and dict(new.labels) == dict(old.labels)
    )


def check_precondition(key: DagKey, precondition: Precondition | None, head: Change | None) -> None:
    """Refuse a write that expects another head.

    Raises:
        PreconditionFailed: tells what the head is.

    """
    if precondition is None:
        return
    state = head.state if head and not head.state.deleted else None
    version, content = (state.version, state.hashes.content) if state else (0, "")
    if precondition.version is not None:
        holds, expected = (
            precondition.version == version,
            f"at version {precondition.version}",
        )
    else:
        wanted = precondition.content_hash or ""
        holds, expected = wanted == content, f"with content {wanted[:12]}…"
    if not holds:
        absent = not (precondition.version or precondition.content_hash)
        raise PreconditionFailed(
            key,
            expected="not to be there" if absent else expected,
            version=version,
            content_hash=content,
        )
