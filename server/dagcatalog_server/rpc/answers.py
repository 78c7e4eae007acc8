"""Values of the catalog as messages of the wire."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_server.catalog.catalog import Standing
from dagcatalog_server.catalog.errors import CatalogError
from dagcatalog_server.catalog.model import (
    Change,
    ChangeKind,
    Consumer,
    DagState,
    Dependency,
    ParseError,
    Position,
    Projection,
)
from dagcatalog_server.catalog.pruning import Pruned
from dagcatalog_server.catalog.verifying import Verified
from dagcatalog_server.catalog.writes import DagOutcome
from dagcatalog_server.rpc.status import code_number, shorten

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OUTCOMES = {
    ChangeKind.CREATED: pb.PUT_OUTCOME_CREATED,
    ChangeKind.NEW_VERSION: pb.PUT_OUTCOME_NEW_VERSION,
    ChangeKind.REFRESHED: pb.PUT_OUTCOME_REFRESHED,
    ChangeKind.RESTORED: pb.PUT_OUTCOME_RESTORED,
}


def position(value: Position) -> res.Position:
    """Tell a position."""
    return res.Position(epoch=value.epoch, revision=value.revision)


def timestamp(value: datetime | None) -> Timestamp | None:
    """Tell a time; none stays none."""
    if value is None:
        return None
    # As FromDatetime does, which is Python too but looks at everything first.
    since = value - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1_000)


def summary(revision: int, state: DagState) -> res.DagSummary:
    """Tell a state without its document. Provisional revisions (of a rehearsal) are 0."""
    return res.DagSummary(
        namespace=state.key.namespace,
        dag_id=state.key.dag_id,
        version=state.version,
        revision=max(revision, 0),
        version_revision=max(state.version_revision, 0),
        content_hash=state.hashes.content,
        definition_hash=state.hashes.definition,
        source_hash=state.source_hash,
        provenance=res.Provenance(
            bundle_name=state.provenance.bundle_name,
            bundle_version=state.provenance.bundle_version,
            file=state.provenance.file,
        ),
        document_bytes=state.document_bytes,
        source_bytes=state.source_bytes,
        labels=dict(state.labels),
        actor=state.actor,
        create_time=timestamp(state.created_at),
        update_time=timestamp(state.updated_at),
        deleted=state.deleted,
        delete_reason=state.delete_reason,
        **_projected(state.projection),
    )


def _projected(projection: Projection) -> dict[str, Any]:  # arguments of DagSummary
    schedule = projection.schedule
    return {
        "display_name": projection.display_name,
        "description": projection.description,
        "tags": projection.tags,
        "owners": projection.owners,
        "schedule": res.Schedule(
            kind=res.ScheduleKind.ValueType(schedule.kind),
            text=schedule.text,
            timezone=schedule.timezone,
            timetable=schedule.timetable,
        ),
        "fileloc": projection.fileloc,
        "task_count": projection.task_count,
        "operators": projection.operators,
        "dependencies": [dependency(edge) for edge in projection.dependencies],
        "start_date": timestamp(projection.start_date),
        "end_date": timestamp(projection.end_date),
        "catchup": projection.catchup,
        "paused_at_creation": projection.paused_at_creation,
        "serialization_version": projection.serialization_version,
    }


def dependency(edge: Dependency) -> res.DagDependency:
    """Tell an edge between DAGs."""
    return res.DagDependency(
        source=edge.source,
        target=edge.target,
        label=edge.label,
        dependency_type=edge.dependency_type,
        dependency_id=edge.dependency_id,
    )


def put_outcome(outcome: DagOutcome) -> pb.PutOutcome.ValueType:
    """Tell what a Put did to one DAG."""
    return OUTCOMES[outcome.change.kind] if outcome.written else pb.PUT_OUTCOME_UNCHANGED


def version(row: Change, head_version: int) -> res.DagVersion:
    """Tell one version of a DAG."""
    state = row.state
    return res.DagVersion(
        version=state.version,
        summary=summary(row.revision, state),
        revision=state.version_revision,
        actor=state.version_actor,
        create_time=timestamp(state.version_created_at),
        head=state.version == head_version,
    )


def pruned(done: Pruned) -> pb.PruneResponse:
    """Tell what a Prune dropped."""
    return pb.PruneResponse(
        version_count=done.versions,
        blob_count=done.blobs,
        stored_bytes=done.stored_bytes,
        compacted_revision=done.compacted_revision,
    )


def verified(step: Verified, *, one_namespace: bool) -> pb.VerifyResponse:
    """Tell how far a Verify is; DAGs of many namespaces are told with theirs."""
    return pb.VerifyResponse(
        checked_count=step.checked,
        total_count=step.total,
        corrupt=[
            pb.CorruptBlob(
                hash=each.hash,
                message=each.problem,
                dag_ids=[
                    key.dag_id if one_namespace else f"{key.namespace}/{key.dag_id}"
                    for key in each.dags
                ],
            )
            for each in step.damaged
        ],
        done=step.done,
    )


def item_error(error: CatalogError) -> pb.ItemError:
    """Tell why one item of a batch failed."""
    return pb.ItemError(code=code_number(error), reason=error.reason, message=shorten(str(error)))


def parse_errors(rows: Sequence[ParseError]) -> list[res.ParseError]:
    """Tell parse errors."""
    return [
        res.ParseError(
            namespace=row.namespace,
            bundle_name=row.bundle_name,
            bundle_version=row.bundle_version,
            file=row.file,
            kind=res.ParseErrorKind.ValueType(row.kind),
            message=row.message,
            stack_trace=row.stack_trace,
            line=row.line,
            first_time=timestamp(row.first_at),
            last_time=timestamp(row.last_at),
            actor=row.actor,
        )
        for row in rows
    ]


def consumer(value: Consumer) -> pb.ConsumerStatus:
    """Tell of a consumer."""
    return pb.ConsumerStatus(
        consumer_id=value.key.consumer_id,
        namespace=value.key.namespace,
        acknowledged=position(value.acknowledged),
        last_time=timestamp(value.heard_at),
    )


def status(standing: Standing) -> pb.StatusResponse:
    """Tell where the catalog stands; the replica adds what only it knows."""
    counts = standing.counts
    return pb.StatusResponse(
        position=position(standing.clock.position),
        compacted_revision=standing.clock.compacted_revision,
        store=standing.store,
        schema_revision=standing.schema_revision,
        namespaces=[
            pb.NamespaceStatus(
                namespace=one.namespace,
                dag_count=one.dags,
                deleted_count=one.deleted,
                version_count=one.versions,
                parse_error_count=one.parse_errors,
            )
            for one in counts.namespaces
        ],
        blob_count=counts.blobs,
        stored_bytes=counts.stored_bytes,
        raw_bytes=counts.raw_bytes,
        consumers=[consumer(one) for one in standing.consumers],
    )
