"""The calls that answer pages or a stream: listings, history, parse errors, watch."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_client.calls.call import READ_TIMEOUT_S, AnswerT, Call, Caller, Page
from dagcatalog_client.convert import answers, encodings, requests
from dagcatalog_client.model import (
    ChangeClass,
    Consistency,
    DagFilter,
    DagPage,
    DagProfile,
    DagSummary,
    DagVersion,
    DagView,
    ParseError,
    Position,
    WatchEvent,
)


def list_page(
    caller: Caller,
    dag_filter: DagFilter | None,
    *,
    order_by: str,
    at: Position | int | None,
    page_size: int,
    page_token: str,
    consistency: Consistency,
    namespace: str | None,
    timeout_s: float | None,
) -> Call[pb.ListRequest, pb.ListResponse, DagPage]:
    """Read one page of summaries."""
    request = pb.ListRequest(
        namespace=caller.namespace(namespace),
        page_size=page_size,
        page_token=page_token,
        filter=requests.dag_filter(dag_filter),
        order_by=order_by,
        at_position=requests.optional_position(at),
        consistency=pb.Consistency.ValueType(consistency),
        # The token pins the revision: a page after the first cannot go behind it.
        min_position=None if page_token else caller.min_position(),
    )
    return _listing(caller, request, answers.dag_page, timeout_s=timeout_s)


def list_dags(
    caller: Caller,
    dag_filter: DagFilter | None,
    *,
    order_by: str,
    at: Position | int | None,
    page_size: int,
    consistency: Consistency,
    namespace: str | None,
    timeout_s: float | None,
) -> Call[pb.ListRequest, pb.ListResponse, Page[DagSummary]]:
    """Read the first of all pages of summaries."""
    first = list_page(
        caller,
        dag_filter,
        order_by=order_by,
        at=at,
        page_size=page_size,
        page_token="",
        consistency=consistency,
        namespace=namespace,
        timeout_s=timeout_s,
    )
    return _listing(caller, first.request, _summaries, timeout_s=timeout_s)


def list_versions(
    caller: Caller,
    dag_id: str,
    *,
    page_size: int,
    namespace: str | None,
    timeout_s: float | None,
) -> Call[pb.ListVersionsRequest, pb.ListVersionsResponse, Page[DagVersion]]:
    """Read the first of all pages of a DAG's history."""
    request = pb.ListVersionsRequest(
        namespace=caller.namespace(namespace),
        dag_id=dag_id,
        page_size=page_size,
        min_position=caller.min_position(),
    )
    read = caller.seeing(_versions)
    return Call(request, caller.timeout(timeout_s, READ_TIMEOUT_S), read)


def list_parse_errors(
    caller: Caller,
    *,
    bundle_name: str,
    page_size: int,
    namespace: str | None,
    timeout_s: float | None,
) -> Call[pb.ListParseErrorsRequest, pb.ListParseErrorsResponse, Page[ParseError]]:
    """Read the first of all pages of parse errors."""
    request = pb.ListParseErrorsRequest(
        namespace=caller.namespace(namespace),
        bundle_name=bundle_name,
        page_size=page_size,
    )
    return Call(request, caller.timeout(timeout_s, READ_TIMEOUT_S), _parse_errors)


def watch(
    caller: Caller,
    *,
    namespaces: Sequence[str] | None,
    dag_id_prefix: str,
    classes: Sequence[ChangeClass],
    view: DagView,
    profile: DagProfile,
    after: Position | int | None,
    initial_state: bool,
    bookmark_interval_s: float | None,
    conflate: bool,
    consumer_id: str,
    timeout_s: float | None,
) -> Call[pb.WatchRequest, pb.WatchResponse, WatchEvent | None]:
    """Stream changes; a stream has no deadline of its own."""
    if after is not None and initial_state:
        raise ValueError("a watch begins after a position or with the present, not both")
    request = pb.WatchRequest(
        namespaces=[caller.namespace(None)] if namespaces is None else namespaces,
        dag_id_prefix=dag_id_prefix,
        classes=[res.ChangeClass.ValueType(each) for each in classes],
        view=res.DagView.ValueType(view),
        profile=res.DagProfile.ValueType(profile),
        bookmark_interval=_duration(bookmark_interval_s),
        conflate=conflate,
        consumer_id=consumer_id,
        accept_encodings=encodings.accepted(),
    )
    if after is not None:
        request.after.CopyFrom(requests.position(after))
    if initial_state:
        request.initial_state = True
    return Call(request, timeout_s, caller.seeing(answers.watch_event))


def _listing(
    caller: Caller,
    request: pb.ListRequest,
    read: Callable[[pb.ListResponse], AnswerT],
    *,
    timeout_s: float | None,
) -> Call[pb.ListRequest, pb.ListResponse, AnswerT]:
    return Call(request, caller.timeout(timeout_s, READ_TIMEOUT_S), caller.seeing(read))


def _summaries(response: pb.ListResponse) -> Page[DagSummary]:
    page = answers.dag_page(response)
    return Page(page.dags, page.next_page_token)


def _versions(response: pb.ListVersionsResponse) -> Page[DagVersion]:
    versions = tuple(answers.version(each) for each in response.versions)
    return Page(versions, response.next_page_token)


def _parse_errors(response: pb.ListParseErrorsResponse) -> Page[ParseError]:
    errors = tuple(answers.parse_error(each) for each in response.errors)
    return Page(errors, response.next_page_token)


def _duration(seconds: float | None) -> Duration | None:
    if seconds is None:
        return None
    duration = Duration()
    duration.FromTimedelta(timedelta(seconds=seconds))
    return duration
