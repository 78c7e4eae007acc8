"""Documents and snapshots on disk, shared by processes."""

import multiprocessing
import os
import random
from pathlib import Path

import pytest

from dagcatalog_client import Position
from dagcatalog_client.informer import snapshot
from dagcatalog_client.informer.disk import LEFTOVER_S, USED_INTERVAL_S, DiskCache
from dagcatalog_client.informer.snapshot import Snapshot
from tests.support.entries import content_hash

MIB = 1024**2


class Clock:
    def __init__(self, now_s: float = 1_000_000.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s


def files(folder: Path) -> list[Path]:
    return [path for path in (folder / "contents").rglob("*") if path.is_file()]


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in files(folder))


def test_a_document_is_found_again_by_its_hash(tmp_path: Path) -> None:
    disk = DiskCache(tmp_path, MIB)
    assert disk.empty()
    name = content_hash(b"etl")
    disk.write(name, b"etl")
    assert not disk.empty()
    assert name in disk
    assert DiskCache(tmp_path, MIB).read(name) == b"etl"
    assert disk.read(content_hash(b"other")) is None
    assert files(tmp_path)[0].stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", [b"", b"short", b"x" * 35])
def test_a_damaged_entry_is_missing_and_removed(tmp_path: Path, damage: bytes) -> None:
    disk = DiskCache(tmp_path, MIB)
    name = content_hash(b"etl")
    disk.write(name, b"etl")
    files(tmp_path)[0].write_bytes(damage)
    assert disk.read(name) is None
    assert files(tmp_path) == []
    disk.write(name, b"etl")
    assert disk.read(name) == b"etl"


def test_whole_bytes_under_the_wrong_name_are_damaged(tmp_path: Path) -> None:
    disk = DiskCache(tmp_path, MIB)
    wrong = content_hash(b"another")
    disk.write(wrong, b"etl")
    assert disk.read(wrong) is None


def test_trimmed_documents_are_kept_apart(tmp_path: Path) -> None:
    whole, trimmed = DiskCache(tmp_path, MIB), DiskCache(tmp_path, MIB, variant="webserver")
    name = content_hash(b"whole")
    trimmed.write(name, b"part")
    assert whole.read(name) is None
    assert trimmed.read(name) == b"part"


def test_what_was_used_least_recently_goes_first(tmp_path: Path) -> None:
    clock = Clock()
    disk = DiskCache(tmp_path, 100_000, clock=clock)
    names = []
    for number in range(9):
        document = str(number).encode() * 10_000
        names.append(content_hash(document))
        disk.write(names[-1], document)
        path = next(one for one in files(tmp_path) if one.name == names[-1])
        os.utime(path, (clock.now_s, clock.now_s))
        clock.now_s += 1
    clock.now_s += USED_INTERVAL_S
    assert disk.read(names[0]) is not None  # used again
    for extra in (b"x", b"y"):
        disk.write(content_hash(extra * 10_000), extra * 10_000)
    disk.evict()
    left = [name for name in names if name in disk]
    assert names[0] in left
    assert names[1] not in left
    assert left[1:] == names[-len(left) + 1 :]
    assert size(tmp_path) <= 100_000


def test_the_cap_holds_while_documents_come(tmp_path: Path) -> None:
    disk = DiskCache(tmp_path, MIB)
    source = random.Random(1)
    for _ in range(600):
        document = source.randbytes(source.randrange(20_000))
        disk.write(content_hash(document), document)
        assert size(tmp_path) <= MIB * 1.06
    assert size(tmp_path) > MIB // 2


def test_a_document_over_the_cap_is_not_written(tmp_path: Path) -> None:
    disk = DiskCache(tmp_path, 1_000)
    disk.write(content_hash(b"x" * 1_000), b"x" * 1_000)
    assert disk.empty()


def test_what_dead_processes_left_is_removed(tmp_path: Path) -> None:
    clock = Clock()
    disk = DiskCache(tmp_path, MIB, clock=clock)
    disk.write(content_hash(b"etl"), b"etl")
    folder = files(tmp_path)[0].parent
    for name, age_s in (("tmp-1-dead", LEFTOVER_S + 1), ("tmp-2-alive", 5.0)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (clock.now_s - age_s, clock.now_s - age_s))
    disk.evict()
    assert sorted(path.name[:5] for path in files(tmp_path) if "tmp" in path.name) == ["tmp-2"]


def test_a_file_removed_while_it_is_read_does_no_harm(tmp_path: Path) -> None:
    disk = DiskCache(tmp_path, MIB)
    name = content_hash(b"etl")
    disk.write(name, b"etl")
    path = files(tmp_path)[0]
    with path.open("rb") as open_file:
        path.unlink()
        assert open_file.read().endswith(b"etl")
    assert disk.read(name) is None


def _share(folder: Path, seed: int) -> None:
    """Write and read some of the same documents as the others; a wrong byte fails the process."""
    disk, source = DiskCache(folder, MIB), random.Random(seed)
    for _ in range(400):
        document = str(source.randrange(300)).encode() * 3_000
        name = content_hash(document)
        found = disk.read(name)
        if found is None:
            disk.write(name, document)
        elif found != document:
            os._exit(1)


def test_processes_share_a_folder_and_its_cap(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_share, args=(tmp_path, seed)) for seed in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert size(tmp_path) <= MIB * (1 + 3 / 20)
    assert not [path for path in files(tmp_path) if path.name.startswith("tmp-")]
    disk = DiskCache(tmp_path, MIB)
    assert all(disk.read(path.name) is not None for path in files(tmp_path))


def test_a_snapshot_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "snapshots" / snapshot.file_name("host:1", ("default",), "")
    written = Snapshot(Position("e", 7), 1234.5, [b"one", b"", b"x" * 70_000])
    snapshot.write(path, written)
    assert snapshot.read(path) == written
    snapshot.write(path, Snapshot(Position("e", 8), 1235.0, []))
    found = snapshot.read(path)
    assert found is not None
    assert found.position.revision == 8
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_damaged_snapshot_is_none_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "a.snapshot"
    for damage in (lambda raw: raw[:-1], lambda raw: b"", lambda raw: raw[:80] + b"?" + raw[81:]):
        snapshot.write(path, Snapshot(Position("e", 7), 1.0, [b"one" * 100]))
        path.write_bytes(damage(path.read_bytes()))
        assert snapshot.read(path) is None
        assert not path.exists()
    assert snapshot.read(path) is None


def test_another_question_has_another_file() -> None:
    told = [
        snapshot.file_name(*question)
        for question in (
            ("a:1", ("x",), ""),
            ("a:2", ("x",), ""),
            ("a:1", ("y",), ""),
            ("a:1", ("x",), "p"),
        )
    ]
    assert len(set(told)) == 4
