"""Blobs: kept once under their hash, whole or not at all."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Engine, create_engine, delete, text

from dagcatalog_server.catalog.errors import BlobCorrupt
from dagcatalog_server.catalog.model import Blob, BlobKind, DagState
from dagcatalog_server.catalog.ports import Store
from dagcatalog_server.store import sql_tables
from dagcatalog_server.store.blob_codec import Base, Codec, Packed, pack, unpack
from dagcatalog_server.store.kept_bases import KeptBases
from dagcatalog_server.store.postgres import open_postgres
from dagcatalog_server.store.sql_blobs import insert_blobs, new_rows, read_blobs
from dagcatalog_server.store.sql_dialect import SqlDialect
from dagcatalog_server.store.sql_rows import change_row
from dagcatalog_server.store.sql_tables import FOREVER
from dagcatalog_server.store.sqlite import open_sqlite
from tests.support.stored import blob, change, commit, key, sha, state

DOCUMENT = '{"dag": "' + "orders " * 500 + '"}'


def test_blobs_come_back_as_they_were_put(store: Store) -> None:
    put = [blob(DOCUMENT), blob("print('🌙')", BlobKind.SOURCE), blob("")]
    store.put_blobs(put)
    with store.read() as snapshot:
        found = snapshot.blobs([*(each.hash for each in put), sha("absent")])
    assert found == {each.hash: each for each in put}


def test_bytes_that_are_no_text_and_do_not_compress_come_back(store: Store) -> None:
    raw = os.urandom(5000) + b"\x00"
    odd = Blob(hashlib.sha256(raw).hexdigest(), BlobKind.SOURCE, raw)
    store.put_blobs([odd])
    with store.read() as snapshot:
        assert snapshot.blobs([odd.hash])[odd.hash].raw == raw


def test_a_blob_is_kept_once(store: Store) -> None:
    store.put_blobs([blob(DOCUMENT), blob(DOCUMENT)])
    store.put_blobs([blob(DOCUMENT), blob("second")])
    store.put_blobs([])
    with store.read() as snapshot:
        counts = snapshot.counts()
    assert counts.blobs == 2
    assert counts.raw_bytes == len(DOCUMENT) + len("second")
    assert 0 < counts.stored_bytes <= counts.raw_bytes


def test_many_blobs_are_put_and_read_at_once(store: Store) -> None:
    put = {each.hash: each for each in (blob(f"document {n}") for n in range(1100))}
    store.put_blobs(put.values())
    with store.read() as snapshot:
        assert snapshot.blobs(list(put)) == put
        assert snapshot.blobs([]) == {}


def test_damaged_bytes_are_reported_in_sqlite(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    _assert_damage_is_found(open_sqlite(path), f"sqlite:///{path}")


def test_damaged_bytes_are_reported_in_postgresql(postgres_url: str) -> None:
    url = postgres_url.replace("postgresql:", "postgresql+psycopg2:")
    _assert_damage_is_found(open_postgres(postgres_url), url)


def test_a_blob_that_claims_another_size_is_refused_before_it_is_unpacked() -> None:
    bomb = pack(b"0" * 1_000_000)
    with pytest.raises(BlobCorrupt, match="claims"):
        unpack(sha("x"), Packed(bomb.codec, 10, bomb.data))


def test_an_unknown_codec_is_refused() -> None:
    with pytest.raises(BlobCorrupt, match="codec"):
        unpack(sha("x"), Packed(9, 1, b"x"))  # type: ignore[arg-type]  # as a newer release wrote


def test_cut_bytes_are_refused() -> None:
    packed = pack(DOCUMENT.encode())
    assert packed.codec == Codec.ZSTD
    with pytest.raises(BlobCorrupt, match="unpack"):
        unpack(sha(DOCUMENT), Packed(packed.codec, packed.raw_bytes, packed.data[:-5]))


def _assert_damage_is_found(store: Store, url: str) -> None:
    good, bad = blob("good"), blob(DOCUMENT)
    store.put_blobs([good, bad])
    other = pack(DOCUMENT.replace("orders", "thefts").encode())
    engine = create_engine(url)
    with engine.begin() as connection:
        damage = text("UPDATE blob SET data = :data WHERE raw_bytes = :raw_bytes")
        connection.execute(damage, {"data": other.data, "raw_bytes": len(DOCUMENT)})
    engine.dispose()
    with store.read() as snapshot:
        assert snapshot.blobs([good.hash]) == {good.hash: good}
        with pytest.raises(BlobCorrupt) as caught:
            snapshot.blobs([bad.hash])
    assert caught.value.blob_hash == bad.hash
    store.close()


def test_a_version_that_changes_little_is_kept_as_its_difference(store: Store) -> None:
    raws = _versions(30)
    for number, raw in enumerate(raws):
        put = _like_dag(raw)
        store.put_blobs([put])
        commit(store, _state_of(put, version=number + 1))
    hashes = [_like_dag(raw).hash for raw in raws]
    with store.read() as snapshot:
        assert [snapshot.blobs([each])[each].raw for each in hashes] == raws
        counts = snapshot.counts()
    if store.name != "memory":
        assert counts.stored_bytes < counts.raw_bytes / 30


def test_a_base_that_went_before_its_difference_was_kept_is_not_missed(
    engine: tuple[Engine, SqlDialect],
) -> None:
    writers, dialect = engine
    first, second = (_like_dag(raw) for raw in _versions(2))
    both = {each.hash: each for each in (first, second)}
    with writers.begin() as connection:
        insert_blobs(
            connection, dialect, new_rows(connection, {first.hash: first}, KeptBases()), both
        )
        head = replace(change(_state_of(first, version=1)), revision=1)
        dialect.insert_rows(connection, sql_tables.change, [change_row(head, FOREVER)])
    with writers.begin() as connection:
        rows = new_rows(connection, {second.hash: second}, KeptBases())
        assert rows[0].base_hash == first.hash
    with writers.begin() as connection:
        connection.execute(delete(sql_tables.blob))
    with writers.begin() as connection:
        insert_blobs(connection, dialect, rows, both)
        assert read_blobs(connection, [second.hash])[second.hash].raw == second.raw


def test_a_difference_without_its_base_is_reported(engine: tuple[Engine, SqlDialect]) -> None:
    raws = _versions(2)
    base = Base(_like_dag(raws[0]).hash, raws[0], 10_000)
    packed = pack(raws[1], base)
    assert packed.codec is Codec.ZSTD_DELTA
    assert unpack(_like_dag(raws[1]).hash, packed, raws[0]) == raws[1]
    with pytest.raises(BlobCorrupt, match="base"):
        unpack(_like_dag(raws[1]).hash, packed)
    with pytest.raises(BlobCorrupt):
        unpack(_like_dag(raws[1]).hash, packed, raws[0][::-1])


def _versions(count: int) -> list[bytes]:
    random = Random(1)
    words = [f"word{random.randrange(10**6)}" for _ in range(1_000)]
    versions = []
    for _ in range(count):
        words[random.randrange(1_000)] = f"word{random.randrange(10**6)}"
        versions.append(" ".join(words).encode())
    return versions


def _like_dag(raw: bytes) -> Blob:
    return Blob(hashlib.sha256(raw).hexdigest(), BlobKind.DOCUMENT, raw, like=key("a"))


def _state_of(put: Blob, *, version: int) -> DagState:
    made = state(key("a"), version=version)
    return replace(made, hashes=replace(made.hashes, content=put.hash))


def test_kept_bases_are_within_their_bound_and_the_unused_leave_first() -> None:
    bases = [Base(sha(str(number)), bytes(40), 10) for number in range(4)]
    kept = KeptBases(max_bytes=100)
    for each in bases[:2]:
        kept.keep(each)
    assert kept.get(bases[0].hash) is bases[0]
    kept.keep(bases[2])
    assert [kept.get(each.hash) for each in bases[:3]] == [bases[0], None, bases[2]]
    kept.keep(Base(sha("large"), bytes(101), 10))
    assert kept.get(sha("large")) is None
