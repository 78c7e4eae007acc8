"""One writing transaction of a SQL store."""

# ruff: noqa: D102 - catalog.ports documents the methods

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, delete, select

from dagcatalog_server.catalog.history import DroppedBlobs, Place
from dagcatalog_server.catalog.model import (
    Blob,
    Change,
    Clock,
    Consumer,
    ConsumerKey,
    DagKey,
    ParseError,
    RequestRecord,
)
from dagcatalog_server.catalog.ports import StoreConflict
from dagcatalog_server.store import sql_consumers, sql_history
from dagcatalog_server.store.kept_bases import KeptBases
from dagcatalog_server.store.kept_changes import HeadMark, KeptChanges
from dagcatalog_server.store.sql_blobs import insert_blobs, known_hashes, new_rows
from dagcatalog_server.store.sql_dialect import SqlDialect
from dagcatalog_server.store.sql_reading import SqlSnapshot
from dagcatalog_server.store.sql_rows import change_row
from dagcatalog_server.store.sql_side_rows import parse_error_values, request_row
from dagcatalog_server.store.sql_tables import (
    FOREVER,
    change,
    clock,
    parse_error,
    request,
)
from dagcatalog_server.store.texts import in_parts

MAX_FILES = 500

_TICK = "UPDATE clock SET revision = revision + {} RETURNING revision"


class SqlTransaction(SqlSnapshot):
    """Reads and writes of one transaction; `ports.Transaction` says what each does.

    It is optimistic: which row was each DAG's head is remembered when it is first read, without a
    lock, and must still be so when `append` overtakes it. By then `tick` holds the clock's row, so
    no other writer is between the test and the commit.
    """

    def __init__(
        self, connection: Connection, dialect: SqlDialect, kept: KeptChanges, bases: KeptBases
    ) -> None:
        super().__init__(connection, dialect)
        self._kept = kept
        self._bases = bases
        self._seen: dict[DagKey, Place | None] = {}
        self.appended: list[Change] = []

    def heads(self, keys: Collection[DagKey]) -> Mapping[DagKey, Change]:
        found: dict[DagKey, Change] = {}
        unknown: list[DagKey] = []
        for key, mark in self._marks(keys):
            if (kept := self._kept.find(key.namespace, mark)) is not None:
                found[key] = kept
            else:
                unknown.append(key)
        found |= super().heads(unknown)
        for key in keys:
            head = found.get(key)
            self._seen.setdefault(key, _place(head) if head else None)
        return found

    def _marks(self, keys: Collection[DagKey]) -> Iterator[tuple[DagKey, HeadMark]]:
        by_namespace: defaultdict[str, set[str]] = defaultdict(set)
        for key in keys:
            by_namespace[key.namespace].add(key.dag_id)
        for namespace, dag_ids in by_namespace.items():
            for mark in self._dialect.head_marks(self._connection, namespace, sorted(dag_ids)):
                yield DagKey(namespace, mark.dag_id), mark

    def file_heads(self, namespace: str, bundle_name: str, file: str) -> Sequence[Change]:
        found = super().file_heads(namespace, bundle_name, file)
        for head in found:
            self._seen.setdefault(head.key, _place(head))
        return found

    def lock(self) -> None:
        self._connection.execute(select(clock.c.revision).with_for_update())

    def tick(self, count: int) -> int:
        tick = _TICK.format(self._dialect.marker)
        ticked = self._connection.exec_driver_sql(tick, (count,))
        revision: int = ticked.scalar_one()
        return revision

    def append(self, changes: Sequence[Change]) -> None:
        if not changes:
            return
        if unseen := [each.key for each in changes if each.key not in self._seen]:
            self.heads(unseen)
        untils = _untils(changes)
        overtaken = list(self._overtaken(changes))
        if self._dialect.overtake(self._connection, overtaken) != len(overtaken):
            raise StoreConflict
        rows = list(map(change_row, changes, untils))
        self._dialect.insert_rows(self._connection, change, rows)
        self._seen |= {each.key: _place(each) for each in changes}
        self.appended += changes

    def keep_blobs(self, blobs: Iterable[Blob]) -> None:
        by_hash = {each.hash: each for each in blobs}
        rows = new_rows(self._connection, by_hash, self._bases)
        insert_blobs(self._connection, self._dialect, rows, by_hash)

    def require_blobs(self, hashes: Collection[str]) -> None:
        if set(hashes) - known_hashes(self._connection, hashes):
            raise StoreConflict

    def drop_changes(self, places: Collection[Place]) -> None:
        sql_history.drop_changes(self._connection, places)

    def compact(self, revision: int) -> Clock:
        return sql_history.compact(self._connection, revision)

    def drop_orphans(self, hashes: Collection[str], after_revision: int) -> DroppedBlobs:
        count, stored_bytes = sql_history.drop_orphans(self._connection, hashes, after_revision)
        return DroppedBlobs(count, stored_bytes, self.clock())

    def remember(self, records: Sequence[RequestRecord]) -> None:
        if records:
            rows = list(map(request_row, records))
            self._dialect.insert_rows(self._connection, request, rows)

    def forget_requests(self, before: datetime) -> None:
        old = delete(request).where(request.c.created_at < before)
        self._connection.execute(old)

    def put_parse_errors(self, errors: Sequence[ParseError]) -> None:
        rows = [parse_error_values(error) for error in _one_a_file(errors)]
        if not rows:
            return
        put = self._dialect.insert(parse_error)
        place = list(parse_error.primary_key.columns)
        kept = {"first_at", *(part.name for part in place)}
        put = put.on_conflict_do_update(
            index_elements=place,
            set_={c.name: put.excluded[c.name] for c in parse_error.c if c.name not in kept},
        )
        self._connection.execute(put, rows)

    def clear_parse_errors(
        self,
        namespace: str,
        bundle_name: str,
        *,
        files: Collection[str] | None = None,
        keep: Collection[str] = (),
    ) -> None:
        of_bundle = (
            parse_error.c.namespace == namespace,
            parse_error.c.bundle_name == bundle_name,
        )
        if files is None:
            # Read, not "NOT IN": a bundle may keep more files than a statement has parameters.
            there = select(parse_error.c.file).where(*of_bundle)
            files = self._connection.execute(there).scalars().all()
        for part in in_parts(sorted(set(files) - set(keep)), MAX_FILES):
            cleared = delete(parse_error).where(*of_bundle)
            self._connection.execute(cleared.where(parse_error.c.file.in_(part)))

    def lock_consumers(self) -> datetime:
        self._dialect.lock_consumers(self._connection)
        return self._dialect.now(self._connection)

    def put_consumers(self, consumers: Sequence[Consumer]) -> None:
        sql_consumers.put_rows(self._connection, self._dialect, consumers)

    def drop_consumers(self, keys: Collection[ConsumerKey], *, before: datetime) -> None:
        sql_consumers.drop_rows(self._connection, keys, before)

    def _overtaken(self, changes: Sequence[Change]) -> Iterator[tuple[int, int, int]]:
        """Give the stored heads that `changes` overtake, each with the revision that does."""
        first: dict[DagKey, Change] = {}
        for each in changes:
            first.setdefault(each.key, each)
        for key, each in first.items():
            place = self._seen[key]
            if place is not None:
                yield (*place, each.revision)


def _place(change_row: Change) -> Place:
    return (change_row.revision, change_row.ordinal)


def _untils(changes: Sequence[Change]) -> list[int]:
    """Give each change's end: the revision of the next one of its DAG among them, or none."""
    following: dict[DagKey, int] = {}
    untils = []
    for each in reversed(changes):
        untils.append(following.get(each.key, FOREVER))
        following[each.key] = each.revision
    return untils[::-1]


def _one_a_file(errors: Sequence[ParseError]) -> list[ParseError]:
    """Keep the last error of each file, and its first time; sorted, so that writers never deadlock.

    One INSERT may not meet the same row twice.
    """
    by_file: dict[tuple[str, str, str], ParseError] = {}
    for error in errors:
        place = (error.namespace, error.bundle_name, error.file)
        earlier = by_file.get(place, error)
        by_file[place] = replace(error, first_at=earlier.first_at)
    return [by_file[place] for place in sorted(by_file)]
