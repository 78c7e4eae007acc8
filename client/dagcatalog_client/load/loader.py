"""Runs a load: parse, write, report, and tell which files have vanished."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Protocol

from dagcatalog_client.load.files import (
    MAX_DOCUMENT_FILE_BYTES,
    LoadFile,
    Selection,
    read_document,
)
from dagcatalog_client.load.report import FileReport, LoadReport
from dagcatalog_client.load.writer import Catalog, Writer
from dagcatalog_client.model import (
    DagFilter,
    DagSummary,
    ParseError,
    ParseErrorKind,
    ParseFailure,
    ParseResult,
    Status,
)
from dagcatalog_client.parse import documents, failures
from dagcatalog_client.parse.model import Failure, FailureKind, FileOutcome, Limits
from dagcatalog_client.parse.parser import Parser
from dagcatalog_client.parse.request import ParseRequest

REPORT_SIZE = 200  # files whose errors go to the catalog together; it takes 1,000


class LoadCatalog(Catalog, Protocol):
    """The calls of `Client` that a load makes."""

    def list(self, dag_filter: DagFilter | None = None) -> Iterator[DagSummary]:
        """Iterate over summaries."""
        ...

    def list_parse_errors(self, *, bundle_name: str = "") -> Iterator[ParseError]:
        """Iterate over parse errors."""
        ...

    def report_parse(self, results: Sequence[ParseResult], *, bundle_name: str = "") -> int:
        """Replace the parse errors of files."""
        ...

    def status(self) -> Status:
        """Tell where the catalog stands."""
        ...


def run(
    catalog: LoadCatalog,
    parser: Parser | None,
    selection: Selection,
    *,
    bundle_name: str,
    limits: Limits,
    prune: bool,
    done: Callable[[FileReport], None],
) -> LoadReport:
    """Load the files; `done` is called after each, in the order of their names.

    Raises:
        CatalogError: the catalog went away, or refuses the caller. What was written stays.
        ParserError: no file can be parsed any more.

    """
    started = time.monotonic()
    known = _known(catalog, bundle_name)
    writer = Writer(catalog, bundle_name, known)
    load = LoadReport(bundle_name, pruned=prune)
    waiting: list[ParseResult] = []
    with closing(_outcomes(parser, selection.files, bundle_name, limits)) as outcomes:
        for file, outcome in outcomes:
            report = writer.write(file.name, outcome)
            load.files.append(report)
            waiting.append(_parse_result(report))
            done(report)
            if len(waiting) >= REPORT_SIZE:
                catalog.report_parse(waiting, bundle_name=bundle_name)
                waiting = []
    names = {file.name for file in selection.files}
    load.vanished = _vanished(known, selection, names, set(writer.dag_ids))
    if prune:
        load.vanished = {file: writer.prune(file) for file in load.vanished}
    waiting += _cleared(catalog, bundle_name, selection, names)
    for start in range(0, len(waiting), REPORT_SIZE):
        catalog.report_parse(waiting[start : start + REPORT_SIZE], bundle_name=bundle_name)
    load.revision = writer.revision or catalog.status().position.revision
    load.seconds = time.monotonic() - started
    return load


def _outcomes(
    parser: Parser | None, files: Sequence[LoadFile], bundle_name: str, limits: Limits
) -> Generator[tuple[LoadFile, FileOutcome], None, None]:
    """Give each file's outcome in order; documents are read when it is their turn."""
    requests = [
        ParseRequest(str(file.path), str(file.root), bundle_name, limits)
        for file in files
        if not file.is_document
    ]
    with closing(_parsed(parser, requests)) as parsed:
        for file in files:
            yield file, _read(file) if file.is_document else next(parsed)


def _parsed(
    parser: Parser | None, requests: Sequence[ParseRequest]
) -> Generator[FileOutcome, None, None]:
    if parser:
        with closing(parser.parse_all(requests)) as outcomes:
            yield from (outcome for _, outcome in outcomes)


def _read(file: LoadFile) -> FileOutcome:
    try:
        data = read_document(file.path)
    except OSError as error:
        return FileOutcome(failure=Failure(FailureKind.IMPORT, f"cannot be read: {error}"))
    if len(data) > MAX_DOCUMENT_FILE_BYTES:
        message = f"the file is larger than {MAX_DOCUMENT_FILE_BYTES >> 20} MiB"
        return FileOutcome(failure=Failure(FailureKind.REFUSED, message))
    return documents.read(data)


def _known(catalog: LoadCatalog, bundle_name: str) -> Mapping[str, list[str]]:
    """List the DAGs that the catalog has of this bundle, by file."""
    known: dict[str, list[str]] = defaultdict(list)
    for summary in catalog.list(DagFilter(bundle_name=bundle_name)):
        known[summary.provenance.file].append(summary.dag_id)
    return known


def _vanished(
    known: Mapping[str, list[str]], selection: Selection, names: set[str], loaded: set[str]
) -> dict[str, tuple[str, ...]]:
    """List files that are gone with the DAGs they leave; a DAG that moved is not left."""
    left = {
        file: tuple(dag_id for dag_id in dag_ids if dag_id not in loaded)
        for file, dag_ids in sorted(known.items())
        if file not in names and selection.covers(file)
    }
    return {file: dag_ids for file, dag_ids in left.items() if dag_ids}


def _cleared(
    catalog: LoadCatalog, bundle_name: str, selection: Selection, names: Iterable[str]
) -> list[ParseResult]:
    """Take back the errors of files that are gone."""
    return [
        ParseResult(error.file)
        for error in catalog.list_parse_errors(bundle_name=bundle_name)
        if error.bundle_name == bundle_name
        and error.file not in names
        and selection.covers(error.file)
    ]


def _parse_result(report: FileReport) -> ParseResult:
    if report.failure is None:
        return ParseResult(report.file)
    return ParseResult(
        report.file,
        ParseFailure(
            failures.short(report.failure.message),
            ParseErrorKind[report.failure.kind.value],
            failures.cut_middle(report.failure.stack_trace),
            report.failure.line,
        ),
    )
