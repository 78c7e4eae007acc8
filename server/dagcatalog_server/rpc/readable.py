"""Documents as `google.protobuf.Struct`, for people with grpcurl."""

from typing import Any

import orjson
from google.protobuf.struct_pb2 import ListValue, Struct, Value

# Python's protobuf runtimes refuse messages nested deeper than 100 when they read them; a JSON
# container takes up to three levels (Value, Struct, map entry).
MAX_STRUCT_DEPTH = 30


def to_struct(document: bytes) -> Struct:
    """Read a canonical document. Numbers become doubles; what is nested too deep becomes its JSON."""
    tree = orjson.loads(document)
    return _struct(tree, depth=1)


def _struct(tree: dict[str, Any], *, depth: int) -> Struct:
    struct = Struct()
    for key, value in tree.items():
        _fill(struct.fields[key], value, depth=depth + 1)
    return struct


def _fill(target: Value, value: Any, *, depth: int) -> None:
    match value:
        case None:
            target.null_value = 0  # type: ignore[assignment] # the enum's only number
        case bool():
            target.bool_value = value
        case int() | float():
            target.number_value = value
        case str():
            target.string_value = value
        case _ if depth > MAX_STRUCT_DEPTH:
            target.string_value = orjson.dumps(value).decode()
        case dict():
            target.struct_value.CopyFrom(_struct(value, depth=depth))
        case list():
            filled = ListValue()
            for inner in value:
                _fill(filled.values.add(), inner, depth=depth + 1)
            target.list_value.CopyFrom(filled)
