"""Commits a group of writes in one transaction: blobs first, the clock last."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from dagcatalog_server.catalog.errors import CatalogError, CatalogUnavailable
from dagcatalog_server.catalog.planning import Plan
from dagcatalog_server.catalog.ports import Snapshot, Store, StoreConflict, Transaction
from dagcatalog_server.catalog.provisional import resolve, resolve_change
from dagcatalog_server.catalog.remembering import record_of
from dagcatalog_server.catalog.writes import Write, WriteOutcome

REQUEST_MEMORY = timedelta(days=1)
# Once optimistically; then with the clock's row locked, which nobody can overtake.
_ATTEMPTS = 3

Result = WriteOutcome | CatalogError


def commit_writes(store: Store, writes: Sequence[Write], now: datetime) -> list[Result]:
    """Commit writes, each at a revision of its own, and say of each what it did or why not.

    A refused write never harms the others. Their order is the order of their revisions.

    Raises:
        CatalogUnavailable: the database gave up; nothing is known to be written.
        CatalogFull: no room; nothing was written.

    """
    store.put_blobs({blob.hash: blob for write in writes for blob in write.blobs()}.values())
    for attempt in range(_ATTEMPTS):
        try:
            with store.write() as transaction:
                if attempt or any(write.replace for write in writes):
                    transaction.lock()
                return _commit(transaction, writes, now)
        except StoreConflict:
            continue
    raise CatalogUnavailable


def rehearse_write(snapshot: Snapshot, write: Write, now: datetime) -> WriteOutcome:
    """Tell what a write would do. States that it would make have no revision yet (negative)."""
    plan = Plan(snapshot, now)
    plan.prefetch([write])
    return replace(plan.add(write), revision=snapshot.clock().revision)


def _commit(transaction: Transaction, writes: Sequence[Write], now: datetime) -> list[Result]:
    plan = Plan(transaction, now)
    plan.prefetch(writes)
    results = [_plan_one(plan, write) for write in writes]
    if not plan.revisions:
        return results
    count = len(plan.revisions)
    last = transaction.tick(count)
    planned = (change for changes in plan.revisions for change in changes)
    transaction.append([resolve_change(change, last, count) for change in planned])
    _remember(transaction, plan, last, now)
    return [one if isinstance(one, CatalogError) else resolve(one, last, count) for one in results]


def _plan_one(plan: Plan, write: Write) -> Result:
    try:
        return plan.add(write)
    except CatalogError as error:
        # A value from here on: its traceback would lead to the list that holds it, and keep the group.
        return error.with_traceback(None)


def _remember(transaction: Transaction, plan: Plan, last: int, now: datetime) -> None:
    count = len(plan.revisions)
    records = [
        record_of(write, resolve(outcome, last, count), now) for write, outcome in plan.records
    ]
    if records:
        transaction.remember(records)
        transaction.forget_requests(now - REQUEST_MEMORY)
