"""One snapshot of the reference store."""

# ruff: noqa: D102 - catalog.ports documents the methods; not all arguments are needed here

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

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
from dagcatalog_server.catalog.query import DagFilter, ListQuery, StateRow
from dagcatalog_server.store.memory_history import (
    FilePlace,
    MemoryHistory,
    place_of,
)
from dagcatalog_server.store.memory_listing import listed, page_of


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
