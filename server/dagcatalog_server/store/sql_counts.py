"""What a SQL store holds, counted for Status."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Select, false, func, select, true

from dagcatalog_server.catalog.model import NamespaceCounts, StoreCounts
from dagcatalog_server.store.sql_tables import (
    IS_HEAD,
    LIVE,
    VERSIONS,
    blob,
    change,
    parse_error,
)


def read_counts(connection: Connection) -> StoreCounts:
    """Count with one aggregate query a noun, each answered from an index."""
    dags = _by_namespace(connection, _heads().where(change.c.deleted == false()))
    deleted = _by_namespace(connection, _heads().where(change.c.deleted == true()))
    versions = _by_namespace(connection, _versions())
    errors = _by_namespace(connection, _parse_errors())
    sizes = select(
        func.count(), func.sum(blob.c.stored_bytes), func.sum(blob.c.raw_bytes)
    ).select_from(blob)
    blobs, stored_bytes, raw_bytes = connection.execute(sizes).one()
    return StoreCounts(
        namespaces=tuple(
            NamespaceCounts(
                namespace=name,
                dags=dags.get(name, 0),
                deleted=deleted.get(name, 0),
                versions=versions.get(name, 0),
                parse_errors=errors.get(name, 0),
            )
            for name in sorted({*dags, *deleted, *versions, *errors})
        ),
        blobs=blobs,
        stored_bytes=int(stored_bytes or 0),
        raw_bytes=int(raw_bytes or 0),
    )


def _by_namespace(connection: Connection, counted: Select[Any]) -> Mapping[str, int]:
    return {row[0]: row[1] for row in connection.execute(counted)}


def _heads() -> Select[Any]:
    return (
        select(change.c.namespace, func.count())
        .with_hint(change, f"INDEXED BY {LIVE.name}", "sqlite")
        .where(IS_HEAD)
        .group_by(change.c.namespace)
    )


def _versions() -> Select[Any]:
    versions = (
        select(change.c.namespace, change.c.dag_id, change.c.version)
        .with_hint(change, f"INDEXED BY {VERSIONS.name}", "sqlite")
        .where(change.c.deleted == false())
        .distinct()
        .subquery()
    )
    return select(versions.c.namespace, func.count()).group_by(versions.c.namespace)


def _parse_errors() -> Select[Any]:
    counted = select(parse_error.c.namespace, func.count())
    return counted.group_by(parse_error.c.namespace)
