"""What an archive holds: a manifest, one entry for each version of a DAG, an end."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from dagcatalog_client.model import DagSummary, Provenance

FORMAT = 1
MANIFEST, END = "manifest.json", "end.json"
DAG, DOCUMENT, SOURCE = "dag.json", "document.json", "source.py"
NAME_BYTES = 60
"""Of a dag_id in a path; with its version it stays within what every tar and file system takes."""


class ArchiveError(Exception):
    """The file is no archive, was changed since it was written, or wants what none may."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive is of."""

    epoch: str
    revision: int
    """Everything in it is as it was at this revision."""
    namespace: str
    versions: str
    """`heads`, or `all`: whole histories, oldest version first."""
    conditions: Mapping[str, Any] = field(default_factory=dict)
    """The filter, by the names of `DagFilter`."""

    def asks_the_same(self, other: "Manifest") -> bool:
        """Tell whether both are of the same history and of the same DAGs."""
        return (self.epoch, self.namespace, self.versions, self.conditions) == (
            other.epoch,
            other.namespace,
            other.versions,
            other.conditions,
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One version of one DAG; its document and source follow in the archive."""

    namespace: str
    dag_id: str
    version: int
    head: bool
    """The newest one; the other fields of a DAG that comes and goes are its."""
    content_hash: str
    definition_hash: str
    source_hash: str
    """Empty: none was put."""
    bundle_name: str
    bundle_version: str
    file: str
    labels: Mapping[str, str]
    actor: str
    create_time: str
    deleted: bool
    delete_reason: str

    @property
    def key(self) -> tuple[str, str, int]:
        """Name it among all entries."""
        return self.namespace, self.dag_id, self.version

    @property
    def provenance(self) -> Provenance:
        """Where the document came from."""
        return Provenance(self.bundle_name, self.bundle_version, self.file)

    @property
    def folder(self) -> str:
        """Return its folder in the archive: safe to unpack anywhere, whatever the dag_id."""
        name = self.dag_id
        if len(name.encode()) > NAME_BYTES:
            start = name.encode()[: NAME_BYTES - 20].decode(errors="ignore")
            name = f"{start}~{sha256(name.encode())[:16]}"
        # A dag_id may be "..", but no name is: each ends with its version.
        return f"{self.namespace}/{name}@{self.version}"

    @property
    def modified_s(self) -> int:
        """Return the time that a tar shows."""
        try:
            return max(int(datetime.fromisoformat(self.create_time).timestamp()), 0)
        except ValueError:
            return 0


def entry_of(summary: DagSummary, *, head: bool) -> Entry:
    """Describe one state of a DAG."""
    return Entry(
        namespace=summary.namespace,
        dag_id=summary.dag_id,
        version=summary.version,
        head=head,
        content_hash=summary.content_hash,
        definition_hash=summary.definition_hash,
        source_hash=summary.source_hash,
        bundle_name=summary.provenance.bundle_name,
        bundle_version=summary.provenance.bundle_version,
        file=summary.provenance.file,
        labels=dict(summary.labels),
        actor=summary.actor,
        create_time=summary.create_time.isoformat() if summary.create_time else "",
        deleted=head and summary.deleted,
        delete_reason=summary.delete_reason if head else "",
    )


def manifest_bytes(manifest: Manifest) -> bytes:
    """Write a manifest."""
    return _json({"format": FORMAT, **asdict(manifest)})


def entry_bytes(entry: Entry) -> bytes:
    """Write an entry."""
    return _json(asdict(entry))


def end_bytes(entry_count: int) -> bytes:
    """Write the end, by which a whole archive is told from one that was cut."""
    return _json({"entries": entry_count})


def read_manifest(raw: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        ArchiveError: it is none, or of a format that is not known.

    """
    tree = _tree(raw, MANIFEST)
    if tree.pop("format", None) != FORMAT:
        raise ArchiveError("the archive is of a format that this dagctl does not know")
    return Manifest(**_typed(tree, Manifest, MANIFEST))


def read_entry(raw: bytes, name: str) -> Entry:
    """Read the entry of the member `name`.

    Raises:
        ArchiveError: it is none, or its path belongs to another one.

    """
    entry = Entry(**_typed(_tree(raw, name), Entry, name))
    if name != f"{entry.folder}/{DAG}":
        raise ArchiveError(f"{name} says that it is {entry.folder}/{DAG}")
    if not all(isinstance(value, str) for value in entry.labels.values()):
        raise ArchiveError(f"{name}: labels must be texts")
    return entry


def read_end(raw: bytes) -> int:
    """Read how many entries there were."""
    count = _tree(raw, END).get("entries")
    if not isinstance(count, int):
        raise ArchiveError(f"{END} does not say how many entries there are")
    return count


def sha256(raw: bytes) -> str:
    """Hash bytes as the catalog does."""
    return hashlib.sha256(raw).hexdigest()


_KINDS: Mapping[Any, type] = {
    str: str,
    int: int,
    bool: bool,
    Mapping[str, str]: dict,
    Mapping[str, Any]: dict,
}
_HASH = re.compile(r"[0-9a-f]{64}")


def _json(tree: Mapping[str, Any]) -> bytes:
    return json.dumps(tree, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def _tree(raw: bytes, name: str) -> dict[str, Any]:
    try:
        tree = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ArchiveError(f"{name} is not JSON: {error}") from error
    if not isinstance(tree, dict):
        raise ArchiveError(f"{name} is no object")
    return tree


def _typed(tree: dict[str, Any], kind: type[Entry | Manifest], name: str) -> dict[str, Any]:
    """Keep the fields that are known, each of its type; a newer dagctl may have written more."""
    found: dict[str, Any] = {}
    for key, wanted in kind.__annotations__.items():
        value = tree.get(key)
        if type(value) is not _KINDS[wanted]:
            raise ArchiveError(f"{name}: {key} is missing, or is not what it should be")
        if key == "content_hash" and not _HASH.fullmatch(str(value)):
            raise ArchiveError(f"{name}: {key} is no hash")
        found[key] = value
    return found
