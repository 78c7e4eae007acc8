"""Remembers what a write with a request_id did, so that a retry gets the first outcome."""

import json
from collections.abc import Sequence
from datetime import datetime

from dagcatalog_server.catalog.errors import DagNotFound, RequestIdReused
from dagcatalog_server.catalog.model import DagKey, RequestRecord
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
    return [outcome.change.key.dag_id, outcome.change.revision, outcome.written]


def replay(snapshot: Snapshot, record: RequestRecord) -> WriteOutcome:
    """Tell again what a write did; states are read back from the change log."""
    told = json.loads(record.outcome)

    def outcomes(rows: Sequence[tuple[str, int, bool]]) -> tuple[DagOutcome, ...]:
        return tuple(_recall(snapshot, record.namespace, row) for row in rows)

    return WriteOutcome(told["revision"], outcomes(told["operations"]), outcomes(told["deleted"]))


def _recall(snapshot: Snapshot, namespace: str, row: tuple[str, int, bool]) -> DagOutcome:
    dag_id, revision, written = row
    key = DagKey(namespace, dag_id)
    change = snapshot.state_at(key, revision)
    if change is None:  # pruned within the day: the outcome is known, its state is not
        raise DagNotFound(key)
    return DagOutcome(change, written)
