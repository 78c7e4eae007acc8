"""Statements about consumers."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, select, tuple_

from dagcatalog_server.catalog.model import Consumer, ConsumerKey, Position
from dagcatalog_server.store.sql_dialect import SqlDialect
from dagcatalog_server.store.sql_tables import consumer
from dagcatalog_server.store.texts import in_parts

MAX_NAMES = 500  # a statement


def read_heard(
    connection: Connection, namespaces: Collection[str] | None, since: datetime
) -> list[Consumer]:
    """Read the consumers that were heard of since a time, by key."""
    heard = select(consumer).where(consumer.c.heard_at >= since)
    if namespaces is not None:
        heard = heard.where(consumer.c.namespace.in_(sorted(namespaces)))
    heard = heard.order_by(consumer.c.namespace, consumer.c.consumer_id)
    return [_consumer_of(row) for row in connection.execute(heard)]


def read_named(connection: Connection, consumer_ids: Collection[str]) -> Iterator[Consumer]:
    """Read every row of these consumers."""
    for part in in_parts(sorted(consumer_ids), MAX_NAMES):
        named = select(consumer).where(consumer.c.consumer_id.in_(part))
        yield from map(_consumer_of, connection.execute(named))


def put_rows(connection: Connection, dialect: SqlDialect, consumers: Sequence[Consumer]) -> None:
    """Set rows."""
    if not consumers:
        return
    put = dialect.insert(consumer)
    put = put.on_conflict_do_update(
        index_elements=list(consumer.primary_key.columns),
        set_={name: put.excluded[name] for name in ("epoch", "revision", "heard_at")},
    )
    connection.execute(put, [_values(each) for each in consumers])


def drop_rows(connection: Connection, keys: Collection[ConsumerKey], before: datetime) -> None:
    """Drop rows by key, and those not heard of since a time."""
    connection.execute(delete(consumer).where(consumer.c.heard_at < before))
    place = tuple_(consumer.c.namespace, consumer.c.consumer_id)
    rest = sorted(keys)
    while rest:
        part, rest = rest[:MAX_NAMES], rest[MAX_NAMES:]
        named = [(key.namespace, key.consumer_id) for key in part]
        connection.execute(delete(consumer).where(place.in_(named)))


def _values(each: Consumer) -> dict[str, object]:
    return {
        "namespace": each.key.namespace,
        "consumer_id": each.key.consumer_id,
        "epoch": each.acknowledged.epoch,
        "revision": each.acknowledged.revision,
        "heard_at": each.heard_at,
    }


def _consumer_of(row: Row[Any]) -> Consumer:
    key = ConsumerKey(row.namespace, row.consumer_id)
    return Consumer(key, Position(row.epoch, row.revision), row.heard_at)
