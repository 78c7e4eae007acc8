"""The page of the contract, out of the comments in its files."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

PACKAGE = ".dagcatalog.v1."
FILES = ("dagcatalog/v1/catalog_service.proto", "dagcatalog/v1/resources.proto")
Comments = Mapping[tuple[int, ...], str]
_MESSAGES, _ENUMS, _SERVICES = 4, 5, 6  # field numbers of FileDescriptorProto
_MEMBERS = 2  # of a message, an enum and a service alike
_SYNTAX = 12


def page(root: Path) -> str:
    """Return the page."""
    parts = ["# The API\n", "[How to call each of them](../how-to/grpcurl.md). "]
    files = _files(root)
    for file in files:
        comments = _comments(file)
        if file.service:
            parts += _service(file.service[0], comments)
        else:
            parts.append(f"{comments.get((_SYNTAX,), '')}\n")
    for file in files:
        comments = _comments(file)
        parts.append(f"## Messages of {file.name.rpartition('/')[2]}\n")
        for index, message in enumerate(file.message_type):
            parts += _message(message, comments, (_MESSAGES, index))
        for index, enum in enumerate(file.enum_type):
            parts += _enum(enum, comments, (_ENUMS, index))
    return "\n".join(parts)


def _files(root: Path) -> list[FileDescriptorProto]:
    buf = Path(sys.executable).with_name("buf")
    built = subprocess.run([buf, "build", "-o", "-"], cwd=root, capture_output=True, check=True)
    known = {file.name: file for file in FileDescriptorSet.FromString(built.stdout).file}
    return [known[name] for name in FILES]


def _comments(file: FileDescriptorProto) -> Comments:
    return {
        tuple(place.path): _text(place.leading_comments)
        for place in file.source_code_info.location
        if place.leading_comments
    }


def _text(comment: str) -> str:
    lines = [line.removeprefix(" ") for line in comment.rstrip("\n").split("\n")]
    return "\n".join(lines)


def _service(service: ServiceDescriptorProto, comments: Comments) -> Iterator[str]:
    yield f"{comments.get((_SERVICES, 0), '')}\n"
    yield f"## {service.name}\n"
    yield "| RPC | takes | answers | |\n|---|---|---|---|"
    for index, method in enumerate(service.method):
        stream = "stream of " if method.server_streaming else ""
        told = _line(comments.get((_SERVICES, 0, _MEMBERS, index), ""))
        takes, answers = _link(method.input_type), _link(method.output_type)
        yield f"| `{method.name}` | {takes} | {stream}{answers} | {told} |"
    yield ""


def _message(message: DescriptorProto, comments: Comments, path: tuple[int, ...]) -> Iterator[str]:
    yield f"### {message.name}\n"
    yield f"{comments.get(path, '')}\n"
    if message.field:
        yield "| field | type | |\n|---|---|---|"
    for index, field in enumerate(message.field):
        told = _line(comments.get((*path, _MEMBERS, index), ""))
        yield f"| `{field.name}` | {_type(field, message)} | {_choice(field, message)}{told} |"
    yield ""


def _enum(enum: EnumDescriptorProto, comments: Comments, path: tuple[int, ...]) -> Iterator[str]:
    yield f"### {enum.name}\n"
    yield f"{comments.get(path, '')}\n"
    yield "| value | |\n|---|---|"
    for index, value in enumerate(enum.value):
        yield f"| `{value.name}` = {value.number} | {_line(comments.get((*path, 2, index), ''))} |"
    yield ""


def _choice(field: FieldDescriptorProto, message: DescriptorProto) -> str:
    if not field.HasField("oneof_index") or field.proto3_optional:
        return ""
    return f"*One of `{message.oneof_decl[field.oneof_index].name}`.* "


def _type(field: FieldDescriptorProto, message: DescriptorProto) -> str:
    for nested in message.nested_type:
        if nested.options.map_entry and field.type_name.endswith(f".{nested.name}"):
            return "map of " + " to ".join(_type(each, nested) for each in nested.field)
    if field.type_name:
        name = _link(field.type_name)
    else:
        name = FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    return f"repeated {name}" if field.label == field.LABEL_REPEATED else name


def _link(type_name: str) -> str:
    if not type_name.startswith(PACKAGE):
        return type_name.removeprefix(".")
    name = type_name.removeprefix(PACKAGE)
    return f"[{name}](#{name.lower()})"


def _line(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")
