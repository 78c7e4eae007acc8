"""Reads every stored content and checks it against its hash, page by page, while writes go on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dagcatalog_server.catalog.model import DagKey
from dagcatalog_server.catalog.ports import Snapshot, Store

PAGE_BLOBS = 100
PAGE_ROWS = 2_000
MAX_POINTERS = 100
"""DAGs named with a damaged content."""


@dataclass(frozen=True, slots=True)
class Damage:
    """A content that is not what its hash says, or is not there."""

    hash: str
    problem: str
    dags: Sequence[DagKey]
    """DAGs that point at it, at most MAX_POINTERS."""


@dataclass(frozen=True, slots=True)
class Verified:
    """How far it is."""

    checked: int
    total: int
    """As counted at the beginning; more or fewer may be there by the end."""
    damaged: Sequence[Damage]
    """Found since the last."""
    done: bool = False


def verify(store: Store, namespace: str | None) -> Iterator[Verified]:
    """Check step by step every content that a namespace points at (None: every content).

    Then look for pointers at contents that are not there. A step is one short snapshot.
    """
    with store.read() as snapshot:
        total = snapshot.blob_count(namespace)
    checked, after = 0, ""
    while True:
        with store.read() as snapshot:
            page = snapshot.check_blobs(namespace, after=after, limit=PAGE_BLOBS)
            damaged = [
                _damage(snapshot, each.blob_hash, each.problem, namespace) for each in page.corrupt
            ]
        if not page.hashes:
            break
        checked, after = checked + len(page.hashes), page.hashes[-1]
        yield Verified(checked, total, damaged)
    for damaged in _dangling(store, namespace):
        yield Verified(checked, total, damaged)
    yield Verified(checked, checked, [], done=True)


def _dangling(store: Store, namespace: str | None) -> Iterator[list[Damage]]:
    after = 0
    told: set[str] = set()  # only what is missing: few, or nothing would work
    while True:
        with store.read() as snapshot:
            page = snapshot.dangling(namespace, after=after, limit=PAGE_ROWS)
            missing = sorted({each for each, _ in page.pointers} - told)
            damaged = [_damage(snapshot, each, "it is not there", namespace) for each in missing]
        told |= set(missing)
        if page.last_revision == after:
            return
        after = page.last_revision
        if damaged:
            yield damaged


def _damage(snapshot: Snapshot, blob_hash: str, problem: str, namespace: str | None) -> Damage:
    pointers = snapshot.pointers(blob_hash, namespace, limit=MAX_POINTERS)
    return Damage(blob_hash, problem, pointers)
