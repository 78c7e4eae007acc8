"""From protobuf to the model: what the catalog answers."""

from dataclasses import replace
from datetime import UTC, datetime

from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_client import model
from dagcatalog_client.convert import encodings
from dagcatalog_client.convert.differences import difference
from dagcatalog_client.position import Position


def position(message: res.Position) -> Position:
    """Convert a place."""
    return Position(message.epoch, message.revision)


def summary(message: res.DagSummary) -> model.DagSummary:
    """Convert a summary."""
    return model.DagSummary(
        namespace=message.namespace,
        dag_id=message.dag_id,
        version=message.version,
        revision=message.revision,
        version_revision=message.version_revision,
        content_hash=message.content_hash,
        definition_hash=message.definition_hash,
        source_hash=message.source_hash,
        provenance=_provenance(message.provenance),
        display_name=message.display_name,
        description=message.description,
        tags=tuple(message.tags),
        owners=tuple(message.owners),
        schedule=_schedule(message.schedule),
        fileloc=message.fileloc,
        task_count=message.task_count,
        operators=tuple(message.operators),
        dependencies=tuple(_dependency(edge) for edge in message.dependencies),
        start_date=_time(message.start_date, given=message.HasField("start_date")),
        end_date=_time(message.end_date, given=message.HasField("end_date")),
        catchup=message.catchup if message.HasField("catchup") else None,
        paused_at_creation=(
            message.paused_at_creation if message.HasField("paused_at_creation") else None
        ),
        serialization_version=message.serialization_version,
        document_bytes=message.document_bytes,
        source_bytes=message.source_bytes,
        labels=dict(message.labels),
        actor=message.actor,
        create_time=_time(message.create_time, given=message.HasField("create_time")),
        update_time=_time(message.update_time, given=message.HasField("update_time")),
        deleted=message.deleted,
        delete_reason=message.delete_reason,
    )


def summary_of_bytes(raw: bytes) -> model.DagSummary:
    """Decode a summary that was kept as it came."""
    return summary(res.DagSummary.FromString(raw))


def dag(message: res.Dag, *, not_modified: bool = False) -> model.Dag:
    """Convert a DAG in whichever view it came."""
    return model.Dag(
        summary=summary(message.summary),
        document=encodings.document(message),
        source=message.source.text if message.HasField("source") else None,
        readable=(MessageToDict(message.readable) if message.HasField("readable") else None),
        not_modified=not_modified,
    )


def version(message: res.DagVersion) -> model.DagVersion:
    """Convert one version of a DAG."""
    return model.DagVersion(
        version=message.version,
        summary=summary(message.summary),
        revision=message.revision,
        actor=message.actor,
        create_time=_time(message.create_time, given=message.HasField("create_time")),
        head=message.head,
    )


def put_result(message: pb.PutResult, at: res.Position) -> model.PutResult:
    """Convert what a Put did to one DAG."""
    return model.PutResult(
        outcome=model.PutOutcome(message.outcome),
        summary=summary(message.summary),
        position=position(at),
    )


def put_response(message: pb.PutResponse) -> model.PutResult:
    """Convert what a Put did, or would do."""
    done = put_result(message.result, message.position)
    if not message.HasField("difference"):
        return done
    return replace(done, difference=difference(message.difference))


def diff(message: pb.DiffResponse) -> model.Diff:
    """Convert two versions and how they differ."""
    return model.Diff(
        summary(message.older), summary(message.newer), difference(message.difference)
    )


def batch_result(message: pb.PutBatchResponse) -> model.BatchResult:
    """Convert what a batch did."""
    return model.BatchResult(
        results=tuple(put_result(each, message.position) for each in message.results),
        deleted=tuple(summary(each) for each in message.deleted),
        position=position(message.position),
    )


def dag_page(message: pb.ListResponse) -> model.DagPage:
    """Convert a page of summaries."""
    return model.DagPage(
        dags=tuple(summary(each) for each in message.dags),
        next_page_token=message.next_page_token,
        total_size=message.total_size,
        position=position(message.position),
    )


def watch_event(message: pb.WatchResponse) -> model.WatchEvent | None:
    """Convert one event; None for a kind that only a newer catalog knows."""
    at = position(message.position)
    match message.WhichOneof("event"):
        case "state":
            return model.StatePage(at, tuple(dag(each) for each in message.state.dags))
        case "change_set":
            changes = tuple(change(each) for each in message.change_set.changes)
            return model.ChangeSet(at, changes, message.change_set.conflated)
        case "bookmark":
            mark = message.bookmark
            return model.Bookmark(at, synced=mark.synced, draining=mark.draining)
        case _:
            return None


def change(message: res.Change) -> model.Change:
    """Convert one row of the change log."""
    return model.Change(
        revision=message.revision,
        ordinal=message.ordinal,
        kind=model.ChangeKind(message.kind),
        classes=tuple(model.ChangeClass(each) for each in message.classes),
        dag=dag(message.dag),
    )


def parse_error(message: res.ParseError) -> model.ParseError:
    """Convert a parse error."""
    return model.ParseError(
        namespace=message.namespace,
        bundle_name=message.bundle_name,
        bundle_version=message.bundle_version,
        file=message.file,
        kind=model.ParseErrorKind(message.kind),
        message=message.message,
        stack_trace=message.stack_trace,
        line=message.line,
        first_time=_time(message.first_time, given=message.HasField("first_time")),
        last_time=_time(message.last_time, given=message.HasField("last_time")),
        actor=message.actor,
    )


def status(message: pb.StatusResponse) -> model.Status:
    """Convert where the catalog stands."""
    return model.Status(
        position=position(message.position),
        compacted_revision=message.compacted_revision,
        server_version=message.server_version,
        replica=message.replica,
        store=message.store,
        schema_revision=message.schema_revision,
        namespaces=tuple(_namespace(each) for each in message.namespaces),
        blob_count=message.blob_count,
        stored_bytes=message.stored_bytes,
        raw_bytes=message.raw_bytes,
        watch_count=message.watch_count,
        replica_lag=message.replica_lag,
        consumers=tuple(_consumer(each) for each in message.consumers),
        start_time=_time(message.start_time, given=message.HasField("start_time")),
    )


def dependencies(message: pb.DependenciesResponse) -> tuple[model.Dependency, ...]:
    """Convert the edges between DAGs."""
    return tuple(_dependency(edge) for edge in message.dependencies)


def impacted(message: pb.ImpactResponse) -> tuple[model.ImpactedDag, ...]:
    """Convert what a change reaches."""
    return tuple(
        model.ImpactedDag(
            summary=summary(each.summary),
            depth=each.depth,
            path=tuple(_dependency(edge) for edge in each.path),
        )
        for each in message.dags
    )


def acknowledged(message: pb.AcknowledgeResponse) -> Position:
    """Convert where the catalog stood."""
    return position(message.position)


def propagation(message: pb.AwaitPropagationResponse) -> model.Propagation:
    """Convert whether a position has arrived everywhere."""
    lagging = tuple(_consumer(each) for each in message.lagging)
    return model.Propagation(message.propagated, lagging)


def _provenance(message: res.Provenance) -> model.Provenance:
    return model.Provenance(message.bundle_name, message.bundle_version, message.file)


def _schedule(message: res.Schedule) -> model.Schedule:
    kind = model.ScheduleKind(message.kind)
    return model.Schedule(kind, message.text, message.timezone, message.timetable)


def _dependency(message: res.DagDependency) -> model.Dependency:
    return model.Dependency(
        source=message.source,
        target=message.target,
        label=message.label,
        dependency_type=message.dependency_type,
        dependency_id=message.dependency_id,
    )


def _namespace(message: pb.NamespaceStatus) -> model.NamespaceStatus:
    return model.NamespaceStatus(
        namespace=message.namespace,
        dag_count=message.dag_count,
        deleted_count=message.deleted_count,
        version_count=message.version_count,
        parse_error_count=message.parse_error_count,
    )


def _consumer(message: pb.ConsumerStatus) -> model.ConsumerStatus:
    return model.ConsumerStatus(
        consumer_id=message.consumer_id,
        namespace=message.namespace,
        acknowledged=position(message.acknowledged),
        last_time=_time(message.last_time, given=message.HasField("last_time")),
    )


def _time(message: Timestamp, *, given: bool) -> datetime | None:
    return message.ToDatetime(tzinfo=UTC) if given else None
