"""What the contract says that a write does to the state it meets: the specification, in sequence."""

from collections.abc import Mapping
from dataclasses import replace

from dagcatalog.v1 import resources_pb2 as res
from tests.faults.checking.history import Expected, Key, Put, Row, Write

EVERY_CLASS = (res.CHANGE_CLASS_STRUCTURE, res.CHANGE_CLASS_SCHEDULE, res.CHANGE_CLASS_METADATA)
Heads = Mapping[Key, Row]


def preconditions_hold(write: Write, heads: Heads) -> bool:
    """Tell whether a write may happen."""
    asked = [(one.key, one.expected) for one in write.puts]
    if write.delete:
        asked.append(((write.namespace, write.delete), write.expected))
    return all(_holds(expected, heads.get(key)) for key, expected in asked)


def effects(write: Write, revision: int, heads: Heads, files: Mapping[Key, str]) -> list[Row]:
    """Give the rows that a write makes. Classes of a new version are its own: they are left out."""
    rows = [_put(one, write, revision, heads.get(one.key)) for one in write.puts]
    if write.delete:
        rows += _tombstones([(write.namespace, write.delete)], revision, heads, write.request_id)
    if write.replace:
        kept = {one.key for one in write.puts}
        others = [
            key
            for key in sorted(heads)
            if key[0] == write.namespace and files[key] == write.replace
            if key not in kept and not heads[key].deleted
        ]
        rows += _tombstones(others, revision, heads, f"no longer in {write.replace}")
    return [replace(row, ordinal=ordinal) for ordinal, row in enumerate(rows)]


def told_alike(row: Row) -> Row:
    """Leave out what `effects` cannot know."""
    new_version = row.kind == res.CHANGE_KIND_NEW_VERSION
    return replace(row, classes=()) if new_version else row


def _holds(expected: Expected | None, head: Row | None) -> bool:
    if expected is None:
        return True
    live = head is not None and not head.deleted
    return expected.holds(head.version, head.content_hash) if head and live else _absent(expected)


def _absent(expected: Expected) -> bool:
    return expected.holds(0, "")


def _put(put: Put, write: Write, revision: int, head: Row | None) -> Row:
    """Every label is new, so that a put always changes something."""
    made = Row(
        revision=revision,
        ordinal=0,
        kind=res.CHANGE_KIND_CREATED,
        classes=EVERY_CLASS,
        key=put.key,
        version=head.version + 1 if head else 1,
        content_hash=put.content_hash,
        writer=write.request_id,
    )
    if head is None:
        return made
    if head.content_hash != put.content_hash:
        new_version = replace(made, kind=res.CHANGE_KIND_NEW_VERSION, classes=())
        return made if head.deleted else new_version
    same = replace(made, version=head.version)
    if head.deleted:
        return replace(same, kind=res.CHANGE_KIND_RESTORED)
    only_labels = (res.CHANGE_CLASS_METADATA,)
    return replace(same, kind=res.CHANGE_KIND_REFRESHED, classes=only_labels)


def _tombstones(keys: list[Key], revision: int, heads: Heads, reason: str) -> list[Row]:
    return [
        Row(
            revision=revision,
            ordinal=0,
            kind=res.CHANGE_KIND_DELETED,
            classes=EVERY_CLASS,
            key=key,
            version=heads[key].version,
            content_hash=heads[key].content_hash,
            deleted=True,
            reason=reason,
            writer=heads[key].writer,
        )
        for key in keys
        if key in heads and not heads[key].deleted
    ]
