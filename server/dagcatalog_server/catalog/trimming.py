"""Leaves out of a document what a consumer does not need, by lists of field paths.

A path is names with dots between: `dag.doc_md`. `*` is every name of an object, `name[]` every
element of a list, `{name}` every name that the list `name` beside it holds: `dag.tasks[].{template_fields}`
are the values of a task's own templates. The `__var` that Airflow wraps an object in is no part of a
path. Paths that are not there leave nothing out.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import orjson

from dagcatalog_server.catalog.canonical import Json

_SEGMENT = re.compile(r"(\*|\{\w+\}|[\w-]+)((?:\[\])*)")
_ITEMS = "[]"
_EVERY = "*"
_WRAPPED = "__var"
# A document without these is none, and Airflow does not read a task without the last three.
_PROBE = {
    "__version": 3,
    "dag": {
        "dag_id": "a",
        "fileloc": "f",
        "tasks": [
            {"__type": "operator", "__var": {"task_id": "t", "task_type": "T", "_task_module": "m"}}
        ],
    },
}


@dataclass(slots=True)
class _Paths:
    """Paths as a tree: what each segment leads to; a leaf is where a path ends."""

    following: "dict[str, _Paths]" = field(default_factory=dict)
    ends: bool = False

    def of(self, name: str, beside: Mapping[str, Json]) -> "Iterator[_Paths]":
        """Give what paths say of one field, which stands beside others."""
        for segment, paths in self.following.items():
            if segment in {name, _EVERY} or (
                segment[0] == "{" and _is_listed(name, segment, beside)
            ):
                yield paths

    def items(self) -> "Iterator[_Paths]":
        """Give what paths say of the elements of a list."""
        if paths := self.following.get(_ITEMS):
            yield paths


class Trim:
    """Keeps what `include` names and leaves out what `exclude` names.

    At an object of which `include` names a field, only such fields stay; elsewhere all do.
    """

    def __init__(self, *, include: Iterable[str] = (), exclude: Iterable[str] = ()) -> None:
        """Read the paths.

        Raises:
            ValueError: one is no path, or what would be left is no document for Airflow.

        """
        self._include = _tree(include)
        self._exclude = _tree(exclude)
        if self._trimmed(_PROBE, [self._include], [self._exclude]) is not _PROBE:
            raise ValueError(
                "would leave out what every document must have: __version, dag.dag_id, dag.fileloc, "
                "and task_id, task_type and _task_module of dag.tasks[]"
            )

    def __call__(self, raw: bytes) -> bytes:
        """Trim a canonical document; the result is canonical too."""
        tree, write = _read(raw)
        trimmed = self._trimmed(tree, [self._include], [self._exclude])
        return raw if trimmed is tree else write(trimmed)

    def _trimmed(self, value: Json, include: list[_Paths], exclude: list[_Paths]) -> Json:
        """Give the value itself if nothing of it goes."""
        if not (exclude or include):
            return value
        if isinstance(value, dict):
            return self._trimmed_object(value, include, exclude)
        if isinstance(value, list):
            inner = [one for each in include for one in each.items()]
            outer = [one for each in exclude for one in each.items()]
            trimmed = [self._trimmed(one, inner, outer) for one in value]
            return (
                trimmed if any(a is not b for a, b in zip(trimmed, value, strict=True)) else value
            )
        return value

    def _trimmed_object(
        self, value: dict[str, Json], include: list[_Paths], exclude: list[_Paths]
    ) -> dict[str, Json]:
        if _WRAPPED in value:
            trimmed = self._trimmed(value[_WRAPPED], include, exclude)
            return value if trimmed is value[_WRAPPED] else {**value, _WRAPPED: trimmed}
        only_named = any(each.following for each in include)
        kept = {}
        for name, one in value.items():
            named = [found for each in include for found in each.of(name, value)]
            gone = [found for each in exclude for found in each.of(name, value)]
            if (only_named and not named) or any(each.ends for each in gone):
                continue
            kept[name] = self._trimmed(one, named, gone)
        same = len(kept) == len(value) and all(kept[name] is value[name] for name in kept)
        return value if same else kept


def _tree(paths: Iterable[str]) -> _Paths:
    root = _Paths()
    for path in paths:
        node = root
        for segment in _segments(path):
            node = node.following.setdefault(segment, _Paths())
        node.ends = True
    return root


def _segments(path: str) -> Iterator[str]:
    for part in path.split("."):
        found = _SEGMENT.fullmatch(part)
        if found is None:
            raise ValueError(f"{path!r} is no path of fields, as `dag.tasks[].doc_md` is one")
        yield found[1]
        yield from [_ITEMS] * (len(found[2]) // len(_ITEMS))


def _is_listed(name: str, segment: str, beside: Mapping[str, Json]) -> bool:
    listed = beside.get(segment[1:-1])
    return isinstance(listed, list) and name in listed


def _read(raw: bytes) -> tuple[Json, Callable[[Json], bytes]]:
    """Read a canonical document, with what writes its numbers as they were."""
    try:
        tree = orjson.loads(raw)
        if orjson.dumps(tree, option=orjson.OPT_SORT_KEYS) == raw:
            return tree, lambda value: orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        pass
    return json.loads(raw), _dump


def _dump(value: Json) -> bytes:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()
