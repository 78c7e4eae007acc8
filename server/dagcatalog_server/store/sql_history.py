"""What pruning and verifying ask of a SQL store."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    delete,
    except_,
    func,
    literal,
    or_,
    select,
    tuple_,
    update,
)

from dagcatalog_server.catalog.errors import BlobCorrupt
from dagcatalog_server.catalog.history import (
    BlobPage,
    BlobSize,
    DanglingPage,
    HistoryPlace,
    HistoryRow,
    Place,
)
from dagcatalog_server.catalog.model import Clock, DagKey
from dagcatalog_server.store.sql_blobs import MAX_HASHES, check_blobs
from dagcatalog_server.store.sql_tables import FOREVER, VERSIONS, blob, change, clock
from dagcatalog_server.store.texts import in_parts, is_sha256

MAX_PLACES = 500  # rows a statement
_PLACE = (
    change.c.namespace,
    change.c.dag_id,
    change.c.version,
    change.c.revision,
    change.c.ordinal,
)


def read_history(
    connection: Connection, namespace: str | None, before: HistoryPlace | None, limit: int
) -> Sequence[HistoryRow]:
    """Walk an index backwards, from one key to the key before."""
    rows = (
        select(
            *_PLACE,
            change.c.until_revision,
            change.c.deleted,
            change.c.version_created_at,
            change.c.content_hash,
            change.c.source_hash,
        )
        .with_hint(change, f"INDEXED BY {VERSIONS.name}", "sqlite")
        .where(*_of(namespace))
        .order_by(*(column.desc() for column in _PLACE))
        .limit(limit)
    )
    if before is not None:
        rows = rows.where(_is_before(before, namespace))
    return [
        HistoryRow(
            place=HistoryPlace(DagKey(ns, dag_id), version, revision, ordinal),
            until_revision=None if until == FOREVER else until,
            deleted=deleted,
            version_created_at=created_at,
            content_hash=content,
            source_hash=source,
        )
        for ns, dag_id, version, revision, ordinal, until, deleted, created_at, content, source in (
            connection.execute(rows)
        )
    ]


def read_orphans(connection: Connection, limit: int) -> Collection[str]:
    """Take everything that is pointed at from everything: one pass over each, without an index."""
    orphans = except_(
        select(blob.c.hash),
        select(change.c.content_hash),
        select(change.c.source_hash),
        select(blob.c.base_hash).where(blob.c.base_hash.is_not(None)),
    )
    return connection.execute(orphans.limit(limit)).scalars().all()


def read_blob_sizes(connection: Connection, hashes: Collection[str]) -> Mapping[str, BlobSize]:
    """Read sizes and what depends on what."""
    told = blob.alias("told")
    dependents = select(func.count()).where(told.c.base_hash == blob.c.hash).scalar_subquery()
    sizes: dict[str, BlobSize] = {}
    for part in in_parts(filter(is_sha256, hashes), MAX_HASHES):
        rows = select(
            blob.c.hash, blob.c.stored_bytes, blob.c.base_hash, dependents, blob.c.kept_at
        ).where(blob.c.hash.in_(part))
        for each, stored_bytes, base, count, kept_at in connection.execute(rows):
            sizes[each] = BlobSize(stored_bytes, base or "", count, kept_at)
    return sizes


def read_blob_page(
    connection: Connection, namespace: str | None, after: str, limit: int
) -> BlobPage:
    """Read and check a page of blobs."""
    page = select(blob.c.hash).where(blob.c.hash > literal(after, blob.c.hash.type))
    page = page.where(*_pointed_at_by(namespace)).order_by(blob.c.hash).limit(limit)
    hashes = connection.execute(page).scalars().all()
    checked = check_blobs(connection, hashes)
    return BlobPage(hashes, [each for each in checked if isinstance(each, BlobCorrupt)])


def count_blobs(connection: Connection, namespace: str | None) -> int:
    """Count what all pages hold."""
    counted = select(func.count()).select_from(blob).where(*_pointed_at_by(namespace))
    blobs: int = connection.execute(counted).scalar_one()
    return blobs


def read_pointers(
    connection: Connection, blob_hash: str, namespace: str | None, limit: int
) -> Sequence[DagKey]:
    """Look through the whole log: sources have no index, and damage is rare."""
    pointing = (
        select(change.c.namespace, change.c.dag_id)
        .where(or_(change.c.content_hash == blob_hash, change.c.source_hash == blob_hash))
        .where(*_of(namespace))
        .distinct()
        .order_by(change.c.namespace, change.c.dag_id)
        .limit(limit)
    )
    return [DagKey(*row) for row in connection.execute(pointing)]


def read_dangling(
    connection: Connection, namespace: str | None, after: int, limit: int
) -> DanglingPage:
    """Look at whole revisions, about `limit` rows of them."""
    last = connection.execute(_last_of_page(after, limit)).scalar_one()
    if last is None:
        return DanglingPage([], after)
    document, source = blob.alias("document"), blob.alias("source")
    no_source = and_(change.c.source_hash != literal("", blob.c.hash.type), source.c.hash.is_(None))
    dangling = (
        select(
            change.c.content_hash,
            document.c.hash,
            change.c.source_hash,
            change.c.namespace,
            change.c.dag_id,
        )
        .outerjoin(document, document.c.hash == change.c.content_hash)
        .outerjoin(source, source.c.hash == change.c.source_hash)
        .where(change.c.revision > after, change.c.revision <= last, *_of(namespace))
        .where(or_(document.c.hash.is_(None), no_source))
        .order_by(change.c.revision, change.c.ordinal)
    )
    return DanglingPage(
        [
            (source_hash if found else content_hash, DagKey(ns, dag_id))
            for content_hash, found, source_hash, ns, dag_id in connection.execute(dangling)
        ],
        last,
    )


def drop_changes(connection: Connection, places: Collection[Place]) -> None:
    """Drop rows of the change log that are no heads."""
    rest = sorted(places)
    for start in range(0, len(rest), MAX_PLACES):
        part = rest[start : start + MAX_PLACES]
        is_one = tuple_(change.c.revision, change.c.ordinal).in_(part)
        connection.execute(delete(change).where(is_one, change.c.until_revision < FOREVER))


def compact(connection: Connection, revision: int) -> Clock:
    """Move the clock's compacted revision forward, never back."""
    later = case(
        (clock.c.compacted_revision < revision, revision), else_=clock.c.compacted_revision
    )
    moved = update(clock).values(compacted_revision=later)
    row = connection.execute(
        moved.returning(clock.c.epoch, clock.c.revision, clock.c.compacted_revision)
    ).one()
    return Clock(*row)


def drop_orphans(
    connection: Connection, hashes: Collection[str], after_revision: int
) -> tuple[int, int]:
    """Drop what still is an orphan; give how many blobs and stored bytes went.

    A blob that a writer is about to be told from is locked by it (`sql_blobs.hold_bases`), and left
    alone; once locked here, such a writer waits and finds it gone. Locking and dropping are two
    statements, so that the second one sees every difference that was kept before the lock.
    """
    since = select(change.c.content_hash, change.c.source_hash)
    rows = connection.execute(since.where(change.c.revision > after_revision))
    pointed_at = {each for row in rows for each in row}
    count = stored_bytes = 0
    told = blob.alias("told")
    is_base = select(told.c.hash).where(told.c.base_hash == blob.c.hash).exists()
    for part in in_parts(sorted(set(hashes) - pointed_at), MAX_HASHES):
        lock = select(blob.c.hash).where(blob.c.hash.in_(part)).order_by(blob.c.hash)
        locked = connection.execute(lock.with_for_update(skip_locked=True)).scalars().all()
        dropped = delete(blob).where(blob.c.hash.in_(locked), ~is_base)
        sizes = connection.execute(dropped.returning(blob.c.stored_bytes)).scalars().all()
        count, stored_bytes = count + len(sizes), stored_bytes + sum(sizes)
    return count, stored_bytes


def _of(namespace: str | None) -> list[ColumnElement[bool]]:
    return [] if namespace is None else [change.c.namespace == namespace]


def _is_before(before: HistoryPlace, namespace: str | None) -> ColumnElement[bool]:
    seen = (
        before.key.namespace,
        before.key.dag_id,
        before.version,
        before.revision,
        before.ordinal,
    )
    # Of one namespace, the rest is compared: see `sql_listing`.
    start = 0 if namespace is None else 1
    columns = _PLACE[start:]
    values = (literal(one, c.type) for one, c in zip(seen[start:], columns, strict=True))
    return tuple_(*columns) < tuple_(*values)


def _pointed_at_by(namespace: str | None) -> list[ColumnElement[bool]]:
    if namespace is None:
        return []
    of_content = select(change.c.revision).where(
        change.c.namespace == namespace, change.c.content_hash == blob.c.hash
    )
    sources = select(change.c.source_hash).where(change.c.namespace == namespace)
    return [or_(of_content.exists(), blob.c.hash.in_(sources))]


def _last_of_page(after: int, limit: int) -> Select[Any]:
    page = select(change.c.revision).where(change.c.revision > after)
    page = page.order_by(change.c.revision, change.c.ordinal).limit(limit)
    return select(func.max(page.subquery().c.revision))
