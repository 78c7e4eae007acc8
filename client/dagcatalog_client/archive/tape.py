"""Writes and reads tar files, member by member; a plain `tar` reads them too.

Reading goes header by header and not through `tarfile.open`: that follows extended headers of any
size, links and sparse maps. Here a member is a regular file of a known name and of a bounded size,
or the file is refused.
"""

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from dagcatalog_client.archive.model import DAG, DOCUMENT, END, MANIFEST, SOURCE, ArchiveError

BLOCK_BYTES = tarfile.BLOCKSIZE
MAX_TOLD_BYTES = 256 * 1024
"""Of a member that only tells of others; 64 labels of 318 characters are 20 KiB."""
MAX_CONTENT_BYTES = 64 * 1024**2
"""Of a document or a source: what a message to the catalog holds."""
_LIMITS = {DAG: MAX_TOLD_BYTES, DOCUMENT: MAX_CONTENT_BYTES, SOURCE: MAX_CONTENT_BYTES}
_NAME = re.compile(
    r"[a-z0-9][-a-z0-9]{0,62}/[^/\0]{1,90}@\d{1,19}/(dag\.json|document\.json|source\.py)"
)


class Cut(ArchiveError):
    """The file ends where more should follow."""


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive."""

    name: str
    raw: bytes
    end_offset: int
    """Where the next one begins."""

    @property
    def kind(self) -> str:
        """Return the last part of its name."""
        return self.name.rpartition("/")[2]


class TapeWriter:
    """Appends members. The same members make the same bytes: no owner, no time but what is given."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def add(self, name: str, raw: bytes, *, modified_s: int = 0) -> None:
        """Append one file."""
        info = tarfile.TarInfo(name)
        info.size, info.mtime, info.mode = len(raw), modified_s, 0o644
        header = info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict")
        self._file.write(header + raw + b"\0" * (-len(raw) % BLOCK_BYTES))

    def end(self) -> None:
        """Write the end of a tar."""
        self._file.write(b"\0" * BLOCK_BYTES * 2)


def members(file: BinaryIO) -> Iterator[Member]:
    """Read each member.

    Raises:
        Cut: the file ends inside of one, or without an end.
        ArchiveError: a member is none of ours, or too large.

    """
    offset = 0
    while True:
        header = _read(file, BLOCK_BYTES)
        if header == b"\0" * BLOCK_BYTES:
            return
        info = _info(header)
        raw = _read(file, info.size + (-info.size % BLOCK_BYTES))[: info.size]
        offset += BLOCK_BYTES + info.size + (-info.size % BLOCK_BYTES)
        yield Member(info.name, raw, offset)


def _info(header: bytes) -> tarfile.TarInfo:
    try:
        info = tarfile.TarInfo.frombuf(header, "utf-8", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError) as error:
        raise ArchiveError("this is no archive of dagctl, or it is damaged") from error
    name = info.name
    if info.type != tarfile.REGTYPE:
        raise ArchiveError(f"{name!r} is a link or a device: an archive holds files only")
    if name not in (MANIFEST, END) and (not _NAME.fullmatch(name) or ".." in name.split("/")):
        raise ArchiveError(f"{name!r} does not belong into an archive of dagctl")
    limit = _LIMITS.get(name.rpartition("/")[2], MAX_TOLD_BYTES)
    if not 0 <= info.size <= limit:
        raise ArchiveError(f"{name} of {info.size:,} bytes is over the limit of {limit:,}")
    return info


def _read(file: BinaryIO, size: int) -> bytes:
    """Read exactly so much: a pipe gives less at a time."""
    parts: list[bytes] = []
    missing = size
    while missing:
        part = file.read(min(missing, 1024**2))
        if not part:
            raise Cut("the archive was cut")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
