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
from operator import is_not

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
    """Paths as a tree: what each segment leads to. A leaf is where a path ends."""

    names: "dict[str, _Paths]" = field(default_factory=dict)
    every: "_Paths | None" = None
    listed: "dict[str, _Paths]" = field(default_factory=dict)
    """By the name of the list that holds the names."""
    items: "_Paths | None" = None
    ends: bool = False

    def following(self, segment: str) -> "_Paths":
        """Give what a segment leads to; made if need be."""
        if segment == _ITEMS:
            self.items = self.items or _Paths()
            return self.items
        if segment == _EVERY:
            self.every = self.every or _Paths()
            return self.every
        if segment[0] == "{":
            return self.listed.setdefault(segment[1:-1], _Paths())
        return self.names.setdefault(segment, _Paths())

    def matches(self, value: Mapping[str, Json]) -> "Iterator[tuple[str, _Paths]]":
        """Give the fields of an object that paths name; a task has many fields, and few are named."""
        for name, paths in self.names.items():
            if name in value:
                yield name, paths
        for list_name, paths in self.listed.items():
            listed = value.get(list_name)
            for name in listed if isinstance(listed, list) else ():
                if isinstance(name, str) and name in value:
                    yield name, paths
        if self.every:
            yield from ((name, self.every) for name in value)

    def names_fields(self) -> bool:
        """Tell whether paths go on with a field of an object."""
        return bool(self.names or self.listed or self.every)


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
            if _WRAPPED in value:
                inner = self._trimmed(value[_WRAPPED], include, exclude)
                return value if inner is value[_WRAPPED] else {**value, _WRAPPED: inner}
            return self._trimmed_object(value, include, exclude)
        if isinstance(value, list):
            kept = [each.items for each in include if each.items]
            gone = [each.items for each in exclude if each.items]
            trimmed = [self._trimmed(one, kept, gone) for one in value]
            return trimmed if any(map(is_not, trimmed, value)) else value
        return value

    def _trimmed_object(
        self, value: dict[str, Json], include: list[_Paths], exclude: list[_Paths]
    ) -> dict[str, Json]:
        named, gone = _matched(value, include), _matched(value, exclude)
        left = value
        if any(each.names_fields() for each in include):
            left = {name: value[name] for name in value if name in named}
        changed = {}
        for name in [one for one in {*named, *gone} if one in left]:
            if not any(each.ends for each in gone.get(name, ())):
                inner = self._trimmed(value[name], named.get(name, []), gone.get(name, []))
                if inner is value[name]:
                    continue
                changed[name] = inner
            else:
                left = dict(value) if left is value else left
                del left[name]
        if not changed:
            return value if len(left) == len(value) else left
        return {**left, **changed}


def _matched(value: Mapping[str, Json], among: Iterable[_Paths]) -> dict[str, list[_Paths]]:
    matched: dict[str, list[_Paths]] = {}
    for paths in among:
        for name, found in paths.matches(value):
            matched.setdefault(name, []).append(found)
    return matched


def _tree(paths: Iterable[str]) -> _Paths:
    root = _Paths()
    for path in paths:
        node = root
        for segment in _segments(path):
            node = node.following(segment)
        node.ends = True
    return root


def _segments(path: str) -> Iterator[str]:
    for part in path.split("."):
        found = _SEGMENT.fullmatch(part)
        if found is None:
            raise ValueError(f"{path!r} is no path of fields, as `dag.tasks[].doc_md` is one")
        yield found[1]
        yield from [_ITEMS] * (len(found[2]) // len(_ITEMS))


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
