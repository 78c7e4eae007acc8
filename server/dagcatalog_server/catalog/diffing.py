"""Diffs of stored versions, and of a rehearsed write against the head."""

from dataclasses import dataclass

from dagcatalog_server.catalog.difference import Difference, compare
from dagcatalog_server.catalog.errors import InvalidArgument
from dagcatalog_server.catalog.model import Change, DagKey, Position
from dagcatalog_server.catalog.ports import Snapshot
from dagcatalog_server.catalog.reading import GetQuery, Selector, get, read_blobs


@dataclass(frozen=True, slots=True)
class DiffAnswer:
    """Two versions and how they differ."""

    older: Change
    newer: Change
    difference: Difference
    position: Position


def diff_versions(
    snapshot: Snapshot,
    key: DagKey,
    from_version: int,
    to_version: int,
    min_position: Position | None = None,
) -> DiffAnswer:
    """Compare two versions; `to_version` 0 is the head, `from_version` 0 the one before it.

    Raises:
        DagNotFound, VersionNotFound: there is no such DAG or version.
        InvalidArgument: version 1 has none before it.

    """
    after = get(snapshot, GetQuery(key, Selector(version=to_version or None)), min_position)
    version = from_version or after.change.state.version - 1
    if version < 1:
        raise InvalidArgument("from_version", "is needed: there is no version before the first")
    before = get(snapshot, GetQuery(key, Selector(version=version)))
    old, new = before.change, after.change
    contents = [old.state.hashes.content, new.state.hashes.content]
    blobs = read_blobs(snapshot, contents)
    older, newer = (blobs[one].raw for one in contents)
    return DiffAnswer(old, new, compare(older, newer), after.position)


def diff_with_head(snapshot: Snapshot, key: DagKey, document: bytes) -> Difference | None:
    """Compare a canonical document with the head of its DAG; None if there is no live one."""
    head = snapshot.heads([key]).get(key)
    if head is None or head.state.deleted:
        return None
    content = head.state.hashes.content
    return compare(read_blobs(snapshot, [content])[content].raw, document)
