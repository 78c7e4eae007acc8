"""Decides what writes do, against the heads they meet: pure, but for reading those heads.

Writes of a group share one transaction. Each is planned on top of those before it, so that one
that fails leaves no trace and its neighbours never notice.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from dagcatalog_server.catalog.definition import changed_classes
from dagcatalog_server.catalog.errors import (
    DagNotFound,
    NotDeleted,
    VersionNotFound,
)
from dagcatalog_server.catalog.model import (
    Change,
    ChangeClass,
    ChangeKind,
    DagKey,
    DagState,
    Position,
    RequestRecord,
)
from dagcatalog_server.catalog.ports import Snapshot
from dagcatalog_server.catalog.provisional import latest
from dagcatalog_server.catalog.remembering import check_same_request, replay
from dagcatalog_server.catalog.states import (
    Author,
    check_precondition,
    deleted_state,
    is_of,
    next_version,
    put_state,
    refreshed_state,
    restored_state,
    rolled_back_state,
    says_the_same,
)
from dagcatalog_server.catalog.writes import (
    DagOutcome,
    DeleteOperation,
    FileRef,
    Operation,
    PutOperation,
    RestoreOperation,
    RollbackOperation,
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
    _requests: dict[tuple[str, str], RequestRecord] = field(default_factory=dict)
    read_position: Position = field(default=Position("", -1))
    """Where the catalog stood when the plan began."""

    def prefetch(self, writes: Iterable[Write]) -> None:
        """Read what the writes need, in few questions: clock, first outcomes, heads.

        Each write that is added must have been among them, if it has a request_id.
        """
        self.read_position = self.snapshot.clock().position
        self._requests.update(_remembered(self.snapshot, writes))
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
            return WriteOutcome(latest(self.read_position.revision, *seen), operations, gone)
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
            if key.namespace == namespace and not head.state.deleted and is_of(head.state, file)
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
        record = self._requests.get((write.namespace, write.request_id))
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
                check_precondition(operation.key, operation.precondition, head)
                return self._delete(operation.key, head, operation.reason, actor)
            case RestoreOperation():
                return self._restore(operation.key, head, actor)
            case RollbackOperation():
                check_precondition(operation.key, operation.precondition, head)
                return self._roll_back(operation, head, actor)

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
        check_precondition(put.key, put.precondition, head)
        if head is None:
            return self._write(
                ChangeKind.CREATED, EVERY_CLASS, put_state(put, None, self._by(actor))
            )
        same = head.state.hashes.definition == put.hashes.definition
        if not same:
            state = put_state(put, head.state, self._by(actor))
            if head.state.deleted:
                return self._write(ChangeKind.CREATED, EVERY_CLASS, state)
            classes = changed_classes(head.state.hashes, put.hashes)
            return self._write(ChangeKind.NEW_VERSION, classes, state)
        state = refreshed_state(put, head.state, self._by(actor))
        if head.state.deleted:
            return self._write(ChangeKind.RESTORED, EVERY_CLASS, state)
        if says_the_same(state, head.state):
            return DagOutcome(head, written=False)
        return self._write(ChangeKind.REFRESHED, (ChangeClass.METADATA,), state)

    def _delete(self, key: DagKey, head: Change | None, reason: str, actor: str) -> DagOutcome:
        if head is None or head.state.deleted:
            raise DagNotFound(key, deleted_at_revision=max(head.revision, 0) if head else 0)
        state = deleted_state(head.state, reason, self._by(actor))
        return self._write(ChangeKind.DELETED, EVERY_CLASS, state)

    def _restore(self, key: DagKey, head: Change | None, actor: str) -> DagOutcome:
        if head is None:
            raise DagNotFound(key)
        if not head.state.deleted:
            raise NotDeleted(key)
        state = restored_state(head.state, self._by(actor))
        return self._write(ChangeKind.RESTORED, EVERY_CLASS, state)

    def _roll_back(
        self, operation: RollbackOperation, head: Change | None, actor: str
    ) -> DagOutcome:
        """Do as a Put of what that version was: see `_put` for what it makes of the head."""
        if head is None:
            raise DagNotFound(operation.key)
        old = self._version(operation.key, operation.version)
        if old is None:
            raise VersionNotFound(operation.key, operation.version, head.state.version)
        same = head.state.hashes.definition == old.hashes.definition
        if same and not head.state.deleted:
            return DagOutcome(head, written=False)
        by = self._by(actor)
        became = restored_state(head.state, by) if same else next_version(head.state, by)
        made = rolled_back_state(became, old, operation.reason)
        if same:
            return self._write(ChangeKind.RESTORED, EVERY_CLASS, made)
        if head.state.deleted:
            return self._write(ChangeKind.CREATED, EVERY_CLASS, made)
        classes = changed_classes(head.state.hashes, old.hashes)
        return self._write(ChangeKind.NEW_VERSION, classes, made)

    def _version(self, key: DagKey, version: int) -> DagState | None:
        """Find what a version was last, among the group's own first."""
        earlier = [change for changes in self.plan.revisions for change in changes]
        for change in reversed([*earlier, *self.changes]):
            state = change.state
            if state.key == key and state.version == version and not state.deleted:
                return state
        found = self.plan.snapshot.state_of_version(key, version)
        return found.state if found else None

    def _by(self, actor: str) -> Author:
        return Author(actor, self.plan.now, self.provisional)

    def _write(
        self, kind: ChangeKind, classes: tuple[ChangeClass, ...], state: DagState
    ) -> DagOutcome:
        change = Change(self.provisional, len(self.changes), kind, classes, state)
        self.changes.append(change)
        self.heads[change.key] = change
        return DagOutcome(change, written=True)


def _remembered(
    snapshot: Snapshot, writes: Iterable[Write]
) -> Iterator[tuple[tuple[str, str], RequestRecord]]:
    """Read what the request_ids of writes did before, with one question a namespace."""
    asked: dict[str, set[str]] = {}
    for write in writes:
        if write.request_id and not write.validate_only:
            asked.setdefault(write.namespace, set()).add(write.request_id)
    for namespace, request_ids in asked.items():
        for request_id, record in snapshot.requests(namespace, sorted(request_ids)).items():
            yield (namespace, request_id), record
