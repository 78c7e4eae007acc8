"""One writing transaction of the reference store."""

# ruff: noqa: D102, ARG002 - catalog.ports documents the methods; not all arguments are needed here

from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime

from dagcatalog_server.catalog.history import DroppedBlobs, Place
from dagcatalog_server.catalog.model import (
    Blob,
    Change,
    Clock,
    Consumer,
    ConsumerKey,
    ParseError,
    RequestRecord,
)
from dagcatalog_server.catalog.ports import StoreConflict
from dagcatalog_server.store.memory_history import (
    Contents,
    KeptBlobs,
    place_of,
)
from dagcatalog_server.store.memory_reading import MemorySnapshot


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
