"""Writes DAGs of a catalog into an archive, all as they were at one revision."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import BinaryIO

from dagcatalog_client.archive import model
from dagcatalog_client.archive.model import ArchiveError, Entry, Manifest
from dagcatalog_client.archive.reading import whole_entries
from dagcatalog_client.archive.tape import TapeWriter
from dagcatalog_client.client import Client
from dagcatalog_client.model import Dag, DagFilter, DagSummary, DagView, Position

KEPT_SOURCES = 8
"""Texts that are kept for the next DAG of the same file; DAGs of a file stand near each other."""
PAGE_SIZE = 500

Done = Callable[[Entry], None]


class Gone(ArchiveError):
    """What an interrupted export wrote last is no longer in the catalog: begin anew."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """How far an earlier export came."""

    manifest: Manifest
    last: tuple[str, str, int] | None
    """The last entry that is whole."""
    entry_count: int
    offset: int
    """Where the next entry goes."""


def manifest_of(client: Client, wanted: DagFilter, *, all_versions: bool) -> tuple[Manifest, int]:
    """Fix the revision that an export is of; return how many DAGs that are, too."""
    page = client.list_page(wanted, page_size=1)
    manifest = Manifest(
        epoch=page.position.epoch,
        revision=page.position.revision,
        namespace=client.namespace,
        versions="all" if all_versions else "heads",
        conditions=_conditions(wanted),
    )
    return manifest, page.total_size


def resume(file: BinaryIO) -> Resumed | None:
    """Read how far a file came that was interrupted; None: not even its manifest is whole."""
    read = whole_entries(file)
    if read.manifest is None:
        return None
    last, count, offset = None, 0, read.offset
    for entry, end_offset in read:
        last, count, offset = entry.key, count + 1, end_offset
    return Resumed(read.manifest, last, count, offset)


def run(
    client: Client,
    file: BinaryIO,
    wanted: DagFilter,
    manifest: Manifest,
    *,
    resumed: Resumed | None = None,
    done: Done,
) -> int:
    """Write an archive to its end; return how many entries it has.

    Raises:
        ArchiveError: the catalog sent something else than its hashes say.
        OutOfRange: the revision of the manifest was pruned meanwhile: begin anew.
        Gone: what an earlier export wrote last was.

    """
    tape, reader = TapeWriter(file), _Reader(client, manifest)
    if resumed is None:
        tape.add(model.MANIFEST, model.manifest_bytes(manifest))
    count = resumed.entry_count if resumed else 0
    for entry in _after(resumed, reader.entries(wanted)):
        document, source = reader.contents(entry)
        named = {model.DAG: model.entry_bytes(entry), model.DOCUMENT: document}
        if source is not None:
            named[model.SOURCE] = source
        for name, raw in named.items():
            tape.add(f"{entry.folder}/{name}", raw, modified_s=entry.modified_s)
        count += 1
        done(entry)
    tape.add(model.END, model.end_bytes(count))
    tape.end()
    return count


def _after(resumed: Resumed | None, entries: Iterator[Entry]) -> Iterator[Entry]:
    """Leave out what is there: entries come in the same order at the same revision."""
    if resumed is not None and resumed.last is not None:
        last = resumed.last
        if not any(entry.key == last for entry in entries):  # reads up to it, and no further
            raise Gone(f"version {last[2]} of {last[1]!r} was pruned while the export rested")
    yield from entries


class _Reader:
    def __init__(self, client: Client, manifest: Manifest) -> None:
        self._client = client
        self._at = Position(manifest.epoch, manifest.revision)
        self._all = manifest.versions == "all"
        self._sources: OrderedDict[str, bytes] = OrderedDict()

    def entries(self, wanted: DagFilter) -> Iterator[Entry]:
        """Go through the DAGs by name, and through each one's versions, oldest first."""
        for summary in self._client.list(wanted, at=self._at, page_size=PAGE_SIZE):
            if self._all:
                yield from self._older(summary)
            yield model.entry_of(summary, head=True)

    def contents(self, entry: Entry) -> tuple[bytes, bytes | None]:
        """Read document and source, and hold them against their hashes."""
        document = self._get(entry, DagView.DOCUMENT).document
        _check(document, entry.content_hash, f"the document of {entry.dag_id!r}")
        if not entry.source_hash:
            return document, None
        if (source := self._sources.get(entry.source_hash)) is None:
            source = (self._get(entry, DagView.SOURCE).source or "").encode()
            _check(source, entry.source_hash, f"the source of {entry.dag_id!r}")
            self._sources[entry.source_hash] = source
            if len(self._sources) > KEPT_SOURCES:
                self._sources.popitem(last=False)
        return document, source

    def _older(self, head: DagSummary) -> Iterator[Entry]:
        """Give the versions before the head: what it was then never changes."""
        found = self._client.list_versions(
            head.dag_id, page_size=PAGE_SIZE, namespace=head.namespace
        )
        older = [each.summary for each in found if each.version < head.version]
        for summary in reversed(older):
            yield model.entry_of(summary, head=False)

    def _get(self, entry: Entry, view: DagView) -> Dag:
        return self._client.get(
            entry.dag_id,
            at=self._at if entry.head else None,
            version=None if entry.head else entry.version,
            view=view,
            include_deleted=True,
            namespace=entry.namespace,
        )


def _check(raw: bytes, wanted: str, what: str) -> None:
    if model.sha256(raw) != wanted:
        raise ArchiveError(f"{what} came with another hash than {wanted}: run dagctl verify")


def _conditions(wanted: DagFilter) -> dict[str, object]:
    """Return what a filter asks for, in JSON's words."""
    asked = {key: value for key, value in asdict(wanted).items() if value}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in asked.items()}
