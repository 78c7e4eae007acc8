"""From protobuf to what a mirror is told: summaries stay encoded until somebody looks at them."""

from collections.abc import Iterable

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_client.convert import answers, encodings
from dagcatalog_client.informer.entry import Entry
from dagcatalog_client.informer.events import Changes, Contents, Happened, MirrorEvent, State
from dagcatalog_client.model import Bookmark, DagSummary


def mirror_event(message: pb.WatchResponse) -> MirrorEvent | None:
    """Convert one event of a watch; None for a kind that only a newer catalog knows."""
    at = answers.position(message.position)
    match message.WhichOneof("event"):
        case "state":
            dags = message.state.dags
            return State(at, [_entry(one.summary) for one in dags], _contents(dags))
        case "change_set":
            changes = message.change_set.changes
            happened = [_happened(one) for one in changes]
            return Changes(at, happened, _contents(one.dag for one in changes))
        case "bookmark":
            mark = message.bookmark
            return Bookmark(at, synced=mark.synced, draining=mark.draining)
        case _:
            return None


def entry_of_bytes(raw: bytes) -> Entry:
    """Read an entry that was kept as bytes."""
    return _entry(res.DagSummary.FromString(raw), raw)


def _happened(change: res.Change) -> Happened:
    return Happened(_entry(change.dag.summary), change.kind == res.CHANGE_KIND_DELETED)


def _entry(summary: res.DagSummary, raw: bytes | None = None) -> Entry:
    # A part of a message keeps the whole message in memory, documents and all: hence the copy.
    return Entry(
        summary.namespace,
        summary.dag_id,
        summary.revision,
        summary.content_hash,
        summary.SerializeToString(deterministic=True) if raw is None else raw,
        _summary,
    )


def _contents(dags: Iterable[res.Dag]) -> Contents:
    return [
        (one.summary.content_hash, document)
        for one in dags
        if (document := encodings.document(one))
    ]


def _summary(raw: bytes) -> DagSummary:
    return answers.summary(res.DagSummary.FromString(raw))
