"""Remembers what a write with a request_id did, so that a retry gets the first outcome."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from dagcatalog_server.catalog.errors import DagNotFound, RequestIdReused
from dagcatalog_server.catalog.model import (
    Change,
    ChangeKind,
    DagKey,
    DagState,
    DefinitionHashes,
    Projection,
    Provenance,
    RequestRecord,
)
from dagcatalog_server.catalog.ports import Snapshot
from dagcatalog_server.catalog.writes import DagOutcome, Write, WriteOutcome


def check_same_request(write: Write, fingerprint: str) -> None:
    """Refuse a request_id that an earlier, other request brought."""
    if write.fingerprint != fingerprint:
        raise RequestIdReused(write.request_id)


def record_of(write: Write, outcome: WriteOutcome, now: datetime) -> RequestRecord:
    """Make what is remembered of a write: which change made each state, not the states."""
    told = {
        "revision": outcome.revision,
        "operations": [_told(one) for one in outcome.operations],
        "deleted": [_told(one) for one in outcome.deleted],
    }
    return RequestRecord(
        write.namespace, write.request_id, write.fingerprint, json.dumps(told), now
    )


def _told(outcome: DagOutcome) -> list[object]:
    change = outcome.change
    state = change.state
    facts = [int(change.kind), state.version, state.version_revision, state.deleted]
    return [change.key.dag_id, change.revision, outcome.written, *facts, state.hashes.content]


def replay(snapshot: Snapshot, record: RequestRecord) -> WriteOutcome:
    """Tell again what a write did; states are read back from the change log."""
    told = json.loads(record.outcome)

    def outcomes(rows: Sequence[Sequence[Any]]) -> tuple[DagOutcome, ...]:
        return tuple(_recall(snapshot, record, *row) for row in rows)

    return WriteOutcome(told["revision"], outcomes(told["operations"]), outcomes(told["deleted"]))


def _recall(
    snapshot: Snapshot,
    record: RequestRecord,
    dag_id: str,
    revision: int,
    written: bool,  # noqa: FBT001 - as the record has it
    *facts: Any,  # an int, as many again, a bool, a text; none in a record of an older release
) -> DagOutcome:
    key = DagKey(record.namespace, dag_id)
    change = snapshot.state_at(key, revision)
    if change is None and facts:
        change = _pruned(key, revision, record.created_at, *facts)
    if change is None:
        raise DagNotFound(key)
    return DagOutcome(change, written)


def _pruned(
    key: DagKey,
    revision: int,
    at: datetime,
    kind: int,
    version: int,
    version_revision: int,
    deleted: bool,  # noqa: FBT001 - as the record has it
    content_hash: str,
) -> Change:
    """Make what is left to tell of a state that was pruned within the day: what became of the write."""
    state = DagState(
        key=key,
        version=version,
        hashes=DefinitionHashes(content_hash, "", "", "", "", ""),
        source_hash="",
        provenance=Provenance(),
        projection=Projection(),
        labels={},
        document_bytes=0,
        source_bytes=0,
        actor="",
        created_at=at,
        updated_at=at,
        version_revision=version_revision,
        version_actor="",
        version_created_at=at,
        deleted=deleted,
    )
    return Change(revision, 0, ChangeKind(kind), (), state)
