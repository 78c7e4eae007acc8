"""Puts what an archive holds into a catalog; what is there already is not sent again."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from dagcatalog_client.archive.model import ArchiveError, Entry
from dagcatalog_client.archive.reading import Archive
from dagcatalog_client.client import Client
from dagcatalog_client.errors import DagNotFound, InvalidArgument, TooLarge
from dagcatalog_client.model import DagSummary, DagView, PutResult

KEPT_PROBLEMS = 100
"""Sentences that are kept; the others are counted."""

Done = Callable[[Entry], None]


@dataclass(frozen=True, slots=True)
class Wishes:
    """How to import."""

    into: str | None = None
    """Namespace that takes all; None: each entry's own."""
    skip_existing: bool = False
    """Leave DAGs alone that the catalog has."""
    heads_only: bool = False
    """Of whole histories, put the newest version only."""
    check_only: bool = False
    """Read and check everything, write nothing."""


@dataclass
class ImportReport:
    """What came of an import."""

    complete: bool = False
    """False: the archive was cut, and ends after these entries."""
    entry_count: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    """By outcome, in lower case; `there` for what was not sent again, `skipped`, `refused`."""
    problems: list[str] = field(default_factory=list)
    problem_count: int = 0
    revision: int = 0
    """Where the catalog stands after it."""

    def note(self, problem: str) -> None:
        """Keep a sentence about one entry."""
        self.problem_count += 1
        if len(self.problems) < KEPT_PROBLEMS:
            self.problems.append(problem)


def run(client: Client, file: BinaryIO, wishes: Wishes, done: Done) -> ImportReport:
    """Read an archive to its end, and put what the catalog has not.

    Raises:
        ArchiveError: the file is no archive, or was changed. Entries before that place are in.

    """
    archive, report = Archive(file), ImportReport()
    loader = _Loader(client, wishes, report, whole=archive.manifest.versions == "all")
    for entry, document, source in archive:
        report.entry_count += 1
        if not wishes.check_only and (entry.head or not wishes.heads_only):
            loader.load(entry, document, _text(entry, source))
        done(entry)
    report.complete = archive.complete
    report.revision = client.position.revision if client.position else 0
    return report


def _text(entry: Entry, source: bytes | None) -> str | None:
    try:
        return None if source is None else source.decode()
    except UnicodeDecodeError as error:
        raise ArchiveError(f"the source of {entry.dag_id!r} is not UTF-8") from error


class _Loader:
    def __init__(
        self, client: Client, wishes: Wishes, report: ImportReport, *, whole: bool
    ) -> None:
        self._client = client
        self._wishes = wishes
        self._report = report
        self._whole = whole and not wishes.heads_only
        self._dag: _Dag | None = None

    def load(self, entry: Entry, document: bytes, source: str | None) -> None:
        """Put one entry, unless it is there, or its DAG has gone another way."""
        namespace = self._wishes.into or entry.namespace
        if self._dag is None or self._dag.key != (namespace, entry.dag_id):
            self._dag = self._look_at(namespace, entry.dag_id)
        dag = self._dag
        if dag.refused:
            self._report.counts["refused"] += 1
        elif self._wishes.skip_existing and dag.was_there:
            self._report.counts["skipped"] += 1
        elif self._whole and not dag.follows(entry):
            self._refuse(
                dag, f"{entry.dag_id}: version {entry.version} is another in the catalog's history"
            )
        elif dag.has(entry, whole=self._whole):
            self._report.counts["there"] += 1
        else:
            self._put(dag, entry, document, source)
        if entry.head and not dag.refused:
            self._tombstone(dag, entry)

    def _look_at(self, namespace: str, dag_id: str) -> "_Dag":
        try:
            head = self._client.get(
                dag_id, view=DagView.SUMMARY, include_deleted=True, namespace=namespace
            ).summary
        except DagNotFound:
            return _Dag((namespace, dag_id))
        history: Sequence[DagSummary] = (head,)
        if self._whole:
            found = self._client.list_versions(dag_id, page_size=500, namespace=namespace)
            older = [each.summary for each in found if each.version < head.version]
            history = (*reversed(older), head)
        return _Dag((namespace, dag_id), history, head, was_there=not head.deleted)

    def _put(self, dag: "_Dag", entry: Entry, document: bytes, source: str | None) -> None:
        try:
            result = self._client.put(
                entry.dag_id,
                document,
                source=source,
                provenance=entry.provenance,
                labels=entry.labels,
                namespace=dag.key[0],
            )
        except (InvalidArgument, TooLarge) as error:
            self._refuse(dag, f"{entry.dag_id}: {error}")
            return
        dag.head = result.summary
        self._report.counts[result.outcome.name.lower()] += 1
        self._compare(entry, result)

    def _compare(self, entry: Entry, result: PutResult) -> None:
        """Say what is not as it was: the catalog has the last word about both."""
        now = result.summary
        if now.content_hash != entry.content_hash:
            self._report.note(
                f"{entry.dag_id}: the catalog keeps {now.content_hash[:12]}, which defines the same "
                f"as {entry.content_hash[:12]}"
            )
        if self._whole and now.version != entry.version:
            self._report.note(
                f"{entry.dag_id}: version {entry.version} is version {now.version} here"
            )

    def _refuse(self, dag: "_Dag", problem: str) -> None:
        dag.refused = True
        self._report.counts["refused"] += 1
        self._report.note(problem)

    def _tombstone(self, dag: "_Dag", entry: Entry) -> None:
        if entry.deleted and dag.head is not None and not dag.head.deleted:
            gone = self._client.delete(
                entry.dag_id, reason=entry.delete_reason, namespace=dag.key[0]
            )
            dag.head = gone.summary
            self._report.counts["deleted"] += 1


@dataclass
class _Dag:
    """One DAG of the catalog while its entries come."""

    key: tuple[str, str]
    history: Sequence[DagSummary] = ()
    """What the catalog had before, oldest first."""
    head: DagSummary | None = None
    was_there: bool = False
    refused: bool = False
    met: int = 0
    """How many of `history` the archive has told of so far."""
    definition: str = ""
    """Of the last entry."""

    def follows(self, entry: Entry) -> bool:
        """Tell whether the catalog's history goes as the archive's does, as far as it goes."""
        again = entry.definition_hash == self.definition
        self.definition = entry.definition_hash
        if self.met == len(self.history) or again:
            return True
        self.met += 1
        return self.history[self.met - 1].definition_hash == entry.definition_hash

    def has(self, entry: Entry, *, whole: bool) -> bool:
        """Tell whether there is nothing to put: the entry is past, or the head is just so."""
        if self.head is None:
            return False
        if whole and self.met < len(self.history):
            return True
        now = self.head
        same = (now.content_hash, now.source_hash, now.provenance, dict(now.labels)) == (
            entry.content_hash,
            entry.source_hash or now.source_hash,
            entry.provenance,
            dict(entry.labels) or dict(now.labels),
        )
        return same and (not now.deleted or entry.deleted)
