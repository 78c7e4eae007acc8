"""The reference store: dictionaries and a lock. It keeps nothing after the process.

A writer works on a copy of everything and the copy replaces the original when it is done, so that a
snapshot is a reference. Writers take turns: nobody overtakes a writer here.
"""

# ruff: noqa: D102, ARG002 - catalog.ports documents the methods; not all arguments are needed here

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from dagcatalog_server.catalog.history import DroppedBlobs, Place
from dagcatalog_server.catalog.model import (
    Blob,
    Change,
    Clock,
    Consumer,
    ConsumerKey,
    DagKey,
    NamespaceCounts,
    ParseError,
    RequestRecord,
    StoreCounts,
)
from dagcatalog_server.catalog.ports import StoreConflict
from dagcatalog_server.catalog.query import DagFilter, ListQuery, StateRow
from dagcatalog_server.store.memory_history import (
    Contents,
    FilePlace,
    KeptBlobs,
    MemoryHistory,
    place_of,
)
from dagcatalog_server.store.memory_listing import listed, page_of


class MemoryStore:
    """Implements `ports.Store` without a database."""

    def __init__(self) -> None:
        self._writers = threading.Lock()
        self._keeping = threading.Lock()
        self._contents = Contents(Clock(uuid4().hex, 0, 0))
        self._blobs = KeptBlobs({}, {})

    @property
    def name(self) -> str:
        return "memory"

    @property
    def schema_revision(self) -> str:
        return ""

    @property
    def blobs_first(self) -> bool:
        return True

    def put_blobs(self, blobs: Iterable[Blob]) -> None:
        with self._keeping:
            for blob in blobs:
                self._blobs.keep(blob)

    def clock(self) -> Clock:
        return self._contents.clock

    @contextmanager
    def read(self) -> Iterator["MemorySnapshot"]:
        yield MemorySnapshot(self._contents, self._blobs)

    @contextmanager
    def write(self) -> Iterator["MemoryTransaction"]:
        with self._writers:
            transaction = MemoryTransaction(self._contents.copy(), self._blobs)
            yield transaction
            with self._keeping:
                if transaction.dropped:  # copied: open snapshots keep theirs
                    self._blobs = self._blobs.without(transaction.dropped)
            self._contents = transaction.contents

    def close(self) -> None:
        """Nothing to give back."""


class MemorySnapshot(MemoryHistory):
    """Reads of one commit; `ports.Snapshot` says what each gives."""

    def clock(self) -> Clock:
        return self.contents.clock

    def heads(self, keys: Collection[DagKey]) -> Mapping[DagKey, Change]:
        heads = self.contents.heads
        return {key: heads[key] for key in keys if key in heads}

    def file_heads(self, namespace: str, bundle_name: str, file: str) -> Sequence[Change]:
        found = [
            head
            for head in self.contents.heads.values()
            if not head.state.deleted
            and head.key.namespace == namespace
            and head.state.provenance.bundle_name == bundle_name
            and head.state.provenance.file == file
        ]
        return sorted(found, key=lambda head: head.key)

    def state_at(self, key: DagKey, revision: int) -> Change | None:
        past = (c for c in self._newest_first() if c.revision <= revision)
        newest = next((c for c in past if c.key == key), None)
        if newest is None:
            return None
        until = self.contents.untils.get(place_of(newest))
        return newest if until is None or until > revision else None

    def state_of_version(self, key: DagKey, version: int) -> Change | None:
        states = (c for c in self._states() if c.key == key)
        return next((c for c in states if c.state.version == version), None)

    def state_of_content(
        self, namespace: str, content_hash: str, dag_id: str | None = None
    ) -> Change | None:
        for each in self._states():
            named = dag_id is None or each.key.dag_id == dag_id
            held = each.state.hashes.content == content_hash
            if each.key.namespace == namespace and named and held:
                return each
        return None

    def versions(self, key: DagKey, *, before: int | None, limit: int) -> Sequence[Change]:
        newest = self._versions_of(key)
        wanted = [v for v in newest if before is None or v < before]
        return [newest[version] for version in sorted(wanted, reverse=True)[:limit]]

    def version_count(self, key: DagKey) -> int:
        return len(self._versions_of(key))

    def page(self, query: ListQuery) -> Sequence[StateRow]:
        return page_of(self.contents.log, query)

    def count(self, dag_filter: DagFilter, revision: int) -> int:
        return len(listed(self.contents.log, dag_filter, revision))

    def changes(self, *, after: int, limit: int) -> Sequence[Change]:
        later = [change for change in self.contents.log if change.revision > after]
        if len(later) <= limit:
            return later
        last = later[limit - 1].revision
        return [change for change in later if change.revision <= last]

    def blobs(self, hashes: Collection[str]) -> Mapping[str, Blob]:
        return {each: self._blobs[each] for each in hashes if each in self._blobs}

    def requests(self, namespace: str, request_ids: Collection[str]) -> Mapping[str, RequestRecord]:
        known = self.contents.requests
        return {one: known[namespace, one] for one in request_ids if (namespace, one) in known}

    def parse_errors(
        self,
        namespace: str | None,
        bundle_name: str | None,
        *,
        after: FilePlace | None,
        limit: int,
    ) -> Sequence[ParseError]:
        places = self._parse_error_places(namespace, bundle_name)
        wanted = [place for place in places if after is None or place > after]
        return [self.contents.parse_errors[place] for place in wanted[:limit]]

    def parse_error_count(self, namespace: str | None, bundle_name: str | None) -> int:
        return len(self._parse_error_places(namespace, bundle_name))

    def consumers(
        self, namespaces: Collection[str] | None, *, heard_within: timedelta
    ) -> Sequence[Consumer]:
        since = datetime.now(UTC) - heard_within
        found = [
            each
            for each in self.contents.consumers.values()
            if each.heard_at >= since and (namespaces is None or each.key.namespace in namespaces)
        ]
        return sorted(found, key=lambda each: each.key)

    def consumers_named(self, consumer_ids: Collection[str]) -> Mapping[ConsumerKey, Consumer]:
        rows = self.contents.consumers.items()
        return {key: each for key, each in rows if key.consumer_id in consumer_ids}

    def counts(self) -> StoreCounts:
        errors = {namespace for namespace, _, _ in self.contents.parse_errors}
        namespaces = errors | {key.namespace for key in self.contents.heads}
        raw_bytes = sum(len(blob.raw) for blob in list(self._blobs.values()))
        return StoreCounts(
            namespaces=tuple(map(self._counts_of, sorted(namespaces))),
            blobs=len(self._blobs),
            stored_bytes=raw_bytes,
            raw_bytes=raw_bytes,
        )

    def _counts_of(self, namespace: str) -> NamespaceCounts:
        heads = self.contents.heads.values()
        own = [head for head in heads if head.key.namespace == namespace]
        return NamespaceCounts(
            namespace=namespace,
            dags=sum(not head.state.deleted for head in own),
            deleted=sum(head.state.deleted for head in own),
            versions=sum(self.version_count(head.key) for head in own),
            parse_errors=self.parse_error_count(namespace, None),
        )

    def _newest_first(self) -> Iterator[Change]:
        return reversed(self.contents.log)

    def _states(self) -> Iterator[Change]:
        return (each for each in self._newest_first() if not each.state.deleted)

    def _versions_of(self, key: DagKey) -> dict[int, Change]:
        newest: dict[int, Change] = {}
        for each in self._states():
            if each.key == key:
                newest.setdefault(each.state.version, each)
        return newest

    def _parse_error_places(
        self, namespace: str | None, bundle_name: str | None
    ) -> list[FilePlace]:
        return sorted(
            place
            for place in self.contents.parse_errors
            if namespace in (None, place[0]) and bundle_name in (None, place[1])
        )


class MemoryTransaction(MemorySnapshot):
    """Reads and writes of one transaction; `ports.Transaction` says what each does."""

    def __init__(self, contents: Contents, blobs: KeptBlobs) -> None:
        super().__init__(contents, blobs)
        self.dropped: set[str] = set()

    def lock(self) -> None:
        """Nothing to take: a writer is alone already."""

    def keep_blobs(self, blobs: Iterable[Blob]) -> None:
        for blob in blobs:
            self._blobs.keep(blob)

    def require_blobs(self, hashes: Collection[str]) -> None:
        if not self._blobs.keys() >= set(hashes):
            raise StoreConflict

    def drop_changes(self, places: Collection[Place]) -> None:
        gone = set(places) & self.contents.untils.keys()
        self.contents.log = [each for each in self.contents.log if place_of(each) not in gone]
        for place in gone:
            del self.contents.untils[place]

    def compact(self, revision: int) -> Clock:
        clock = self.contents.clock
        compacted = max(clock.compacted_revision, revision)
        self.contents.clock = replace(clock, compacted_revision=compacted)
        return self.contents.clock

    def drop_orphans(self, hashes: Collection[str], after_revision: int) -> DroppedBlobs:
        going = set(hashes) & set(self.orphans(len(self._blobs)))
        self.dropped |= going
        stored_bytes = sum(len(self._blobs[each].raw) for each in going)
        return DroppedBlobs(len(going), stored_bytes, self.contents.clock)

    def tick(self, count: int) -> int:
        clock = self.contents.clock
        self.contents.clock = replace(clock, revision=clock.revision + count)
        return self.contents.clock.revision

    def append(self, changes: Sequence[Change]) -> None:
        for change in changes:
            _require_storable(change)
            if (head := self.contents.heads.get(change.key)) is not None:
                self.contents.untils[place_of(head)] = change.revision
            self.contents.log.append(change)
            self.contents.heads[change.key] = change

    def remember(self, records: Sequence[RequestRecord]) -> None:
        for record in records:
            _require_storable(record)
            place = (record.namespace, record.request_id)
            if place in self.contents.requests:
                raise StoreConflict
            self.contents.requests[place] = record

    def forget_requests(self, before: datetime) -> None:
        kept = self.contents.requests.items()
        self.contents.requests = {
            place: record for place, record in kept if record.created_at >= before
        }

    def put_parse_errors(self, errors: Sequence[ParseError]) -> None:
        for error in errors:
            _require_storable(error)
            place = (error.namespace, error.bundle_name, error.file)
            earlier = self.contents.parse_errors.get(place, error)
            kept = replace(error, first_at=earlier.first_at)
            self.contents.parse_errors[place] = kept

    def clear_parse_errors(
        self,
        namespace: str,
        bundle_name: str,
        *,
        files: Collection[str] | None = None,
        keep: Collection[str] = (),
    ) -> None:
        for place in self._parse_error_places(namespace, bundle_name):
            file = place[2]
            if (files is None or file in files) and file not in keep:
                del self.contents.parse_errors[place]

    def lock_consumers(self) -> datetime:
        return datetime.now(UTC)

    def put_consumers(self, consumers: Sequence[Consumer]) -> None:
        for each in consumers:
            _require_storable(each)
            self.contents.consumers[each.key] = each

    def drop_consumers(self, keys: Collection[ConsumerKey], *, before: datetime) -> None:
        rows = self.contents.consumers.items()
        self.contents.consumers = {
            key: each for key, each in rows if key not in keys and each.heard_at >= before
        }


def _require_storable(value: object) -> None:
    """Refuse the texts that a database would: NUL and lone surrogates, with a ValueError."""
    if isinstance(value, str):
        value.encode()  # a UnicodeEncodeError is a ValueError
        if "\0" in value:
            raise ValueError("a text to be stored holds NUL")
    elif is_dataclass(value):
        for field in fields(value):
            _require_storable(getattr(value, field.name))
