"""Rows of the change log to and from changes."""

import json
from typing import Any

import orjson
from sqlalchemy import Row

from dagcatalog_server.catalog.model import (
    Change,
    ChangeClass,
    ChangeKind,
    DagKey,
    DagState,
    DefinitionHashes,
    Dependency,
    Projection,
    Provenance,
    Schedule,
    ScheduleKind,
)
from dagcatalog_server.store.texts import pack_texts, unpack_texts

_KINDS = {int(kind): kind for kind in ChangeKind}
_CLASSES = {str(int(each)): each for each in ChangeClass}
_SCHEDULE_KINDS = {int(kind): kind for kind in ScheduleKind}


def change_values(change: Change, until_revision: int) -> dict[str, object]:
    """Give the columns of a change."""
    state = change.state
    return {
        "revision": change.revision,
        "ordinal": change.ordinal,
        "until_revision": until_revision,
        "kind": int(change.kind),
        "classes": ",".join(str(int(each)) for each in change.classes),
        **_key_values(state),
        **_origin_values(state),
        **_projection_values(state.projection),
    }


def change_of(row: Row[Any]) -> Change:
    """Make the change of a row that has every column of `change`."""
    return Change(
        revision=row.revision,
        ordinal=row.ordinal,
        kind=_KINDS[row.kind],
        classes=tuple(_CLASSES[each] for each in row.classes.split(",") if each),
        state=state_of(row),
    )


def state_of(row: Row[Any]) -> DagState:
    """Make the state of a row that has every column of `change`."""
    return DagState(
        key=DagKey(row.namespace, row.dag_id),
        version=row.version,
        hashes=DefinitionHashes(
            content=row.content_hash,
            definition=row.definition_hash,
            structure=row.structure_hash,
            schedule=row.schedule_hash,
            metadata=row.metadata_hash,
            placement=row.placement_hash,
        ),
        source_hash=row.source_hash,
        provenance=Provenance(row.bundle_name, row.bundle_version, row.file),
        projection=_projection_of(row),
        labels=orjson.loads(row.labels) if row.labels else {},
        document_bytes=row.document_bytes,
        source_bytes=row.source_bytes,
        actor=row.actor,
        created_at=row.created_at,
        updated_at=row.updated_at,
        version_revision=row.version_revision,
        version_actor=row.version_actor,
        version_created_at=row.version_created_at,
        deleted=row.deleted,
        delete_reason=row.delete_reason,
    )


def _key_values(state: DagState) -> dict[str, object]:
    return {
        "namespace": state.key.namespace,
        "dag_id": state.key.dag_id,
        "version": state.version,
        "deleted": state.deleted,
        "delete_reason": state.delete_reason,
        "content_hash": state.hashes.content,
        "definition_hash": state.hashes.definition,
        "structure_hash": state.hashes.structure,
        "schedule_hash": state.hashes.schedule,
        "metadata_hash": state.hashes.metadata,
        "placement_hash": state.hashes.placement,
        "source_hash": state.source_hash,
        "document_bytes": state.document_bytes,
        "source_bytes": state.source_bytes,
    }


def _origin_values(state: DagState) -> dict[str, object]:
    return {
        "bundle_name": state.provenance.bundle_name,
        "bundle_version": state.provenance.bundle_version,
        "file": state.provenance.file,
        "labels": _json(dict(state.labels)) if state.labels else "",
        "actor": state.actor,
        "created_at": state.created_at,
        "updated_at": state.updated_at,
        "version_revision": state.version_revision,
        "version_actor": state.version_actor,
        "version_created_at": state.version_created_at,
    }


def _projection_values(projection: Projection) -> dict[str, object]:
    schedule = projection.schedule
    return {
        "display_name": projection.display_name,
        "description": projection.description,
        "tags": pack_texts(projection.tags),
        "owners": pack_texts(projection.owners),
        "operators": pack_texts(projection.operators),
        "dependencies": _dependencies_text(projection.dependencies),
        "schedule_kind": int(schedule.kind),
        "schedule_text": schedule.text,
        "schedule_timezone": schedule.timezone,
        "schedule_timetable": schedule.timetable,
        "fileloc": projection.fileloc,
        "task_count": projection.task_count,
        "start_date": projection.start_date,
        "end_date": projection.end_date,
        "catchup": projection.catchup,
        "paused_at_creation": projection.paused_at_creation,
        "serialization_version": projection.serialization_version,
    }


def _projection_of(row: Row[Any]) -> Projection:
    return Projection(
        display_name=row.display_name,
        description=row.description,
        tags=unpack_texts(row.tags),
        owners=unpack_texts(row.owners),
        schedule=Schedule(
            kind=_SCHEDULE_KINDS[row.schedule_kind],
            text=row.schedule_text,
            timezone=row.schedule_timezone,
            timetable=row.schedule_timetable,
        ),
        fileloc=row.fileloc,
        task_count=row.task_count,
        operators=unpack_texts(row.operators),
        dependencies=_dependencies_of(row.dependencies),
        start_date=row.start_date,
        end_date=row.end_date,
        catchup=row.catchup,
        paused_at_creation=row.paused_at_creation,
        serialization_version=row.serialization_version,
    )


def _dependencies_text(dependencies: tuple[Dependency, ...]) -> str:
    edges = [
        (
            edge.source,
            edge.target,
            edge.label,
            edge.dependency_type,
            edge.dependency_id,
        )
        for edge in dependencies
    ]
    return _json(edges) if edges else ""


def _dependencies_of(text: str) -> tuple[Dependency, ...]:
    return tuple(Dependency(*edge) for edge in orjson.loads(text)) if text else ()


def _json(value: object) -> str:
    # Not orjson's: it refuses lone surrogates with a TypeError, everything else with a ValueError.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
