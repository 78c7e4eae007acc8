"""From the model to protobuf: what a caller gives."""

import json
from collections.abc import Mapping

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_client.errors import InvalidArgument
from dagcatalog_client.facts import Facts, Violation
from dagcatalog_client.model.dags import Provenance
from dagcatalog_client.model.requests import (
    DagFilter,
    DagSelector,
    Document,
    ParseResult,
    Precondition,
    PutItem,
    ReplaceFile,
)
from dagcatalog_client.position import Position


def document_bytes(document: Document, *, field: str = "document") -> bytes:
    """Return JSON in UTF-8; the catalog makes it canonical.

    Raises:
        InvalidArgument: a mapping holds what JSON cannot say, NaN or an object for instance.

    """
    if isinstance(document, bytes):
        return document
    try:
        text = document if isinstance(document, str) else _dump(document)
        return text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        problem = f"not JSON: {error}"
        facts = Facts(violations=(Violation(field, problem),))
        raise InvalidArgument(f"{field}: {problem}", facts) from error


def put_item(item: PutItem, *, field: str = "document") -> pb.PutItem:
    """Convert one DAG of a Put."""
    return pb.PutItem(
        dag_id=item.dag_id,
        document=document_bytes(item.document, field=field),
        source=source(item.source),
        provenance=provenance(item.provenance),
        labels=item.labels or {},
        precondition=precondition(item.precondition),
    )


def source(text: str | None) -> res.Source | None:
    """Convert the text of a DAG file."""
    return None if text is None else res.Source(text=text)


def provenance(given: Provenance | None) -> res.Provenance | None:
    """Convert where a document came from."""
    if given is None:
        return None
    return res.Provenance(
        bundle_name=given.bundle_name,
        bundle_version=given.bundle_version,
        file=given.file,
    )


def precondition(given: Precondition | None) -> pb.Precondition | None:
    """Convert what must be true; exactly one side of it is set, even to 0 or the empty hash."""
    if given is None:
        return None
    if given.version is not None:
        return pb.Precondition(version=given.version)
    return pb.Precondition(content_hash=given.content_hash or "")


def replace_file(given: ReplaceFile | None) -> pb.ReplaceFile | None:
    """Convert the file that a batch replaces."""
    if given is None:
        return None
    return pb.ReplaceFile(bundle_name=given.bundle_name, file=given.file)


def optional_position(given: Position | int | None) -> res.Position | None:
    """Convert a place, or none."""
    return None if given is None else position(given)


def position(given: Position | int) -> res.Position:
    """Convert a place; a bare revision is of whatever history the catalog has."""
    if isinstance(given, int):
        return res.Position(revision=given)
    return res.Position(epoch=given.epoch, revision=given.revision)


def dag_filter(given: DagFilter | None) -> pb.DagFilter:
    """Convert conditions on a DAG."""
    conditions = given or DagFilter()
    return pb.DagFilter(
        dag_id_prefix=conditions.dag_id_prefix,
        text=conditions.text,
        tags_any=conditions.tags_any,
        tags_all=conditions.tags_all,
        owners=conditions.owners,
        bundle_name=conditions.bundle_name,
        file=conditions.file,
        operators=conditions.operators,
        schedule_kinds=[res.ScheduleKind.ValueType(k) for k in conditions.schedule_kinds],
        changed_after_revision=conditions.changed_after_revision,
        deleted=pb.DeletedFilter.ValueType(conditions.deleted),
    )


def selector(given: DagSelector) -> pb.DagSelector:
    """Convert one DAG of a GetBatch."""
    message = pb.DagSelector(dag_id=given.dag_id)
    if given.version is not None:
        message.version = given.version
    if given.content_hash is not None:
        message.content_hash = given.content_hash
    return message


def parse_result(given: ParseResult) -> pb.ParseResult:
    """Convert what a parse of one file gave."""
    if given.failure is None:
        return pb.ParseResult(file=given.file)
    failure = pb.ParseFailure(
        kind=res.ParseErrorKind.ValueType(given.failure.kind),
        message=given.failure.message,
        stack_trace=given.failure.stack_trace,
        line=given.failure.line,
    )
    return pb.ParseResult(file=given.file, failure=failure)


def _dump(document: Mapping[str, object]) -> str:
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
