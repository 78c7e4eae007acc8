"""A file system so small that a test can fill it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CHUNK_BYTES = 64 * 1024
MAY_MOUNT = os.geteuid() == 0 and shutil.which("mount") is not None


@dataclass(frozen=True)
class SmallDisk:
    """A mounted tmpfs."""

    path: Path

    @property
    def _filler(self) -> Path:
        return self.path / "filler"

    def free_bytes(self) -> int:
        """Tell how much room there is."""
        return shutil.disk_usage(self.path).free

    def fill(self, *, leave_bytes: int = 0) -> None:
        """Take the room, but for so much."""
        taken = self.free_bytes() - leave_bytes
        with self._filler.open("ab") as file:
            os.posix_fallocate(file.fileno(), file.tell(), max(taken, 1))

    def make_room(self) -> None:
        """Give back what was taken."""
        self._filler.unlink()


@contextmanager
def small_disk(path: Path, *, size_bytes: int, owner: int = 0) -> Iterator[SmallDisk]:
    """Mount one that belongs to a user; needs root."""
    path.mkdir()
    options = f"size={size_bytes},mode=0755,uid={owner}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "dagcatalog-test", path], check=True)
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)
