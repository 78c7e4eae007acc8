"""Documents as `google.protobuf.Struct`, for people with grpcurl."""

import json
from typing import Any

import orjson
from google.protobuf.struct_pb2 import ListValue, Struct, Value

# Python's protobuf runtimes refuse messages nested deeper than 100 when they read them; a JSON
# container takes up to three levels (Value, Struct, map entry).
MAX_STRUCT_DEPTH = 30


def to_struct(document: bytes) -> Struct:
    """Read a canonical document. Numbers become doubles; what no double or message can hold, text."""
    return _struct(_read(document), depth=1)


def _read(document: bytes) -> dict[str, Any]:
    tree: dict[str, Any]
    try:
        tree = orjson.loads(document)
    except orjson.JSONDecodeError:  # an integer beyond the range of a double: legal, and kept
        tree = json.loads(document)
    return tree


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
            _fill_number(target, value)
        case str():
            target.string_value = value
        case _ if depth > MAX_STRUCT_DEPTH:
            target.string_value = json.dumps(value, ensure_ascii=False)
        case dict():
            target.struct_value.CopyFrom(_struct(value, depth=depth))
        case list():
            filled = ListValue()
            for inner in value:
                _fill(filled.values.add(), inner, depth=depth + 1)
            target.list_value.CopyFrom(filled)


def _fill_number(target: Value, value: float) -> None:
    try:
        target.number_value = float(value)
    except OverflowError:  # infinity would be no JSON: the digits say more
        target.string_value = str(value)
