"""From protobuf to what a mirror is told: summaries stay encoded until somebody looks at them."""

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_client.convert import answers
from dagcatalog_client.convert.encodings import Encoded
from dagcatalog_client.informer.entry import Entry
from dagcatalog_client.informer.events import Changes, Happened, MirrorEvent, State
from dagcatalog_client.model import Bookmark

ZSTD = res.DOCUMENT_ENCODING_ZSTD


def mirror_event(message: pb.WatchResponse) -> MirrorEvent | None:
    """Convert one event of a watch; None for a kind that only a newer catalog knows."""
    at = answers.position(message.position)
    contents: list[tuple[str, Encoded]] = []
    match message.WhichOneof("event"):
        case "state":
            return State(at, [_entry(one, contents) for one in message.state.dags], contents)
        case "change_set":
            changes = [
                Happened(_entry(one.dag, contents), one.kind == res.CHANGE_KIND_DELETED)
                for one in message.change_set.changes
            ]
            return Changes(at, changes, contents)
        case "bookmark":
            mark = message.bookmark
            return Bookmark(at, synced=mark.synced, draining=mark.draining)
        case _:
            return None


def entry_of_bytes(raw: bytes) -> Entry:
    """Read an entry that was kept as bytes."""
    summary = res.DagSummary.FromString(raw)
    return Entry(summary.namespace, summary.dag_id, summary.revision, summary.content_hash, raw)


def _entry(dag: res.Dag, contents: list[tuple[str, Encoded]]) -> Entry:
    """Take the summary of a DAG, and its document, if it has one."""
    summary = dag.summary
    # A part of a message keeps the whole message in memory, documents and all: hence the copies.
    raw = summary.SerializeToString(deterministic=True)
    content_hash = summary.content_hash
    document = dag.document
    if document:
        contents.append((content_hash, Encoded(document, dag.document_encoding == ZSTD)))
    return Entry(summary.namespace, summary.dag_id, summary.revision, content_hash, raw)
