"""Writes what a file gave to the catalog: all of its DAGs in one revision, if the catalog takes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Protocol

from dagcatalog_client.errors import Conflict, InvalidArgument, TooLarge
from dagcatalog_client.load.report import FileReport, LoadedDag
from dagcatalog_client.model import (
    BatchResult,
    Provenance,
    PutItem,
    PutResult,
    ReplaceFile,
    WriteResult,
)
from dagcatalog_client.parse import failures
from dagcatalog_client.parse.model import Failure, FailureKind, FileOutcome, ParsedDag

MAX_BATCH_ITEMS = 1_000  # PutBatchRequest.items
MAX_BATCH_BYTES = 32 * 1024**2  # half of what a message may hold
REFUSALS = (InvalidArgument, TooLarge, Conflict)  # of the DAG; anything else ends the load


class Catalog(Protocol):
    """The calls of `Client` that a load writes with."""

    def put_batch(
        self,
        items: Sequence[PutItem],
        *,
        replace: ReplaceFile | None = None,
        source: str | None = None,
    ) -> BatchResult:
        """Store several DAGs in one revision."""
        ...

    def delete(self, dag_id: str, *, reason: str = "") -> WriteResult:
        """Set a tombstone."""
        ...


class Writer:
    """Writes files of one bundle; `known` tells which DAGs of it the catalog has, by file."""

    def __init__(
        self, catalog: Catalog, bundle_name: str, known: Mapping[str, Sequence[str]]
    ) -> None:
        self._catalog = catalog
        self._bundle_name = bundle_name
        self._known = known
        self._owners: dict[str, str] = {}
        self.revision = 0

    @property
    def dag_ids(self) -> Iterable[str]:
        """The DAGs that the files so far have."""
        return self._owners.keys()

    def write(self, file: str, outcome: FileOutcome) -> FileReport:
        """Write one file's DAGs.

        A file that failed in part keeps the DAGs that it had: nothing is replaced then, because a
        DAG must not disappear for a parser's mistake.
        """
        mine, failed = self._claim(file, outcome)
        items = [_item(dag) for dag in mine]
        if failed or not _fits(mine):
            return self._write_parts(file, items, failed)
        if not items and file not in self._known:
            return FileReport(file)
        try:
            result = self._catalog.put_batch(
                _share_source(items),
                replace=ReplaceFile(file, self._bundle_name),
                source=items[0].source if _has_one_source(items) else None,
            )
        except REFUSALS:
            return self._write_parts(file, items, failed)
        self._see(result)
        deleted = tuple(summary.dag_id for summary in result.deleted)
        return FileReport(file, tuple(map(_loaded, result.results)), deleted)

    def prune(self, file: str) -> tuple[str, ...]:
        """Delete all DAGs of a file that is gone."""
        result = self._catalog.put_batch([], replace=ReplaceFile(file, self._bundle_name))
        self._see(result)
        return tuple(summary.dag_id for summary in result.deleted)

    def _claim(self, file: str, outcome: FileOutcome) -> tuple[list[ParsedDag], list[Failure]]:
        """Keep the DAGs that no earlier file has: two files would undo each other at each load."""
        mine: list[ParsedDag] = []
        failed = [outcome.failure] if outcome.failure else []
        for dag in outcome.dags:
            owner = self._owners.setdefault(dag.dag_id, file)
            if owner == file:
                mine.append(dag)
            else:
                message = f"DAG {dag.dag_id!r} is defined by {owner} already"
                failed.append(Failure(FailureKind.IMPORT, message))
        return mine, failed

    def _write_parts(
        self, file: str, items: Sequence[PutItem], failed: Sequence[Failure]
    ) -> FileReport:
        """Write DAGs in batches without `replace`; those of a refused batch go one by one."""
        done: list[LoadedDag] = []
        refusals: dict[str, Failure] = {}
        for batch in _batches([self._placed(item, file) for item in items]):
            try:
                done += self._put(batch)
            except REFUSALS:
                for item in batch:
                    try:
                        done += self._put([item])
                    except REFUSALS as error:
                        refusals[item.dag_id] = _refusal(item.dag_id, error)
        deleted: tuple[str, ...] = ()
        if not failed and not refusals:
            deleted = self._delete_others(file, {item.dag_id for item in items})
        failure = failures.together([*failed, *refusals.values()])
        return FileReport(file, tuple(done), deleted, tuple(refusals), failure)

    def _put(self, items: Sequence[PutItem]) -> list[LoadedDag]:
        result = self._catalog.put_batch(items)
        self._see(result)
        return [_loaded(one) for one in result.results]

    def _delete_others(self, file: str, dag_ids: set[str]) -> tuple[str, ...]:
        gone = [dag_id for dag_id in self._known.get(file, ()) if dag_id not in dag_ids]
        for dag_id in gone:
            written = self._catalog.delete(dag_id, reason=f"{file} no longer defines it")
            self.revision = max(self.revision, written.position.revision)
        return tuple(gone)

    def _placed(self, item: PutItem, file: str) -> PutItem:
        provenance = Provenance(bundle_name=self._bundle_name, file=file)
        return PutItem(item.dag_id, item.document, item.source, provenance)

    def _see(self, result: BatchResult) -> None:
        self.revision = max(self.revision, result.position.revision)


def _item(dag: ParsedDag) -> PutItem:
    return PutItem(dag.dag_id, dag.document, dag.source)


def _loaded(result: PutResult) -> LoadedDag:
    return LoadedDag(result.summary.dag_id, result.outcome, result.summary.version)


def _refusal(dag_id: str, error: Exception) -> Failure:
    message = failures.short(f"the catalog refused DAG {dag_id!r}: {error}")
    return Failure(FailureKind.REFUSED, message)


def _fits(dags: Sequence[ParsedDag]) -> bool:
    return len(dags) <= MAX_BATCH_ITEMS and sum(map(_bytes_of, dags)) <= MAX_BATCH_BYTES


def _bytes_of(dag: ParsedDag) -> int:
    return len(dag.document)


def _has_one_source(items: Sequence[PutItem]) -> bool:
    return len({item.source for item in items}) == 1


def _share_source(items: Sequence[PutItem]) -> Sequence[PutItem]:
    """Send the text of a file once, however many DAGs it has."""
    if not _has_one_source(items):
        return items
    return [PutItem(item.dag_id, item.document) for item in items]


def _batches(items: Sequence[PutItem]) -> Iterator[list[PutItem]]:
    left = iter(items)
    while batch := list(islice(left, 1)):
        size = _size(batch[0])
        for item in left:
            batch.append(item)
            size += _size(item)
            if size >= MAX_BATCH_BYTES // 2 or len(batch) >= MAX_BATCH_ITEMS:
                break
        yield batch


def _size(item: PutItem) -> int:
    document = item.document if isinstance(item.document, bytes) else b""
    return len(document) + 4 * len(item.source or "")
