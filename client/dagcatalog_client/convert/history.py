"""From protobuf to the model: what the catalog answers about history as a whole."""

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_client import model
from dagcatalog_client.convert import answers


def rollback_result(message: pb.RollbackResponse) -> model.PutResult:
    """Convert what a rollback did."""
    return answers.put_result(message.result, message.position)


def prune_result(message: pb.PruneResponse) -> model.PruneResult:
    """Convert what a prune dropped."""
    return model.PruneResult(
        version_count=message.version_count,
        blob_count=message.blob_count,
        stored_bytes=message.stored_bytes,
        compacted_revision=message.compacted_revision,
    )


def verify_progress(message: pb.VerifyResponse) -> model.VerifyProgress:
    """Convert how far a verify is."""
    corrupt = (
        model.CorruptBlob(each.hash, each.message, tuple(each.dag_ids)) for each in message.corrupt
    )
    return model.VerifyProgress(
        message.checked_count, message.total_count, tuple(corrupt), message.done
    )
