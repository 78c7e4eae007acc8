"""The graph between DAGs: who triggers, waits for or feeds whom, and what a change of one reaches.

An edge is as Airflow wrote it. Between two DAGs it leads from one to the other (trigger, sensor). At
an asset it is half of a way: `a → "asset"` and `"asset" → b` meet in the asset that both name by type
and id. A bare type for an end says that there is nothing beyond; `asset-alias:x` is another such
node. Read off Airflow 3.3.2 (`airflow.serialization.dag_dependency`) and 2.11.2, where assets were
datasets.
"""

import json
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from dagcatalog_server.catalog.model import Dependency

Node: TypeAlias = tuple[str, str]
"""A type and a name; DAGs are of the type "dag"."""
Step: TypeAlias = tuple[Node, Dependency | None]
"""Where it leads, and the edge that leads there; none between two names of one asset."""

_DAG = "dag"
_ASSET, _DATASET = "asset", "dataset"
_NAME_REF, _URI_REF = "asset-name-ref", "asset-uri-ref"
# Whatever else an Airflow of another version, or a plugin of its own, writes is between two DAGs.
_THINGS = (_ASSET, _DATASET)


@dataclass(frozen=True, slots=True)
class Reached:
    """A DAG that a change reaches."""

    dag_id: str
    depth: int
    """DAGs that lie between, and this one."""
    path: tuple[Dependency, ...]
    """The edges of one way that is as short as any."""


class DagGraph:
    """The edges of the live DAGs of one namespace."""

    def __init__(self, written: Mapping[str, Sequence[Dependency]]) -> None:
        """Take what each live DAG says of itself and its neighbours."""
        self._dags = written.keys()
        self.edges: Sequence[Dependency] = sorted(
            {edge for edges in written.values() for edge in edges}, key=_order
        )
        """Each once, by source, target, type and id."""
        self._down: defaultdict[Node, list[Step]] = defaultdict(list)
        self._up: defaultdict[Node, list[Step]] = defaultdict(list)
        for edge in self.edges:
            for source, target in _steps(edge):
                self._down[source].append((target, edge))
                self._up[target].append((source, edge))
        for one, other in list(self._same()):
            self._down[one].append((other, None))
            self._up[other].append((one, None))

    def around(self, dag_id: str) -> Sequence[Dependency]:
        """Return the edges between a DAG and its neighbours, with both halves of a way over an asset."""
        found = {
            edge for way in (self._down, self._up) for edge in _until_dags((_DAG, dag_id), way)
        }
        return sorted(found, key=_order)

    def impact(self, dag_id: str, max_depth: int | None = None) -> Iterator[Reached]:
        """Give the live DAGs that a DAG reaches, the nearest first, then by dag_id."""
        start = (_DAG, dag_id)
        came: dict[Node, tuple[Node, Dependency | None] | None] = {start: None}
        level, depth = [start], 0
        while level and (max_depth is None or depth < max_depth):
            depth += 1
            level = sorted(self._next_level(level, came))
            for node in level:
                yield Reached(node[1], depth, _path(node, came))

    def _next_level(
        self, level: Iterable[Node], came: dict[Node, tuple[Node, Dependency | None] | None]
    ) -> Iterator[Node]:
        """Go from DAGs over whatever lies between to the next DAGs that nobody has come to before."""
        waiting = deque(level)
        while waiting:
            node = waiting.popleft()
            for target, edge in self._down.get(node, ()):
                if target in came or (target[0] == _DAG and target[1] not in self._dags):
                    continue
                came[target] = (node, edge)
                if target[0] == _DAG:
                    yield target
                else:
                    waiting.append(target)

    def _same(self) -> Iterator[tuple[Node, Node]]:
        """Give ways from an asset to other names of it that are used: a reference, the old dataset."""
        used = self._down.keys() | self._up.keys()
        for node in [one for one in used if one[0] == _ASSET]:
            name, uri = _asset(node[1])
            for other in ((_NAME_REF, name), (_URI_REF, uri), (_DATASET, uri)):
                if other in used:
                    yield node, other
            if (_DATASET, uri) in used:
                yield (_DATASET, uri), node


def _steps(edge: Dependency) -> Iterator[tuple[Node, Node]]:
    kind = edge.dependency_type
    if not kind.startswith(_THINGS):
        yield (_DAG, edge.source), (_DAG, edge.target)
        return
    thing = (kind, edge.dependency_id or edge.label)
    if edge.source not in {"", kind}:
        yield _node(edge.source), thing
    if edge.target not in {"", kind}:
        yield thing, _node(edge.target)


def _node(end: str) -> Node:
    kind, separator, name = end.partition(":")  # no dag_id has a colon
    return (kind, name) if separator else (_DAG, end)


def _asset(dependency_id: str) -> tuple[str, str]:
    """Read name and URI of an asset: Airflow 3 writes both as JSON; else it is the URI."""
    try:
        key = json.loads(dependency_id)
    except ValueError:
        key = None
    if isinstance(key, dict):
        return str(key.get("name", "")), str(key.get("uri", ""))
    return dependency_id, dependency_id


def _until_dags(start: Node, way: Mapping[Node, Sequence[Step]]) -> Iterator[Dependency]:
    """Follow one direction to the next DAGs; give the edges."""
    seen, waiting = {start}, deque([start])
    while waiting:
        for node, edge in way.get(waiting.popleft(), ()):
            if edge is not None:
                yield edge
            if node not in seen and node[0] != _DAG:
                seen.add(node)
                waiting.append(node)


def _path(
    node: Node, came: Mapping[Node, tuple[Node, Dependency | None] | None]
) -> tuple[Dependency, ...]:
    path = []
    while (step := came[node]) is not None:
        node, edge = step
        if edge is not None:
            path.append(edge)
    return tuple(reversed(path))


def _order(edge: Dependency) -> tuple[str, ...]:
    return (
        edge.source,
        edge.target,
        edge.dependency_type,
        edge.dependency_id,
        edge.label,
    )
