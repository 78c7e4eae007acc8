"""Parse reports: import errors travel the same road as DAGs."""

from dataclasses import dataclass
from datetime import datetime

from dagcatalog_server.catalog.errors import CatalogUnavailable, InvalidArgument, TooLarge
from dagcatalog_server.catalog.model import ParseError, ParseErrorKind
from dagcatalog_server.catalog.names import check_file, check_namespace, check_text
from dagcatalog_server.catalog.ports import Store, StoreConflict, Transaction

MAX_RESULTS = 1_000
MAX_MESSAGE = 4_000
MAX_STACK_TRACE = 64 * 1024
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class ParseFailure:
    """Why a parse failed."""

    kind: ParseErrorKind
    message: str
    stack_trace: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class ParseResult:
    """What a parse of one file gave; without a failure, earlier errors of it are cleared."""

    file: str
    failure: ParseFailure | None = None


@dataclass(frozen=True, slots=True)
class ParseReport:
    """What the parses of a bundle's files gave; `complete`: of all its files."""

    namespace: str
    bundle_name: str
    bundle_version: str
    results: tuple[ParseResult, ...]
    complete: bool
    actor: str


def check_report(report: ParseReport) -> None:
    """Refuse a report that no store can keep."""
    check_namespace(report.namespace)
    check_text("bundle_name", report.bundle_name, 250)
    check_text("bundle_version", report.bundle_version, 250)
    if len(report.results) > MAX_RESULTS:
        raise TooLarge("results", "results", size=len(report.results), limit=MAX_RESULTS)
    seen: set[str] = set()
    for place, result in enumerate(report.results):
        if not result.file:
            raise InvalidArgument(f"results[{place}].file", "must not be empty")
        check_file(f"results[{place}]", report.bundle_name, result.file)
        if result.file in seen:
            raise InvalidArgument(f"results[{place}].file", f"{result.file!r} is there twice")
        seen.add(result.file)


def commit_report(store: Store, report: ParseReport, now: datetime) -> int:
    """Replace the errors of the reported files; return how many the bundle has now.

    Raises:
        CatalogUnavailable: the database gave up, or other reports came first again and again.

    """
    for _ in range(_ATTEMPTS):
        try:
            with store.write() as transaction:
                return _record(transaction, report, now)
        except StoreConflict:
            continue
    raise CatalogUnavailable


def _record(transaction: Transaction, report: ParseReport, now: datetime) -> int:
    files = [result.file for result in report.results]
    failed = [result for result in report.results if result.failure]
    parsed = [result.file for result in report.results if not result.failure]
    if report.complete:
        transaction.clear_parse_errors(report.namespace, report.bundle_name, keep=files)
    transaction.clear_parse_errors(report.namespace, report.bundle_name, files=parsed)
    transaction.put_parse_errors(
        [_error(report, one.file, one.failure, now) for one in failed if one.failure]
    )
    return transaction.parse_error_count(report.namespace, report.bundle_name)


def _error(report: ParseReport, file: str, failure: ParseFailure, now: datetime) -> ParseError:
    return ParseError(
        namespace=report.namespace,
        bundle_name=report.bundle_name,
        bundle_version=report.bundle_version,
        file=file,
        kind=failure.kind,
        message=_clean(failure.message)[:MAX_MESSAGE],
        stack_trace=shorten_middle(_clean(failure.stack_trace), MAX_STACK_TRACE),
        line=max(failure.line, 0),
        first_at=now,
        last_at=now,
        actor=report.actor,
    )


def shorten_middle(text: str, limit: int) -> str:
    """Cut a text to `limit` characters; the middle goes, since both ends of a traceback matter."""
    if len(text) <= limit:
        return text
    mark = "\n… (cut) …\n"
    half = (limit - len(mark)) // 2
    return text[:half] + mark + text[-half:]


def _clean(text: str) -> str:
    return text.replace("\0", "\ufffd")
