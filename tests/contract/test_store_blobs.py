"""Blobs: kept once under their hash, whole or not at all."""

import hashlib
import os
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from dagcatalog_server.catalog.errors import BlobCorrupt
from dagcatalog_server.catalog.model import Blob, BlobKind
from dagcatalog_server.catalog.ports import Store
from dagcatalog_server.store.blob_codec import Codec, Packed, pack, unpack
from dagcatalog_server.store.postgres import open_postgres
from dagcatalog_server.store.sqlite import open_sqlite
from tests.support.stored import blob, sha

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
