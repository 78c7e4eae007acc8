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


def change_row(change: Change, until_revision: int) -> tuple[object, ...]:
    """Give a change as a row of `change`: its columns by place."""
    classes = ",".join(str(int(each)) for each in change.classes)
    return (
        change.revision,
        change.ordinal,
        until_revision,
        int(change.kind),
        classes,
        *_state_columns(change.state),
        *_projection_columns(change.state.projection),
    )


def change_of(row: Row[Any]) -> Change:
    """Make the change of a row that has exactly the columns of `change`, in their order."""
    revision, ordinal, _, kind, classes = tuple(row)[:5]
    return Change(
        revision,
        ordinal,
        _KINDS[kind],
        tuple(_CLASSES[each] for each in classes.split(",") if each),
        state_of(row),
    )


def state_of(row: Row[Any]) -> DagState:
    """Make the state of a row that has exactly the columns of `change`, in their order.

    By place: 46 columns by name take longer than everything else that a page of rows does.
    """
    values = tuple(row)
    namespace, dag_id, version, deleted, delete_reason = values[5:10]
    source_hash, document_bytes, source_bytes = values[16:19]
    labels, actor, created_at, updated_at = values[22:26]
    version_revision, version_actor, version_created_at = values[26:29]
    return DagState(
        DagKey(namespace, dag_id),
        version,
        DefinitionHashes(*values[10:16]),
        source_hash,
        Provenance(*values[19:22]),
        _projection_of(values[29:]),
        orjson.loads(labels) if labels else {},
        document_bytes,
        source_bytes,
        actor,
        created_at,
        updated_at,
        version_revision,
        version_actor,
        version_created_at,
        deleted,
        delete_reason,
    )


def _state_columns(state: DagState) -> tuple[object, ...]:
    hashes, provenance = state.hashes, state.provenance
    return (
        state.key.namespace,
        state.key.dag_id,
        state.version,
        state.deleted,
        state.delete_reason,
        hashes.content,
        hashes.definition,
        hashes.structure,
        hashes.schedule,
        hashes.metadata,
        hashes.placement,
        state.source_hash,
        state.document_bytes,
        state.source_bytes,
        provenance.bundle_name,
        provenance.bundle_version,
        provenance.file,
        _json(dict(state.labels)) if state.labels else "",
        state.actor,
        state.created_at,
        state.updated_at,
        state.version_revision,
        state.version_actor,
        state.version_created_at,
    )


def _projection_columns(projection: Projection) -> tuple[object, ...]:
    schedule = projection.schedule
    return (
        projection.display_name,
        projection.description,
        pack_texts(projection.tags),
        pack_texts(projection.owners),
        pack_texts(projection.operators),
        _dependencies_text(projection.dependencies),
        int(schedule.kind),
        schedule.text,
        schedule.timezone,
        schedule.timetable,
        projection.fileloc,
        projection.task_count,
        projection.start_date,
        projection.end_date,
        projection.catchup,
        projection.paused_at_creation,
        projection.serialization_version,
    )


def _projection_of(values: tuple[Any, ...]) -> Projection:
    display_name, description, tags, owners, operators, dependencies = values[:6]
    schedule_kind, *schedule = values[6:10]
    fileloc, task_count, *rest = values[10:]
    return Projection(
        display_name,
        description,
        unpack_texts(tags),
        unpack_texts(owners),
        Schedule(_SCHEDULE_KINDS[schedule_kind], *schedule),
        fileloc,
        task_count,
        unpack_texts(operators),
        _dependencies_of(dependencies),
        *rest,
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
