"""The backup file: one format for every store, and every reason to refuse one.

A line, one zstd stream of records (a type, a length, the payload), another line. A row is JSON, a
blob is JSON and its bytes, whole, whatever the store keeps of it. The last record counts the others
and hashes everything before it, so that a file that was cut or damaged is never taken for whole.
"""

import hashlib
import os
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import orjson
import zstandard

from dagcatalog_server.catalog.model import BlobKind
from dagcatalog_server.store.blob_codec import MAX_BLOB_BYTES

MAGIC = b"dagcatalog backup 1\n"
TRAILER = b"\ndagcatalog backup ends\n"
# A window of 8 MiB: a version far back still is found to be nearly the same.
_WINDOW_LOG = 23
_RECORD = struct.Struct(">cI")
_HEADER = struct.Struct(">I")
_MAX_RECORD_BYTES = MAX_BLOB_BYTES + 1024**2
_BEGIN, _ROW, _BLOB, _END = b"B", b"R", b"D", b"E"


class BackupDamaged(Exception):
    """A file that is no backup, or not a whole one, in one sentence for the operator."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup is of."""

    epoch: str
    revision: int
    compacted_revision: int
    created_at: str
    """ISO 8601."""
    release: str


@dataclass(frozen=True, slots=True)
class RowRecord:
    """A row of a table, values as JSON has them."""

    table: str
    values: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class BlobRecord:
    """A content, whole."""

    hash: str
    kind: int
    base_hash: str | None
    """What it was told from in the store that it was read from, which comes before it."""
    raw: bytes


Record = RowRecord | BlobRecord


class BackupWriter:
    """Writes records; the file is a backup once `finish` returned."""

    def __init__(self, file: BinaryIO, manifest: Manifest) -> None:
        parameters = zstandard.ZstdCompressionParameters.from_level(
            3, window_log=_WINDOW_LOG, enable_ldm=True, write_checksum=True
        )
        file.write(MAGIC)
        compressor = zstandard.ZstdCompressor(compression_params=parameters)
        self._file = file
        self._stream = compressor.stream_writer(file, closefd=False)
        self._hash = hashlib.sha256()
        self.counts: Counter[str] = Counter()
        self._write(_BEGIN, orjson.dumps(asdict(manifest)))

    def row(self, table: str, values: Mapping[str, object]) -> None:
        """Add a row."""
        self.counts[table] += 1
        self._write(_ROW, orjson.dumps([table, values]))

    def blob(self, record: BlobRecord) -> None:
        """Add a content."""
        self.counts["blob"] += 1
        facts = orjson.dumps([record.hash, record.kind, record.base_hash])
        self._write(_BLOB, _HEADER.pack(len(facts)) + facts + record.raw)

    def finish(self) -> None:
        """Write the end."""
        end = {"counts": dict(self.counts), "sha256": self._hash.hexdigest()}
        self._write(_END, orjson.dumps(end))
        self._stream.flush(zstandard.FLUSH_FRAME)
        self._file.write(TRAILER)

    def _write(self, kind: bytes, payload: bytes) -> None:
        head = _RECORD.pack(kind, len(payload))
        for part in (head, payload):
            self._hash.update(part)
            self._stream.write(part)


class BackupReader:
    """Reads a backup from its beginning to its end.

    Raises, anywhere:
        BackupDamaged: it is not one, or not whole.

    """

    def __init__(self, file: BinaryIO) -> None:
        if file.read(len(MAGIC)) != MAGIC:
            raise BackupDamaged("it is not a backup of dagcatalog, or one of a newer release")
        _check_trailer(file)
        decompressor = zstandard.ZstdDecompressor(max_window_size=2**_WINDOW_LOG)
        self._stream = decompressor.stream_reader(file, read_across_frames=False, closefd=False)
        self._hash = hashlib.sha256()
        self.counts: Counter[str] = Counter()
        kind, payload, _ = self._next()
        if kind != _BEGIN:
            raise BackupDamaged("it does not begin as a backup does")
        with _well_formed():
            self.manifest = Manifest(**orjson.loads(payload))

    def records(self) -> Iterator[Record]:
        """Give every record; ends only if the end says that all were there."""
        while True:
            kind, payload, hash_before = self._next()
            match kind:
                case b"R":
                    yield self._row(payload)
                case b"D":
                    self.counts["blob"] += 1
                    yield _blob(payload)
                case b"E":
                    self._check_end(payload, hash_before)
                    return
                case _:
                    raise BackupDamaged(f"it has a record of unknown type {kind!r}")

    def _row(self, payload: bytes) -> RowRecord:
        with _well_formed():
            table, values = orjson.loads(payload)
            self.counts[table] += 1
            return RowRecord(table, values)

    def _check_end(self, payload: bytes, found_hash: str) -> None:
        with _well_formed():
            end = orjson.loads(payload)
            whole = end["sha256"] == found_hash and end["counts"] == dict(self.counts)
        if not whole:
            raise BackupDamaged("its contents are not what its end says")

    def _next(self) -> tuple[bytes, bytes, str]:
        hash_before = self._hash.hexdigest()
        head = self._exactly(_RECORD.size)
        kind, size = _RECORD.unpack(head)
        if size > _MAX_RECORD_BYTES:
            raise BackupDamaged(f"it has a record of {size} bytes")
        payload = self._exactly(size)
        self._hash.update(head)
        self._hash.update(payload)
        return kind, payload, hash_before

    def _exactly(self, size: int) -> bytes:
        parts = []
        while size and (part := self._read(size)):
            parts.append(part)
            size -= len(part)
        if size:
            raise BackupDamaged("it ends too early")
        return b"".join(parts)

    def _read(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except zstandard.ZstdError as error:
            raise BackupDamaged(f"it does not unpack ({error})") from error


def check_backup(path: Path) -> Manifest:
    """Read a whole backup and check it; change nothing.

    Raises:
        BackupDamaged: it is not whole.
        OSError: it cannot be read.

    """
    with path.open("rb") as file:
        reader = BackupReader(file)
        for _ in reader.records():
            pass
        return reader.manifest


def _check_trailer(file: BinaryIO) -> None:
    place = file.tell()
    end = file.seek(0, os.SEEK_END)
    file.seek(max(place, end - len(TRAILER)))
    if file.read() != TRAILER:
        raise BackupDamaged("it ends too early, or something follows its end")
    file.seek(place)


def _blob(payload: bytes) -> BlobRecord:
    with _well_formed():
        (size,) = _HEADER.unpack_from(payload)
        facts, raw = payload[_HEADER.size : _HEADER.size + size], payload[_HEADER.size + size :]
        blob_hash, kind, base_hash = orjson.loads(facts)
        record = BlobRecord(blob_hash, BlobKind(kind), base_hash, raw)
    if hashlib.sha256(raw).hexdigest() != blob_hash:
        raise BackupDamaged(f"its content {blob_hash} has another hash")
    return record


@contextmanager
def _well_formed() -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, struct.error) as error:
        raise BackupDamaged(f"it has a record that cannot be read ({error})") from error
