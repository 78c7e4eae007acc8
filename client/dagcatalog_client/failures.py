"""Turns what a call failed with into an exception of `dagcatalog_client.errors`."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

import grpc

from dagcatalog_client import errors, google_rpc
from dagcatalog_client.facts import Facts

DOMAIN = "dagcatalog"

BY_REASON: Mapping[str, type[errors.CatalogError]] = {
    "INVALID_ARGUMENT": errors.InvalidArgument,
    "DAG_NOT_FOUND": errors.DagNotFound,
    "VERSION_NOT_FOUND": errors.VersionNotFound,
    "CONTENT_NOT_FOUND": errors.ContentNotFound,
    "CONSUMER_NOT_FOUND": errors.ConsumerNotFound,
    "PRECONDITION_FAILED": errors.PreconditionFailed,
    "NOT_DELETED": errors.NotDeleted,
    "REQUEST_ID_REUSED": errors.RequestIdReused,
    "REVISION_COMPACTED": errors.RevisionCompacted,
    "REVISION_IN_FUTURE": errors.RevisionInFuture,
    "OTHER_EPOCH": errors.OtherEpoch,
    "TOO_LARGE": errors.TooLarge,
    "WATCHER_TOO_SLOW": errors.WatcherTooSlow,
    "BLOB_CORRUPT": errors.BlobCorrupt,
    "DATABASE_UNAVAILABLE": errors.DatabaseUnavailable,
    "STORAGE_FULL": errors.StorageFull,
    "NOT_IMPLEMENTED_YET": errors.NotImplementedYet,
}
"""ErrorInfo.reason of the domain "dagcatalog"; the server's errors say when each is sent."""

BY_CODE: Mapping[str, type[errors.CatalogError]] = {
    "CANCELLED": errors.Cancelled,
    "UNKNOWN": errors.InternalError,
    "INVALID_ARGUMENT": errors.InvalidArgument,
    "DEADLINE_EXCEEDED": errors.DeadlineExceeded,
    "NOT_FOUND": errors.NotFound,
    "ALREADY_EXISTS": errors.Conflict,
    "PERMISSION_DENIED": errors.PermissionDenied,
    "RESOURCE_EXHAUSTED": errors.LimitExceeded,
    "FAILED_PRECONDITION": errors.Conflict,
    "ABORTED": errors.Conflict,
    "OUT_OF_RANGE": errors.OutOfRange,
    "UNIMPLEMENTED": errors.NotImplementedYet,
    "INTERNAL": errors.InternalError,
    "UNAVAILABLE": errors.Unavailable,
    "DATA_LOSS": errors.InternalError,
    "UNAUTHENTICATED": errors.Unauthenticated,
}
"""For reasons that a newer server invents, and for failures that no server answered."""


class RpcFailure(Protocol):
    """What a failed call tells, in both shells of grpcio."""

    def code(self) -> grpc.StatusCode:
        """Return the status code."""

    def details(self) -> str | None:
        """Return the status message."""

    def trailing_metadata(self) -> object:
        """Return pairs of key and value, or None."""


def from_rpc(failure: RpcFailure, address: str) -> errors.CatalogError:
    """Return the exception for a failed call; raise it `from` the RpcError."""
    facts = replace(_details(failure), code=failure.code().name)
    said = failure.details() or ""
    if facts.domain == DOMAIN:
        return _exception(facts, facts.message or said)
    return BY_CODE[facts.code](_sentence(facts.code, said, address), facts)


def from_item(code: int, reason: str, message: str) -> errors.CatalogError:
    """Return the exception for one item of a batch."""
    names = {status.value[0]: status.name for status in grpc.StatusCode}
    facts = Facts(code=names.get(code, "UNKNOWN"), reason=reason, message=message)
    return _exception(facts, message)


def _exception(facts: Facts, message: str) -> errors.CatalogError:
    kind = BY_REASON.get(facts.reason) or BY_CODE.get(facts.code, errors.InternalError)
    return kind(message, facts)


def _details(failure: RpcFailure) -> Facts:
    trailers = failure.trailing_metadata()
    for key, value in trailers or ():  # type: ignore[attr-defined]  # aio and sync differ in type
        if key == google_rpc.TRAILER and isinstance(value, bytes):
            return google_rpc.decode(value)
    return Facts()


def _sentence(code: str, said: str, address: str) -> str:
    match code:
        case "UNAVAILABLE":
            return f"no catalog answers at {address}: {_root_cause(said)}"
        case "DEADLINE_EXCEEDED":
            return f"the catalog at {address} gave no answer in time"
        case "CANCELLED":
            return "the call was cancelled"
        case "UNIMPLEMENTED":
            return f"the server at {address} does not know this call: {said}"
        case _:
            return f"the catalog at {address} answered {code}: {said}"


def _root_cause(said: str) -> str:
    """Cut what grpc wraps around the operating system's word, `Connection refused` for instance."""
    last = re.sub(r"\s*\(\d+\)$", "", said).rpartition(": ")[2]
    return last or "the connection broke"
