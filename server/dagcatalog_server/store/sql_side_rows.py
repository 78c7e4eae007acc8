"""Rows of requests and parse errors to and from the catalog's values."""

from typing import Any

from sqlalchemy import Row

from dagcatalog_server.catalog.model import ParseError, ParseErrorKind, RequestRecord


def request_row(record: RequestRecord) -> tuple[object, ...]:
    """Give a remembered outcome as a row of `request`: its columns by place."""
    return (
        record.namespace,
        record.request_id,
        record.fingerprint,
        record.outcome,
        record.created_at,
    )


def request_of(row: Row[Any]) -> RequestRecord:
    """Make a remembered outcome of its row."""
    return RequestRecord(
        namespace=row.namespace,
        request_id=row.request_id,
        fingerprint=row.fingerprint,
        outcome=row.outcome,
        created_at=row.created_at,
    )


def parse_error_values(error: ParseError) -> dict[str, object]:
    """Give the columns of a parse error."""
    return {
        "namespace": error.namespace,
        "bundle_name": error.bundle_name,
        "bundle_version": error.bundle_version,
        "file": error.file,
        "kind": int(error.kind),
        "message": error.message,
        "stack_trace": error.stack_trace,
        "line": error.line,
        "first_at": error.first_at,
        "last_at": error.last_at,
        "actor": error.actor,
    }


def parse_error_of(row: Row[Any]) -> ParseError:
    """Make a parse error of its row."""
    return ParseError(
        namespace=row.namespace,
        bundle_name=row.bundle_name,
        bundle_version=row.bundle_version,
        file=row.file,
        kind=ParseErrorKind(row.kind),
        message=row.message,
        stack_trace=row.stack_trace,
        line=row.line,
        first_at=row.first_at,
        last_at=row.last_at,
        actor=row.actor,
    )
