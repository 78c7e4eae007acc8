"""From protobuf to the model: how two documents differ."""

from collections.abc import Iterable

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_client import model


def difference(message: pb.Difference) -> model.Difference:
    """Convert the difference of two documents."""
    return model.Difference(
        classes=tuple(model.ChangeClass(each) for each in message.classes),
        tasks=tuple(_task(each) for each in message.tasks),
        edges=tuple(_edge(each) for each in message.edges),
        schedule=_fields(message.schedule),
        metadata=_fields(message.metadata),
        json=_fields(message.json),
        truncated=message.truncated,
    )


def _task(message: pb.TaskDifference) -> model.TaskDifference:
    kind = model.DifferenceKind(message.kind)
    return model.TaskDifference(kind, message.task_id, _fields(message.fields))


def _edge(message: pb.EdgeDifference) -> model.EdgeDifference:
    return model.EdgeDifference(
        model.DifferenceKind(message.kind),
        message.upstream_task_id,
        message.downstream_task_id,
    )


def _fields(messages: Iterable[pb.FieldDifference]) -> tuple[model.FieldDifference, ...]:
    return tuple(
        model.FieldDifference(
            model.DifferenceKind(each.kind), each.path, each.old_json, each.new_json
        )
        for each in messages
    )
