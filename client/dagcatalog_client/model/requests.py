"""What a caller gives: items to put, preconditions, filters, selectors, parse results."""

from collections.abc import Mapping
from dataclasses import dataclass

from dagcatalog_client.model.dags import Provenance
from dagcatalog_client.model.enums import DeletedFilter, ParseErrorKind, ScheduleKind

Document = bytes | str | Mapping[str, object]
"""A serialized DAG: JSON as UTF-8 bytes or text, or the mapping that is dumped to it."""


@dataclass(frozen=True, slots=True)
class Precondition:
    """What must be true of the DAG for a write to happen. Make it with one of its functions."""

    version: int | None = None
    content_hash: str | None = None

    def __post_init__(self) -> None:
        if (self.version is None) == (self.content_hash is None):
            raise ValueError("a precondition is a version or a content_hash, not both")

    @classmethod
    def at_version(cls, version: int) -> "Precondition":
        """Expect this version to be the head; 0: the DAG must not exist."""
        return cls(version=version)

    @classmethod
    def at_content(cls, content_hash: str) -> "Precondition":
        """Expect the head to have this content."""
        return cls(content_hash=content_hash)

    @classmethod
    def absent(cls) -> "Precondition":
        """Expect that the DAG does not exist: never put, or deleted."""
        return cls(version=0)


@dataclass(frozen=True, slots=True)
class PutItem:
    """One DAG of a batch."""

    dag_id: str
    document: Document
    source: str | None = None
    """Text of the DAG file; None: the text that an unchanged definition has stays."""
    provenance: Provenance | None = None
    labels: Mapping[str, str] | None = None
    """At most 64; none: labels of an unchanged definition stay."""
    precondition: Precondition | None = None


@dataclass(frozen=True, slots=True)
class ReplaceFile:
    """The file whose complete set of DAGs a batch is."""

    file: str
    """Path inside the bundle."""
    bundle_name: str = ""


@dataclass(frozen=True, slots=True)
class DagFilter:
    """Conditions on a DAG; all that are given must hold. Matching is exact, but for `text`."""

    dag_id_prefix: str = ""
    text: str = ""
    """Found in dag_id, display name or description; ASCII letters match in either case."""
    tags_any: tuple[str, ...] = ()
    tags_all: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    """At least one of these."""
    bundle_name: str = ""
    file: str = ""
    """Path inside the bundle."""
    operators: tuple[str, ...] = ()
    """At least one of these."""
    schedule_kinds: tuple[ScheduleKind, ...] = ()
    """One of these."""
    changed_after_revision: int = 0
    deleted: DeletedFilter = DeletedFilter.EXCLUDE


@dataclass(frozen=True, slots=True)
class DagSelector:
    """One DAG of a `get_batch`: its head, or a version, or a content."""

    dag_id: str = ""
    """May be empty with `content_hash`."""
    version: int | None = None
    content_hash: str | None = None

    def __post_init__(self) -> None:
        if self.version is not None and self.content_hash is not None:
            raise ValueError("a selector has a version or a content_hash, not both")
        if not self.dag_id and not self.content_hash:
            raise ValueError("a selector needs a dag_id or a content_hash")


@dataclass(frozen=True, slots=True)
class ParseFailure:
    """Why a parse failed."""

    message: str
    """One sentence, to 4,000 characters."""
    kind: ParseErrorKind = ParseErrorKind.IMPORT
    stack_trace: str = ""
    """To 64 KiB; longer ones lose their middle."""
    line: int = 0
    """Line of the file, from 1; 0 if unknown."""


@dataclass(frozen=True, slots=True)
class ParseResult:
    """What a parse of one file gave; without a failure, earlier errors are cleared."""

    file: str
    """Path inside the bundle."""
    failure: ParseFailure | None = None
