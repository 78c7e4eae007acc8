"""Commits a group of writes in one transaction: blobs first, the clock last."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dagcatalog_server.catalog.errors import CatalogError, CatalogUnavailable
from dagcatalog_server.catalog.model import Change, Position
from dagcatalog_server.catalog.planning import Plan
from dagcatalog_server.catalog.ports import Snapshot, Store, StoreConflict, Transaction
from dagcatalog_server.catalog.provisional import Resolved
from dagcatalog_server.catalog.remembering import record_of
from dagcatalog_server.catalog.writes import Write, WriteOutcome

REQUEST_MEMORY = timedelta(days=1)
# Once optimistically; then with the clock's row locked, which nobody can overtake.
_ATTEMPTS = 3

Result = WriteOutcome | CatalogError


@dataclass(frozen=True, slots=True)
class Committed:
    """What a group of writes did."""

    results: Sequence[Result]
    """One for each write, in order."""
    changes: Sequence[Change]
    """The rows that the group added to the change log, in their order; whole revisions."""
    position: Position
    """Where the catalog stood after it."""


def commit_writes(store: Store, writes: Sequence[Write], now: datetime) -> Committed:
    """Commit writes, each at a revision of its own, and say of each what it did or why not.

    A refused write never harms the others. Their order is the order of their revisions.

    Raises:
        CatalogUnavailable: the database gave up; nothing is known to be written.
        CatalogFull: no room; nothing was written.

    """
    blobs = {blob.hash: blob for write in writes for blob in write.blobs()}.values()
    if store.blobs_first:
        store.put_blobs(blobs)
    for attempt in range(_ATTEMPTS):
        try:
            with store.write() as transaction:
                if attempt or any(write.replace for write in writes):
                    transaction.lock()
                # Again after a conflict: a prune may have dropped one that nothing pointed at yet.
                kept_here = attempt > 0 or not store.blobs_first
                if kept_here:
                    transaction.keep_blobs(blobs)
                return _commit(transaction, writes, now, blobs_held=kept_here)
        except StoreConflict:
            continue
    raise CatalogUnavailable


def rehearse_write(snapshot: Snapshot, write: Write, now: datetime) -> WriteOutcome:
    """Tell what a write would do. States that it would make have no revision yet (negative)."""
    plan = Plan(snapshot, now)
    plan.prefetch([write])
    clock = snapshot.clock()
    return replace(plan.add(write), revision=clock.revision, epoch=clock.epoch)


def _commit(
    transaction: Transaction, writes: Sequence[Write], now: datetime, *, blobs_held: bool
) -> Committed:
    """Write a group; `blobs_held` says that nobody can have dropped a blob since it was looked for."""
    plan = Plan(transaction, now)
    plan.prefetch(writes)
    results = [_plan_one(plan, write) for write in writes]
    here = plan.read_position
    if not plan.revisions:
        return Committed(_resolved(results, Resolved(here, 0)), (), here)
    count = len(plan.revisions)
    here = Position(here.epoch, transaction.tick(count))
    real = Resolved(here, count)
    made = [real.change(change) for changes in plan.revisions for change in changes]
    if not blobs_held:
        transaction.require_blobs({each for change in made for each in change.pointers()})
    transaction.append(made)
    _remember(transaction, plan, real, now)
    return Committed(_resolved(results, real), made, here)


def _resolved(results: Sequence[Result], real: Resolved) -> list[Result]:
    return [one if isinstance(one, CatalogError) else real.outcome(one) for one in results]


def _plan_one(plan: Plan, write: Write) -> Result:
    try:
        return plan.add(write)
    except CatalogError as error:
        # A value from here on: its traceback would lead to the list that holds it, and keep the group.
        return error.with_traceback(None)


def _remember(transaction: Transaction, plan: Plan, real: Resolved, now: datetime) -> None:
    records = [record_of(write, real.outcome(outcome), now) for write, outcome in plan.records]
    if records:
        transaction.remember(records)
        transaction.forget_requests(now - REQUEST_MEMORY)
