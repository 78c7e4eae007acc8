"""Reads single DAGs: the head, a version, a content, a state of the past."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Selector:
    """Which state of a DAG: at most one of the three; none: the head."""

    version: int | None = None
    content_hash: str | None = None
    at: Position | None = None


@dataclass(frozen=True, slots=True)
class GetQuery:
    """What a Get asks for."""

    key: DagKey
    selector: Selector = Selector()
    if_none_match: str = ""
    include_deleted: bool = False


@dataclass(frozen=True, slots=True)
class GetAnswer:
    """What a Get found: the state; what it holds is read by its hashes."""

    change: Change
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

    """
    clock = snapshot.clock()
    check_position(clock, min_position)
    check_position(clock, query.selector.at, past=True)
    change = _select(snapshot, query)
    if query.if_none_match:
        check_hash("if_none_match", query.if_none_match)
        if query.if_none_match == change.state.hashes.content:
            return GetAnswer(change, not_modified=True, position=clock.position)
    return GetAnswer(change, not_modified=False, position=clock.position)


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


def read_blobs(snapshot: Snapshot, hashes: Collection[str]) -> Mapping[str, Blob]:
    """Read blobs that states point at.

    Raises:
        BlobCorrupt: one is not there, or is not what its hash says.

    """
    found = snapshot.blobs(hashes)
    for missing in sorted(set(hashes) - found.keys()):
        raise BlobCorrupt(missing, "it is not there")
    return found
