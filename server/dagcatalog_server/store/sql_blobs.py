"""Content-addressed blobs in a SQL store."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, func, select

from dagcatalog_server.catalog.errors import BlobCorrupt
from dagcatalog_server.catalog.model import Blob, BlobKind
from dagcatalog_server.store.blob_codec import (
    MAX_DELTA_BYTES,
    Base,
    Codec,
    Packed,
    may_have_base,
    pack,
    pack_difference,
    pack_whole,
    unpack,
)
from dagcatalog_server.store.kept_bases import KeptBases
from dagcatalog_server.store.sql_dialect import SqlDialect
from dagcatalog_server.store.sql_inserts import BlobRow
from dagcatalog_server.store.sql_tables import HEAD, IS_HEAD, blob, change
from dagcatalog_server.store.texts import in_parts, is_sha256

MAX_HASHES = 500  # a statement; more are asked for in parts

_KNOWN = select(blob.c.hash).where(blob.c.hash.in_(bindparam("hashes", expanding=True)))
_WHOLE = select(blob).where(blob.c.hash.in_(bindparam("hashes", expanding=True)))
_HELD = _KNOWN.order_by(blob.c.hash).with_for_update(read=True, key_share=True)

_KINDS = {int(kind): kind for kind in BlobKind}

Checked = Blob | BlobCorrupt
"""A blob as it was read, or what is wrong with it."""


def read_blobs(connection: Connection, hashes: Collection[str]) -> Mapping[str, Blob]:
    """Read blobs and check each against its hash; those not there are left out."""
    return {each.hash: each for each in map(_sound, check_blobs(connection, hashes))}


def check_blobs(connection: Connection, hashes: Collection[str]) -> Iterator[Checked]:
    """Read blobs, and tell of each that is damaged what is wrong; those not there are left out."""
    for part in in_parts(filter(is_sha256, set(hashes)), MAX_HASHES):
        rows = connection.execute(select(blob).where(blob.c.hash.in_(part))).all()
        bases = _read_bases(connection, {row.base_hash for row in rows if row.base_hash})
        for row in rows:
            try:
                raw = _unpacked(row, bases.get(row.base_hash))
                frame = row.data if row.codec == Codec.ZSTD else b""
                yield Blob(row.hash, _KINDS[row.kind], raw, frame=frame)
            except BlobCorrupt as problem:
                yield problem


def known_hashes(connection: Connection, hashes: Iterable[str]) -> set[str]:
    """Tell which blobs are there."""
    known: set[str] = set()
    for part in in_parts(hashes, MAX_HASHES):
        rows = connection.execute(_KNOWN, {"hashes": part})
        known.update(rows.scalars())
    return known


def new_rows(connection: Connection, blobs: Mapping[str, Blob], kept: KeptBases) -> list[BlobRow]:
    """Pack the blobs that are not there; for `insert_blobs`, which may be another transaction.

    Sorted, so that two writers of the same blobs cannot wait for each other in a circle.
    """
    new = blobs.keys() - known_hashes(connection, blobs)
    return _pack_blobs(connection, [blobs[each] for each in sorted(new)], kept)


def insert_blobs(
    connection: Connection,
    dialect: SqlDialect,
    rows: Sequence[BlobRow],
    blobs: Mapping[str, Blob],
) -> None:
    """Keep what is not there meanwhile."""
    if rows:
        dialect.insert_blobs(connection, _hold_bases(connection, rows, blobs))


def blob_row(each: Blob, packed: Packed) -> BlobRow:
    """Give a blob as it is kept."""
    return BlobRow(
        each.hash,
        int(each.kind),
        int(packed.codec),
        packed.raw_bytes,
        len(packed.data),
        packed.data,
        packed.base_hash,
    )


def _pack_blobs(connection: Connection, blobs: Sequence[Blob], kept: KeptBases) -> list[BlobRow]:
    """Give blobs' columns, each packed as its difference from its DAG's head if that is small."""
    packed = dict(_packed_like_heads(connection, blobs, kept))
    whole = [each for each in blobs if each.hash not in packed]
    made = pack_whole([each.raw for each in whole])
    packed |= {each.hash: one for each, one in zip(whole, made, strict=True)}
    return [blob_row(each, packed[each.hash]) for each in blobs]


def _hold_bases(
    connection: Connection, rows: Sequence[BlobRow], blobs: Mapping[str, Blob]
) -> list[BlobRow]:
    """Keep the bases of rows until the transaction ends; a row whose base is gone becomes whole."""
    bases = sorted({row.base_hash for row in rows if row.base_hash})
    held: set[str] = set()
    for part in in_parts(bases, MAX_HASHES):
        held.update(connection.execute(_HELD, {"hashes": part}).scalars())
    return [
        row
        if row.base_hash is None or row.base_hash in held
        else blob_row(blobs[row.hash], pack(blobs[row.hash].raw))
        for row in rows
    ]


def _sound(checked: Checked) -> Blob:
    if isinstance(checked, BlobCorrupt):
        raise checked
    return checked


def _packed_like_heads(
    connection: Connection, blobs: Sequence[Blob], kept: KeptBases
) -> Iterator[tuple[str, Packed]]:
    like: defaultdict[tuple[BlobKind, str], dict[str, list[Blob]]] = defaultdict(dict)
    for each in blobs:
        if each.like and may_have_base(each.raw):
            of_kind = like[each.kind, each.like.namespace]
            of_kind.setdefault(each.like.dag_id, []).append(each)
    for (kind, namespace), by_dag in like.items():
        for part in in_parts(by_dag, MAX_HASHES):
            asked = {"namespace": namespace, "dag_ids": part}
            named = connection.execute(_BASES[kind], asked).all()
            bases = _bases(connection, {row.hash for row in named}, kept)
            for row in named:
                if (base := bases.get(row.hash)) is None:
                    continue
                for one in by_dag[row.dag_id]:
                    if (difference := pack_difference(one.raw, base)) is not None:
                        yield one.hash, difference


def _bases(connection: Connection, hashes: Set[str], kept: KeptBases) -> Mapping[str, Base]:
    """Give bases from memory, and read the others; a damaged base is no base."""
    bases = {each: base for each in hashes if (base := kept.get(each)) is not None}
    for part in in_parts(hashes - bases.keys(), MAX_HASHES):
        for row in connection.execute(_WHOLE, {"hashes": part}):
            with suppress(BlobCorrupt):
                base = Base(row.hash, _unpacked(row), row.stored_bytes)
                kept.keep(base)
                bases[row.hash] = base
    return bases


def _bases_of_heads(kind: BlobKind) -> Select[Any]:
    """Name the blobs of heads, or rather what those are told from themselves."""
    held, base = blob.alias("held"), blob.alias("base")
    pointer = change.c.source_hash if kind is BlobKind.SOURCE else change.c.content_hash
    return (
        select(change.c.dag_id, base.c.hash)
        .with_hint(change, f"INDEXED BY {HEAD.name}", "sqlite")
        .join(held, held.c.hash == pointer)
        .join(base, base.c.hash == func.coalesce(held.c.base_hash, held.c.hash))
        .where(
            IS_HEAD,
            change.c.namespace == bindparam("namespace"),
            change.c.dag_id.in_(bindparam("dag_ids", expanding=True)),
            base.c.base_hash.is_(None),
            base.c.raw_bytes <= MAX_DELTA_BYTES,
        )
    )


_BASES = {kind: _bases_of_heads(kind) for kind in BlobKind}


def _read_bases(connection: Connection, hashes: Collection[str]) -> Mapping[str, bytes]:
    """Read whole blobs that others are told from; damaged ones are left out."""
    bases: dict[str, bytes] = {}
    for part in in_parts(hashes, MAX_HASHES):
        for row in connection.execute(select(blob).where(blob.c.hash.in_(part))):
            with suppress(BlobCorrupt):
                bases[row.hash] = _unpacked(row)
    return bases


def _unpacked(row: Row[Any], base: bytes | None = None) -> bytes:
    return unpack(row.hash, Packed(row.codec, row.raw_bytes, row.data, row.base_hash), base)
