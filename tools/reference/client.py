"""The page of the Python client, out of its docstrings."""

import ast
import dataclasses
import inspect
import re
from collections.abc import Iterator
from enum import IntEnum

import dagcatalog_client
from dagcatalog_airflow import CatalogDagBag
from dagcatalog_airflow import errors as airflow_errors
from dagcatalog_client import Client, Watch, errors

INTRODUCTION = """\
`pip install dagcatalog` brings `dagcatalog_client`; it needs grpcio and protobuf. `AsyncClient` has
the same methods with the same arguments: those that return a value are awaited, those that iterate
are iterated with `async for`. `CatalogDagBag` is of `dagcatalog_airflow`, in the same package.
"""
HIDDEN = {"CatalogError", "Client", "AsyncClient", "Watch", "AsyncWatch"}


def page() -> str:
    """Return the page."""
    parts = ["# The Python client\n", INTRODUCTION]
    parts += _class("Client", Client)
    parts += _class("Watch", Watch)
    parts += _class("CatalogDagBag", CatalogDagBag)
    parts += ["Its errors:\n", "```", inspect.cleandoc(airflow_errors.__doc__ or ""), "```\n"]
    parts += ["## Values\n", "What calls take and return: frozen dataclasses and enums.\n"]
    for name in sorted(dagcatalog_client.__all__):
        kind = getattr(dagcatalog_client, name)
        if isinstance(kind, type) and name not in HIDDEN and not issubclass(kind, Exception):
            parts += _value(name, kind)
    parts += ["## Errors\n", "```", inspect.cleandoc(errors.__doc__ or ""), "```"]
    return "\n".join(parts)


def _class(name: str, kind: type) -> Iterator[str]:
    yield f"## {name}\n"
    yield from _docstring(inspect.getdoc(kind) or "")
    for method in _methods(kind):
        yield f"### {name}.{method}\n"
        member = inspect.getattr_static(kind, method)
        if isinstance(member, property):
            yield from _docstring(inspect.getdoc(member) or "")
            continue
        yield f"```python\n{_signature(method, getattr(kind, method))}\n```\n"
        yield from _docstring(inspect.getdoc(getattr(kind, method)) or "")


def _methods(kind: type) -> list[str]:
    """Name what is public, base by base: that is how the methods belong together."""
    found: dict[str, None] = {}
    for base in kind.__mro__:
        if base.__module__.startswith(("dagcatalog_client", "dagcatalog_airflow")):
            found |= dict.fromkeys(name for name in vars(base) if not name.startswith("_"))
    return list(found)


def _signature(name: str, call: object) -> str:
    assert callable(call)
    signature = inspect.signature(call)
    shown = [str(each) for each in signature.parameters.values() if each.name != "self"]
    keyword = [
        i for i, each in enumerate(signature.parameters.values()) if each.kind is each.KEYWORD_ONLY
    ]
    if keyword:
        shown.insert(keyword[0] - 1, "*")
    answer = inspect.formatannotation(signature.return_annotation)
    body = "".join(f"    {each},\n" for each in shown)
    text = f"{name}(\n{body})" if shown else f"{name}()"
    return _short(f"{text} -> {answer}")


def _short(text: str) -> str:
    """Leave out where a name comes from."""
    text = re.sub(r"<(\w+)\.(\w+): \d+>", r"\1.\2", text)
    return re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Z])", "", text).replace("collections.abc.", "")


def _docstring(text: str) -> Iterator[str]:
    """Turn sections into Markdown: what is raised into a list, the example into a block."""
    body, _, example = text.partition("\nExample:\n")
    body, _, raised = body.partition("\nRaises:\n")
    yield f"{body.strip()}\n"
    for line in re.findall(r"^ +(\w+): (.+(?:\n {8,}.+)*)", raised, re.MULTILINE):
        yield f"- raises `{line[0]}`: {re.sub(chr(92) + 's+', ' ', line[1])}"
    if raised:
        yield ""
    if example:
        yield inspect.cleandoc(example) + "\n"


def _value(name: str, kind: type) -> Iterator[str]:
    yield f"### {name}\n"
    yield f"{inspect.getdoc(kind)}\n"
    told = _told(kind)
    if issubclass(kind, IntEnum):
        for member in kind:
            note = told.get(member.name, "")
            yield f"- `{member.name}`{': ' if note else ''}{note}"
    elif dataclasses.is_dataclass(kind):
        for field in dataclasses.fields(kind):
            shown = (
                field.type if isinstance(field.type, str) else inspect.formatannotation(field.type)
            )
            note = told.get(field.name, "")
            yield f"- `{field.name}: {_short(shown)}`{': ' if note else ''}{note}"
    yield ""


def _told(kind: type) -> dict[str, str]:
    """Read the texts below the fields, which Python does not keep."""
    (tree,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(tree, ast.ClassDef)
    found, last = {}, ""
    for node in tree.body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                last = name
            case ast.Expr(value=ast.Constant(value=str(text))) if last:
                found[last] = re.sub(r"\s+", " ", text).strip()
            case _:
                last = ""
    return found
