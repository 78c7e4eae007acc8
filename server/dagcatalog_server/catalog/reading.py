"""Reads single DAGs: the head, a version, a content, a state of the past."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeVar

from dagcatalog_server.catalog.errors import (
    BlobCorrupt,
    CatalogError,
    ContentNotFound,
    DagNotFound,
    InvalidArgument,
    RangeProblem,
    RevisionOutOfRange,
    TooLarge,
    VersionNotFound,
)
from dagcatalog_server.catalog.model import Blob, Change, Clock, DagKey, Position
from dagcatalog_server.catalog.names import check_hash, check_key, check_namespace, is_dag_id
from dagcatalog_server.catalog.ports import Snapshot

MAX_SELECTORS = 10_000
SUMMARY_BYTES = 1024

T = TypeVar("T")


class View(IntEnum):
    """How much of a DAG is read; numbered as on the wire."""

    SUMMARY = 1
    DOCUMENT = 2
    SOURCE = 3
    READABLE = 4


@dataclass(frozen=True, slots=True)
class Selector:
    """Which state of a DAG: at most one of the three; none: the head."""

    version: int | None = None
    content_hash: str | None = None
    at: Position | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A DAG with what its view asks for: the document or the source, or neither."""

    change: Change
    blob: Blob | None = None


@dataclass(frozen=True, slots=True)
class GetQuery:
    """What a Get asks for."""

    key: DagKey
    selector: Selector = Selector()
    view: View = View.DOCUMENT
    if_none_match: str = ""
    include_deleted: bool = False


@dataclass(frozen=True, slots=True)
class GetAnswer:
    """What a Get found."""

    found: Found
    not_modified: bool
    position: Position


def check_position(clock: Clock, asked: Position | None, *, past: bool = False) -> None:
    """Refuse a position of another history or of the future, and if `past` a pruned one.

    Raises:
        RevisionOutOfRange: says which, and what the oldest readable revision is.

    """
    if asked is None:
        return
    if asked.revision < 0:
        raise InvalidArgument("position.revision", "must not be negative")
    oldest = clock.compacted_revision
    problem = None
    if asked.epoch and asked.epoch != clock.epoch:
        problem = RangeProblem.OTHER_EPOCH
    elif asked.revision > clock.revision:
        problem = RangeProblem.FUTURE
    elif past and asked.revision < oldest:
        problem = RangeProblem.COMPACTED
    if problem:
        raise RevisionOutOfRange(problem, asked, clock.position, oldest)


def get(snapshot: Snapshot, query: GetQuery, min_position: Position | None = None) -> GetAnswer:
    """Read one DAG.

    Raises:
        DagNotFound, VersionNotFound, ContentNotFound: there is no such state.
        RevisionOutOfRange: a position that this history cannot serve.
        BlobCorrupt: the state is there, but what it holds is not.

    """
    clock = snapshot.clock()
    check_position(clock, min_position)
    check_position(clock, query.selector.at, past=True)
    change = _select(snapshot, query)
    if query.if_none_match:
        check_hash("if_none_match", query.if_none_match)
        if query.if_none_match == change.state.hashes.content:
            return GetAnswer(Found(change), not_modified=True, position=clock.position)
    found = next(with_blobs(snapshot, [change], query.view))
    return GetAnswer(found, not_modified=False, position=clock.position)


def _select(snapshot: Snapshot, query: GetQuery) -> Change:
    key, selector = query.key, query.selector
    if selector.version is not None:
        return _version(snapshot, key, selector.version)
    if selector.content_hash is not None:
        check_hash("content_hash", selector.content_hash)
        found = snapshot.state_of_content(key.namespace, selector.content_hash, key.dag_id)
        if found is None:
            raise ContentNotFound(key.namespace, selector.content_hash)
        return found
    if selector.at is not None:
        return _live(
            key, snapshot.state_at(key, selector.at.revision), include_deleted=query.include_deleted
        )
    return _live(key, snapshot.heads([key]).get(key), include_deleted=query.include_deleted)


def _version(snapshot: Snapshot, key: DagKey, version: int) -> Change:
    if version < 1:
        raise InvalidArgument("version", f"must be at least 1, not {version}")
    found = snapshot.state_of_version(key, version)
    if found is None:
        head = snapshot.heads([key]).get(key)
        if head is None:
            raise DagNotFound(key)
        raise VersionNotFound(key, version, head.state.version)
    return found


def _live(key: DagKey, change: Change | None, *, include_deleted: bool) -> Change:
    if change is None:
        raise DagNotFound(key)
    if change.state.deleted and not include_deleted:
        raise DagNotFound(key, deleted_at_revision=change.revision)
    return change


@dataclass(frozen=True, slots=True)
class BatchSelector:
    """One entry of a batch; `dag_id` may be empty with a content hash."""

    dag_id: str
    version: int | None = None
    content_hash: str | None = None


def resolve_batch(
    snapshot: Snapshot, namespace: str, selectors: Sequence[BatchSelector]
) -> list[Change | CatalogError]:
    """Find the state that each selector names; a failure is its own, never the batch's."""
    if len(selectors) > MAX_SELECTORS:
        raise TooLarge("selectors", "selectors", size=len(selectors), limit=MAX_SELECTORS)
    namespace = check_namespace(namespace)
    keys = [
        DagKey(namespace, one.dag_id)
        for one in selectors
        if one.version is None and one.content_hash is None and is_dag_id(one.dag_id)
    ]
    heads = snapshot.heads(keys) if keys else {}
    return [_find_or_error(snapshot, namespace, one, heads) for one in selectors]


def _find_or_error(
    snapshot: Snapshot, namespace: str, one: BatchSelector, heads: Mapping[DagKey, Change]
) -> Change | CatalogError:
    try:
        return _find(snapshot, namespace, one, heads)
    except CatalogError as error:
        return error


def _find(
    snapshot: Snapshot,
    namespace: str,
    one: BatchSelector,
    heads: Mapping[DagKey, Change],
) -> Change:
    if one.content_hash is not None:
        check_hash("content_hash", one.content_hash)
        dag_id = check_key(namespace, one.dag_id).dag_id if one.dag_id else None
        found = snapshot.state_of_content(namespace, one.content_hash, dag_id)
        if found is None:
            raise ContentNotFound(namespace, one.content_hash)
        return found
    key = check_key(namespace, one.dag_id)
    if one.version is not None:
        return _version(snapshot, key, one.version)
    return _live(key, heads.get(key), include_deleted=False)


def with_blobs(snapshot: Snapshot, changes: Sequence[Change], view: View) -> Iterator[Found]:
    """Read what the view asks for, for all changes in one question.

    Raises:
        BlobCorrupt: a state is there, but what it holds is not.

    """
    wanted = {one for change in changes if (one := blob_hash(change, view))}
    blobs = snapshot.blobs(wanted) if wanted else {}
    for missing in sorted(wanted - blobs.keys()):
        raise BlobCorrupt(missing, "it is not there")
    return (Found(change, blobs.get(blob_hash(change, view))) for change in changes)


def blob_hash(change: Change, view: View) -> str:
    """Name the blob that a view of a state needs; empty: none."""
    match view:
        case View.SUMMARY:
            return ""
        case View.SOURCE:
            return change.state.source_hash
        case View.DOCUMENT | View.READABLE:
            return change.state.hashes.content


def chunk_by_bytes(
    items: Iterable[T], size_of: Callable[[T], int], *, max_bytes: int
) -> Iterator[list[T]]:
    """Cut a sequence so that each part stays near `max_bytes`; a larger item is alone."""
    part: list[T] = []
    size = 0
    for item in items:
        one = size_of(item)
        if part and size + one > max_bytes:
            yield part
            part, size = [], 0
        part.append(item)
        size += one
    if part:
        yield part


def view_bytes(change: Change, view: View) -> int:
    """Estimate what a state takes on the wire: its blob, and 1 KiB for the summary."""
    match view:
        case View.SUMMARY:
            return SUMMARY_BYTES
        case View.SOURCE:
            return SUMMARY_BYTES + change.state.source_bytes
        case View.DOCUMENT | View.READABLE:
            return SUMMARY_BYTES + change.state.document_bytes
