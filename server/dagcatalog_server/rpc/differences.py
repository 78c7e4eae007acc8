"""Differences of documents as messages of the wire."""

from collections.abc import Iterable

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog.v1 import resources_pb2 as res
from dagcatalog_server.catalog.difference import Difference, FieldDifference


def difference(value: Difference) -> pb.Difference:
    """Tell a difference."""
    return pb.Difference(
        classes=[res.ChangeClass.ValueType(one) for one in value.classes],
        tasks=[
            pb.TaskDifference(
                kind=pb.DifferenceKind.ValueType(one.kind),
                task_id=one.task_id,
                fields=_fields(one.fields),
            )
            for one in value.tasks
        ],
        edges=[
            pb.EdgeDifference(
                kind=pb.DifferenceKind.ValueType(one.kind),
                upstream_task_id=one.upstream_task_id,
                downstream_task_id=one.downstream_task_id,
            )
            for one in value.edges
        ],
        schedule=_fields(value.schedule),
        metadata=_fields(value.metadata),
        json=_fields(value.fields),
        truncated=value.truncated,
    )


def _fields(values: Iterable[FieldDifference]) -> list[pb.FieldDifference]:
    return [
        pb.FieldDifference(
            kind=pb.DifferenceKind.ValueType(one.kind),
            path=one.path,
            old_json=one.old_json,
            new_json=one.new_json,
        )
        for one in values
    ]
