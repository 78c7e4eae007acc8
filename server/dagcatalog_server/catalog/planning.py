"""Decides what writes do, against the heads they meet: pure, but for reading those heads.

Writes of a group share one transaction. Each is planned on top of those before it, so that one
that fails leaves no trace and its neighbours never notice.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from dagcatalog_server.catalog.definition import changed_classes
from dagcatalog_server.catalog.errors import (
    DagNotFound,
    NotDeleted,
    PreconditionFailed,
)
from dagcatalog_server.catalog.model import (
    Change,
    ChangeClass,
    ChangeKind,
    DagKey,
    DagState,
)
from dagcatalog_server.catalog.ports import Snapshot
from dagcatalog_server.catalog.provisional import latest
from dagcatalog_server.catalog.remembering import check_same_request, replay
from dagcatalog_server.catalog.writes import (
    DagOutcome,
    DeleteOperation,
    FileRef,
    Operation,
    Precondition,
    PutOperation,
    RestoreOperation,
    Write,
    WriteOutcome,
)

EVERY_CLASS = (ChangeClass.STRUCTURE, ChangeClass.SCHEDULE, ChangeClass.METADATA)


@dataclass
class Plan:
    """The changes of a group of writes, one list a revision.

    Until the clock is taken their revisions are provisional (`catalog.provisional`).
    """

    snapshot: Snapshot
    now: datetime
    revisions: list[list[Change]] = field(default_factory=list)
    records: list[tuple[Write, WriteOutcome]] = field(default_factory=list)
    _heads: dict[DagKey, Change] = field(default_factory=dict)
    _known: set[DagKey] = field(default_factory=set)
    _read_revision: int = -1

    def prefetch(self, writes: Iterable[Write]) -> None:
        """Read the clock, then the heads that the writes name, in one question."""
        self._read_revision = self.snapshot.clock().revision
        keys = {operation.key for write in writes for operation in write.operations}
        self._heads.update(self.snapshot.heads(keys))
        self._known |= keys

    def add(self, write: Write) -> WriteOutcome:
        """Plan one write.

        Raises:
            CatalogError: the write is refused; the plan is as it was.

        """
        if (first := self._first_outcome(write)) is not None:
            return first
        draft = _Draft(self, provisional=-1 - len(self.revisions))
        operations = tuple(draft.apply(operation, write.actor) for operation in write.operations)
        gone = draft.delete_others(write) if write.replace else ()
        if not draft.changes:
            seen = [outcome.change.revision for outcome in operations]
            return WriteOutcome(latest(self._read_revision, *seen), operations, gone)
        outcome = WriteOutcome(draft.provisional, operations, gone)
        self._keep(write, draft, outcome)
        return outcome

    def head(self, key: DagKey) -> Change | None:
        """The head of a DAG as the plan stands."""
        if key not in self._known:
            self._heads.update(self.snapshot.heads([key]))
            self._known.add(key)
        return self._heads.get(key)

    def heads_of_file(self, namespace: str, file: FileRef) -> Mapping[DagKey, Change]:
        """Live heads of a file as the plan stands, by key."""
        stored = self.snapshot.file_heads(namespace, file.bundle_name, file.file)
        for change in stored:
            if change.key not in self._known:
                self._heads[change.key] = change
                self._known.add(change.key)
        return {
            key: head
            for key, head in sorted(self._heads.items())
            if key.namespace == namespace and not head.state.deleted and _is_of(head.state, file)
        }

    def _first_outcome(self, write: Write) -> WriteOutcome | None:
        """What the same request did before, in this group or a day ago."""
        if not write.request_id or write.validate_only:
            return None
        for earlier, outcome in self.records:
            if (earlier.namespace, earlier.request_id) == (
                write.namespace,
                write.request_id,
            ):
                check_same_request(write, earlier.fingerprint)
                return outcome
        record = self.snapshot.request(write.namespace, write.request_id)
        if record is None:
            return None
        check_same_request(write, record.fingerprint)
        return replay(self.snapshot, record)

    def _keep(self, write: Write, draft: "_Draft", outcome: WriteOutcome) -> None:
        self.revisions.append(draft.changes)
        self._heads.update(draft.heads)
        if write.request_id:
            self.records.append((write, outcome))


@dataclass
class _Draft:
    """One write being planned; thrown away if the write is refused."""

    plan: Plan
    provisional: int
    changes: list[Change] = field(default_factory=list)
    heads: dict[DagKey, Change] = field(default_factory=dict)

    def apply(self, operation: Operation, actor: str) -> DagOutcome:
        head = self.heads.get(operation.key) or self.plan.head(operation.key)
        match operation:
            case PutOperation():
                return self._put(operation, head, actor)
            case DeleteOperation():
                _check_precondition(operation.key, operation.precondition, head)
                return self._delete(operation.key, head, operation.reason, actor)
            case RestoreOperation():
                return self._restore(operation.key, head, actor)

    def delete_others(self, write: Write) -> tuple[DagOutcome, ...]:
        """Set tombstones on the DAGs that a file no longer holds."""
        if write.replace is None:
            return ()
        kept = {operation.key for operation in write.operations}
        reason = f"no longer in {write.replace.file}"
        return tuple(
            self._delete(key, head, reason, write.actor)
            for key, head in self.plan.heads_of_file(write.namespace, write.replace).items()
            if key not in kept
        )

    def _put(self, put: PutOperation, head: Change | None, actor: str) -> DagOutcome:
        _check_precondition(put.key, put.precondition, head)
        if head is None:
            return self._write(ChangeKind.CREATED, EVERY_CLASS, self._new_state(put, None, actor))
        same = head.state.hashes.definition == put.hashes.definition
        if not same:
            state = self._new_state(put, head, actor)
            if head.state.deleted:
                return self._write(ChangeKind.CREATED, EVERY_CLASS, state)
            classes = changed_classes(head.state.hashes, put.hashes)
            return self._write(ChangeKind.NEW_VERSION, classes, state)
        state = self._same_version(put, head, actor)
        if head.state.deleted:
            return self._write(ChangeKind.RESTORED, EVERY_CLASS, state)
        if _says_the_same(state, head.state):
            return DagOutcome(head, written=False)
        return self._write(ChangeKind.REFRESHED, (ChangeClass.METADATA,), state)

    def _delete(self, key: DagKey, head: Change | None, reason: str, actor: str) -> DagOutcome:
        if head is None or head.state.deleted:
            raise DagNotFound(key, deleted_at_revision=max(head.revision, 0) if head else 0)
        state = replace(
            head.state,
            deleted=True,
            delete_reason=reason,
            actor=actor,
            updated_at=self.plan.now,
        )
        return self._write(ChangeKind.DELETED, EVERY_CLASS, state)

    def _restore(self, key: DagKey, head: Change | None, actor: str) -> DagOutcome:
        if head is None:
            raise DagNotFound(key)
        if not head.state.deleted:
            raise NotDeleted(key)
        state = replace(
            head.state,
            deleted=False,
            delete_reason="",
            actor=actor,
            updated_at=self.plan.now,
        )
        return self._write(ChangeKind.RESTORED, EVERY_CLASS, state)

    def _write(
        self, kind: ChangeKind, classes: tuple[ChangeClass, ...], state: DagState
    ) -> DagOutcome:
        change = Change(self.provisional, len(self.changes), kind, classes, state)
        self.changes.append(change)
        self.heads[change.key] = change
        return DagOutcome(change, written=True)

    def _new_state(self, put: PutOperation, head: Change | None, actor: str) -> DagState:
        now = self.plan.now
        return DagState(
            key=put.key,
            version=head.state.version + 1 if head else 1,
            hashes=put.hashes,
            source_hash=put.source.hash if put.source else "",
            provenance=put.provenance,
            projection=put.projection,
            labels=put.labels or {},
            document_bytes=len(put.document.raw),
            source_bytes=len(put.source.raw) if put.source else 0,
            actor=actor,
            created_at=head.state.created_at if head else now,
            updated_at=now,
            version_revision=self.provisional,
            version_actor=actor,
            version_created_at=now,
        )

    def _same_version(self, put: PutOperation, head: Change, actor: str) -> DagState:
        """The head with what may be new about an unchanged definition."""
        return replace(
            head.state,
            hashes=put.hashes,
            source_hash=put.source.hash if put.source else head.state.source_hash,
            source_bytes=len(put.source.raw) if put.source else head.state.source_bytes,
            provenance=put.provenance,
            projection=put.projection,
            labels=head.state.labels if put.labels is None else put.labels,
            document_bytes=len(put.document.raw),
            actor=actor,
            updated_at=self.plan.now,
            deleted=False,
            delete_reason="",
        )


def _is_of(state: DagState, file: FileRef) -> bool:
    return (state.provenance.bundle_name, state.provenance.file) == (
        file.bundle_name,
        file.file,
    )


def _says_the_same(new: DagState, old: DagState) -> bool:
    """Nothing that means anything differs; a bundle's version alone does not (each commit has one)."""
    return (
        new.hashes.placement == old.hashes.placement
        and new.source_hash == old.source_hash
        and new.provenance.bundle_name == old.provenance.bundle_name
        and new.provenance.file == old.provenance.file
        and dict(new.labels) == dict(old.labels)
    )


def _check_precondition(
    key: DagKey, precondition: Precondition | None, head: Change | None
) -> None:
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
