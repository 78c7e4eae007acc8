"""The summaries and their position as one file, for a process that starts while the catalog is away."""

import hashlib
import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dagcatalog_client.informer.disk import write_atomically
from dagcatalog_client.position import Position

MAGIC = b"dagcatalog-snapshot-1\n"
DIGEST_BYTES = 32
LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What an informer had, and when it was last told that this is the present."""

    position: Position
    last_contact_s: float
    """Seconds since 1970."""
    summaries: Sequence[bytes]
    """Encoded."""


def file_name(*identity: object) -> str:
    """Name the file of an informer by what it follows: another question has another file."""
    told = json.dumps(identity, sort_keys=True, default=str)
    return f"{hashlib.sha256(told.encode()).hexdigest()[:32]}.snapshot"


def write(path: Path, snapshot: Snapshot) -> None:
    """Write a snapshot in the place of the last one."""
    parts = list(_parts(snapshot))
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    write_atomically(path, [MAGIC, digest.digest(), *parts])


def read(path: Path) -> Snapshot | None:
    """Return the snapshot; None: there is none, or it is not whole and is removed."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    body = memoryview(raw)[len(MAGIC) + DIGEST_BYTES :]
    digest = raw[len(MAGIC) : len(MAGIC) + DIGEST_BYTES]
    if not raw.startswith(MAGIC) or hashlib.sha256(body).digest() != digest:
        path.unlink(missing_ok=True)
        return None
    head, *summaries = _cut(body)
    told = json.loads(head)
    position = Position(told["epoch"], told["revision"])
    return Snapshot(position, told["last_contact"], summaries)


def _parts(snapshot: Snapshot) -> Iterable[bytes]:
    told = {
        "epoch": snapshot.position.epoch,
        "revision": snapshot.position.revision,
        "last_contact": snapshot.last_contact_s,
    }
    for part in (json.dumps(told).encode(), *snapshot.summaries):
        yield LENGTH.pack(len(part))
        yield part


def _cut(body: memoryview) -> Iterator[bytes]:
    start = 0
    while start < len(body):
        (length,) = LENGTH.unpack_from(body, start)
        start += LENGTH.size
        yield bytes(body[start : start + length])
        start += length
