"""Errors of the catalog on the wire: one table, one function (AIP-193)."""

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode

from dagcatalog_server.catalog import errors

DOMAIN = "dagcatalog"
STATUS_DETAILS = "grpc-status-details-bin"

# A client refuses metadata over 8 KiB by default, and these texts travel in it: the message twice
# (percent-encoded to three times its size, and inside the details), field and description once.
MAX_TEXT_BYTES = 768

STATUS: dict[type[errors.CatalogError], StatusCode] = {
    errors.InvalidArgument: StatusCode.INVALID_ARGUMENT,
    errors.DagNotFound: StatusCode.NOT_FOUND,
    errors.VersionNotFound: StatusCode.NOT_FOUND,
    errors.ContentNotFound: StatusCode.NOT_FOUND,
    errors.ConsumerNotFound: StatusCode.NOT_FOUND,
    errors.PreconditionFailed: StatusCode.ABORTED,
    errors.NotDeleted: StatusCode.FAILED_PRECONDITION,
    errors.RequestIdReused: StatusCode.ALREADY_EXISTS,
    errors.RevisionOutOfRange: StatusCode.OUT_OF_RANGE,
    errors.TooLarge: StatusCode.RESOURCE_EXHAUSTED,
    errors.WatcherTooSlow: StatusCode.RESOURCE_EXHAUSTED,
    errors.BlobCorrupt: StatusCode.DATA_LOSS,
    errors.CatalogUnavailable: StatusCode.UNAVAILABLE,
    errors.CatalogFull: StatusCode.RESOURCE_EXHAUSTED,
    errors.NotImplementedYet: StatusCode.UNIMPLEMENTED,
}


def code_number(error: errors.CatalogError) -> int:
    """Return the google.rpc.Code of an error."""
    number: int = STATUS[type(error)].value[0]
    return number


def rich_status(error: errors.CatalogError, request_id: str) -> status_pb2.Status:
    """Build the google.rpc.Status of an error, with its details."""
    details: list[Message] = [
        error_details_pb2.ErrorInfo(
            reason=error.reason,
            domain=DOMAIN,
            metadata={name: shorten(value) for name, value in error.details().items()},
        ),
        error_details_pb2.RequestInfo(request_id=request_id),
    ]
    if isinstance(error, errors.InvalidArgument | errors.TooLarge):
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=shorten(error.violation.field), description=shorten(error.violation.description)
        )
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    if isinstance(error, errors.CatalogUnavailable):
        delay = Duration()
        delay.FromMilliseconds(round(error.retry_after_s * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    return _status(code_number(error), shorten(str(error)), details)


def shorten(text: str) -> str:
    """Cut a text that would not fit into an error's metadata."""
    raw = text.encode()
    return (
        text if len(raw) <= MAX_TEXT_BYTES else raw[:MAX_TEXT_BYTES].decode(errors="ignore") + "…"
    )


def internal_status(request_id: str) -> status_pb2.Status:
    """Build the status of an error that nobody foresaw: an id for the log, nothing else."""
    message = f"internal error; the server's log has it under request id {request_id}"
    info = error_details_pb2.RequestInfo(request_id=request_id)
    number: int = StatusCode.INTERNAL.value[0]
    return _status(number, message, [info])


def _status(code: int, message: str, details: list[Message]) -> status_pb2.Status:
    status = status_pb2.Status(code=code, message=message)
    for detail in details:
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return status
