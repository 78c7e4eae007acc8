"""Requests of the wire as values of the catalog."""

import hashlib

from google.protobuf.message import Message

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_server.catalog.errors import InvalidArgument
from dagcatalog_server.catalog.listing import Page
from dagcatalog_server.catalog.model import (
    ChangeClass,
    ParseErrorKind,
    Position,
    Provenance,
    ScheduleKind,
)
from dagcatalog_server.catalog.names import check_key, check_namespace, check_namespace_filter
from dagcatalog_server.catalog.parsing import ParseFailure, ParseReport, ParseResult
from dagcatalog_server.catalog.pruning import PrunePolicy
from dagcatalog_server.catalog.query import DagFilter, DeletedFilter
from dagcatalog_server.catalog.reading import BatchSelector, GetQuery, Selector
from dagcatalog_server.catalog.writes import FileRef, Precondition, PutItem
from dagcatalog_server.rpc.view import Encoding, Form, Profile, View
from dagcatalog_server.watch.query import WatchQuery

MIN_BOOKMARK_INTERVAL_S = 1.0
MAX_BOOKMARK_INTERVAL_S = 600.0
DEFAULT_BOOKMARK_INTERVAL_S = 15.0
MAX_PROPAGATION_TIMEOUT_S = 600.0
DEFAULT_PROPAGATION_TIMEOUT_S = 30.0


def put_item(item: pb.PutItem, *, default_source: pb.PutBatchRequest | None = None) -> PutItem:
    """Read one DAG of a Put or of a batch, whose source is for the items that bring none."""
    source = item.source.text if item.HasField("source") else None
    if source is None and default_source and default_source.HasField("source"):
        source = default_source.source.text
    return PutItem(
        dag_id=item.dag_id,
        document=item.document,
        source=source,
        provenance=Provenance(
            item.provenance.bundle_name, item.provenance.bundle_version, item.provenance.file
        ),
        labels=dict(item.labels) or None,
        precondition=precondition(item),
    )


def precondition(
    request: pb.PutItem | pb.DeleteRequest | pb.RollbackRequest,
) -> Precondition | None:
    """Read a precondition; one that expects nothing is none."""
    match request.precondition.WhichOneof("expected"):
        case "version":
            return Precondition(version=request.precondition.version)
        case "content_hash":
            return Precondition(content_hash=request.precondition.content_hash)
    return None


def replaced_file(request: pb.PutBatchRequest) -> FileRef | None:
    """Read the file whose complete set of DAGs a batch is."""
    if not request.HasField("replace"):
        return None
    if not request.replace.file:
        raise InvalidArgument("replace.file", "must not be empty")
    return FileRef(request.replace.bundle_name, request.replace.file)


def fingerprint(request: Message) -> str:
    """Hash a request without its id, so that a retry can be told from another request."""
    bare = type(request)()
    bare.CopyFrom(request)
    bare.ClearField("request_id")
    wire = bare.SerializeToString(deterministic=True)
    return hashlib.sha256(type(request).__name__.encode() + b"\0" + wire).hexdigest()


def position(request: Message, field: str) -> Position | None:
    """Read a position; one that is not set is none."""
    if not request.HasField(field):
        return None
    value = getattr(request, field)
    return Position(value.epoch, value.revision)


def form(request: pb.GetRequest | pb.GetBatchRequest | pb.WatchRequest, *, default: View) -> Form:
    """Read how DAGs are to be sent."""
    view, profile = default, Profile.FULL
    if request.view != res.DAG_VIEW_UNSPECIFIED:
        view = View(_known("view", request.view, len(View)))
    if request.profile != res.DAG_PROFILE_UNSPECIFIED:
        profile = Profile(_known("profile", request.profile, len(Profile)))
    if view not in {View.DOCUMENT, View.READABLE}:
        profile = Profile.FULL  # it is about documents
    return Form(view, _encoding(request), profile)


def _encoding(request: pb.GetRequest | pb.GetBatchRequest | pb.WatchRequest) -> Encoding:
    """Choose how documents travel; an encoding that this server does not know is passed over."""
    if res.DOCUMENT_ENCODING_ZSTD in request.accept_encodings:
        return res.DOCUMENT_ENCODING_ZSTD
    return res.DOCUMENT_ENCODING_IDENTITY


def is_local(request: pb.GetRequest | pb.GetBatchRequest | pb.ListRequest) -> bool:
    """Tell whether what this replica has is fresh enough."""
    known = _known("consistency", request.consistency, len(pb.Consistency.items()) - 1, zero=True)
    return known == pb.CONSISTENCY_LOCAL


def get_query(request: pb.GetRequest) -> GetQuery:
    """Read a Get."""
    return GetQuery(
        key=check_key(request.namespace, request.dag_id),
        selector=_selector(request),
        if_none_match=request.if_none_match,
        include_deleted=request.include_deleted,
    )


def _selector(request: pb.GetRequest) -> Selector:
    match request.WhichOneof("selector"):
        case "version":
            return Selector(version=request.version)
        case "content_hash":
            return Selector(content_hash=request.content_hash)
        case "at_position":
            return Selector(at=position(request, "at_position"))
    return Selector()


def batch_selector(selector: pb.DagSelector) -> BatchSelector:
    """Read one entry of a GetBatch."""
    match selector.WhichOneof("selector"):
        case "version":
            return BatchSelector(selector.dag_id, version=selector.version)
        case "content_hash":
            return BatchSelector(selector.dag_id, content_hash=selector.content_hash)
    return BatchSelector(selector.dag_id)


def dag_filter(request: pb.ListRequest) -> DagFilter:
    """Read the conditions of a List."""
    given = request.filter
    kinds = (
        _known("filter.schedule_kinds", one, len(ScheduleKind)) for one in given.schedule_kinds
    )
    deleted = _known("filter.deleted", given.deleted, len(DeletedFilter), zero=True)
    return DagFilter(
        namespace=check_namespace_filter(request.namespace),
        dag_id_prefix=given.dag_id_prefix,
        text=given.text,
        tags_any=tuple(given.tags_any),
        tags_all=tuple(given.tags_all),
        owners=tuple(given.owners),
        bundle_name=given.bundle_name,
        file=given.file,
        operators=tuple(given.operators),
        schedule_kinds=tuple(ScheduleKind(kind) for kind in kinds),
        changed_after_revision=given.changed_after_revision,
        deleted=DeletedFilter(deleted or DeletedFilter.EXCLUDE),
    )


def page(
    request: pb.ListRequest | pb.ListVersionsRequest | pb.ListParseErrorsRequest,
) -> Page:
    """Read the place of a page."""
    return Page(request.page_size, request.page_token)


def watch_query(request: pb.WatchRequest) -> WatchQuery:
    """Read a Watch."""
    namespaces = [
        _watched_namespace(place, one) for place, one in enumerate(request.namespaces or [""])
    ]
    classes = (_known("classes", one, len(ChangeClass)) for one in request.classes)
    interval_s = DEFAULT_BOOKMARK_INTERVAL_S
    if request.HasField("bookmark_interval"):
        interval_s = request.bookmark_interval.ToMicroseconds() / 1e6
        if not MIN_BOOKMARK_INTERVAL_S <= interval_s <= MAX_BOOKMARK_INTERVAL_S:
            raise InvalidArgument("bookmark_interval", f"{interval_s:g} s is not in 1 s to 600 s")
    return WatchQuery(
        namespaces=None if None in namespaces else frozenset(one for one in namespaces if one),
        dag_id_prefix=request.dag_id_prefix,
        classes=frozenset(ChangeClass(one) for one in classes),
        after=position(request, "after"),
        initial_state=request.initial_state,
        bookmark_interval_s=interval_s,
        conflate=request.conflate,
    )


def _watched_namespace(place: int, namespace: str) -> str | None:
    try:
        return check_namespace_filter(namespace)
    except InvalidArgument as error:
        raise InvalidArgument(f"namespaces[{place}]", error.violation.description) from error


def propagation_timeout_s(request: pb.AwaitPropagationRequest) -> float:
    """Read how long to wait for consumers."""
    if not request.HasField("timeout"):
        return DEFAULT_PROPAGATION_TIMEOUT_S
    timeout_s = request.timeout.ToMicroseconds() / 1e6
    if not 0 <= timeout_s <= MAX_PROPAGATION_TIMEOUT_S:
        raise InvalidArgument("timeout", f"{timeout_s:g} s is not in 0 s to 600 s")
    return timeout_s


def prune_policy(request: pb.PruneRequest) -> PrunePolicy:
    """Read what a Prune keeps."""
    keep_for = None
    if request.HasField("keep_for"):
        try:
            keep_for = request.keep_for.ToTimedelta()
        except OverflowError as error:
            raise InvalidArgument("keep_for", "is too long") from error
    return PrunePolicy(
        namespace=check_namespace_filter(request.namespace),
        keep_versions=request.keep_versions,
        keep_for=keep_for,
        pinned=frozenset(request.pinned_hashes),
        compact_revision=request.compact_revision,
        validate_only=request.validate_only,
    )


def parse_report(request: pb.ReportParseRequest, actor: str) -> ParseReport:
    """Read what the parses of files gave."""
    return ParseReport(
        namespace=check_namespace(request.namespace),
        bundle_name=request.bundle_name,
        bundle_version=request.bundle_version,
        results=tuple(_parse_result(place, one) for place, one in enumerate(request.results)),
        complete=request.complete,
        actor=actor,
    )


def _parse_result(place: int, result: pb.ParseResult) -> ParseResult:
    if not result.HasField("failure"):
        return ParseResult(result.file)
    given = result.failure
    kind = _known(f"results[{place}].failure.kind", given.kind, len(ParseErrorKind), zero=True)
    failure = ParseFailure(
        ParseErrorKind(kind or ParseErrorKind.IMPORT), given.message, given.stack_trace, given.line
    )
    return ParseResult(result.file, failure)


def _known(field: str, value: int, last: int, *, zero: bool = False) -> int:
    """Refuse a number that this server's enum does not have (a newer client's, say)."""
    if not (0 if zero else 1) <= value <= last:
        raise InvalidArgument(field, f"has no meaning here: {value}")
    return value
