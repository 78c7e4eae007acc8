"""The calls of an informer."""

from collections.abc import Sequence

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_client.calls import listings
from dagcatalog_client.calls.call import Call, Caller
from dagcatalog_client.convert.mirrored import mirror_event
from dagcatalog_client.informer.events import MirrorEvent
from dagcatalog_client.model import DagProfile, DagView, Position


def follow(
    caller: Caller,
    *,
    namespaces: Sequence[str],
    dag_id_prefix: str,
    view: DagView,
    profile: DagProfile,
    after: Position | None,
    bookmark_interval_s: float,
    consumer_id: str,
) -> Call[pb.WatchRequest, pb.WatchResponse, MirrorEvent | None]:
    """Watch for a mirror: from a position, or from the present if there is none."""
    call = listings.watch(
        caller,
        namespaces=namespaces,
        dag_id_prefix=dag_id_prefix,
        classes=(),
        view=view,
        profile=profile,
        after=after,
        initial_state=after is None,
        bookmark_interval_s=bookmark_interval_s,
        # Not conflated: a handler hears of every change. A watch that falls behind is resumed.
        conflate=False,
        consumer_id=consumer_id,
        timeout_s=None,
    )
    return Call(call.request, None, caller.seeing(mirror_event))
