"""Documents on disk, by content hash, in a folder that many processes share.

An entry is a file of its own: the SHA-256 of the document, then the document. It is written under
another name and renamed, so nobody sees half of one; its hash is checked on every read, and what is
not whole is removed and counts as missing. The size is kept below a cap by removing what was used
least recently; a process looks once it has written a twentieth of the cap, at no more than
`SAMPLE_FILES` files, and no two look at once. So the folder may pass its cap by a twentieth for each
process that writes. Files are readable by their owner only.
"""

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

DIGEST_BYTES = 32
FOLDERS = 256
"""By the first two digits of the hash; hashes are uniform, so some folders are a fair sample."""
SAMPLE_FILES = 4_096
"""Looked at in one eviction; a smaller cache is looked at whole."""
LOW_WATER = 0.9
"""Share of the cap that an eviction leaves."""
USED_INTERVAL_S = 60.0
"""A read marks a file as used, once in so long."""
LEFTOVER_S = 3600.0
"""Temporary files older than this are of processes that died."""


@dataclass(frozen=True, slots=True)
class _File:
    used_s: float
    size: int
    path: str


class DiskCache:
    """A folder of documents. Any `OSError` is the caller's to log: a cache may always miss."""

    def __init__(
        self,
        folder: Path,
        max_bytes: int,
        *,
        variant: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`variant` keeps documents apart that are not the whole content of their hash."""
        self._folder = folder / "contents"
        self._lock = folder / "lock"
        self._max_bytes = max_bytes
        self._variant = f".{variant}" if variant else ""
        self._clock = clock
        self._written_bytes = 0
        self._turn = int.from_bytes(os.urandom(1), "big")

    def __contains__(self, content_hash: str) -> bool:
        return self._path(content_hash).exists()

    def empty(self) -> bool:
        """Tell whether nothing was ever written here."""
        return not self._folder.exists()

    def read(self, content_hash: str) -> bytes | None:
        """Return a document, or None: it is not here, or was damaged and is removed."""
        path = self._path(content_hash)
        try:
            with path.open("rb") as file:
                raw = file.read()
                used_s = os.fstat(file.fileno()).st_mtime
        except FileNotFoundError:
            return None
        document = raw[DIGEST_BYTES:]
        if not self._is_whole(content_hash, raw[:DIGEST_BYTES], document):
            path.unlink(missing_ok=True)
            return None
        if self._clock() - used_s > USED_INTERVAL_S:
            with suppress(FileNotFoundError):  # evicted meanwhile: what was read is whole
                os.utime(path, (self._clock(), self._clock()))
        return document

    def write(self, content_hash: str, document: bytes) -> None:
        """Keep a document; one that is here, or larger than the cap, is left as it is."""
        size = DIGEST_BYTES + len(document)
        path = self._path(content_hash)
        if size > self._max_bytes or path.exists():
            return
        write_atomically(path, (hashlib.sha256(document).digest(), document))
        self._written_bytes += size
        if self._written_bytes > self._max_bytes // 20:
            self._written_bytes = 0
            self.evict()

    def evict(self) -> None:
        """Remove what was used least recently, unless another process is at it."""
        with _alone(self._lock) as alone:
            if alone:
                self._evict()

    def _is_whole(self, content_hash: str, digest: bytes, document: bytes) -> bool:
        if not self._variant and digest.hex() != content_hash:
            return False
        return hashlib.sha256(document).digest() == digest

    def _evict(self) -> None:
        files, share = self._sample()
        left = sum(file.size for file in files)
        if left <= self._max_bytes * share:
            return
        for file in sorted(files, key=lambda one: one.used_s):
            if left <= self._max_bytes * share * LOW_WATER:
                return
            Path(file.path).unlink(missing_ok=True)
            left -= file.size

    def _sample(self) -> tuple[Sequence[_File], float]:
        """Look at whole folders in turn, until it is enough; tell which share that was."""
        files: list[_File] = []
        for looked in range(1, FOLDERS + 1):
            self._turn = (self._turn + 1) % FOLDERS
            files += self._files(self._folder / f"{self._turn:02x}")
            if len(files) >= SAMPLE_FILES:
                return files, looked / FOLDERS
        return files, 1.0

    def _files(self, folder: Path) -> Iterator[_File]:
        try:
            found = os.scandir(folder)
        except FileNotFoundError:
            return
        with found:
            for entry in found:
                with suppress(
                    FileNotFoundError
                ):  # removed since, by a reader that found it damaged
                    told = entry.stat()
                    if entry.name.startswith(TEMPORARY):
                        self._remove_leftover(entry.path, told.st_mtime)
                    else:
                        yield _File(told.st_mtime, told.st_size, entry.path)

    def _remove_leftover(self, path: str, written_s: float) -> None:
        if self._clock() - written_s > LEFTOVER_S:
            Path(path).unlink(missing_ok=True)

    def _path(self, content_hash: str) -> Path:
        return self._folder / content_hash[:2] / f"{content_hash}{self._variant}"


TEMPORARY = "tmp-"


def write_atomically(path: Path, parts: Sequence[bytes]) -> None:
    """Write a file so that others see all of it or nothing. Not synced: a cache may be lost."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # A name of its own for each process and each write; a fork copies the state of `random`.
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{os.urandom(8).hex()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - of a descriptor
            file.writelines(parts)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def _alone(lock: Path) -> Iterator[bool]:
    """Tell whether no other process holds the lock; hold it meanwhile."""
    lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with lock.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        try:
            yield True
        finally:
            # A child that was forked meanwhile has the descriptor too: closing ours is not enough.
            fcntl.flock(file, fcntl.LOCK_UN)
