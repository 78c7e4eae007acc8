"""Decodes google.rpc.Status and its details out of trailing metadata.

googleapis-common-protos and grpcio-status pin protobuf more tightly than the client may, and their
files would clash with a second declaration in the default pool. So the few messages needed are
declared here, field numbers as in google/rpc/{status,error_details}.proto, in a pool of their own.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.message import DecodeError

from dagcatalog_client.facts import Facts, Violation

TRAILER = "grpc-status-details-bin"

_FIELDS: Mapping[str, tuple[tuple[int, str, str], ...]] = {
    "Status": ((1, "code", "int32"), (2, "message", "string"), (3, "details", "*Any")),
    "Any": ((1, "type_url", "string"), (2, "value", "bytes")),
    "ErrorInfo": (
        (1, "reason", "string"),
        (2, "domain", "string"),
        (3, "metadata", "*Pair"),
    ),
    # A map is, on the wire, a repeated message of key and value.
    "Pair": ((1, "key", "string"), (2, "value", "string")),
    "BadRequest": ((1, "field_violations", "*FieldViolation"),),
    "FieldViolation": ((1, "field", "string"), (2, "description", "string")),
    "RetryInfo": ((1, "retry_delay", "Duration"),),
    "Duration": ((1, "seconds", "int64"), (2, "nanos", "int32")),
    "RequestInfo": ((1, "request_id", "string"), (2, "serving_data", "string")),
    "ResourceInfo": (
        (1, "resource_type", "string"),
        (2, "resource_name", "string"),
        (3, "owner", "string"),
        (4, "description", "string"),
    ),
}
_SCALARS = {
    "int32": FieldDescriptorProto.TYPE_INT32,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "string": FieldDescriptorProto.TYPE_STRING,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
}
_PACKAGE = "dagcatalog.client.google_rpc"


def decode(trailer: bytes) -> Facts:
    """Read the details that are known; unknown ones, or bytes that are no Status, are left out."""
    try:
        status = _messages()["Status"].FromString(trailer)
    except DecodeError:
        return Facts()
    known: dict[str, object] = {"message": status.message}
    for detail in status.details:
        name = detail.type_url.rpartition("google.rpc.")[2]
        if read := _READERS.get(name):
            known.update(_read(read, name, detail.value))
    return Facts(**known)  # type: ignore[arg-type]  # each reader names fields of Facts


# Messages made at run time have no static type: Any is what protobuf's own stubs say of them.
_Reader = Callable[[Any], Mapping[str, object]]


def _read(read: _Reader, name: str, value: bytes) -> Mapping[str, object]:
    try:
        return read(_messages()[name].FromString(value))
    except DecodeError:
        return {}


def _error_info(info: Any) -> Mapping[str, object]:
    metadata = {pair.key: pair.value for pair in info.metadata}
    return {"reason": info.reason, "domain": info.domain, "metadata": metadata}


def _bad_request(bad: Any) -> Mapping[str, object]:
    found = tuple(Violation(wrong.field, wrong.description) for wrong in bad.field_violations)
    return {"violations": found}


def _retry_info(info: Any) -> Mapping[str, object]:
    delay = info.retry_delay
    return {"retry_after_s": delay.seconds + delay.nanos / 1e9}


def _request_info(info: Any) -> Mapping[str, object]:
    return {"request_id": info.request_id}


def _resource_info(info: Any) -> Mapping[str, object]:
    return {"resource": f"{info.resource_type} {info.resource_name}".strip()}


_READERS: Mapping[str, _Reader] = {
    "ErrorInfo": _error_info,
    "BadRequest": _bad_request,
    "RetryInfo": _retry_info,
    "RequestInfo": _request_info,
    "ResourceInfo": _resource_info,
}


@cache
def _messages() -> Mapping[str, Any]:
    """Declare the messages once, at the first error."""
    file = FileDescriptorProto(
        name="dagcatalog_client/google_rpc.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _FIELDS.items():
        _declare(file.message_type.add(name=name), fields)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _FIELDS
    }


def _declare(message: DescriptorProto, fields: tuple[tuple[int, str, str], ...]) -> None:
    for number, name, kind in fields:
        field = message.field.add(name=name, number=number)
        field.label = (
            FieldDescriptorProto.LABEL_REPEATED
            if kind.startswith("*")
            else FieldDescriptorProto.LABEL_OPTIONAL
        )
        scalar = _SCALARS.get(kind)
        field.type = scalar or FieldDescriptorProto.TYPE_MESSAGE
        if scalar is None:
            field.type_name = f".{_PACKAGE}.{kind.removeprefix('*')}"
