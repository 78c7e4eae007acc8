"""Records what consumers are there and what each has applied, as the replicas report it."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dagcatalog_server.catalog.model import Clock, Consumer, ConsumerKey, Position
from dagcatalog_server.catalog.names import EVERY_NAMESPACE
from dagcatalog_server.catalog.ports import Store, Transaction

NOTHING = Position("", 0)

# A consumer that fell silent no longer counts, but its row waits a little for its replica to come
# back from a pause: what it has acknowledged is as true as before.
KEPT_SILENCES = 10


@dataclass(frozen=True, slots=True)
class ConsumerLimits:
    """When a consumer no longer counts, and how many may."""

    silence: timedelta = timedelta(seconds=30)
    """Who was not heard of for so long no longer counts."""
    max_consumers: int = 1_000
    """In one namespace."""


@dataclass(frozen=True, slots=True)
class ConsumerReport:
    """What a replica has heard of consumers since it last reported."""

    joined: Mapping[ConsumerKey, Position] = field(default_factory=dict)
    """Watches that began, and the position that each began after; NOTHING: it has nothing yet."""
    watching: Collection[ConsumerKey] = ()
    """Watches that are open: they keep their consumers registered."""
    acknowledged: Mapping[ConsumerKey, Position] = field(default_factory=dict)
    left: Collection[ConsumerKey] = ()
    """Consumers that said that they leave."""

    def __bool__(self) -> bool:
        return any((self.joined, self.watching, self.acknowledged, self.left))


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a report."""

    full: frozenset[ConsumerKey] = frozenset()
    """Not registered: their namespaces have as many consumers as they may."""
    unknown: frozenset[ConsumerKey] = frozenset()
    """Acknowledged nothing: nobody of that name is registered."""


def record_consumers(store: Store, report: ConsumerReport, limits: ConsumerLimits) -> Recorded:
    """Write a report down, in one short transaction that no writer of DAGs waits for."""
    ids = {
        key.consumer_id
        for named in (report.joined, report.watching, report.acknowledged, report.left)
        for key in named
    }
    with store.write() as transaction:
        now = transaction.lock_consumers()
        before = dict(transaction.consumers_named(ids))
        full = _beyond(transaction, report, before, now, limits)
        rows = _joined(report, before, full, now)
        unknown = _acknowledge(rows, report.acknowledged, transaction.clock(), now)
        left = [key for named in report.left for key in _matching(rows, named)]
        for key in left:
            rows.pop(key, None)
        transaction.put_consumers(
            [rows[key] for key in sorted(rows) if rows[key] != before.get(key)]
        )
        transaction.drop_consumers(left, before=now - KEPT_SILENCES * limits.silence)
    return Recorded(frozenset(full), frozenset(unknown))


def is_meant(key: ConsumerKey, named: ConsumerKey) -> bool:
    """Tell whether a registration is one that a consumer means: who watches all watches this too."""
    everywhere = EVERY_NAMESPACE in {key.namespace, named.namespace}
    return key.consumer_id == named.consumer_id and (everywhere or key.namespace == named.namespace)


def is_news(position: Position, held: Position) -> bool:
    """Tell whether a position says more than the one that is held, or is of another history."""
    return position.epoch != held.epoch or position.revision > held.revision


def _beyond(
    transaction: Transaction,
    report: ConsumerReport,
    rows: Mapping[ConsumerKey, Consumer],
    now: datetime,
    limits: ConsumerLimits,
) -> set[ConsumerKey]:
    """Name the consumers that their namespaces have no room for any more."""
    live_since = now - limits.silence
    coming = sorted(
        key
        for key in {*report.joined, *report.watching}
        if key not in rows or rows[key].heard_at < live_since
    )
    if not coming:
        return set()
    namespaces = {key.namespace for key in coming}
    there = transaction.consumers(namespaces, heard_within=limits.silence)
    room = dict.fromkeys(namespaces, limits.max_consumers)
    for consumer in there:
        room[consumer.key.namespace] -= 1
    beyond = set()
    for key in coming:
        room[key.namespace] -= 1
        if room[key.namespace] < 0:
            beyond.add(key)
    return beyond


def _joined(
    report: ConsumerReport,
    before: Mapping[ConsumerKey, Consumer],
    full: Collection[ConsumerKey],
    now: datetime,
) -> dict[ConsumerKey, Consumer]:
    rows = dict(before)
    for key in report.watching:
        if key not in full:
            known = before.get(key)
            rows[key] = Consumer(key, known.acknowledged if known else NOTHING, now)
    for key, start in report.joined.items():
        if key not in full:
            known = before.get(key)
            held = _earlier(known.acknowledged, start) if known else NOTHING
            rows[key] = Consumer(key, held, now)
    return rows


def _earlier(acknowledged: Position, start: Position) -> Position:
    """Tell what a consumer still has that begins again: what it had, but nothing after its start."""
    if acknowledged.epoch != start.epoch:
        return NOTHING
    return min(acknowledged, start, key=lambda one: one.revision)


def _acknowledge(
    rows: dict[ConsumerKey, Consumer],
    acknowledged: Mapping[ConsumerKey, Position],
    clock: Clock,
    now: datetime,
) -> Iterable[ConsumerKey]:
    """Take acknowledgements over; those of another history, replaced meanwhile, say nothing."""
    unknown = []
    for named, position in acknowledged.items():
        keys = list(_matching(rows, named))
        if not keys:
            unknown.append(named)
        for key in keys:
            held = rows[key].acknowledged
            if position.epoch == clock.epoch and is_news(position, held):
                held = position
            rows[key] = Consumer(key, held, now)
    return unknown


def _matching(rows: Collection[ConsumerKey], named: ConsumerKey) -> Iterator[ConsumerKey]:
    return (key for key in rows if is_meant(key, named))
