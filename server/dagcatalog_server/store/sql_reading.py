"""One snapshot of a SQL store."""

# ruff: noqa: D102 - catalog.ports documents the methods

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Index,
    Select,
    bindparam,
    false,
    func,
    literal,
    select,
    tuple_,
)

from dagcatalog_server.catalog.history import (
    BlobPage,
    BlobSize,
    DanglingPage,
    HistoryPlace,
    HistoryRow,
)
from dagcatalog_server.catalog.model import (
    Blob,
    Change,
    Clock,
    Consumer,
    ConsumerKey,
    DagKey,
    ParseError,
    RequestRecord,
    StoreCounts,
)
from dagcatalog_server.catalog.query import DagFilter, ListQuery, StateRow
from dagcatalog_server.store import sql_consumers, sql_history
from dagcatalog_server.store.sql_blobs import read_blobs
from dagcatalog_server.store.sql_counts import read_counts
from dagcatalog_server.store.sql_dialect import SqlDialect
from dagcatalog_server.store.sql_listing import count_select, page_select
from dagcatalog_server.store.sql_rows import change_of, state_of
from dagcatalog_server.store.sql_side_rows import parse_error_of, request_of
from dagcatalog_server.store.sql_tables import (
    CONTENT,
    HEAD,
    HISTORY,
    IS_HEAD,
    OF_FILE,
    VERSIONS,
    change,
    parse_error,
    request,
)
from dagcatalog_server.store.texts import in_parts, is_sha256

MAX_KEYS = 500  # a statement; more keys are asked for in parts
MAX_REQUESTS = 500

# What every write runs is built once: building a statement takes SQLAlchemy longer than SQLite takes
# to run it.
READ_CLOCK = "SELECT epoch, revision, compacted_revision FROM clock"
_HEADS = (
    select(change)
    .with_hint(change, f"INDEXED BY {HEAD.name}", "sqlite")
    .where(
        IS_HEAD,
        change.c.namespace == bindparam("namespace"),
        change.c.dag_id.in_(bindparam("dag_ids", expanding=True)),
    )
)
_REQUESTS = select(request).where(
    request.c.namespace == bindparam("namespace"),
    request.c.request_id.in_(bindparam("ids", expanding=True)),
)


class SqlSnapshot:
    """Reads of one transaction; `ports.Snapshot` says what each gives."""

    def __init__(self, connection: Connection, dialect: SqlDialect) -> None:
        self._connection = connection
        self._dialect = dialect

    def clock(self) -> Clock:
        return Clock(*self._connection.exec_driver_sql(READ_CLOCK).one())

    def heads(self, keys: Collection[DagKey]) -> Mapping[DagKey, Change]:
        by_namespace: defaultdict[str, set[str]] = defaultdict(set)
        for key in keys:
            by_namespace[key.namespace].add(key.dag_id)
        found: dict[DagKey, Change] = {}
        for namespace, dag_ids in by_namespace.items():
            for part in in_parts(dag_ids, MAX_KEYS):
                rows = self._connection.execute(_HEADS, {"namespace": namespace, "dag_ids": part})
                found |= {head.key: head for head in map(change_of, rows)}
        return found

    def file_heads(self, namespace: str, bundle_name: str, file: str) -> Sequence[Change]:
        heads = _changes(OF_FILE).where(
            IS_HEAD,
            change.c.namespace == namespace,
            change.c.bundle_name == bundle_name,
            change.c.file == file,
            change.c.deleted == false(),
        )
        return self._read(heads.order_by(change.c.dag_id))

    def state_at(self, key: DagKey, revision: int) -> Change | None:
        past = _changes(HISTORY).where(*_is(key), change.c.revision <= revision)
        # Not just the newest one before: what was there between may have been dropped.
        return self._read_newest(past.where(change.c.until_revision > revision))

    def state_of_version(self, key: DagKey, version: int) -> Change | None:
        states = _changes(VERSIONS).where(*_is(key), change.c.version == version)
        return self._read_newest(states.where(change.c.deleted == false()))

    def state_of_content(
        self, namespace: str, content_hash: str, dag_id: str | None = None
    ) -> Change | None:
        if not is_sha256(content_hash):
            return None
        states = _changes(CONTENT).where(
            change.c.namespace == namespace,
            change.c.content_hash == content_hash,
            change.c.deleted == false(),
        )
        if dag_id is not None:
            states = states.where(change.c.dag_id == dag_id)
        return self._read_newest(states)

    def versions(self, key: DagKey, *, before: int | None, limit: int) -> Sequence[Change]:
        newest = _changes(VERSIONS).where(
            *_is(key), change.c.deleted == false(), ~_newer_of_version()
        )
        if before is not None:
            newest = newest.where(change.c.version < before)
        return self._read(newest.order_by(change.c.version.desc()).limit(limit))

    def version_count(self, key: DagKey) -> int:
        versions = select(func.count(change.c.version.distinct())).where(
            *_is(key), change.c.deleted == false()
        )
        counted: int = self._connection.execute(versions).scalar_one()
        return counted

    def page(self, query: ListQuery) -> Sequence[StateRow]:
        rows = self._connection.execute(page_select(query, self._dialect))
        return [StateRow(row.revision, state_of(row)) for row in rows]

    def count(self, dag_filter: DagFilter, revision: int) -> int:
        counted = count_select(dag_filter, revision, self._dialect)
        dags: int = self._connection.execute(counted).scalar_one()
        return dags

    def changes(self, *, after: int, limit: int) -> Sequence[Change]:
        log = select(change).order_by(change.c.revision, change.c.ordinal)
        first = self._read(log.where(change.c.revision > after).limit(limit))
        if len(first) < limit:
            return first
        last = first[-1]
        rest = log.where(change.c.revision == last.revision, change.c.ordinal > last.ordinal)
        return [*first, *self._read(rest)]

    def blobs(self, hashes: Collection[str]) -> Mapping[str, Blob]:
        return read_blobs(self._connection, hashes)

    def requests(self, namespace: str, request_ids: Collection[str]) -> Mapping[str, RequestRecord]:
        return {
            row.request_id: request_of(row)
            for part in in_parts(request_ids, MAX_REQUESTS)
            for row in self._connection.execute(_REQUESTS, {"namespace": namespace, "ids": part})
        }

    def parse_errors(
        self,
        namespace: str | None,
        bundle_name: str | None,
        *,
        after: tuple[str, str, str] | None,
        limit: int,
    ) -> Sequence[ParseError]:
        place = (parse_error.c.namespace, parse_error.c.bundle_name, parse_error.c.file)
        errors = select(parse_error).where(*_parse_errors_of(namespace, bundle_name))
        if after is not None:
            seen = (literal(text, parse_error.c.file.type) for text in after)
            errors = errors.where(tuple_(*place) > tuple_(*seen))
        rows = self._connection.execute(errors.order_by(*place).limit(limit))
        return [parse_error_of(row) for row in rows]

    def parse_error_count(self, namespace: str | None, bundle_name: str | None) -> int:
        errors = select(func.count()).select_from(parse_error)
        counted = errors.where(*_parse_errors_of(namespace, bundle_name))
        return self._connection.execute(counted).scalar_one()

    def consumers(
        self, namespaces: Collection[str] | None, *, heard_within: timedelta
    ) -> Sequence[Consumer]:
        since = self._dialect.now(self._connection) - heard_within
        return sql_consumers.read_heard(self._connection, namespaces, since)

    def consumers_named(self, consumer_ids: Collection[str]) -> Mapping[ConsumerKey, Consumer]:
        named = sql_consumers.read_named(self._connection, consumer_ids)
        return {each.key: each for each in named}

    def counts(self) -> StoreCounts:
        return read_counts(self._connection)

    def history(
        self, namespace: str | None, *, before: HistoryPlace | None, limit: int
    ) -> Sequence[HistoryRow]:
        return sql_history.read_history(self._connection, namespace, before, limit)

    def orphans(self, limit: int) -> Collection[str]:
        return sql_history.read_orphans(self._connection, limit)

    def blob_sizes(self, hashes: Collection[str]) -> Mapping[str, BlobSize]:
        return sql_history.read_blob_sizes(self._connection, hashes)

    def check_blobs(self, namespace: str | None, *, after: str, limit: int) -> BlobPage:
        return sql_history.read_blob_page(self._connection, namespace, after, limit)

    def blob_count(self, namespace: str | None) -> int:
        return sql_history.count_blobs(self._connection, namespace)

    def pointers(self, blob_hash: str, namespace: str | None, *, limit: int) -> Sequence[DagKey]:
        return sql_history.read_pointers(self._connection, blob_hash, namespace, limit)

    def dangling(self, namespace: str | None, *, after: int, limit: int) -> DanglingPage:
        return sql_history.read_dangling(self._connection, namespace, after, limit)

    def _read(self, selected: Select[Any]) -> list[Change]:
        return [change_of(row) for row in self._connection.execute(selected)]

    def _read_newest(self, selected: Select[Any]) -> Change | None:
        newest_first = (change.c.revision.desc(), change.c.ordinal.desc())
        found = self._read(selected.order_by(*newest_first).limit(1))
        return found[0] if found else None


def _changes(index: Index) -> Select[Any]:
    """Select whole changes; SQLite, which has no statistics, is told the index."""
    return select(change).with_hint(change, f"INDEXED BY {index.name}", "sqlite")


def _is(key: DagKey) -> tuple[ColumnElement[bool], ...]:
    return (change.c.namespace == key.namespace, change.c.dag_id == key.dag_id)


def _newer_of_version() -> ColumnElement[bool]:
    """Test for a newer change of the same version that is no tombstone.

    A probe into the same index for each row walked, so that a page of versions ends after a page of
    rows; grouping by version would read the DAG's whole history.
    """
    newer = change.alias("newer")
    return (
        select(newer.c.revision)
        .where(
            newer.c.namespace == change.c.namespace,
            newer.c.dag_id == change.c.dag_id,
            newer.c.version == change.c.version,
            newer.c.deleted == false(),
            tuple_(newer.c.revision, newer.c.ordinal) > tuple_(change.c.revision, change.c.ordinal),
        )
        .exists()
    )


def _parse_errors_of(
    namespace: str | None, bundle_name: str | None
) -> Iterator[ColumnElement[bool]]:
    if namespace is not None:
        yield parse_error.c.namespace == namespace
    if bundle_name is not None:
        yield parse_error.c.bundle_name == bundle_name
