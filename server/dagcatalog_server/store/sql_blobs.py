"""Content-addressed blobs in a SQL store."""

from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import Connection, select

from dagcatalog_server.catalog.model import Blob, BlobKind
from dagcatalog_server.store.blob_codec import Packed, pack, unpack
from dagcatalog_server.store.sql_tables import blob
from dagcatalog_server.store.texts import in_parts, is_sha256

MAX_HASHES = 500  # a statement; more are asked for in parts


def read_blobs(connection: Connection, hashes: Collection[str]) -> Mapping[str, Blob]:
    """Read blobs and check each against its hash; those not there are left out."""
    found: dict[str, Blob] = {}
    for part in in_parts(filter(is_sha256, set(hashes)), MAX_HASHES):
        for row in connection.execute(select(blob).where(blob.c.hash.in_(part))):
            raw = unpack(row.hash, Packed(row.codec, row.raw_bytes, row.data))
            found[row.hash] = Blob(row.hash, BlobKind(row.kind), raw)
    return found


def known_hashes(connection: Connection, hashes: Iterable[str]) -> set[str]:
    """Tell which blobs are there."""
    known: set[str] = set()
    for part in in_parts(hashes, MAX_HASHES):
        rows = connection.execute(select(blob.c.hash).where(blob.c.hash.in_(part)))
        known.update(rows.scalars())
    return known


def blob_values(each: Blob) -> dict[str, object]:
    """Pack a blob into its columns."""
    packed = pack(each.raw)
    return {
        "hash": each.hash,
        "kind": int(each.kind),
        "codec": int(packed.codec),
        "raw_bytes": packed.raw_bytes,
        "stored_bytes": len(packed.data),
        "data": packed.data,
    }
