"""Reads an archive entry by entry, whole ones only, each checked against its hashes."""

from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

from dagcatalog_client.archive import model
from dagcatalog_client.archive.model import ArchiveError, Entry, Manifest
from dagcatalog_client.archive.tape import Cut, Member, members


class Archive:
    """An archive that is read from its beginning, once; iterating it gives its entries."""

    def __init__(self, file: BinaryIO) -> None:
        self._members = members(file)
        self.manifest = self._manifest()
        self.complete = False
        """Whether the end was reached, once the iteration is over."""

    def __iter__(self) -> Iterator[tuple[Entry, bytes, bytes | None]]:
        """Give each entry with its document and its source.

        Raises:
            ArchiveError: something in it is not what it should be.

        """
        for entry, document, source, _ in self.read():
            yield entry, document, source

    def read(self) -> Iterator[tuple[Entry, bytes, bytes | None, int]]:
        """Give each entry, and where the next one begins."""
        count = 0
        try:
            for member in self._members:
                if member.name == model.END:
                    self._end(member, count)
                    return
                yield self._entry(member)
                count += 1
        except Cut:
            return

    def _manifest(self) -> Manifest:
        first = next(self._members, None)
        if first is None or first.name != model.MANIFEST:
            raise ArchiveError("this is no archive of dagctl: it does not begin with its manifest")
        return model.read_manifest(first.raw)

    def _entry(self, first: Member) -> tuple[Entry, bytes, bytes | None, int]:
        if first.kind != model.DAG:
            raise ArchiveError(f"{first.name} comes without its {model.DAG}")
        entry = model.read_entry(first.raw, first.name)
        last = self._next(f"{entry.folder}/{model.DOCUMENT}", entry.content_hash)
        document, source = last.raw, None
        if entry.source_hash:
            last = self._next(f"{entry.folder}/{model.SOURCE}", entry.source_hash)
            source = last.raw
        return entry, document, source, last.end_offset

    def _next(self, name: str, wanted: str) -> Member:
        member = next(self._members, None)
        if member is None:
            raise Cut("the archive was cut")
        if member.name != name:
            raise ArchiveError(f"{member.name} is where {name} should be")
        if model.sha256(member.raw) != wanted:
            raise ArchiveError(f"{name} was changed: its hash is not {wanted}")
        return member

    def _end(self, member: Member, count: int) -> None:
        if (told := model.read_end(member.raw)) != count:
            raise ArchiveError(f"the archive says that it has {told} entries, and has {count}")
        self.complete = True


class WholeEntries:
    """What of an interrupted file is whole."""

    def __init__(self, file: BinaryIO) -> None:
        self._archive: Archive | None = None
        with suppress(ArchiveError):
            self._archive = Archive(file)
        self.offset = file.tell()

    @property
    def manifest(self) -> Manifest | None:
        """Return the manifest, if it is whole."""
        return self._archive.manifest if self._archive else None

    def __iter__(self) -> Iterator[tuple[Entry, int]]:
        """Give each whole entry, and where the next one begins."""
        if self._archive is None:
            return
        try:
            for entry, _, _, end_offset in self._archive.read():
                yield entry, end_offset
        except ArchiveError:  # garbage after a crash: what is before it counts
            return


def whole_entries(file: BinaryIO) -> WholeEntries:
    """Read what of an interrupted file is whole."""
    return WholeEntries(file)
