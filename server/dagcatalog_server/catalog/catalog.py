"""The catalog: one door to everything that it decides. Called by threads; never by the event loop."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from dagcatalog_server.catalog.committing import Committed, commit_writes, rehearse_write
from dagcatalog_server.catalog.consuming import (
    ConsumerLimits,
    ConsumerReport,
    Recorded,
    record_consumers,
)
from dagcatalog_server.catalog.difference import Difference
from dagcatalog_server.catalog.diffing import DiffAnswer, diff_versions, diff_with_head
from dagcatalog_server.catalog.guarding import GuardedStore
from dagcatalog_server.catalog.listing import (
    ListAnswer,
    ListRequest,
    Page,
    ParseErrorsAnswer,
    VersionsAnswer,
    list_dags,
    list_parse_errors,
    list_versions,
)
from dagcatalog_server.catalog.model import (
    Blob,
    Change,
    Clock,
    Consumer,
    DagKey,
    Position,
    StoreCounts,
)
from dagcatalog_server.catalog.parsing import ParseReport, check_report, commit_report
from dagcatalog_server.catalog.ports import Snapshot, Store
from dagcatalog_server.catalog.pruning import Pruned, PrunePolicy, check_policy, prune
from dagcatalog_server.catalog.query import Cursor, DagFilter, ListQuery, StateRow
from dagcatalog_server.catalog.reading import (
    GetAnswer,
    GetQuery,
    check_position,
    get,
    read_blobs,
)
from dagcatalog_server.catalog.verifying import Verified, verify
from dagcatalog_server.catalog.writes import Write, WriteLimits, WriteOutcome

LIVE_PAGE = 1_000


def utc_now() -> datetime:
    """Read the wall clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the catalog stands, for Status."""

    clock: Clock
    counts: StoreCounts
    consumers: Sequence[Consumer]
    store: str
    schema_revision: str


class Catalog:
    """DAGs, their versions and their history, over one store."""

    def __init__(
        self,
        store: Store,
        *,
        limits: WriteLimits = WriteLimits(),
        consumer_limits: ConsumerLimits = ConsumerLimits(),
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store = GuardedStore(store)
        self._now = now
        self.limits = limits
        self._consumer_limits = consumer_limits

    def commit(self, writes: Sequence[Write]) -> Committed:
        """Commit a group of writes; see `commit_writes`."""
        return commit_writes(self._store, writes, self._now())

    def rehearse(self, write: Write) -> WriteOutcome:
        """Tell what a write would do; write nothing."""
        with self._store.read() as snapshot:
            return rehearse_write(snapshot, write, self._now())

    def diff(
        self,
        key: DagKey,
        from_version: int,
        to_version: int,
        min_position: Position | None = None,
    ) -> DiffAnswer:
        """Compare two versions of a DAG."""
        with self._store.read() as snapshot:
            return diff_versions(snapshot, key, from_version, to_version, min_position)

    def diff_with_head(self, key: DagKey, document: bytes) -> Difference | None:
        """Compare a canonical document with the head of its DAG."""
        with self._store.read() as snapshot:
            return diff_with_head(snapshot, key, document)

    def get(self, query: GetQuery, min_position: Position | None = None) -> GetAnswer:
        """Read one DAG."""
        with self._store.read() as snapshot:
            return get(snapshot, query, min_position)

    def list(
        self, request: ListRequest, page: Page, min_position: Position | None = None
    ) -> ListAnswer:
        """Read a page of summaries."""
        with self._store.read() as snapshot:
            return list_dags(snapshot, request, page, min_position)

    def list_versions(
        self, key: DagKey, page: Page, min_position: Position | None = None
    ) -> VersionsAnswer:
        """Read a page of a DAG's history."""
        with self._store.read() as snapshot:
            return list_versions(snapshot, key, page, min_position)

    def report_parse(self, report: ParseReport) -> int:
        """Replace parse errors; return how many the bundle has now."""
        check_report(report)
        return commit_report(self._store, report, self._now())

    def list_parse_errors(
        self, namespace: str | None, bundle_name: str, page: Page
    ) -> ParseErrorsAnswer:
        """Read a page of parse errors."""
        with self._store.read() as snapshot:
            return list_parse_errors(snapshot, namespace, bundle_name, page)

    def record_consumers(self, report: ConsumerReport) -> Recorded:
        """Write down which consumers there are and what each has applied."""
        return record_consumers(self._store, report, self._consumer_limits)

    def consumers(self, namespaces: Collection[str]) -> tuple[Clock, Sequence[Consumer]]:
        """Read the consumers of these namespaces, and the clock with them."""
        with self._store.read() as snapshot:
            silence = self._consumer_limits.silence
            return snapshot.clock(), snapshot.consumers(namespaces, heard_within=silence)

    def prune(self, policy: PrunePolicy) -> Iterator[Pruned]:
        """Prune step by step; see `pruning.prune`."""
        return prune(self._store, check_policy(policy), self._now())

    def verify(self, namespace: str | None) -> Iterator[Verified]:
        """Check what is stored, step by step; see `verifying.verify`."""
        return verify(self._store, namespace)

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Open one consistent view, for answers that take several questions."""
        return self._store.read()

    def clock(self) -> Clock:
        """Read the clock, and nothing else: one short question."""
        return self._store.clock()

    def blobs(self, hashes: Collection[str]) -> Mapping[str, Blob]:
        """Read blobs; each is checked against its hash."""
        with self._store.read() as snapshot:
            return read_blobs(snapshot, hashes)

    def present(self, after: Cursor | None, limit: int) -> tuple[Clock, Sequence[StateRow]]:
        """Read some live DAGs by key, as they are now, and the clock with them."""
        with self._store.read() as snapshot:
            clock = snapshot.clock()
            return clock, snapshot.page(ListQuery(DagFilter(), clock.revision, limit, after=after))

    def live(self, namespace: str) -> tuple[Clock, Iterator[StateRow]]:
        """Give all live DAGs of a namespace as of one moment, a page at a time; no blob is read."""
        clock = self.clock()
        dag_filter = DagFilter(namespace=namespace)
        return clock, self._pages(ListQuery(dag_filter, clock.revision, LIVE_PAGE))

    def _pages(self, query: ListQuery) -> Iterator[StateRow]:
        """Read page after page of one revision, each in a short transaction of its own."""
        while page := self.page(query):
            yield from page
            if len(page) < query.limit:
                return
            query = replace(query, after=Cursor(page[-1].state.key, page[-1].revision))

    def page(self, query: ListQuery) -> Sequence[StateRow]:
        """Read one page of a listing at a revision that may not be pruned."""
        with self._store.read() as snapshot:
            clock = snapshot.clock()
            check_position(clock, Position(clock.epoch, query.revision), past=True)
            return snapshot.page(query)

    def changes(self, *, after: int, limit: int) -> tuple[Clock, Sequence[Change]]:
        """Read whole revisions of the change log after a revision, and the clock with them."""
        with self._store.read() as snapshot:
            return snapshot.clock(), snapshot.changes(after=after, limit=limit)

    def standing(self) -> Standing:
        """Count what is there."""
        with self._store.read() as snapshot:
            return Standing(
                snapshot.clock(),
                snapshot.counts(),
                snapshot.consumers(None, heard_within=self._consumer_limits.silence),
                self._store.name,
                self._store.schema_revision,
            )
